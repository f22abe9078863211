// The figures of a row of top and the catalogue of its columns: one entry feeds the screen, the
// batch rows, --sort and the help. Sees sums of tallies; does not see how a figure is written.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "bpf/wire_tally.h"
#include "core/model/model.hpp"

namespace iohops {

// What happened in one interval, summed over whatever the row stands for.
struct TopFigures {
  uint64_t requests = 0;
  uint64_t errors = 0;
  uint64_t returned_bytes = 0;
  uint64_t judged_bytes = 0;     // of them: of a known file, so that its copies can be told
  uint64_t copy_bytes = 0;       // CPU copies, derived from the kind of file and the operation
  uint64_t device_bytes = 0;     // to and from devices on behalf of the row, writeback included
  uint64_t writeback_bytes = 0;  // of them: written later by the kernel
  uint64_t mode_switches = 0;    // two a request
  uint64_t cached_requests = 0;  // reads and faults that the page cache could have answered
  uint64_t cached_misses = 0;    // of them: those that needed a device, or waited for one
  uint64_t duration_ns = 0;      // inside requests
  uint64_t off_cpu_ns = 0;       // of it
  std::array<uint64_t, WIRE_LATENCY_BUCKETS> latency{};

  void add(const TopFigures&);
  bool idle() const { return requests == 0 && device_bytes == 0; }
  std::optional<uint64_t> percentile_ns(double p) const;  // unset: no request
};

enum class TopColumn : uint8_t {
  kPid,
  kName,
  kRequests,
  kBytes,
  kCopies,
  kDevice,
  kSwitches,
  kHit,
  kP50,
  kP99,
  kOffCpu,
  kWriteback,
};
inline constexpr int kTopColumns = 12;

enum class TopUnit : uint8_t { kText, kNumber, kRate, kMegabytes, kRatio, kPercent, kDuration };

struct TopColumnInfo {
  TopColumn column;
  std::string_view key;    // for --sort
  std::string_view title;  // kName: replaced by what the view lists
  TopUnit unit;
  std::string_view help;
};

std::span<const TopColumnInfo> top_columns();  // in the order of the screen
const TopColumnInfo& info(TopColumn);
std::optional<TopColumn> parse_top_column(std::string_view key);

struct TopRow {
  uint64_t key = 0;  // identity within the view: stays when the order changes
  uint32_t pid = 0;  // 0: not a process (writeback by the kernel, or a sum over processes)
  std::string name;  // raw bytes: comm, path or operation
  TopFigures figures;
  uint64_t elapsed_ns = 0;
  bool has_device = true;  // false: device work is not known per operation

  // The value of a column in its unit (rates per second, percent 0..100, durations in ns); unset:
  // unknown or meaningless here.
  std::optional<double> value(TopColumn) const;
};

}  // namespace iohops
