#include "system/page_faults.hpp"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "system/unique_fd.hpp"

namespace iohops {
namespace {

// Counts on one CPU, whoever runs there; a program of it runs at each count.
int open_event(int cpu) {
  perf_event_attr wanted{};
  wanted.size = sizeof wanted;
  wanted.type = PERF_TYPE_SOFTWARE;
  wanted.config = PERF_COUNT_SW_PAGE_FAULTS;
  wanted.sample_period = 1;
  wanted.exclude_kernel = 1;  // a fault in read(2)'s own copy is no request
  return static_cast<int>(syscall(SYS_perf_event_open, &wanted, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

Error refused(int cpu, const char* what) {
  const bool forbidden = errno == EACCES || errno == EPERM;
  return {forbidden ? ErrorKind::kPermission : ErrorKind::kKernel,
          fmt::format("{} the event page-faults of CPU {}: {}{}", what, cpu, std::strerror(errno),
                      forbidden ? " (it needs CAP_PERFMON)" : "")};
}

}  // namespace

void LinkDestroy::operator()(bpf_link* link) const { bpf_link__destroy(link); }

Result<Links> attach_to_page_faults(const bpf_program* program) {
  Links links;
  const int cpus = std::max(1, libbpf_num_possible_cpus());
  for (int cpu = 0; cpu < cpus; ++cpu) {
    UniqueFd event(open_event(cpu));
    if (!event && errno == ENODEV) continue;  // offline
    if (!event) return refused(cpu, "cannot open");
    bpf_link* link = bpf_program__attach_perf_event(program, event.get());
    if (link == nullptr) return refused(cpu, "cannot attach to");
    event.release();  // the link's now
    links.emplace_back(link);
  }
  return links;
}

}  // namespace iohops
