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
#include <set>
#include <string_view>

#include "system/kernel_types.hpp"
#include "system/unique_fd.hpp"

namespace iohops {
namespace {

constexpr std::string_view kTracepoint = "btf_trace_";
constexpr int kMaxDepth = 16;  // of pointers and qualifiers in one type

// A type as C writes it. Typedefs keep their name.
std::string type_name(const KernelTypes& types, uint32_t id, int depth = 0) {
  const btf_type* type = types.type(id);
  if (id == 0) return "void";
  if (!type || depth > kMaxDepth) return "?";
  const std::string own = types.name(type);
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

std::vector<std::string> arguments_of(const KernelTypes& types, uint32_t id, int from) {
  std::vector<std::string> arguments;
  const btf_type* prototype = types.type(id);
  if (!prototype || !btf_is_func_proto(prototype)) return arguments;
  const btf_param* parameters = btf_params(prototype);
  for (int i = from; i < btf_vlen(prototype); ++i)
    arguments.push_back(type_name(types, parameters[i].type));
  return arguments;
}

// btf_trace_NAME is a typedef of a pointer to the probe's prototype: void (*)(void *data, ...).
void read_tracepoint(const KernelTypes& types, const btf_type* type, std::string_view name,
                     Features& features) {
  const btf_type* pointer = types.type(type->type);
  if (!pointer || !btf_is_ptr(pointer)) return;
  const btf_type* prototype = types.type(pointer->type);
  if (!prototype || !btf_is_func_proto(prototype)) return;
  features.tracepoints[std::string(name.substr(kTracepoint.size()))] =
      arguments_of(types, pointer->type, 1);
}

// Enumerators "PREFIXname" as REPLACEMENTname.
void read_enum(const KernelTypes& types, const btf_type* type, std::string_view prefix,
               std::string_view replacement, std::set<std::string>& names) {
  const struct btf_enum* values = btf_enum(type);
  for (int i = 0; i < btf_vlen(type); ++i) {
    const std::string_view name = types.name(values[i].name_off);
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
std::string try_fexit(uint32_t id) {
  if (id == 0) return "this kernel has no function to try fexit programs on";
  const bpf_insn code[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FEXIT,
              .attach_btf_id = id);
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

Error no_btf(const Error& why) {
  return {ErrorKind::kKernel,
          "cannot trace: the kernel gives no type information (" + why.message +
              "). It must be built with CONFIG_DEBUG_INFO_BTF=y; the kernels of Debian 11, Ubuntu "
              "20.10, Fedora 31, RHEL 8.2 and later are"};
}

// What the walk over all types finds besides the features.
struct Findings {
  uint32_t fexit_trial = 0;  // id of the function to try fexit on, 0: none
  // Where tracepoints are guarded by an SRCU of their own, of the fast kind, programs on them can
  // be preempted (7.2 and 7.3; up to 6.12 the SRCU was of the slow kind, 6.16 and 6.18 have none).
  bool own_srcu = false, fast_srcu = false;
};

void read_enums(const KernelTypes& types, const btf_type* type, std::string_view name,
                Features& features) {
  if (name == "bpf_func_id")
    read_enum(types, type, "BPF_FUNC_", "bpf_", features.helpers);
  else if (name == "bpf_map_type")
    read_enum(types, type, "BPF_MAP_TYPE_", "BPF_MAP_TYPE_", features.map_types);
  else if (name == "bpf_prog_type")
    read_enum(types, type, "BPF_PROG_TYPE_", "BPF_PROG_TYPE_", features.program_types);
}

void read_function(const KernelTypes& types, uint32_t id, std::string_view name,
                   const std::set<std::string_view>& hooked, Features& features, Findings& found) {
  const btf_type* type = types.type(id);
  // kfuncs, which are in no enum, and how hash maps take memory since 6.1
  if (name == "bpf_rdonly_cast" || name == "bpf_preempt_disable" || name == "bpf_mem_alloc_init")
    features.helpers.emplace(name);
  else if (name == "bpf_fentry_test1")
    found.fexit_trial = id;
  else if (hooked.contains(name))
    features.functions[std::string(name)] = arguments_of(types, type->type, 0);
}

Findings walk(const KernelTypes& types, Features& features) {
  Findings found;
  const std::set<std::string_view> hooked = hooked_functions();
  for (uint32_t id = 1; id < types.count(); ++id) {
    const btf_type* type = types.type(id);
    const char* name = types.name(type);
    switch (btf_kind(type)) {  // most are none of these, or named otherwise
      case BTF_KIND_TYPEDEF:
        if (*name == 'b' && std::string_view(name).starts_with(kTracepoint))
          read_tracepoint(types, type, name, features);
        break;
      case BTF_KIND_FUNC:
        read_function(types, id, name, hooked, features, found);
        break;
      case BTF_KIND_VAR:
        found.own_srcu = found.own_srcu || std::strcmp(name, "tracepoint_srcu_srcu_data") == 0;
        break;
      case BTF_KIND_STRUCT:
        found.fast_srcu = found.fast_srcu || std::strcmp(name, "srcu_ctr") == 0;
        break;
      case BTF_KIND_ENUM:
        read_enums(types, type, name, features);
        break;
      default:
        break;
    }
  }
  return found;
}

}  // namespace

Result<Features> read_features(CopyHooks copies) {
  const Result<KernelTypes> types = KernelTypes::read();
  if (!types) return no_btf(types.error());
  Features features;
  utsname names = {};
  if (uname(&names) == 0) features.machine = names.machine;
  const Findings found = walk(*types, features);
  // It costs 25 ns a program.
  if (!found.own_srcu || !found.fast_srcu) features.helpers.erase("bpf_preempt_disable");
  if (copies == CopyHooks::kNone) {
    features.fentry_refused = "derived copies were asked for";
    return features;
  }
  features.fentry_refused =
      copies == CopyHooks::kKprobe ? "kprobes were asked for" : try_fexit(found.fexit_trial);
  // The symbol table has 200,000 lines: it is read only where fexit does not do.
  if (!features.fentry_refused.empty() || features.functions.empty() ||
      !features.helpers.contains("bpf_get_func_ret")) {
    features.kprobes_refused = copies == CopyHooks::kFexit ? "fexit was asked for" : find_kprobes();
    if (features.kprobes_refused.empty()) features.symbols = find_symbols(hooked_functions());
  }
  return features;
}

}  // namespace iohops
