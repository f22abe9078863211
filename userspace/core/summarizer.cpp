#include "core/summarizer.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace iohops {
namespace {

template <typename Enum>
size_t index(Enum value) {
  return static_cast<size_t>(value);
}

void add(Count& count, uint64_t bytes) {
  ++count.count;
  count.bytes += bytes;
}

uint64_t owned_bytes(const Transfer& transfer) {
  uint64_t bytes = 0;
  for (const Share& share : transfer.owners) bytes += share.bytes;
  return bytes;
}

// Direct I/O and swap move the process's own pages, everything else pages of a cache; so does sendfile to a file that is
// open with O_DIRECT: they have a place in the source.
Endpoint memory_side(const Transfer& transfer) {
  const bool own = transfer.cause == Cause::kDirect && !transfer.offset;
  return own || transfer.cause == Cause::kSwap ? Endpoint::kUser : Endpoint::kPageCache;
}

}  // namespace

void Summarizer::add_copies(const Hop& hop, const Count& copies) {
  for (Count* sum : {&summary_.cpu_copies, &summary_.cpu_copies_by_hop[index(hop.from)][index(hop.to)]}) {
    sum->count += copies.count;
    sum->bytes += copies.bytes;
  }
  summary_.cpu_copies_evidence = std::max(summary_.cpu_copies_evidence, hop.evidence);
}

void Summarizer::add_hop(const Hop& hop) {
  switch (hop.kind) {
    case HopKind::kCpuCopy:
      if (hop.transfer != 0) break;  // a stacked device's: counted where it happened, in transfer()
      add_copies(hop, {1, hop.bytes});
      break;
    case HopKind::kMap:
      add(summary_.mapped, hop.bytes);
      break;
    case HopKind::kWait:
      if (hop.end_ns > hop.at_ns) summary_.wait_ns[index(hop.reason)] += hop.end_ns - hop.at_ns;
      break;
    case HopKind::kDma:  // counted where it happened, in transfer()
    case HopKind::kRef:
    case HopKind::kModeSwitch:
      break;
  }
}

// A write with O_DSYNC is known by what it wrote: only such a one has data written for a sync.
void Summarizer::add_sync(const Request& request) {
  if (request.moves_data && request.dma_bytes == 0) return;  // most requests: they pay no more than this
  const bool by_name = !request.moves_data && request.op.find("sync") != std::string_view::npos;
  const auto writes = [](const Hop& hop) { return hop.kind == HopKind::kDma && hop.cause == Cause::kFsync; };
  if (!by_name && std::none_of(request.hops.begin(), request.hops.end(), writes)) return;
  SyncBill& bill = summary_.syncs;
  ++bill.requests;
  bill.duration_ns += request.duration_ns;
  for (const Hop& hop : request.hops)
    if (hop.kind == HopKind::kWait) bill.wait_ns[index(hop.reason)] += hop.end_ns - hop.at_ns;
}

// Where a stacked device stands between.
void Summarizer::add_stage(const Transfer& transfer) {
  if (transfer.carried_on) add(summary_.carried_on, transfer.carries_data() ? transfer.bytes : 0);
  for (const StageCopy& copy : transfer.copies) {
    add(summary_.cpu_copies, copy.bytes);
    add(summary_.cpu_copies_by_hop[index(copy.from)][index(copy.to)], copy.bytes);
    summary_.cpu_copies_evidence = std::max(summary_.cpu_copies_evidence, copy.evidence);
  }
}

// Of devices with DMA and of those without, but only at the bottom of a stack.
void Summarizer::add_sync_work(const Transfer& transfer) {
  if (transfer.owners.empty() || transfer.carried_on) return;
  SyncBill& bill = summary_.syncs;
  if (transfer.op == "flush") ++bill.flushes;
  if (transfer.cause == Cause::kFsync) bill.data_bytes += owned_bytes(transfer);
  if (transfer.cause == Cause::kJournal) bill.journal_bytes += owned_bytes(transfer);
}

size_t Summarizer::op_row(std::string_view op) {
  if (last_op_ < ops_.size() && ops_[last_op_].first == op) return last_op_;
  const auto found =
      std::find_if(ops_.begin(), ops_.end(), [op](const auto& entry) { return entry.first == op; });
  if (found != ops_.end()) return last_op_ = static_cast<size_t>(found - ops_.begin());
  if (ops_.size() >= kTrackedOps && op != "other") return op_row("other");
  ops_.emplace_back(op, OpTotals{});
  return ops_.size() - 1;
}

size_t Summarizer::file_row(uint32_t file) {
  if (files_.empty()) files_.emplace_back();
  if (file == last_file_) return last_file_row_;
  size_t row = 0;
  if (const size_t* known = file_rows_.find(file)) {
    row = *known;
  } else if (file_rows_.size() < kTrackedFiles) {
    row = file_rows_[file] = files_.size();
    files_.push_back({file, {}});
  }
  last_file_ = file;
  last_file_row_ = row;
  return row;
}

// False: it is added up by itself.
bool Summarizer::add_alike(const Request& request) {
  if (alike_.empty()) {
    alike_keys_.resize(kPlaces);
    alike_.resize(kPlaces);
  }
  const size_t place = (request.alike + request.file) % kPlaces;
  AlikeKey& key = alike_keys_[place];
  if (key.number != request.alike || key.file != request.file) {
    if (key.number != 0 && ++key.strangers < kMostStrangers) return false;
    key = {request.alike, request.file, 0};
    take_over(alike_[place]);
    begin_alike(alike_[place], request);
  }
  Alike& known = alike_[place];
  if (known.op == kNoRow || request.result < 0) return false;
  const Moved moved = request.moved_bytes();
  OpTotals& sum = known.sum;
  ++sum.requests;
  sum.requested_bytes += request.requested.value_or(0);
  sum.returned_bytes += moved.returned;
  sum.hit_bytes += moved.hit;
  sum.awaited_bytes += moved.awaited;
  sum.cpu_copy_bytes += request.cpu_copy_bytes;
  if (request.duration_ns > request.off_cpu_ns) known.on_cpu_ns += request.duration_ns - request.off_cpu_ns;
  sum.latency.add(request.duration_ns);
  last_ns_ = std::max(last_ns_, request.start_ns + request.duration_ns);
  return true;
}

void Summarizer::begin_alike(Alike& place, const Request& request) {
  place.op = kNoRow;
  place.one = request;
  const Hop* hop = request.hops.empty() ? nullptr : &request.hops.front();
  const bool copied = hop == nullptr || (hop->kind == HopKind::kCpuCopy && hop->transfer == 0);
  if (!copied || request.hops.size() > 1 || !request.moves_data || request.dma_bytes != 0) return;
  place.op = op_row(request.op);
  place.file_row = file_row(request.file);
}

void Summarizer::take_over(Alike& place) {
  OpTotals& sum = place.sum;
  const uint64_t n = sum.requests;
  if (n == 0) return;
  const Request& one = place.one;
  sum.mode_switches = n * one.mode_switches;
  sum.miss_bytes = n * one.miss_bytes;
  sum.off_cpu_ns = n * one.off_cpu_ns;
  sum.duration_ns = sum.latency.sum_ns;
  ops_[place.op].second.merge(sum);
  files_[place.file_row].totals.merge(sum);
  if (!one.complete) summary_.partial_requests += n;
  summary_.voluntary_switches += n * one.voluntary_switches;
  summary_.involuntary_switches += n * one.involuntary_switches;
  summary_.readahead_bytes += n * one.readahead_bytes;
  summary_.on_cpu_ns += place.on_cpu_ns;
  if (!one.hops.empty()) add_copies(one.hops.front(), {n, sum.cpu_copy_bytes});
  sum = {};
  place.on_cpu_ns = 0;
}

Status Summarizer::header(const Header& header) {
  summary_.light = header.light;
  return {};
}

// What the rows of operations have is added up from them, at the end.
Status Summarizer::request(const Request& request) {
  if (request.alike != 0 && add_alike(request)) return {};
  if (!request.complete) ++summary_.partial_requests;
  summary_.voluntary_switches += request.voluntary_switches;
  summary_.involuntary_switches += request.involuntary_switches;
  summary_.readahead_bytes += request.readahead_bytes;
  if (request.time_known() && request.duration_ns > request.off_cpu_ns) {
    summary_.on_cpu_ns += request.duration_ns - request.off_cpu_ns;
  }
  for (const Hop& hop : request.hops) add_hop(hop);
  add_sync(request);
  const Moved moved = request.moved_bytes();
  ops_[op_row(request.op)].second.add(request, moved);
  files_[file_row(request.file)].totals.add(request, moved);
  last_ns_ = std::max(last_ns_, request.start_ns + request.duration_ns);
  return {};
}

Status Summarizer::transfer(const Transfer& transfer) {
  last_ns_ = std::max(last_ns_, transfer.complete_ns);
  add_sync_work(transfer);
  add_stage(transfer);
  const bool data = transfer.carries_data();
  const uint64_t bytes = data ? owned_bytes(transfer) + transfer.unattributed_bytes : 0;
  const uint64_t unattributed = data ? transfer.unattributed_bytes : 0;
  if (unattributed > 0) {
    auto& rows = summary_.unattributed;
    const bool fits =
        rows.size() < kTrackedDevices || rows.count({transfer.device, transfer.cause}) > 0;
    rows[{fits ? transfer.device : 0, transfer.cause}] += unattributed;
  }
  if (!transfer.dma.dma) {
    add(summary_.device_no_dma, bytes);
    return {};
  }
  add(summary_.dma, bytes);
  add(summary_.dma_by_cause[index(transfer.cause)], bytes);
  summary_.unattributed_bytes += unattributed;
  if (!data) return {};
  const bool network = transfer.op == "transmit" || transfer.op == "receive";
  const bool in = transfer.op == "read" || transfer.op == "receive";
  const Endpoint memory = network ? Endpoint::kSocket : memory_side(transfer);
  const Endpoint device = network ? Endpoint::kNic : Endpoint::kDevice;
  const Endpoint from = in ? device : memory;
  const Endpoint to = in ? memory : device;
  add(summary_.dma_by_hop[index(from)][index(to)], bytes);
  summary_.dma_evidence = std::max(summary_.dma_evidence, transfer.dma.evidence);
  return {};
}

Status Summarizer::effect(const Effect& effect) {
  if (effect.to_cache) return {};
  if (effect.cause == Cause::kWriteback || effect.cause == Cause::kFsync) {
    summary_.writeback_bytes += effect.bytes;
  }
  return {};
}

Status Summarizer::flow(const Flow& flow) {
  const FlowKey key{flow.from_file, flow.to_file, flow.kind};
  const auto row = flows_.find(key);
  if (row != flows_.end())
    row->second.add(flow);
  else if (flows_.size() < kTrackedFlows)
    flows_[key].add(flow);
  return {};
}

uint64_t& Summarizer::lost(std::string_view cause) {
  const std::string name(cause);
  const bool fits = summary_.lost.size() < kTrackedLosses || summary_.lost.count(name) > 0;
  return summary_.lost[fits ? name : "other"];
}

Status Summarizer::loss(const Loss& loss) {
  lost(loss.cause) += loss.count;
  return {};
}

Status Summarizer::summary(const Summary& known) {
  merge(known);
  return {};
}

void Summarizer::merge(const Summary& known) {
  if (known.left_out > 0) exact_ = known;
  if (known.duration_ns > 0) summary_.duration_ns = known.duration_ns;
  if (!known.stop_reason.empty()) summary_.stop_reason = known.stop_reason;
  summary_.suspended_ns = std::max(summary_.suspended_ns, known.suspended_ns);
  if (known.clock_step_ns != 0) summary_.clock_step_ns = known.clock_step_ns;
  if (known.overhead.events > 0 || known.overhead.bpf_ns) summary_.overhead = known.overhead;
  summary_.readahead_unused_bytes =
      std::max(summary_.readahead_unused_bytes, known.readahead_unused_bytes);
  summary_.absorbed_bytes = std::max(summary_.absorbed_bytes, known.absorbed_bytes);
  summary_.copies_in_doubt = std::max(summary_.copies_in_doubt, known.copies_in_doubt);
  summary_.pending_bytes = std::max(summary_.pending_bytes, known.pending_bytes);
  if (flows_.empty()) summary_.flows = known.flows;
  if (summary_.advice.empty()) summary_.advice = known.advice;
  for (const auto& [cause, count] : known.lost) {
    uint64_t& mine = lost(cause);
    mine = std::max(mine, count);
  }
}

uint64_t Summarizer::requests() const {
  uint64_t sum = 0;
  for (const auto& [op, totals] : ops_) sum += totals.requests;
  for (const Alike& place : alike_) sum += place.sum.requests;
  return sum;
}

Summary Summarizer::take() {
  if (exact_) return std::move(*exact_);
  for (Alike& place : alike_) take_over(place);
  if (summary_.duration_ns == 0) summary_.duration_ns = last_ns_;
  for (auto& [op, totals] : ops_) {
    summary_.requests += totals.requests;
    summary_.bytes_requested += totals.requested_bytes;
    summary_.bytes_returned += totals.returned_bytes;
    summary_.mode_switches += totals.mode_switches;
    summary_.hit_bytes += totals.hit_bytes;
    summary_.awaited_bytes += totals.awaited_bytes;
    summary_.miss_bytes += totals.miss_bytes;
    summary_.by_op.emplace(op, totals);
  }

  for (const auto& [key, row] : flows_) summary_.flows.push_back(row);
  std::stable_sort(summary_.flows.begin(), summary_.flows.end(),
                   [](const FlowTotals& a, const FlowTotals& b) { return a.bytes > b.bytes; });
  if (summary_.flows.size() > kListedFlows) summary_.flows.resize(kListedFlows);
  if (!files_.empty()) {
    FileTotals others = files_[0];
    files_.erase(files_.begin());
    // The largest first; the id settles ties, so that equal traces give equal summaries.
    std::sort(files_.begin(), files_.end(), [](const FileTotals& a, const FileTotals& b) {
      return std::tuple(b.totals.returned_bytes, b.totals.requests, a.file) <
             std::tuple(a.totals.returned_bytes, a.totals.requests, b.file);
    });
    for (size_t i = kListedFiles; i < files_.size(); ++i) others.totals.merge(files_[i].totals);
    if (files_.size() > kListedFiles) files_.resize(kListedFiles);
    if (others.totals.requests > 0) files_.push_back(others);
    summary_.by_file = std::move(files_);
  }
  Summary taken = std::move(summary_);
  *this = Summarizer();
  return taken;
}

}  // namespace iohops
