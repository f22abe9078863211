// RingSet: a ring for each CPU (up to a number), and the map by which BPF programs find them. Sees
// no program and no record.
#pragma once

#include <cstdint>
#include <future>
#include <vector>

#include "core/result.hpp"
#include "system/ring.hpp"
#include "system/unique_fd.hpp"

namespace iohops {

// The kernel waits until no program runs any more, 10 to 20 ms, whenever a map is put into another
// one through a file descriptor. That wait goes on behind create(): programs can be loaded
// meanwhile.
class RingSet {
 public:
  // As many as there are possible CPUs (a power of two), at most `limit` (of the map in
  // bpf/state.h).
  static uint32_t count(uint32_t limit);
  // `bytes`: of one ring, a power of two. `limit`: entries of the map.
  static Result<RingSet> create(uint32_t limit, uint64_t bytes);
  RingSet() = default;

  int map_fd() const { return map_.get(); }
  // The rings, once they all stand in the map; to be called once, before a program runs.
  Result<std::vector<RingReader>> finish();

 private:
  UniqueFd map_;
  std::vector<RingReader> rings_;
  std::future<int> filled_;  // 0, or an errno; its end is waited for when this goes away
};

}  // namespace iohops
