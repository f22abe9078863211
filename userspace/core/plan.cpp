// The choice among the programs of the table.
#include "core/plan.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace iohops {
namespace {

// Used by every program: without them nothing loads.
struct Essential {
  std::string_view name;
  std::string_view what;
};
constexpr Essential kEssentialHelpers[] = {
    {"bpf_ringbuf_reserve", "BPF ring buffer (Linux 5.8)"},
};
constexpr std::string_view kOptionalHelpers[] = {"bpf_find_vma", "bpf_for_each_map_elem",
                                                 "bpf_get_current_task_btf", "bpf_rdonly_cast",
                                                 "bpf_preempt_disable", "bpf_task_pt_regs",
                                                 "bpf_mem_alloc_init"};

// The next comma-separated word of `list`, which loses it.
std::string_view next_word(std::string_view& list) {
  const size_t comma = list.find(',');
  const std::string_view word = list.substr(0, comma);
  list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  const size_t begin = word.find_first_not_of(' ');
  return begin == std::string_view::npos ? std::string_view() : word.substr(begin);
}

bool arguments_fit(std::string_view wanted, const std::vector<std::string>& offered) {
  for (size_t i = 0; !wanted.empty(); ++i) {
    const std::string_view type = next_word(wanted);
    if (type == ".") return i == offered.size();
    if (i >= offered.size() || (type != "_" && type != offered[i])) return false;
  }
  return true;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// A function of the kernel instead of a tracepoint.
std::string function_obstacle(const ProgramSpec& spec, const Features& features) {
  const std::string function(spec.tracepoint);
  if (spec.attach <= Attach::kFexit) {
    const bool or_kprobe = spec.attach == Attach::kFexit && !features.kprobes_refused.empty();
    if (!features.fentry_refused.empty())
      return features.fentry_refused + (or_kprobe ? "; " + features.kprobes_refused : "");
    const auto found = features.functions.find(function);
    if (found == features.functions.end())
      return "this kernel has no type information of the function " + function;
    if (!arguments_fit(spec.arguments, found->second))
      return "the arguments of " + function + " are (" + join(found->second) + ")";
    return "";
  }
  if (!features.kprobes_refused.empty()) return features.kprobes_refused;
  return features.symbols.count(function) != 0 ? "" : "this kernel has no function " + function;
}

// Empty: it can be used.
std::string obstacle(const ProgramSpec& spec, const Features& features) {
  if (!spec.helper.empty() && features.helpers.count(std::string(spec.helper)) == 0)
    return "this kernel has no BPF helper " + std::string(spec.helper);
  if (of_library(spec.attach)) return "";  // known when it is attached
  if (spec.attach >= Attach::kFunction) return function_obstacle(spec, features);
  if (spec.attach == Attach::kRun) return "";  // raw tracepoints can be run since 5.10
  if (spec.tracepoint.empty())
    return features.program_types.count("BPF_PROG_TYPE_SYSCALL") != 0
               ? ""
               : "this kernel has no BPF programs of the type that userspace runs (Linux 5.14)";
  if (spec.attach == Attach::kPageFaults) return "";  // every kernel that has BPF has the event
  const auto tracepoint = features.tracepoints.find(std::string(spec.tracepoint));
  if (tracepoint == features.tracepoints.end())
    return "this kernel has no tracepoint " + std::string(spec.tracepoint);
  if (!arguments_fit(spec.arguments, tracepoint->second))
    return "its arguments are (" + join(tracepoint->second) + ") on this kernel, not (" +
           std::string(spec.arguments) + ")";
  // arm64 has declared this one since about 6.16 and fires it nowhere.
  if (spec.tracepoint == "page_fault_user" && features.machine == "aarch64")
    return "the kernel never fires it on aarch64";
  return "";
}

// By physical address: useless where dma_learn cannot tell whose page that is.
bool takes_physical_address(const PlannedProgram& program) {
  return program.dma_layer && program.program != "dma_map_sg";
}

void settle_groups(std::vector<PlannedProgram>& programs) {
  for (PlannedProgram& program : programs) {
    if (program.enabled || program.group.empty() || program.superseded) continue;
    program.superseded = std::any_of(
        programs.begin(), programs.end(),
        [&](const PlannedProgram& other) { return other.enabled && other.group == program.group; });
  }
}

// Functions that do not exist here are no loss: another does their work.
void settle_copies(const Features& features, std::vector<PlannedProgram>& programs) {
  for (PlannedProgram& program : programs) {
    if (!of_function(program.attach)) continue;
    program.superseded = program.superseded || (features.functions.count(program.tracepoint) == 0 &&
                                                features.symbols.count(program.tracepoint) == 0);
  }
}

bool tells_page_faults(const PlannedProgram& program) { return program.program.starts_with("fault_"); }

// What needs an open system call or the thread's state that it leaves.
bool lives_on_system_calls(const PlannedProgram& program) {
  constexpr std::string_view kPrefixes[] = {"syscall_e", "uring_", "net_", "sched_rename"};
  return of_function(program.attach) ||
         std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&](std::string_view prefix) { return program.program.starts_with(prefix); });
}

// What stands for all that is left out says so, once.
void leave_system_calls_out(Plan& plan) {
  constexpr std::string_view kLost =
      "system calls: their results, copies, mode switches and times, their use of the page cache, and which of them "
      "asked for device work; who had written what the kernel writes back; that direct I/O uses a mapping of another "
      "file (it looks like that file's pages)";
  constexpr std::string_view kCarriersLost =
      "what loop devices with direct I/O do on the devices below for a request";
  for (PlannedProgram& program : plan.programs) {
    const bool first = program.program == "syscall_enter";
    if (program.program.starts_with("direct_")) program.lost = kCarriersLost;  // not of libaio's requests
    program.required = program.tracepoint == "block_bio_queue" || program.tracepoint == "block_rq_complete";
    if (!lives_on_system_calls(program)) continue;
    program.enabled = false;
    program.superseded = !first;
    if (!first) continue;
    program.reason = "left alone: --light";
    program.lost = kLost;
  }
  // Without it a fault that is over cannot be told from the system call that its thread is in.
  if (!plan.uses("bpf_task_pt_regs"))
    for (PlannedProgram& program : plan.programs)
      if (tells_page_faults(program) && program.enabled) {
        program.enabled = false;
        program.reason = "--light needs the BPF helper bpf_task_pt_regs for it (Linux 5.15)";
      }
}

std::string name_of(const PlannedProgram& program) {
  if (of_function(program.attach)) return std::string(kCopyFunctions);
  if (of_library(program.attach)) return std::string(kStreams);
  return program.tracepoint.empty() ? program.program : program.tracepoint;
}

}  // namespace

bool Plan::enabled(std::string_view program) const {
  return std::any_of(programs.begin(), programs.end(), [&](const PlannedProgram& planned) {
    return planned.enabled && planned.program == program;
  });
}

bool Plan::attached(std::string_view tracepoint) const {
  return std::any_of(programs.begin(), programs.end(), [&](const PlannedProgram& planned) {
    return planned.enabled && planned.tracepoint == tracepoint;
  });
}

void Plan::disable(std::string_view program, std::string reason) {
  for (PlannedProgram& planned : programs) {
    if (planned.program != program) continue;
    planned.enabled = false;
    planned.superseded = false;
    planned.reason = std::move(reason);
    for (PlannedProgram& other : programs)
      if (other.instead_of == program && other.reason.empty()) other.enabled = true;
    settle_groups(programs);
    if (planned.required && !planned.superseded)
      blockers.push_back(name_of(planned) + ": " + planned.reason);
    return;
  }
}

bool Plan::watches_dma() const {
  return std::any_of(programs.begin(), programs.end(), [](const PlannedProgram& planned) {
    return planned.dma_layer && planned.enabled && !planned.tracepoint.empty();
  });
}

void Plan::leave_dma_out() {
  for (PlannedProgram& planned : programs) {
    if (!planned.dma_layer) continue;
    planned.enabled = false;
    planned.superseded = true;
  }
}

void Plan::take_streams() {
  for (PlannedProgram& planned : programs) {
    if (!of_library(planned.attach)) continue;
    planned.enabled = planned.reason.empty();
    planned.superseded = false;
  }
}

bool Plan::watches_streams() const {
  return std::any_of(programs.begin(), programs.end(), [](const PlannedProgram& planned) {
    return planned.enabled && of_library(planned.attach);
  });
}

void Plan::leave_page_faults_out() {
  for (PlannedProgram& planned : programs) {
    if (!tells_page_faults(planned)) continue;
    planned.enabled = false;
    planned.superseded = true;
  }
}

void Plan::leave_unsummed_out() {
  static constexpr std::string_view kUnsummed[] = {"block_rq_insert", "block_rq_issue", "net_dev_start_xmit",
                                                   "skb_copy_datagram_iovec"};
  for (PlannedProgram& planned : programs) {
    if (std::find(std::begin(kUnsummed), std::end(kUnsummed), planned.tracepoint) == std::end(kUnsummed)) continue;
    planned.enabled = false;
    planned.superseded = true;
  }
}

bool Plan::measures_copies() const {
  return std::any_of(programs.begin(), programs.end(), [](const PlannedProgram& planned) {
    return planned.enabled && of_function(planned.attach);
  });
}

std::string Plan::why_not_measured() const {
  for (const MissingHook& hook : missing())
    if (hook.hook == kCopyFunctions) return hook.reason;
  return measured.any() ? "not counted exactly in the check at the start"
                        : "no hook on the kernel's copy functions";
}

void Plan::leave_copies_out(const std::string& reason) {
  measured = {};
  for (PlannedProgram& planned : programs) {
    if (planned.attach < (reason.empty() ? Attach::kFunction : Attach::kFexit)) continue;
    planned.enabled = false;
    planned.superseded = reason.empty();
    if (!reason.empty()) planned.reason = reason;
  }
}

void Plan::choose_copies(const CopyChoice& choice) {
  measured = choice.measured;
  for (PlannedProgram& planned : programs) {
    if (!of_function(planned.attach) || choice.hooks.test(planned.copy_hook)) continue;
    planned.superseded = planned.superseded || planned.enabled;
    planned.enabled = false;
  }
}

void Plan::disable_physical_addresses(const std::string& reason) {
  for (PlannedProgram& planned : programs) {
    if (!planned.enabled || !takes_physical_address(planned)) continue;
    planned.enabled = false;
    planned.reason = reason;
  }
}

std::vector<std::string> Plan::hooks() const {
  std::set<std::string> names;
  for (const PlannedProgram& program : programs)
    if (program.enabled && !program.tracepoint.empty()) names.insert(program.tracepoint);
  return {names.begin(), names.end()};
}

std::vector<MissingHook> Plan::missing() const {
  std::vector<MissingHook> missing;
  for (const PlannedProgram& program : programs) {
    if (program.enabled || program.superseded) continue;
    const std::string name = name_of(program);
    const bool listed = std::any_of(missing.begin(), missing.end(),
                                    [&](const MissingHook& hook) { return hook.hook == name; });
    if (!listed) missing.push_back({name, program.reason, program.lost});
  }
  return missing;
}

Plan make_plan(const Features& features, Depth depth) {
  Plan plan;
  plan.depth = depth;
  for (const Essential& essential : kEssentialHelpers)
    if (features.helpers.count(std::string(essential.name)) == 0)
      plan.blockers.push_back("this kernel has no " + std::string(essential.what));
  for (std::string_view helper : kOptionalHelpers)
    if (features.helpers.count(std::string(helper)) != 0) plan.helpers.emplace(helper);

  std::set<std::tuple<std::string_view, std::string_view, Attach>> taken;
  for (const ProgramSpec& spec : program_table()) {
    PlannedProgram program;
    program.program = spec.program;
    program.tracepoint = spec.tracepoint;
    program.group = spec.group;
    program.required = spec.required;
    program.dma_layer = spec.dma_layer;
    program.lost = spec.lost;
    program.attach = spec.attach;
    program.copy_hook = spec.copy_hook;
    program.reason = obstacle(spec, features);
    const bool at_exit = taken.contains({spec.group, spec.tracepoint, Attach::kFexit});
    program.instead_of = spec.instead_of;
    const bool second_best = !spec.instead_of.empty() && plan.enabled(spec.instead_of);
    program.enabled =
        program.reason.empty() && !second_best &&
        (spec.group.empty() ||
         (!at_exit && taken.emplace(spec.group, spec.tracepoint, spec.attach).second));
    plan.programs.push_back(std::move(program));
  }
  for (PlannedProgram& program : plan.programs) {
    if (!of_library(program.attach)) continue;
    program.enabled = false;
    program.superseded = true;
  }
  settle_groups(plan.programs);
  settle_copies(features, plan.programs);
  if (depth == Depth::kBelow) leave_system_calls_out(plan);
  const bool copies = plan.measures_copies();
  plan.measured = {copies, copies, copies};
  std::set<std::string> named;  // variants stand for one hook
  for (const PlannedProgram& program : plan.programs)
    if (program.required && !program.enabled && !program.superseded &&
        named.insert(name_of(program)).second)
      plan.blockers.push_back(name_of(program) + ": " + program.reason);
  return plan;
}

}  // namespace iohops
