// Dirty pages and what becomes of them: which requests wrote the bytes that a device writes later.
//
// A write request is known when it has ended, a device may write its first pages before that. So
// pages that nobody is known to have written wait for a while, and so does the transfer if no
// request owns it; after that they count as unattributed.
#include "core/ops.hpp"
#include "core/rebuild/blk_types.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

constexpr size_t kMaxUnclaimed = 4096;
constexpr size_t kMaxWaiting = 1024;

// Why it was written just then, as far as the kernel says.
std::string_view reason_of(RebuildState& s, Cause cause, const wire_bio_part& bio, bool owned) {
  const bool by_flusher = (bio.flags & WIRE_BIO_REASON_MASK) != 0;
  if (!owned && !by_flusher && s.stack.holds_a_loop(cache_of(s, bio)))
    return "the loop device that lies in this file was flushed";
  if (cause == Cause::kFsync) return "a sync request asked for it";
  if (cause == Cause::kJournal) return "a commit of the journal while it waited";
  if (cause == Cause::kFlush) return "a flush of the device while it waited";
  switch ((bio.flags & WIRE_BIO_REASON_MASK) >> WIRE_BIO_REASON_SHIFT) {
    case WIRE_WRITEBACK_BACKGROUND:
      return "more was dirty than the background limit";
    case WIRE_WRITEBACK_VMSCAN:
      return "memory was short";
    case WIRE_WRITEBACK_SYNC:
      return "a sync of the whole file system";
    case WIRE_WRITEBACK_PERIODIC:
      return "it had been dirty for long enough";
    default:
      break;
  }
  if (owned) return "written along with another request";
  const bool by_process = bio.owner.tgid != 0;
  if (by_process && s.context.light) return "by a process itself, in a system call";
  return by_process ? "by the process itself, in a call that is not traced (close, exit, umount)"
                    : "written back by the kernel";
}

void add_share(std::vector<Share>& shares, RequestId request, uint64_t bytes) {
  for (Share& share : shares) {
    if (share.request != request) continue;
    share.bytes += bytes;
    return;
  }
  shares.push_back({request, bytes});
}

Status emit_effect(RebuildState& s, const Claim& claim, Cause cause, std::string_view reason,
                   uint64_t transfer, uint64_t at_ns, bool to_cache) {
  Effect& effect = s.effect;
  effect.cause = cause;
  effect.requests = claim.shares;
  effect.file = claim.file;
  effect.offset = claim.offset;
  effect.bytes = 0;
  for (const Share& share : claim.shares) effect.bytes += share.bytes;
  effect.transfer = transfer;
  effect.at_ns = at_ns;
  const uint64_t ended = s.since_start(claim.oldest_end_ns);  // after it: no delay
  effect.delay_ns = at_ns > ended ? at_ns - ended : 0;
  effect.reason = reason;
  effect.to_cache = to_cache;
  if (!to_cache) s.counters.writeback_bytes += effect.bytes;
  return s.sink.effect(effect);
}

// A request turns out to be the writer of pages that a device has written already.
Status claim_late(RebuildState& s, UnclaimedPages& pages, ByteRange bytes, const Writer& writer) {
  // Its own device work, or nobody's: no effect of its own.
  if (pages.owner == writer.request || writer.request.seq == 0) return {};
  Claim claim;
  claim.part = pages.part;
  claim.file = s.dirty.file_of(pages.cache);
  claim.offset = bytes.begin;
  claim.shares.push_back({writer.request, length(bytes)});
  claim.oldest_end_ns = writer.end_ns;
  if (pages.slot == kNone32) {
    return emit_effect(s, claim, pages.cause, pages.reason, pages.transfer, pages.at_ns, pages.to_cache);
  }
  s.transfers[pages.slot].claims.push_back(std::move(claim));
  return {};
}

void forget_claimed(RebuildState& s) {
  while (!s.unclaimed.empty() && length(s.unclaimed.front().pages) == 0) s.unclaimed.pop_front();
}

// Nothing waits for these pages any more.
Status settle(RebuildState& s, UnclaimedPages& pages) {
  if (pages.slot == kNone32) return {};
  const uint32_t slot = pages.slot;
  pages.slot = kNone32;
  s.transfers[slot].waiting_for--;
  return release_if_resolved(s, slot);
}

// Remembers pages that nobody is known to have written; the transfer waits if no request owns it.
Status keep_unclaimed(RebuildState& s, UnclaimedPages pages) {
  while (s.unclaimed.size() >= kMaxUnclaimed) {
    UnclaimedPages oldest = s.unclaimed.front();
    s.unclaimed.pop_front();
    if (Status status = settle(s, oldest); !status) return status;
  }
  if (pages.owner.seq == 0 && s.waiting.size() < kMaxWaiting) {
    PendingTransfer& transfer = s.transfers[pages.slot];
    if (!transfer.has_deadline) {
      transfer.has_deadline = true;
      s.waiting.push_back({pages.slot, pages.transfer, s.now_ns + kClaimWaitNs});
      s.deadline_ns = std::min(s.deadline_ns, s.waiting.back().deadline_ns);
    }
    transfer.waiting_for++;
  } else {
    pages.slot = kNone32;
  }
  s.unclaimed.push_back(pages);
  return {};
}

// Marks as written what devices wrote while the request ran; the rest is dirty.
Status write_range(RebuildState& s, uint32_t cache, ByteRange range, const Writer& writer) {
  std::vector<ByteRange> dirty{range};
  const ByteRange rounded{s.page_begin(range.begin), s.page_end(range.end)};
  for (size_t i = s.unclaimed.size(); i-- > 0;) {
    UnclaimedPages& pages = s.unclaimed[i];
    if (pages.done_ns <= writer.start_ns) break;  // all older ones were over before it began
    if (pages.cache != cache || pages.queue_ns <= writer.start_ns) continue;
    const ByteRange both = overlap(pages.pages, rounded);
    if (length(both) == 0) continue;
    std::vector<ByteRange> rest;
    for (const ByteRange& piece : dirty) {
      const ByteRange gone = overlap(piece, both);
      if (length(gone) == 0) {
        rest.push_back(piece);
        continue;
      }
      if (piece.begin < gone.begin) rest.push_back({piece.begin, gone.begin});
      if (gone.end < piece.end) rest.push_back({gone.end, piece.end});
    }
    dirty.swap(rest);
    if (Status status = claim_late(s, pages, both, writer); !status) return status;
    // Pages on both sides of the claim: the left ones are given up, the right ones stay.
    pages.pages = {both.end, std::max(both.end, pages.pages.end)};
    if (length(pages.pages) > 0) continue;
    if (Status status = settle(s, pages); !status) return status;
  }
  forget_claimed(s);
  for (const ByteRange& piece : dirty) s.dirty.write(cache, piece, writer);
  return {};
}

}  // namespace

namespace {

Status note_move(RebuildState& s, const wire_request_detail& record, RequestId id) {
  const FileState* target = s.names.find_file(record.to_file);
  const ByteRange range = moved_into(s, record);
  if (target == nullptr || target->cache == kNone32 || length(range) == 0) return {};
  const Writer writer{id, record.request.start_ns, record.request.header.time_ns};
  return write_range(s, target->cache, range, writer);
}

}  // namespace

uint32_t cache_of(RebuildState& s, const wire_bio_part& bio) {
  if ((bio.flags & WIRE_BIO_METADATA) != 0) {
    return s.dirty.find_cache(bio.origin_dev, DirtyPages::kDevicePages);
  }
  return bio.ino == 0 ? kNone32 : s.dirty.find_cache(bio.dev, bio.ino);
}

Status note_write(RebuildState& s, const wire_request_detail& record, RequestId id,
                  const CacheVerdict& verdict, const FileState* file) {
  const wire_request& request = record.request;
  if (family(request.op) == OpFamily::kMove) return note_move(s, record, id);
  if (file == nullptr || file->cache == kNone32) return {};
  const Writer writer{id, request.start_ns, request.header.time_ns};
  if (family(request.op) == OpFamily::kFault) {
    const ByteRange pages = fault_dirties(s, record);
    if (length(pages) > 0) s.dirty.touch(file->cache, pages, writer);
    return {};
  }
  if (family(request.op) != OpFamily::kWrite || request.offset == WIRE_UNKNOWN) return {};
  uint64_t bytes = moved_bytes(record);
  if (is_direct(s, request, file)) bytes = direct_fallback(s, record, verdict, *file).bytes;
  ByteRange range = asked_range(request, s.context.page_size);
  if (bytes == 0 || length(range) < bytes) return {};
  range.begin = range.end - bytes;  // what fell back is the tail
  return note_dirty(s, *file, range, writer);
}

Status note_dirty(RebuildState& s, const FileState& file, ByteRange range, const Writer& writer) {
  if (!s.unclaimed.empty()) return write_range(s, file.cache, range, writer);
  s.dirty.write(file.cache, range, writer);
  return {};
}

Status claim_pages(RebuildState& s, uint32_t slot, uint32_t index) {
  PendingTransfer& transfer = s.transfers[slot];
  const TransferPart& part = transfer.parts[index];
  const wire_bio_part& bio = part.bio;
  constexpr uint32_t kNoPages = WIRE_BIO_USER | WIRE_BIO_NO_MAPPING | WIRE_BIO_SWAP | WIRE_BIO_HANDED;
  if (!blk::is_write(bio.op_flags) || part.bytes == 0 || (bio.flags & kNoPages) != 0) return {};
  const uint32_t cache = cache_of(s, bio);
  if (cache == kNone32 || bio.index > UINT64_MAX / 2 / s.context.page_size) return {};

  const uint64_t begin = bio.index * s.context.page_size;
  const uint64_t done = transfer.record.header.time_ns;
  const uint64_t queued = bio.queue_ns != 0 ? bio.queue_ns : done;
  s.dirty.clean(cache, {begin, begin + part.bytes}, queued);
  Claim claim;
  claim.part = index;
  claim.file = s.dirty.file_of(cache);
  claim.offset = begin;
  claim.oldest_end_ns = UINT64_MAX;
  for (const DirtyPages::Cleaned& cleaned : s.dirty.cleaned()) {
    if (cleaned.writer.request == part.owner || cleaned.writer.request.seq == 0) continue;
    add_share(claim.shares, cleaned.writer.request, cleaned.bytes);
    claim.oldest_end_ns = std::min(claim.oldest_end_ns, cleaned.writer.end_ns);
  }
  if (!claim.shares.empty()) transfer.claims.push_back(std::move(claim));

  const LoopDevice* loop = s.stack.loop(transfer.record.dev);
  const bool to_cache = loop != nullptr && !loop->direct;
  const bool sync = part.owner.seq != 0 && (bio.op_flags & blk::kSync) != 0;
  for (const ByteRange& pages : s.dirty.leftover()) {
    UnclaimedPages unclaimed;
    unclaimed.cache = cache;
    unclaimed.pages = pages;
    unclaimed.queue_ns = queued;
    unclaimed.done_ns = done;
    unclaimed.at_ns = device_time(s, transfer);
    unclaimed.transfer = transfer.record.id;
    unclaimed.slot = slot;
    unclaimed.part = index;
    unclaimed.owner = part.owner;
    unclaimed.cause = sync ? Cause::kFsync : Cause::kWriteback;
    unclaimed.to_cache = to_cache;
    unclaimed.reason = reason_of(s, unclaimed.cause, bio, part.owner.seq != 0);
    if (Status status = keep_unclaimed(s, unclaimed); !status) return status;
  }
  return {};
}

Status write_below(RebuildState& s, uint32_t cache, ByteRange range, const Writer& writer) {
  return write_range(s, cache, range, writer);
}

Status emit_effects(RebuildState& s, const PendingTransfer& transfer) {
  if (transfer.claims.empty()) return {};
  const LoopDevice* loop = s.stack.loop(transfer.record.dev);
  const bool to_cache = loop != nullptr && !loop->direct;
  for (const Claim& claim : transfer.claims) {
    const TransferPart& part = transfer.parts[claim.part];
    const std::string_view reason = reason_of(s, part.cause, part.bio, part.owner.seq != 0);
    Status status = emit_effect(s, claim, part.cause, reason, transfer.record.id, device_time(s, transfer), to_cache);
    if (!status) return status;
  }
  return {};
}

Status forget_unclaimed(RebuildState& s, uint32_t cache) {
  for (UnclaimedPages& pages : s.unclaimed) {
    if (pages.cache != cache || length(pages.pages) == 0) continue;
    pages.pages = {};
    if (Status status = settle(s, pages); !status) return status;
  }
  forget_claimed(s);
  return {};
}

Status give_up_waiting(RebuildState& s, uint64_t until_ns) {
  while (!s.waiting.empty() && s.waiting.front().deadline_ns <= until_ns) {
    const WaitingTransfer late = s.waiting.front();
    s.waiting.pop_front();
    for (UnclaimedPages& pages : s.unclaimed) {
      if (pages.slot != late.slot || pages.transfer != late.transfer) continue;
      if (Status status = settle(s, pages); !status) return status;
    }
  }
  return {};
}

}  // namespace iohops
