// DirtyPages: which request's bytes lie in the page cache, not yet written to a device. Sees byte
// ranges of page caches; knows no transfers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/flat_map.hpp"
#include "core/model/model.hpp"
#include "core/rebuild/names.hpp"
#include "core/rebuild/ranges.hpp"

namespace iohops {

struct Writer {
  RequestId request;
  uint64_t start_ns = 0;
  uint64_t end_ns = 0;
};

// Rules: a write makes its bytes its own; what it overwrites is absorbed, no device will see it. A
// device write of pages cleans what was written before it was queued; a page that holds bytes of
// several writers is divided at their boundaries, and what nobody wrote in it goes with its
// neighbour, so that the shares of a page make up the page.
// Known error: a range that is rewritten while the device reads it counts as absorbed, though it
// was written. Bounded: the oldest ranges are forgotten and counted.
class DirtyPages {
 public:
  DirtyPages(uint32_t page_size, size_t max_ranges) : page_(page_size), ranges_(max_ranges) {}

  // The page cache of an inode, made on demand. Block devices: (rdev, kDevicePages).
  uint32_t add_cache(uint32_t dev, uint64_t ino, uint32_t file);
  uint32_t find_cache(uint32_t dev, uint64_t ino);
  // One file less has this page cache; with the last its ranges are forgotten, and its number is free.
  // True: it is.
  bool drop_cache(uint32_t cache);
  uint32_t file_of(uint32_t cache) const { return caches_[cache].file; }
  static constexpr uint64_t kDevicePages = UINT64_MAX;

  void write(uint32_t cache, ByteRange range, const Writer& writer);
  // Stores through a mapping: where in the page they went is unknown, so nothing is absorbed.
  void touch(uint32_t cache, ByteRange range, const Writer& writer);

  struct Cleaned {
    Writer writer;
    uint64_t bytes;
  };
  // The device wrote `pages` (page aligned at the start), queued at queue_ns. Valid until the next
  // call: whose they were, and which parts of them nobody is known to have written.
  void clean(uint32_t cache, ByteRange pages, uint64_t queue_ns);
  const std::vector<Cleaned>& cleaned() const { return cleaned_; }
  const std::vector<ByteRange>& leftover() const { return leftover_; }

  uint64_t absorbed_bytes() const { return absorbed_; }
  uint64_t pending_bytes() const { return ranges_.bytes(); }
  uint64_t evicted() const { return ranges_.forgotten(); }
  uint64_t page_begin(uint64_t byte) const { return byte / page_ * page_; }
  uint64_t page_end(uint64_t byte) const;

 private:
  struct Cache {
    PairKey key;
    uint32_t file = 0;
    uint32_t users = 0;
  };

  uint64_t page_;
  FlatMap<PairKey, uint32_t> index_;
  std::vector<Cache> caches_;
  std::vector<uint32_t> free_caches_;
  BoundedRanges<Writer> ranges_;
  std::vector<Cleaned> cleaned_;
  std::vector<ByteRange> leftover_;
  std::vector<std::pair<ByteRange, Writer>> hit_;
  uint64_t absorbed_ = 0;
};

}  // namespace iohops
