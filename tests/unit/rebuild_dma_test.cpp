// What the DMA layer said of a block request, and what the ledger makes of it: evidence and bounce
// copies, never a second count of bytes.
#include <gtest/gtest.h>

#include "script.hpp"

namespace iohops::test {
namespace {

constexpr uint64_t k64K = 16 * kPage;

// A direct read of 64 KiB on one device, with or without words of the DMA layer.
const Ledger& tell_read(Story& story, Story::How how) {
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, k64K).flags(kODirect);
  story.completes({read.reads_directly(k64K)}, how);
  read.returns(k64K);
  return story.told();
}

const Hop& dma_hop(const Request& request) {
  for (const Hop& hop : request.hops)
    if (hop.kind == HopKind::kDma) return hop;
  static const Hop none;
  ADD_FAILURE() << "no DMA hop";
  return none;
}

TEST(RebuildDma, every_way_of_mapping_makes_the_hop_observed) {
  for (uint32_t source : {WIRE_DMA_MAP_PAGE, WIRE_DMA_MAP_SG, WIRE_DMA_MAP_PHYS, WIRE_DMA_IOMMU}) {
    Story story;
    const Ledger& ledger = tell_read(story, {.dma_source = source});
    EXPECT_EQ(dma_hop(ledger.request_of(1)).evidence, Evidence::kObserved) << source;
    EXPECT_EQ(ledger.transfers.at(0).dma.evidence, Evidence::kObserved) << source;
    EXPECT_EQ(ledger.request_of(1).dma_bytes, k64K);
  }
}

TEST(RebuildDma, silence_of_the_dma_layer_leaves_the_hop_derived_and_its_bytes_alone) {
  Story story;
  const Ledger& ledger = tell_read(story, {});
  EXPECT_EQ(dma_hop(ledger.request_of(1)).evidence, Evidence::kDerived);
  EXPECT_EQ(ledger.request_of(1).dma_bytes, k64K);
  EXPECT_EQ(ledger.transfers.at(0).dma.mapped_bytes, 0u);
}

TEST(RebuildDma, a_requeued_request_is_one_transfer_though_mapped_twice) {
  Story story;
  const Ledger& ledger = tell_read(story, {.issues = 2, .dma_source = WIRE_DMA_MAP_PHYS});
  ASSERT_EQ(ledger.transfers.size(), 1u);
  EXPECT_EQ(ledger.transfers[0].requeues, 1u);
  EXPECT_EQ(ledger.request_of(1).dma_transfers, 1u);
  EXPECT_EQ(ledger.request_of(1).dma_bytes, k64K);
}

TEST(RebuildDma, bounced_write_is_copied_once_and_leaves_from_the_bounce_buffer) {
  Story story;
  const auto file = story.file("/data/a");
  auto write = story.call(WIRE_OP_PWRITE64, file).at(0, k64K).flags(kODirect);
  story.completes({write.writes_directly(k64K)},
                  {.dma_source = WIRE_DMA_MAP_SG, .bounced_bytes = k64K});
  write.returns(k64K);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kUser, Endpoint::kBounce), k64K);
  EXPECT_EQ(hop_bytes(r, HopKind::kDma, Endpoint::kBounce, Endpoint::kDevice), k64K);
  EXPECT_EQ(r.cpu_copies, 1u);
}

const Hop* copy_hop(const Request& request, Endpoint from, Endpoint to) {
  for (const Hop& hop : request.hops)
    if (hop.kind == HopKind::kCpuCopy && hop.from == from && hop.to == to) return &hop;
  return nullptr;
}

TEST(RebuildDma, what_the_copying_function_said_counts_and_not_the_rule) {
  struct {
    uint64_t in, out;
  } const kernels[] = {{k64K, k64K}, {0, k64K}};  // with and without the copy before a read
  for (const auto& kernel : kernels) {
    Story story;
    const Request& r = tell_read(story, {.bounced_bytes = k64K,
                                         .bounce_bytes_in = kernel.in,
                                         .bounce_bytes_out = kernel.out})
                           .request_of(1);
    EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kUser, Endpoint::kBounce), kernel.in);
    const Hop* out = copy_hop(r, Endpoint::kBounce, Endpoint::kUser);
    ASSERT_NE(out, nullptr);
    EXPECT_EQ(out->bytes, k64K);
    EXPECT_EQ(out->evidence, Evidence::kMeasured);
    EXPECT_EQ(r.cpu_copies, kernel.in > 0 ? 2u : 1u);
  }
}

TEST(RebuildDma, without_a_word_of_the_copying_function_bounce_copies_are_derived) {
  Story story;
  const Request& r = tell_read(story, {.bounced_bytes = k64K}).request_of(1);
  for (auto [from, to] : {std::pair(Endpoint::kUser, Endpoint::kBounce),
                          std::pair(Endpoint::kBounce, Endpoint::kUser)}) {
    const Hop* hop = copy_hop(r, from, to);
    ASSERT_NE(hop, nullptr);
    EXPECT_EQ(hop->evidence, Evidence::kDerived);
  }
}

TEST(RebuildDma, bounced_read_of_a_kernel_that_fills_no_buffer_before_is_copied_out_only) {
  RebuildContext context = Story::default_context();
  context.swiotlb_copies_in_on_read = false;
  Story story(context);
  const Request& r = tell_read(story, {.bounced_bytes = k64K}).request_of(1);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kUser, Endpoint::kBounce), 0u);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kBounce, Endpoint::kUser), k64K);
}

TEST(RebuildDma, merged_bios_share_what_was_bounced_by_their_bytes) {
  Story story;
  const auto file = story.file("/data/a");
  auto first = story.call(WIRE_OP_PWRITE64, file).at(0, kPage).flags(kODirect);
  const Bio front = first.writes_directly(kPage);
  auto second =
      story.call(WIRE_OP_PWRITE64, file).at(kPage, 3 * kPage).flags(kODirect).on_thread(kApp + 1);
  const Bio back = second.writes_directly(3 * kPage);
  story.completes({front, back}, {.dma_source = WIRE_DMA_MAP_SG, .bounced_bytes = 4 * kPage});
  first.returns(kPage);
  second.returns(3 * kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(hop_bytes(ledger.request_of(1), HopKind::kCpuCopy, Endpoint::kUser, Endpoint::kBounce),
            kPage);
  EXPECT_EQ(hop_bytes(ledger.request_of(2), HopKind::kCpuCopy, Endpoint::kUser, Endpoint::kBounce),
            3 * kPage);
}

TEST(RebuildDma, partly_bounced_transfer_is_not_called_a_bounced_one) {
  Story story;
  const Request& r =
      tell_read(story, {.dma_source = WIRE_DMA_MAP_SG, .bounced_bytes = kPage}).request_of(1);
  EXPECT_EQ(hop_bytes(r, HopKind::kDma, Endpoint::kDevice, Endpoint::kUser), k64K);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kBounce, Endpoint::kUser), kPage);
}

}  // namespace
}  // namespace iohops::test
