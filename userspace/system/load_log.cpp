#include "system/load_log.hpp"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "system/host.hpp"
#include "system/privileges.hpp"

#if LIBBPF_MAJOR_VERSION == 1 && LIBBPF_MINOR_VERSION < 3
// A type or function that this kernel does not have is looked for in its modules, whose list only
// CAP_SYS_ADMIN may read. Before 1.3 (libbpf 3f33f9a6b8f7) libbpf takes that refusal for the
// failure of the load, so that CAP_BPF and CAP_PERFMON would not do. Its calls go through the PLT:
// this one is found first, and to those who may not ask there are no modules. Where it is not found
// first, nothing changes.
extern "C" int bpf_btf_get_next_id(__u32 start_id, __u32* next_id) {
  bpf_attr attr{};
  attr.start_id = start_id;
  const long failed = syscall(SYS_bpf, BPF_BTF_GET_NEXT_ID, &attr, sizeof attr);
  if (failed == 0) *next_id = attr.next_id;
  if (failed != 0 && errno == EPERM) errno = ENOENT;  // the end of the list
  return failed == 0 ? 0 : -errno;
}
#endif

namespace iohops {
namespace {

thread_local std::string libbpf_log;

int keep_log(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[4096];
  const int bytes = vsnprintf(line, sizeof line, format, arguments);
  libbpf_log.append(line, static_cast<size_t>(std::clamp(bytes, 0, int{sizeof line} - 1)));
  constexpr size_t kKept = 64 << 10;
  if (libbpf_log.size() > kKept) libbpf_log.erase(0, libbpf_log.size() - kKept);
  return 0;
}

}  // namespace

void begin_load_log() {
  libbpf_log.clear();
  libbpf_set_print(keep_log);
}

std::string load_log() { return libbpf_log; }

void set_load_log(std::string log) { libbpf_log = std::move(log); }

std::string refused_program() {
  // libbpf says "prog 'NAME': failed to load".
  const size_t end = libbpf_log.rfind("': failed to load");
  const size_t begin = end == std::string::npos ? end : libbpf_log.rfind("prog '", end);
  if (begin == std::string::npos) return {};
  return libbpf_log.substr(begin + 6, end - begin - 6);
}

std::string verifier_reason(int error) {
  std::string_view log = libbpf_log;
  const size_t processed = log.rfind("\nprocessed ");
  if (processed != std::string_view::npos) {
    const size_t line = log.rfind('\n', processed - 1);
    if (line != std::string_view::npos)
      return std::string(log.substr(line + 1, processed - line - 1));
  }
  return std::strerror(error);
}

Error cannot_load(int error) {
  if (read_host().lockdown == Lockdown::kConfidentiality) {
    return {ErrorKind::kKernel,
            fmt::format(
                "cannot load the BPF programs: {}: lockdown=confidentiality forbids them to read "
                "kernel memory. Boot with lockdown=integrity on the kernel command line",
                verifier_reason(error))};
  }
  const std::optional<MemoryLimit> limit = error == EPERM ? memory_limit() : std::nullopt;
  if (limit)
    return {ErrorKind::kPermission, fmt::format("cannot load the BPF programs: {}: {}. Run first:\n  {}",
                                                verifier_reason(error), limit->reason, limit->fix)};
  if (error == EPERM || error == EACCES) {
    return {ErrorKind::kPermission,
            fmt::format("the kernel refuses to load BPF programs: {} (iohops doctor tells why)",
                        verifier_reason(error))};
  }
  return {
      ErrorKind::kKernel,
      fmt::format("cannot load the BPF programs: {} (iohops doctor tells what this kernel lacks)",
                  verifier_reason(error))};
}

}  // namespace iohops
