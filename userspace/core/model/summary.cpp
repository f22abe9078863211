// Latency percentiles, and the totals of a group of requests.
#include "core/model/summary.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace iohops {

void Latency::add(uint64_t ns) {
  const auto bucket = static_cast<size_t>(std::bit_width(ns | 1) - 1);
  ++buckets[bucket];
  ++count;
  sum_ns += ns;
  max_ns = std::max(max_ns, ns);
}

void Latency::merge(const Latency& other) {
  for (size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
  count += other.count;
  sum_ns += other.sum_ns;
  max_ns = std::max(max_ns, other.max_ns);
}

uint64_t Latency::percentile(double p) const {
  if (count == 0) return 0;
  const double rank = std::clamp(p, 0.0, 100.0) / 100.0 * static_cast<double>(count);
  double below = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    const auto inside = static_cast<double>(buckets[i]);
    if (inside == 0) continue;
    if (below + inside < rank) {
      below += inside;
      continue;
    }
    const double low = i == 0 ? 0.0 : std::ldexp(1.0, static_cast<int>(i));
    const double high = std::min(std::ldexp(1.0, static_cast<int>(i) + 1),
                                 static_cast<double>(max_ns));  // nothing lies above the maximum
    const double value = low + (high - low) * std::max(0.0, rank - below) / inside;
    return value >= static_cast<double>(max_ns) ? max_ns : static_cast<uint64_t>(value);
  }
  return max_ns;
}

void OpTotals::add(const Request& request, const Moved& moved) {
  ++requests;
  if (request.result < 0) ++errors;
  if (request.moves_data) requested_bytes += request.requested.value_or(0);
  returned_bytes += moved.returned;
  cpu_copy_bytes += request.cpu_copy_bytes;
  dma_bytes += request.dma_bytes;
  mode_switches += request.mode_switches;
  hit_bytes += moved.hit;
  awaited_bytes += moved.awaited;
  miss_bytes += request.miss_bytes;
  duration_ns += request.duration_ns;
  off_cpu_ns += request.off_cpu_ns;
  latency.add(request.duration_ns);
}

void OpTotals::merge(const OpTotals& other) {
  requests += other.requests;
  errors += other.errors;
  requested_bytes += other.requested_bytes;
  returned_bytes += other.returned_bytes;
  cpu_copy_bytes += other.cpu_copy_bytes;
  dma_bytes += other.dma_bytes;
  mode_switches += other.mode_switches;
  hit_bytes += other.hit_bytes;
  awaited_bytes += other.awaited_bytes;
  miss_bytes += other.miss_bytes;
  duration_ns += other.duration_ns;
  off_cpu_ns += other.off_cpu_ns;
  latency.merge(other.latency);
}

void FlowTotals::add(const Flow& flow) {
  if (flows++ == 0) first = flow;
  bytes += flow.bytes;
  cpu_copies += flow.cpu_copies;
  dma += flow.dma;
  mode_switches += flow.mode_switches;
  copied_bytes += flow.copied_bytes;
}

uint64_t Summary::lost_total() const {
  uint64_t total = 0;
  for (const auto& [cause, count] : lost) total += count;
  return total;
}

}  // namespace iohops
