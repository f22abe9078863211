// The invariants of the ledger, as code.
#include "invariants.hpp"

#include <algorithm>

namespace iohops::test {
namespace {

std::string text(RequestId id) { return std::to_string(id.pid) + "." + std::to_string(id.seq); }

bool may_outlive_its_request(const Hop& hop) {
  return hop.kind == HopKind::kDma || hop.transfer != 0 || hop.from == Endpoint::kBounce || hop.to == Endpoint::kBounce;
}

}  // namespace

void Invariants::expect(bool holds, const std::string& what) {
  if (!holds) found_.push_back(what);
}

Status Invariants::process(const Process& process) {
  expect(process.pid != 0, "a process has pid 0");
  expect(!process.exit_ns || *process.exit_ns >= process.start_ns,
         "a process ends before it starts");
  return {};
}

Status Invariants::file(const File& file) {
  expect(file.id != 0, "a file has id 0");
  expect(files_.insert(file.id).second, "file " + std::to_string(file.id) + " is named twice");
  expect(!file.path.empty(), "file " + std::to_string(file.id) + " has no name");
  return {};
}

void Invariants::check_hops(const Request& request, const std::string& name) {
  const uint64_t end = request.start_ns + request.duration_ns;
  uint64_t last = 0, copied = 0, moved = 0;
  uint32_t copies = 0;
  std::set<uint64_t> transfers;
  for (const Hop& hop : request.hops) {
    expect(hop.at_ns <= hop.end_ns, name + " has a hop that ends before it begins");
    expect(hop.at_ns >= last, name + " has hops out of order");
    expect(hop.at_ns >= request.start_ns, name + " has a hop before its start");
    if (!may_outlive_its_request(hop)) expect(hop.end_ns <= end, name + " has a hop after its end");
    last = hop.at_ns;
    if (hop.kind == HopKind::kCpuCopy) {
      copies++;
      copied += hop.bytes;
      // From one file to another is the only copy within one kind of memory.
      expect(hop.from != hop.to || hop.from == Endpoint::kPageCache,
             name + " copies from a place to itself");
    }
    if (hop.kind == HopKind::kDma) {
      transfers.insert(hop.transfer);
      moved += hop.bytes;
      moved_by_hops_[hop.transfer] += hop.bytes;
      named_transfers_.insert(hop.transfer);
      expect(hop.bytes > 0 && hop.cause.has_value(), name + " has DMA of nothing or for nothing");
    }
  }
  expect(copies == request.cpu_copies && copied == request.cpu_copy_bytes,
         name + " counts other copies than it shows");
  expect(transfers.size() == request.dma_transfers && moved == request.dma_bytes,
         name + " counts other DMA than it shows");
}

Status Invariants::request(const Request& request) {
  const std::string name = "request " + text(request.id);
  expect(request.id.pid != 0 && request.id.seq != 0, name + " has no identity");
  expect(requests_.insert(request.id).second, name + " is told twice");
  expect(request.file == 0 || files_.count(request.file) > 0, name + " has a file without a name");
  expect(request.start_ns + request.duration_ns >= request.start_ns, name + " has no duration");
  if (request.ended.empty()) {
    expect(request.mode_switches % 2 == 0, name + " returned by half a mode switch");
  } else {
    expect(request.result == 0, name + " has a result without having returned");
  }
  expect(request.miss_bytes <= UINT64_MAX / 2 && request.readahead_bytes <= UINT64_MAX / 2,
         name + " has a negative figure");
  if (request.cache == CacheOutcome::kHit)
    expect(request.miss_bytes == 0, name + " hits and misses");
  check_hops(request, name);
  return {};
}

Status Invariants::transfer(const Transfer& transfer) {
  const std::string name = "transfer " + std::to_string(transfer.id);
  expect(transfers_.emplace(transfer.id, transfer.bytes).second, name + " is told twice");
  uint64_t owned = 0;
  std::set<RequestId> owners;
  for (const Share& share : transfer.owners) {
    owned += share.bytes;
    expect(owners.insert(share.request).second, name + " names an owner twice");
    named_.insert(share.request);
  }
  uint64_t queued_bytes = 0;
  for (const Queuer& queuer : transfer.queued_by) queued_bytes += queuer.bytes;
  expect(queued_bytes <= transfer.bytes, name + " was queued for more bytes than it has");
  if (transfer.carries_data())
    expect(owned + transfer.unattributed_bytes == transfer.bytes, name + " does not conserve bytes");
  expect(owned <= transfer.bytes, name + " has more bytes than it has");
  expect(transfer.file == 0 || files_.count(transfer.file) > 0,
         name + " has a file without a name");
  const uint64_t queued = transfer.queue_ns.value_or(0);
  const uint64_t issued = transfer.issue_ns.value_or(queued);
  expect(queued <= issued && issued <= transfer.complete_ns, name + " runs backwards");
  return {};
}

Status Invariants::effect(const Effect& effect) {
  uint64_t shared = 0;
  for (const Share& share : effect.requests) {
    shared += share.bytes;
    named_.insert(share.request);
  }
  named_transfers_.insert(effect.transfer);
  expect(!effect.requests.empty() && shared == effect.bytes, "an effect does not conserve bytes");
  expect(effect.file == 0 || files_.count(effect.file) > 0, "an effect has a file without a name");
  return {};
}

Status Invariants::flow(const Flow& flow) {
  named_.insert(flow.from);
  named_.insert(flow.to);
  expect(flow.bytes > 0 && flow.from != flow.to, "a flow of nothing, or from a request to itself");
  for (const uint32_t file : {flow.from_file, flow.to_file})
    expect(file == 0 || files_.count(file) > 0, "a flow has a file without a name");
  return {};
}

std::vector<std::string> Invariants::violations() const {
  std::vector<std::string> all = found_;
  for (const RequestId id : named_) {
    if (requests_.count(id) == 0) all.push_back("request " + text(id) + " is named, never told");
  }
  for (const uint64_t id : named_transfers_) {
    if (transfers_.count(id) == 0) {
      all.push_back("transfer " + std::to_string(id) + " is named, never told");
    }
  }
  for (const auto& [id, bytes] : moved_by_hops_) {
    const auto found = transfers_.find(id);
    if (found != transfers_.end() && bytes > found->second) {
      all.push_back("hops move more than transfer " + std::to_string(id));
    }
  }
  return all;
}

}  // namespace iohops::test
