// Page faults on file mappings: pages mapped, loaded, copied on write.
#include <gtest/gtest.h>

#include <utility>

#include "script.hpp"

namespace iohops::test {
namespace {

TEST(RebuildFault, cached_fault_maps_one_page_and_copies_nothing) {
  Story story;
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_PAGE_FAULT, file).at(3 * kPage, kPage).returns(0);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.submit, Submit::kPageFault);
  EXPECT_EQ(r.path, Path::kMapped);
  EXPECT_EQ(r.cache, CacheOutcome::kHit);
  EXPECT_EQ(r.mode_switches, 2u);
  EXPECT_EQ(r.cpu_copies, 0u);
  EXPECT_EQ(hop_bytes(r, HopKind::kMap, Endpoint::kPageCache, Endpoint::kUser), kPage);
  EXPECT_EQ(r.hops.at(0).evidence, Evidence::kObserved);
}

TEST(RebuildFault, cold_fault_reads_around_itself) {
  Story story;
  const auto file = story.file("/data/a");
  auto fault = story.call(WIRE_OP_PAGE_FAULT, file).at(10 * kPage, kPage);
  fault.adds(0, 32);
  story.completes({fault.reads(0, 32)});
  fault.waits(WIRE_WAIT_DEVICE, 4000);
  fault.ends(0, WIRE_REQUEST_MAJOR);
  const Request& r = story.told().request_of(1);
  EXPECT_TRUE(r.major_fault);
  EXPECT_EQ(r.cache, CacheOutcome::kMiss);
  EXPECT_EQ(r.miss_bytes, kPage);
  EXPECT_EQ(r.readahead_bytes, 31 * kPage);
  EXPECT_EQ(dma_bytes(r, Cause::kRead), kPage);
  EXPECT_EQ(dma_bytes(r, Cause::kReadahead), 31 * kPage);
}

TEST(RebuildFault, private_store_copies_the_page) {
  Story story;
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_PAGE_FAULT, file)
      .at(0, kPage)
      .ends(0, WIRE_REQUEST_PRIVATE | WIRE_REQUEST_WRITE_FAULT);
  const Request& r = story.told().request_of(1);
  EXPECT_TRUE(r.write_fault);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kPageCache, Endpoint::kUser), kPage);
  EXPECT_EQ(hop_bytes(r, HopKind::kMap, Endpoint::kPageCache, Endpoint::kUser), 0u);
}

TEST(RebuildFault, a_copy_that_the_kernel_told_of_is_observed_and_not_derived_from_the_mapping) {
  for (const auto& [flag, evidence] :
       {std::pair(0, Evidence::kDerived),
        std::pair<int, Evidence>(WIRE_REQUEST_COPIED, Evidence::kObserved)}) {
    Story story;
    const auto file = story.file("/data/a");
    story.call(WIRE_OP_PAGE_FAULT, file)
        .at(0, kPage)
        .ends(0, WIRE_REQUEST_PRIVATE | WIRE_REQUEST_WRITE_FAULT | flag);
    const Request& r = story.told().request_of(1);
    ASSERT_EQ(r.hops.size(), 1u);
    EXPECT_EQ(r.hops[0].kind, HopKind::kCpuCopy);
    EXPECT_EQ(r.hops[0].bytes, kPage);
    EXPECT_EQ(r.hops[0].evidence, evidence);
    EXPECT_EQ(r.cache, CacheOutcome::kHit);
  }
}

}  // namespace
}  // namespace iohops::test
