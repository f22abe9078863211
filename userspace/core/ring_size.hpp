// The sizes that a ring can have: powers of two from a page to 1 GiB.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>

namespace iohops {

inline constexpr uint64_t kSmallestRing = 4096;
inline constexpr uint64_t kLargestRing = uint64_t{1} << 30;

// The smallest ring that holds so many bytes; none does: unset.
inline std::optional<uint64_t> ring_for(uint64_t bytes) {
  if (bytes > kLargestRing) return std::nullopt;
  return std::bit_ceil(bytes < kSmallestRing ? kSmallestRing : bytes);
}

}  // namespace iohops
