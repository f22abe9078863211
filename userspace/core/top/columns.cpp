// The catalogue of top's columns and the arithmetic behind each. Sees sums, not where they are
// from.
#include "core/top/columns.hpp"

#include <algorithm>

#include "core/model/summary.hpp"

namespace iohops {
namespace {

constexpr std::array<TopColumnInfo, kTopColumns> kCatalogue{{
    {TopColumn::kPid, "pid", "PID", TopUnit::kNumber, "process"},
    {TopColumn::kName, "name", "NAME", TopUnit::kText, "command, file or operation"},
    {TopColumn::kRequests, "requests", "REQ/s", TopUnit::kRate, "requests per second"},
    {TopColumn::kBytes, "bytes", "MB/s", TopUnit::kMegabytes,
     "bytes returned to or taken from the application, 10^6 a second"},
    {TopColumn::kCopies, "copies", "COPY/B", TopUnit::kRatio,
     "times a byte was copied by a CPU (derived from the kind of file)"},
    {TopColumn::kDevice, "device", "DEV/B", TopUnit::kRatio,
     "bytes that a device moved per byte, readahead and writeback included"},
    {TopColumn::kSwitches, "switches", "SW/MiB", TopUnit::kRatio,
     "mode switches (user/kernel, two a request) per MiB"},
    {TopColumn::kHit, "hit", "HIT%", TopUnit::kPercent,
     "reads and faults that the page cache answered without a device"},
    {TopColumn::kP50, "p50", "p50", TopUnit::kDuration,
     "half of the requests were faster (within a factor of 2)"},
    {TopColumn::kP99, "p99", "p99", TopUnit::kDuration,
     "all but one in a hundred were faster (within a factor of 2)"},
    {TopColumn::kOffCpu, "offcpu", "OFFCPU%", TopUnit::kPercent,
     "share of the time in requests that was spent off the CPU"},
    {TopColumn::kWriteback, "writeback", "WB MB/s", TopUnit::kMegabytes,
     "written to devices later, by the kernel, for the only traced writer"},
}};

std::optional<double> quotient(uint64_t part, uint64_t of, double scale = 1) {
  if (of == 0) return std::nullopt;
  return scale * static_cast<double>(part) / static_cast<double>(of);
}

}  // namespace

void TopFigures::add(const TopFigures& other) {
  requests += other.requests;
  errors += other.errors;
  returned_bytes += other.returned_bytes;
  judged_bytes += other.judged_bytes;
  copy_bytes += other.copy_bytes;
  device_bytes += other.device_bytes;
  writeback_bytes += other.writeback_bytes;
  mode_switches += other.mode_switches;
  cached_requests += other.cached_requests;
  cached_misses += other.cached_misses;
  duration_ns += other.duration_ns;
  off_cpu_ns += other.off_cpu_ns;
  for (size_t i = 0; i < latency.size(); ++i) latency[i] += other.latency[i];
}

std::optional<uint64_t> TopFigures::percentile_ns(double p) const {
  Latency all;
  for (size_t i = 0; i < latency.size(); ++i) {
    all.buckets[i] = latency[i];
    all.count += latency[i];
    if (latency[i] > 0) all.max_ns = (uint64_t{2} << i) - 1;  // the tally keeps no maximum
  }
  all.sum_ns = duration_ns;
  if (all.count == 0) return std::nullopt;
  return all.percentile(p);
}

std::span<const TopColumnInfo> top_columns() { return kCatalogue; }

const TopColumnInfo& info(TopColumn column) { return kCatalogue[static_cast<size_t>(column)]; }

std::optional<TopColumn> parse_top_column(std::string_view key) {
  for (const TopColumnInfo& column : kCatalogue)
    if (column.key == key) return column.column;
  return std::nullopt;
}

std::optional<double> TopRow::value(TopColumn column) const {
  constexpr double kMiB = 1 << 20;
  const auto per_second = [this](uint64_t n) { return quotient(n, elapsed_ns, 1e9); };
  const auto percentile = [this](double p) -> std::optional<double> {
    const auto ns = figures.percentile_ns(p);
    return ns ? std::optional<double>(static_cast<double>(*ns)) : std::nullopt;
  };
  const uint64_t cached = figures.cached_requests;
  switch (column) {
    case TopColumn::kPid:
      return pid == 0 ? std::nullopt : std::optional<double>(pid);
    case TopColumn::kName:
      return std::nullopt;
    case TopColumn::kRequests:
      return per_second(figures.requests);
    case TopColumn::kBytes:
      return per_second(figures.returned_bytes);
    case TopColumn::kCopies:
      return quotient(figures.copy_bytes, figures.judged_bytes);
    case TopColumn::kDevice:
      if (!has_device) return std::nullopt;
      return quotient(figures.device_bytes, figures.returned_bytes);
    case TopColumn::kSwitches:
      return quotient(figures.mode_switches, figures.returned_bytes, kMiB);
    case TopColumn::kHit:
      return quotient(cached - std::min(cached, figures.cached_misses), cached, 100);
    case TopColumn::kP50:
      return percentile(50);
    case TopColumn::kP99:
      return percentile(99);
    case TopColumn::kOffCpu:
      return quotient(std::min(figures.off_cpu_ns, figures.duration_ns), figures.duration_ns, 100);
    case TopColumn::kWriteback:
      if (!has_device) return std::nullopt;
      return per_second(figures.writeback_bytes);
  }
  return std::nullopt;
}

}  // namespace iohops
