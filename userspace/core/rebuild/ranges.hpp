// RangeMap and BoundedRanges: what is known of disjoint ranges of bytes, of one page cache and of
// all. See numbers; know nothing of pages and requests.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace iohops {

struct ByteRange {
  uint64_t begin = 0;
  uint64_t end = 0;
  bool operator==(const ByteRange&) const = default;
};

// In order of their begin, in chunks: a random one of 200,000 is found in two searches of some
// kilobytes, where a tree has twenty nodes in as many places of memory. A Place is valid until the
// next change.
template <typename Value>
class RangeMap {
 public:
  struct Entry {
    ByteRange range;
    Value value;
  };
  struct Place {
    size_t chunk = 0, at = 0;
  };

  // The first that ends behind `byte`.
  Place first_behind(uint64_t byte) const {
    if (body_ == nullptr) return {};
    Place place = last_from(byte);
    const Chunk& chunk = body_->chunks[place.chunk];
    if (place.at < chunk.size() && chunk[place.at].range.end > byte) return place;
    if (place.at < chunk.size() && chunk[place.at].range.begin <= byte) ++place.at;
    return settled(place);
  }
  bool is_end(Place place) const { return body_ == nullptr || place.chunk == body_->chunks.size(); }
  Place next(Place place) const { return settled({place.chunk, place.at + 1}); }
  const Entry& operator[](Place place) const { return body_->chunks[place.chunk][place.at]; }
  Value* find(uint64_t begin) {
    if (body_ == nullptr) return nullptr;
    const Place place = last_from(begin);
    Chunk& chunk = body_->chunks[place.chunk];
    return place.at < chunk.size() && chunk[place.at].range.begin == begin ? &chunk[place.at].value
                                                                           : nullptr;
  }
  void shorten(Place place, uint64_t end) { body_->chunks[place.chunk][place.at].range.end = end; }

  // It must not overlap another one.
  void insert(const Entry& entry) {
    if (body_ == nullptr) body_ = std::make_unique<Body>();
    std::vector<Chunk>& chunks = body_->chunks;
    Place place = last_from(entry.range.begin);
    if (!chunks[place.chunk].empty() &&
        chunks[place.chunk][place.at].range.begin < entry.range.begin)
      ++place.at;
    if (chunks[place.chunk].size() == kMost) place = split(place);
    chunks[place.chunk].insert(chunks[place.chunk].begin() + static_cast<std::ptrdiff_t>(place.at),
                               entry);
    body_->firsts[place.chunk] = chunks[place.chunk].front().range.begin;
  }
  // The place of the one behind it.
  Place erase(Place place) {
    Chunk& chunk = body_->chunks[place.chunk];
    chunk.erase(chunk.begin() + static_cast<std::ptrdiff_t>(place.at));
    if (!chunk.empty()) {
      body_->firsts[place.chunk] = chunk.front().range.begin;
      return settled(place);
    }
    if (body_->chunks.size() == 1) {
      body_.reset();
      return {};
    }
    body_->chunks.erase(body_->chunks.begin() + static_cast<std::ptrdiff_t>(place.chunk));
    body_->firsts.erase(body_->firsts.begin() + static_cast<std::ptrdiff_t>(place.chunk));
    return place;
  }

 private:
  using Chunk = std::vector<Entry>;
  struct Body {
    std::vector<uint64_t> firsts{0};  // begin of the first of each chunk
    std::vector<Chunk> chunks{1};     // none empty, but the only one while it is made
  };
  static constexpr size_t kMost = 32;

  // The last that begins at `byte` or before, or else the first of all.
  Place last_from(uint64_t byte) const {
    const auto begins_after = [](uint64_t at, const Entry& entry) {
      return at < entry.range.begin;
    };
    const auto& firsts = body_->firsts;
    const auto chunk =
        std::upper_bound(firsts.begin() + 1, firsts.end(), byte) - firsts.begin() - 1;
    const Chunk& in = body_->chunks[static_cast<size_t>(chunk)];
    const auto at = std::upper_bound(in.begin(), in.end(), byte, begins_after) - in.begin();
    return {static_cast<size_t>(chunk), static_cast<size_t>(at > 0 ? at - 1 : 0)};
  }
  Place settled(Place place) const {
    return place.at < body_->chunks[place.chunk].size() ? place : Place{place.chunk + 1, 0};
  }
  // Halves a full chunk; one that is appended to stays as it is, so that what comes in order fills
  // them.
  Place split(Place place) {
    std::vector<Chunk>& chunks = body_->chunks;
    const size_t keeps = place.at == kMost ? kMost : kMost / 2;
    const auto behind = static_cast<std::ptrdiff_t>(place.chunk + 1);
    Chunk& full = chunks[place.chunk];
    Chunk rest(full.begin() + static_cast<std::ptrdiff_t>(keeps), full.end());
    full.resize(keeps);
    body_->firsts.insert(body_->firsts.begin() + behind,
                         rest.empty() ? 0 : rest.front().range.begin);
    chunks.insert(chunks.begin() + behind, std::move(rest));
    return place.at <= keeps && keeps < kMost ? place : Place{place.chunk + 1, place.at - keeps};
  }

  std::unique_ptr<Body> body_;
};

// Ranges of many caches, the oldest of which are forgotten beyond a limit, and counted.
template <typename Value>
class BoundedRanges {
 public:
  struct Aged {
    uint64_t serial = 0;
    Value value;
  };
  using Map = RangeMap<Aged>;

  explicit BoundedRanges(size_t max) : max_(max) {}

  size_t count() const { return count_; }
  uint64_t bytes() const { return bytes_; }
  uint64_t forgotten() const { return forgotten_; }
  size_t remembered_ages() const { return ages_.size(); }  // in step with count()
  const Map& of(uint32_t cache) {
    if (cache >= caches_.size()) caches_.resize(cache + 1);
    return caches_[cache];
  }

  // It must not overlap another one of the cache.
  void insert(uint32_t cache, ByteRange range, const Value& value) {
    of(cache);
    caches_[cache].insert({range, {++serial_, value}});
    ages_.push_back({cache, range.begin, serial_});
    bytes_ += range.end - range.begin;
    ++count_;
  }

  // Takes `range` out, so far as `wants(value)`: `took(part, value)` for each, in order.
  template <typename Wants, typename Took>
  void take(uint32_t cache, ByteRange range, Wants&& wants, Took&& took) {
    of(cache);
    Map& map = caches_[cache];
    for (auto place = map.first_behind(range.begin);
         !map.is_end(place) && map[place].range.begin < range.end;) {
      const auto whole = map[place];
      if (!wants(whole.value.value)) {
        place = map.next(place);
        continue;
      }
      const ByteRange part{std::max(whole.range.begin, range.begin),
                           std::min(whole.range.end, range.end)};
      took(part, whole.value.value);
      bytes_ -= part.end - part.begin;
      if (whole.range.begin < part.begin) {
        map.shorten(place, part.begin);
        place = map.next(place);
      } else {
        place = map.erase(place);
        --count_;
      }
      if (part.end == whole.range.end) continue;
      bytes_ -= whole.range.end - part.end;  // comes again
      insert(cache, {part.end, whole.range.end}, whole.value.value);
      return;  // nothing of `range` is behind it
    }
  }

  // The cache is forgotten, and its number will be another's.
  void drop(uint32_t cache) {
    const Map& map = of(cache);
    for (auto place = map.first_behind(0); !map.is_end(place); place = map.next(place)) {
      bytes_ -= map[place].range.end - map[place].range.begin;
      --count_;
      ++forgotten_;
    }
    caches_[cache] = {};
  }

  void bound() {
    while (count_ > max_ && !ages_.empty()) {
      const Age age = ages_.front();
      ages_.pop_front();
      if (!is_current(age)) continue;
      Map& map = caches_[age.cache];
      const auto place = map.first_behind(age.begin);
      bytes_ -= map[place].range.end - map[place].range.begin;
      map.erase(place);
      --count_;
      ++forgotten_;
    }
    if (ages_.size() > 2 * count_ + 1024)
      std::erase_if(ages_, [this](const Age& age) { return !is_current(age); });
  }

 private:
  struct Age {
    uint32_t cache;
    uint64_t begin;
    uint64_t serial;
  };
  bool is_current(const Age& age) {
    const Aged* known = caches_[age.cache].find(age.begin);
    return known != nullptr && known->serial == age.serial;
  }

  size_t max_;
  std::vector<Map> caches_;
  std::deque<Age> ages_;  // the oldest first; those whose range is gone are skipped
  size_t count_ = 0;
  uint64_t serial_ = 0;
  uint64_t bytes_ = 0;
  uint64_t forgotten_ = 0;
};

}  // namespace iohops
