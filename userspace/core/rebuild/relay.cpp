// The buffers of each process, and the flows that are not certain yet.
#include "core/rebuild/relay.hpp"

#include <algorithm>

namespace iohops {
namespace {

uint64_t bytes_of(ByteRange range) { return range.end - range.begin; }

ByteRange common(ByteRange a, ByteRange b) {
  const ByteRange both{std::max(a.begin, b.begin), std::min(a.end, b.end)};
  return both.begin < both.end ? both : ByteRange{};
}

bool nearly_all(uint64_t part, uint64_t whole) { return part >= whole - whole / 8; }

uint64_t total(const std::vector<ByteRange>& ranges) {
  uint64_t bytes = 0;
  for (const ByteRange& range : ranges) bytes += bytes_of(range);
  return bytes;
}

void merge(std::vector<ByteRange>& ranges, ByteRange more) {
  std::erase_if(ranges, [&](const ByteRange& range) {
    if (range.end < more.begin || range.begin > more.end) return false;
    more = {std::min(range.begin, more.begin), std::max(range.end, more.end)};
    return true;
  });
  ranges.push_back(more);
}

// What would carry the bytes on without the application.
const char* shortcut(Endpoint from, Endpoint to) {
  if (from == Endpoint::kPageCache && to == Endpoint::kSocket) return "sendfile";
  if (from == Endpoint::kPageCache && to == Endpoint::kPageCache) return "copy_file_range";
  if (from == Endpoint::kPipe || to == Endpoint::kPipe || from == Endpoint::kSocket) return "splice";
  return "";
}

}  // namespace

void Relays::add(Flow& flow, const Figures& figures) {
  flow.cpu_copies += figures.cpu_copies;
  flow.dma += figures.dma;
  flow.mode_switches += figures.mode_switches;
}

Relays::Process& Relays::process(uint32_t pid) {
  if (pid == last_pid_ && !processes_.empty()) return processes_[last_process_];
  const uint32_t* known = index_.find(pid);
  auto index = known != nullptr ? *known : static_cast<uint32_t>(processes_.size());
  if (known == nullptr) {
    index_.add(pid, index, [&](uint64_t, uint32_t gone) {
      for (const Buffer& buffer : processes_[gone].buffers) drop(buffer.serial);
      index = gone;
    });
    *index_.find(pid) = index;
    if (index == processes_.size()) processes_.emplace_back();
    processes_[index] = {};
  }
  last_pid_ = pid;
  last_process_ = index;
  return processes_[index];
}

// Runs for every read: most fill the one buffer that they filled before, which is then used again.
void Relays::filled(const RelayEnd& end) {
  std::vector<Buffer>& buffers = process(end.id.pid).buffers;
  std::erase_if(buffers, [&](const Buffer& buffer) {
    if (bytes_of(common(buffer.from.memory, end.memory)) == 0) return false;
    if (!candidates_.empty()) drop(buffer.serial);
    return true;
  });
  if (bytes_of(end.memory) < kSmallest) return;
  if (buffers.size() >= kBuffers) {
    drop(buffers.front().serial);
    buffers.erase(buffers.begin());
  }
  Buffer& buffer = buffers.emplace_back();
  buffer.from = end;
  buffer.serial = ++serial_;
}

void Relays::taken(const RelayEnd& end) {
  if (bytes_of(end.memory) < kSmallest) return;
  std::vector<Buffer>& buffers = process(end.id.pid).buffers;
  uint64_t known = 0;
  for (const Buffer& buffer : buffers) {
    if (buffer.from.end_ns <= end.start_ns) known += bytes_of(common(buffer.from.memory, end.memory));
  }
  if (known == 0 || !nearly_all(known, bytes_of(end.memory))) return;
  for (Buffer& buffer : buffers) {
    const ByteRange range = common(buffer.from.memory, end.memory);
    if (bytes_of(range) > 0 && buffer.from.end_ns <= end.start_ns) take_from(buffer, end, range);
  }
}

void Relays::take_from(Buffer& buffer, const RelayEnd& end, ByteRange range) {
  merge(buffer.taken, range);
  buffer.carried_on |= nearly_all(total(buffer.taken), bytes_of(buffer.from.memory));
  if (candidates_.size() >= kCandidates) candidates_.pop_front();
  Candidate candidate{{}, buffer.serial};
  Flow& flow = candidate.flow;
  flow.from = buffer.from.id;
  flow.to = end.id;
  flow.from_file = buffer.from.file;
  flow.to_file = end.file;
  flow.bytes = bytes_of(range);
  flow.kind = std::string(buffer.from.message ? "recv" : "read") + (end.message ? "-send" : "-write");
  flow.advice = shortcut(buffer.from.store, end.store);
  if (buffer.known) add(flow, buffer.figures);
  candidate.from_known = buffer.known;
  candidates_.push_back(std::move(candidate));
  if (!buffer.carried_on) return;
  for (Candidate& waiting : candidates_) waiting.claimed |= waiting.serial == buffer.serial;
}

// What was not carried on for the most part is no relay.
void Relays::drop(uint64_t serial) {
  std::erase_if(candidates_, [&](const Candidate& candidate) {
    return candidate.serial == serial && !candidate.claimed;
  });
}

void Relays::forget(uint32_t pid) {
  std::vector<Buffer>& buffers = process(pid).buffers;
  for (const Buffer& buffer : buffers) drop(buffer.serial);
  buffers.clear();
}

const std::vector<Flow>& Relays::settle(const Request& request) {
  settled_.clear();
  const Figures figures{request.cpu_copies, request.dma_transfers, request.mode_switches};
  std::vector<Buffer>& buffers = process(request.id.pid).buffers;
  const auto filled = std::find_if(buffers.rbegin(), buffers.rend(),
                                   [&](const Buffer& buffer) { return buffer.from.id == request.id; });
  if (filled != buffers.rend()) {
    filled->figures = figures;
    filled->known = true;
  }
  if (candidates_.empty()) return settled_;
  for (Candidate& candidate : candidates_) {
    if (candidate.flow.from == request.id && !candidate.from_known) {
      add(candidate.flow, figures);
      candidate.from_known = true;
    }
    if (candidate.flow.to == request.id && !candidate.to_known) {
      add(candidate.flow, figures);
      candidate.to_known = true;
    }
    if (candidate.complete()) settled_.push_back(candidate.flow);
  }
  std::erase_if(candidates_, [](const Candidate& candidate) { return candidate.complete(); });
  return settled_;
}

}  // namespace iohops
