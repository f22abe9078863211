// Which requests can be one end of a relay, and the flows that come of them.
#include "core/ops.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

// Where the data of a file lies, if it is data that could be handed on without the application.
Endpoint store_of(const FileState& file) {
  if (uses_page_cache(file)) return Endpoint::kPageCache;
  if (file.storage == Storage::kSocket) return Endpoint::kSocket;
  return file.storage == Storage::kPipe ? Endpoint::kPipe : Endpoint::kKernel;
}

}  // namespace

void note_relay(RebuildState& s, const wire_request& request, uint64_t bytes, RequestId id, const FileState* file) {
  const OpFamily asked = family(request.op);
  if (asked != OpFamily::kRead && asked != OpFamily::kWrite) return;
  // Of several segments only the first one is known; a ring can choose the buffer itself.
  const bool one_buffer = request.segments == 1 && request.buffer != 0 && request.buffer != WIRE_UNKNOWN &&
                          request.requested != WIRE_UNKNOWN && !counts_messages(request.op);
  if (!one_buffer || file == nullptr || bytes > UINT64_MAX - request.buffer) return;
  if (file->storage == Storage::kNone || bytes == 0) return;
  RelayEnd end;
  end.id = id;
  end.file = file->id;
  end.store = store_of(*file);
  end.message = is_message(request.op);
  end.memory = {request.buffer, request.buffer + bytes};
  end.start_ns = request.start_ns;
  end.end_ns = request.header.time_ns;
  if (asked == OpFamily::kRead)
    s.relays.filled(end);
  else
    s.relays.taken(end);
}

Status emit_settled(RebuildState& s, const Request& request) {
  for (const Flow& flow : s.relays.settle(request))
    if (Status status = s.sink.flow(flow); !status) return status;
  return {};
}

}  // namespace iohops
