// Random bytes from the kernel, for keys.
#pragma once

#include <array>
#include <cstddef>

#include "core/result.hpp"

namespace iohops {

Status fill_random(unsigned char* into, size_t bytes);

template <size_t N>
Result<std::array<unsigned char, N>> random_bytes() {
  std::array<unsigned char, N> bytes{};
  if (Status filled = fill_random(bytes.data(), N); !filled) return filled.error();
  return bytes;
}

}  // namespace iohops
