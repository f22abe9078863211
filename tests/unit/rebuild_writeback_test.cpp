// Dirty pages: who wrote what a device writes later, what it never writes, and what a sync costs.
#include <gtest/gtest.h>
#include <algorithm>
#include <cstring>

#include "core/rebuild/blk_types.hpp"
#include "script.hpp"

namespace iohops::test {
namespace {

uint64_t share_of(const std::vector<Share>& shares, uint64_t seq) {
  for (const Share& share : shares) {
    if (share.request == RequestId{kApp, seq}) return share.bytes;
  }
  return 0;
}

void write(Story& story, const NamedFile& file, uint64_t offset, uint64_t bytes) {
  story.call(WIRE_OP_PWRITE64, file)
      .at(offset, bytes)
      .dirties(bytes)
      .returns(static_cast<int64_t>(bytes));
}

TEST(RebuildWriteback, buffered_write_outlives_its_syscall) {
  Story story;
  const auto file = story.file("/data/a");
  write(story, file, 0, 4 * kPage);
  const uint64_t ended = story.now();
  story.pass(30'000'000'000);
  const uint64_t id = story.completes({story.flusher_writes(file, 0, 4)});
  const Ledger& ledger = story.told();
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kUser, Endpoint::kPageCache), 4 * kPage);
  EXPECT_EQ(r.dirtied_bytes, 4 * kPage);
  EXPECT_EQ(r.dma_bytes, 0u) << "it started no device work itself";
  ASSERT_EQ(ledger.effects.size(), 1u);
  const Effect& effect = ledger.effects[0];
  EXPECT_EQ(effect.cause, Cause::kWriteback);
  EXPECT_EQ(effect.transfer, id);
  EXPECT_EQ(effect.bytes, 4 * kPage);
  EXPECT_EQ(effect.file, 1u);
  EXPECT_EQ(effect.offset, 0u);
  EXPECT_EQ(share_of(effect.requests, 1), 4 * kPage);
  EXPECT_GE(effect.delay_ns, 30'000'000'000u);
  EXPECT_EQ(effect.at_ns - effect.delay_ns, ended - kStart);
  const Transfer& t = ledger.transfer_of(id);
  EXPECT_EQ(t.cause, Cause::kWriteback);
  EXPECT_EQ(t.unattributed_bytes, 0u);
  EXPECT_EQ(share_of(t.owners, 1), 4 * kPage);
  EXPECT_EQ(story.counters().pending_bytes, 0u);
  EXPECT_EQ(story.counters().writeback_bytes, 4 * kPage);
}

// pwrite(2), "BUGS": with O_APPEND the data goes to the end of the file, whatever the offset.
TEST(RebuildWriteback, what_is_appended_dirties_nothing_where_it_pretended_to_go) {
  constexpr uint32_t kOAppend = 0x400, kRwfAppend = 0x10, kRwfNoAppend = 0x20;
  constexpr uint16_t kUringWrite = WIRE_OP_URING + 23;
  Story story;
  const auto file = story.file("/data/log");
  for (int i = 0; i < 2; i++)  // the second one is like the first
    story.call(WIRE_OP_PWRITE64, file).at(0, kPage).flags(kOAppend).returns(kPage);
  story.call(WIRE_OP_PWRITEV2, file).at(0, kPage).called_with(kRwfAppend).returns(kPage);
  story.call(kUringWrite, file).at(0, kPage).flags(kOAppend).submitted_by({}, WIRE_RUN_POLLER).returns(kPage);
  story.call(WIRE_OP_PWRITEV2, file).at(0, kPage).flags(kOAppend).called_with(kRwfNoAppend).returns(kPage);
  story.call(WIRE_OP_WRITE, file).at(4 * kPage, kPage).flags(kOAppend).returns(kPage);
  const Ledger& ledger = story.told();
  for (uint64_t seq = 1; seq <= 4; seq++) {
    EXPECT_FALSE(ledger.request_of(seq).offset) << seq;
    EXPECT_EQ(ledger.request_of(seq).cpu_copy_bytes, kPage) << seq;
  }
  EXPECT_EQ(ledger.request_of(5).offset, 0u);
  EXPECT_EQ(ledger.request_of(6).offset, 4 * kPage);
  EXPECT_EQ(story.counters().absorbed_bytes, 0u);
  EXPECT_EQ(story.counters().pending_bytes, 2 * kPage) << "where the others are is not known";
}

TEST(RebuildWriteback, says_why_it_was_written_just_then) {
  const std::pair<uint32_t, const char*> kReasons[] = {
      {WIRE_WRITEBACK_UNKNOWN, "written back by the kernel"},
      {WIRE_WRITEBACK_BACKGROUND, "more was dirty than the background limit"},
      {WIRE_WRITEBACK_VMSCAN, "memory was short"},
      {WIRE_WRITEBACK_SYNC, "a sync of the whole file system"},
      {WIRE_WRITEBACK_PERIODIC, "it had been dirty for long enough"},
      {WIRE_WRITEBACK_OTHER, "written back by the kernel"}};
  for (const auto& [why, reason] : kReasons) {
    Story story;
    const auto file = story.file("/data/a");
    write(story, file, 0, kPage);
    Bio bio = story.flusher_writes(file, 0, 1);
    bio.part.flags |= why << WIRE_BIO_REASON_SHIFT;
    story.completes({bio});
    const Ledger& ledger = story.told();
    ASSERT_EQ(ledger.effects.size(), 1u);
    EXPECT_EQ(ledger.effects[0].reason, reason);
  }
}

TEST(RebuildWriteback, overwritten_bytes_are_absorbed_and_belong_to_the_last_writer) {
  Story story;
  const auto file = story.file("/data/a");
  write(story, file, 0, 4 * kPage);
  write(story, file, kPage, kPage);
  write(story, file, kPage, kPage);
  story.completes({story.flusher_writes(file, 0, 4)});
  const Ledger& ledger = story.told();
  EXPECT_EQ(story.counters().absorbed_bytes, 2 * kPage);
  ASSERT_EQ(ledger.effects.size(), 1u);
  EXPECT_EQ(share_of(ledger.effects[0].requests, 1), 3 * kPage);
  EXPECT_EQ(share_of(ledger.effects[0].requests, 2), 0u);
  EXPECT_EQ(share_of(ledger.effects[0].requests, 3), kPage);
}

TEST(RebuildWriteback, writers_of_one_page_share_the_whole_page) {
  Story story;
  const auto file = story.file("/data/a");
  write(story, file, 0, 100);
  write(story, file, 100, 300);
  story.completes({story.flusher_writes(file, 0, 1)});
  const Effect& effect = story.told().effects.at(0);
  EXPECT_EQ(effect.bytes, kPage);
  EXPECT_EQ(share_of(effect.requests, 1), 100u);
  EXPECT_EQ(share_of(effect.requests, 2), kPage - 100);
}

TEST(RebuildWriteback, pages_that_nobody_wrote_are_unattributed) {
  Story story;
  const auto file = story.file("/data/a");
  write(story, file, 4 * kPage, kPage);
  const uint64_t id = story.completes({story.flusher_writes(file, 0, 16)});
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(id).unattributed_bytes, 15 * kPage);
  EXPECT_EQ(share_of(ledger.transfer_of(id).owners, 1), kPage);
}

TEST(RebuildWriteback, what_no_device_wrote_is_pending) {
  Story story;
  const auto file = story.file("/data/a");
  auto append = story.call(WIRE_OP_WRITE, file).at(0, 10000);
  append.adds(0, 3).dirties(3 * kPage);
  append.returns(10000);
  EXPECT_EQ(story.told().request_of(1).miss_bytes, 0u) << "new pages were not missed";
  EXPECT_EQ(story.counters().pending_bytes, 10000u);
  EXPECT_EQ(story.counters().writeback_bytes, 0u);
}

TEST(RebuildWriteback, bytes_written_after_the_bio_was_queued_stay_dirty) {
  Story story;
  const auto file = story.file("/data/a");
  write(story, file, 0, kPage);
  const Bio bio = story.flusher_writes(file, 0, 2);
  write(story, file, kPage, kPage);
  story.completes({bio});
  const Ledger& ledger = story.told();
  EXPECT_EQ(share_of(ledger.effects.at(0).requests, 1), kPage);
  EXPECT_EQ(story.counters().pending_bytes, kPage);
}

TEST(RebuildWriteback, pages_written_while_their_write_still_ran_find_their_writer) {
  Story story;
  const auto file = story.file("/data/a");
  auto big = story.call(WIRE_OP_WRITE, file).at(0, 64 * kPage).dirties(64 * kPage);
  const uint64_t id = story.completes({story.flusher_writes(file, 0, 16)});
  EXPECT_TRUE(story.so_far().transfers.empty()) << "its writer may still be running";
  big.returns(64 * kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(id).unattributed_bytes, 0u);
  EXPECT_EQ(share_of(ledger.transfer_of(id).owners, 1), 16 * kPage);
  EXPECT_EQ(ledger.effects.at(0).delay_ns, 0u);
  EXPECT_EQ(story.counters().pending_bytes, 48 * kPage);
}

TEST(RebuildWriteback, transfer_without_a_writer_waits_only_for_a_while) {
  Story story;
  const auto file = story.file("/data/a");
  const uint64_t id = story.completes({story.flusher_writes(file, 0, 4)});
  story.pass(3'000'000'000);
  story.call(WIRE_OP_PREAD64, file).at(0, 1).returns(1);
  ASSERT_EQ(story.so_far().transfers.size(), 1u);
  EXPECT_EQ(story.so_far().transfer_of(id).unattributed_bytes, 4 * kPage);
  story.told();
}

TEST(RebuildWriteback, fsync_pays_for_the_writes_before_it) {
  Story story;
  const auto file = story.file("/data/a");
  write(story, file, 0, 4 * kPage);
  auto sync = story.call(WIRE_OP_FSYNC, file);
  const uint64_t data = story.completes({sync.writes(0, 4, blk::kSync)});
  sync.waits(WIRE_WAIT_DEVICE, 1000);
  const uint64_t flush = story.completes({sync.flushes()}, {.drops_preflush = true});
  sync.waits(WIRE_WAIT_DEVICE, 1000);
  sync.returns(0);
  const Ledger& ledger = story.told();
  const Request& r = ledger.request_of(2);
  EXPECT_EQ(r.path, Path::kNone);
  EXPECT_EQ(r.cpu_copies, 0u);
  EXPECT_EQ(dma_bytes(r, Cause::kFsync), 4 * kPage);
  EXPECT_EQ(hop_bytes(r, HopKind::kDma, Endpoint::kPageCache, Endpoint::kDevice), 4 * kPage);
  EXPECT_EQ(r.dma_transfers, 1u);
  EXPECT_EQ(ledger.transfer_of(data).cause, Cause::kFsync);
  EXPECT_EQ(share_of(ledger.transfer_of(data).owners, 2), 4 * kPage);
  EXPECT_EQ(share_of(ledger.transfer_of(data).owners, 1), 0u) << "no byte has two owners";
  const Effect& effect = ledger.effects.at(0);
  EXPECT_EQ(effect.cause, Cause::kFsync);
  EXPECT_EQ(share_of(effect.requests, 1), 4 * kPage);
  const Transfer& t = ledger.transfer_of(flush);
  EXPECT_EQ(t.op, "flush");
  EXPECT_EQ(t.cause, Cause::kFlush);
  EXPECT_EQ(t.bytes, 0u);
  EXPECT_EQ(t.owners.size(), 1u);
}

TEST(RebuildWriteback, synchronous_write_is_its_own_device_work_not_an_effect) {
  Story story;
  const auto file = story.file("/data/a");
  auto write_call = story.call(WIRE_OP_WRITE, file).at(0, 2 * kPage).flags(kODsync);
  write_call.dirties(2 * kPage);
  story.completes({write_call.writes(0, 2, blk::kSync)});
  write_call.returns(2 * kPage);
  const Ledger& ledger = story.told();
  EXPECT_TRUE(ledger.effects.empty());
  EXPECT_EQ(dma_bytes(ledger.request_of(1), Cause::kFsync), 2 * kPage);
  EXPECT_EQ(ledger.request_of(1).cpu_copy_bytes, 2 * kPage);
  EXPECT_EQ(story.counters().pending_bytes, 0u);
}

TEST(RebuildWriteback, rwf_sync_counts_as_a_sync) {
  Story story;
  const auto file = story.file("/data/a");
  wire_request_detail record{};
  const wire_owner owner{kApp, kApp, story.now()};
  wire_transfer transfer{};
  transfer.id = 1;
  transfer.bytes = kPage;
  transfer.bios = 1;
  transfer.dev = kDisk;
  transfer.op_flags = blk::kWrite;
  transfer.first.owner = owner;
  transfer.first.ino = file.ino;
  transfer.first.dev = file.dev;
  transfer.first.bytes = kPage;
  transfer.first.op_flags = blk::kWrite;
  transfer.first.queue_ns = story.now();
  story.pass(10);
  story.emit(transfer, WIRE_TRANSFER);
  record.request.start_ns = owner.start_ns;
  record.request.tgid = record.request.tid = kApp;
  record.request.result = kPage;
  record.request.requested = kPage;
  record.request.file = file.alias;
  record.request.call_flags = 2;  // RWF_DSYNC
  record.request.op = WIRE_OP_PWRITEV2;
  record.request.flags = WIRE_REQUEST_DETAIL;
  record.bios = 1;
  record.bio_bytes = kPage;
  story.pass(10);
  record.request.header = {story.now(), WIRE_REQUEST, sizeof record, 0};
  std::vector<uint64_t> words(sizeof record / 8);
  memcpy(words.data(), &record, sizeof record);
  story.raw(words);
  EXPECT_EQ(dma_bytes(story.told().request_of(1), Cause::kFsync), kPage);
}

TEST(RebuildWriteback, partial_page_write_reads_the_page_first) {
  Story story;
  const auto file = story.file("/data/a");
  auto write_call = story.call(WIRE_OP_PWRITE64, file).at(50, 100);
  write_call.adds(0, 1);
  const uint64_t id = story.completes({write_call.reads(0, 1)});
  write_call.waits(WIRE_WAIT_DEVICE, 5000);
  write_call.dirties(kPage);
  write_call.returns(100);
  const Ledger& ledger = story.told();
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(ledger.transfer_of(id).cause, Cause::kReadModifyWrite);
  EXPECT_EQ(dma_bytes(r, Cause::kReadModifyWrite), kPage);
  EXPECT_EQ(r.cpu_copy_bytes, 100u);
  EXPECT_EQ(r.cache, CacheOutcome::kNone);
}

TEST(RebuildWriteback, two_files_merged_into_one_transfer_keep_their_writers) {
  Story story;
  const auto a = story.file("/data/a");
  const auto b = story.file("/data/b");
  write(story, a, 0, kPage);
  write(story, b, 0, 2 * kPage);
  const Bio bio_a = story.flusher_writes(a, 0, 1);
  const Bio bio_b = story.flusher_writes(b, 0, 2);
  const uint64_t id = story.completes({bio_a, bio_b});
  const Ledger& ledger = story.told();
  ASSERT_EQ(ledger.effects.size(), 2u);
  EXPECT_EQ(ledger.effects[0].file, 1u);
  EXPECT_EQ(ledger.effects[1].file, 2u);
  EXPECT_EQ(share_of(ledger.transfer_of(id).owners, 1), kPage);
  EXPECT_EQ(share_of(ledger.transfer_of(id).owners, 2), 2 * kPage);
}

TEST(RebuildWriteback, work_queued_outside_any_request_belongs_to_the_writers) {
  Story story;
  const auto file = story.file("/data/a");
  write(story, file, 0, kPage);
  Bio bio = story.flusher_writes(file, 0, 1);
  bio.part.owner = {kApp, kApp, 0};  // close() after a truncating rewrite
  const uint64_t id = story.completes({bio});
  const Ledger& ledger = story.told();
  EXPECT_EQ(share_of(ledger.transfer_of(id).owners, 1), kPage);
  EXPECT_EQ(ledger.effects.at(0).cause, Cause::kWriteback);
}

TEST(RebuildWriteback, store_through_a_mapping_dirties_its_whole_folio) {
  Story story;
  const auto file = story.file("/data/a");
  auto fault = story.call(WIRE_OP_PAGE_FAULT, file).at(18 * kPage, kPage);
  fault.dirties(16 * kPage);
  fault.ends(0, WIRE_REQUEST_WRITE_FAULT);
  auto sync = story.call(WIRE_OP_MSYNC, file);
  story.completes({sync.writes(16, 16, blk::kSync)});
  sync.returns(0);
  const Ledger& ledger = story.told();
  EXPECT_EQ(share_of(ledger.effects.at(0).requests, 1), 16 * kPage);
  EXPECT_EQ(ledger.effects.at(0).offset, 16 * kPage);
  EXPECT_EQ(story.counters().absorbed_bytes, 0u);
}

TEST(RebuildWriteback, overlay_writes_are_followed_once_the_file_below_is_known) {
  Story story;
  const auto file = story.file("/merged/a", kOverlay);
  const NamedFile below{0, 4711, kDisk + 1};
  write(story, file, 0, kPage);  // into pages of a file that nobody has named yet
  auto first = story.call(WIRE_OP_PWRITE64, file).at(kPage, kPage);
  first.adds_of(below, 1, 1).dirties(kPage);
  first.returns(kPage);
  const uint64_t id = story.completes({story.flusher_writes(below, 1, 1)});
  const Ledger& ledger = story.told();
  EXPECT_EQ(share_of(ledger.transfer_of(id).owners, 2), kPage);
  EXPECT_EQ(ledger.effects.at(0).file, 1u);
  EXPECT_EQ(story.counters().pending_bytes, 0u) << "nothing is claimed of the first write";
}

TEST(RebuildWriteback, forgotten_ranges_are_counted_as_loss) {
  RebuildContext context = Story::default_context();
  context.max_dirty_ranges = 8;
  Story story(context);
  const auto file = story.file("/data/a");
  for (uint64_t i = 0; i < 20; i++) write(story, file, i * 2 * kPage, kPage);
  const Ledger& ledger = story.told();
  ASSERT_EQ(ledger.losses.size(), 1u);
  EXPECT_EQ(ledger.losses[0].cause, "evicted_ranges");
  EXPECT_EQ(ledger.losses[0].count, 12u);
  EXPECT_EQ(story.counters().pending_bytes, 8 * kPage);
}

}  // namespace
}  // namespace iohops::test
