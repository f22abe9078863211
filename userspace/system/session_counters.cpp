// What the programs of a session have counted.
#include "system/session.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "iohops.skel.h"

namespace iohops {

KernelCounters Session::counters() const {
  // struct cpu_state of bpf/state.h, once for each possible CPU
  struct CpuState {
    uint64_t losses[WIRE_LOSS_CAUSES], next_transfer, next_file;
    uint64_t filesystem;
  };
  std::vector<CpuState> cpus(static_cast<size_t>(std::max(1, libbpf_num_possible_cpus())));
  KernelCounters sum;
  const uint32_t zero = 0;
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.cpu_states), &zero, cpus.data())) return sum;
  for (const CpuState& cpu : cpus) {
    for (size_t i = 0; i < sum.losses.size(); i++) sum.losses[i] += cpu.losses[i];
  }
  sum.losses[WIRE_LOSS_RECURSION] += recursion_misses();
  return sum;
}

namespace {

template <typename F>
void for_each_info(const std::vector<bpf_program*>& programs, F&& f) {
  for (const bpf_program* program : programs) {
    bpf_prog_info info{};
    uint32_t bytes = sizeof info;
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &bytes) == 0)
      f(std::string_view(bpf_program__name(program)), info);
  }
}

}  // namespace

uint64_t Session::recursion_misses() const {
  uint64_t sum = 0;
  for_each_info(programs(), [&](std::string_view name, const bpf_prog_info& info) {
    // A copy that was missed shows: the sum is less than the result.
    if (name.starts_with("copy_")) return;
    // A mapping that was missed (of any device, in an interrupt) takes no figure away: its transfer
    // is then derived, and says so.
    if (!name.starts_with("dma_") || name == "dma_bounced") sum += info.recursion_misses;
  });
  return sum;
}

std::optional<uint64_t> Session::bpf_run_ns() const {
  uint64_t sum = 0, runs = 0;
  for_each_info(programs(), [&](std::string_view, const bpf_prog_info& info) {
    sum += info.run_time_ns;
    runs += info.run_cnt;
  });
  if (runs == 0) return std::nullopt;
  return sum;
}

std::vector<TallyRow> Session::tallies() const {
  const int map = bpf_map__fd(skeleton_->maps.tally_rows);
  const int sums = bpf_map__fd(skeleton_->maps.tallies);
  std::vector<wire_tally> cpus(static_cast<size_t>(std::max(1, libbpf_num_possible_cpus())));
  std::vector<TallyRow> rows;
  wire_tally_key key{};
  for (int failed = bpf_map_get_next_key(map, nullptr, &key); !failed;
       failed = bpf_map_get_next_key(map, &key, &key)) {
    uint32_t at = 0;
    if (bpf_map_lookup_elem(map, &key, &at) || bpf_map_lookup_elem(sums, &at, cpus.data()))
      continue;
    TallyRow row{key, {}};
    // A wire_tally is 64-bit counters followed by the 32-bit latency buckets.
    constexpr size_t kWords = offsetof(wire_tally, latency) / sizeof(uint64_t);
    auto* sum = reinterpret_cast<__u64*>(&row.tally);
    for (const wire_tally& cpu : cpus) {
      const auto* words = reinterpret_cast<const __u64*>(&cpu);
      for (size_t i = 0; i < kWords; i++) sum[i] += words[i];
      for (size_t i = 0; i < WIRE_LATENCY_BUCKETS; i++) row.tally.latency[i] += cpu.latency[i];
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace iohops
