// KernelTypes: the running kernel's BTF, or a module's, walked once. Sees the encoding
// (linux/btf.h), not what types mean.
//
// libbpf's own reader copies all 5 MB and is called for each of 100,000 types: 25 ms of a start
// that takes 90. This one maps the kernel's pages where it can (Linux 6.16), and keeps where
// each type begins.
#pragma once

#include <bpf/btf.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace iohops {

// Bytes that follow the head of a type. Documentation/bpf/btf.rst
size_t tail_of(const btf_type* type);

class KernelTypes {
 public:
  // kRuntime with the reason: /sys/kernel/btf/vmlinux is not there, or is damaged.
  static Result<KernelTypes> read();
  // What only the module has: its types and names count on from those of `kernel`, which must stay
  // where it is.
  static Result<KernelTypes> read_module(const std::string& module, const KernelTypes& kernel);
  static Result<KernelTypes> parse(std::vector<std::byte> image,
                                   const KernelTypes* kernel = nullptr);

  uint32_t first() const { return base_ ? base_->count() : 0; }
  uint32_t count() const { return first() + static_cast<uint32_t>(types_.size()); }  // id 0 is void
  // nullptr: void, or no such type. As long as this lives.
  const btf_type* type(uint32_t id) const {
    if (id < first()) return base_->type(id);
    return id < count() ? types_[id - first()] : nullptr;
  }
  const char* name(uint32_t offset) const {
    const size_t before = base_ ? base_->names_.size() : 0;
    if (offset < before) return base_->name(offset);
    return offset - before < names_.size() ? &names_[offset - before] : "?";
  }
  const char* name(const btf_type* type) const { return name(type->name_off); }

 private:
  struct Unmap {
    using pointer = void*;
    void operator()(void* memory) const;
    size_t bytes = 0;
  };
  KernelTypes() = default;
  static Result<KernelTypes> open(const std::string& path, const KernelTypes* base);
  bool index(const std::byte* data, size_t bytes);

  std::unique_ptr<void, Unmap> mapping_{nullptr, Unmap()};
  std::vector<std::byte> copy_;  // where it cannot be mapped
  std::vector<const btf_type*> types_;
  std::string_view names_;  // each ended by a NUL
  const KernelTypes* base_ = nullptr;
};

}  // namespace iohops
