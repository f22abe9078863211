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
  for (const auto& [begin, range] : one.ranges) pending_ -= range.end - begin;
  count_ -= one.ranges.size();
  evicted_ += one.ranges.size();
  index_.erase(one.key);
  one = {};
  free_caches_.push_back(cache);
  return true;
}

uint32_t DirtyPages::find_cache(uint32_t dev, uint64_t ino) {
  const uint32_t* index = index_.find({dev, ino});
  return index != nullptr ? *index : kNone32;
}

DirtyPages::Ranges::iterator DirtyPages::first_overlap(Ranges& ranges, uint64_t begin) {
  auto at = ranges.upper_bound(begin);
  if (at != ranges.begin() && std::prev(at)->second.end > begin) --at;
  return at;
}

DirtyPages::Ranges::iterator DirtyPages::cut(uint32_t cache, Ranges::iterator at, ByteRange range) {
  Ranges& ranges = caches_[cache].ranges;
  const uint64_t begin = at->first;
  const Range whole = at->second;
  pending_ -= whole.end - begin;
  count_--;
  auto after = ranges.erase(at);
  if (begin < range.begin) insert(cache, {begin, range.begin}, whole.writer);
  if (whole.end > range.end) insert(cache, {range.end, whole.end}, whole.writer);
  return after;
}

void DirtyPages::insert(uint32_t cache, ByteRange range, const Writer& writer) {
  caches_[cache].ranges[range.begin] = {range.end, ++serial_, writer};
  ages_.push_back({cache, range.begin, serial_});
  pending_ += range.end - range.begin;
  count_++;
}

void DirtyPages::write(uint32_t cache, ByteRange range, const Writer& writer) {
  Ranges& ranges = caches_[cache].ranges;
  auto at = first_overlap(ranges, range.begin);
  while (at != ranges.end() && at->first < range.end) {
    absorbed_ += std::min(at->second.end, range.end) - std::max(at->first, range.begin);
    at = cut(cache, at, range);
  }
  insert(cache, range, writer);
  bound();
}

void DirtyPages::touch(uint32_t cache, ByteRange range, const Writer& writer) {
  Ranges& ranges = caches_[cache].ranges;
  uint64_t free_from = range.begin;
  leftover_.clear();
  for (auto at = first_overlap(ranges, range.begin); at != ranges.end() && at->first < range.end;
       ++at) {
    if (at->first > free_from) leftover_.push_back({free_from, at->first});
    free_from = at->second.end;
  }
  if (free_from < range.end) leftover_.push_back({free_from, range.end});
  for (const ByteRange& gap : leftover_) insert(cache, gap, writer);
  bound();
}

void DirtyPages::clean(uint32_t cache, ByteRange pages, uint64_t queue_ns) {
  Ranges& ranges = caches_[cache].ranges;
  hit_.clear();
  auto at = first_overlap(ranges, pages.begin);
  while (at != ranges.end() && at->first < pages.end) {
    if (at->second.writer.start_ns >= queue_ns) {
      ++at;
      continue;
    }
    hit_.push_back({{std::max(at->first, pages.begin), std::min(at->second.end, pages.end)},
                    at->second.writer});
    at = cut(cache, at, pages);
  }
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

// Forgets the oldest ranges beyond the limit.
void DirtyPages::bound() {
  const auto is_current = [this](const Age& age) {
    const auto found = caches_[age.cache].ranges.find(age.begin);
    return found != caches_[age.cache].ranges.end() && found->second.serial == age.serial;
  };
  while (count_ > max_ && !ages_.empty()) {
    const Age age = ages_.front();
    ages_.pop_front();
    if (!is_current(age)) continue;
    Ranges& ranges = caches_[age.cache].ranges;
    const auto found = ranges.find(age.begin);
    pending_ -= found->second.end - found->first;
    ranges.erase(found);
    count_--;
    evicted_++;
  }
  if (ages_.size() > 2 * max_ + 1024) {
    std::erase_if(ages_, [&](const Age& age) { return !is_current(age); });
  }
}

}  // namespace iohops
