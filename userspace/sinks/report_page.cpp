// The report's lines of prose: headline, requests, time, loss, cost. Tables are in
// report_tables.cpp.
#include "sinks/report_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "sinks/ring_advice.hpp"

namespace iohops {
namespace {

OpTotals all_ops(const Summary& summary) {
  OpTotals all;
  for (const auto& [op, totals] : summary.by_op) all.merge(totals);
  return all;
}

}  // namespace

std::string ReportPage::plural(uint64_t n, std::string_view one) {
  return fmt::format("{} {}{}", text::grouped(n), one, n == 1 ? "" : "s");
}

ReportPage::ReportPage(const ReportLedger& ledger, const TextReportOptions& options, bool truncated)
    : ledger_(ledger),
      summary_(ledger.summary()),
      options_(options),
      width_(std::max<size_t>(options.width, 80)),
      truncated_(truncated),
      paint_(options.color) {}

std::string ReportPage::text() {
  headline();
  verdict();
  light() ? below_calls() : all_requests();
  slowest();
  if (!light()) unattributed();
  lost();
  not_seen();
  cost();
  return std::move(out_);
}

void ReportPage::all_requests() {
  requests();
  bytes_moved();
  time();
  syncs();
  advice();
  switch (options_.group_by) {
    case ReportGroup::kFile:
      groups(ReportGroup::kFile, "FILES");
      break;
    case ReportGroup::kProcess:
      groups(ReportGroup::kProcess, "PROCESSES");
      break;
    case ReportGroup::kThread:
      groups(ReportGroup::kThread, "THREADS");
      break;
    case ReportGroup::kDevice:
      devices();
      break;
    case ReportGroup::kOp:
      break;
  }
  groups(ReportGroup::kOp, "BY OPERATION");
  if (summary_.requests > 0) line(Style::kDim, "  p50 and p99 are estimates within a factor of 2");
}

void ReportPage::line(Style style, std::string_view text) {
  out_ += paint_(style, text);
  out_ += '\n';
}

void ReportPage::flow(const std::vector<std::string>& pieces, std::string_view indent,
                      std::string_view gap) {
  std::string current(indent);
  for (const std::string& piece : pieces) {
    const bool first = current.size() == indent.size();
    if (!first && text::width(current) + gap.size() + text::width(piece) > width_) {
      line(Style::kPlain, current);
      current = indent;
    } else if (!first) {
      current += gap;
    }
    current += piece;
  }
  if (current.size() > indent.size()) line(Style::kPlain, current);
}

void ReportPage::prose(const std::string& sentence) {
  std::vector<std::string> pieces;
  for (size_t at = 0; at < sentence.size();) {
    const size_t end = std::min(sentence.find(' ', at), sentence.size());
    if (end > at) pieces.push_back(sentence.substr(at, end - at));
    at = end + 1;
  }
  flow(pieces, "  ", " ");
}

void ReportPage::section(text::Table& table) {
  if (table.empty()) return;
  const std::vector<std::string> lines = table.lines(width_, 0);
  out_ += '\n';
  line(Style::kBold, lines.front());
  for (size_t i = 1; i < lines.size(); ++i) line(Style::kPlain, lines[i]);
}

std::string ReportPage::target() const {
  if (!ledger_.header()) return "a trace without a header";
  const Header& header = *ledger_.header();
  if (header.scope == "all") return "all processes";
  if (header.targets.empty()) return "no target named";
  const Target& first = header.targets.front();
  std::string text = fmt::format("{} ({})", escaped(first.comm), first.pid);
  if (header.targets.size() > 1) text += fmt::format(" and {} more", header.targets.size() - 1);
  return text;
}

// The file systems and devices that took part. Which lies on which is not in the trace.
std::string ReportPage::storage() const {
  std::string text;
  for (const std::string& filesystem : ledger_.filesystems())
    text += (text.empty() ? "" : ", ") + escaped(filesystem);
  std::string disks;
  for (const auto& [id, totals] : ledger_.devices()) {
    disks += (disks.empty() ? "" : ", ") + escaped(ledger_.device_name(id));
    const Device* device = ledger_.device(id);
    if (device != nullptr && !device->driver.empty()) disks += " (" + escaped(device->driver) + ")";
  }
  if (!text.empty() && !disks.empty()) text += "; ";
  return text + disks;
}

void ReportPage::headline() {
  std::vector<std::string> pieces{target(), text::duration(summary_.duration_ns)};
  if (ledger_.header() && !ledger_.header()->kernel.empty())
    pieces.push_back("Linux " + escaped(ledger_.header()->kernel));
  const std::string disks = storage();
  if (!disks.empty()) pieces.push_back(text::clip(disks, width_));
  flow(pieces, "");
}

// One line says whether the figures are the whole truth.
void ReportPage::verdict() {
  const uint64_t count = summary_.lost_total();
  if (light()) line(Style::kPlain, "page faults and device work only (--light): system calls were not traced");
  if (truncated_)
    line(Style::kWarn, "cut short: the input ends without a summary; this is what was in it");
  if (count > 0)
    line(Style::kWarn, plural(count, "record") + " lost: the figures are too low by them (LOST)");
  if (summary_.partial_requests > 0)
    line(Style::kWarn, plural(summary_.partial_requests, "request") +
                           " known only in part: not ended, or touched by a loss");
  if (!truncated_ && count == 0 && summary_.partial_requests == 0)
    line(Style::kGood, "complete, nothing lost");
  if (ledger_.header() && ledger_.header()->redacted) line(Style::kPlain, "names are hashes (--redact)");
  const std::string thinned = ledger_.header() ? ledger_.header()->thinned : "";
  if (!thinned.empty() && truncated_)
    line(Style::kWarn, "only some requests are listed (" + escaped(thinned) + "): the figures are of those");
  else if (!thinned.empty())
    line(Style::kPlain,
         fmt::format("{} of {} requests are listed ({}): processes, devices and the slowest are of those",
                     text::grouped(summary_.requests - std::min(summary_.requests, summary_.left_out)),
                     text::grouped(summary_.requests), escaped(thinned)));
  if (summary_.suspended_ns > 0)
    line(Style::kWarn, "the machine was suspended for " + text::duration(summary_.suspended_ns) +
                           " meanwhile, which no time here counts");
  if (summary_.clock_step_ns != 0) {
    const bool back = summary_.clock_step_ns < 0;
    // Unsigned, so that the least of all values has a magnitude.
    const auto set = static_cast<uint64_t>(summary_.clock_step_ns);
    const uint64_t step = back ? 0 - set : set;
    line(Style::kWarn, fmt::format("the wall clock was set {} by {} meanwhile",
                                   back ? "back" : "forward", text::duration(step)));
  }
}

void ReportPage::requests() {
  if (summary_.requests == 0) {
    line(Style::kPlain,
         "\nno requests: the target made none that are traced, or a filter let none "
         "pass");
    return;
  }
  const OpTotals all = all_ops(summary_);
  std::vector<std::string> pieces{plural(summary_.requests, "request"),
                                  "asked " + text::bytes(summary_.bytes_requested),
                                  "returned " + text::bytes(summary_.bytes_returned)};
  if (summary_.requests > 0)
    pieces.push_back(fmt::format(
        "{:.1f} switches each",
        static_cast<double>(summary_.mode_switches) / static_cast<double>(summary_.requests)));
  const uint64_t cached = summary_.hit_bytes + summary_.awaited_bytes + summary_.miss_bytes;
  if (cached > 0)
    pieces.push_back(
        "hit " +
        text::percent(static_cast<double>(summary_.hit_bytes), static_cast<double>(cached)) + " %");
  if (all.errors > 0) pieces.push_back(text::grouped(all.errors) + " failed");
  if (all.requests > 0) {
    pieces.push_back("p50 " + text::duration(all.latency.percentile(50)));
    pieces.push_back("p99 " + text::duration(all.latency.percentile(99)));
  }
  out_ += '\n';
  flow(pieces, "");
}

void ReportPage::time() {
  const OpTotals all = all_ops(summary_);
  if (all.duration_ns == 0) return;
  std::vector<std::string> pieces;
  const auto add = [&](std::string what, uint64_t ns) {
    if (ns == 0) return;
    pieces.push_back(
        fmt::format("{} {} ({} %)", what, text::duration(ns),
                    text::percent(static_cast<double>(ns), static_cast<double>(all.duration_ns))));
  };
  add("on CPU", summary_.on_cpu_ns);
  uint64_t explained = 0;
  constexpr std::array kOrder{WaitReason::kDevice, WaitReason::kPageLock, WaitReason::kThrottled,
                              WaitReason::kPreempted, WaitReason::kOther};
  for (const WaitReason reason : kOrder) {
    const uint64_t ns = summary_.wait_ns[static_cast<size_t>(reason)];
    explained += ns;
    add(reason == WaitReason::kOther ? "other wait" : text::words(name(reason)), ns);
  }
  // Off the CPU, but the stretch was not recorded: it must not look like CPU time.
  if (all.off_cpu_ns > explained) add("unexplained wait", all.off_cpu_ns - explained);
  // Neither is known of requests that were still running when the trace ended: most of them sleep.
  const uint64_t known = summary_.on_cpu_ns + std::max(explained, all.off_cpu_ns);
  if (all.duration_ns > known) add("not ended", all.duration_ns - known);
  out_ += '\n';
  line(Style::kBold, "WHERE THE TIME WENT   " + text::duration(all.duration_ns) + " in requests");
  flow(pieces, "  ");
  if (summary_.voluntary_switches + summary_.involuntary_switches > 0)
    flow({"context switches: " + text::grouped(summary_.voluntary_switches) + " to wait",
          text::grouped(summary_.involuntary_switches) + " forced"},
         "  ");
}

void ReportPage::syncs() {
  const SyncBill& bill = summary_.syncs;
  if (bill.requests == 0) return;
  out_ += '\n';
  line(Style::kBold, fmt::format("WHAT SYNCS COST   {} took {}", plural(bill.requests, "request"),
                                 text::duration(bill.duration_ns)));
  std::vector<std::string> pieces;
  if (bill.data_bytes > 0) pieces.push_back("file data " + text::bytes(bill.data_bytes));
  if (bill.journal_bytes > 0) {
    pieces.push_back("journal " + text::bytes(bill.journal_bytes));
    if (bill.data_bytes > 0)
      pieces.push_back(text::ratio(static_cast<double>(bill.data_bytes + bill.journal_bytes) /
                                   static_cast<double>(bill.data_bytes)) +
                       " times the data");
  }
  if (bill.flushes > 0)
    pieces.push_back(text::grouped(bill.flushes) +
                     (bill.flushes == 1 ? " device flush" : " device flushes"));
  for (size_t i = 0; i < kWaitReasons; ++i) {
    if (bill.wait_ns[i] == 0) continue;
    const auto reason = static_cast<WaitReason>(i);
    pieces.push_back((reason == WaitReason::kOther
                          ? "other wait"
                          : "waited: " + std::string(text::words(name(reason)))) +
                     " " + text::duration(bill.wait_ns[i]));
  }
  flow(pieces, "  ");
}

void ReportPage::advice() {
  if (summary_.advice.empty()) return;
  out_ += '\n';
  line(Style::kBold, "ADVICE");
  for (const AdviceEntry& entry : summary_.advice) {
    prose(escaped(entry.id) + ": " + escaped(entry.title));
    std::vector<std::string> pieces;
    if (entry.saves_bytes > 0) pieces.push_back("copies of " + text::bytes(entry.saves_bytes));
    if (entry.saves_mode_switches > 0)
      pieces.push_back(text::grouped(entry.saves_mode_switches) + " mode switches");
    std::string saves, proof;
    for (const std::string& piece : pieces) saves += (saves.empty() ? "would save " : ", ") + piece;
    for (const RequestId id : entry.evidence)
      proof += fmt::format("{}{}.{}", proof.empty() ? "proof: " : ", ", id.pid, id.seq);
    std::vector<std::string> facts;
    for (const std::string& fact : {saves, proof})
      if (!fact.empty()) facts.push_back(fact);
    flow(facts, "    ");
    prose("  how: " + escaped(entry.how));
  }
  line(Style::kDim, "  iohops explain FILE REQUEST shows a proof");
}

void ReportPage::lost() {
  if (summary_.lost_total() == 0) return;
  text::Table table({{"LOST", text::Table::Align::kLeft, true}, {"records"}});
  bool ring = false;
  for (const auto& [cause, count] : summary_.lost) {
    if (count == 0) continue;
    table.row({"  " + text::words(escaped(cause)), text::grouped(count)});
    ring |= cause.compare(0, 5, "ring_") == 0;
  }
  section(table);
  if (ring) line(Style::kPlain, "  " + ring_advice(summary_.overhead.ring_wanted_bytes));
}

void ReportPage::not_seen() {
  if (!ledger_.header() || ledger_.header()->missing_hooks.empty()) return;
  out_ += '\n';
  line(Style::kBold, light() ? "NOT SEEN" : "NOT SEEN ON THIS KERNEL");
  for (const MissingHook& hook : ledger_.header()->missing_hooks) {
    const std::string effect = hook.effect.empty() ? "its figures" : hook.effect;
    prose(escaped(effect) + ": no " + escaped(hook.hook) +
          (hook.reason.empty() ? "" : " (" + escaped(hook.reason) + ")"));
  }
}

void ReportPage::cost() {
  const Overhead& overhead = summary_.overhead;
  if (overhead.events == 0) return;
  std::vector<std::string> pieces{plural(overhead.events, "record")};
  if (overhead.bpf_ns) pieces.push_back("BPF programs " + text::duration(*overhead.bpf_ns));
  pieces.push_back(fmt::format("collector {:.1f} % of a CPU", overhead.cpu_percent));
  pieces.push_back(fmt::format("ring at most {:.0f} % full", overhead.ring_peak_percent));
  out_ += '\n';
  line(Style::kBold, "COST OF TRACING");
  flow(pieces, "  ");
}

}  // namespace iohops
