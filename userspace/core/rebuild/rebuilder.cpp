// The stream: which record goes to which handler, what a loss means, what is given up at the end.
#include "core/rebuild/rebuilder.hpp"

#include <cstring>

#include "core/ops.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

// The last file with this page cache has been forgotten.
Status forget_cache(RebuildState& s, uint32_t cache) {
  if (!s.dirty.drop_cache(cache)) return {};
  s.readahead.drop_cache(cache);
  return forget_unclaimed(s, cache);
}

Status on_file(RebuildState& s, const wire_file& record) {
  bool is_new = false;
  auto file = s.names.file(record, is_new);
  if (!file) return file.error();
  for (const uint32_t cache : s.names.forgotten_caches())
    if (Status status = forget_cache(s, cache); !status) return status;
  FileState& state = *file.value();
  // Only what block devices hold gets dirty in a way that can be followed.
  if (!is_new || state.storage != Storage::kPageCache || state.overlay) return {};
  state.cache = state.kind == FileKind::kBlock
                    ? s.dirty.add_cache(state.rdev, DirtyPages::kDevicePages, state.id)
                    : s.dirty.add_cache(state.dev, state.ino, state.id);
  return {};
}

// The request that a record below it is about; nullptr: none, or handed out already.
Result<HeldRequest*> held_of(RebuildState& s, const wire_owner& owner) {
  if (owner.tgid == 0 || owner.start_ns == 0) return static_cast<HeldRequest*>(nullptr);
  auto entry = mention(s, owner);
  if (!entry) return entry.error();
  const uint32_t slot = entry->slot;
  return slot == OpenTable::kReleased ? nullptr : &s.open[slot];
}

// Whether requests that ran at the time may have lost something of theirs.
bool hits_requests(uint32_t cause) {
  return cause != WIRE_LOSS_RING_NAME && cause != WIRE_LOSS_TALLY_FULL &&
         cause != WIRE_LOSS_COMPAT && cause != WIRE_LOSS_EVICTED &&
         cause != WIRE_LOSS_RANGES && cause != WIRE_LOSS_COMPLETION;
}

bool hits_bios(uint32_t cause) {
  return cause == WIRE_LOSS_RING_TRANSFER || cause == WIRE_LOSS_BIOS_FULL ||
         cause == WIRE_LOSS_RECURSION || cause == WIRE_LOSS_COMPLETION;
}

Status on_loss(RebuildState& s, const wire_loss_record& record) {
  if (record.count == 0) return {};
  const uint64_t now = record.header.time_ns;
  if (hits_requests(record.cause)) s.gap_ns = std::max(s.gap_ns, now);
  if (hits_bios(record.cause)) expect_stuck(s, now);
  return s.sink.loss({s.since_start(now), loss_name(record.cause), record.count});
}

// Bios that have not completed by now were lost: their requests go as they are.
Status release_stuck(RebuildState& s) {
  s.stuck_until_ns = UINT64_MAX;
  for (uint32_t slot = s.open.oldest(); slot != kNone32;) {
    const HeldRequest& held = s.open[slot];
    const uint32_t next = held.newer;
    if (held.ended && held.record.request.header.time_ns <= s.stuck_before_ns) {
      if (Status status = release_request(s, slot, false); !status) return status;
    }
    slot = next;
  }
  return {};
}

Status on_deadline(RebuildState& s) {
  if (Status status = give_up_waiting(s, s.now_ns); !status) return status;
  if (Status status = give_up_children(s, s.now_ns); !status) return status;
  if (s.stuck_until_ns <= s.now_ns) {
    if (Status status = release_stuck(s); !status) return status;
  }
  s.deadline_ns = s.waiting.empty() ? UINT64_MAX : s.waiting.front().deadline_ns;
  s.deadline_ns = std::min({s.deadline_ns, s.stuck_until_ns, s.stack.deadline()});
  return settle_commits(s, s.now_ns);
}

Status on_owned(RebuildState& s, const wire_pages& record) {
  auto held = held_of(s, record.owner);
  if (!held) return held.error();
  if (*held != nullptr && !(*held)->ended) on_pages(s, **held, record.run);
  return {};
}

Status on_owned(RebuildState& s, const wire_wait& record) {
  auto held = held_of(s, record.owner);
  if (!held) return held.error();
  if (*held != nullptr) on_wait(s, **held, record);
  return {};
}

// Too much is known of requests that do not end.
Status give_up_details(RebuildState& s) {
  while (s.details > s.context.max_details && s.open.live() > 0) {
    s.evicted_requests++;
    if (Status status = release_request(s, s.open.oldest(), false); !status) return status;
  }
  return {};
}

Status say_loss(RebuildState& s, uint32_t cause, uint64_t count) {
  return count == 0 ? Status{} : s.sink.loss({s.since_start(s.now_ns), loss_name(cause), count});
}

Status on_same(RebuildState& s, Record record) {
  const Record request = s.told.complete(record);
  if (!request.empty()) return on_request(s, request);
  return s.sink.loss({s.since_start(view<wire_same>(record)->time_ns), loss_name(WIRE_LOSS_EVICTED), 1});
}

Status dispatch(RebuildState& s, uint16_t kind, Record record) {
  if (WIRE_IS_SAME(kind)) return on_same(s, record);
  switch (kind) {
    case WIRE_REQUEST:
      s.told.learn(record);
      return on_request(s, record);
    case WIRE_WAIT:
      return on_owned(s, *view<wire_wait>(record));
    case WIRE_PAGES:
      return on_owned(s, *view<wire_pages>(record));
    case WIRE_BIO:
      s.transfers.keep(prefix<wire_bio>(record));
      return {};
    case WIRE_TRANSFER:
      return on_transfer(s, prefix<wire_transfer>(record));
    case WIRE_PACKET:
      return on_packet(s, *view<wire_packet>(record));
    case WIRE_DEVICE:
      on_device(s, *view<wire_device>(record));
      return {};
    case WIRE_FILE:
      return on_file(s, *view<wire_file>(record));
    case WIRE_THREAD:
      s.names.thread(*view<wire_thread>(record));
      return {};
    case WIRE_PROCESS:
      return s.names.process(*view<wire_process>(record));
    case WIRE_PROCESS_EXIT:
      s.relays.forget(view<wire_process_exit>(record)->tgid);
      return s.names.process_exit(*view<wire_process_exit>(record));
    case WIRE_LOSS:
      return on_loss(s, *view<wire_loss_record>(record));
    case WIRE_END:
      s.counters.end = prefix<wire_end>(record);
      return {};
    default:
      s.counters.unknown_records++;
      return {};
  }
}

}  // namespace

RebuildState::RebuildState(RebuildContext the_context, Sink& the_sink)
    : context(std::move(the_context)),
      sink(the_sink),
      names(context.start_ns, the_sink, context),
      open(context.max_remembered),
      dirty(context.page_size, context.max_dirty_ranges),
      readahead(context.max_readahead_ranges),
      relays(context.max_relays),
      direct_flag(o_direct(context.machine)) {
  for (const Device& device : context.devices) device_dma[device.id] = device.dma;
}

Rebuilder::Rebuilder(RebuildContext context, Sink& sink)
    : state_(std::make_unique<RebuildState>(std::move(context), sink)) {}

Rebuilder::~Rebuilder() = default;

Status Rebuilder::feed(Record record) {
  if (!is_sound_same(record)) {
    if (Status status = check_record(record); !status) return status;
  }
  RebuildState& s = *state_;
  const auto* header = view<wire_header>(record);
  s.counters.records++;
  s.now_ns = std::max<uint64_t>(s.now_ns, header->time_ns);
  if (s.now_ns >= s.deadline_ns) {
    if (Status status = on_deadline(s); !status) return status;
  }
  if (Status status = dispatch(s, header->kind, record); !status) return status;
  return s.details > s.context.max_details ? give_up_details(s) : Status{};
}

Status Rebuilder::finish(bool truncated) {
  RebuildState& s = *state_;
  // Before its last word the collector ends every request that runs: what has no end now has lost
  // it.
  if (!truncated) s.no_end = "lost";
  if (Status status = give_up_waiting(s, UINT64_MAX); !status) return status;
  if (Status status = settle_commits(s, UINT64_MAX); !status) return status;
  while (s.open.live() > 0) {
    if (Status status = release_request(s, s.open.oldest(), false); !status) return status;
  }
  if (Status status = give_up_children(s, UINT64_MAX); !status) return status;
  counters();
  if (Status said = say_loss(s, WIRE_LOSS_EVICTED, s.counters.evicted); !said) return said;
  return say_loss(s, WIRE_LOSS_RANGES, s.counters.evicted_ranges);
}

const RebuildCounters& Rebuilder::counters() const {
  RebuildState& s = *state_;
  s.counters.absorbed_bytes = s.dirty.absorbed_bytes();
  s.counters.pending_bytes = s.dirty.pending_bytes();
  s.counters.readahead_unused_bytes = s.readahead.unused_bytes();
  s.counters.evicted = s.evicted_requests;
  s.counters.evicted_ranges = s.dirty.evicted() + s.readahead.forgotten();
  return s.counters;
}

}  // namespace iohops
