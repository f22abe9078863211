#include "sinks/json_summary.hpp"

#include <nlohmann/json.hpp>

#include "sinks/json_fields.hpp"
#include "sinks/json_text.hpp"

namespace iohops {
namespace {

using Json = nlohmann::ordered_json;
using HopCounts = std::array<std::array<Count, kEndpoints>, kEndpoints>;

std::string id_text(RequestId id) { return std::to_string(id.pid) + "." + std::to_string(id.seq); }

Json count_tree(const Count& count) { return {{"count", count.count}, {"bytes", count.bytes}}; }

Json by_hop_tree(const HopCounts& counts) {
  Json tree = Json::object();
  for (size_t from = 0; from < counts.size(); ++from) {
    for (size_t to = 0; to < counts.size(); ++to) {
      if (counts[from][to].count == 0) continue;
      const std::string key = std::string(name(static_cast<Endpoint>(from))) + ">" +
                              std::string(name(static_cast<Endpoint>(to)));
      tree[key] = count_tree(counts[from][to]);
    }
  }
  return tree;
}

// null where nothing was returned: a ratio to nothing is no figure.
Json ratio(uint64_t part, uint64_t whole, double unit = 1) {
  if (whole == 0) return nullptr;
  return static_cast<double>(part) * unit / static_cast<double>(whole);
}

Json latency_tree(const Latency& latency) {
  Json buckets = Json::array();
  for (size_t i = 0; i < latency.buckets.size(); ++i) {
    if (latency.buckets[i] > 0) buckets.push_back({i, latency.buckets[i]});
  }
  return {{"count", latency.count},           {"sum_ns", latency.sum_ns},
          {"p50_ns", latency.percentile(50)}, {"p99_ns", latency.percentile(99)},
          {"max_ns", latency.max_ns},         {"log2_buckets", std::move(buckets)}};
}

void put_totals(Json& tree, const OpTotals& totals) {
  tree["requests"] = totals.requests;
  tree["errors"] = totals.errors;
  tree["requested_bytes"] = totals.requested_bytes;
  tree["returned_bytes"] = totals.returned_bytes;
  tree["cpu_copy_bytes"] = totals.cpu_copy_bytes;
  tree["dma_bytes"] = totals.dma_bytes;
  tree["mode_switches"] = totals.mode_switches;
  tree["hit_bytes"] = totals.hit_bytes;
  tree["awaited_bytes"] = totals.awaited_bytes;
  tree["miss_bytes"] = totals.miss_bytes;
  tree["duration_ns"] = totals.duration_ns;
  tree["off_cpu_ns"] = totals.off_cpu_ns;
  tree["latency"] = latency_tree(totals.latency);
}

Json dma_tree(const Summary& summary) {
  Json by_cause = Json::object();
  for (size_t i = 0; i < summary.dma_by_cause.size(); ++i) {
    if (summary.dma_by_cause[i].count == 0) continue;
    by_cause[std::string(name(static_cast<Cause>(i)))] = count_tree(summary.dma_by_cause[i]);
  }
  Json tree = count_tree(summary.dma);
  tree["evidence"] = name(summary.dma_evidence);
  tree["by_cause"] = std::move(by_cause);
  tree["by_hop"] = by_hop_tree(summary.dma_by_hop);
  return tree;
}

Json unattributed_tree(const Summary& summary) {
  Json by = Json::array();
  for (const auto& [key, bytes] : summary.unattributed) {
    by.push_back(
        {{"device", std::to_string(key.first >> 20) + ":" + std::to_string(key.first & 0xfffffU)},
         {"cause", name(key.second)},
         {"bytes", bytes}});
  }
  return {{"bytes", summary.unattributed_bytes}, {"by", std::move(by)}};
}

Json by_file_tree(const Summary& summary, const std::unordered_map<uint32_t, std::string>& paths) {
  Json list = Json::array();
  for (const FileTotals& row : summary.by_file) {
    Json entry;
    entry["file"] = row.file == 0 ? Json(nullptr) : Json(row.file);
    const auto path = paths.find(row.file);
    if (path != paths.end()) put_name(entry, "path", path->second);
    put_totals(entry, row.totals);
    list.push_back(std::move(entry));
  }
  return list;
}

Json flows_tree(const std::vector<FlowTotals>& flows) {
  const auto file = [](uint32_t id) { return id == 0 ? Json(nullptr) : Json(id); };
  Json list = Json::array();
  for (const FlowTotals& row : flows) {
    list.push_back({{"from_request", id_text(row.first.from)},
                    {"to_request", id_text(row.first.to)},
                    {"bytes", row.bytes},
                    {"evidence", name(row.first.evidence)},
                    {"cpu_copies", row.cpu_copies},
                    {"dma", row.dma},
                    {"mode_switches", row.mode_switches},
                    {"copied_bytes", row.copied_bytes},
                    {"kind", row.first.kind},
                    {"advice", row.first.advice},
                    {"from_file", file(row.first.from_file)},
                    {"to_file", file(row.first.to_file)},
                    {"flows", row.flows}});
  }
  return list;
}

template <size_t N>
Json waits_tree(const std::array<uint64_t, N>& wait_ns) {
  Json tree = Json::object();
  for (size_t i = 0; i < N; ++i) tree[std::string(name(static_cast<WaitReason>(i)))] = wait_ns[i];
  return tree;
}

Json syncs_tree(const SyncBill& bill) {
  return {{"requests", bill.requests},     {"duration_ns", bill.duration_ns},
          {"data_bytes", bill.data_bytes}, {"journal_bytes", bill.journal_bytes},
          {"flushes", bill.flushes},       {"wait_ns", waits_tree(bill.wait_ns)}};
}

Json advice_tree(const std::vector<AdviceEntry>& advice) {
  Json list = Json::array();
  for (const AdviceEntry& entry : advice) {
    Json evidence = Json::array();
    for (const RequestId id : entry.evidence) evidence.push_back(id_text(id));
    list.push_back({{"id", entry.id},
                    {"title", entry.title},
                    {"evidence_requests", std::move(evidence)},
                    {"saves",
                     {{"cpu_copies", entry.saves_cpu_copies},
                      {"bytes", entry.saves_bytes},
                      {"mode_switches", entry.saves_mode_switches}}},
                    {"how", entry.how}});
  }
  return list;
}

Json overhead_tree(const Overhead& overhead) {
  Json tree{{"bpf_ns", overhead.bpf_ns ? Json(*overhead.bpf_ns) : Json(nullptr)},
            {"cpu_percent", overhead.cpu_percent},
            {"events", overhead.events},
            {"ring_peak_percent", overhead.ring_peak_percent}};
  if (overhead.ring_wanted_bytes) tree["ring_wanted_bytes"] = overhead.ring_wanted_bytes;
  return tree;
}

// What system calls add to, where none was traced.
constexpr const char* kUnknownInLight[] = {"bytes_requested", "bytes_returned", "mode_switches", "context_switches",
                                           "cpu_copies", "page_cache", "writeback", "wait_ns", "on_cpu_ns",
                                           "per_byte", "switches_per_mib", "by_file", "flows", "syncs"};

}  // namespace

std::string summary_json(const Summary& summary,
                         const std::unordered_map<uint32_t, std::string>& paths) {
  Json tree{
      {"type", "summary"},
      {"duration_ns", summary.duration_ns},
      {"stop_reason", summary.stop_reason},
      {"requests", summary.requests},
      {"partial_requests", summary.partial_requests},
      {"bytes_requested", summary.bytes_requested},
      {"bytes_returned", summary.bytes_returned},
      {"mode_switches", summary.mode_switches},
      {"context_switches",
       {{"voluntary", summary.voluntary_switches}, {"involuntary", summary.involuntary_switches}}}};
  if (summary.left_out) tree["requests_left_out"] = summary.left_out;
  if (summary.light) tree["light"] = true;
  if (summary.suspended_ns) tree["suspended_ns"] = summary.suspended_ns;
  if (summary.clock_step_ns) tree["clock_step_ns"] = summary.clock_step_ns;
  Json& copies = tree["cpu_copies"] = count_tree(summary.cpu_copies);
  copies["evidence"] = name(summary.cpu_copies_evidence);
  copies["by_hop"] = by_hop_tree(summary.cpu_copies_by_hop);
  copies["in_doubt"] = summary.copies_in_doubt;
  tree["dma"] = dma_tree(summary);
  tree["device_no_dma"] = count_tree(summary.device_no_dma);
  tree["carried_on"] = count_tree(summary.carried_on);
  tree["unattributed"] = unattributed_tree(summary);
  tree["mapped"] = count_tree(summary.mapped);
  tree["page_cache"] = {{"hit_bytes", summary.hit_bytes},
                        {"awaited_bytes", summary.awaited_bytes},
                        {"miss_bytes", summary.miss_bytes},
                        {"readahead_bytes", summary.readahead_bytes},
                        {"readahead_unused_bytes", summary.readahead_unused_bytes}};
  tree["writeback"] = {{"bytes", summary.writeback_bytes},
                       {"absorbed_bytes", summary.absorbed_bytes},
                       {"pending_bytes", summary.pending_bytes}};
  tree["wait_ns"] = waits_tree(summary.wait_ns);
  tree["on_cpu_ns"] = summary.on_cpu_ns;
  tree["per_byte"] = {{"cpu_copies", ratio(summary.cpu_copies.bytes, summary.bytes_returned)},
                      {"dma", ratio(summary.dma.bytes, summary.bytes_returned)}};
  tree["switches_per_mib"] = ratio(summary.mode_switches, summary.bytes_returned, 1 << 20);
  Json& by_op = tree["by_op"] = Json::object();
  for (const auto& [op, totals] : summary.by_op) put_totals(by_op[op], totals);
  tree["by_file"] = by_file_tree(summary, paths);
  tree["flows"] = flows_tree(summary.flows);
  tree["syncs"] = syncs_tree(summary.syncs);
  tree["advice"] = advice_tree(summary.advice);
  Json by_cause = Json::object();
  for (const auto& [cause, count] : summary.lost) by_cause[cause] = count;
  tree["lost"] = {{"total", summary.lost_total()}, {"by_cause", std::move(by_cause)}};
  tree["overhead"] = overhead_tree(summary.overhead);
  if (summary.light)
    for (const char* figure : kUnknownInLight) tree[figure] = nullptr;
  return json_dump(tree);
}

}  // namespace iohops
