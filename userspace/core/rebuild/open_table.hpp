// OpenTable: the requests that the trace has mentioned and that are not handed out yet. Sees owners
// and what was gathered for them; the handlers fill it.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "bpf/wire.h"
#include "core/model/model.hpp"
#include "core/flat_map.hpp"
#include "core/rebuild/names.hpp"

namespace iohops {

struct PartRef {
  uint32_t transfer = 0;  // slot in TransferTable
  uint32_t part = 0;
};

// What the page cache did for a request.
struct CacheVerdict {
  uint64_t miss_bytes = 0;
  uint64_t readahead_bytes = 0;
  uint64_t followed_bytes = 0;  // of them: whose use will be noticed
  bool added = false;  // pages of its file were added
};

struct HeldRequest {
  wire_owner owner{};
  RequestId id;
  RequestId batch;     // the call that submitted it to a ring, seq 0: none is known
  bool ended = false;  // its own record has been seen
  bool io_waited = false;
  bool crowded = false;          // it had more hops than are kept
  wire_request_detail record{};  // valid once it has ended; zeros beyond a plain record
  std::vector<wire_page_run> runs;
  std::vector<Hop> hops;            // waits, and what devices moved for it
  std::vector<PartRef> unresolved;  // its bios in transfers that wait for its record
  CacheVerdict cache;               // valid once it has ended
  std::vector<Share> readahead_of;  // that it used; valid once it has ended
  uint32_t waits = 0;
  uint32_t page_runs = 0;
  uint32_t bios = 0;  // completed, splits not counted
  uint64_t bio_bytes = 0;
  uint32_t dma_transfers = 0;
  uint64_t dma_bytes = 0;
  uint64_t last_transfer = 0;
  size_t details = 0;  // what it adds to RebuildState::details

  // Every bio that it queued has been seen to complete.
  bool all_bios() const { return bios >= record.bios && bio_bytes >= record.bio_bytes; }

  uint32_t older = kNone32;  // the list by age
  uint32_t newer = kNone32;
};

// An owner keeps its id after its request was handed out, for as long as so many later ones:
// a straggler must not become a second request.
class OpenTable {
 public:
  explicit OpenTable(size_t remembered) : max_remembered_(remembered) {}

  static constexpr uint32_t kReleased = UINT32_MAX - 1;

  struct Entry {
    RequestId id;
    uint32_t slot = kNone32;  // kReleased: handed out already
  };

  Entry* find(const wire_owner& owner) { return index_.find(key(owner)); }
  // A new entry; the owner must not be in the table.
  HeldRequest& add(const wire_owner& owner, RequestId id, uint32_t& slot);
  HeldRequest& operator[](uint32_t slot) { return slots_[slot]; }
  void release(uint32_t slot);

  size_t live() const { return live_; }
  uint32_t oldest() const { return oldest_; }  // kNone32: empty

 private:
  static PairKey key(const wire_owner& owner) {
    return {uint64_t{owner.tgid} << 32 | owner.tid, owner.start_ns};
  }

  size_t max_remembered_;
  FlatMap<PairKey, Entry> index_;
  std::deque<HeldRequest> slots_;  // a deque: references survive growth
  std::vector<uint32_t> free_;
  std::deque<PairKey> remembered_;
  uint32_t oldest_ = kNone32;
  uint32_t newest_ = kNone32;
  size_t live_ = 0;
};

}  // namespace iohops
