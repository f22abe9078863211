// Commits: journal writes and flushes of kernel threads, until the requests that waited for them are
// known. Sees intervals and devices; the handlers fill it.
#pragma once

#include <cstdint>
#include <deque>

#include "core/model/model.hpp"
#include "core/flat_map.hpp"

namespace iohops {

// A request for durability that has ended.
struct SyncWait {
  RequestId id;
  uint32_t dev = 0;  // of the file system; 0: of all (sync)
  uint64_t start_ns = 0;
  uint64_t end_ns = 0;
};

// A transfer that no request queued and that sync requests of its file system may have waited for.
struct OpenCommit {
  uint32_t slot = 0;  // in TransferTable
  uint32_t part = 0;
  uint32_t dev = 0;
  uint32_t super_block = 0;  // of its pages, 0: the device's own
  uint64_t done_ns = 0;
};

// Rule: it belongs, in equal parts, to the sync requests of its file system that were running when it
// completed: what a journal commits, it commits for all of them. Bounded.
struct Commits {
  std::deque<SyncWait> syncs;   // by their end
  std::deque<OpenCommit> open;  // by completion
  // Of file systems whose super block has a number of its own (btrfs): the device that their data went to last.
  FlatMap<uint64_t, uint32_t> device_of;
};

}  // namespace iohops
