// What the handlers of the rebuild share, and their entry points, one file a layer of bpf/.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "core/flat_map.hpp"
#include "core/rebuild/dirty.hpp"
#include "core/rebuild/names.hpp"
#include "core/rebuild/commits.hpp"
#include "core/rebuild/open_table.hpp"
#include "core/rebuild/readahead.hpp"
#include "core/rebuild/rebuilder.hpp"
#include "core/rebuild/relay.hpp"
#include "core/rebuild/repeats.hpp"
#include "core/rebuild/stack.hpp"
#include "core/rebuild/told.hpp"
#include "core/rebuild/transfer_table.hpp"

namespace iohops {

// Pages that a device wrote and whose writer is not known yet: its request may still be running.
struct UnclaimedPages {
  uint32_t cache = 0;
  ByteRange pages;  // empty: claimed
  uint64_t queue_ns = 0;
  uint64_t done_ns = 0;     // the transfer's completion; the list is in this order
  uint64_t at_ns = 0;       // when the device began, since the start of the trace
  uint64_t transfer = 0;    // its id
  uint32_t slot = kNone32;  // of the transfer if it waits for this; kNone32: it was handed out
  uint32_t part = 0;
  RequestId owner;  // of the bio; seq 0: no request
  Cause cause = Cause::kWriteback;
  std::string_view reason;  // a literal
  bool to_cache = false;    // Effect::to_cache
};

// A transfer that waits for the writers of its pages, until `deadline_ns`.
struct WaitingTransfer {
  uint32_t slot = 0;
  uint64_t transfer = 0;
  uint64_t deadline_ns = 0;
};

struct RebuildState {
  RebuildState(RebuildContext the_context, Sink& the_sink);

  RebuildContext context;
  Sink& sink;
  RebuildCounters counters;
  Names names;
  ToldRequests told;
  OpenTable open;
  TransferTable transfers;
  DirtyPages dirty;
  Readahead readahead;
  Relays relays;
  Repeats repeats;
  Commits commits;
  Stack stack;
  FlatMap<uint64_t, bool> device_dma;  // by dev_t: whether its driver uses DMA
  std::deque<UnclaimedPages> unclaimed;
  std::deque<WaitingTransfer> waiting;  // by deadline
  uint32_t direct_flag;                 // O_DIRECT of the traced machine
  uint64_t now_ns = 0;                  // the latest record time: the clock of the rebuild
  uint64_t deadline_ns = UINT64_MAX;    // when something has to be given up
  std::string_view no_end = "open";     // Request::ended of those whose own record never came
  uint64_t evicted_requests = 0;
  size_t details = 0;  // hops, page runs and bios of held requests, and parts of held transfers
  uint64_t packets = 0;  // so far: their ids
  uint64_t gap_ns = 0;           // requests that began before it may have lost something
  uint64_t stuck_before_ns = 0;  // requests that ended before may wait for bios that were lost,
  uint64_t stuck_until_ns = UINT64_MAX;  // and do so until then
  Request request;                       // the one that is handed out, reused
  Transfer transfer;
  Effect effect;

  void add_details(HeldRequest& held, size_t count) {
    held.details += count;
    details += count;
  }
  uint64_t since_start(uint64_t ns) const {
    return ns > context.start_ns ? ns - context.start_ns : 0;
  }
  uint64_t page_begin(uint64_t byte) const { return dirty.page_begin(byte); }
  uint64_t page_end(uint64_t byte) const { return dirty.page_end(byte); }
};

// One hop more than this would be the last one's neighbour: a request keeps no more.
inline constexpr size_t kMaxHops = 16384;
// How long a completed transfer waits for the requests that wrote its pages.
inline constexpr uint64_t kClaimWaitNs = 2'000'000'000;
// How long one waits for the transfer of the device above, which may wait for those itself.
inline constexpr uint64_t kChildWaitNs = 3 * kClaimWaitNs;
// How long after a submitting call began its record can still be missing.
inline constexpr uint64_t kBatchWaitNs = 5'000'000'000;
// How long a request waits for its bios after transfer records were lost.
inline constexpr uint64_t kLostBioWaitNs = 5'000'000'000;

inline ByteRange overlap(ByteRange a, ByteRange b) {
  const ByteRange both{std::max(a.begin, b.begin), std::min(a.end, b.end)};
  return both.begin < both.end ? both : ByteRange{};
}
inline uint64_t length(ByteRange range) { return range.end - range.begin; }

// A write that names a place and goes to the end of the file all the same (O_APPEND, RWF_APPEND).
bool appends_elsewhere(const wire_request& request);
// The part of a file that a request asked for, [offset, offset + what it got); empty if unknown.
ByteRange asked_range(const wire_request& request, uint32_t page_size);

// syscall.cpp
Status on_request(RebuildState& s, Record record);
// The owner's entry, a new one if this is its first mention.
Result<OpenTable::Entry> mention(RebuildState& s, const wire_owner& owner);
// Hands the request out; `whole`: all its bios have been seen to complete.
Status release_request(RebuildState& s, uint32_t slot, bool whole);
Status release_if_done(RebuildState& s, uint32_t slot);
// The thread ended inside it, or tracing did.
inline bool unfinished(const wire_request& request) {
  return (request.flags & (WIRE_REQUEST_ABORTED | WIRE_REQUEST_OPEN)) != 0;
}
inline bool uses_page_cache(const FileState& file) {
  return file.storage == Storage::kPageCache || file.storage == Storage::kNetwork ||
         file.storage == Storage::kFuse;
}
// Bytes that a read, write or move brought on; 0 for everything else, and if it did not return.
uint64_t moved_bytes(const wire_request_detail& record);
// How the page cache served a request that asked it for `asked` bytes.
CacheOutcome outcome_of(const wire_request_detail& record, const HeldRequest* held,
                        const CacheVerdict& verdict, uint64_t asked);
bool is_direct(const RebuildState& s, const wire_request& request, const FileState* file);
// Of an O_DIRECT request: the bytes that went through the page cache after all.
struct Fallback {
  uint64_t bytes = 0;
  Evidence evidence = Evidence::kDerived;
};
Fallback direct_fallback(const RebuildState& s, const wire_request_detail& record,
                         const CacheVerdict& verdict, const FileState& file);

// message.cpp
// The copy of a message, which can be less than it moved: zero copy (whose hops it adds), discarded.
Copy message_copy(RebuildState& s, const wire_request_detail& record, const FileState& file,
                  const Copy& derived);

// move.cpp
// sendfile and its kin: what was copied, what only handed on, between which kinds of memory.
void fill_move(RebuildState& s, const wire_request_detail& record, const HeldRequest* held,
               const CacheVerdict& verdict, const FileState* file);
// Its bytes in the target's page cache; empty: it wrote none.
ByteRange moved_into(RebuildState& s, const wire_request_detail& record);

// fault.cpp
void add_fault_hops(RebuildState& s, const wire_request& request, const FileState* file);
ByteRange fault_dirties(const RebuildState& s, const wire_request_detail& record);

// carry.cpp
// What it brought into the application's memory, or took from there, may be carried on.
void note_relay(RebuildState& s, const wire_request& request, uint64_t moved, RequestId id, const FileState* file);
Status emit_settled(RebuildState& s, const Request& request);
// The flows that are certain now that the request has been handed out. Most are of no relay.
inline Status emit_flows(RebuildState& s, const Request& request) {
  return s.relays.waits() ? emit_settled(s, request) : Status{};
}

// repeats.cpp
// One more of a kind that is known.
// A request of a ring.
Status on_ring_request(RebuildState& s, const wire_request_detail& record);
void fill_ring(Request& r, const wire_request_detail& record, RequestId batch);
// A request that is over. `batch`: the call that submitted it to a ring, seq 0: none that is known. Alone: nothing is
// known of what happened below it, and nothing will be; it is handed out, and may be the form of others.
Status on_request_alone(RebuildState& s, const wire_request_detail& record, RequestId batch);
Status on_request_held(RebuildState& s, const wire_request_detail& record, RequestId batch);
Status hand_out_repeat(RebuildState& s, Repeat& repeat, const wire_request& record, const FileState& file);

// commits.cpp
// A request that asks for durability has ended.
void note_sync(RebuildState& s, const wire_request_detail& record, RequestId id, const FileState* file);
// A kernel thread's journal write or flush: it waits for the requests that waited for it.
void keep_commit(RebuildState& s, uint32_t slot, uint32_t part);
Status settle_commits(RebuildState& s, uint64_t until_ns);
bool asks_for_sync(const wire_request& request);

// cache.cpp
// Of what it takes out of the page cache: what had been loaded ahead, and for whom.
const std::vector<Share>& use_readahead(RebuildState& s, const wire_request& request, const FileState* file);
// Pages around a fault's own can have been mapped with it, and be used without a word: nobody calls them unused.
void use_mapped(RebuildState& s, const wire_request_detail& record, const FileState* file);
void on_pages(RebuildState& s, HeldRequest& held, const wire_page_run& run);
CacheVerdict judge_cache(RebuildState& s, const wire_request_detail& record,
                         const HeldRequest& held, FileState* file);

// writeback.cpp
// A request has written: its bytes are dirty, unless a device has written them already.
Status note_write(RebuildState& s, const wire_request_detail& record, RequestId id,
                  const CacheVerdict& verdict, const FileState* file);
// Its bytes in the page cache of `file`.
Status note_dirty(RebuildState& s, const FileState& file, ByteRange range, const Writer& writer);
// A device has written these pages: whose bytes were they?
Status claim_pages(RebuildState& s, uint32_t slot, uint32_t part);
Status emit_effects(RebuildState& s, const PendingTransfer& transfer);
Status give_up_waiting(RebuildState& s, uint64_t until_ns);
// Nobody will claim pages of this page cache any more.
Status forget_unclaimed(RebuildState& s, uint32_t cache);

// stack.cpp
void on_device(RebuildState& s, const wire_device& record);
// A part carries on a transfer of the device above: it waits for that one.
void wait_for_parent(RebuildState& s, uint32_t slot, uint32_t part);
// A read of the file that a loop device lies in, by nobody: for which of its transfers?
bool wait_for_loop(RebuildState& s, uint32_t slot, uint32_t part);
// Finds what has carried the transfer on; it has just been opened.
void meet_children(RebuildState& s, uint32_t slot);
// Bytes of the transfer are the request's: so is what devices below did with them.
void carry_hops(RebuildState& s, uint32_t slot, ByteRange bytes, Cause cause, HeldRequest& held);
// The transfer has been handed out: those below it know their owners.
Status pass_on(RebuildState& s, uint32_t slot);
Status give_up_children(RebuildState& s, uint64_t until_ns);
// What the driver copied; whether a device or a file below took the bytes over.
void fill_stage(RebuildState& s, const PendingTransfer& transfer, Transfer& out);

// writeback.cpp
// Bytes of a request are in the page cache of the file that a loop device lies in.
Status write_below(RebuildState& s, uint32_t cache, ByteRange range, const Writer& writer);
uint32_t cache_of(RebuildState& s, const wire_bio_part& bio);

// cause.cpp
// The bio carries pages of the very file that its owner's request names.
bool is_own_data(const wire_bio_part& bio, const FileState* file);
// `owner`: the request that queued it, NULL: none, or not known.
Cause cause_of(const RebuildState& s, const wire_bio_part& bio, const wire_request* owner, const FileState* file);
// xfs keeps small blocks of metadata in memory of the slab. What stands there where a page has its mapping is anything:
// neither an application's buffer nor swap is metadata.
void mend_origin(wire_bio_part& bio);

// block.cpp
Endpoint memory_of(const wire_bio_part& bio);
void add_hop(HeldRequest& held, const Hop& hop);
// The device moved `bytes` of the part for the request.
void add_device_hops(const RebuildState& s, HeldRequest& held, const PendingTransfer& transfer,
                     const TransferPart& part, Cause cause, uint64_t bytes);
Status on_transfer(RebuildState& s, const wire_transfer& record);
// A bio was lost: who waits for one goes out as it is, after a while.
inline void expect_stuck(RebuildState& s, uint64_t now_ns) {
  s.stuck_before_ns = now_ns;
  s.stuck_until_ns = std::min(s.stuck_until_ns, now_ns + kLostBioWaitNs);
  s.deadline_ns = std::min(s.deadline_ns, s.stuck_until_ns);
}
// The owner of the part has ended, or will never: what the device did for it is known now.
void resolve_part(RebuildState& s, PartRef ref, HeldRequest* held);
Status release_if_resolved(RebuildState& s, uint32_t slot);
// When the device began, since the start of the trace, as well as is known.
uint64_t device_time(const RebuildState& s, const PendingTransfer& transfer);

// sched.cpp
Status on_packet(RebuildState& s, const wire_packet& record);
void on_wait(RebuildState& s, HeldRequest& held, const wire_wait& record);

}  // namespace iohops
