// Which requests are kept as the form of others, and how the next one of a kind goes out.
#include "core/rebuild/repeats.hpp"

#include <algorithm>
#include <utility>

#include "core/ops.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

// Whether all of its numbers follow from those of its record.
bool has_form(const wire_request& record, const Request& request) {
  const auto result = static_cast<uint64_t>(record.result);
  const bool whole = request.complete && request.ended.empty() && request.result == record.result &&
                     request.result > 0 && request.requested && result <= *request.requested;
  const bool plain = whole && !request.moved && !request.direct &&
                     request.to_file == 0 && request.readahead_of.empty() && request.dma_bytes == 0;
  if (!plain || request.hops.size() > 1) return false;
  if (request.hops.empty()) return request.cpu_copies == 0 && request.cpu_copy_bytes == 0;
  const Hop& hop = request.hops.front();
  return hop.kind == HopKind::kCpuCopy && hop.bytes == result && hop.at_ns == request.start_ns &&
         hop.end_ns == request.start_ns + request.duration_ns && request.cpu_copies == 1 &&
         request.cpu_copy_bytes == result;
}

}  // namespace

void Repeats::keep(const wire_request_detail& detail, const FileState& file, const Request& request) {
  const wire_request& record = detail.request;
  const OpFamily of = family(record.op);
  if (of != OpFamily::kRead && of != OpFamily::kWrite) return;
  if (counts_messages(record.op) || asks_for_sync(record)) return;
  if (!has_form(record, request)) return;
  const Repeat::Key key =
      request.ring ? Repeat::Key(detail, file, request.ring->batch.has_value()) : Repeat::Key(record, file);
  std::unique_ptr<Repeat>& kept = table_[key.place()];
  if (kept == nullptr) kept = std::make_unique<Repeat>();
  kept->key = key;
  kept->writes = of == OpFamily::kWrite;
  kept->message = is_message(record.op);
  kept->request = request;
  kept->request.alike = ++kept_ * Request::kAlike + key.place();
}

namespace {

// As note_relay(). Whether it is the same buffer once more is asked with what is in registers: a whole RelayEnd, or the
// id out of the request, would be read again right after its parts were stored, and wait for the cache. (With the
// figures known at once, and not looked for after the request has gone out: 18 ns of 142 a cached request.)
void note_relay_again(RebuildState& s, const Repeat& repeat, const wire_request& record, RequestId id, uint64_t bytes,
                      const FileState& file) {
  const Request& r = repeat.request;
  const ByteRange memory{record.buffer, record.buffer + bytes};
  // Such a request copies all that it returns, or nothing.
  const Relays::Figures figures{r.cpu_copies, r.dma_transfers, r.mode_switches, r.cpu_copies * bytes, bytes};
  const bool again = !repeat.writes && record.segments == 1 &&
                     s.relays.filled_again(id, file.id, repeat.message, memory, record.start_ns,
                                           record.header.time_ns, figures);
  if (!again) note_relay(s, record, bytes, id, &file);
}

// One that uses what was loaded ahead for others is not alike.
Status hand_out_shared(RebuildState& s, Request& r, const std::vector<Share>& readahead) {
  const uint64_t alike = std::exchange(r.alike, 0);
  r.readahead_of = readahead;
  Status status = s.sink.request(r);
  r.readahead_of.clear();
  r.alike = alike;
  return status ? emit_flows(s, r) : status;
}

}  // namespace

Status hand_out_repeat(RebuildState& s, Repeat& repeat, const wire_request& record,
                       const FileState& file) {
  Request& r = repeat.request;
  const RequestId id = s.names.next_id(record.tgid);
  r.id = id;
  r.tid = record.tid;
  r.comm = s.names.comm(record.tgid, record.tid);
  r.fd = record.fd;
  r.file = file.id;
  const auto bytes = static_cast<uint64_t>(record.result);
  if (r.offset) r.offset = record.offset;
  r.requested = record.requested;
  r.result = record.result;
  r.start_ns = s.since_start(record.start_ns);
  const uint64_t end = std::max(s.since_start(record.header.time_ns), r.start_ns);
  r.duration_ns = end - r.start_ns;
  r.buffer = record.segments == 1 && record.buffer != WIRE_UNKNOWN ? record.buffer : 0;
  if (!r.hops.empty()) {
    Hop& hop = r.hops.front();
    hop.bytes = r.cpu_copy_bytes = bytes;
    hop.at_ns = r.start_ns;
    hop.end_ns = end;
  }
  const bool dirties = repeat.writes && file.cache != kNone32 && record.offset != WIRE_UNKNOWN;
  if (dirties && bytes <= UINT64_MAX - record.offset) {
    const Writer writer{id, record.start_ns, record.header.time_ns};
    if (Status status = note_dirty(s, file, {record.offset, record.offset + bytes}, writer);
        !status)
      return status;
  }
  note_relay_again(s, repeat, record, id, bytes, file);
  if (!s.readahead.empty()) {
    const std::vector<Share>& readahead = use_readahead(s, record, &file);
    if (!readahead.empty()) return hand_out_shared(s, r, readahead);
  }
  if (Status status = s.sink.request(r); !status) return status;
  return emit_flows(s, r);
}

}  // namespace iohops
