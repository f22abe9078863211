// What a rebuild forgets so that its memory stays bounded: the oldest, and it says so.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/rebuild/limits.hpp"
#include "core/rebuild/recent_map.hpp"
#include "script.hpp"

namespace iohops::test {
namespace {

TEST(RecentMap, what_nobody_asked_for_makes_room_first) {
  RecentMap<uint64_t, std::string> map(3);
  std::vector<uint64_t> gone;
  const auto note = [&](uint64_t key, const std::string&) { gone.push_back(key); };
  for (uint64_t key = 1; key <= 3; key++) map.add(key, std::to_string(key), note);
  EXPECT_EQ(*map.find(1), "1");
  map.add(4, "4", note);
  map.add(5, "5", note);
  EXPECT_EQ(gone, (std::vector<uint64_t>{2, 3}));
  map.add(6, "6", note);  // the first has had its second chance
  EXPECT_EQ(gone, (std::vector<uint64_t>{2, 3, 1}));
  EXPECT_EQ(map.size(), 3u);
  EXPECT_EQ(map.find(1), nullptr);
}

TEST(RecentMap, all_were_asked_for_and_the_oldest_goes) {
  RecentMap<uint64_t, int> map(2);
  std::vector<uint64_t> gone;
  const auto note = [&](uint64_t key, int) { gone.push_back(key); };
  map.add(1, 0, note);
  map.add(2, 0, note);
  map.find(1);
  map.find(2);
  map.add(3, 0, note);
  EXPECT_EQ(gone, (std::vector<uint64_t>{1}));
}

TEST(RecentMap, erased_entries_take_no_turn) {
  RecentMap<uint64_t, int> map(2);
  std::vector<uint64_t> gone;
  const auto note = [&](uint64_t key, int) { gone.push_back(key); };
  for (uint64_t key = 1; key <= 100; key++) {
    map.add(key, 0, note);
    EXPECT_TRUE(map.erase(key));
    EXPECT_FALSE(map.erase(key));
  }
  EXPECT_TRUE(gone.empty());
  EXPECT_EQ(map.size(), 0u);
}

TEST(Limits, grow_with_memory_and_have_a_floor) {
  const RebuildLimits none = limits_for(0), small = limits_for(64 << 20),
                      large = limits_for(1 << 30);
  EXPECT_GT(none.max_held_requests, 0u);
  EXPECT_GT(none.max_files, 0u);
  EXPECT_LT(none.max_files, small.max_files);
  EXPECT_LT(small.max_held_requests, large.max_held_requests);
  EXPECT_LT(small.max_details, large.max_details);
}

RebuildContext few_files() {
  RebuildContext context = Story::default_context();
  context.max_files = 4;
  return context;
}

TEST(RebuildLimits, a_forgotten_file_takes_its_dirty_bytes_along) {
  Story story(few_files());
  for (int i = 0; i < 10; i++) {
    const auto file = story.file("/data/" + std::to_string(i));
    story.call(WIRE_OP_PWRITE64, file).at(0, kPage).returns(kPage);
  }
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.files.size(), 10u);
  EXPECT_EQ(ledger.requests.size(), 10u);
  for (const Request& request : ledger.requests) EXPECT_TRUE(request.complete);
  EXPECT_EQ(story.counters().pending_bytes, 4 * kPage);
  ASSERT_EQ(ledger.losses.size(), 1u);
  EXPECT_EQ(ledger.losses[0].cause, "evicted_ranges");
  EXPECT_EQ(ledger.losses[0].count, 6u);
}

TEST(RebuildLimits, a_file_in_use_is_not_forgotten) {
  Story story(few_files());
  const auto used = story.file("/data/used");
  for (int i = 0; i < 20; i++) {
    story.call(WIRE_OP_READ, used).at(0, kPage).returns(kPage);
    story.file("/data/" + std::to_string(i));
  }
  for (const Request& request : story.told().requests) EXPECT_EQ(request.file, 1u);
}

TEST(RebuildLimits, a_request_on_a_forgotten_file_claims_nothing) {
  Story story(few_files());
  const auto first = story.file("/data/first");
  for (int i = 0; i < 10; i++) story.file("/data/" + std::to_string(i));
  story.call(WIRE_OP_READ, first).at(0, kPage).returns(kPage);
  const Request& request = story.told().request_of(1);
  EXPECT_EQ(request.file, 0u);
  EXPECT_EQ(request.cpu_copies, 0u);
  EXPECT_FALSE(request.complete);
}

// Its number goes to another file: what waits for a writer of the first must not meet the second's.
TEST(RebuildLimits, pages_of_a_forgotten_file_are_claimed_by_nobody) {
  Story story(few_files());
  const auto first = story.file("/data/first");
  story.completes({story.flusher_writes(first, 0, 1)});
  std::vector<NamedFile> others;
  auto write = story.call(WIRE_OP_PWRITE64, first).at(0, kPage);  // began before the others came
  for (int i = 0; i < 10; i++) others.push_back(story.file("/data/" + std::to_string(i)));
  for (const NamedFile& file : others)
    story.call(WIRE_OP_PWRITE64, file).at(0, kPage).returns(kPage);
  write.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfers.at(0).unattributed_bytes, kPage);
  EXPECT_TRUE(ledger.effects.empty());
}

TEST(RebuildLimits, a_process_that_comes_back_has_new_numbers) {
  RebuildContext context = Story::default_context();
  context.max_processes = 2;
  Story story(context);
  const auto file = story.file("/data/a");
  for (uint32_t round = 0; round < 3; round++) {
    for (uint32_t pid = 200; pid < 206; pid++) {
      story.process(pid, "worker", WIRE_PROCESS_FORK);
      wire_request read{};
      read.tgid = read.tid = pid;
      read.start_ns = story.now() - 500;
      read.op = WIRE_OP_READ;
      read.file = file.alias;
      story.pass(1000);
      story.emit(read, WIRE_REQUEST);
    }
  }
  EXPECT_EQ(story.told().requests.size(), 18u);  // the invariants: no number twice
}

TEST(RebuildLimits, too_much_of_open_requests_gives_up_the_oldest) {
  RebuildContext context = Story::default_context();
  context.max_details = 100;
  Story story(context);
  const auto file = story.file("/data/a");
  auto slow = story.call(WIRE_OP_READ, file).at(0, kPage).on_thread(7);
  for (int i = 0; i < 150; i++) slow.waits(WIRE_WAIT_DEVICE, 10);
  EXPECT_EQ(story.so_far().requests.size(), 1u);
  slow.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.requests.size(), 1u);
  EXPECT_FALSE(ledger.requests[0].complete);
  ASSERT_EQ(ledger.losses.size(), 1u);
  EXPECT_EQ(ledger.losses[0].count, 1u);
}

}  // namespace
}  // namespace iohops::test
