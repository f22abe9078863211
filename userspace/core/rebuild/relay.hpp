// Relays: which requests carry on bytes that an earlier one brought into the application's memory.
// Sees requests as ranges of user memory; knows no files' contents.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "core/model/model.hpp"
#include "core/rebuild/ranges.hpp"
#include "core/rebuild/recent_map.hpp"

namespace iohops {

// One end of a flow: a request, the memory that it filled or took from, and what is on its other side.
struct RelayEnd {
  RequestId id;
  uint32_t file = 0;
  Endpoint store = Endpoint::kKernel;  // page_cache, socket, pipe, ...
  bool message = false;                // by recv or send, not by read or write
  ByteRange memory;
  uint64_t start_ns = 0;
  uint64_t end_ns = 0;
};

// Heuristic, hence `inferred`: nothing in the kernel tells that the bytes at an address are still those
// that were read there. Against buffers that are merely used again: a request counts as taking from an
// earlier one only if nearly all (7/8) of its bytes were brought in by requests, and a filled buffer
// counts as carried on only once nearly all of it has been taken; whatever fills it anew ends it. A
// program that changes the bytes in place looks the same. Small requests (kSmallest) are not looked at.
class Relays {
 public:
  // So many processes are followed: what others carry on is not seen.
  explicit Relays(size_t max_processes) : index_(max_processes) {}

  static constexpr uint64_t kSmallest = 512;  // bytes

  // What a request counts for in a flow.
  struct Figures {
    uint32_t cpu_copies = 0, dma = 0, mode_switches = 0;
    uint64_t copied_bytes = 0, returned_bytes = 0;  // by its copies, which need not move all that it returned
  };

  // In the order in which the requests ended.
  void filled(const RelayEnd& end);
  void taken(const RelayEnd& end);
  // The same as filled(), and the figures are known, if the latest buffer of the process was filled from there
  // before and nobody took from it, as most are. False: nothing has been done.
  bool filled_again(RequestId id, uint32_t file, bool message, ByteRange memory, uint64_t start_ns, uint64_t end_ns,
                    const Figures& figures);
  void forget(uint32_t pid);
  // Whether figures of a request can matter to anything: whether to call settle().
  bool waits() const { return unknown_buffers_ > 0 || unsettled_; }
  // The request's figures are known. Valid until the next call: the flows that are complete by that.
  const std::vector<Flow>& settle(const Request& request);

 private:
  static constexpr size_t kBuffers = 32;      // per process, the latest
  static constexpr size_t kCandidates = 1024;  // flows that are not certain yet

  struct Buffer {
    RelayEnd from;
    uint64_t serial = 0;  // the latest has the largest
    bool known = false;   // its figures
    Figures figures;
    std::vector<ByteRange> taken;  // disjoint, ordered
    bool carried_on = false;
    bool has_candidates = false;
  };
  // Looked through for each request: what is looked at stands by itself.
  struct Process {
    std::vector<ByteRange> memory;  // of `buffers`, disjoint
    std::vector<Buffer> buffers;
    size_t latest = 0;
  };
  struct Candidate {
    Flow flow;
    uint64_t serial;       // of its buffer
    uint64_t fresh_bytes;  // that no earlier flow carried on
    // What a request cost stands in one flow: not in each of those that carry on what one read brought, or in each of
    // those that one write carries on.
    bool counts_from, counts_to;
    bool from_known = false, to_known = false, claimed = false;
    bool complete() const { return from_known && to_known && claimed; }
  };
  void fill(Process& process, size_t place, const RelayEnd& end);
  void erase(Process& process, size_t place);
  void note(Process& process, const Request& request, const Figures& figures);
  void take_from(Buffer& buffer, const RelayEnd& end, ByteRange range, bool first);
  void drop(uint64_t serial);
  static void add(Flow& flow, const Figures& figures, bool counts, uint64_t bytes);

  Process& process(uint32_t pid);

  RecentMap<uint64_t, uint32_t> index_;  // of processes_, by pid
  std::vector<Process> processes_;
  uint32_t last_pid_ = 0;
  uint32_t last_process_ = 0;
  std::deque<Candidate> candidates_;
  size_t unknown_buffers_ = 0;  // whose figures are not known
  bool unsettled_ = false;      // a candidate may be complete, or lacks figures
  std::vector<Flow> settled_;
  std::vector<std::pair<Buffer*, ByteRange>> sources_;  // of the request at hand
  uint64_t serial_ = 0;
};

inline bool Relays::filled_again(RequestId id, uint32_t file, bool message, ByteRange memory, uint64_t start_ns,
                                 uint64_t end_ns, const Figures& figures) {
  if (id.pid != last_pid_ || processes_.empty()) return false;
  Process& all = processes_[last_process_];
  if (all.latest >= all.memory.size() || !(all.memory[all.latest] == memory)) return false;
  Buffer& buffer = all.buffers[all.latest];
  if (buffer.has_candidates || buffer.from.file != file || buffer.from.message != message) return false;
  unknown_buffers_ -= !buffer.known;
  buffer.from.id.seq = id.seq;
  buffer.from.start_ns = start_ns;
  buffer.from.end_ns = end_ns;
  buffer.serial = ++serial_;
  buffer.figures = figures;
  buffer.known = true;
  return true;
}

}  // namespace iohops
