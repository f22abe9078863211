#include "system/core_relocations.hpp"

#include <bpf/btf.h>
#include <gelf.h>
#include <libelf.h>
#include <linux/bpf.h>

#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

namespace iohops {
namespace {

using Bytes = std::span<const std::byte>;

struct EndElf {
  void operator()(Elf* elf) const { elf_end(elf); }
};
struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

Bytes section(Elf* elf, std::string_view wanted) {
  size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return {};
  for (Elf_Scn* at = elf_nextscn(elf, nullptr); at != nullptr; at = elf_nextscn(elf, at)) {
    GElf_Shdr head;
    if (gelf_getshdr(at, &head) == nullptr) continue;
    const char* name = elf_strptr(elf, names, head.sh_name);
    if (name == nullptr || wanted != name) continue;
    const Elf_Data* data = elf_rawdata(at, nullptr);
    if (data == nullptr || data->d_buf == nullptr) return {};
    return {static_cast<const std::byte*>(data->d_buf), data->d_size};
  }
  return {};
}

template <typename T>
std::optional<T> take(Bytes& from) {
  if (from.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, from.data(), sizeof value);
  from = from.subspan(sizeof value);
  return value;
}

// The head of .BTF.ext; its offsets count from its end.
struct ExtendedHead {
  uint16_t magic;
  uint8_t version, flags;
  uint32_t bytes;
  uint32_t functions_at, functions_bytes, lines_at, lines_bytes;
  uint32_t relocations_at, relocations_bytes;
};

// Empty: there are none.
std::optional<Bytes> relocations_of(Bytes extended) {
  Bytes rest = extended;
  const auto head = take<ExtendedHead>(rest);
  if (!head || head->magic != BTF_MAGIC || head->bytes > extended.size()) return std::nullopt;
  if (head->bytes < sizeof *head) return Bytes();
  rest = extended.subspan(head->bytes);
  if (head->relocations_at > rest.size() ||
      head->relocations_bytes > rest.size() - head->relocations_at)
    return std::nullopt;
  return rest.subspan(head->relocations_at, head->relocations_bytes);
}

// The length of a record, then for each section of code: its name, how many records, the records.
template <typename F>
bool for_each_relocation(Bytes all, F&& f) {
  if (all.empty()) return true;
  const auto stride = take<uint32_t>(all);
  if (!stride || *stride < sizeof(bpf_core_relo)) return false;
  while (!all.empty()) {
    const auto name = take<uint32_t>(all), count = take<uint32_t>(all);
    if (!name || !count || *count > all.size() / *stride) return false;
    for (uint32_t i = 0; i < *count; ++i, all = all.subspan(*stride)) {
      Bytes record = all.first(*stride);
      f(*take<bpf_core_relo>(record));
    }
  }
  return true;
}

Error damaged() { return {ErrorKind::kDamaged, "the BPF object's type information is damaged"}; }

}  // namespace

size_t essential_length(std::string_view name) {
  for (size_t at = name.size(); at-- > 1;) {
    if (at + 3 >= name.size()) continue;
    if (name.substr(at, 3) == "___" && name[at - 1] != '_' && name[at + 3] != '_') return at;
  }
  return name.size();
}

Result<std::vector<SoughtType>> sought_types(Bytes image) {
  elf_version(EV_CURRENT);
  auto* start = reinterpret_cast<char*>(const_cast<std::byte*>(image.data()));  // is only read
  const std::unique_ptr<Elf, EndElf> elf(elf_memory(start, image.size()));
  if (!elf) return damaged();
  const Bytes plain = section(elf.get(), ".BTF");
  const auto relocations = relocations_of(section(elf.get(), ".BTF.ext"));
  const std::unique_ptr<btf, FreeBtf> types(
      btf__new(plain.data(), static_cast<uint32_t>(plain.size())));
  if (!types || !relocations) return damaged();
  std::set<std::tuple<std::string, uint32_t, bool>> found;
  const bool whole = for_each_relocation(*relocations, [&](const bpf_core_relo& relocation) {
    const btf_type* type = btf__type_by_id(types.get(), relocation.type_id);
    const char* name = type ? btf__name_by_offset(types.get(), type->name_off) : nullptr;
    if (relocation.kind == BPF_CORE_TYPE_ID_LOCAL || name == nullptr || *name == '\0') return;
    const std::string_view whole_name = name;
    found.emplace(whole_name.substr(0, essential_length(whole_name)), btf_kind(type),
                  relocation.kind == BPF_CORE_TYPE_ID_TARGET);
  });
  if (!whole) return damaged();
  std::vector<SoughtType> sought;
  sought.reserve(found.size());
  for (const auto& [name, kind, by_number] : found) sought.push_back({name, kind, by_number});
  return sought;
}

}  // namespace iohops
