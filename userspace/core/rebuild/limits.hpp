// How much a rebuild may remember. What goes beyond is given up, the oldest first, and counted.
#pragma once

#include <cstddef>
#include <cstdint>

namespace iohops {

// The defaults take at most 350 MiB together, if every table is full.
struct RebuildLimits {
  size_t max_held_requests = 65536;     // waiting for their device work, or not finished
  size_t max_details = 1 << 20;         // hops, page runs and bios of those
  size_t max_remembered = 65536;        // that were handed out: a straggler is none of a new one
  size_t max_dirty_ranges = 262144;     // written, and not yet seen on its way to a device
  size_t max_readahead_ranges = 65536;  // loaded ahead, and not yet used
  // Twice what the kernel side keeps and more: a file that it still knows by its alias is not forgotten.
  size_t max_files = 262144;
  size_t max_processes = 65536;
  size_t max_threads = 131072;
  size_t max_relays = 4096;  // processes whose buffers are followed
};

// Tables of about `bytes` together, at least the smallest that make sense (some 8 MiB).
RebuildLimits limits_for(uint64_t bytes);

}  // namespace iohops
