// What the relocations of a BPF object (CO-RE) look for among the kernel's types. Sees the object's
// sections .BTF and .BTF.ext; no kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace iohops {

struct SoughtType {
  std::string name;        // without what follows `___`
  uint32_t kind = 0;       // BTF_KIND_*
  bool by_number = false;  // its number itself goes into the program
};

// Each once.
Result<std::vector<SoughtType>> sought_types(std::span<const std::byte> elf);

// How much of a type's name counts: a flavour, `struct request___pre_5_17`, stands for struct
// request. As in libbpf's bpf_core_essential_name_len().
size_t essential_length(std::string_view name);

}  // namespace iohops
