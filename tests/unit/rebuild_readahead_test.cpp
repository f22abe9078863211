// Readahead: for whom it was, who used it, and what nobody did.
#include <gtest/gtest.h>

#include "script.hpp"

namespace iohops::test {
namespace {

// Reads `bytes` at `offset`; the kernel loads `pages` from `first` on for it.
void cold_read(Story& story, const NamedFile& file, uint64_t offset, uint64_t bytes, uint64_t first, uint64_t pages) {
  Call call = story.call(WIRE_OP_PREAD64, file);
  call.at(offset, bytes).adds(first, pages);
  const Bio bio = call.reads(first, pages);
  story.completes({bio});
  call.returns(static_cast<int64_t>(bytes));
}

void hot_read(Story& story, const NamedFile& file, uint64_t offset, uint64_t bytes) {
  story.call(WIRE_OP_PREAD64, file).at(offset, bytes).returns(static_cast<int64_t>(bytes));
}

TEST(Readahead, who_uses_it_names_for_whom_it_was) {
  Story story;
  const auto file = story.file("/data/a");
  cold_read(story, file, 0, kPage, 0, 8);
  hot_read(story, file, kPage, 2 * kPage);
  hot_read(story, file, kPage, 2 * kPage);  // once
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).readahead_bytes, 7 * kPage);
  ASSERT_EQ(ledger.request_of(2).readahead_of.size(), 1u);
  EXPECT_EQ(ledger.request_of(2).readahead_of[0].request, (RequestId{kApp, 1}));
  EXPECT_EQ(ledger.request_of(2).readahead_of[0].bytes, 2 * kPage);
  EXPECT_TRUE(ledger.request_of(3).readahead_of.empty());
  EXPECT_EQ(story.counters().readahead_unused_bytes, 5 * kPage);
}

TEST(Readahead, of_a_page_that_is_used_in_part_all_is_used) {
  Story story;
  const auto file = story.file("/data/a");
  cold_read(story, file, 0, kPage, 0, 2);
  hot_read(story, file, kPage + 10, 20);
  story.told();
  EXPECT_EQ(story.counters().readahead_unused_bytes, 0u);
}

TEST(Readahead, what_is_loaded_again_had_been_thrown_out_unused) {
  Story story;
  const auto file = story.file("/data/a");
  cold_read(story, file, 0, kPage, 0, 4);
  cold_read(story, file, 0, kPage, 0, 4);
  story.told();
  EXPECT_EQ(story.counters().readahead_unused_bytes, 6 * kPage);
}

TEST(Readahead, of_sendfile_is_used_by_the_next_one) {
  Story story;
  const auto file = story.file("/data/a"), socket = story.file("socket:[7]", kSocket);
  auto cold = story.call(WIRE_OP_SENDFILE, file).to(socket);
  cold.at(0, kPage).adds(0, 8);
  story.completes({cold.reads(0, 8)});
  cold.returns(kPage);
  story.call(WIRE_OP_SENDFILE, file).to(socket).at(kPage, 4 * kPage).returns(4 * kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).readahead_followed_bytes, 7 * kPage);
  ASSERT_EQ(ledger.request_of(2).readahead_of.size(), 1u);
  EXPECT_EQ(ledger.request_of(2).readahead_of[0].bytes, 4 * kPage);
  EXPECT_EQ(story.counters().readahead_unused_bytes, 3 * kPage);
}

TEST(Readahead, pages_that_a_fault_may_have_mapped_are_not_called_unused) {
  Story story;
  const auto file = story.file("/data/a");
  cold_read(story, file, 0, kPage, 0, 32);
  story.call(WIRE_OP_PAGE_FAULT, file).at(16 * kPage, kPage).maps(8, 23).returns(0);
  const Ledger& ledger = story.told();
  ASSERT_EQ(ledger.request_of(2).readahead_of.size(), 1u);
  EXPECT_EQ(ledger.request_of(2).readahead_of[0].bytes, kPage);
  EXPECT_EQ(story.counters().readahead_unused_bytes, 15 * kPage);
}

TEST(Readahead, of_another_file_is_not_used) {
  Story story;
  const auto file = story.file("/data/a"), other = story.file("/data/b");
  cold_read(story, file, 0, kPage, 0, 4);
  hot_read(story, other, 0, 4 * kPage);
  EXPECT_TRUE(story.told().request_of(2).readahead_of.empty());
}

TEST(Readahead, memory_stays_bounded_and_what_is_forgotten_is_counted) {
  RebuildContext context = Story::default_context();
  context.max_readahead_ranges = 4;
  Story story(context);
  const auto file = story.file("/data/a");
  for (uint64_t i = 0; i < 10; i++) cold_read(story, file, 8 * i * kPage, kPage, 8 * i, 2);
  story.told();
  EXPECT_EQ(story.counters().readahead_unused_bytes, 4 * kPage);
  EXPECT_EQ(story.counters().evicted_ranges, 6u);
}

}  // namespace
}  // namespace iohops::test
