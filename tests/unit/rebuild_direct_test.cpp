// Direct I/O, what falls back to the page cache, and what a hole costs.
#include <gtest/gtest.h>

#include "core/rebuild/blk_types.hpp"
#include "script.hpp"

namespace iohops::test {
namespace {

constexpr uint64_t k64K = 16 * kPage;

TEST(RebuildDirect, direct_read_goes_past_the_cache_without_a_copy) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, k64K).flags(kODirect);
  const uint64_t id = story.completes({read.reads_directly(k64K)});
  read.returns(k64K);
  const Ledger& ledger = story.told();
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(r.path, Path::kDirect);
  EXPECT_EQ(r.cache, CacheOutcome::kBypass);
  EXPECT_EQ(r.cpu_copies, 0u);
  EXPECT_EQ(hop_bytes(r, HopKind::kDma, Endpoint::kDevice, Endpoint::kUser), k64K);
  EXPECT_EQ(ledger.transfer_of(id).cause, Cause::kDirect);
  EXPECT_EQ(ledger.transfer_of(id).file, 1u);
  EXPECT_FALSE(ledger.transfer_of(id).offset.has_value());
}

TEST(RebuildDirect, direct_write_leaves_nothing_dirty) {
  Story story;
  const auto file = story.file("/data/a");
  auto write = story.call(WIRE_OP_PWRITE64, file).at(0, k64K).flags(kODirect);
  story.completes({write.writes_directly(k64K)});
  write.returns(k64K);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(hop_bytes(r, HopKind::kDma, Endpoint::kUser, Endpoint::kDevice), k64K);
  EXPECT_EQ(r.cpu_copies, 0u);
  EXPECT_EQ(story.counters().pending_bytes, 0u);
}

TEST(RebuildDirect, direct_read_that_fell_back_is_buffered_and_copied) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, k64K).flags(kODirect);
  read.adds(0, 16);
  story.completes({read.reads(0, 16)});
  read.returns(k64K);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.path, Path::kBuffered);
  EXPECT_EQ(r.cache, CacheOutcome::kMiss);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kPageCache, Endpoint::kUser), k64K);
  EXPECT_EQ(hop_bytes(r, HopKind::kDma, Endpoint::kDevice, Endpoint::kPageCache), k64K);
}

TEST(RebuildDirect, without_the_bio_hook_a_direct_request_claims_no_copy) {
  RebuildContext context = Story::default_context();
  context.sees_bios = false;
  Story story(context);
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_PREAD64, file).at(0, k64K).flags(kODirect).returns(k64K);
  auto fell_back = story.call(WIRE_OP_PREAD64, file).at(0, kPage).flags(kODirect);
  fell_back.adds(0, 1);
  fell_back.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).cpu_copies, 0u);
  EXPECT_EQ(ledger.request_of(1).path, Path::kDirect);
  EXPECT_EQ(ledger.request_of(2).path, Path::kBuffered);  // its page was seen to be added
  EXPECT_EQ(ledger.request_of(2).hops.back().evidence, Evidence::kInferred);
}

TEST(RebuildDirect, fallback_without_a_trace_is_only_inferred) {
  Story story;
  FileSpec btrfs;
  btrfs.magic = 0x9123683e;
  const auto file = story.file("/data/a", btrfs);
  story.call(WIRE_OP_PREAD64, file).at(0, kPage).flags(kODirect).returns(kPage);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.path, Path::kBuffered);
  EXPECT_EQ(r.hops.at(0).evidence, Evidence::kInferred);
}

TEST(RebuildDirect, what_is_read_of_a_hole_is_copied_by_nobody) {
  Story story;
  const auto file = story.file("/data/sparse");
  story.call(WIRE_OP_PREAD64, file).at(0, k64K).flags(kODirect).returns(k64K);
  auto half = story.call(WIRE_OP_PREAD64, file).at(0, k64K).flags(kODirect);
  story.completes({half.reads_directly(k64K / 2)});
  half.returns(k64K);
  for (uint64_t seq = 1; seq <= 2; seq++) {
    const Request& r = story.told().request_of(seq);
    EXPECT_EQ(r.path, Path::kDirect);
    EXPECT_EQ(r.cache, CacheOutcome::kBypass);
    EXPECT_EQ(r.cpu_copies, 0u);
  }
}

// Of ext4 these are files with a journal for their data, inline data, verity.
TEST(RebuildDirect, a_file_that_was_seen_to_fall_back_does_so_without_a_trace) {
  Story story;
  const auto file = story.file("/data/a");
  auto cold = story.call(WIRE_OP_PREAD64, file).at(0, k64K).flags(kODirect);
  cold.adds(0, 16);
  story.completes({cold.reads(0, 16)});
  cold.returns(k64K);
  story.call(WIRE_OP_PREAD64, file).at(0, k64K).flags(kODirect).returns(k64K);
  const Request& r = story.told().request_of(2);
  EXPECT_EQ(r.path, Path::kBuffered);
  EXPECT_EQ(r.cpu_copy_bytes, k64K);
  EXPECT_EQ(r.hops.at(0).evidence, Evidence::kInferred);
}

TEST(RebuildDirect, tail_that_fell_back_is_the_only_copy) {
  Story story;
  const auto file = story.file("/data/a");
  auto write = story.call(WIRE_OP_PWRITE64, file).at(0, k64K).flags(kODirect);
  story.completes({write.writes_directly(k64K - kPage)});
  write.dirties(kPage);
  write.returns(k64K);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.path, Path::kBuffered);
  EXPECT_EQ(r.cpu_copy_bytes, kPage);
  EXPECT_EQ(story.counters().pending_bytes, kPage);
}

TEST(RebuildDirect, direct_read_of_a_partial_last_sector_did_not_fall_back) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, kPage).flags(kODirect);
  story.completes({read.reads_directly(kPage)});
  read.returns(1000);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.path, Path::kDirect);
  EXPECT_EQ(r.cpu_copies, 0u);
}

}  // namespace
}  // namespace iohops::test
