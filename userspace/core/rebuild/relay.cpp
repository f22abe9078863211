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

void Relays::add(Flow& flow, const Figures& figures, bool counts, uint64_t bytes) {
  if (figures.returned_bytes > 0) flow.copied_bytes += figures.copied_bytes * bytes / figures.returned_bytes;
  if (!counts) return;
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
      while (!processes_[gone].buffers.empty())
        erase(processes_[gone], processes_[gone].buffers.size() - 1);
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

void Relays::fill(Process& process, size_t place, const RelayEnd& end) {
  Buffer& buffer = process.buffers[place];
  unknown_buffers_ += buffer.known || buffer.serial == 0;
  process.memory[place] = end.memory;
  process.latest = place;
  buffer.from = end;
  buffer.serial = ++serial_;
  buffer.known = buffer.carried_on = buffer.has_candidates = false;
  buffer.figures = {};
  buffer.taken.clear();
}

void Relays::erase(Process& process, size_t place) {
  if (process.buffers[place].has_candidates) drop(process.buffers[place].serial);
  unknown_buffers_ -= !process.buffers[place].known;
  if (place + 1 < process.buffers.size()) process.buffers[place] = std::move(process.buffers.back());
  process.memory[place] = process.memory.back();
  process.buffers.pop_back();
  process.memory.pop_back();
}

// Runs for every read: most fill the very memory that one before them filled.
void Relays::filled(const RelayEnd& end) {
  Process& all = process(end.id.pid);
  const bool counts = bytes_of(end.memory) >= kSmallest;
  const bool again = all.latest < all.memory.size() && all.memory[all.latest] == end.memory;
  for (size_t i = again ? all.latest : 0; i < all.memory.size();) {
    if (counts && all.memory[i] == end.memory) {  // then no other one overlaps
      if (all.buffers[i].has_candidates) drop(all.buffers[i].serial);
      return fill(all, i, end);
    }
    if (bytes_of(common(all.memory[i], end.memory)) > 0)
      erase(all, i);
    else
      ++i;
  }
  if (!counts) return;
  if (all.buffers.size() >= kBuffers) {
    const auto oldest = std::min_element(all.buffers.begin(), all.buffers.end(),
                                         [](const Buffer& a, const Buffer& b) { return a.serial < b.serial; });
    erase(all, static_cast<size_t>(oldest - all.buffers.begin()));
  }
  all.buffers.emplace_back();
  all.memory.emplace_back();
  fill(all, all.buffers.size() - 1, end);
}

void Relays::taken(const RelayEnd& end) {
  if (bytes_of(end.memory) < kSmallest) return;
  Process& all = process(end.id.pid);
  uint64_t known = 0;
  std::vector<std::pair<Buffer*, ByteRange>>& sources = sources_;
  sources.clear();
  for (size_t i = 0; i < all.memory.size(); ++i) {
    const ByteRange range = common(all.memory[i], end.memory);
    if (bytes_of(range) == 0 || all.buffers[i].from.end_ns > end.start_ns) continue;
    known += bytes_of(range);
    sources.emplace_back(&all.buffers[i], range);
  }
  if (known == 0 || !nearly_all(known, bytes_of(end.memory))) return;
  std::sort(sources.begin(), sources.end(),
            [](const auto& a, const auto& b) { return a.first->serial < b.first->serial; });
  for (const auto& [buffer, range] : sources) take_from(*buffer, end, range, buffer == sources.front().first);
}

void Relays::take_from(Buffer& buffer, const RelayEnd& end, ByteRange range, bool first) {
  const bool again = buffer.has_candidates;
  unsettled_ = buffer.has_candidates = true;
  const uint64_t taken_before = total(buffer.taken);
  merge(buffer.taken, range);
  buffer.carried_on |= nearly_all(total(buffer.taken), bytes_of(buffer.from.memory));
  if (candidates_.size() >= kCandidates) candidates_.pop_front();
  Candidate candidate{{}, buffer.serial, total(buffer.taken) - taken_before, !again, first};
  Flow& flow = candidate.flow;
  flow.from = buffer.from.id;
  flow.to = end.id;
  flow.from_file = buffer.from.file;
  flow.to_file = end.file;
  flow.bytes = bytes_of(range);
  flow.kind = std::string(buffer.from.message ? "recv" : "read") + (end.message ? "-send" : "-write");
  flow.advice = shortcut(buffer.from.store, end.store);
  if (buffer.known) add(flow, buffer.figures, candidate.counts_from, candidate.fresh_bytes);
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
  Process& all = process(pid);
  while (!all.buffers.empty()) erase(all, all.buffers.size() - 1);
  all = {};  // of a process that has gone nothing is kept, no memory either
}

// The figures of the buffer that it filled, if it still holds them.
void Relays::note(Process& process, const Request& request, const Figures& figures) {
  const auto is_its = [&](const Buffer& buffer) { return buffer.from.id == request.id; };
  size_t place = process.latest;
  if (place >= process.buffers.size() || !is_its(process.buffers[place])) {
    const auto found = std::find_if(process.buffers.begin(), process.buffers.end(), is_its);
    if (found == process.buffers.end()) return;
    place = static_cast<size_t>(found - process.buffers.begin());
  }
  Buffer& buffer = process.buffers[place];
  unknown_buffers_ -= !buffer.known;
  buffer.figures = figures;
  buffer.known = true;
}

const std::vector<Flow>& Relays::settle(const Request& request) {
  settled_.clear();
  const Figures figures{request.cpu_copies, request.dma_transfers, request.mode_switches, request.cpu_copy_bytes,
                        request.returned_bytes()};
  if (unknown_buffers_ > 0) note(process(request.id.pid), request, figures);
  if (!unsettled_) return settled_;
  unsettled_ = false;
  for (Candidate& candidate : candidates_) {
    if (candidate.flow.from == request.id && !candidate.from_known) {
      add(candidate.flow, figures, candidate.counts_from, candidate.fresh_bytes);
      candidate.from_known = true;
    }
    if (candidate.flow.to == request.id && !candidate.to_known) {
      add(candidate.flow, figures, candidate.counts_to, candidate.flow.bytes);
      candidate.to_known = true;
    }
    if (candidate.complete()) settled_.push_back(candidate.flow);
    unsettled_ |= !candidate.from_known || !candidate.to_known;
  }
  if (!settled_.empty())
    std::erase_if(candidates_, [](const Candidate& candidate) { return candidate.complete(); });
  return settled_;
}

}  // namespace iohops
