// Measured copies in the ledger: what the hooks reported beside what was derived.
#include <gtest/gtest.h>

#include "script.hpp"

namespace iohops::test {
namespace {

constexpr uint64_t k64K = 16 * kPage;

RebuildContext measuring() {
  RebuildContext context = Story::default_context();
  context.measured = {.files = true, .pipes = true, .sockets = true};
  return context;
}

TEST(RebuildCopy, a_hit_that_was_reported_whole_is_measured) {
  Story story(measuring());
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_PREAD64, file).at(0, kPage).copied(kPage).returns(kPage);
  const Request& r = story.told().request_of(1);
  ASSERT_EQ(r.cpu_copies, 1u);
  EXPECT_EQ(r.cpu_copy_bytes, kPage);
  EXPECT_EQ(r.hops.front().evidence, Evidence::kMeasured);
  EXPECT_EQ(r.cache, CacheOutcome::kHit);
  EXPECT_EQ(story.counters().copies_in_doubt, 0u);
}

TEST(RebuildCopy, where_nothing_is_hooked_the_report_is_not_believed) {
  Story story;
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_PREAD64, file).at(0, kPage).copied(kPage).returns(kPage);
  EXPECT_EQ(story.told().request_of(1).hops.front().evidence, Evidence::kDerived);
}

TEST(RebuildCopy, a_direct_read_that_nothing_is_known_of_copied_only_what_was_reported) {
  Story story(measuring());
  const auto file = story.file("/data/a");
  // A hole: no device work, no page; without hooks a copy would have to be inferred.
  story.call(WIRE_OP_PREAD64, file).at(0, kPage).flags(kODirect).returns(kPage);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.cpu_copies, 0u);
  EXPECT_EQ(r.path, Path::kDirect);
}

TEST(RebuildCopy, a_direct_read_whose_copy_function_was_seen_at_one_end_only_stays_inferred) {
  for (const bool missed : {false, true}) {
    Story story(measuring());
    const auto file = story.file("/data/a");
    auto read = story.call(WIRE_OP_PREAD64, file).at(0, kPage).flags(kODirect);
    if (missed) read.copy_missed();
    read.returns(kPage);
    const Request& r = story.told().request_of(1);
    EXPECT_EQ(r.cpu_copies, missed ? 1u : 0u);
    EXPECT_EQ(r.path, missed ? Path::kBuffered : Path::kDirect);
    if (missed) {
      EXPECT_EQ(r.hops.front().evidence, Evidence::kInferred);
    }
  }
}

TEST(RebuildCopy, the_buffered_part_of_a_direct_read_is_measured) {
  Story story(measuring());
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, k64K).flags(kODirect);
  read.copied(kPage);
  story.completes({read.reads_directly(k64K - kPage)});
  read.returns(k64K);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kPageCache, Endpoint::kUser), kPage);
  EXPECT_EQ(r.path, Path::kBuffered);
}

TEST(RebuildCopy, a_difference_is_counted_and_the_derived_figure_kept) {
  Story story(measuring());
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_PREAD64, file).at(0, k64K).copied(kPage).returns(k64K);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.cpu_copy_bytes, k64K);
  EXPECT_EQ(r.hops.front().evidence, Evidence::kDerived);
  EXPECT_EQ(story.counters().copies_in_doubt, 1u);
}

TEST(RebuildCopy, a_write_without_a_hook_on_its_path_stays_derived) {
  Story story(measuring());
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_PWRITE64, file).at(0, k64K).dirties(k64K).returns(k64K);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.cpu_copy_bytes, k64K);
  EXPECT_EQ(r.hops.front().evidence, Evidence::kDerived);
  EXPECT_EQ(story.counters().copies_in_doubt, 0u);
}

}  // namespace
}  // namespace iohops::test
