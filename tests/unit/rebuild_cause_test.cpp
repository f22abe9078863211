// Why a device was asked, where it is not what it looks like.
#include <gtest/gtest.h>

#include "core/rebuild/blk_types.hpp"
#include "script.hpp"

namespace iohops::test {
namespace {

constexpr uint64_t kBytes = 16 * kPage;

const Hop* dma_hop(const Request& r) {
  for (const Hop& hop : r.hops)
    if (hop.kind == HopKind::kDma) return &hop;
  return nullptr;
}

TEST(RebuildCause, what_a_device_refused_has_not_moved) {
  Story story;
  const auto file = story.file("/data/a");
  auto write = story.call(WIRE_OP_PWRITE64, file).at(0, kPage).flags(kODirect);
  const uint64_t id = story.completes({write.writes_directly(kPage)},
                                      {.issues = 0, .error = -22, .transfer_flags = WIRE_TRANSFER_NO_ISSUE});
  write.returns(-22);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).dma_transfers, 0u);
  EXPECT_EQ(ledger.request_of(1).dma_bytes, 0u);
  EXPECT_EQ(dma_hop(ledger.request_of(1)), nullptr);
  EXPECT_FALSE(ledger.transfer_of(id).dma.dma) << "and is not in the sum of what did";
  EXPECT_EQ(ledger.transfer_of(id).error, -22);
}

TEST(RebuildCause, metadata_is_neither_swap_nor_a_buffer) {
  for (const uint32_t mistaken : {WIRE_BIO_SWAP, WIRE_BIO_USER}) {
    Story story;
    auto sync = story.call(WIRE_OP_FSYNC, story.file("/data/a", kXfs));
    wire_bio_part block{};
    block.bytes = 512;
    block.op_flags = blk::kRead | blk::kMeta;
    block.flags = mistaken;
    const uint64_t id = story.completes({sync.queues(block)});
    sync.returns(0);
    const Ledger& ledger = story.told();
    EXPECT_EQ(ledger.transfer_of(id).cause, Cause::kMetadata);
    ASSERT_NE(dma_hop(ledger.request_of(1)), nullptr);
    EXPECT_EQ(dma_hop(ledger.request_of(1))->to, Endpoint::kKernel) << "memory of the slab";
  }
}

TEST(RebuildCause, a_write_reads_what_is_mapped_elsewhere_to_take_its_bytes_from) {
  Story story;
  const auto target = story.file("/data/target");
  const auto mapped = story.file("/data/mapped");
  auto write = story.call(WIRE_OP_PWRITE64, target).at(0, 100);
  wire_bio_part part{};
  part.bytes = kPage;
  part.ino = mapped.ino;
  part.dev = mapped.dev;
  part.op_flags = blk::kRead;
  const uint64_t fault = story.completes({write.queues(part)});
  part.op_flags |= blk::kReadahead;
  const uint64_t ahead = story.completes({write.queues(part)});
  part.ino = target.ino;
  const uint64_t around = story.completes({write.queues(part)});
  write.returns(100);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(fault).cause, Cause::kRead);
  EXPECT_EQ(ledger.transfer_of(ahead).cause, Cause::kReadahead);
  EXPECT_EQ(ledger.transfer_of(around).cause, Cause::kReadModifyWrite);
}

TEST(RebuildCause, a_move_past_the_page_cache_is_direct) {
  Story story;
  const auto source = story.file("/from");
  const auto target = story.file("/to");
  auto move = story.call(WIRE_OP_SENDFILE, source).at(0, kBytes).flags(kODirect).to(target, 0);
  wire_bio_part filled{};
  filled.bytes = kBytes;
  filled.flags = WIRE_BIO_NO_MAPPING;
  filled.op_flags = blk::kRead;
  const uint64_t in = story.completes({move.queues(filled)});
  filled.op_flags = blk::kWrite | blk::kSync;
  const uint64_t out = story.completes({move.queues(filled)});
  wire_bio_part handed = filled;
  handed.flags = 0;
  const uint64_t of_source = story.completes({move.queues(handed)});
  handed.ino = target.ino;
  handed.dev = target.dev;
  const uint64_t flushed = story.completes({move.queues(handed)});
  move.ends(kBytes, WIRE_REQUEST_TO_DIRECT);
  const Ledger& ledger = story.told();
  for (const uint64_t id : {in, out, of_source}) EXPECT_EQ(ledger.transfer_of(id).cause, Cause::kDirect);
  EXPECT_EQ(ledger.transfer_of(flushed).cause, Cause::kWriteback) << "dirty pages of the target go first";
}

TEST(RebuildCause, pages_that_are_handed_on_stay_dirty) {
  Story story;
  const auto source = story.file("/from");
  const auto target = story.file("/to");
  story.call(WIRE_OP_PWRITE64, source).at(0, kBytes).dirties(kBytes).returns(kBytes);
  auto move = story.call(WIRE_OP_SENDFILE, source).at(0, kBytes).to(target, 0);
  Bio handed = move.writes(0, 16, blk::kSync);
  handed.part.flags = WIRE_BIO_HANDED;
  const uint64_t id = story.completes({handed});
  move.ends(kBytes, WIRE_REQUEST_TO_DIRECT);
  const uint64_t later = story.completes({story.flusher_writes(source, 0, 16)});
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.transfer_of(id).cause, Cause::kDirect);
  EXPECT_EQ(ledger.transfer_of(id).owners.front().request, ledger.request_of(2).id);
  ASSERT_EQ(ledger.effects.size(), 1u) << "what was written is still to be written back";
  EXPECT_EQ(ledger.effects.front().transfer, later);
  EXPECT_EQ(ledger.effects.front().requests.front().request, ledger.request_of(1).id);
}

TEST(RebuildCause, journalled_data_is_no_hole) {
  FileSpec journalled;
  journalled.flags = WIRE_FILE_JOURNALLED;
  Story story;
  for (const FileSpec& spec : {FileSpec{}, journalled})
    story.call(WIRE_OP_PREAD64, story.file("/data/" + std::to_string(spec.flags), spec))
        .at(0, kBytes)
        .flags(kODirect)
        .returns(kBytes);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).cpu_copy_bytes, 0u);
  EXPECT_EQ(ledger.request_of(2).cpu_copy_bytes, kBytes) << "out of the page cache: no device was asked";
}

TEST(RebuildCause, a_discard_has_no_bytes_that_nobody_owns) {
  Story story;
  const auto file = story.file("/data/a");
  Bio bio = story.flusher_writes(file, 0, 16);
  bio.part.op_flags = blk::kDiscard;
  bio.part.flags = bio.part.ino = 0;
  const uint64_t id = story.completes({bio});
  const Transfer& t = story.told().transfer_of(id);
  EXPECT_EQ(t.bytes, kBytes) << "the sectors that it names";
  EXPECT_EQ(t.unattributed_bytes, 0u);
}

}  // namespace
}  // namespace iohops::test
