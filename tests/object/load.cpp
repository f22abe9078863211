// Loads a BPF object through this kernel's verifier, under every combination of knobs that makes it
// a different program, and counts the instructions that the verifier walked. Attaches nothing.
//
//   load [--budget TABLE] [--clang MAJOR] [OBJECT]
//                   a line `@ passed|failed|skipped NAME` for each program, then its details.
//                   Without OBJECT: the one that iohops carries. MAJOR: the compiler that made it.
//   load --measure [--clang MAJOR] [OBJECT]
//                   PROGRAM, KERNEL/CLANG, instructions: what `make budget` makes the table of
//   load --probe    exit 0 if this process may load tracing programs at all, else the reason
//
// Sees the object, the table of programs and the kernel's features; no record, no session.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bpf_object.hpp"
#include "budget.hpp"
#include "core/plan.hpp"
#include "system/features.hpp"

namespace iohops {
namespace {

constexpr std::array<Knobs, 6> kKnobs = {{
    {"one process", 0, false, false},
    {"several processes, followed", 1, true, false},
    {"everything", 2, false, false},
    {"one process, tallied", 0, false, true},
    {"everything, tallied", 2, false, true},
    {"everything below system calls", 2, false, false, true},
}};

struct Options {
  bool measure = false;
  std::string budget;
  std::string clang = IOHOPS_BPF_CLANG;
  std::string object;  // empty: the one that iohops carries
};

using ByKnobs = std::map<std::string, Outcome>;

std::string last_lines(const std::string& text, size_t count) {
  size_t at = text.size();
  for (size_t i = 0; i <= count && at != std::string::npos && at > 0; ++i)
    at = text.rfind('\n', at - 1);
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

bool set_knobs(BpfObject& object, const Knobs& knobs, const Features& features) {
  const auto has = [&](const char* helper) { return features.helpers.contains(helper); };
  const bool known = object.set("scope", knobs.scope) && object.set("follow", knobs.follow) &&
                     object.set("tally", knobs.tally) && object.set("light", knobs.light) &&
                     object.set("can_see_calls", has("bpf_task_pt_regs")) && object.set("watch_dma", true) &&
                     object.set("measure_copies", true) &&
                     object.set("can_type_task", has("bpf_get_current_task_btf")) &&
                     object.set("can_find_vma", has("bpf_find_vma")) &&
                     object.set("can_cast", has("bpf_rdonly_cast")) &&
                     object.set("word_mask", knobs.scope == 1 ? 0u : 511u) &&
                     object.set("can_hold", has("bpf_preempt_disable"));
  if (!known) std::printf("@ failed the knobs of the object are those of bpf/state.h\n");
  return known;
}

std::map<std::string, Outcome> load(const std::string& path, const std::vector<std::string>& wanted,
                                    const Knobs& knobs, const Features& features) {
  BpfObject object(path);
  if (!object.opened() || !set_knobs(object, knobs, features)) return {};
  return object.load(wanted);
}

void say(const char* outcome, const std::string& name, const std::string& detail) {
  std::printf("@ %s %s\n%s%s", outcome, name.c_str(), detail.c_str(), detail.empty() ? "" : "\n");
}

// Relocations must come out the same however libbpf looks for types.
void compare_relocations(const std::string& path, const std::vector<std::string>& wanted,
                         const Features& features) {
  BpfObject quick(path, BpfObject::Types::kExtract), slow(path, BpfObject::Types::kAll);
  std::string wrong;
  for (BpfObject* object : {&quick, &slow}) {
    if (!object->opened() || !set_knobs(*object, kKnobs[2], features))
      wrong = "it cannot be set up\n";
    object->load(wanted);
  }
  for (const std::string& name : wanted) {
    const auto one = quick.instructions(name), other = slow.instructions(name);
    const auto same = [](const bpf_insn& a, const bpf_insn& b) {
      return std::memcmp(&a, &b, sizeof a) == 0;
    };
    if (one.empty() || !std::equal(one.begin(), one.end(), other.begin(), other.end(), same))
      wrong += name + "'s instructions differ\n";
  }
  say(wrong.empty() ? "passed" : "failed", "the extract of types relocates as all types do", wrong);
}

// All at once, and each by itself only where that fails, to say which.
std::map<std::string, Outcome> load_each(const std::string& path,
                                         const std::vector<std::string>& wanted, const Knobs& knobs,
                                         const Features& features) {
  std::map<std::string, Outcome> together = load(path, wanted, knobs, features);
  if (!together.empty() && together.begin()->second.loaded) return together;
  std::map<std::string, Outcome> single;
  for (const std::string& name : wanted) single.merge(load(path, {name}, knobs, features));
  return single;
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
    if (!known) wrong += name + " is in the object, not in the table\n";
  }
  say(wrong.empty() ? "passed" : "failed", "the table names the programs of the object", wrong);
}

bool all_loaded(const ByKnobs& by_knobs) {
  return !by_knobs.empty() && std::all_of(by_knobs.begin(), by_knobs.end(),
                                          [](const auto& each) { return each.second.loaded; });
}

unsigned most_instructions(const ByKnobs& by_knobs) {
  unsigned most = 0;
  for (const auto& [knobs, outcome] : by_knobs) most = std::max(most, outcome.instructions);
  return most;
}

void judge(const std::string& name, const ByKnobs& by_knobs, const Budget& budget,
           const std::string& column) {
  for (const auto& [knobs, outcome] : by_knobs) {
    if (outcome.loaded) continue;
    say("failed", name, "refused, for " + knobs + ":\n" + last_lines(outcome.log, 25));
    return;
  }
  if (by_knobs.empty()) {
    say("failed", name, "was not loaded at all");
    return;
  }
  const unsigned most = most_instructions(by_knobs);
  const std::string objection = budget.objection(name, column, most);
  say(objection.empty() ? "passed" : "failed",
      name + ", " + std::to_string(most) + " instructions verified", objection);
}

int load_all(const Options& options) {
  Result<Features> features = read_features();
  if (!features) {
    std::printf("%s\n", features.error().message.c_str());
    return 1;
  }
  const BpfObject object(options.object);
  if (!object.opened()) {
    std::printf("cannot open %s: %s\n", options.object.c_str(), std::strerror(errno));
    return 1;
  }
  if (!options.measure) check_table(object.programs());
  std::vector<std::string> wanted;
  for (const PlannedProgram& p : make_plan(*features).programs) {
    // What another stands in for must load as well, if nothing is in its way.
    if (p.reason.empty())
      wanted.push_back(p.program);
    else if (!options.measure)
      say("skipped", p.program, "this kernel: " + p.reason);
  }
  if (!options.measure) compare_relocations(options.object, wanted, *features);
  std::map<std::string, ByKnobs> outcomes;
  for (const Knobs& knobs : kKnobs)
    for (auto& [name, outcome] : load_each(options.object, wanted, knobs, *features))
      outcomes[name][knobs.name] = std::move(outcome);
  const std::string column = kernel_name() + "/" + options.clang;
  const Budget budget = Budget::read(options.budget);
  bool measured = true;
  for (const std::string& name : wanted) {
    if (!options.measure)
      judge(name, outcomes[name], budget, column);
    else if (all_loaded(outcomes[name]))
      std::printf("%s\t%s\t%u\n", name.c_str(), column.c_str(), most_instructions(outcomes[name]));
    else
      measured = false,
      std::printf("%s is refused here: run load without --measure\n", name.c_str());
  }
  return measured ? 0 : 1;
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

int usage() {
  std::printf("load [--measure] [--budget TABLE] [--clang MAJOR] [OBJECT] | --probe\n");
  return 2;
}

}  // namespace
}  // namespace iohops

int main(int argc, char** argv) {
  iohops::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--probe") return iohops::probe();
    if (word == "--measure")
      options.measure = true;
    else if (word == "--budget" && i + 1 < argc)
      options.budget = argv[++i];
    else if (word == "--clang" && i + 1 < argc)
      options.clang = argv[++i];
    else if (!word.starts_with('-'))
      options.object = word;
    else
      return iohops::usage();
  }
  return iohops::load_all(options);
}
