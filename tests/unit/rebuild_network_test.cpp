// Packets: whose they are, and which devices count.
#include <gtest/gtest.h>

#include "script.hpp"

namespace iohops::test {
namespace {

constexpr uint32_t kEth = 2, kVeth = 3;

RebuildContext networked() {
  RebuildContext context = Story::default_context();
  context.devices.push_back({network_device(kEth), "eth0", "e1000e", true, 512, 0});
  context.devices.push_back({network_device(kVeth), "veth0", "", false, 512, 0});
  return context;
}

void packet(Story& story, const NamedFile& socket, const wire_owner& owner, uint64_t bytes,
            uint32_t ifindex, uint32_t flags) {
  wire_packet record{};
  record.owner = owner;
  record.bytes = bytes;
  record.ifindex = ifindex;
  record.file = socket.alias;
  record.flags = flags;
  story.emit(record, WIRE_PACKET);
}

TEST(RebuildNetwork, a_packet_sent_within_a_write_is_the_requests) {
  Story story(networked());
  const auto socket = story.file("socket:[1]", kSocket);
  auto write = story.call(WIRE_OP_WRITE, socket).at(WIRE_UNKNOWN, 10'000);
  packet(story, socket, write.owner(), 10'066, kEth, 0);
  write.returns(10'000);
  const Ledger& ledger = story.told();
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(hop_bytes(r, HopKind::kDma, Endpoint::kSocket, Endpoint::kNic), 10'066u);
  EXPECT_EQ(r.dma_bytes, 10'066u);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kUser, Endpoint::kSocket), 10'000u);
  ASSERT_EQ(ledger.transfers.size(), 1u);
  const Transfer& sent = ledger.transfers.front();
  EXPECT_EQ(sent.op, "transmit");
  EXPECT_EQ(sent.cause, Cause::kTransmit);
  EXPECT_EQ(sent.dma.evidence, Evidence::kDerived);
  EXPECT_EQ(sent.unattributed_bytes, 0u);
  ASSERT_EQ(sent.owners.size(), 1u);
  EXPECT_EQ(sent.owners.front().request, r.id);
}

TEST(RebuildNetwork, received_payload_came_through_its_device) {
  Story story(networked());
  const auto socket = story.file("socket:[1]", kSocket);
  auto read = story.call(WIRE_OP_READ, socket).at(WIRE_UNKNOWN, 65'536);
  packet(story, socket, read.owner(), 4'000, kEth, WIRE_PACKET_RECEIVED);
  packet(story, socket, read.owner(), 3'000, kEth, WIRE_PACKET_RECEIVED);
  read.returns(7'000);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(hop_bytes(r, HopKind::kDma, Endpoint::kNic, Endpoint::kSocket), 7'000u);
  EXPECT_EQ(r.dma_transfers, 2u);
  EXPECT_TRUE(r.complete);
}

TEST(RebuildNetwork, what_an_acknowledgement_sets_free_belongs_to_no_request) {
  Story story(networked());
  const auto socket = story.file("socket:[1]", kSocket);
  story.call(WIRE_OP_WRITE, socket).at(WIRE_UNKNOWN, 100).returns(100);
  packet(story, socket, {kApp, 0, 0}, 1'514, kEth, 0);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).dma_transfers, 0u);
  ASSERT_EQ(ledger.transfers.size(), 1u);
  EXPECT_EQ(ledger.transfers.front().unattributed_bytes, 1'514u);
  EXPECT_EQ(ledger.transfers.front().file, 1u);
}

TEST(RebuildNetwork, a_device_without_dma_moves_nothing) {
  Story story(networked());
  const auto socket = story.file("socket:[1]", kSocket);
  auto write = story.call(WIRE_OP_WRITE, socket).at(WIRE_UNKNOWN, 100);
  packet(story, socket, write.owner(), 166, kVeth, 0);
  packet(story, socket, write.owner(), 166, 77, 0);  // one that came later than the header
  write.returns(100);
  const Ledger& ledger = story.told();
  EXPECT_TRUE(ledger.transfers.empty());
  EXPECT_EQ(ledger.request_of(1).dma_bytes, 0u);
}

}  // namespace
}  // namespace iohops::test
