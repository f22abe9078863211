// The Orderer against a plain stable sort, and its bounds.
#include "core/order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
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

struct Random {
  uint64_t seed;
  uint64_t operator()(uint64_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
  }
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
  Random random{7};
  uint64_t arrival = 0, now = 1000;
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

// A ring whose records are merged where they lie.
struct InPlace {
  uint32_t ring;
  std::vector<uint64_t> words;

  void add(const Item& item, size_t bytes) {
    const wire_header header{item.time, 999, static_cast<uint16_t>(bytes), item.cpu};
    const size_t at = words.size();
    words.resize(at + bytes / 8);
    std::memcpy(&words[at], &header, sizeof header);
    words[at + 2] = item.arrival;
  }
  Orderer::Source source() const { return {std::as_bytes(std::span(words)), ring}; }
};

// Everything up to `until`, of lanes and of rings, from which it is cut.
std::vector<Item> release(Orderer& orderer, std::vector<InPlace>& rings, uint64_t until) {
  std::vector<Orderer::Source> sources;
  std::vector<Item> out;
  for (const InPlace& ring : rings) sources.push_back(ring.source());
  EXPECT_TRUE(orderer.release(until, sources, [&](const Orderer::Run& run) {
    Record rest = run.bytes;
    uint32_t records = 0;
    for (; !rest.empty(); records++) {
      const Result<Record> record = next_record(rest);
      EXPECT_TRUE(record);
      const auto* words = reinterpret_cast<const uint64_t*>(record->data());
      out.push_back({words[0], view<wire_header>(*record)->cpu, words[2]});
      EXPECT_EQ(out.back().cpu, run.ring);
    }
    EXPECT_EQ(records, run.records);
    EXPECT_LE(run.bytes.size(), Orderer::kLongestRun);
    return Status();
  }));
  for (size_t i = 0; i < rings.size(); i++) {
    auto& words = rings[i].words;
    words.erase(words.begin(), words.end() - static_cast<ptrdiff_t>(sources[i].waiting.size() / 8));
  }
  return out;
}

TEST(Order, what_lies_in_rings_is_merged_with_what_was_copied) {
  Orderer orderer;
  std::vector<InPlace> rings{{100, {}}, {101, {}}, {102, {}}};
  Random random{11};
  uint64_t arrival = 0, now = 1000;
  std::vector<Item> in, out;
  for (int drain = 0; drain < 200; drain++) {
    for (uint32_t cpu = 0; cpu < 4; cpu++) {
      for (uint64_t i = random(10); i > 0; i--) {
        const Item item{now + random(1000), cpu, arrival++};
        in.push_back(item);
        ASSERT_TRUE(push(orderer, item, 24 + 8 * random(40)));
      }
    }
    for (InPlace& ring : rings) {
      uint64_t time = now;
      for (uint64_t i = random(4) == 0 ? 500 : random(10); i > 0; i--) {
        const Item item{time, ring.ring, arrival++};
        time = std::min(now + 999, time + random(20));
        in.push_back(item);
        ring.add(item, 24 + 8 * random(4));
      }
    }
    const auto ready = release(orderer, rings, now + random(1000));
    out.insert(out.end(), ready.begin(), ready.end());
    now += 1000;
  }
  const auto rest = release(orderer, rings, UINT64_MAX);
  out.insert(out.end(), rest.begin(), rest.end());
  std::sort(in.begin(), in.end(), [](const Item& a, const Item& b) {
    return std::tie(a.time, a.cpu, a.arrival) < std::tie(b.time, b.cpu, b.arrival);
  });
  EXPECT_EQ(out, in);
  EXPECT_EQ(orderer.late(), 0u);
  for (const InPlace& ring : rings) EXPECT_TRUE(ring.words.empty());
}

TEST(Order, a_late_record_in_a_ring_waits_for_nothing_and_is_counted) {
  Orderer orderer;
  std::vector<InPlace> rings{{7, {}}};
  rings[0].add({100, 7, 0}, 24);
  release(orderer, rings, 100);
  rings[0].add({50, 7, 1}, 24);
  rings[0].add({150, 7, 2}, 24);
  EXPECT_EQ(release(orderer, rings, 60), (std::vector<Item>{{50, 7, 1}}));
  EXPECT_EQ(orderer.late(), 1u);
}

TEST(Order, what_cannot_be_a_record_stays_in_its_ring) {
  for (const uint64_t size : {uint64_t{0}, uint64_t{8}, uint64_t{20}, uint64_t{32}}) {
    Orderer orderer;
    std::vector<InPlace> rings{{7, {}}};
    rings[0].add({1, 7, 0}, 24);
    rings[0].add({2, 7, 1}, 24);
    rings[0].words[4] = 999 | size << 16;
    EXPECT_EQ(release(orderer, rings, 9), (std::vector<Item>{{1, 7, 0}})) << size;
    EXPECT_EQ(rings[0].words.size(), 3u) << size;
  }
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
