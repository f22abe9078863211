// Messages on sockets, whose copy is not always what the result says: zero copy, and what is received
// to be thrown away.
#include "core/ops.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

// include/linux/socket.h
constexpr uint32_t kMsgTrunc = 0x20;
constexpr uint32_t kMsgErrqueue = 0x2000;
constexpr uint32_t kMsgZerocopy = 0x4000000;
constexpr uint16_t kUringRecvmsg = WIRE_OP_URING + 10;  // IORING_OP_RECVMSG

void add_reference(RebuildState& s, uint64_t bytes) {
  Hop hop;
  hop.kind = HopKind::kRef;
  hop.evidence = Evidence::kObserved;
  hop.from = Endpoint::kUser;
  hop.to = Endpoint::kSocket;
  hop.bytes = bytes;
  hop.at_ns = s.request.start_ns;
  hop.end_ns = s.request.start_ns + s.request.duration_ns;
  s.request.hops.push_back(hop);
}

// More may have come than was copied: how much fitted into a buffer that the kernel chose is not known; the
// result of a recvmsg that completes many times counts its header (struct io_uring_recvmsg_out), too.
bool result_overstates(const wire_request& request) {
  const bool cut = (request.call_flags & kMsgTrunc) != 0 && request.requested == WIRE_UNKNOWN;
  return cut || (request.op == kUringRecvmsg && (request.flags & WIRE_REQUEST_MULTISHOT) != 0);
}

}  // namespace

Copy message_copy(RebuildState& s, const wire_request_detail& record, const FileState& file,
                  const Copy& derived) {
  const wire_request& request = record.request;
  if (file.storage != Storage::kSocket || derived.bytes == 0) return derived;
  const SocketFacts socket(file.rdev);
  if (family(request.op) == OpFamily::kRead) {
    // tcp(7): MSG_TRUNC discards the bytes.
    const bool discards = socket.is_inet() && socket.is_stream() &&
                          (request.call_flags & kMsgTrunc) != 0 &&
                          (request.call_flags & kMsgErrqueue) == 0;
    if (discards) return {0, Evidence::kDerived};
    return result_overstates(request) ? Copy{derived.bytes, Evidence::kInferred} : derived;
  }
  if ((request.call_flags & kMsgZerocopy) == 0) return derived;
  // Without the flag the wish was not granted; of a datagram socket without a fixed route it is not
  // known.
  if ((request.flags & WIRE_REQUEST_ZEROCOPY) == 0) {
    return {derived.bytes, socket.is_stream() ? Evidence::kDerived : Evidence::kInferred};
  }
  add_reference(s, derived.bytes);
  s.request.path = Path::kZeroCopy;
  // A local receiver gets no foreign pages: they are copied on the way (skb_orphan_frags_rx).
  if ((request.flags & WIRE_REQUEST_LOOPBACK) != 0) return derived;
  // Nor does what receives from a veth, but for a bridge that hands them to a card.
  if ((request.flags & WIRE_REQUEST_VETH) != 0) return {derived.bytes, Evidence::kInferred};
  return {0, Evidence::kObserved};
}

}  // namespace iohops
