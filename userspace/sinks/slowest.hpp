// Slowest<T>: the few requests of a trace that took longest, in bounded memory. T has `duration_ns`
// and `id`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

namespace iohops {

template <typename T>
class Slowest {
 public:
  explicit Slowest(size_t count) : count_(count) {}

  // Asked first: what is not wanted need not be put together.
  bool wants(uint64_t duration_ns) const {
    if (kept_.size() < count_) return true;
    return count_ > 0 && duration_ns > kept_.front().duration_ns;
  }
  void add(T one) {
    if (kept_.size() >= count_) {
      std::pop_heap(kept_.begin(), kept_.end(), slower);
      kept_.pop_back();
    }
    kept_.push_back(std::move(one));
    std::push_heap(kept_.begin(), kept_.end(), slower);
  }
  // No more are added: the slowest first.
  const std::vector<T>& sorted() {
    std::sort_heap(kept_.begin(), kept_.end(), slower);
    return kept_;
  }
  const std::vector<T>& kept() const { return kept_; }

 private:
  // The heap has the fastest of them on top. Ties go to the earlier request, so that equal traces
  // give equal reports.
  static bool slower(const T& a, const T& b) {
    return std::tuple(a.duration_ns, b.id) > std::tuple(b.duration_ns, a.id);
  }

  size_t count_;
  std::vector<T> kept_;
};

}  // namespace iohops
