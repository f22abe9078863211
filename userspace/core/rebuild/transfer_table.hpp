// TransferTable: block requests that have completed and wait to be handed out, and the bios that
// announce one. Sees slots; the block handler fills them.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "bpf/wire.h"
#include "core/model/model.hpp"
#include "core/flat_map.hpp"
#include "core/rebuild/names.hpp"

namespace iohops {

// Bytes of a transfer, counted from its first, that belong to one request (seq 0: to nobody).
struct OwnedRange {
  uint64_t begin = 0;
  uint64_t end = 0;
  RequestId request;
  Cause cause = Cause::kUnknown;
};

// What a part carries on: a transfer of the device above.
struct Above {
  uint64_t transfer = 0;  // id, 0: none
  int64_t at = 0;         // of the part's first byte there; it can begin before, and end behind
  bool copied = false;    // in pages of the driver's own
  Evidence evidence = Evidence::kObserved;
};

// One bio of a completed block request.
struct TransferPart {
  wire_bio_part bio{};
  uint64_t bytes = 0;  // of the transfer; less than bio.bytes if it was cut short
  RequestId owner;     // seq 0: no request
  Cause cause = Cause::kUnknown;
  uint64_t at = 0;     // of its first byte in the transfer
  uint64_t ahead = 0;  // the bytes at its end that are readahead, of a read
  Above above;
  std::vector<OwnedRange> inherited;  // from the transfer above, once that is known
};

// Bytes of earlier requests that a part carried to the device.
struct Claim {
  uint32_t part = 0;
  uint32_t file = 0;
  uint64_t offset = 0;
  std::vector<Share> shares;
  uint64_t oldest_end_ns = 0;
};

// A part that waits for the transfer above it.
struct ChildRef {
  uint32_t slot = 0;
  uint32_t part = 0;
  uint64_t transfer = 0;  // its own: the slot may be another's by now
};

struct PendingTransfer {
  wire_transfer record{};
  bool dma = false;
  std::vector<TransferPart> parts;
  std::vector<Claim> claims;
  std::array<uint64_t, kCauses> bytes_by_cause{};
  // Parts whose owner has not ended, pages whose writer is not known yet, and the handler that is
  // working on it.
  uint32_t waiting_for = 0;
  bool has_deadline = false;  // it is in the list of those that wait for writers
  std::vector<ChildRef> children;  // that carry it on
};

class TransferTable {
 public:
  // A bio of a transfer whose own record is still to come. Bounded: the oldest is forgotten.
  void keep(const wire_bio& record);
  // False: a transfer of this id was told not long ago. To count it again would double its bytes.
  bool is_new(uint64_t transfer);
  // A slot for the transfer with all its parts, the kept ones included.
  uint32_t open(const wire_transfer& record);
  PendingTransfer& operator[](uint32_t slot) { return slots_[slot]; }
  void release(uint32_t slot);

 private:
  static constexpr size_t kMaxKept = 4096;  // more only after their transfers were lost
  static constexpr size_t kRemembered = 4096;

  std::deque<PendingTransfer> slots_;
  std::vector<uint32_t> free_;
  std::deque<wire_bio> kept_;
  FlatMap<uint64_t, bool> told_;
  std::deque<uint64_t> told_order_;  // the oldest first
};

}  // namespace iohops
