// The check at the start: known reads and writes of our own, to see what each hook on a copy
// function counts of them. Nothing is written to a disk: our own program, a
// file in memory, a pipe, a pair of sockets.
#pragma once

#include <functional>

#include "core/copies.hpp"
#include "core/result.hpp"

namespace iohops {

// More than two pages and no multiple of one: whole pages and a rest are copied.
inline constexpr uint64_t kCopyCheckBytes = 10'000;

// `counters` gives what the hooks (enum wire_copy_hook) have counted so far of the calling thread.
// An error if the I/O itself cannot be done (no descriptors or memory left).
using CopyCounters = std::function<std::array<uint64_t, WIRE_COPY_HOOKS>()>;
Result<CopyObservations> observe_copies(const CopyCounters& counters);

}  // namespace iohops
