// Loads the BPF object through this kernel's verifier, under every combination of knobs that makes
// it a different program, and counts the instructions that the verifier walked. Attaches nothing.
//
//   load            a line `@ passed|failed|skipped NAME` for each program, then its details
//   load --probe    exit 0 if this process may load tracing programs at all, else the reason
//
// Sees the skeleton, the table of programs and the kernel's features; no record, no session.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/plan.hpp"
#include "iohops.skel.h"
#include "system/features.hpp"

namespace iohops {
namespace {

// A tenth of what the verifier walks before it gives up: what another kernel or compiler adds to a
// program that needs more than this may be too much.
constexpr unsigned kInstructionBudget = 100'000;

struct Knobs {
  const char* name;
  unsigned scope;  // SCOPE_ONE, SCOPE_SET, SCOPE_ALL of bpf/state.h
  bool follow;
  bool tally;
};
constexpr std::array<Knobs, 5> kKnobs = {{
    {"one process", 0, false, false},
    {"several processes, followed", 1, true, false},
    {"everything", 2, false, false},
    {"one process, tallied", 0, false, true},
    {"everything, tallied", 2, false, true},
}};

struct Outcome {
  bool loaded = false;
  unsigned instructions = 0;
  std::string log;
};

using Skeleton = std::unique_ptr<iohops_bpf, void (*)(iohops_bpf*)>;

std::string last_lines(const std::string& text, size_t count) {
  size_t at = text.size();
  for (size_t i = 0; i <= count && at != std::string::npos && at > 0; ++i)
    at = text.rfind('\n', at - 1);
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

std::string g_messages;
int remember(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  char line[4096];
  std::vsnprintf(line, sizeof line, format, arguments);
  g_messages += line;
  return 0;
}

// Loads `wanted` together. The verifier's statistics come in each program's own log.
std::map<std::string, Outcome> load(const std::vector<std::string>& wanted, const Knobs& knobs,
                                    const Features& features) {
  std::map<std::string, Outcome> outcomes;
  const Skeleton skeleton(iohops_bpf__open(), iohops_bpf__destroy);
  if (!skeleton) return outcomes;
  skeleton->rodata->scope = knobs.scope;
  skeleton->rodata->follow = knobs.follow;
  skeleton->rodata->tally = knobs.tally;
  skeleton->rodata->can_type_task = features.helpers.contains("bpf_get_current_task_btf");
  skeleton->rodata->can_find_vma = features.helpers.contains("bpf_find_vma");
  skeleton->rodata->can_cast = features.helpers.contains("bpf_rdonly_cast");
  skeleton->rodata->watch_dma = true;

  std::map<std::string, std::vector<char>> logs;
  for (const std::string& name : wanted) {
    bpf_program* program = bpf_object__find_program_by_name(skeleton->obj, name.c_str());
    if (program == nullptr) continue;
    bpf_program__set_autoload(program, true);
    std::vector<char>& log = logs[name];
    log.resize(1 << 20);
    bpf_program__set_log_level(program, 4);  // statistics only
    bpf_program__set_log_buf(program, log.data(), log.size());
  }
  g_messages.clear();
  const bool all = iohops_bpf__load(skeleton.get()) == 0;
  for (const auto& [name, log] : logs) {
    Outcome& outcome = outcomes[name];
    outcome.loaded = all;
    outcome.log = std::string(log.data()) + g_messages;
    if (const char* processed = std::strstr(log.data(), "processed "); processed != nullptr)
      std::sscanf(processed, "processed %u insns", &outcome.instructions);
  }
  return outcomes;
}

// All at once, and each by itself only where that fails, to say which.
std::map<std::string, Outcome> load_each(const std::vector<std::string>& wanted, const Knobs& knobs,
                                         const Features& features) {
  std::map<std::string, Outcome> together = load(wanted, knobs, features);
  if (!together.empty() && together.begin()->second.loaded) return together;
  std::map<std::string, Outcome> single;
  for (const std::string& name : wanted) single.merge(load({name}, knobs, features));
  return single;
}

std::vector<std::string> programs_of_object() {
  std::vector<std::string> names;
  const Skeleton skeleton(iohops_bpf__open(), iohops_bpf__destroy);
  bpf_program* program = nullptr;
  if (skeleton)
    bpf_object__for_each_program(program, skeleton->obj)
        names.emplace_back(bpf_program__name(program));
  return names;
}

void say(const char* outcome, const std::string& name, const std::string& detail) {
  std::printf("@ %s %s\n%s%s", outcome, name.c_str(), detail.c_str(), detail.empty() ? "" : "\n");
}

// A program that the table does not name would never be loaded, silently.
void check_table(const std::vector<std::string>& in_object) {
  std::string wrong;
  for (const ProgramSpec& spec : program_table())
    if (std::find(in_object.begin(), in_object.end(), spec.program) == in_object.end())
      wrong += std::string(spec.program) + " is in the table, not in the object\n";
  for (const std::string& name : in_object) {
    const auto table = program_table();
    const bool known = std::any_of(table.begin(), table.end(),
                                   [&](const ProgramSpec& s) { return s.program == name; });
    // syscall_leftovers is run by hand and attached to nothing.
    if (!known && name != "syscall_leftovers")
      wrong += name + " is in the object, not in the table\n";
  }
  say(wrong.empty() ? "passed" : "failed", "the table names the programs of the object", wrong);
}

void report(const std::string& name, const std::map<std::string, Outcome>& by_knobs) {
  unsigned most = 0;
  for (const auto& [knobs, outcome] : by_knobs) {
    if (!outcome.loaded) {
      say("failed", name, "refused, for " + knobs + ":\n" + last_lines(outcome.log, 25));
      return;
    }
    most = std::max(most, outcome.instructions);
  }
  const std::string label = name + ", " + std::to_string(most) + " instructions verified";
  if (most > kInstructionBudget)
    say("failed", label, "the budget is " + std::to_string(kInstructionBudget));
  else
    say("passed", label, "");
}

int load_all() {
  libbpf_set_print(remember);
  Result<Features> features = read_features();
  if (!features) {
    std::printf("%s\n", features.error().message.c_str());
    return 1;
  }
  const std::vector<std::string> in_object = programs_of_object();
  check_table(in_object);
  const Plan plan = make_plan(features.value());
  std::vector<std::string> wanted;
  for (const PlannedProgram& p : plan.programs) {
    if (p.enabled)
      wanted.push_back(p.program);
    else
      say("skipped", p.program, "this kernel: " + p.reason);
  }
  std::map<std::string, std::map<std::string, Outcome>> outcomes;
  for (const Knobs& knobs : kKnobs)
    for (auto& [name, outcome] : load_each(wanted, knobs, features.value()))
      outcomes[name][knobs.name] = std::move(outcome);
  for (const std::string& name : wanted) report(name, outcomes[name]);
  return 0;
}

// The smallest tracing program: `return 0` at sys_enter.
int probe() {
  libbpf_set_print(nullptr);
  const int type = libbpf_find_vmlinux_btf_id("sys_enter", BPF_TRACE_RAW_TP);
  if (type <= 0) {
    std::printf("this kernel has no BTF of its tracepoints (CONFIG_DEBUG_INFO_BTF)\n");
    return 1;
  }
  const bpf_insn code[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_RAW_TP,
              .attach_btf_id = static_cast<__u32>(type));
  const int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "probe", "GPL", code, 2, &options);
  if (fd < 0) {
    std::printf("the kernel refuses a tracing program: %s%s\n", std::strerror(errno),
                geteuid() == 0 ? "" : " (run as root)");
    return 1;
  }
  close(fd);
  return 0;
}

}  // namespace
}  // namespace iohops

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--probe") == 0) return iohops::probe();
  return iohops::load_all();
}
