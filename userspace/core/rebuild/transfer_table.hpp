// TransferTable: block requests that have completed and wait to be handed out, and the bios that
// announce one. Sees slots; the block handler fills them.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "bpf/wire.h"
#include "core/model/model.hpp"
#include "core/rebuild/flat_map.hpp"
#include "core/rebuild/names.hpp"

namespace iohops {

// One bio of a completed block request.
struct TransferPart {
  wire_bio_part bio{};
  uint64_t bytes = 0;  // of the transfer; less than bio.bytes if it was cut short
  RequestId owner;     // seq 0: no request
  Cause cause = Cause::kUnknown;
};

// Bytes of earlier requests that a part carried to the device.
struct Claim {
  uint32_t part = 0;
  uint32_t file = 0;
  uint64_t offset = 0;
  std::vector<Share> shares;
  uint64_t oldest_end_ns = 0;
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
};

class TransferTable {
 public:
  // A bio of a transfer whose own record is still to come. Bounded: the oldest is forgotten.
  void keep(uint64_t transfer, const wire_bio_part& bio);
  // False: a transfer of this id was told not long ago. To count it again would double its bytes.
  bool is_new(uint64_t transfer);
  // A slot for the transfer with all its parts, the kept ones included.
  uint32_t open(const wire_transfer& record);
  PendingTransfer& operator[](uint32_t slot) { return slots_[slot]; }
  void release(uint32_t slot);

 private:
  static constexpr size_t kMaxKept = 4096;  // more only after their transfers were lost
  static constexpr size_t kRemembered = 4096;
  struct Kept {
    uint64_t transfer;
    wire_bio_part bio;
  };

  std::deque<PendingTransfer> slots_;
  std::vector<uint32_t> free_;
  std::deque<Kept> kept_;
  FlatMap<uint64_t, bool> told_;
  std::deque<uint64_t> told_order_;  // the oldest first
};

}  // namespace iohops
