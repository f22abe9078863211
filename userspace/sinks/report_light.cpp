// The page of a trace without system calls: what devices moved, for whom and of what.
#include <fmt/format.h>

#include <algorithm>

#include "sinks/report_page.hpp"

namespace iohops {

void ReportPage::below_calls() {
  const auto faults = summary_.by_op.find("page_fault");
  if (faults != summary_.by_op.end()) {
    const OpTotals& totals = faults->second;
    out_ += '\n';
    flow({plural(totals.requests, "page fault") + " on files", "mapped " + text::bytes(summary_.mapped.bytes),
          "p50 " + text::duration(totals.latency.percentile(50)),
          "p99 " + text::duration(totals.latency.percentile(99))},
         "");
  }
  if (ledger_.devices().empty()) line(Style::kPlain, "\nno device work was seen");
  devices();
  causes();
  if (summary_.dma_by_cause[static_cast<size_t>(Cause::kUnknown)].bytes > 0)
    prose("unknown: reads that may be readahead, writes that may be a sync's: only system calls tell");
  shares("WHO QUEUED IT", ledger_.by_queuer(), [this](uint32_t pid) {
    return pid == 0 ? "the kernel (writeback, journal, others)" : ledger_.process_name(pid);
  });
  shares("WHOSE PAGES", ledger_.by_pages(), [this](uint32_t file) {
    return file == 0 ? "(not a file's, or not known)" : ledger_.file_name(file);
  });
}

void ReportPage::shares(const char* title, const std::vector<std::pair<uint32_t, DeviceShare>>& rows,
                        const std::function<std::string(uint32_t)>& label) {
  text::Table table({{title, text::Table::Align::kLeft, true}, {"transfers"}, {"read"}, {"written"}, {"p50"}, {"p99"}});
  const size_t shown = std::min(rows.size(), options_.top_n);
  for (size_t i = 0; i < shown; ++i) {
    const DeviceShare& share = rows[i].second;
    const auto latency = [&](double p) {
      return share.latency.count == 0 ? std::string(text::kUnknown) : text::duration(share.latency.percentile(p));
    };
    table.row({"  " + escaped(label(rows[i].first)), text::grouped(share.transfers), text::bytes(share.read_bytes),
               text::bytes(share.written_bytes), latency(50), latency(99)});
  }
  section(table);
  if (rows.size() > shown)
    line(Style::kDim, fmt::format("  and {} more (--top {})", text::grouped(rows.size() - shown), rows.size()));
}

}  // namespace iohops
