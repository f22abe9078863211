// Ranges of bytes, compared with a byte by byte account of the same.
#include "core/rebuild/ranges.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace iohops {
namespace {

constexpr uint64_t kBytes = 4000;

// Whose each byte is; 0: nobody's.
using Account = std::vector<int>;

void expect_account(BoundedRanges<int>& ranges, uint32_t cache, const Account& account) {
  Account seen(kBytes);
  uint64_t last = 0;
  const auto& map = ranges.of(cache);
  for (auto at = map.first_behind(0); !map.is_end(at); at = map.next(at)) {
    const auto& [range, aged] = map[at];
    ASSERT_LE(last, range.begin) << "they are in order and do not overlap";
    ASSERT_LT(range.begin, range.end);
    last = range.end;
    std::fill(seen.begin() + static_cast<std::ptrdiff_t>(range.begin),
              seen.begin() + static_cast<std::ptrdiff_t>(range.end), aged.value);
  }
  ASSERT_EQ(seen, account);
}

TEST(Ranges, random_ones_are_as_a_byte_by_byte_account_has_them) {
  std::mt19937 random(7);
  BoundedRanges<int> ranges(100'000);
  Account accounts[2] = {Account(kBytes), Account(kBytes)};
  for (int step = 1; step < 6000; ++step) {
    const uint32_t cache = random() % 2;
    Account& account = accounts[cache];
    // Small ones, so that there are many chunks of them; at times one that takes all.
    const uint64_t begin = random() % kBytes;
    const uint64_t end =
        std::min<uint64_t>(kBytes, begin + 1 + random() % (step % 500 == 0 ? kBytes : 8));
    const int parity = static_cast<int>(random() % 2);
    const bool all = step % 3 != 0;
    uint64_t taken = 0, expected = 0;
    ranges.take(
        cache, {begin, end}, [&](int value) { return all || value % 2 == parity; },
        [&](ByteRange part, int value) {
          taken += part.end - part.begin;
          for (uint64_t i = part.begin; i < part.end; ++i) ASSERT_EQ(account[i], value);
        });
    for (uint64_t i = begin; i < end; ++i) {
      if (account[i] == 0 || (!all && account[i] % 2 != parity)) continue;
      ++expected;
      account[i] = 0;
    }
    ASSERT_EQ(taken, expected);
    if (all) {
      ranges.insert(cache, {begin, end}, step);
      std::fill(account.begin() + static_cast<std::ptrdiff_t>(begin),
                account.begin() + static_cast<std::ptrdiff_t>(end), step);
    }
    ranges.bound();
    if (step % 50 == 0) expect_account(ranges, cache, account);
  }
  const auto mine = [](const Account& account) {
    return static_cast<uint64_t>(
        std::count_if(account.begin(), account.end(), [](int value) { return value != 0; }));
  };
  EXPECT_EQ(ranges.bytes(), mine(accounts[0]) + mine(accounts[1]));
  EXPECT_EQ(ranges.forgotten(), 0u);
}

TEST(Ranges, the_oldest_are_forgotten_beyond_the_limit) {
  BoundedRanges<int> ranges(100);
  for (int i = 0; i < 1000; ++i) {
    ranges.insert(static_cast<uint32_t>(i % 3),
                  {static_cast<uint64_t>(i) * 10, static_cast<uint64_t>(i) * 10 + 4}, i);
    ranges.bound();
  }
  EXPECT_EQ(ranges.count(), 100u);
  EXPECT_EQ(ranges.forgotten(), 900u);
  EXPECT_EQ(ranges.bytes(), 400u);
  for (uint32_t cache = 0; cache < 3; ++cache) {
    const auto& map = ranges.of(cache);
    for (auto at = map.first_behind(0); !map.is_end(at); at = map.next(at))
      EXPECT_GE(map[at].value.value, 900);
  }
}

TEST(Ranges, one_that_is_written_again_and_again_takes_no_more_memory) {
  BoundedRanges<int> ranges(1 << 20);
  for (int i = 0; i < 100'000; ++i) {
    ranges.take(
        0, {0, 4096}, [](int) { return true; }, [](ByteRange, int) {});
    ranges.insert(0, {0, 4096}, i);
    ranges.bound();
    ASSERT_LE(ranges.remembered_ages(), 1026u);
  }
  EXPECT_EQ(ranges.count(), 1u);
}

}  // namespace
}  // namespace iohops
