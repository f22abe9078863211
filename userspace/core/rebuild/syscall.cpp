// Requests: who asked for what, which CPU copies that took, and when everything about one is known.
#include <cstring>

#include "core/ops.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

constexpr int64_t kEintr = 4;
// ERESTARTSYS .. ERESTART_RESTARTBLOCK (include/linux/errno.h): the kernel's own; user code sees
// EINTR, or the call starts again as another request.
constexpr int64_t kFirstRestart = -516;
constexpr int64_t kLastRestart = -512;

bool has_offset(const FileState* file) {
  return file == nullptr || (file->storage != Storage::kSocket && file->storage != Storage::kPipe);
}

Submit submit_of(uint16_t op) {
  if (family(op) == OpFamily::kFault) return Submit::kPageFault;
  if (family(op) == OpFamily::kStream) return Submit::kStdio;
  if (op >= WIRE_OP_AIO) return Submit::kLibaio;
  return is_ringed(op) ? Submit::kIoUring : Submit::kSyscall;
}

void fill_identity(RebuildState& s, const wire_request& request, RequestId id,
                   const FileState* file) {
  Request& r = s.request;
  r.id = id;
  r.tid = request.tid;
  r.comm = s.names.comm(request.tgid, request.tid);
  r.op = op_name(request.op);
  r.submit = submit_of(request.op);
  r.fd = request.fd;
  r.file = file != nullptr ? file->id : 0;
  r.offset.reset();
  r.requested.reset();
  if (request.offset != WIRE_UNKNOWN && has_offset(file)) r.offset = request.offset;
  // What the others ask for is no bytes: events, completions.
  const OpFamily asked = family(request.op);
  const bool in_bytes = asked != OpFamily::kPoll && asked != OpFamily::kRing;
  if (request.requested != WIRE_UNKNOWN && in_bytes) r.requested = request.requested;
  r.result = request.result;
  if (r.result >= kFirstRestart && r.result <= kLastRestart) r.result = -kEintr;
  if (unfinished(request)) r.result = 0;
  r.to_fd = -1;
  r.to_file = 0;
  r.to_offset.reset();
  r.moved.reset();
  r.start_ns = s.since_start(request.start_ns);
  r.duration_ns = std::max(s.since_start(request.header.time_ns), r.start_ns) - r.start_ns;
  r.mode_switches = unfinished(request) ? 1 : 2;  // into the kernel, and back if it came back
  if (r.submit != Submit::kSyscall && r.submit != Submit::kPageFault) r.mode_switches = 0;
  r.ring.reset();
  r.moves_data = moves_data(request.op);
  r.ended = {};
  if ((request.flags & WIRE_REQUEST_ABORTED) != 0) r.ended = "aborted";
  if ((request.flags & WIRE_REQUEST_OPEN) != 0) r.ended = "open";
  r.buffer = request.segments == 1 && request.buffer != WIRE_UNKNOWN ? request.buffer : 0;
  r.direct = is_direct(s, request, file);
  r.major_fault = (request.flags & WIRE_REQUEST_MAJOR) != 0;
  r.write_fault = (request.flags & WIRE_REQUEST_WRITE_FAULT) != 0;
}

Path path_of(const FileState* file) {
  if (file == nullptr) return Path::kNone;
  switch (file->storage) {
    case Storage::kPageCache:
    case Storage::kNetwork:
    case Storage::kFuse:
      return Path::kBuffered;
    case Storage::kMemory:
    case Storage::kDax:
      return Path::kMemory;
    case Storage::kSocket:
      return Path::kSocket;
    case Storage::kPipe:
      return Path::kPipe;
    case Storage::kNone:
      break;
  }
  return Path::kNone;
}

}  // namespace

CacheOutcome outcome_of(const wire_request_detail& record, const HeldRequest* held,
                        const CacheVerdict& verdict, uint64_t asked) {
  if (asked == 0) return CacheOutcome::kNone;
  const bool waited = held != nullptr && held->io_waited;
  if (record.added_bytes == 0 && record.bios == 0 && !waited) return CacheOutcome::kHit;
  return verdict.miss_bytes >= asked ? CacheOutcome::kMiss : CacheOutcome::kMixed;
}

namespace {

// If nothing that was read was there at first, no byte can have been copied before the first load
// was over.
uint64_t copy_begin(const RebuildState& s, const HeldRequest* held) {
  const Request& r = s.request;
  if (r.cache != CacheOutcome::kMiss || held == nullptr) return r.start_ns;
  const uint64_t end = r.start_ns + r.duration_ns;
  uint64_t first = end;
  bool found = false;
  for (const Hop& hop : held->hops) {
    if (hop.kind != HopKind::kDma || hop.from != Endpoint::kDevice || hop.end_ns > end) continue;
    first = std::min(first, hop.end_ns);
    found = true;
  }
  return found ? std::max(first, r.start_ns) : r.start_ns;
}

void add_copy(RebuildState& s, const CopyRule& rule, uint64_t bytes, const HeldRequest* held) {
  if (!rule.copies() || bytes == 0) return;
  Hop hop;
  hop.kind = HopKind::kCpuCopy;
  hop.evidence = rule.evidence;
  hop.from = rule.from;
  hop.to = rule.to;
  hop.bytes = bytes;
  hop.at_ns = copy_begin(s, held);
  hop.end_ns = s.request.start_ns + s.request.duration_ns;
  s.request.hops.push_back(hop);
  s.request.cpu_copies++;
  s.request.cpu_copy_bytes += bytes;
}

bool measures(const MeasuredCopies& measured, Storage storage) {
  if (storage == Storage::kPipe) return measured.pipes;
  return storage == Storage::kSocket ? measured.sockets : measured.files;
}

// What the kernel's copy functions reported, weighed against what was derived.
Copy measured_copy(RebuildState& s, const wire_request_detail& record, const FileState& file,
                   const Copy& derived) {
  const wire_request& request = record.request;
  if (unfinished(request) || !measures(s.context.measured, file.storage)) return derived;
  if ((request.flags & WIRE_REQUEST_COPY_MISSED) != 0) return derived;
  uint64_t bytes = 0;
  if ((request.flags & WIRE_REQUEST_COPIED) != 0)
    bytes = static_cast<uint64_t>(std::max<int64_t>(request.result, 0));
  else if ((request.flags & WIRE_REQUEST_DETAIL) != 0)
    bytes = record.copied_bytes;
  // A thread that carries on with a request of its ring later (its pages have come) does so while the one that it
  // submitted last counts as what it works on: what is too much may be another one's.
  if (is_ringed(request.op) && bytes > derived.bytes) return derived;
  // What a receiver on this machine makes the kernel copy can come after the call: less than all
  // proves nothing. Where no copy was expected, one is a finding and not a doubt (a sniffer).
  if ((request.flags & WIRE_REQUEST_ZEROCOPY) != 0) {
    const bool all = bytes > 0 && bytes >= derived.bytes;
    // What is lent is copied once at most: what is too much was lent by an earlier request, and delivered now.
    return all ? Copy{std::min(bytes, moved_bytes(record)), Evidence::kMeasured, false} : derived;
  }
  // A write can be buffered by a function that nobody hooks (btrfs).
  if (bytes == 0 && family(request.op) == OpFamily::kWrite) return derived;
  // procfs, drivers and FUSE in direct mode also copy where nobody can look.
  const bool sees_all = file.storage == Storage::kPageCache || file.storage == Storage::kNetwork ||
                        file.storage == Storage::kPipe || file.storage == Storage::kSocket;
  const Copy copy = weigh_copy(derived, bytes, sees_all);
  s.counters.copies_in_doubt += copy.disagrees;
  return copy;
}

void fill_transfer_of_data(RebuildState& s, const wire_request_detail& record,
                           const HeldRequest* held, const CacheVerdict& verdict,
                           const FileState* file) {
  Request& r = s.request;
  const wire_request& request = record.request;
  const uint64_t moved = moved_bytes(record);
  if (moved != static_cast<uint64_t>(std::max<int64_t>(r.result, 0))) r.moved = moved;
  r.path = path_of(file);
  // Without its file nobody knows where its bytes went: no copy is claimed, and it says so.
  if (file == nullptr) {
    r.complete = r.complete && moved == 0;
    return;
  }
  const bool write = family(request.op) == OpFamily::kWrite;
  CopyRule rule = copy_rule(file->storage, write, false);
  Copy copy{rule.copies() ? moved : 0, rule.evidence};
  const bool direct = is_direct(s, request, file);
  if (direct) {
    Fallback fallback;
    if (file->storage == Storage::kPageCache) fallback = direct_fallback(s, record, verdict, *file);
    copy = {fallback.bytes, fallback.evidence};
  }
  if (is_message(request.op)) copy = message_copy(s, record, *file, copy);
  copy = measured_copy(s, record, *file, copy);
  // A measured copy of a request that went past the page cache all the same (a bounce) is a hop,
  // too.
  if (direct && (copy.bytes == 0 || record.direct_bytes >= moved)) {
    r.path = Path::kDirect;
    r.cache = CacheOutcome::kBypass;
  } else if (!write && uses_page_cache(*file)) {
    r.cache = outcome_of(record, held, verdict, direct ? copy.bytes : moved);
  }
  rule.evidence = copy.evidence;
  add_copy(s, rule, copy.bytes, held);
}

void add_held_hops(RebuildState& s, const HeldRequest* held) {
  Request& r = s.request;
  r.dma_transfers = 0;
  r.dma_bytes = 0;
  if (held == nullptr) return;
  r.dma_transfers = held->dma_transfers;
  r.dma_bytes = held->dma_bytes;
  for (const Hop& hop : held->hops) {
    r.hops.push_back(hop);
    if (hop.kind != HopKind::kCpuCopy) continue;  // through a bounce buffer
    r.cpu_copies++;
    r.cpu_copy_bytes += hop.bytes;
  }
  std::stable_sort(r.hops.begin(), r.hops.end(),
                   [](const Hop& a, const Hop& b) { return a.at_ns < b.at_ns; });
}

// The one place where a request is put together; `held` is what was gathered below it, if anything, `batch` the
// call that submitted it to a ring, seq 0: none that is known.
Status hand_out(RebuildState& s, const wire_request_detail& record, RequestId id, RequestId batch,
                const HeldRequest* held, bool complete) {
  const wire_request& request = record.request;
  const CacheVerdict verdict = held != nullptr ? held->cache : CacheVerdict{};
  const FileState* file = s.names.find_file(request.file);
  Request& r = s.request;
  fill_identity(s, request, id, file);
  if (held != nullptr && !held->ended) r.ended = s.no_end;
  // The end of a ring's request can pass unseen, and then nobody knows what it moved.
  const bool unseen = is_ringed(request.op) && (request.flags & WIRE_REQUEST_END_UNKNOWN) != 0;
  r.complete = complete && request.start_ns >= s.gap_ns && !unseen;
  r.hops.clear();
  r.path = Path::kNone;
  r.cache = CacheOutcome::kNone;
  r.cpu_copies = 0;
  r.cpu_copy_bytes = 0;
  // Pages that a write adds are filled by it: they were not missed.
  const bool wrote = family(request.op) == OpFamily::kWrite;
  const bool moves = family(request.op) == OpFamily::kMove;
  r.miss_bytes = wrote ? 0 : verdict.miss_bytes;
  r.readahead_bytes = wrote ? 0 : verdict.readahead_bytes;
  r.readahead_followed_bytes = wrote ? 0 : verdict.followed_bytes;
  r.dirtied_bytes = record.dirtied_bytes;
  r.voluntary_switches = record.voluntary;
  r.involuntary_switches = record.involuntary;
  r.off_cpu_ns = record.off_cpu_ns;
  if (moves) {
    fill_move(s, record, held, verdict, file);
  } else if (r.moves_data) {
    fill_transfer_of_data(s, record, held, verdict, file);
  } else if (family(request.op) == OpFamily::kStream) {
    // Between the stream's buffer and the program: no kernel is involved.
    const bool read = request.op == WIRE_OP_FREAD;
    add_copy(s, {read ? Endpoint::kStdio : Endpoint::kUser, read ? Endpoint::kUser : Endpoint::kStdio,
                 Evidence::kMeasured},
             record.copied_bytes, held);
  } else if (family(request.op) == OpFamily::kFault) {
    r.path = Path::kMapped;
    if (file == nullptr || uses_page_cache(*file)) {
      r.cache = outcome_of(record, held, verdict, s.context.page_size);
    }
    if (!unfinished(request)) add_fault_hops(s, request, file);
  }
  add_held_hops(s, held);
  if (is_ringed(request.op)) fill_ring(r, record, batch);
  const std::vector<Share>& readahead = held != nullptr ? held->readahead_of : use_readahead(s, request, file);
  r.readahead_of.assign(readahead.begin(), readahead.end());
  if (Status status = s.sink.request(r); !status) return status;
  return emit_flows(s, r);
}

Status make_room(RebuildState& s) {
  while (s.open.live() >= std::max<size_t>(s.context.max_held_requests, 1)) {
    s.evicted_requests++;
    if (Status status = release_request(s, s.open.oldest(), false); !status) return status;
  }
  return {};
}

// What is known of a request whose own record never came.
void assume_open(RebuildState& s, HeldRequest& held) {
  wire_request& request = held.record.request;
  request.header.time_ns = s.now_ns;
  request.start_ns = held.owner.start_ns;
  request.tgid = held.owner.tgid;
  request.tid = held.owner.tid;
  request.offset = WIRE_UNKNOWN;
  request.requested = WIRE_UNKNOWN;
  request.fd = -1;
  request.flags = WIRE_REQUEST_OPEN;
}

// Now that the request is known, so is what devices did for it.
Status resolve_parts(RebuildState& s, HeldRequest& held) {
  for (const PartRef& ref : held.unresolved) {
    resolve_part(s, ref, &held);
    s.transfers[ref.transfer].waiting_for--;
    if (Status status = release_if_resolved(s, ref.transfer); !status) return status;
  }
  held.unresolved.clear();
  return {};
}

}  // namespace

Result<OpenTable::Entry> mention(RebuildState& s, const wire_owner& owner) {
  if (const OpenTable::Entry* entry = s.open.find(owner)) return *entry;
  if (Status status = make_room(s); !status) return status.error();
  OpenTable::Entry entry{s.names.next_id(owner.tgid), kNone32};
  s.open.add(owner, entry.id, entry.slot);
  return entry;
}

Status on_request_alone(RebuildState& s, const wire_request_detail& record, RequestId batch) {
  const wire_request& request = record.request;
  const RequestId id = s.names.next_id(request.tgid);
  const FileState* file = s.names.find_file(request.file);
  if (Status status = note_write(s, record, id, {}, file); !status) return status;
  note_sync(s, record, id, file);
  note_relay(s, request, moved_bytes(record), id, file);
  const uint64_t doubts = s.counters.copies_in_doubt;
  if (Status status = hand_out(s, record, id, batch, nullptr, true); !status) return status;
  if (file != nullptr && s.counters.copies_in_doubt == doubts) s.repeats.keep(record, *file, s.request);
  return {};
}

Status on_request_held(RebuildState& s, const wire_request_detail& record, RequestId batch) {
  const wire_request& request = record.request;
  auto entry = mention(s, {request.tgid, request.tid, request.start_ns});
  if (!entry) return entry.error();
  if (entry->slot == OpenTable::kReleased) return {};  // given up, or told twice
  HeldRequest& held = s.open[entry->slot];
  if (held.ended) return {};
  held.ended = true;
  held.batch = batch;
  held.record = record;
  if (record.run.pages > 0) on_pages(s, held, record.run);
  FileState* file = s.names.find_file(request.file);
  held.readahead_of = use_readahead(s, request, file);
  use_mapped(s, record, file);
  held.cache = judge_cache(s, record, held, file);
  if (is_direct(s, request, file) && direct_fallback(s, record, held.cache, *file).bytes > 0) file->falls_back = true;
  note_sync(s, record, held.id, file);
  note_relay(s, request, moved_bytes(record), held.id, file);
  if (Status status = note_write(s, record, held.id, held.cache, file); !status) return status;
  if (Status status = resolve_parts(s, held); !status) return status;
  return release_if_done(s, entry->slot);
}

Status on_request(RebuildState& s, Record record) {
  const auto* request = view<wire_request>(record);
  const bool detailed = (request->flags & WIRE_REQUEST_DETAIL) != 0;
  const bool misplaced = family(request->op) == OpFamily::kWrite && appends_elsewhere(*request);
  if (is_ringed(request->op)) {
    auto ringed = prefix<wire_request_detail>(record);
    if (misplaced) ringed.request.offset = WIRE_UNKNOWN;
    if (!names_file(request->op)) ringed.request.file = 0, ringed.request.fd = -1;
    return on_ring_request(s, ringed);
  }
  const wire_owner owner{request->tgid, request->tid, request->start_ns};
  // The calls that submit are remembered: their requests name them.
  const bool submits = family(request->op) == OpFamily::kRing;
  const bool alone = !detailed && !submits && (s.open.live() == 0 || s.open.find(owner) == nullptr);
  if (alone && !misplaced && request->start_ns >= s.gap_ns) {
    const FileState* file = s.names.find_file(request->file);
    Repeat* repeat = file != nullptr ? s.repeats.find({*request, *file}, *request) : nullptr;
    if (repeat != nullptr) return hand_out_repeat(s, *repeat, *request, *file);
  }
  wire_request_detail whole{};
  std::memcpy(&whole, record.data(),
              detailed ? std::min(record.size(), sizeof whole) : sizeof *request);
  if (misplaced) whole.request.offset = WIRE_UNKNOWN;
  return alone ? on_request_alone(s, whole, {}) : on_request_held(s, whole, {});
}

Status release_if_done(RebuildState& s, uint32_t slot) {
  const HeldRequest& held = s.open[slot];
  if (!held.ended || !held.all_bios()) return {};
  return release_request(s, slot, true);
}

Status release_request(RebuildState& s, uint32_t slot, bool whole) {
  HeldRequest& held = s.open[slot];
  if (!held.ended) {
    whole = false;
    assume_open(s, held);
    if (Status status = resolve_parts(s, held); !status) return status;
  }
  if ((held.record.request.flags & WIRE_REQUEST_OPEN) != 0) whole = false;
  whole = whole && !held.crowded && held.waits >= held.record.waits &&
          held.page_runs >= held.record.page_runs;
  s.details -= held.details;
  Status status = hand_out(s, held.record, held.id, held.batch, &held, whole);
  s.open.release(slot);
  return status;
}

}  // namespace iohops
