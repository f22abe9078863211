// The interval maps of DirtyPages.
#include "core/rebuild/dirty.hpp"

#include <algorithm>

namespace iohops {

uint64_t DirtyPages::page_end(uint64_t byte) const {
  const uint64_t part = byte % page_;
  if (part == 0) return byte;
  return byte > UINT64_MAX - page_ ? UINT64_MAX : byte - part + page_;
}

uint32_t DirtyPages::add_cache(uint32_t dev, uint64_t ino, uint32_t file) {
  const size_t known = index_.size();
  uint32_t& index = index_[{dev, ino}];
  if (index_.size() > known) {
    index = static_cast<uint32_t>(caches_.size());
    if (free_caches_.empty()) {
      caches_.emplace_back();
    } else {
      index = free_caches_.back();
      free_caches_.pop_back();
    }
    caches_[index].key = {dev, ino};
  }
  caches_[index].file = file;
  caches_[index].users++;
  return index;
}

bool DirtyPages::drop_cache(uint32_t cache) {
  Cache& one = caches_[cache];
  if (--one.users > 0) return false;
  ranges_.drop(cache);
  index_.erase(one.key);
  one = {};
  free_caches_.push_back(cache);
  return true;
}

uint32_t DirtyPages::find_cache(uint32_t dev, uint64_t ino) {
  const uint32_t* index = index_.find({dev, ino});
  return index != nullptr ? *index : kNone32;
}

void DirtyPages::write(uint32_t cache, ByteRange range, const Writer& writer) {
  ranges_.take(
      cache, range, [](const Writer&) { return true; },
      [this](ByteRange part, const Writer&) { absorbed_ += part.end - part.begin; });
  ranges_.insert(cache, range, writer);
  ranges_.bound();
}

void DirtyPages::touch(uint32_t cache, ByteRange range, const Writer& writer) {
  const auto& ranges = ranges_.of(cache);
  uint64_t free_from = range.begin;
  leftover_.clear();
  for (auto at = ranges.first_behind(range.begin);
       !ranges.is_end(at) && ranges[at].range.begin < range.end; at = ranges.next(at)) {
    const ByteRange& known = ranges[at].range;
    if (known.begin > free_from) leftover_.push_back({free_from, known.begin});
    free_from = known.end;
  }
  if (free_from < range.end) leftover_.push_back({free_from, range.end});
  for (const ByteRange& gap : leftover_) ranges_.insert(cache, gap, writer);
  ranges_.bound();
}

void DirtyPages::clean(uint32_t cache, ByteRange pages, uint64_t queue_ns) {
  hit_.clear();
  ranges_.take(
      cache, pages, [&](const Writer& writer) { return writer.start_ns < queue_ns; },
      [this](ByteRange part, const Writer& writer) {
        hit_.push_back({part, writer});
      });
  cleaned_.clear();
  leftover_.clear();
  uint64_t done = pages.begin;
  for (size_t i = 0; i < hit_.size(); i++) {
    const ByteRange own = hit_[i].first;
    const uint64_t begin = std::max(done, page_begin(own.begin));
    uint64_t end = std::min(page_end(own.end), pages.end);
    if (i + 1 < hit_.size()) end = std::min(end, hit_[i + 1].first.begin);
    if (begin > done) leftover_.push_back({done, begin});
    cleaned_.push_back({hit_[i].second, end - begin});
    done = end;
  }
  if (done < pages.end) leftover_.push_back({done, pages.end});
}

}  // namespace iohops
