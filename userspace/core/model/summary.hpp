// What a trace adds up to: its last record, and what that is made of.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/model/hop.hpp"
#include "core/model/model.hpp"

namespace iohops {

// A log2 histogram: [i] counts values with 2^i <= v < 2^(i+1). Enough for p50/p99 within 2x
// (interpolated inside a bucket) at constant memory.
struct Latency {
  std::array<uint64_t, 64> buckets{};
  uint64_t count = 0;
  uint64_t sum_ns = 0;
  uint64_t max_ns = 0;
  void add(uint64_t ns);
  void merge(const Latency&);
  uint64_t percentile(double p) const;  // p in 0..100; 0 if empty
};

struct OpTotals {
  uint64_t requests = 0;
  uint64_t errors = 0;
  uint64_t requested_bytes = 0;
  uint64_t returned_bytes = 0;
  uint64_t cpu_copy_bytes = 0;
  uint64_t dma_bytes = 0;
  uint64_t mode_switches = 0;
  uint64_t hit_bytes = 0;
  uint64_t awaited_bytes = 0;  // in the page cache, but still being loaded
  uint64_t miss_bytes = 0;
  uint64_t duration_ns = 0;
  uint64_t off_cpu_ns = 0;
  Latency latency;
  void add(const Request&, const Moved&);
  void add(const Request& request) { add(request, request.moved_bytes()); }
  void merge(const OpTotals&);
};

struct FileTotals {
  uint32_t file = 0;  // 0: all files beyond the limit, together
  OpTotals totals;
};

// All flows of a kind from one file to another.
struct FlowTotals {
  Flow first;  // the earliest, as an example; its counts are in the sums
  uint64_t flows = 0;
  uint64_t bytes = 0;
  uint64_t cpu_copies = 0;
  uint64_t dma = 0;
  uint64_t mode_switches = 0;
  uint64_t copied_bytes = 0;
  void add(const Flow&);
};

// What the requests that asked for durability (fsync and its kin, writes with O_DSYNC) did and
// waited for.
struct SyncBill {
  uint64_t requests = 0;
  uint64_t duration_ns = 0;
  uint64_t data_bytes = 0;     // file data that devices wrote for them
  uint64_t journal_bytes = 0;  // of the journal, with their share of commits that others shared
  uint64_t flushes = 0;        // of a device's cache, their own and those that they waited for
  std::array<uint64_t, kWaitReasons> wait_ns{};
};

struct AdviceEntry {
  std::string id, title, how;
  std::vector<RequestId> evidence;
  uint64_t saves_cpu_copies = 0, saves_bytes = 0, saves_mode_switches = 0;
};

struct Overhead {
  std::optional<uint64_t> bpf_ns;
  double cpu_percent = 0;  // collector CPU of one core, over the trace
  uint64_t events = 0;
  double ring_peak_percent = 0;
  uint64_t ring_wanted_bytes = 0;  // of one ring, that would have lost nothing; 0: none did
};

struct Summary {
  uint64_t duration_ns = 0;
  bool light = false;  // system calls were not traced: what they would add to is unknown, not 0
  uint64_t requests = 0;
  uint64_t left_out = 0;  // of them: not listed one by one (Thinning)
  uint64_t partial_requests = 0;
  uint64_t bytes_requested = 0;
  uint64_t bytes_returned = 0;
  uint64_t mode_switches = 0;
  uint64_t voluntary_switches = 0, involuntary_switches = 0;
  Count cpu_copies;
  std::array<std::array<Count, kEndpoints>, kEndpoints> cpu_copies_by_hop{};  // [from][to]
  Evidence cpu_copies_evidence = Evidence::kMeasured;  // the weakest that occurred
  Count dma;
  std::array<Count, kCauses> dma_by_cause{};
  std::array<std::array<Count, kEndpoints>, kEndpoints> dma_by_hop{};  // [from][to]
  Evidence dma_evidence = Evidence::kMeasured;
  Count device_no_dma;  // transfers of devices without DMA
  Count carried_on;     // of all transfers, those whose bytes a device or a file below took over
  uint64_t unattributed_bytes = 0;
  std::map<std::pair<uint32_t, Cause>, uint64_t> unattributed;  // (device, cause) -> bytes
  Count mapped;  // page-cache pages mapped into the process
  uint64_t hit_bytes = 0, awaited_bytes = 0, miss_bytes = 0, readahead_bytes = 0,
           readahead_unused_bytes = 0;
  uint64_t writeback_bytes = 0, absorbed_bytes = 0, pending_bytes = 0;
  uint64_t copies_in_doubt = 0;  // requests whose copy was measured otherwise than derived
  std::array<uint64_t, kWaitReasons> wait_ns{};
  uint64_t on_cpu_ns = 0;  // inside requests
  std::map<std::string, OpTotals> by_op;
  std::vector<FileTotals> by_file;  // by returned bytes, the largest first, bounded
  std::vector<FlowTotals> flows;    // the most bytes first, bounded
  SyncBill syncs;
  std::vector<AdviceEntry> advice;
  std::map<std::string, uint64_t> lost;  // by cause
  Overhead overhead;
  std::string stop_reason;    // "interrupted", "duration", "target_exit"
  uint64_t suspended_ns = 0;  // the machine slept meanwhile: no time in the trace counts it
  int64_t clock_step_ns = 0;  // the wall clock was set meanwhile

  uint64_t lost_total() const;
};

}  // namespace iohops
