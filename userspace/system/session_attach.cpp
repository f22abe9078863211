// From loaded programs to attached ones.
#include "system/session.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "iohops.skel.h"
#include "system/copy_check.hpp"
#include "system/page_faults.hpp"

namespace iohops {
namespace {

const ProgramSpec* spec_of(std::string_view program) {
  const auto table = program_table();
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const ProgramSpec& spec) { return spec.program == program; });
  return found == table.end() ? nullptr : &*found;
}

Attach attach_of(std::string_view program) {
  const ProgramSpec* spec = spec_of(program);
  return spec != nullptr ? spec->attach : Attach::kTracepoint;
}

}  // namespace

Status Session::attach(Plan& plan) {
  // Ends of life first, beginnings last: what is seen to begin is seen to end.
  static constexpr std::string_view kOrder[] = {"sched_exit", "block_complete", "block_bio_done",
                                                "syscall_exit", "sched_switch"};
  static constexpr std::string_view kLast = "syscall_enter";
  std::vector<bpf_program*> ordered;
  for (bpf_program* program : programs()) {
    const auto type = bpf_program__type(program);
    const bool attachable = type == BPF_PROG_TYPE_TRACING || type == BPF_PROG_TYPE_KPROBE ||
                            type == BPF_PROG_TYPE_PERF_EVENT;
    if (attachable && plan.enabled(bpf_program__name(program))) ordered.push_back(program);
  }
  auto rank = [](bpf_program* p) {
    const std::string_view name = bpf_program__name(p);
    const auto* found = std::find(std::begin(kOrder), std::end(kOrder), name);
    return name.starts_with(kLast) ? std::size(kOrder) + 1
                                   : static_cast<size_t>(found - std::begin(kOrder));
  };
  std::stable_sort(ordered.begin(), ordered.end(),
                   [&](bpf_program* a, bpf_program* b) { return rank(a) < rank(b); });
  for (bpf_program* each : ordered) {
    if (bpf_program__type(each) == BPF_PROG_TYPE_PERF_EVENT) {
      attach_page_faults(each, plan);
      continue;
    }
    if (of_library(attach_of(bpf_program__name(each)))) {
      attach_streams(each, plan);
      continue;
    }
    bpf_link* link = bpf_program__attach(each);
    if (link) {
      links_.emplace_back(bpf_program__name(each), link);
      continue;
    }
    plan.disable(bpf_program__name(each), fmt::format("attach refused: {}", std::strerror(errno)));
    if (!plan.possible()) {
      return Error{ErrorKind::kKernel, fmt::format("cannot attach {}: {}", bpf_program__name(each),
                                                   std::strerror(errno))};
    }
  }
  if (plan.measures_copies())
    check_copies(plan);
  else
    plan.measured = {};
  return {};
}

void Session::attach_page_faults(const bpf_program* program, Plan& plan) {
  const std::string name = bpf_program__name(program);
  Result<Links> links = attach_to_page_faults(program);
  if (!links) return plan.disable(name, "attach refused: " + links.error().message);
  for (auto& link : *links) links_.emplace_back(name, link.release());
}

void Session::attach_streams(const bpf_program* program, Plan& plan) {
  const ProgramSpec* spec = spec_of(bpf_program__name(program));
  for (const std::string& library : options_.libraries) {
    std::string_view rest = spec->tracepoint;
    while (!rest.empty()) {
      const std::string function(rest.substr(0, rest.find(',')));
      rest.remove_prefix(std::min(rest.size(), function.size() + 1));
      LIBBPF_OPTS(bpf_uprobe_opts, how, .retprobe = spec->attach == Attach::kUretprobe,
                  .func_name = function.c_str());
      bpf_link* link = bpf_program__attach_uprobe_opts(program, -1, library.c_str(), 0, &how);
      if (!link)
        return plan.disable(spec->program, fmt::format("{} of {} cannot be probed: {}", function,
                                                       library, std::strerror(errno)));
      links_.emplace_back(spec->program, link);
    }
  }
}

// Some of the copy functions call each other: which ones to count is seen by what they count of I/O
// that is known.
void Session::check_copies(Plan& plan) {
  auto& state = *skeleton_->bss;
  std::atomic_ref(state.copy_check_tid)
      .store(static_cast<uint32_t>(gettid()), std::memory_order_release);
  const Result<CopyObservations> seen = observe_copies([&state] {
    std::array<uint64_t, WIRE_COPY_HOOKS> counters{};
    for (size_t i = 0; i < counters.size(); ++i)
      counters[i] = std::atomic_ref(state.copy_seen[i]).load(std::memory_order_acquire);
    return counters;
  });
  std::atomic_ref(state.copy_check_tid).store(0, std::memory_order_release);
  if (seen)
    plan.choose_copies(choose_copy_hooks(*seen, kCopyCheckBytes));
  else
    plan.leave_copies_out("the hooks could not be checked: " + seen.error().message);
  std::erase_if(links_, [&](const auto& link) { return !plan.enabled(link.first); });
}

}  // namespace iohops
