// Keeps what the report needs of each record, within its limits.
#include "sinks/report_ledger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace iohops {
namespace {

size_t index(Endpoint endpoint) { return static_cast<size_t>(endpoint); }

bool has_pages_of_a_device(const File& file) {
  return file.kind == FileKind::kRegular && !file.filesystem.empty();
}

}  // namespace

void ReportLedger::process(const Process& process) {
  if (processes_.size() < kNames || processes_.count(process.pid) > 0)
    processes_[process.pid] = process.comm;
}

void ReportLedger::file(const File& file) {
  if (has_pages_of_a_device(file) && filesystems_.size() < 16) filesystems_.insert(file.filesystem);
  if (files_.size() < kNames)
    files_[file.id] =
        (file.path_partial ? "..." : "") + file.path + (file.unlinked ? " (deleted)" : "");
}

Status ReportLedger::request(const Request& request) {
  for (const Hop& hop : request.hops) {
    note_evidence(hop.kind, hop.from, hop.to, hop.evidence);
    if (hop.kind == HopKind::kRef) referenced_[index(hop.from)][index(hop.to)] += hop.bytes;
  }
  keep_if_slow(request);
  if (options_.group_by == ReportGroup::kProcess) {
    group(request.id.pid).totals.add(request);
  } else if (options_.group_by == ReportGroup::kThread) {
    GroupTotals& thread = group(request.tid);
    if (thread.label.empty()) thread.label = fmt::format("{} ({})", request.comm, request.tid);
    thread.totals.add(request);
  }
  return summarizer_.request(request);
}

Status ReportLedger::transfer(const Transfer& transfer) {
  for (const StageCopy& copy : transfer.copies)
    note_evidence(HopKind::kCpuCopy, copy.from, copy.to, copy.evidence);
  DeviceTotals& device = devices_[transfer.device];
  ++device.transfers;
  device.dma = transfer.dma.dma;
  if (transfer.error != 0) ++device.errors;
  const bool reads = transfer.op == "read";
  if (reads) device.read_bytes += transfer.bytes;
  if (transfer.op == "write") device.written_bytes += transfer.bytes;
  const auto issue = transfer.issue_ns;
  if (issue && transfer.queue_ns && *issue >= *transfer.queue_ns)
    device.queued.add(*issue - *transfer.queue_ns);
  if (issue && transfer.complete_ns >= *issue) device.serving.add(transfer.complete_ns - *issue);
  // What a stacked device passed on was queued above it.
  if (header_ && header_->light && transfer.parents.empty()) share_out(transfer);
  return summarizer_.transfer(transfer);
}

void ReportLedger::add_share(DeviceShares& shares, uint32_t key, const Transfer& transfer, uint64_t bytes) {
  const bool fits = shares.size() < kGroups || shares.count(key) > 0;
  DeviceShare& share = shares[fits ? key : 0];
  ++share.transfers;
  if (transfer.op == "read") share.read_bytes += bytes;
  if (transfer.op == "write") share.written_bytes += bytes;
  if (transfer.queue_ns && transfer.complete_ns >= *transfer.queue_ns)
    share.latency.add(transfer.complete_ns - *transfer.queue_ns);
}

// Each byte once: a page that a fault wrote and the process itself flushed is the fault's.
void ReportLedger::share_out(const Transfer& transfer) {
  std::map<uint32_t, uint64_t> bytes;
  uint64_t left = transfer.bytes;
  const auto give = [&](uint32_t pid, uint64_t wanted) {
    const uint64_t given = std::min(wanted, left);
    left -= given;
    bytes[pid] += given;
  };
  for (const Share& owner : transfer.owners) give(owner.request.pid, owner.bytes);
  for (const Queuer& queuer : transfer.queued_by) give(queuer.pid, queuer.bytes);
  if (left > 0 || bytes.empty()) bytes[0] += left;
  for (const auto& [pid, share] : bytes) add_share(queuers_, pid, transfer, share);
  add_share(pages_, transfer.file, transfer, transfer.bytes);
}

std::vector<std::pair<uint32_t, DeviceShare>> ReportLedger::sorted(const DeviceShares& shares) {
  std::vector<std::pair<uint32_t, DeviceShare>> rows(shares.begin(), shares.end());
  const auto bytes = [](const DeviceShare& share) { return share.read_bytes + share.written_bytes; };
  std::sort(rows.begin(), rows.end(), [&](const auto& a, const auto& b) {
    return std::tuple(bytes(b.second), b.second.transfers, a.first) <
           std::tuple(bytes(a.second), a.second.transfers, b.first);
  });
  return rows;
}

Status ReportLedger::effect(const Effect& effect) {
  // What a sync request wrote is that request's own device work, already counted.
  if (effect.cause == Cause::kWriteback && !effect.to_cache) {
    const auto add = [this](uint64_t key, uint64_t bytes) {
      if (later_.size() < kGroups || later_.count(key) > 0) later_[key] += bytes;
    };
    if (options_.group_by == ReportGroup::kFile) add(effect.file, effect.bytes);
    if (options_.group_by == ReportGroup::kProcess)
      for (const Share& share : effect.requests) add(share.request.pid, share.bytes);
  }
  return summarizer_.effect(effect);
}

void ReportLedger::keep_if_slow(const Request& request) {
  if (!slowest_.wants(request.duration_ns)) return;
  SlowRequest slow;
  slow.id = request.id;
  slow.op = request.op;
  slow.file = request.file;
  slow.offset = request.offset;
  if (request.moves_data) slow.returned_bytes = request.returned_bytes();
  slow.duration_ns = request.duration_ns;
  slow.off_cpu_ns = request.off_cpu_ns;
  slow.cache = request.cache;
  slow.complete = request.complete;
  slow.time_known = request.time_known();
  std::array<uint64_t, kWaitReasons> waits{};
  for (const Hop& hop : request.hops)
    if (hop.kind == HopKind::kWait && hop.end_ns > hop.at_ns)
      waits[static_cast<size_t>(hop.reason)] += hop.end_ns - hop.at_ns;
  const auto longest = std::max_element(waits.begin(), waits.end());
  if (*longest > 0) {
    slow.longest_wait = static_cast<WaitReason>(longest - waits.begin());
    slow.longest_wait_ns = *longest;
  }
  slowest_.add(std::move(slow));
}

void ReportLedger::note_evidence(HopKind kind, Endpoint from, Endpoint to, Evidence evidence) {
  uint8_t& weakest = weakest_[static_cast<size_t>(kind)][index(from)][index(to)];
  weakest = std::max(weakest, static_cast<uint8_t>(static_cast<uint8_t>(evidence) + 1));
}

GroupTotals& ReportLedger::group(uint64_t key) {
  const auto known = groups_.find(key);
  if (known != groups_.end()) return known->second;
  if (groups_.size() >= kGroups) {
    others_.label = "(all others)";
    return others_;
  }
  return groups_[key];
}

void ReportLedger::close() {
  slowest_.sorted();
  summary_ = summarizer_.take();
}

std::vector<GroupTotals> ReportLedger::groups(ReportGroup by) const {
  std::vector<GroupTotals> rows;
  const auto later = [&](uint64_t key) {
    const auto found = later_.find(key);
    return by != options_.group_by || found == later_.end() ? 0 : found->second;
  };
  std::optional<GroupTotals> others;
  if (by == ReportGroup::kFile) {
    for (const FileTotals& file : summary_.by_file) {
      GroupTotals row{file_name(file.file), file.totals, later(file.file)};
      if (file.file == 0) {
        row.label = "(no file, or not among the largest)";
        others = std::move(row);
      } else {
        rows.push_back(std::move(row));
      }
    }
  } else if (by == ReportGroup::kOp) {
    for (const auto& [op, totals] : summary_.by_op) rows.push_back({op, totals, 0});
  } else {
    for (const auto& [key, group] : groups_) {
      rows.push_back(group);
      if (by == ReportGroup::kProcess) rows.back().label = process_name(static_cast<uint32_t>(key));
      rows.back().later_bytes = later(key);
    }
    if (others_.totals.requests > 0) others = others_;
  }
  std::sort(rows.begin(), rows.end(), [](const GroupTotals& a, const GroupTotals& b) {
    return std::tie(b.totals.returned_bytes, b.totals.duration_ns, a.label) <
           std::tie(a.totals.returned_bytes, a.totals.duration_ns, b.label);
  });
  if (others) rows.push_back(std::move(*others));
  return rows;
}

std::optional<Evidence> ReportLedger::evidence(HopKind kind, Endpoint from, Endpoint to) const {
  const uint8_t weakest = weakest_[static_cast<size_t>(kind)][index(from)][index(to)];
  if (weakest == 0) return std::nullopt;
  return static_cast<Evidence>(weakest - 1);
}

std::vector<ReportLedger::Handed> ReportLedger::references() const {
  std::vector<Handed> handed;
  for (size_t from = 0; from < kEndpoints; ++from)
    for (size_t to = 0; to < kEndpoints; ++to)
      if (referenced_[from][to] > 0)
        handed.push_back(
            {static_cast<Endpoint>(from), static_cast<Endpoint>(to), referenced_[from][to]});
  return handed;
}

std::string ReportLedger::file_name(uint32_t id) const {
  if (id == 0) return "(no file)";
  const auto found = files_.find(id);
  return found == files_.end() ? fmt::format("(file {})", id) : found->second;
}

std::string ReportLedger::process_name(uint32_t pid) const {
  const auto found = processes_.find(pid);
  return fmt::format("{} ({})", found == processes_.end() ? "process" : found->second, pid);
}

const Device* ReportLedger::device(uint32_t id) const {
  if (!header_) return nullptr;
  for (const Device& device : header_->devices)
    if (device.id == id) return &device;
  return nullptr;
}

std::string ReportLedger::device_name(uint32_t id) const {
  const Device* known = device(id);
  if (known != nullptr && !known->name.empty()) return known->name;
  return fmt::format("{}:{}", id >> 20, id & 0xfffff);
}

}  // namespace iohops
