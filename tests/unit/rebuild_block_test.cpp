// Block requests: merges, splits, requeues, devices without DMA, and causes.
#include <gtest/gtest.h>

#include "core/rebuild/blk_types.hpp"
#include "script.hpp"

namespace iohops::test {
namespace {

TEST(RebuildBlock, reads_of_two_threads_merged_into_one_transfer_share_its_bytes) {
  Story story;
  story.thread(101, "worker");
  const auto file = story.file("/data/a");
  auto first = story.call(WIRE_OP_PREAD64, file).at(0, kPage);
  auto second = story.call(WIRE_OP_PREAD64, file).at(kPage, 2 * kPage).on_thread(101);
  const Bio a = first.adds(0, 1).reads(0, 1);
  const Bio b = second.adds(1, 2).reads(1, 2);
  const uint64_t id = story.completes({a, b});
  first.returns(kPage);
  second.returns(2 * kPage);
  const Ledger& ledger = story.told();
  const Transfer& t = ledger.transfer_of(id);
  ASSERT_EQ(t.owners.size(), 2u);
  EXPECT_EQ(t.bios, 2u);
  EXPECT_EQ(t.unattributed_bytes, 0u);
  EXPECT_EQ(ledger.request_of(1).dma_bytes, kPage);
  EXPECT_EQ(ledger.request_of(2).dma_bytes, 2 * kPage);
  EXPECT_EQ(ledger.request_of(2).comm, "worker");
}

TEST(RebuildBlock, what_a_thread_queues_outside_of_requests_names_the_thread) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, kPage);
  const Bio owned = read.adds(0, 1).reads(0, 1);
  Bio mine = owned, others = owned, nobodys = owned;
  mine.part.owner.start_ns = others.part.owner.start_ns = nobodys.part.owner.start_ns = 0;
  others.part.owner.tid = 101;
  nobodys.part.owner = {};
  const uint64_t id = story.completes({owned, mine, others, mine, nobodys});
  read.returns(kPage);
  const Transfer& t = story.told().transfer_of(id);
  ASSERT_EQ(t.owners.size(), 1u);
  ASSERT_EQ(t.queued_by.size(), 2u);
  EXPECT_EQ(t.queued_by[0].tid, owned.part.owner.tid);
  EXPECT_EQ(t.queued_by[0].pid, owned.part.owner.tgid);
  EXPECT_EQ(t.queued_by[0].bytes, 2 * kPage);
  EXPECT_EQ(t.queued_by[1].tid, 101u);
  EXPECT_EQ(t.queued_by[1].bytes, kPage);
  EXPECT_EQ(t.unattributed_bytes, 4 * kPage);
}

TEST(RebuildBlock, without_system_calls_no_cause_is_guessed) {
  RebuildContext context = Story::default_context();
  context.light = true;
  Story story(context);
  const auto file = story.file("/data/a");
  auto call = story.call(WIRE_OP_PREAD64, file).at(0, kPage);
  const auto outside = [&](Bio bio) {
    bio.part.owner.start_ns = 0;
    return story.completes({bio});
  };
  const uint64_t read = outside(call.reads(0, 1));
  const uint64_t ahead = outside(call.reads(1, 8, blk::kReadahead));
  const uint64_t written = outside(call.writes(0, 1, blk::kSync));
  const uint64_t direct = outside(call.reads_directly(kPage));
  Bio flusher = call.writes(0, 1);
  flusher.part.owner = {};
  const uint64_t later = story.completes({flusher});
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(read).cause, Cause::kRead);
  EXPECT_EQ(ledger.transfer_of(ahead).cause, Cause::kUnknown);
  EXPECT_EQ(ledger.transfer_of(written).cause, Cause::kUnknown);
  EXPECT_EQ(ledger.transfer_of(direct).cause, Cause::kDirect);
  EXPECT_EQ(ledger.transfer_of(later).cause, Cause::kWriteback);
  EXPECT_TRUE(ledger.transfer_of(later).queued_by.empty());
}

TEST(RebuildBlock, request_of_two_split_bios_waits_for_both) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, 256 * kPage).flags(kODirect);
  Bio rest = read.reads_directly(256 * kPage);
  const Bio front = story.split(rest, 254);
  read.returns(256 * kPage);
  story.completes({rest});
  EXPECT_TRUE(story.so_far().requests.empty()) << "the front part is still in flight";
  const uint64_t id = story.completes({front});
  const Ledger& ledger = story.told();
  const Request& r = ledger.request_of(1);
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.dma_transfers, 2u);
  EXPECT_EQ(r.dma_bytes, 256 * kPage);
  EXPECT_EQ(ledger.transfer_of(id).splits, 1u);
}

TEST(RebuildBlock, requeued_request_counts_its_bytes_once) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage).flags(kODirect);
  const uint64_t id = story.completes({read.reads_directly(kPage)}, {.issues = 3});
  read.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(id).requeues, 2u);
  EXPECT_EQ(ledger.request_of(1).dma_bytes, kPage);
}

TEST(RebuildBlock, completion_seen_before_the_request_ends_is_the_same_as_after) {
  Story before, after;
  for (Story* story : {&before, &after}) {
    const auto file = story->file("/data/a");
    auto read = story->call(WIRE_OP_READ, file).at(0, kPage);
    const Bio bio = read.adds(0, 4).reads(0, 4);
    if (story == &before) story->completes({bio});
    read.returns(kPage);
    if (story == &after) story->completes({bio});
    const Request& r = story->told().request_of(1);
    EXPECT_EQ(dma_bytes(r, Cause::kRead), kPage);
    EXPECT_EQ(dma_bytes(r, Cause::kReadahead), 3 * kPage);
    EXPECT_EQ(story->so_far().transfers.at(0).cause, Cause::kRead);
  }
}

TEST(RebuildBlock, completion_after_the_process_has_gone_still_belongs_to_its_request) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage);
  const Bio bio = read.adds(0, 8).reads(0, 8, blk::kReadahead);
  read.ends(0, WIRE_REQUEST_ABORTED);
  story.process_exits(kApp);
  story.completes({bio});
  const Ledger& ledger = story.told();
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(r.ended, "aborted");
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.mode_switches, 1u) << "it never came back";
  EXPECT_EQ(r.cpu_copies, 0u);
  EXPECT_EQ(r.dma_bytes, 8 * kPage);
  EXPECT_TRUE(ledger.processes.back().exit_ns.has_value());
}

TEST(RebuildBlock, bio_queued_before_tracing_is_unattributed) {
  Story story;
  const auto file = story.file("/data/a");
  Bio bio = story.flusher_writes(file, 0, 4);
  bio.part.op_flags = blk::kRead;
  bio.part.queue_ns = 0;
  bio.part.flags = WIRE_BIO_LATE;
  const uint64_t id = story.completes({bio});
  const Transfer& t = story.told().transfer_of(id);
  EXPECT_EQ(t.unattributed_bytes, 4 * kPage);
  EXPECT_FALSE(t.queue_ns.has_value());
  EXPECT_TRUE(t.owners.empty());
}

TEST(RebuildBlock, bytes_of_lost_bios_are_unattributed) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage).flags(kODirect);
  Bio bio = read.reads_directly(kPage);
  wire_transfer record{};
  record.id = 9;
  record.bytes = 3 * kPage;
  record.bios = 3;
  record.dev = kDisk;
  record.first = bio.part;
  story.emit(record, WIRE_TRANSFER);
  read.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(9).unattributed_bytes, 2 * kPage);
  EXPECT_EQ(ledger.request_of(1).dma_bytes, kPage);
}

TEST(RebuildBlock, device_without_dma_moves_bytes_that_are_no_dma) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage);
  const Bio bio = read.adds(0, 1).reads(0, 1);
  const uint64_t id = story.completes({bio}, {.dev = kLoop});
  read.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_FALSE(ledger.transfer_of(id).dma.dma);
  EXPECT_EQ(ledger.transfer_of(id).bytes, kPage);
  EXPECT_EQ(ledger.request_of(1).dma_bytes, 0u);
  EXPECT_EQ(ledger.request_of(1).dma_transfers, 0u);
}

TEST(RebuildBlock, stacked_device_is_not_counted_twice) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage).flags(kODirect);
  const Bio upper = read.reads_directly(kPage);
  const Bio lower = read.reads_directly(kPage);
  story.completes({lower});
  story.completes({upper}, {.dev = 253u << 20, .transfer_flags = WIRE_TRANSFER_BIO_BASED});
  read.returns(kPage);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.dma_bytes, kPage);
  EXPECT_EQ(r.path, Path::kDirect);
}

TEST(RebuildBlock, dma_events_make_it_observed) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage).flags(kODirect);
  const uint64_t id =
      story.completes({read.reads_directly(kPage)}, {.dma_source = WIRE_DMA_MAP_SG});
  read.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(id).dma.evidence, Evidence::kObserved);
  EXPECT_EQ(ledger.request_of(1).hops.at(0).evidence, Evidence::kObserved);
}

TEST(RebuildBlock, bounce_buffer_of_a_read_costs_two_copies) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage).flags(kODirect);
  const Bio bio = read.reads_directly(kPage);
  story.completes({bio}, {.dma_source = WIRE_DMA_MAP_SG, .bounced_bytes = kPage});
  read.returns(kPage);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.cpu_copies, 2u);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kUser, Endpoint::kBounce), kPage);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kBounce, Endpoint::kUser), kPage);
  EXPECT_EQ(hop_bytes(r, HopKind::kDma, Endpoint::kDevice, Endpoint::kBounce), kPage);
}

TEST(RebuildBlock, failed_transfer_says_so) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage).flags(kODirect);
  const uint64_t id = story.completes({read.reads_directly(kPage)}, {.error = -5});
  read.returns(-5);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(id).error, -5);
  EXPECT_EQ(ledger.request_of(1).cpu_copies, 0u);
}

TEST(RebuildBlock, what_is_no_file_data_has_its_cause) {
  Story story;
  const auto file = story.file("/data/a");
  auto sync = story.call(WIRE_OP_FSYNC, file);
  wire_bio_part journal{}, table{}, swap{}, discard{}, erase{}, zeroes{};
  for (wire_bio_part* part : {&journal, &table, &swap, &discard, &erase, &zeroes}) part->bytes = kPage;
  journal.flags = table.flags = WIRE_BIO_METADATA;
  journal.op_flags = blk::kWrite | blk::kSync | blk::kMeta;
  table.op_flags = blk::kWrite;
  swap.op_flags = blk::kWrite;
  swap.flags = WIRE_BIO_SWAP;
  discard.op_flags = blk::kDiscard | blk::kSync;
  erase.op_flags = blk::kSecureErase;
  zeroes.op_flags = blk::kWriteZeroes;
  std::vector<uint64_t> ids;
  for (const auto& part : {journal, table, swap, discard, erase, zeroes})
    ids.push_back(story.completes({sync.queues(part)}));
  sync.returns(0);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(ids[0]).cause, Cause::kJournal);
  EXPECT_EQ(ledger.transfer_of(ids[1]).cause, Cause::kMetadata);
  EXPECT_EQ(ledger.transfer_of(ids[2]).cause, Cause::kSwap);
  EXPECT_EQ(ledger.transfer_of(ids[3]).op, "discard");
  EXPECT_EQ(ledger.transfer_of(ids[3]).cause, Cause::kDiscard);
  EXPECT_EQ(ledger.transfer_of(ids[4]).cause, Cause::kDiscard);
  EXPECT_EQ(ledger.transfer_of(ids[5]).cause, Cause::kWriteZeroes);
  EXPECT_EQ(ledger.request_of(1).dma_bytes, 3 * kPage) << "what discards or zeroes carries no data";
}

// Where interrupts are hidden: a traced bio is freed unseen, and its address is next that of somebody else's.
TEST(RebuildBlock, a_write_is_not_the_completion_of_a_read) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, kPage);
  Bio bio = read.adds(0, 1).reads(0, 1);
  bio.part.bytes = 200 * kPage;  // as large as the other's
  story.completes({bio}, {.op_flags = blk::kWrite});
  read.returns(kPage);
  story.pass(10'000'000'000);
  const Ledger& ledger = story.told();
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(r.dma_bytes, 0u);
  EXPECT_FALSE(r.complete) << "when its own bytes came is not known";
  EXPECT_TRUE(ledger.transfers.empty());
  ASSERT_EQ(ledger.losses.size(), 1u);
  EXPECT_EQ(ledger.losses[0].cause, "completion_missed");
}

TEST(RebuildBlock, flags_of_a_block_request_are_named) {
  Story story;
  const auto file = story.file("/data/a");
  auto sync = story.call(WIRE_OP_FSYNC, file);
  const uint64_t id = story.completes({sync.writes(0, 1, blk::kSync | blk::kFua)});
  sync.returns(0);
  const Transfer& t = story.told().transfer_of(id);
  EXPECT_EQ(t.op, "write");
  EXPECT_EQ(t.flags, (std::vector<std::string_view>{"sync", "fua"}));
}

}  // namespace
}  // namespace iohops::test
