#include "core/rebuild/dirty.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace iohops::test {
namespace {

// The interval map against a byte-by-byte model of the same rules.
TEST(DirtyPages, agrees_with_a_model_that_keeps_every_byte) {
  constexpr uint64_t kSmallPage = 8, kBytes = 256;
  DirtyPages dirty(kSmallPage, 1000);
  const uint32_t cache = dirty.add_cache(1, 1, 1);
  std::vector<uint64_t> owner(kBytes, 0);
  uint64_t seed = 12345, absorbed = 0;
  const auto random = [&seed](uint64_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
  };
  for (uint64_t step = 1; step < 3000; step++) {
    if (random(4) > 0) {
      const uint64_t begin = random(kBytes - 1), end = begin + 1 + random(kBytes - begin);
      for (uint64_t i = begin; i < std::min(end, kBytes); i++) {
        absorbed += owner[i] != 0;
        owner[i] = step;
      }
      dirty.write(cache, {begin, std::min(end, kBytes)}, {{1, step}, step, step});
    } else {
      const uint64_t first = random(kBytes / kSmallPage), last = first + 1 + random(4);
      const ByteRange pages{first * kSmallPage, std::min(last * kSmallPage, kBytes)};
      dirty.clean(cache, pages, step);
      uint64_t sum = 0, clean_pages = 0;
      for (const auto& cleaned : dirty.cleaned()) sum += cleaned.bytes;
      for (const auto& rest : dirty.leftover()) sum += rest.end - rest.begin;
      EXPECT_EQ(sum, pages.end - pages.begin);
      for (uint64_t page = pages.begin; page < pages.end; page += kSmallPage) {
        bool dirty_page = false;
        for (uint64_t i = page; i < page + kSmallPage; i++) dirty_page |= owner[i] != 0;
        clean_pages += !dirty_page;
      }
      uint64_t leftover = 0;
      for (const auto& rest : dirty.leftover()) leftover += rest.end - rest.begin;
      EXPECT_EQ(leftover, clean_pages * kSmallPage);
      for (uint64_t i = pages.begin; i < pages.end; i++) owner[i] = 0;
    }
    const auto pending = static_cast<uint64_t>(
        std::count_if(owner.begin(), owner.end(), [](uint64_t o) { return o != 0; }));
    ASSERT_EQ(dirty.pending_bytes(), pending) << "after step " << step;
    ASSERT_EQ(dirty.absorbed_bytes(), absorbed) << "after step " << step;
  }
}

}  // namespace
}  // namespace iohops::test
