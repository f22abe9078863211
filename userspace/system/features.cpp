#include "system/features.hpp"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

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

// btf_trace_NAME is a typedef of a pointer to the probe's prototype: void (*)(void *data, ...).
void read_tracepoint(const btf* types, const btf_type* type, std::string_view name,
                     Features& features) {
  const btf_type* pointer = btf__type_by_id(types, type->type);
  if (!pointer || !btf_is_ptr(pointer)) return;
  const btf_type* prototype = btf__type_by_id(types, pointer->type);
  if (!prototype || !btf_is_func_proto(prototype)) return;
  std::vector<std::string> arguments;
  const btf_param* parameters = btf_params(prototype);
  for (int i = 1; i < btf_vlen(prototype); ++i)
    arguments.push_back(type_name(types, parameters[i].type));
  features.tracepoints[std::string(name.substr(kTracepoint.size()))] = std::move(arguments);
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

Error no_btf(int error) {
  return {ErrorKind::kKernel,
          std::string("cannot trace: the kernel gives no type information "
                      "(/sys/kernel/btf/vmlinux: ") +
              std::strerror(error) +
              "). It must be built with CONFIG_DEBUG_INFO_BTF=y; the kernels of Debian 11, Ubuntu "
              "20.10, Fedora 31, RHEL 8.2 and later are"};
}

}  // namespace

Result<Features> read_features() {
  const libbpf_print_fn_t print = libbpf_set_print(nullptr);
  const Btf types(btf__load_vmlinux_btf());
  const int error = errno;
  libbpf_set_print(print);
  if (!types) return no_btf(error);

  Features features;
  utsname names = {};
  if (uname(&names) == 0) features.machine = names.machine;
  const uint32_t count = btf__type_cnt(types.get());
  for (uint32_t id = 1; id < count; ++id) {
    const btf_type* type = btf__type_by_id(types.get(), id);
    const std::string_view name = btf__name_by_offset(types.get(), type->name_off);
    if (btf_is_typedef(type) && name.substr(0, kTracepoint.size()) == kTracepoint)
      read_tracepoint(types.get(), type, name, features);
    else if (btf_is_func(type) && name == "bpf_rdonly_cast")  // a kfunc, not in an enum
      features.helpers.emplace(name);
    else if (!btf_is_enum(type))
      continue;
    else if (name == "bpf_func_id")
      read_enum(types.get(), type, "BPF_FUNC_", "bpf_", features.helpers);
    else if (name == "bpf_map_type")
      read_enum(types.get(), type, "BPF_MAP_TYPE_", "BPF_MAP_TYPE_", features.map_types);
    else if (name == "bpf_prog_type")
      read_enum(types.get(), type, "BPF_PROG_TYPE_", "BPF_PROG_TYPE_", features.program_types);
  }
  return features;
}

}  // namespace iohops
