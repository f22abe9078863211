// What --max-mem leaves for each part of a recording or a replay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/filter.hpp"
#include "core/rebuild/limits.hpp"
#include "core/result.hpp"

namespace iohops {

inline constexpr uint64_t kDefaultMemory = uint64_t{512} << 20;
inline constexpr uint64_t kLeastMemory = uint64_t{64} << 20;

struct MemoryShares {
  RebuildLimits rebuild;
  FilterLimits filter;
  size_t order_bytes = 0;  // records that wait for their turn; live only
  size_t spool_bytes = 0;  // of the spool, what the disk does not take yet; live only
};

// `live`: the rings are drained and put in order, too.
MemoryShares share_memory(uint64_t bytes, bool live, bool filtered);

// The value of --max-mem; empty: the default. kUsage: not a size, or too small.
Result<uint64_t> parse_max_mem(const std::string& text);

}  // namespace iohops
