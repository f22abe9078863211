// The ranges that wait for a user.
#include "core/rebuild/readahead.hpp"

#include <algorithm>

namespace iohops {

void Readahead::insert(uint32_t cache, Ranges& ranges, ByteRange pages, RequestId request) {
  ranges[pages.begin] = {pages.end, ++serial_, request};
  ages_.push_back({cache, pages.begin, serial_});
  waiting_ += pages.end - pages.begin;
  ++count_;
}

uint64_t Readahead::cut(uint32_t cache, Ranges& ranges, ByteRange pages) {
  shares_.clear();
  uint64_t bytes = 0;
  auto at = ranges.upper_bound(pages.begin);
  if (at != ranges.begin() && std::prev(at)->second.end > pages.begin) --at;
  while (at != ranges.end() && at->first < pages.end) {
    const uint64_t begin = at->first;
    const Range whole = at->second;
    at = ranges.erase(at);
    waiting_ -= whole.end - begin;
    --count_;
    const ByteRange both{std::max(begin, pages.begin), std::min(whole.end, pages.end)};
    bytes += both.end - both.begin;
    const auto known = std::find_if(shares_.begin(), shares_.end(),
                                    [&](const Share& s) { return s.request == whole.request; });
    if (known == shares_.end())
      shares_.push_back({whole.request, both.end - both.begin});
    else
      known->bytes += both.end - both.begin;
    if (begin < both.begin) insert(cache, ranges, {begin, both.begin}, whole.request);
    if (both.end < whole.end) insert(cache, ranges, {both.end, whole.end}, whole.request);
  }
  return bytes;
}

void Readahead::loaded(uint32_t cache, ByteRange pages, RequestId request) {
  if (pages.begin >= pages.end) return;
  Ranges& ranges = caches_[cache];
  evicted_ += cut(cache, ranges, pages);
  insert(cache, ranges, pages, request);
  bound();
}

const std::vector<Share>& Readahead::used(uint32_t cache, ByteRange pages) {
  shares_.clear();
  if (count_ == 0) return shares_;
  Ranges* ranges = caches_.find(cache);
  if (ranges == nullptr || ranges->empty()) return shares_;
  cut(cache, *ranges, pages);
  bound();  // taking out of the middle leaves two ranges
  return shares_;
}

void Readahead::drop_cache(uint32_t cache) {
  Ranges* ranges = caches_.find(cache);
  if (ranges == nullptr) return;
  for (const auto& [begin, range] : *ranges) waiting_ -= range.end - begin;
  count_ -= ranges->size();
  forgotten_ += ranges->size();
  caches_.erase(cache);
}

// The range if it still stands as it did then; null: it has gone.
Readahead::Ranges* Readahead::current(const Age& age) {
  Ranges* ranges = caches_.find(age.cache);
  if (ranges == nullptr) return nullptr;
  const auto found = ranges->find(age.begin);
  return found != ranges->end() && found->second.serial == age.serial ? ranges : nullptr;
}

void Readahead::bound() {
  while (count_ > max_ && oldest_ < ages_.size()) {
    const Age age = ages_[oldest_++];
    Ranges* ranges = current(age);
    if (ranges == nullptr) continue;
    const auto found = ranges->find(age.begin);
    waiting_ -= found->second.end - found->first;
    ranges->erase(found);
    --count_;
    ++forgotten_;
  }
  if (ages_.size() <= 2 * max_ + 1024) return;
  std::erase_if(ages_, [&](const Age& age) { return current(age) == nullptr; });
  oldest_ = 0;
}

}  // namespace iohops
