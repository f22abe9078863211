#include "cli/memory.hpp"

#include <algorithm>

#include "cli/units.hpp"

namespace iohops {
namespace {

// The program, its buffers, and tables of a fixed size: the sums of files, operations and advice.
constexpr uint64_t kFixed = uint64_t{36} << 20;
// Of a file that a filter has judged, with its path; a page of verdicts; a transfer that waits.
constexpr uint64_t kFile = 600, kVerdicts = 700, kTransfer = 600;

}  // namespace

MemoryShares share_memory(uint64_t bytes, bool live, bool filtered) {
  MemoryShares shares;
  uint64_t left = bytes - std::min(bytes, kFixed);
  if (live) {
    shares.order_bytes = std::clamp<uint64_t>(left / 6, uint64_t{1} << 20, uint64_t{64} << 20);
    left -= shares.order_bytes;
    shares.spool_bytes = std::clamp<uint64_t>(left / 8, uint64_t{1} << 20, uint64_t{64} << 20);
    left -= shares.spool_bytes;
  }
  if (filtered) {
    const uint64_t part = left / 4;
    shares.filter = {.files = part * 2 / 5 / kFile,
                     .verdicts = part / 5 / kVerdicts,
                     .transfers = part * 2 / 5 / kTransfer};
    left -= part;
  }
  shares.rebuild = limits_for(left);
  return shares;
}

Result<uint64_t> parse_max_mem(const std::string& text) {
  if (text.empty()) return kDefaultMemory;
  auto bytes = parse_size(text);
  if (!bytes) return Error{bytes.error().kind, "--max-mem: " + bytes.error().message};
  if (*bytes < kLeastMemory)
    return Error{ErrorKind::kUsage, "--max-mem: '" + text + "' is less than 64M"};
  return bytes;
}

}  // namespace iohops
