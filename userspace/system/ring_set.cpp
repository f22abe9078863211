#include "system/ring_set.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace iohops {
namespace {

Error cannot(const char* what, int error) {
  return {ErrorKind::kKernel, fmt::format("cannot {}: {}", what, std::strerror(error))};
}

// All at once, which is one wait; kernels that know no such call (before 5.15) wait for each.
int fill(int map, const std::vector<int>& rings) {
  std::vector<uint32_t> keys(rings.size());
  for (uint32_t i = 0; i < keys.size(); ++i) keys[i] = i;
  auto count = static_cast<uint32_t>(keys.size());
  if (bpf_map_update_batch(map, keys.data(), rings.data(), &count, nullptr) == 0) return 0;
  for (uint32_t i = 0; i < keys.size(); ++i)
    if (bpf_map_update_elem(map, &i, &rings[i], BPF_ANY) != 0) return errno;
  return 0;
}

}  // namespace

uint32_t RingSet::count(uint32_t limit) {
  const int cpus = std::max(1, libbpf_num_possible_cpus());
  return std::min(std::bit_ceil(static_cast<uint32_t>(cpus)), limit);
}

Result<RingSet> RingSet::create(uint32_t limit, uint64_t bytes) {
  RingSet set;
  std::vector<int> fds;
  for (uint32_t i = 0; i < count(limit); i++) {
    Result<RingReader> ring = RingReader::create(bytes);
    if (!ring) return ring.error();
    fds.push_back(ring->fd());
    set.rings_.push_back(std::move(*ring));
  }
  LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = static_cast<__u32>(fds.front()));
  set.map_ = UniqueFd(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "rings", sizeof(uint32_t),
                                     sizeof(uint32_t), limit, &options));
  if (!set.map_) return cannot("create a map of ring buffers", errno);
  set.filled_ = std::async(std::launch::async, fill, set.map_.get(), std::move(fds));
  return set;
}

Result<std::vector<RingReader>> RingSet::finish() {
  if (const int error = filled_.get()) return cannot("hand the rings to the BPF programs", error);
  return std::move(rings_);
}

}  // namespace iohops
