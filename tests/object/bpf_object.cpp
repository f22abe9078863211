#include "bpf_object.hpp"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <string_view>

#include "iohops.skel.h"

namespace iohops {
namespace {

std::string g_messages;
int remember(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  char line[4096];
  std::vsnprintf(line, sizeof line, format, arguments);
  g_messages += line;
  return 0;
}

// Where the section .rodata keeps a variable.
struct Place {
  size_t offset = 0, bytes = 0;
};
Place find_constant(const btf* types, std::string_view wanted) {
  const int section = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  if (section < 0) return {};
  const btf_type* type = btf__type_by_id(types, static_cast<unsigned>(section));
  const btf_var_secinfo* entry = btf_var_secinfos(type);
  for (int i = 0; i < btf_vlen(type); ++i) {
    const btf_type* variable = btf__type_by_id(types, entry[i].type);
    if (wanted == btf__name_by_offset(types, variable->name_off))
      return {entry[i].offset, entry[i].size};
  }
  return {};
}

bpf_map* find_rodata(bpf_object* object) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__is_internal(map) && std::string_view(bpf_map__name(map)).ends_with(".rodata"))
      return map;
  }
  return nullptr;
}

}  // namespace

BpfObject::BpfObject(const std::string& path, Types types) {
  libbpf_set_print(remember);
  std::string elf;
  if (path.empty()) {
    size_t bytes = 0;
    const void* carried = iohops_bpf__elf_bytes(&bytes);
    elf.assign(static_cast<const char*>(carried), bytes);
  } else {
    std::ifstream file(path, std::ios::binary);
    elf.assign(std::istreambuf_iterator<char>(file), {});
  }
  const Result<KernelTypes> kernel = KernelTypes::read();
  if (types == Types::kExtract && kernel) {
    auto extract = TypesFile::create();
    if (!extract || !extract->fill(*kernel, std::as_bytes(std::span(elf)))) return;
    types_ = std::move(*extract);
  }
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "iohops_bpf",
              .btf_custom_path = types_ ? types_->path() : nullptr);
  object_ = bpf_object__open_mem(elf.data(), elf.size(), &options);
}

BpfObject::~BpfObject() { bpf_object__close(object_); }

std::vector<std::string> BpfObject::programs() const {
  std::vector<std::string> names;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_) names.emplace_back(bpf_program__name(program));
  return names;
}

bool BpfObject::set_bytes(const char* name, const void* value, size_t bytes) {
  const Place place = find_constant(bpf_object__btf(object_), name);
  bpf_map* rodata = find_rodata(object_);
  size_t room = 0;
  const void* initial = rodata == nullptr ? nullptr : bpf_map__initial_value(rodata, &room);
  if (initial == nullptr || place.bytes != bytes || place.offset + bytes > room) return false;
  std::vector<char> image(static_cast<const char*>(initial),
                          static_cast<const char*>(initial) + room);
  std::memcpy(image.data() + place.offset, value, bytes);
  return bpf_map__set_initial_value(rodata, image.data(), room) == 0;
}

std::map<std::string, Outcome> BpfObject::load(const std::vector<std::string>& wanted) {
  std::map<std::string, std::vector<char>> logs;
  for (const std::string& name : wanted) {
    bpf_program* program = bpf_object__find_program_by_name(object_, name.c_str());
    if (program == nullptr) continue;
    bpf_program__set_autoload(program, true);
    std::vector<char>& log = logs[name];
    log.resize(1 << 20);
    bpf_program__set_log_level(program, 4);  // statistics only
    bpf_program__set_log_buf(program, log.data(), log.size());
  }
  g_messages.clear();
  const bool all = bpf_object__load(object_) == 0;
  std::map<std::string, Outcome> outcomes;
  for (const auto& [name, log] : logs) {
    Outcome& outcome = outcomes[name];
    outcome.loaded = all;
    outcome.log = std::string(log.data()) + g_messages;
    if (const char* processed = std::strstr(log.data(), "processed "); processed != nullptr)
      std::sscanf(processed, "processed %u insns", &outcome.instructions);
  }
  return outcomes;
}

std::vector<bpf_insn> BpfObject::instructions(const std::string& name) const {
  const bpf_program* program = bpf_object__find_program_by_name(object_, name.c_str());
  if (program == nullptr) return {};
  const bpf_insn* first = bpf_program__insns(program);
  std::vector<bpf_insn> code(first, first + bpf_program__insn_cnt(program));
  for (bpf_insn& instruction : code)
    if (instruction.code == (BPF_LD | BPF_IMM | BPF_DW) && instruction.src_reg != 0)
      instruction.imm = 0;
  return code;
}

}  // namespace iohops
