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

TEST(RebuildCopy, persistent_memory_is_measured_and_its_holes_are_not) {
  FileSpec spec;
  spec.flags = WIRE_FILE_DAX;
  for (const uint64_t reported : {k64K, kPage}) {  // the rest was a hole: zeros are no copy
    Story story(measuring());
    const auto file = story.file("/pmem/a", spec);
    story.call(WIRE_OP_PREAD64, file).at(0, k64K).copied(reported).returns(static_cast<int64_t>(k64K));
    const Request& r = story.told().request_of(1);
    EXPECT_EQ(r.cpu_copy_bytes, reported);
    EXPECT_EQ(r.hops.front().evidence, Evidence::kMeasured);
    EXPECT_EQ(r.path, Path::kMemory);
    EXPECT_EQ(story.counters().copies_in_doubt, 0u);
  }
}

TEST(RebuildCopy, what_was_lent_is_measured_if_all_of_it_was_copied_within_the_call) {
  constexpr uint32_t kMsgZerocopy = 0x4000000;
  struct Case {
    uint16_t route;
    uint64_t reported, copied;
    Evidence evidence;
  };
  for (const Case& c : {Case{WIRE_REQUEST_LOOPBACK, k64K, k64K, Evidence::kMeasured},
                        Case{WIRE_REQUEST_LOOPBACK, kPage, k64K, Evidence::kDerived},  // the rest came later
                        Case{WIRE_REQUEST_LOOPBACK, k64K + kPage, k64K, Evidence::kMeasured},  // or that of an earlier one
                        Case{WIRE_REQUEST_LOOPBACK, 0, k64K, Evidence::kDerived},
                        Case{WIRE_REQUEST_VETH, 0, k64K, Evidence::kInferred},
                        Case{0, k64K, k64K, Evidence::kMeasured}}) {  // a card, and a sniffer
    Story story(measuring());
    const auto socket = story.file("socket:[1]", kTcp);
    auto send = story.call(WIRE_OP_SENDTO, socket).at(WIRE_UNKNOWN, k64K).called_with(kMsgZerocopy);
    send.copied(c.reported).ends(static_cast<int64_t>(k64K), static_cast<uint16_t>(WIRE_REQUEST_ZEROCOPY | c.route));
    const Request& r = story.told().request_of(1);
    EXPECT_EQ(hop_bytes(r, HopKind::kRef, Endpoint::kUser, Endpoint::kSocket), k64K);
    ASSERT_EQ(r.cpu_copy_bytes, c.copied);
    for (const Hop& hop : r.hops) {
      if (hop.kind == HopKind::kCpuCopy) {
        EXPECT_EQ(hop.evidence, c.evidence);
      }
    }
    EXPECT_EQ(story.counters().copies_in_doubt, 0u);
  }
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

TEST(RebuildCopy, what_was_counted_for_a_request_of_a_ring_may_be_another_ones) {
  for (const uint64_t reported : {kPage, 2 * kPage, 3 * kPage, kPage / 2, uint64_t{0}}) {
    Story story(measuring());
    const auto file = story.file("/data/a");
    auto enter = story.call(WIRE_OP_IO_URING_ENTER, {});
    auto read = story.call(WIRE_OP_URING + 22, file).at(0, kPage);
    read.copied(reported).submitted_by(enter.owner(), WIRE_RUN_SUBMITTER).returns(kPage);
    enter.returns(1);
    for (const Request& r : story.told().requests) {
      if (r.submit != Submit::kIoUring) continue;
      EXPECT_EQ(r.cpu_copy_bytes, kPage) << reported;
      EXPECT_EQ(r.hops.front().evidence, reported == kPage ? Evidence::kMeasured : Evidence::kDerived) << reported;
    }
  }
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
