// Rebuilder: from wire records in time order to the ledger. Sees records and a Sink; no kernel, no
// clock, no files. The same records give the same ledger, live or replayed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/copies.hpp"
#include "core/decode.hpp"
#include "core/model/model.hpp"
#include "core/model/summary.hpp"
#include "core/rebuild/limits.hpp"
#include "core/sink.hpp"

namespace iohops {

struct RebuildContext : RebuildLimits {
  uint64_t start_ns = 0;  // CLOCK_MONOTONIC at the start of the trace: time 0 of the ledger
  uint32_t page_size = 4096;
  std::string machine = "x86_64";  // uname machine of the traced kernel: O_DIRECT differs
  std::vector<Device> devices;
  // block_bio_queue was attached: without it, that a direct request queued nothing means nothing.
  bool sees_bios = true;
  bool light = false;  // no system calls: whose a bio is says nothing of why it was queued
  MeasuredCopies measured;  // where the kernel's copy functions were counted
  // The kernel's swiotlb copies the buffer of a read to the bounce buffer as well: since 5.18, and in
  // stable kernels. Only believed where its copies are not measured.
  bool swiotlb_copies_in_on_read = true;
};

// What only the rebuild knows; the driver merges it into the Summary.
struct RebuildCounters {
  uint64_t records = 0;
  uint64_t unknown_records = 0;  // of a kind that this version does not know
  uint64_t absorbed_bytes = 0;   // overwritten in the page cache before a device saw them
  uint64_t pending_bytes = 0;    // written, and not seen on its way to a device
  uint64_t writeback_bytes = 0;  // written by a device later, on behalf of requests of the trace
  uint64_t readahead_unused_bytes = 0;  // loaded ahead, and not used by any request of the trace
  uint64_t copies_in_doubt = 0;  // requests whose copy was measured otherwise than derived
  // Given up to bound memory:
  uint64_t evicted = 0;         // requests: handed out early, not complete
  uint64_t evicted_ranges = 0;  // whose bytes a range of dirty or loaded pages was
  std::optional<wire_end> end;   // the collector's last word, if the recording has one
};

// Not seen: dirty pages that a truncation or an unlink dropped (they stay pending), and pages that were
// loaded ahead and thrown out, until they are loaded again (they count as unused all the time).
//
// Assumptions: records come in time order (core/order), names before their first use, except for
// what loss took. A request record names how many bios, waits and page runs it had.
// Rule: a request is known by (process, thread, start time) from its first mention; it is handed to
// the Sink once its own record and the completion of every bio that it queued have been seen. A
// block request is handed out once the requests that own its bios are known.
// Release condition: at the latest at finish(), or when more than max_held_requests are held, or more
// than max_details of theirs: then the oldest goes, `complete` = false, and counts as evicted. A file
// that was forgotten takes its ranges along, which count as such; a request that names it then has
// no file, and is not complete.
struct RebuildState;

class Rebuilder {
 public:
  Rebuilder(RebuildContext context, Sink& sink);
  ~Rebuilder();
  Rebuilder(const Rebuilder&) = delete;
  Rebuilder& operator=(const Rebuilder&) = delete;

  // One record. A record that check_record() refuses is an error (kDamaged); an unknown kind is
  // skipped and counted. An error of the Sink is passed on.
  Status feed(Record record);

  // Hands out everything that is still held. `truncated`: the records ended without WIRE_END, so
  // requests may be open. Calls neither Sink::summary nor Sink::finish: the driver does, with
  // counters().
  Status finish(bool truncated);

  const RebuildCounters& counters() const;

 private:
  std::unique_ptr<RebuildState> state_;
};

}  // namespace iohops
