// The ranges that wait for a user.
#include "core/rebuild/readahead.hpp"

#include <algorithm>

namespace iohops {

void Readahead::loaded(uint32_t cache, ByteRange pages, RequestId request) {
  if (pages.begin >= pages.end) return;
  ranges_.take(
      cache, pages, [](RequestId) { return true; },
      [this](ByteRange part, RequestId) { evicted_ += part.end - part.begin; });
  ranges_.insert(cache, pages, request);
  ranges_.bound();
}

const std::vector<Share>& Readahead::used(uint32_t cache, ByteRange pages) {
  shares_.clear();
  if (empty()) return shares_;
  ranges_.take(
      cache, pages, [](RequestId) { return true; },
      [this](ByteRange part, RequestId request) {
        const auto known = std::find_if(shares_.begin(), shares_.end(),
                                        [&](const Share& s) { return s.request == request; });
        if (known == shares_.end())
          shares_.push_back({request, part.end - part.begin});
        else
          known->bytes += part.end - part.begin;
      });
  if (!shares_.empty()) ranges_.bound();  // taking out of the middle leaves two ranges
  return shares_;
}

}  // namespace iohops
