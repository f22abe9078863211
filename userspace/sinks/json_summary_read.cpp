// The inverse of json_summary.cpp.
#include <algorithm>

#include "sinks/json_fields.hpp"
#include "sinks/json_summary.hpp"

namespace iohops {
namespace {

using HopCounts = std::array<std::array<Count, kEndpoints>, kEndpoints>;

Count read_count(Fields& fields) {
  Count count;
  count.count = fields.u64("count");
  count.bytes = fields.u64("bytes");
  return count;
}

// Causes and hops that a later minor version added are skipped here, the totals hold them.
void read_by_hop(Fields& fields, HopCounts& into) {
  fields.member_objects("by_hop", [&](std::string_view hop, Fields& count) {
    const size_t arrow = hop.find('>');
    if (arrow == std::string_view::npos) return fields.fail("by_hop", "has a key that is no hop");
    const auto from = parse_endpoint(hop.substr(0, arrow));
    const auto to = parse_endpoint(hop.substr(arrow + 1));
    if (from && to) into[static_cast<size_t>(*from)][static_cast<size_t>(*to)] = read_count(count);
  });
}

Latency read_latency(Fields fields) {
  Latency latency;
  latency.count = fields.u64("count");
  latency.sum_ns = fields.u64("sum_ns");
  latency.max_ns = fields.u64("max_ns");
  fields.elements("log2_buckets", [&](simdjson::dom::element pair) {
    uint64_t bucket = 0;
    uint64_t count = 0;
    if (pair.at(0).get(bucket) || pair.at(1).get(count) || bucket >= latency.buckets.size()) {
      return fields.fail("log2_buckets", "has an element that is not [0..63, COUNT]");
    }
    latency.buckets[bucket] = count;
  });
  return latency;
}

OpTotals read_totals(Fields& fields) {
  OpTotals totals;
  totals.requests = fields.u64("requests");
  totals.errors = fields.u64("errors");
  totals.requested_bytes = fields.u64("requested_bytes");
  totals.returned_bytes = fields.u64("returned_bytes");
  totals.cpu_copy_bytes = fields.u64("cpu_copy_bytes");
  totals.dma_bytes = fields.u64("dma_bytes");
  totals.mode_switches = fields.u64("mode_switches");
  totals.hit_bytes = fields.u64("hit_bytes");
  totals.awaited_bytes = fields.maybe_u64("awaited_bytes").value_or(0);
  totals.miss_bytes = fields.u64("miss_bytes");
  totals.duration_ns = fields.u64("duration_ns");
  totals.off_cpu_ns = fields.u64("off_cpu_ns");
  totals.latency = read_latency(fields.object("latency"));
  return totals;
}

void read_copies(Fields fields, Summary& summary) {
  summary.cpu_copies = read_count(fields);
  summary.cpu_copies_evidence = fields.one_of("evidence", parse_evidence);
  read_by_hop(fields, summary.cpu_copies_by_hop);
  summary.copies_in_doubt = fields.maybe_u64("in_doubt").value_or(0);
}

void read_dma(Fields fields, Summary& summary) {
  summary.dma = read_count(fields);
  summary.dma_evidence = fields.one_of("evidence", parse_evidence);
  fields.member_objects("by_cause", [&](std::string_view name, Fields& count) {
    if (const auto cause = parse_cause(name)) {
      summary.dma_by_cause[static_cast<size_t>(*cause)] = read_count(count);
    }
  });
  read_by_hop(fields, summary.dma_by_hop);
}

void read_unattributed(Fields fields, Summary& summary) {
  summary.unattributed_bytes = fields.u64("bytes");
  fields.objects("by", [&](Fields& row) {
    const uint32_t device = row.device("device");
    const Cause cause = parse_cause(row.text("cause")).value_or(Cause::kUnknown);
    summary.unattributed[{device, cause}] += row.u64("bytes");
  });
}

void read_cache(Fields& fields, Summary& summary) {
  Fields cache = fields.object("page_cache");
  summary.hit_bytes = cache.u64("hit_bytes");
  summary.awaited_bytes = cache.maybe_u64("awaited_bytes").value_or(0);
  summary.miss_bytes = cache.u64("miss_bytes");
  summary.readahead_bytes = cache.u64("readahead_bytes");
  summary.readahead_unused_bytes = cache.u64("readahead_unused_bytes");
  Fields writeback = fields.object("writeback");
  summary.writeback_bytes = writeback.u64("bytes");
  summary.absorbed_bytes = writeback.u64("absorbed_bytes");
  summary.pending_bytes = writeback.u64("pending_bytes");
}

AdviceEntry read_advice(Fields& fields) {
  AdviceEntry entry;
  entry.id = fields.text("id");
  entry.title = fields.text("title");
  fields.texts("evidence_requests", [&](std::string_view text) {
    const auto id = parse_request_id(text);
    if (!id) return fields.fail("evidence_requests", "has an element that is no request id");
    entry.evidence.push_back(*id);
  });
  Fields saves = fields.object("saves");
  entry.saves_cpu_copies = saves.u64("cpu_copies");
  entry.saves_bytes = saves.u64("bytes");
  entry.saves_mode_switches = saves.u64("mode_switches");
  entry.how = fields.text("how");
  return entry;
}

void read_lost(Fields fields, Summary& summary) {
  fields.members("by_cause", [&](std::string_view cause, simdjson::dom::element element) {
    uint64_t count = 0;
    if (element.get(count)) return fields.fail("by_cause", "has a member that is no count");
    summary.lost[std::string(cause)] = count;
  });
}

void read_overhead(Fields fields, Overhead& overhead) {
  overhead.bpf_ns = fields.maybe_u64("bpf_ns");
  overhead.cpu_percent = fields.real("cpu_percent");
  overhead.events = fields.u64("events");
  overhead.ring_peak_percent = fields.real("ring_peak_percent");
  overhead.ring_wanted_bytes = fields.maybe_u64("ring_wanted_bytes").value_or(0);
}

}  // namespace

Flow read_flow(Fields& fields) {
  Flow flow;
  flow.from = fields.request_id("from_request");
  flow.to = fields.request_id("to_request");
  flow.bytes = fields.u64("bytes");
  flow.evidence = fields.one_of("evidence", parse_evidence);
  flow.cpu_copies = fields.u32("cpu_copies");
  flow.dma = fields.u32("dma");
  flow.mode_switches = fields.u32("mode_switches");
  flow.copied_bytes = fields.maybe_u64("copied_bytes").value_or(flow.cpu_copies * flow.bytes);  // the member is newer
  flow.kind = fields.name("kind");
  flow.advice = fields.name("advice");
  flow.from_file = fields.present("from_file") ? fields.file("from_file") : 0;
  flow.to_file = fields.present("to_file") ? fields.file("to_file") : 0;
  return flow;
}

namespace {

FlowTotals read_flows(Fields& fields) {
  FlowTotals row;
  row.first.from = fields.request_id("from_request");
  row.first.to = fields.request_id("to_request");
  row.bytes = fields.u64("bytes");
  row.first.evidence = fields.one_of("evidence", parse_evidence);
  row.cpu_copies = fields.u64("cpu_copies");
  row.dma = fields.u64("dma");
  row.mode_switches = fields.u64("mode_switches");
  row.first.kind = fields.name("kind");
  row.first.advice = fields.name("advice");
  row.first.from_file = fields.present("from_file") ? fields.file("from_file") : 0;
  row.first.to_file = fields.present("to_file") ? fields.file("to_file") : 0;
  row.flows = fields.maybe_u64("flows").value_or(1);
  const uint64_t flows = std::max<uint64_t>(row.flows, 1);
  row.copied_bytes = fields.maybe_u64("copied_bytes").value_or(row.bytes / flows * row.cpu_copies);  // on average
  return row;
}

void read_syncs(Fields fields, SyncBill& bill) {
  bill.requests = fields.u64("requests");
  bill.duration_ns = fields.u64("duration_ns");
  bill.data_bytes = fields.u64("data_bytes");
  bill.journal_bytes = fields.u64("journal_bytes");
  bill.flushes = fields.u64("flushes");
  Fields waits = fields.object("wait_ns");
  for (size_t i = 0; i < bill.wait_ns.size(); ++i)
    bill.wait_ns[i] = waits.count(name(static_cast<WaitReason>(i)));
}

// What is null in a summary without system calls.
void read_calls(Fields& fields, Summary& summary) {
  summary.bytes_requested = fields.u64("bytes_requested");
  summary.bytes_returned = fields.u64("bytes_returned");
  summary.mode_switches = fields.u64("mode_switches");
  Fields switches = fields.object("context_switches");
  summary.voluntary_switches = switches.u64("voluntary");
  summary.involuntary_switches = switches.u64("involuntary");
  read_copies(fields.object("cpu_copies"), summary);
  read_cache(fields, summary);
  Fields waits = fields.object("wait_ns");
  for (size_t i = 0; i < summary.wait_ns.size(); ++i) {
    summary.wait_ns[i] = waits.count(name(static_cast<WaitReason>(i)));
  }
  summary.on_cpu_ns = fields.u64("on_cpu_ns");
  fields.objects("by_file", [&](Fields& row) {
    const uint32_t file = row.file("file");
    summary.by_file.push_back({file, read_totals(row)});
  });
  fields.objects("flows", [&](Fields& flow) { summary.flows.push_back(read_flows(flow)); });
  if (fields.present("syncs")) read_syncs(fields.object("syncs"), summary.syncs);
}

}  // namespace

Summary read_summary(Fields& fields) {
  Summary summary;
  summary.light = fields.flag("light");
  summary.duration_ns = fields.u64("duration_ns");
  summary.stop_reason = fields.maybe_text("stop_reason");
  summary.left_out = fields.maybe_u64("requests_left_out").value_or(0);
  summary.suspended_ns = fields.maybe_u64("suspended_ns").value_or(0);
  if (fields.present("clock_step_ns")) summary.clock_step_ns = fields.i64("clock_step_ns");
  summary.requests = fields.u64("requests");
  summary.partial_requests = fields.u64("partial_requests");
  if (!summary.light) read_calls(fields, summary);
  read_dma(fields.object("dma"), summary);
  Fields no_dma = fields.object("device_no_dma");
  summary.device_no_dma = read_count(no_dma);
  if (fields.present("carried_on")) {
    Fields carried_on = fields.object("carried_on");
    summary.carried_on = read_count(carried_on);
  }
  read_unattributed(fields.object("unattributed"), summary);
  Fields mapped = fields.object("mapped");
  summary.mapped = read_count(mapped);
  fields.member_objects("by_op", [&](std::string_view op, Fields& totals) {
    summary.by_op.insert_or_assign(std::string(op), read_totals(totals));
  });
  fields.objects("advice", [&](Fields& entry) { summary.advice.push_back(read_advice(entry)); });
  read_lost(fields.object("lost"), summary);
  read_overhead(fields.object("overhead"), summary.overhead);
  return summary;
}

}  // namespace iohops
