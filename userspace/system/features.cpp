#include "system/features.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <set>
#include <string_view>

#include "system/unique_fd.hpp"

namespace iohops {
namespace {

struct BtfFree {
  void operator()(btf* b) const { btf__free(b); }
};
using Btf = std::unique_ptr<btf, BtfFree>;

constexpr std::string_view kTracepoint = "btf_trace_";
constexpr int kMaxDepth = 16;  // of pointers and qualifiers in one type

// A type as C writes it. Typedefs keep their name.
std::string type_name(const btf* types, uint32_t id, int depth = 0) {
  const btf_type* type = btf__type_by_id(types, id);
  if (id == 0) return "void";
  if (!type || depth > kMaxDepth) return "?";
  const std::string own = btf__name_by_offset(types, type->name_off);
  switch (btf_kind(type)) {
    case BTF_KIND_PTR: {
      const std::string to = type_name(types, type->type, depth + 1);
      return to + (to.back() == '*' ? "*" : " *");
    }
    case BTF_KIND_CONST:
      return "const " + type_name(types, type->type, depth + 1);
    case BTF_KIND_VOLATILE:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_TYPE_TAG:
      return type_name(types, type->type, depth + 1);
    case BTF_KIND_STRUCT:
      return "struct " + own;
    case BTF_KIND_UNION:
      return "union " + own;
    case BTF_KIND_FWD:
      return (btf_kflag(type) ? "union " : "struct ") + own;
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
      return "enum " + own;
    case BTF_KIND_INT: {
      if (own == "_Bool") return "bool";
      // clang and gcc write it differently.
      return own == "long unsigned int" ? "unsigned long" : own == "long int" ? "long" : own;
    }
    default:
      return own.empty() ? "?" : own;
  }
}

std::vector<std::string> arguments_of(const btf* types, uint32_t id, int from) {
  std::vector<std::string> arguments;
  const btf_type* prototype = btf__type_by_id(types, id);
  if (!prototype || !btf_is_func_proto(prototype)) return arguments;
  const btf_param* parameters = btf_params(prototype);
  for (int i = from; i < btf_vlen(prototype); ++i)
    arguments.push_back(type_name(types, parameters[i].type));
  return arguments;
}

// btf_trace_NAME is a typedef of a pointer to the probe's prototype: void (*)(void *data, ...).
void read_tracepoint(const btf* types, const btf_type* type, std::string_view name,
                     Features& features) {
  const btf_type* pointer = btf__type_by_id(types, type->type);
  if (!pointer || !btf_is_ptr(pointer)) return;
  const btf_type* prototype = btf__type_by_id(types, pointer->type);
  if (!prototype || !btf_is_func_proto(prototype)) return;
  features.tracepoints[std::string(name.substr(kTracepoint.size()))] =
      arguments_of(types, pointer->type, 1);
}

// Enumerators "PREFIXname" as REPLACEMENTname.
void read_enum(const btf* types, const btf_type* type, std::string_view prefix,
               std::string_view replacement, std::set<std::string>& names) {
  const struct btf_enum* values = btf_enum(type);
  for (int i = 0; i < btf_vlen(type); ++i) {
    const std::string_view name = btf__name_by_offset(types, values[i].name_off);
    if (name.substr(0, prefix.size()) == prefix)
      names.insert(std::string(replacement).append(name.substr(prefix.size())));
  }
}

std::set<std::string_view> hooked_functions() {
  std::set<std::string_view> names;
  for (const ProgramSpec& spec : program_table())
    if (spec.attach >= Attach::kFunction) names.insert(spec.tracepoint);
  return names;
}

// Loads and attaches `return 0` to the exit of a function that the kernel has for such trials. The
// load alone proves nothing: arm64 refuses the attachment before 6.0.
std::string try_fexit(const btf* types) {
  const int id = btf__find_by_name_kind(types, "bpf_fentry_test1", BTF_KIND_FUNC);
  if (id < 0) return "this kernel has no function to try fexit programs on";
  const bpf_insn code[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FEXIT,
              .attach_btf_id = static_cast<__u32>(id));
  const UniqueFd program(
      bpf_prog_load(BPF_PROG_TYPE_TRACING, "iohops_trial", "GPL", code, 2, &options));
  if (!program) return std::string("fexit programs are refused: ") + std::strerror(errno);
  const UniqueFd link(bpf_raw_tracepoint_open(nullptr, program.get()));
  if (!link) return std::string("fexit programs cannot be attached: ") + std::strerror(errno);
  return "";
}

std::string find_kprobes() {
  return access("/sys/bus/event_source/devices/kprobe/type", R_OK) == 0
             ? ""
             : "this kernel has no kprobes";
}

std::set<std::string> find_symbols(const std::set<std::string_view>& wanted) {
  std::set<std::string> found;
  std::ifstream table("/proc/kallsyms");
  std::string line;
  while (std::getline(table, line)) {
    const size_t begin = line.find(' ', line.find(' ') + 1) + 1;
    const std::string_view symbol = std::string_view(line).substr(begin);
    const auto known = wanted.find(symbol.substr(0, symbol.find_first_of(" \t")));
    if (known != wanted.end()) found.emplace(*known);
  }
  return found;
}

Error no_btf(int error) {
  return {ErrorKind::kKernel,
          std::string("cannot trace: the kernel gives no type information "
                      "(/sys/kernel/btf/vmlinux: ") +
              std::strerror(error) +
              "). It must be built with CONFIG_DEBUG_INFO_BTF=y; the kernels of Debian 11, Ubuntu "
              "20.10, Fedora 31, RHEL 8.2 and later are"};
}

}  // namespace

Result<Features> read_features(CopyHooks copies) {
  const libbpf_print_fn_t print = libbpf_set_print(nullptr);
  const Btf types(btf__load_vmlinux_btf());
  const int error = errno;
  libbpf_set_print(print);
  if (!types) return no_btf(error);

  Features features;
  utsname names = {};
  if (uname(&names) == 0) features.machine = names.machine;
  const std::set<std::string_view> hooked = hooked_functions();
  const uint32_t count = btf__type_cnt(types.get());
  // Where tracepoints are guarded by an SRCU of their own, of the fast kind, programs on them can be
  // preempted (7.2 and 7.3; up to 6.12 the SRCU was of the slow kind, 6.16 and 6.18 have none).
  bool own_srcu = false, fast_srcu = false;
  for (uint32_t id = 1; id < count; ++id) {
    const btf_type* type = btf__type_by_id(types.get(), id);
    const std::string_view name = btf__name_by_offset(types.get(), type->name_off);
    if (btf_is_typedef(type) && name.substr(0, kTracepoint.size()) == kTracepoint)
      read_tracepoint(types.get(), type, name, features);
    else if (btf_is_func(type) && (name == "bpf_rdonly_cast" || name == "bpf_preempt_disable"))  // a kfunc, not in an enum
      features.helpers.emplace(name);
    else if (btf_is_func(type) && hooked.contains(name))
      features.functions[std::string(name)] = arguments_of(types.get(), type->type, 0);
    else if (btf_is_var(type) && name == "tracepoint_srcu_srcu_data")
      own_srcu = true;
    else if (btf_is_struct(type) && name == "srcu_ctr")
      fast_srcu = true;
    else if (!btf_is_enum(type))
      continue;
    else if (name == "bpf_func_id")
      read_enum(types.get(), type, "BPF_FUNC_", "bpf_", features.helpers);
    else if (name == "bpf_map_type")
      read_enum(types.get(), type, "BPF_MAP_TYPE_", "BPF_MAP_TYPE_", features.map_types);
    else if (name == "bpf_prog_type")
      read_enum(types.get(), type, "BPF_PROG_TYPE_", "BPF_PROG_TYPE_", features.program_types);
  }
  if (!own_srcu || !fast_srcu) features.helpers.erase("bpf_preempt_disable");  // it costs 25 ns a program
  if (copies == CopyHooks::kNone) {
    features.fentry_refused = "derived copies were asked for";
    return features;
  }
  features.fentry_refused =
      copies == CopyHooks::kKprobe ? "kprobes were asked for" : try_fexit(types.get());
  // The symbol table has 200,000 lines: it is read only where fexit does not do.
  if (!features.fentry_refused.empty() || features.functions.empty() ||
      !features.helpers.contains("bpf_get_func_ret")) {
    features.kprobes_refused = copies == CopyHooks::kFexit ? "fexit was asked for" : find_kprobes();
    if (features.kprobes_refused.empty()) features.symbols = find_symbols(hooked);
  }
  return features;
}

}  // namespace iohops
