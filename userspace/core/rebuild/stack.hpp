// Stack: transfers of stacked devices (dm, md, loop) and those of the devices below that carry them on, until
// both are known. Sees ids, times and places; the handlers fill it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "core/flat_map.hpp"
#include "core/rebuild/transfer_table.hpp"

namespace iohops {

// Where the bytes of a loop device lie.
struct LoopDevice {
  uint32_t dev = 0;
  uint32_t cache = kNone32;  // of the file, as DirtyPages numbers them
  uint32_t below = 0;        // device of the file's file system
  uint64_t offset = 0;       // of the first byte in the file
  bool direct = false;       // past the page cache
};

// What was told of a transfer, for those that carry it on and complete later (write-behind).
struct ToldTransfer {
  std::vector<OwnedRange> owned;
};

// Rule: the transfer below completes first; it waits for the one above and takes over its owners, byte by byte.
// The reads of a buffered loop device name no transfer above: theirs is the one that was being carried out when they
// were queued, and that covers them, or ends before them (then they are the file system's readahead for it).
// Bounded: what waits too long, or beyond the limits, goes without owners.
struct Stack {
  static constexpr size_t kMaxWaiting = 4096;
  static constexpr size_t kMaxTold = 4096;

  struct Waiting {
    ChildRef child;
    uint64_t deadline_ns = 0;
  };
  struct LoopRead {
    ChildRef child;
    uint32_t dev = 0;    // of the loop device
    uint64_t begin = 0;  // on it
    uint64_t end = 0;
    uint64_t queue_ns = 0;
  };

  // A read of a buffered loop device that has completed.
  struct LoopServed {
    uint64_t transfer = 0;
    uint32_t dev = 0;
    uint64_t begin = 0;
    uint64_t end = 0;
    uint64_t from_ns = 0;
    uint64_t done_ns = 0;
  };
  static constexpr size_t kMaxServed = 256;

  FlatMap<uint64_t, std::vector<ChildRef>> expected;  // by the id of the transfer above
  FlatMap<uint64_t, uint32_t> open;                   // slots of transfers that may have children
  std::deque<Waiting> waiting;                        // children of both kinds, by deadline
  std::deque<LoopRead> reads;                         // by completion
  std::deque<LoopServed> served;                      // by completion: readahead can be later
  FlatMap<uint64_t, ToldTransfer> told;
  std::deque<uint64_t> told_order;
  std::vector<LoopDevice> loops;

  const LoopDevice* loop(uint32_t dev) const {
    const auto found = std::find_if(loops.begin(), loops.end(), [dev](const LoopDevice& l) { return l.dev == dev; });
    return found == loops.end() ? nullptr : &*found;
  }
  const LoopDevice* loop_in(uint32_t cache) const {
    const auto found =
        std::find_if(loops.begin(), loops.end(), [cache](const LoopDevice& l) { return l.cache == cache; });
    return cache == kNone32 || found == loops.end() ? nullptr : &*found;
  }
  bool holds_a_loop(uint32_t cache) const { return loop_in(cache) != nullptr; }
  uint64_t deadline() const { return waiting.empty() ? UINT64_MAX : waiting.front().deadline_ns; }
};

}  // namespace iohops
