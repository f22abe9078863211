// Requests of rings (io_uring, libaio): which call submitted them, and those below which nothing happened.
#include "core/ops.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

// The call that submitted a request of a ring; seq 0: not known. Its own record comes later if it is
// still running; one that is over and forgotten must not be made up again.
Result<RequestId> batch_of(RebuildState& s, const wire_request_detail& record) {
  const wire_request& request = record.request;
  const wire_owner batch{request.tgid, request.tid, record.batch_ns};
  if (record.batch_ns == 0) return RequestId{};
  if (const OpenTable::Entry* entry = s.open.find(batch)) return entry->id;
  const bool recent = request.header.time_ns < record.batch_ns + kBatchWaitNs;
  if (!recent || (record.run_by & WIRE_RUN_LATER) != 0) return RequestId{};
  auto made = mention(s, batch);
  if (!made) return made.error();
  return made->id;
}

// Nothing that happened below it can be told later: it had no device work, no waits, added no pages. (Its record has
// a detail all the same, which tells who submitted it.)
bool is_alone(RebuildState& s, const wire_request_detail& record) {
  const wire_request& request = record.request;
  const uint64_t happened = uint64_t{record.bios} | record.waits | record.page_runs | record.run.pages |
                            record.added_bytes | record.dirtied_bytes | record.off_cpu_ns | record.copied_bytes;
  const bool plain = happened == 0 && record.to_file == 0 && !unfinished(request) &&
                     (request.flags & WIRE_REQUEST_END_UNKNOWN) == 0;
  return plain && s.open.find({request.tgid, request.tid, request.start_ns}) == nullptr;
}

}  // namespace

void fill_ring(Request& r, const wire_request_detail& record, RequestId batch) {
  RingFacts ring;
  if (batch.seq != 0) ring.batch = batch;
  ring.run_by = record.run_by;
  ring.flags = record.run_flags;
  ring.multishot = (record.request.flags & WIRE_REQUEST_MULTISHOT) != 0;
  r.ring = ring;
}

Status on_ring_request(RebuildState& s, const wire_request_detail& record) {
  const Result<RequestId> batch = batch_of(s, record);
  if (!batch) return batch.error();
  if (!is_alone(s, record)) return on_request_held(s, record, *batch);
  const wire_request& request = record.request;
  const FileState* file = s.names.find_file(request.file);
  if (file != nullptr && request.start_ns >= s.gap_ns) {
    Repeat* repeat = s.repeats.find(Repeat::Key(record, *file, batch->seq != 0), request);
    if (repeat != nullptr) {
      if (batch->seq != 0) repeat->request.ring->batch = *batch;
      return hand_out_repeat(s, *repeat, request, *file);
    }
  }
  return on_request_alone(s, record, *batch);
}

}  // namespace iohops
