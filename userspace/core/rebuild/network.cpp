// What network devices moved for sockets. A device without DMA (loopback, veth, a bridge) only
// hands the packet on: nothing is told of it.
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

// Apart from the ids that the kernel side gives to block requests: (CPU + 1) << 40 | counter.
constexpr uint64_t kPacketIds = uint64_t{1} << 62;

void add_network_hop(RebuildState& s, HeldRequest& held, const Transfer& transfer, bool received) {
  held.dma_transfers++;
  held.dma_bytes += transfer.bytes;
  if (held.hops.size() >= kMaxHops) {
    held.crowded = true;
    return;
  }
  Hop hop;
  hop.kind = HopKind::kDma;
  hop.evidence = transfer.dma.evidence;
  hop.from = received ? Endpoint::kNic : Endpoint::kSocket;
  hop.to = received ? Endpoint::kSocket : Endpoint::kNic;
  hop.bytes = transfer.bytes;
  hop.at_ns = hop.end_ns = std::max(transfer.complete_ns, s.since_start(held.owner.start_ns));
  hop.transfer = transfer.id;
  hop.device = transfer.device;
  hop.cause = transfer.cause;
  held.hops.push_back(hop);
  s.add_details(held, 1);
}

}  // namespace

Status on_packet(RebuildState& s, const wire_packet& record) {
  const uint32_t device = network_device(record.ifindex);
  const bool* dma = s.device_dma.find(device);
  if (dma == nullptr || !*dma) return {};
  const bool received = (record.flags & WIRE_PACKET_RECEIVED) != 0;
  Transfer& transfer = s.transfer;
  transfer = {};
  transfer.id = kPacketIds | ++s.packets;
  transfer.device = device;
  transfer.op = received ? "receive" : "transmit";
  transfer.cause = received ? Cause::kReceive : Cause::kTransmit;
  transfer.bytes = record.bytes;
  transfer.complete_ns = s.since_start(record.header.time_ns);
  transfer.unattributed_bytes = record.bytes;
  transfer.dma.dma = true;
  if (const FileState* file = s.names.find_file(record.file)) transfer.file = file->id;
  if (record.owner.start_ns != 0) {
    auto entry = mention(s, record.owner);
    if (!entry) return entry.error();
    transfer.owners.push_back({entry->id, record.bytes});
    transfer.unattributed_bytes = 0;
    if (entry->slot != OpenTable::kReleased)
      add_network_hop(s, s.open[entry->slot], transfer, received);
  }
  return s.sink.transfer(transfer);
}

}  // namespace iohops
