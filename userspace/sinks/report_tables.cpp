// The report's tables: how the bytes moved, groups, devices, the slowest, the unattributed.
#include <fmt/format.h>

#include <algorithm>

#include "sinks/report_page.hpp"

namespace iohops {
namespace {

using text::Table;
constexpr auto kLeft = Table::Align::kLeft;

std::string per_byte(uint64_t bytes, uint64_t returned) {
  if (returned == 0) return std::string(text::kUnknown);
  return text::ratio(static_cast<double>(bytes) / static_cast<double>(returned));
}

// A sync or a fault returns no bytes: what it made others move is said in bytes.
std::string per_byte_or_bytes(uint64_t bytes, uint64_t returned) {
  return returned == 0 && bytes > 0 ? text::bytes(bytes) : per_byte(bytes, returned);
}

std::string hit(const OpTotals& totals) {
  const uint64_t cached = totals.hit_bytes + totals.awaited_bytes + totals.miss_bytes;
  return text::percent(static_cast<double>(totals.hit_bytes), static_cast<double>(cached));
}

// Why it was slow, as far as the trace knows: its longest wait, or that it had none.
std::string reason(const SlowRequest& slow) {
  if (slow.longest_wait)
    return text::words(name(*slow.longest_wait)) + " " + text::duration(slow.longest_wait_ns);
  if (slow.off_cpu_ns > 0) return "off CPU " + text::duration(slow.off_cpu_ns);
  return slow.time_known ? "on CPU" : "not ended";
}

}  // namespace

// "(1)" for a figure whose grade has a reason in the header, "" for one that has none.
std::string ReportPage::footnote(std::string_view figure, Evidence evidence) {
  if (evidence == Evidence::kMeasured || !ledger_.header()) return {};
  const auto known = ledger_.header()->evidence.find(std::string(figure));
  if (known == ledger_.header()->evidence.end() || known->second.second.empty()) return {};
  const std::string& note = known->second.second;
  const auto same = std::find(footnotes_.begin(), footnotes_.end(), note);
  const auto number = same - footnotes_.begin() + 1;
  if (same == footnotes_.end()) footnotes_.push_back(note);
  return fmt::format(" ({})", number);
}

// The rows in the order in which a reader follows the bytes: what is read on its way up, what is
// written on its way down, the rest.
std::vector<ReportPage::Move> ReportPage::moves() const {
  std::vector<Move> moves;
  const auto add_all = [&](const auto& by_hop, HopKind kind, std::string_view arrow,
                           std::string_view figure, Evidence fallback) {
    for (size_t i = 0; i < kEndpoints; ++i) {
      for (size_t j = 0; j < kEndpoints; ++j) {
        const auto from = static_cast<Endpoint>(i), to = static_cast<Endpoint>(j);
        const uint64_t bytes = by_hop[i][j].bytes;
        if (bytes > 0)
          moves.push_back({from, to, arrow, figure, bytes,
                           ledger_.evidence(kind, from, to).value_or(fallback)});
      }
    }
  };
  add_all(summary_.dma_by_hop, HopKind::kDma, "--DMA-->", "dma", summary_.dma_evidence);
  add_all(summary_.cpu_copies_by_hop, HopKind::kCpuCopy, "--CPU-->", "cpu_copies",
          summary_.cpu_copies_evidence);
  const auto add = [&](HopKind kind, std::string_view arrow, Endpoint from, Endpoint to,
                       uint64_t bytes) {
    if (bytes > 0)
      moves.push_back({from, to, arrow, name(kind), bytes, ledger_.evidence(kind, from, to)});
  };
  add(HopKind::kMap, "--map-->", Endpoint::kPageCache, Endpoint::kUser, summary_.mapped.bytes);
  for (const auto& handed : ledger_.references())
    add(HopKind::kRef, "--ref-->", handed.from, handed.to, handed.bytes);

  const auto rank = [](const Move& move) {
    if (move.from == Endpoint::kDevice) return 0;
    if (move.to == Endpoint::kUser) return 1;
    if (move.from == Endpoint::kUser) return 2;
    return move.to == Endpoint::kDevice ? 3 : 4;
  };
  std::stable_sort(moves.begin(), moves.end(),
                   [&](const Move& a, const Move& b) { return rank(a) < rank(b); });
  return moves;
}

void ReportPage::bytes_moved() {
  constexpr size_t kWidestEndpoint = 10;  // "page cache"
  Table table({{"HOW THE BYTES MOVED", kLeft, true}, {"bytes"}, {"per byte"}, {"evidence", kLeft}});
  for (const Move& move : moves()) {
    const std::string from = text::pad_right(text::words(name(move.from)), kWidestEndpoint);
    table.row({fmt::format("  {}  {}  {}", from, move.arrow, text::words(name(move.to))),
               text::bytes(move.bytes), per_byte(move.bytes, summary_.bytes_returned),
               move.evidence
                   ? std::string(name(*move.evidence)) + footnote(move.figure, *move.evidence)
                   : std::string(text::kUnknown)});
  }
  if (summary_.device_no_dma.bytes > 0) {
    table.row({"  devices that have no DMA", text::bytes(summary_.device_no_dma.bytes),
               per_byte(summary_.device_no_dma.bytes, summary_.bytes_returned),
               std::string(text::kUnknown)});
  }
  if (summary_.carried_on.bytes > 0)
    table.row({"  of it, carried on below", text::bytes(summary_.carried_on.bytes),
               per_byte(summary_.carried_on.bytes, summary_.bytes_returned), std::string(text::kUnknown)});
  section(table);
  if (table.empty()) return;
  causes();
  page_cache();
  for (size_t i = 0; i < footnotes_.size(); ++i)
    prose(fmt::format("({}) {}", i + 1, escaped(footnotes_[i])));
}

void ReportPage::causes() {
  std::vector<std::string> pieces;
  for (size_t i = 0; i < kCauses; ++i) {
    const Count& count = summary_.dma_by_cause[i];
    const std::string cause = text::words(name(static_cast<Cause>(i)));
    if (count.bytes > 0)
      pieces.push_back(cause + " " + text::bytes(count.bytes));
    else if (count.count > 0)  // a flush or discard moves no bytes, and costs all the same
      pieces.push_back(count.count == 1
                           ? cause + " once"
                           : fmt::format("{} {} times", cause, text::grouped(count.count)));
  }
  if (!pieces.empty()) pieces.front() = "DMA by cause: " + pieces.front();
  flow(pieces, "  ");
}

void ReportPage::page_cache() {
  std::vector<std::string> pieces;
  const auto add = [&pieces](const char* what, uint64_t bytes) {
    if (bytes > 0) pieces.push_back(what + text::bytes(bytes));
  };
  add("missed ", summary_.miss_bytes);
  add("read ahead ", summary_.readahead_bytes);
  add("of it never used ", summary_.readahead_unused_bytes);
  add("written back ", summary_.writeback_bytes);
  add("overwritten before it was written ", summary_.absorbed_bytes);
  add("still dirty at the end ", summary_.pending_bytes);
  if (!pieces.empty()) pieces.front() = "page cache: " + pieces.front();
  flow(pieces, "  ");
}

std::vector<ReportPage::GroupColumn> ReportPage::group_columns(bool later) const {
  const auto unknown = std::string(text::kUnknown);
  const auto percentile = [](double p) {
    return [p](const GroupTotals& g) { return text::duration(g.totals.latency.percentile(p)); };
  };
  std::vector<GroupColumn> columns{
      {"requests", [](const GroupTotals& g) { return text::grouped(g.totals.requests); }},
      {"returned",
       [=](const GroupTotals& g) {
         const bool moves_data = g.totals.requested_bytes + g.totals.returned_bytes > 0;
         return moves_data ? text::bytes(g.totals.returned_bytes) : unknown;
       }},
      {"copies/B",
       [](const GroupTotals& g) {
         return per_byte_or_bytes(g.totals.cpu_copy_bytes, g.totals.returned_bytes);
       }},
      {"DMA/B", [](const GroupTotals& g) {
         return per_byte_or_bytes(g.totals.dma_bytes, g.totals.returned_bytes);
       }}};
  if (later)
    columns.push_back({"later", [=](const GroupTotals& g) {
                         return g.later_bytes > 0 ? text::bytes(g.later_bytes) : unknown;
                       }});
  columns.push_back({"hit %", [](const GroupTotals& g) { return hit(g.totals); }});
  const bool wide = width_ >= 100;
  if (wide || !later) columns.push_back({"p50", percentile(50)});
  columns.push_back({"p99", percentile(99)});
  if (wide)
    columns.push_back(
        {"time", [](const GroupTotals& g) { return text::duration(g.totals.duration_ns); }});
  return columns;
}

void ReportPage::groups(ReportGroup by, const char* title) {
  const std::vector<GroupTotals> rows = ledger_.groups(by);
  const size_t shown = std::min(rows.size(), options_.top_n);
  const bool later = std::any_of(rows.begin(), rows.end(),
                                 [](const GroupTotals& row) { return row.later_bytes > 0; });
  const std::vector<GroupColumn> columns = group_columns(later);
  std::vector<Table::Column> titles{{title, kLeft, true}};
  for (const GroupColumn& column : columns) titles.push_back({column.title});
  Table table(std::move(titles));
  for (size_t i = 0; i < shown; ++i) {
    std::vector<std::string> cells{"  " + escaped(rows[i].label)};
    for (const GroupColumn& column : columns) cells.push_back(column.cell(rows[i]));
    table.row(std::move(cells));
  }
  section(table);
  if (rows.size() > shown)
    line(Style::kDim,
         fmt::format("  and {} more (--top {})", text::grouped(rows.size() - shown), rows.size()));
}

void ReportPage::devices() {
  Table table({{"DEVICES", kLeft, true},
               {"transfers"},
               {"read"},
               {"written"},
               {"queued p50"},
               {"device p50"},
               {"p99"},
               {"DMA", kLeft}});
  const auto percentile = [](const Latency& latency, double p) {
    return latency.count == 0 ? std::string(text::kUnknown) : text::duration(latency.percentile(p));
  };
  for (const auto& [id, totals] : ledger_.devices()) {
    table.row({"  " + escaped(ledger_.device_name(id)), text::grouped(totals.transfers),
               text::bytes(totals.read_bytes), text::bytes(totals.written_bytes),
               percentile(totals.queued, 50), percentile(totals.serving, 50),
               percentile(totals.serving, 99), totals.dma ? "yes" : "no"});
  }
  section(table);
}

void ReportPage::slowest() {
  Table table({{"SLOWEST REQUESTS", kLeft},
               {"took"},
               {"mostly", kLeft},
               {"returned"},
               {"operation", kLeft},
               {"file", kLeft, true}});
  for (const SlowRequest& slow : ledger_.slowest()) {
    std::string id = fmt::format("  {}.{}", slow.id.pid, slow.id.seq);
    if (!slow.complete) id += " (partial)";
    table.row(
        {std::move(id), text::duration(slow.duration_ns), reason(slow),
         slow.returned_bytes ? text::bytes(*slow.returned_bytes) : std::string(text::kUnknown),
         escaped(slow.op), escaped(ledger_.file_name(slow.file))});
  }
  section(table);
}

void ReportPage::unattributed() {
  Table table({{"UNATTRIBUTED DEVICE BYTES", kLeft, true}, {"cause", kLeft}, {"bytes"}});
  for (const auto& [where, bytes] : summary_.unattributed) {
    if (bytes == 0) continue;
    table.row({"  " + escaped(ledger_.device_name(where.first)), text::words(name(where.second)),
               text::bytes(bytes)});
  }
  section(table);
}

}  // namespace iohops
