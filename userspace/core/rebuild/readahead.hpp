// Readahead: pages that were loaded for a request beyond what it asked for, until another one uses
// them. Sees ranges of page caches (DirtyPages numbers them); knows no devices.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "core/model/model.hpp"
#include "core/rebuild/dirty.hpp"
#include "core/rebuild/flat_map.hpp"

namespace iohops {

// A page that is loaded again before anyone used it had been thrown out unused. Bounded: ranges beyond
// the limit are forgotten, the oldest first, and counted; they are in no figure.
class Readahead {
 public:
  explicit Readahead(size_t max_ranges) : max_(max_ranges) {}

  void loaded(uint32_t cache, ByteRange pages, RequestId request);
  // A request takes these pages: for whom those among them had been loaded. Valid until the next call.
  const std::vector<Share>& used(uint32_t cache, ByteRange pages);

  // The page cache is forgotten, and its number will be another's.
  void drop_cache(uint32_t cache);

  bool empty() const { return count_ == 0; }  // nothing waits
  // So far: thrown out unused, or not used yet.
  uint64_t unused_bytes() const { return evicted_ + waiting_; }
  uint64_t forgotten() const { return forgotten_; }

 private:
  struct Range {
    uint64_t end;
    uint64_t serial;
    RequestId request;
  };
  using Ranges = std::map<uint64_t, Range>;  // by first byte, disjoint
  struct Age {
    uint32_t cache;
    uint64_t begin;
    uint64_t serial;
  };

  // Takes `pages` out; what stood there goes to shares_. The number of bytes.
  uint64_t cut(uint32_t cache, Ranges& ranges, ByteRange pages);
  void insert(uint32_t cache, Ranges& ranges, ByteRange pages, RequestId request);
  Ranges* current(const Age& age);
  void bound();

  size_t max_;
  size_t count_ = 0;
  uint64_t serial_ = 0;
  FlatMap<uint64_t, Ranges> caches_;
  std::vector<Age> ages_;  // oldest first; entries whose range is gone are skipped
  size_t oldest_ = 0;
  std::vector<Share> shares_;
  uint64_t waiting_ = 0;
  uint64_t evicted_ = 0;
  uint64_t forgotten_ = 0;
};

}  // namespace iohops
