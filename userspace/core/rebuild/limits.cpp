#include "core/rebuild/limits.hpp"

#include <algorithm>

namespace iohops {
namespace {

// Bytes that an entry takes with all that points to it: hash tables between a quarter and a half full,
// nodes with malloc's overhead. tests/stress/memory_test.py measures whether they hold.
constexpr uint64_t kHeldRequest = 1100;
constexpr uint64_t kRemembered = 220;
constexpr uint64_t kDetail = 160;  // a vector may be twice as large as what is in it
constexpr uint64_t kDirtyRange = 210;
constexpr uint64_t kReadaheadRange = 200;
constexpr uint64_t kFile = 700;
constexpr uint64_t kProcess = 400;
constexpr uint64_t kThread = 200;
constexpr uint64_t kRelay = 7000;

}  // namespace

RebuildLimits limits_for(uint64_t bytes) {
  const auto entries = [bytes](uint64_t percent, uint64_t each, uint64_t least) {
    return static_cast<size_t>(std::max(bytes / 100 * percent / each, least));
  };
  RebuildLimits limits;
  limits.max_held_requests = entries(22, kHeldRequest, 1024);
  limits.max_remembered = std::min<size_t>(entries(4, kRemembered, 1024), 65536);
  limits.max_details = entries(14, kDetail, 8192);
  limits.max_dirty_ranges = entries(17, kDirtyRange, 2048);
  limits.max_readahead_ranges = entries(4, kReadaheadRange, 1024);
  limits.max_files = entries(27, kFile, 2048);
  limits.max_processes = entries(4, kProcess, 256);
  limits.max_threads = entries(4, kThread, 512);
  limits.max_relays = entries(4, kRelay, 64);
  return limits;
}

}  // namespace iohops
