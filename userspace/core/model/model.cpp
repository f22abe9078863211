// What the model computes from itself: file kinds' names and the byte count of a request.
#include "core/model/model.hpp"

#include <algorithm>

namespace iohops {
namespace {

constexpr std::array<std::string_view, 9> kFileKindNames{
    "regular", "directory", "block", "char", "socket", "pipe", "symlink", "memory", "other"};

}  // namespace

std::string_view name(FileKind kind) {
  const auto index = static_cast<size_t>(kind);
  return index < kFileKindNames.size() ? kFileKindNames[index] : std::string_view("other");
}

std::optional<FileKind> parse_file_kind(std::string_view text) {
  const auto* found = std::find(kFileKindNames.begin(), kFileKindNames.end(), text);
  if (found == kFileKindNames.end()) return std::nullopt;
  return static_cast<FileKind>(found - kFileKindNames.begin());
}

// A flush, a discard or a zone command names sectors or nothing: no data crosses the bus.
bool Transfer::carries_data() const {
  return op == "read" || op == "write" || op == "zone_append" || op == "transmit" ||
         op == "receive";
}

namespace {

// What a request took out of the page cache, by copy or by mapping (a copy-on-write fault reports
// both for the same page), less what had to be loaded for it.
uint64_t found_bytes(const Request& request) {
  uint64_t copied = 0;
  uint64_t mapped = 0;
  for (const Hop& hop : request.hops) {
    if (hop.from != Endpoint::kPageCache) continue;
    if (hop.kind == HopKind::kCpuCopy || hop.kind == HopKind::kRef) copied += hop.bytes;
    if (hop.kind == HopKind::kMap) mapped += hop.bytes;
  }
  const uint64_t taken = std::max(copied, mapped);
  return taken > request.miss_bytes ? taken - request.miss_bytes : 0;
}

// It added nothing of what it asked for and yet slept for I/O: somebody else was loading its pages.
bool awaited(const Request& request) {
  if (request.cache != CacheOutcome::kMixed || request.miss_bytes > 0) return false;
  return std::any_of(request.hops.begin(), request.hops.end(), [](const Hop& hop) {
    return hop.kind == HopKind::kWait &&
           (hop.reason == WaitReason::kDevice || hop.reason == WaitReason::kPageLock);
  });
}

}  // namespace

Moved Request::moved_by_hops() const {
  const uint64_t found = found_bytes(*this);
  if (awaited(*this)) return {returned_bytes(), 0, found};
  return {returned_bytes(), found, 0};
}

uint64_t Request::cache_hit_bytes() const { return moved_bytes().hit; }
uint64_t Request::cache_awaited_bytes() const { return moved_bytes().awaited; }

}  // namespace iohops
