#include "sinks/diff.hpp"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "sinks/text.hpp"

namespace iohops {
namespace {

enum class Unit : uint8_t { kCount, kBytes, kTime, kRatio, kPercent };

using Value = std::optional<double>;

template <typename Of>
struct Figure {
  const char* name;   // in JSON
  const char* title;  // for a person
  Unit unit;
  std::function<Value(const Of&)> of;
};

Value share(uint64_t part, uint64_t whole, double unit = 1) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) * unit / static_cast<double>(whole);
}

double real(uint64_t n) { return static_cast<double>(n); }

OpTotals all_of(const Summary& s) {
  OpTotals all;
  for (const auto& [op, totals] : s.by_op) all.merge(totals);
  return all;
}

Value percentile(const Latency& latency, double p) {
  if (latency.count == 0) return std::nullopt;
  return real(latency.percentile(p));
}

const std::vector<Figure<Summary>>& figures() {
  static const std::vector<Figure<Summary>> kFigures{
      {"cpu_copies_per_byte", "CPU copies per byte", Unit::kRatio,
       [](const Summary& s) { return share(s.cpu_copies.bytes, s.bytes_returned); }},
      {"dma_per_byte", "DMA per byte", Unit::kRatio,
       [](const Summary& s) { return share(s.dma.bytes, s.bytes_returned); }},
      {"switches_per_mib", "mode switches per MiB", Unit::kRatio,
       [](const Summary& s) { return share(s.mode_switches, s.bytes_returned, 1 << 20); }},
      {"hit_percent", "page-cache hits, %", Unit::kPercent,
       [](const Summary& s) { return share(s.hit_bytes, s.hit_bytes + s.awaited_bytes + s.miss_bytes, 100); }},
      {"p50_ns", "p50 of a request", Unit::kTime, [](const Summary& s) { return percentile(all_of(s).latency, 50); }},
      {"p99_ns", "p99 of a request", Unit::kTime, [](const Summary& s) { return percentile(all_of(s).latency, 99); }},
      {"duration_ns", "time traced", Unit::kTime, [](const Summary& s) { return Value(real(s.duration_ns)); }},
      {"requests", "requests", Unit::kCount, [](const Summary& s) { return Value(real(s.requests)); }},
      {"bytes_returned", "bytes returned", Unit::kBytes, [](const Summary& s) { return Value(real(s.bytes_returned)); }},
      {"cpu_copy_bytes", "copied by CPU", Unit::kBytes, [](const Summary& s) { return Value(real(s.cpu_copies.bytes)); }},
      {"dma_bytes", "moved by DMA", Unit::kBytes, [](const Summary& s) { return Value(real(s.dma.bytes)); }},
      {"mode_switches", "mode switches", Unit::kCount, [](const Summary& s) { return Value(real(s.mode_switches)); }},
      {"context_switches", "context switches", Unit::kCount,
       [](const Summary& s) { return Value(real(s.voluntary_switches + s.involuntary_switches)); }},
      {"readahead_unused_bytes", "read ahead, not used", Unit::kBytes,
       [](const Summary& s) { return Value(real(s.readahead_unused_bytes)); }},
      {"sync_ns", "time in syncs", Unit::kTime, [](const Summary& s) { return Value(real(s.syncs.duration_ns)); }},
      {"lost", "records lost", Unit::kCount, [](const Summary& s) { return Value(real(s.lost_total())); }},
  };
  return kFigures;
}

const std::vector<Figure<OpTotals>>& op_figures() {
  static const std::vector<Figure<OpTotals>> kFigures{
      {"requests", "requests", Unit::kCount, [](const OpTotals& t) { return Value(real(t.requests)); }},
      {"returned_bytes", "returned", Unit::kBytes, [](const OpTotals& t) { return Value(real(t.returned_bytes)); }},
      {"cpu_copies_per_byte", "copies/B", Unit::kRatio,
       [](const OpTotals& t) { return share(t.cpu_copy_bytes, t.returned_bytes); }},
      {"p50_ns", "p50", Unit::kTime, [](const OpTotals& t) { return percentile(t.latency, 50); }},
      {"p99_ns", "p99", Unit::kTime, [](const OpTotals& t) { return percentile(t.latency, 99); }},
  };
  return kFigures;
}

// A recording may hold any number; one beyond 64 bits is no worse than the largest.
uint64_t whole_of(double value) {
  constexpr double kEnd = 18446744073709551616.0;
  return value >= kEnd ? UINT64_MAX : value > 0 ? static_cast<uint64_t>(value) : 0;
}

std::string shown(Value value, Unit unit) {
  if (!value) return std::string(text::kUnknown);
  const uint64_t whole = whole_of(*value);
  switch (unit) {
    case Unit::kCount:
      return text::grouped(whole);
    case Unit::kBytes:
      return text::bytes(whole);
    case Unit::kTime:
      return text::duration(whole);
    case Unit::kRatio:
      return text::ratio(*value);
    case Unit::kPercent:
      return text::percent(*value, 100);
  }
  return {};
}

// "-12.5 %", "3.0 times", "same", "new", "gone".
std::string change(Value before, Value after) {
  if (!before && !after) return {};
  if (!before || !after) return before ? "gone" : "new";
  if (*before == *after) return "same";
  if (*before == 0) return "new";
  const double times = *after / *before;
  if (times >= 2) return text::ratio(times) + " times";
  return fmt::format("{:+.1f} %", (times - 1) * 100);
}

std::set<std::string> ops_of(const Compared& before, const Compared& after) {
  std::set<std::string> ops;
  for (const Summary* summary : {&before.summary, &after.summary})
    for (const auto& [op, totals] : summary->by_op) ops.insert(op);
  return ops;
}

OpTotals totals_of(const Summary& summary, const std::string& op) {
  const auto found = summary.by_op.find(op);
  return found == summary.by_op.end() ? OpTotals{} : found->second;
}

void append(std::string& out, const text::Table& table, size_t width, const text::Paint& paint) {
  const std::vector<std::string> lines = table.lines(width, 0);
  for (size_t i = 0; i < lines.size(); ++i) out += (i == 0 ? paint(text::Style::kBold, lines[i]) : lines[i]) + "\n";
}

}  // namespace

std::string diff_text(const Compared& before, const Compared& after, const DiffOptions& options) {
  using Align = text::Table::Align;
  const text::Paint paint(options.color);
  std::string out = "before: " + text::escape(before.name, options.utf8) + "\nafter:  " +
                    text::escape(after.name, options.utf8) + "\n\n";
  text::Table table({{"FIGURE", Align::kLeft, true}, {"before"}, {"after"}, {"change"}});
  for (const auto& figure : figures()) {
    const Value was = figure.of(before.summary), is = figure.of(after.summary);
    table.row({std::string("  ") + figure.title, shown(was, figure.unit), shown(is, figure.unit), change(was, is)});
  }
  append(out, table, options.width, paint);
  out += "\n";
  text::Table ops({{"BY OPERATION", Align::kLeft, true}, {"figure", Align::kLeft}, {"before"}, {"after"}, {"change"}});
  for (const std::string& op : ops_of(before, after)) {
    std::string label = "  " + text::escape(op, options.utf8);
    const OpTotals then = totals_of(before.summary, op), now = totals_of(after.summary, op);
    for (const auto& figure : op_figures()) {
      const Value was = figure.of(then), is = figure.of(now);
      if ((!was && !is) || (was == 0. && is == 0.)) continue;
      ops.row({label, figure.title, shown(was, figure.unit), shown(is, figure.unit), change(was, is)});
      label = "";
    }
  }
  append(out, ops, options.width, paint);
  out += paint(text::Style::kDim, "p50 and p99 are estimates within a factor of 2") + "\n";
  return out;
}

namespace {

using Json = nlohmann::ordered_json;

Json number(Value value, Unit unit) {
  if (!value) return nullptr;
  if (unit == Unit::kRatio || unit == Unit::kPercent) return *value;
  return whole_of(*value);
}

template <typename Of>
Json pairs(const std::vector<Figure<Of>>& figures, const Of& before, const Of& after) {
  Json tree = Json::object();
  for (const auto& figure : figures)
    tree[figure.name] = {{"before", number(figure.of(before), figure.unit)},
                         {"after", number(figure.of(after), figure.unit)}};
  return tree;
}

}  // namespace

std::string diff_json(const Compared& before, const Compared& after) {
  Json tree{{"format", "iohops-diff"}, {"version", "1.0"}, {"before", before.name}, {"after", after.name}};
  tree["figures"] = pairs(figures(), before.summary, after.summary);
  Json& by_op = tree["by_op"] = Json::object();
  for (const std::string& op : ops_of(before, after))
    by_op[op] = pairs(op_figures(), totals_of(before.summary, op), totals_of(after.summary, op));
  return tree.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace iohops
