// Readahead: pages that were loaded for a request beyond what it asked for, until another one uses
// them. Sees ranges of page caches (DirtyPages numbers them); knows no devices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/model/model.hpp"
#include "core/rebuild/ranges.hpp"

namespace iohops {

// A page that is loaded again before anyone used it had been thrown out unused. Bounded: ranges beyond
// the limit are forgotten, the oldest first, and counted; they are in no figure.
class Readahead {
 public:
  explicit Readahead(size_t max_ranges) : ranges_(max_ranges) {}

  void loaded(uint32_t cache, ByteRange pages, RequestId request);
  // A request takes these pages: for whom those among them had been loaded. Valid until the next call.
  const std::vector<Share>& used(uint32_t cache, ByteRange pages);

  // The page cache is forgotten, and its number will be another's.
  void drop_cache(uint32_t cache) { ranges_.drop(cache); }

  bool empty() const { return ranges_.count() == 0; }  // nothing waits
  // So far: thrown out unused, or not used yet.
  uint64_t unused_bytes() const { return evicted_ + ranges_.bytes(); }
  uint64_t forgotten() const { return ranges_.forgotten(); }

 private:
  BoundedRanges<RequestId> ranges_;
  std::vector<Share> shares_;
  uint64_t evicted_ = 0;
};

}  // namespace iohops
