#include "ledger.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace iohops::test {
namespace {

std::string text_of(RequestId id) { return std::to_string(id.pid) + "." + std::to_string(id.seq); }

}  // namespace

Status Ledger::process(const Process& process) {
  processes.push_back(process);
  return invariants.process(process);
}

Status Ledger::file(const File& file) {
  files.push_back(file);
  return invariants.file(file);
}

Status Ledger::request(const Request& request) {
  requests.push_back(request);
  requests.back().comm = comms_.emplace_back(request.comm);
  return invariants.request(request);
}

Status Ledger::transfer(const Transfer& transfer) {
  transfers.push_back(transfer);
  return invariants.transfer(transfer);
}

Status Ledger::effect(const Effect& effect) {
  effects.push_back(effect);
  return invariants.effect(effect);
}

Status Ledger::flow(const Flow& flow) {
  flows.push_back(flow);
  return invariants.flow(flow);
}

Status Ledger::loss(const Loss& loss) {
  losses.push_back(loss);
  return {};
}

const Request& Ledger::request_of(uint64_t seq, uint32_t pid) const {
  for (const Request& request : requests) {
    if (request.id == RequestId{pid, seq}) return request;
  }
  ADD_FAILURE() << "no request " << pid << "." << seq;
  static const Request none;
  return none;
}

const Transfer& Ledger::transfer_of(uint64_t id) const {
  for (const Transfer& transfer : transfers) {
    if (transfer.id == id) return transfer;
  }
  ADD_FAILURE() << "no transfer " << id;
  static const Transfer none;
  return none;
}

std::string Ledger::text() const {
  std::ostringstream out;
  for (const File& f : files) out << "file " << f.id << ' ' << f.path << '\n';
  for (const Request& r : requests) {
    out << "request " << text_of(r.id) << ' ' << r.comm << ' ' << r.op << ' ' << r.file << ' '
        << r.result << " @" << r.start_ns << '+' << r.duration_ns << ' ' << name(r.path) << ' '
        << name(r.cache) << " miss " << r.miss_bytes << '+' << r.readahead_bytes << ' '
        << (r.complete ? "complete" : "partial") << ' ' << r.ended << '\n';
    for (const Hop& h : r.hops) {
      out << "  " << name(h.kind) << ' ' << name(h.from) << '>' << name(h.to) << ' ' << h.bytes
          << ' ' << name(h.evidence) << ' ' << (h.cause ? name(*h.cause) : "-") << ' '
          << name(h.reason) << " @" << h.at_ns << ".." << h.end_ns << " t" << h.transfer << '\n';
    }
  }
  for (const Transfer& t : transfers) {
    out << "transfer " << t.id << ' ' << t.op << ' ' << t.bytes << ' ' << name(t.cause) << " file "
        << t.file << " unattributed " << t.unattributed_bytes;
    for (const Share& share : t.owners) out << ' ' << text_of(share.request) << '=' << share.bytes;
    for (const Queuer& queuer : t.queued_by) out << " by " << queuer.tid << '=' << queuer.bytes;
    out << '\n';
  }
  for (const Effect& e : effects) {
    out << "effect " << name(e.cause) << " file " << e.file << '@' << e.offset << ' ' << e.bytes
        << " delay " << e.delay_ns << " t" << e.transfer;
    for (const Share& share : e.requests)
      out << ' ' << text_of(share.request) << '=' << share.bytes;
    out << '\n';
  }
  for (const Loss& l : losses) out << "loss " << l.cause << ' ' << l.count << '\n';
  return out.str();
}

uint64_t hop_bytes(const Request& request, HopKind kind, Endpoint from, Endpoint to) {
  uint64_t bytes = 0;
  for (const Hop& hop : request.hops) {
    if (hop.kind == kind && hop.from == from && hop.to == to) bytes += hop.bytes;
  }
  return bytes;
}

uint64_t dma_bytes(const Request& request, Cause cause) {
  uint64_t bytes = 0;
  for (const Hop& hop : request.hops) {
    if (hop.kind == HopKind::kDma && hop.cause == cause) bytes += hop.bytes;
  }
  return bytes;
}

}  // namespace iohops::test
