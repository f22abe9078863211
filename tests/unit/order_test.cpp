// The Orderer against a plain stable sort, and its bounds.
#include "core/order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>
#include <vector>

namespace iohops {
namespace {

struct Item {
  uint64_t time;
  uint32_t cpu;
  uint64_t arrival;
  bool operator==(const Item&) const = default;
};

bool push(Orderer& orderer, const Item& item, size_t bytes = 24) {
  std::vector<uint64_t> words(bytes / 8);
  const wire_header header{item.time, 999, static_cast<uint16_t>(bytes), item.cpu};
  std::memcpy(words.data(), &header, sizeof header);
  words[2] = item.arrival;
  return orderer.push(std::as_bytes(std::span(words)), item.cpu);
}

std::vector<Item> release(Orderer& orderer, uint64_t until) {
  std::vector<Item> out;
  const Status status = orderer.release(until, [&](Record record) {
    const auto* header = view<wire_header>(record);
    uint64_t arrival;
    std::memcpy(&arrival, record.data() + 16, sizeof arrival);
    out.push_back({header->time_ns, header->cpu, arrival});
    return Status{};
  });
  EXPECT_TRUE(status);
  return out;
}

TEST(Order, each_ring_is_known_by_what_of_it_waits) {
  Orderer orderer;
  push(orderer, {10, 0, 0}, 24);
  push(orderer, {20, 1, 0}, 48);
  push(orderer, {30, 0, 0}, 64);
  EXPECT_EQ(orderer.bytes_of(0), 88u);
  EXPECT_EQ(orderer.bytes_of(1), 48u);
  release(orderer, 20);
  EXPECT_EQ(orderer.bytes_of(0), 64u);
  EXPECT_EQ(orderer.bytes_of(1), 0u);
}

TEST(Order, merges_cpus_by_time_then_cpu_then_arrival) {
  Orderer orderer;
  const std::vector<Item> in = {{10, 1, 0}, {30, 1, 1}, {10, 0, 2}, {20, 0, 3}, {10, 1, 4}};
  for (const Item& item : in) ASSERT_TRUE(push(orderer, item));
  EXPECT_EQ(release(orderer, 100),
            (std::vector<Item>{{10, 0, 2}, {10, 1, 0}, {10, 1, 4}, {20, 0, 3}, {30, 1, 1}}));
  EXPECT_EQ(orderer.size(), 0u);
}

TEST(Order, keeps_what_is_not_due) {
  Orderer orderer;
  for (uint64_t t : {5, 15, 25}) push(orderer, {t, 0, t});
  EXPECT_EQ(release(orderer, 15).size(), 2u) << "the limit itself is due";
  EXPECT_EQ(orderer.size(), 1u);
  EXPECT_TRUE(release(orderer, 24).empty());
  EXPECT_EQ(release(orderer, 25).size(), 1u);
}

TEST(Order, late_record_goes_out_first_and_is_counted) {
  Orderer orderer;
  push(orderer, {100, 0, 0});
  release(orderer, 100);
  push(orderer, {150, 0, 1});
  push(orderer, {50, 1, 2});
  EXPECT_EQ(orderer.late(), 1u);
  EXPECT_EQ(release(orderer, 60), (std::vector<Item>{{50, 1, 2}}));
  EXPECT_EQ(release(orderer, 200), (std::vector<Item>{{150, 0, 1}}));
}

TEST(Order, agrees_with_a_stable_sort_on_nearly_ordered_rings) {
  Orderer orderer;
  uint64_t seed = 7, arrival = 0, now = 1000;
  const auto random = [&seed](uint64_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
  };
  std::vector<Item> in, out;
  for (int drain = 0; drain < 200; drain++) {
    for (uint32_t cpu = 0; cpu < 300; cpu += 37) {  // more CPUs than lanes
      for (uint64_t i = random(20); i > 0; i--) {
        const Item item{now + random(1000), cpu, arrival++};
        in.push_back(item);
        ASSERT_TRUE(push(orderer, item, 24 + 8 * random(40)));
      }
    }
    const auto ready = release(orderer, now);
    out.insert(out.end(), ready.begin(), ready.end());
    now += 1000;
  }
  const auto rest = release(orderer, UINT64_MAX);
  out.insert(out.end(), rest.begin(), rest.end());
  std::sort(in.begin(), in.end(), [](const Item& a, const Item& b) {
    return std::tie(a.time, a.cpu, a.arrival) < std::tie(b.time, b.cpu, b.arrival);
  });
  EXPECT_EQ(out, in);
  EXPECT_EQ(orderer.late(), 0u);
}

TEST(Order, backward_input_is_sorted_too) {
  Orderer orderer;
  for (uint64_t i = 0; i < 20000; i++) push(orderer, {20000 - i, 0, i});
  const auto out = release(orderer, UINT64_MAX);
  EXPECT_EQ(out.size(), 20000u);
  EXPECT_TRUE(std::is_sorted(out.begin(), out.end(),
                             [](const Item& a, const Item& b) { return a.time < b.time; }));
}

TEST(Order, memory_is_bounded_and_reused) {
  Orderer orderer(1 << 20);
  uint64_t pushed = 0;
  while (push(orderer, {pushed, 0, pushed}, 1024)) pushed++;
  EXPECT_GE(pushed, 1000u);
  EXPECT_LE(pushed, 1024u);
  EXPECT_EQ(release(orderer, pushed / 2).size(), pushed / 2 + 1);
  EXPECT_TRUE(push(orderer, {pushed, 0, pushed}, 1024)) << "chunks are given back";
  release(orderer, UINT64_MAX);
  const size_t before = orderer.bytes();
  for (uint64_t round = 0; round < 100; round++) {
    for (uint64_t i = 0; i < 500; i++) ASSERT_TRUE(push(orderer, {pushed + round, 0, i}, 1024));
    EXPECT_EQ(release(orderer, UINT64_MAX).size(), 500u);
  }
  EXPECT_LE(orderer.bytes(), before);
}

TEST(Order, error_of_the_receiver_stops_and_loses_nothing_else) {
  Orderer orderer;
  for (uint64_t i = 1; i <= 3; i++) push(orderer, {i, 0, i});
  int calls = 0;
  const Status status = orderer.release(10, [&](Record) -> Status {
    if (++calls == 2) return Error{ErrorKind::kOutput, "full"};
    return {};
  });
  EXPECT_FALSE(status);
  EXPECT_EQ(release(orderer, 10), (std::vector<Item>{{3, 0, 3}}));
}

}  // namespace
}  // namespace iohops
