// Writes top's figures. Sees values and units of the catalogue; does not see the screen.
#include "sinks/top/cells.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sinks/text.hpp"

namespace iohops {
namespace {

std::string throughput(double bytes_per_second) {
  if (bytes_per_second >= 999.5e6) return fmt::format("{:.2f} GB/s", bytes_per_second / 1e9);
  return text::megabytes(bytes_per_second) + " MB/s";
}

}  // namespace

std::string top_cell(const TopRow& row, TopColumn column, bool utf8) {
  if (column == TopColumn::kName) return text::escape(row.name, utf8);
  const auto value = row.value(column);
  if (!value) return std::string(text::kUnknown);
  switch (info(column).unit) {
    case TopUnit::kText:
    case TopUnit::kNumber:
      return fmt::format("{:.0f}", *value);
    case TopUnit::kRate:
      return text::rate(*value);
    case TopUnit::kMegabytes:
      return text::megabytes(*value);
    case TopUnit::kRatio:
      return text::ratio(*value);
    case TopUnit::kPercent:
      return text::percent(*value, 100);
    case TopUnit::kDuration:
      return text::duration(static_cast<uint64_t>(std::llround(*value)));
  }
  return {};
}

size_t top_column_width(TopColumn column) {
  switch (column) {
    case TopColumn::kPid:
    case TopColumn::kOffCpu:
    case TopColumn::kWriteback:
      return 7;
    case TopColumn::kName:
      return 15;  // comm
    case TopColumn::kSwitches:
    case TopColumn::kBytes:
      return 7;
    case TopColumn::kRequests:
    case TopColumn::kCopies:
    case TopColumn::kDevice:
    case TopColumn::kP50:
    case TopColumn::kP99:
      return 6;
    case TopColumn::kHit:
      return 5;
  }
  return 0;
}

std::string_view top_column_title(const TopModel& model, TopColumn column) {
  if (column != TopColumn::kName) return info(column).title;
  switch (model.view()) {
    case TopView::kProcesses:
      return "COMMAND";
    case TopView::kFiles:
      return "FILE";
    case TopView::kOps:
      return "OPERATION";
  }
  return {};
}

bool stands_left(TopColumn column) { return column == TopColumn::kName; }

std::vector<TopTotal> top_totals(const TopModel& model) {
  const TopTotals& t = model.totals();
  const TopFigures& f = t.figures;
  const auto cached = static_cast<double>(f.cached_requests);
  const auto hits = cached - static_cast<double>(std::min(f.cached_requests, f.cached_misses));
  std::vector<TopTotal> totals{
      {text::rate(t.per_second(f.requests)) + " req/s"},
      {throughput(t.per_second(f.returned_bytes))},
      {"CPU copies " + throughput(t.per_second(f.copy_bytes))},
      {"devices " + throughput(t.per_second(f.device_bytes))},
      {text::rate(t.per_second(f.mode_switches)) + " switches/s"},
      {f.cached_requests == 0 ? "hit -" : "hit " + text::percent(hits, cached) + " %"},
      {"lost " + text::grouped(t.lost), t.lost > 0},
      {fmt::format("self {:.1f} %", t.self_cpu_percent)}};
  if (f.errors > 0) totals.push_back({text::rate(t.per_second(f.errors)) + " errors/s", true});
  return totals;
}

}  // namespace iohops
