// Commits: who pays for what the journal's own thread writes.
#include <gtest/gtest.h>

#include "core/rebuild/blk_types.hpp"
#include "script.hpp"

namespace iohops::test {
namespace {

constexpr uint32_t kFileSystem = kDisk + 1;  // of the files that a story names

// Queued by jbd2: pages of the device, written at once.
Bio commit(Story& story, uint32_t dev, uint64_t pages) {
  wire_bio_part part{};
  part.queue_ns = story.now();
  part.bytes = static_cast<uint32_t>(pages * kPage);
  part.op_flags = blk::kWrite | blk::kSync | blk::kMeta;
  part.flags = WIRE_BIO_METADATA;
  part.origin_dev = dev;
  story.pass(1000);
  return {part};
}

TEST(RebuildCommit, belongs_to_the_sync_that_waited_for_it) {
  Story story;
  const auto file = story.file("/data/a");
  Call sync = story.call(WIRE_OP_FSYNC, file);
  const uint64_t id = story.completes({commit(story, kFileSystem, 3)});
  sync.returns(0);
  const Ledger& ledger = story.told();
  const Transfer& transfer = ledger.transfer_of(id);
  EXPECT_EQ(transfer.cause, Cause::kJournal);
  EXPECT_EQ(transfer.unattributed_bytes, 0u);
  ASSERT_EQ(ledger.effects.size(), 1u);
  EXPECT_EQ(ledger.effects[0].cause, Cause::kJournal);
  EXPECT_EQ(ledger.effects[0].bytes, 3 * kPage);
  EXPECT_EQ(ledger.effects[0].requests[0].request, (RequestId{kApp, 1}));
  EXPECT_EQ(ledger.effects[0].delay_ns, 0u);
  EXPECT_EQ(ledger.request_of(1).dma_bytes, 0u) << "it did not start it";
}

TEST(RebuildCommit, is_shared_in_equal_parts_by_all_who_waited) {
  Story story;
  const auto file = story.file("/data/a"), other = story.file("/data/b");
  Call one = story.call(WIRE_OP_FSYNC, file);
  Call two = story.call(WIRE_OP_FDATASYNC, other);
  two.on_thread(kApp + 1);
  const uint64_t id = story.completes({commit(story, kFileSystem, 2)});
  two.returns(0);
  one.returns(0);
  const Transfer& transfer = story.told().transfer_of(id);
  ASSERT_EQ(transfer.owners.size(), 2u);
  EXPECT_EQ(transfer.owners[0].bytes, kPage);
  EXPECT_EQ(transfer.owners[1].bytes, kPage);
}

TEST(RebuildCommit, is_not_paid_by_who_came_later_or_works_elsewhere_or_asks_for_nothing) {
  Story story;
  const auto file = story.file("/data/a");
  FileSpec elsewhere;
  elsewhere.dev = kDisk + 2;
  const auto other = story.file("/other/b", elsewhere);
  Call away = story.call(WIRE_OP_FSYNC, other);
  Call write = story.call(WIRE_OP_PWRITE64, file);
  write.at(0, kPage).on_thread(kApp + 1);
  const uint64_t id = story.completes({commit(story, kFileSystem, 1)});
  away.returns(0);
  write.returns(kPage);
  story.call(WIRE_OP_FSYNC, file).returns(0);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(id).unattributed_bytes, kPage);
  EXPECT_TRUE(ledger.effects.empty());
}

TEST(RebuildCommit, a_flush_of_its_own_belongs_to_them_too_and_moves_no_bytes) {
  Story story;
  const auto file = story.file("/data/a");
  Call write = story.call(WIRE_OP_PWRITE64, file);
  write.at(0, kPage).flags(kODsync);
  wire_bio_part part{};
  part.queue_ns = story.now();
  part.op_flags = blk::kWrite | blk::kPreflush;
  part.origin_dev = kFileSystem;
  story.pass(1000);
  const uint64_t id = story.completes({{part}});
  write.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(id).cause, Cause::kFlush);
  ASSERT_EQ(ledger.transfer_of(id).owners.size(), 1u);
  EXPECT_EQ(ledger.transfer_of(id).owners[0].bytes, 0u);
}

TEST(RebuildCommit, waits_no_longer_than_a_second) {
  Story story;
  const auto file = story.file("/data/a");
  Call sync = story.call(WIRE_OP_FSYNC, file);
  story.completes({commit(story, kFileSystem, 1)});
  story.pass(1'500'000'000);
  const auto other = story.file("/data/b");
  story.call(WIRE_OP_READ, other).at(0, 1).on_thread(kApp + 1).returns(1);
  EXPECT_EQ(story.so_far().transfers.size(), 1u);
  sync.returns(0);
  story.told();
}

TEST(RebuildCommit, others_commits_are_told_only_if_somebody_of_the_trace_has_waited) {
  Story story;
  const auto file = story.file("/data/a");
  Bio nobodys = commit(story, kFileSystem, 1);
  nobodys.part.flags |= WIRE_BIO_PERHAPS;
  story.completes({nobodys});
  Call sync = story.call(WIRE_OP_FSYNC, file);
  Bio awaited = commit(story, kFileSystem, 1);
  awaited.part.flags |= WIRE_BIO_PERHAPS;
  const uint64_t id = story.completes({awaited});
  sync.returns(0);
  const Ledger& ledger = story.told();
  ASSERT_EQ(ledger.transfers.size(), 1u);
  EXPECT_EQ(ledger.transfers[0].id, id);
  EXPECT_EQ(ledger.transfers[0].unattributed_bytes, 0u);
}

TEST(RebuildCommit, a_file_system_with_a_number_of_its_own_waits_for_its_device) {
  constexpr uint32_t kAnonymous = 45;
  Story story;
  const auto file = story.file("/data/a", {.magic = 0x9123683e, .fs = "btrfs", .dev = kAnonymous});
  Call sync = story.call(WIRE_OP_FSYNC, file);
  Bio data = sync.writes(0, 1, blk::kSync);
  story.completes({data});
  Bio tree = commit(story, kDisk, 4);  // pages of the tree's inode
  tree.part.flags = WIRE_BIO_PERHAPS;
  tree.part.ino = 1;
  tree.part.dev = kAnonymous;
  const uint64_t trees = story.completes({tree});
  Bio super_block = commit(story, kDisk, 1);  // pages of the device
  super_block.part.flags |= WIRE_BIO_PERHAPS;
  const uint64_t super_blocks = story.completes({super_block});
  sync.returns(0);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(trees).cause, Cause::kMetadata);
  EXPECT_EQ(ledger.transfer_of(trees).owners.at(0).bytes, 4 * kPage);
  EXPECT_EQ(ledger.transfer_of(super_blocks).owners.at(0).bytes, kPage);
}

TEST(RebuildCommit, a_sync_on_a_loop_device_waits_for_the_file_system_below) {
  Story story;
  const auto image = story.file("/images/disk");
  story.loop_lies_in(image, 0, false);
  const auto file = story.file("/mnt/a", {.dev = kLoop});
  Call sync = story.call(WIRE_OP_FSYNC, file);
  const uint64_t id = story.completes({commit(story, kFileSystem, 2)});
  sync.returns(0);
  EXPECT_EQ(story.told().transfer_of(id).unattributed_bytes, 0u);
}

}  // namespace
}  // namespace iohops::test
