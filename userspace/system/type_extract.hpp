// Of the kernel's types, those that a BPF object's relocations can meet: what they look for by
// name, and what that holds by value.
//
// libbpf compares each type that an object relocates with all 100,000 of the kernel, and what it
// does not find there with those of all modules: 60 ms of a start. Among 2,000 it takes 1.
// Relocations come out the same (`make object` compares the instructions): no type of a sought name
// is missing, none differs in what is compared or measured. Pointers lead nowhere, as CO-RE never
// follows one. A type whose number goes into the program keeps its number.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "system/core_relocations.hpp"
#include "system/kernel_types.hpp"
#include "system/unique_fd.hpp"

namespace iohops {

// BTF. Modules are those that may have what the kernel has not.
std::vector<std::byte> extract_types(const KernelTypes& kernel,
                                     std::span<const KernelTypes* const> modules,
                                     std::span<const SoughtType> sought);

// The extract for an object, as a file that libbpf can be told to read.
class TypesFile {
 public:
  static Result<TypesFile> create();  // empty
  Status fill(const KernelTypes& kernel, std::span<const std::byte> elf);
  const char* path() const { return path_.c_str(); }

 private:
  TypesFile() = default;
  UniqueFd file_;
  std::string path_;
};

}  // namespace iohops
