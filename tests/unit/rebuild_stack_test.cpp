// Stacked devices: what a device below does belongs to whom the one above did it for, and is counted once.
#include <gtest/gtest.h>

#include <map>

#include "core/rebuild/blk_types.hpp"
#include "core/summarizer.hpp"
#include "script.hpp"

namespace iohops::test {
namespace {

constexpr uint32_t kMapper = 253u << 20;

RebuildContext with_mapper() {
  RebuildContext context = Story::default_context();
  context.devices.push_back({kMapper, "dm-0", "device-mapper", false, 512, 0});
  return context;
}

uint64_t owned_by(const Transfer& transfer, uint64_t seq) {
  for (const Share& share : transfer.owners)
    if (share.request == RequestId{kApp, seq}) return share.bytes;
  return 0;
}

Story::How on(uint32_t dev, uint64_t id) {
  Story::How how;
  how.dev = dev;
  how.id = id;
  if (dev == kMapper) how.transfer_flags = WIRE_TRANSFER_BIO_BASED | WIRE_TRANSFER_NO_ISSUE;
  return how;
}

TEST(RebuildStack, a_clone_belongs_to_whom_its_original_belongs) {
  Story story(with_mapper());
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, 4 * kPage);
  read.adds(0, 4);
  const Bio bio = read.reads(0, 4);
  const uint64_t above = story.next_id();
  const uint64_t below = story.completes({story.driver_bio(4 * kPage, blk::kRead).carries(above)});
  story.completes({bio}, on(kMapper, above));
  read.returns(4 * kPage);
  const Ledger& ledger = story.told();
  const Transfer& t = ledger.transfer_of(below);
  EXPECT_EQ(owned_by(t, 1), 4 * kPage);
  EXPECT_EQ(t.cause, Cause::kRead);
  EXPECT_EQ(t.unattributed_bytes, 0u);
  EXPECT_FALSE(t.carried_on);
  ASSERT_EQ(t.parents.size(), 1u);
  EXPECT_EQ(t.parents[0].transfer, above);
  EXPECT_EQ(t.parents[0].bytes, 4 * kPage);
  EXPECT_EQ(t.parents[0].evidence, Evidence::kObserved);
  EXPECT_TRUE(ledger.transfer_of(above).carried_on);
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(dma_bytes(r, Cause::kRead), 4 * kPage) << "once, at the bottom";
  EXPECT_EQ(r.dma_transfers, 1u);
  EXPECT_TRUE(r.complete);
}

TEST(RebuildStack, readahead_stays_readahead_below) {
  Story story(with_mapper());
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage);
  read.adds(0, 4);
  const Bio bio = read.reads(0, 4);
  const uint64_t above = story.next_id();
  const uint64_t first = story.completes({story.driver_bio(2 * kPage, blk::kRead).carries(above)});
  const uint64_t second = story.completes({story.driver_bio(2 * kPage, blk::kRead).carries(above, 2 * kPage)});
  story.completes({bio}, on(kMapper, above));
  read.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(first).cause, Cause::kRead);
  EXPECT_EQ(ledger.transfer_of(second).cause, Cause::kReadahead);
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(dma_bytes(r, Cause::kRead), kPage);
  EXPECT_EQ(dma_bytes(r, Cause::kReadahead), 3 * kPage);
  EXPECT_EQ(r.dma_transfers, 2u);
}

TEST(RebuildStack, both_legs_of_a_mirror_count) {
  Story story(with_mapper());
  const auto file = story.file("/data/a");
  auto write = story.call(WIRE_OP_PWRITE64, file).at(0, kPage).flags(kODirect);
  const Bio bio = write.writes_directly(kPage);
  const uint64_t above = story.next_id();
  story.completes({story.driver_bio(kPage, blk::kWrite, WIRE_BIO_USER).carries(above)});
  story.completes({story.driver_bio(kPage, blk::kWrite, WIRE_BIO_USER).carries(above)});
  story.completes({bio}, on(kMapper, above));
  write.returns(kPage);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.path, Path::kDirect);
  EXPECT_EQ(dma_bytes(r, Cause::kDirect), 2 * kPage);
  EXPECT_EQ(r.dma_transfers, 2u);
}

TEST(RebuildStack, one_request_below_serves_several_above) {
  Story story(with_mapper());
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_PWRITE64, file).at(0, kPage).dirties(kPage).returns(kPage);
  story.call(WIRE_OP_PWRITE64, file).at(kPage, 2 * kPage).dirties(2 * kPage).returns(2 * kPage);
  const Bio bio = story.flusher_writes(file, 0, 4);  // the last page is nobody's
  const uint64_t above = story.next_id();
  const uint64_t below = story.completes({story.driver_bio(2 * kPage, blk::kWrite).carries(above),
                                          story.driver_bio(2 * kPage, blk::kWrite).carries(above, 2 * kPage)});
  story.completes({bio}, on(kMapper, above));
  const Ledger& ledger = story.told();
  const Transfer& t = ledger.transfer_of(below);
  EXPECT_EQ(t.cause, Cause::kWriteback);
  EXPECT_EQ(owned_by(t, 1), kPage);
  EXPECT_EQ(owned_by(t, 2), 2 * kPage);
  EXPECT_EQ(t.unattributed_bytes, kPage);
  ASSERT_EQ(t.parents.size(), 1u);
  EXPECT_EQ(t.parents[0].bytes, 4 * kPage);
  EXPECT_EQ(ledger.effects.size(), 1u) << "the writeback happened once";
  EXPECT_EQ(story.counters().writeback_bytes, 3 * kPage);
}

TEST(RebuildStack, a_driver_that_uses_pages_of_its_own_has_copied) {
  Story story(with_mapper());
  const auto file = story.file("/data/a");
  auto write = story.call(WIRE_OP_PWRITE64, file).at(0, kPage).flags(kODirect);
  const Bio bio = write.writes_directly(kPage);
  const uint64_t above = story.next_id();
  story.completes({story.driver_bio(kPage, blk::kWrite).carries(above, 0, WIRE_CARRIED_COPY)});
  story.completes({bio}, on(kMapper, above));
  write.returns(kPage);
  const Ledger& ledger = story.told();
  const Transfer& t = ledger.transfer_of(above);
  ASSERT_EQ(t.copies.size(), 1u);
  EXPECT_EQ(t.copies[0].from, Endpoint::kUser);
  EXPECT_EQ(t.copies[0].to, Endpoint::kKernel);
  EXPECT_EQ(t.copies[0].bytes, kPage);
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(r.cpu_copies, 1u);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kUser, Endpoint::kKernel), kPage);
  EXPECT_EQ(hop_bytes(r, HopKind::kDma, Endpoint::kKernel, Endpoint::kDevice), kPage);
}

TEST(RebuildStack, a_tree_of_three_ends_at_the_bottom) {
  Story story(with_mapper());
  const auto file = story.file("/data/a");
  const auto image = story.file("/images/disk");
  story.loop_lies_in(image, 0, true);
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, 2 * kPage).flags(kODirect);
  const Bio bio = read.reads_directly(2 * kPage);
  const uint64_t mapper = story.next_id(), loop = story.next_id();
  const uint64_t disk = story.completes({story.driver_bio(kPage, blk::kRead, WIRE_BIO_USER).carries(loop, kPage)});
  story.completes({story.driver_bio(2 * kPage, blk::kRead, WIRE_BIO_USER).carries(mapper)}, on(kLoop, loop));
  story.completes({bio}, on(kMapper, mapper));
  read.returns(2 * kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(owned_by(ledger.transfer_of(disk), 1), kPage);
  EXPECT_EQ(owned_by(ledger.transfer_of(loop), 1), 2 * kPage);
  EXPECT_TRUE(ledger.transfer_of(loop).carried_on);
  EXPECT_EQ(dma_bytes(ledger.request_of(1), Cause::kDirect), kPage) << "the rest is a hole of the image";
}

TEST(RebuildStack, a_buffered_loop_device_copies_and_writes_later) {
  Story story;
  const auto file = story.file("/mnt/a", {.dev = kLoop});
  const auto image = story.file("/images/disk");
  story.loop_lies_in(image, 1 << 20, false);
  story.call(WIRE_OP_PWRITE64, file).at(0, 2 * kPage).dirties(2 * kPage).returns(2 * kPage);
  Story::How to_loop = on(kLoop, 0);
  to_loop.sector = 80;  // byte 40960 of the device: page 266 of the image
  Bio bio = story.flusher_writes(file, 0, 2);
  bio.part.origin_dev = kLoop;
  const uint64_t above = story.completes({bio}, to_loop);
  Bio later = story.flusher_writes(image, 266, 2);
  later.part.flags |= WIRE_WRITEBACK_PERIODIC << WIRE_BIO_REASON_SHIFT;
  const uint64_t below = story.completes({later});
  const Ledger& ledger = story.told();
  const Transfer& t = ledger.transfer_of(above);
  EXPECT_TRUE(t.carried_on);
  ASSERT_EQ(t.copies.size(), 1u);
  EXPECT_EQ(t.copies[0].from, Endpoint::kPageCache);
  EXPECT_EQ(t.copies[0].to, Endpoint::kPageCache);
  EXPECT_EQ(t.copies[0].bytes, 2 * kPage);
  EXPECT_EQ(owned_by(ledger.transfer_of(below), 1), 2 * kPage);
  ASSERT_EQ(ledger.effects.size(), 2u);
  EXPECT_TRUE(ledger.effects[0].to_cache);
  EXPECT_FALSE(ledger.effects[1].to_cache);
  EXPECT_EQ(story.counters().writeback_bytes, 2 * kPage) << "by the disk";
  EXPECT_EQ(story.counters().pending_bytes, 0u);
}

TEST(RebuildStack, a_flushed_loop_device_writes_for_the_sync) {
  Story story;
  const auto file = story.file("/mnt/a", {.dev = kLoop});
  const auto image = story.file("/images/disk");
  story.loop_lies_in(image, 0, false);
  story.call(WIRE_OP_PWRITE64, file).at(0, kPage).dirties(kPage).returns(kPage);
  auto sync = story.call(WIRE_OP_FSYNC, file);
  Bio bio = sync.writes(0, 1, blk::kSync);
  bio.part.origin_dev = kLoop;
  Story::How to_loop = on(kLoop, 0);
  to_loop.sector = 8;
  story.completes({bio}, to_loop);
  Bio flushed = story.flusher_writes(image, 1, 1);
  flushed.part.op_flags |= blk::kSync;
  const uint64_t below = story.completes({flushed});
  sync.returns(0);
  const Ledger& ledger = story.told();
  const Transfer& t = ledger.transfer_of(below);
  EXPECT_EQ(t.cause, Cause::kFsync);
  EXPECT_EQ(owned_by(t, 2), kPage);
  EXPECT_EQ(ledger.effects.back().reason, "the loop device that lies in this file was flushed");
  Summarizer summarizer;
  for (const Request& request : ledger.requests) ASSERT_TRUE(summarizer.request(request));
  for (const Transfer& transfer : ledger.transfers) ASSERT_TRUE(summarizer.transfer(transfer));
  const Summary summary = summarizer.take();
  EXPECT_EQ(summary.syncs.data_bytes, kPage) << "billed at the bottom, once";
  EXPECT_EQ(summary.carried_on.bytes, kPage);
  EXPECT_EQ(summary.dma.bytes, kPage);
  EXPECT_EQ(summary.cpu_copies_by_hop[static_cast<size_t>(Endpoint::kPageCache)]
                                     [static_cast<size_t>(Endpoint::kPageCache)].bytes, kPage);
}

TEST(RebuildStack, reads_of_a_loop_devices_file_are_for_who_reads_the_device) {
  Story story;
  const auto file = story.file("/mnt/a", {.dev = kLoop});
  const auto image = story.file("/images/disk");
  story.loop_lies_in(image, 0, false);
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage);
  read.adds(0, 1);
  Bio bio = read.reads(0, 1);
  bio.part.origin_dev = kLoop;
  wire_transfer upper{};
  upper.id = story.next_id();
  upper.sector = 80;
  upper.bytes = kPage;
  upper.issue_ns = story.now();
  Bio asked = story.driver_bio(3 * kPage, blk::kRead, 0);
  asked.part.ino = image.ino;
  asked.part.dev = image.dev;
  asked.part.index = 10;
  Bio ahead = asked;
  ahead.part.index = 20;
  const uint64_t first = story.completes({asked}), second = story.completes({ahead});
  upper.dev = kLoop;
  upper.op_flags = blk::kRead;
  upper.bios = 1;
  upper.issues = 1;
  upper.first = bio.part;
  story.emit(upper, WIRE_TRANSFER);
  read.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(first).parents.at(0).evidence, Evidence::kDerived);
  EXPECT_EQ(ledger.transfer_of(second).parents.at(0).evidence, Evidence::kInferred);
  EXPECT_EQ(ledger.transfer_of(second).cause, Cause::kReadahead);
  EXPECT_EQ(owned_by(ledger.transfer_of(first), 1), 3 * kPage);
  EXPECT_EQ(owned_by(ledger.transfer_of(second), 1), 3 * kPage);
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(dma_bytes(r, Cause::kRead), kPage);
  EXPECT_EQ(dma_bytes(r, Cause::kReadahead), 5 * kPage);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kPageCache, Endpoint::kPageCache), kPage);
}

TEST(RebuildStack, readahead_of_a_loop_devices_file_can_outlive_what_caused_it) {
  Story story;
  const auto file = story.file("/mnt/a", {.dev = kLoop});
  const auto image = story.file("/images/disk");
  story.loop_lies_in(image, 0, false);
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage);
  Bio bio = read.reads(0, 1);
  bio.part.origin_dev = kLoop;
  Story::How from_loop = on(kLoop, 0);
  from_loop.sector = 80;  // page 10
  Bio ahead = story.driver_bio(3 * kPage, blk::kRead, 0);
  ahead.part.ino = image.ino;
  ahead.part.dev = image.dev;
  ahead.part.index = 20;
  ahead.part.queue_ns = story.now() + 5000;  // while the loop device was at it
  story.completes({bio}, from_loop);
  read.returns(kPage);
  const uint64_t late = story.completes({ahead});
  EXPECT_EQ(owned_by(story.told().transfer_of(late), 1), 3 * kPage);
}

TEST(RebuildStack, what_comes_after_its_transfer_above_still_has_its_owner) {
  Story story(with_mapper());
  const auto file = story.file("/data/a");
  auto write = story.call(WIRE_OP_PWRITE64, file).at(0, kPage).flags(kODirect);
  const Bio bio = write.writes_directly(kPage);
  const uint64_t above = story.completes({bio}, on(kMapper, 0));
  write.returns(kPage);
  const uint64_t below = story.completes({story.driver_bio(kPage, blk::kWrite).carries(above)});
  EXPECT_EQ(owned_by(story.told().transfer_of(below), 1), kPage) << "a mirror that writes behind";
}

TEST(RebuildStack, a_transfer_above_that_never_comes_leaves_bytes_unattributed) {
  Story story(with_mapper());
  const uint64_t below = story.completes({story.driver_bio(kPage, blk::kWrite).carries(4711)});
  story.pass(60'000'000'000);
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_READ, file).at(0, 0).returns(0);
  EXPECT_EQ(story.so_far().transfers.size(), 1u) << "it does not wait for ever";
  EXPECT_EQ(story.told().transfer_of(below).unattributed_bytes, kPage);
}

}  // namespace
}  // namespace iohops::test
