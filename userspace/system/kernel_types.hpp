// KernelTypes: the running kernel's BTF, walked once. Sees the encoding (linux/btf.h), not what
// types mean.
//
// libbpf's own reader copies all 5 MB and is called for each of 100,000 types: 25 ms of a start
// that should take 150. This one maps the kernel's pages where it can (Linux 6.16), and keeps where
// each type begins.
#pragma once

#include <bpf/btf.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace iohops {

class KernelTypes {
 public:
  // kRuntime with the reason: /sys/kernel/btf/vmlinux is not there, or is damaged.
  static Result<KernelTypes> read();

  uint32_t count() const { return static_cast<uint32_t>(types_.size()); }  // id 0 is void
  // nullptr: void, or no such type. As long as this lives.
  const btf_type* type(uint32_t id) const { return id < types_.size() ? types_[id] : nullptr; }
  const char* name(uint32_t offset) const { return offset < names_.size() ? &names_[offset] : "?"; }
  const char* name(const btf_type* type) const { return name(type->name_off); }

 private:
  struct Unmap {
    using pointer = void*;
    void operator()(void* memory) const;
    size_t bytes = 0;
  };
  KernelTypes() = default;
  bool index(const std::byte* data, size_t bytes);

  std::unique_ptr<void, Unmap> mapping_{nullptr, Unmap()};
  std::vector<std::byte> copy_;  // where it cannot be mapped
  std::vector<const btf_type*> types_;
  std::string_view names_;  // each ended by a NUL
};

}  // namespace iohops
