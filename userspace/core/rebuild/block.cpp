// Block requests: whose bios they carried, and what the device moved between which memory and itself.
#include "core/rebuild/blk_types.hpp"

#include "core/ops.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

// What a thread queues in a system call that is not traced: a read that may be one ahead, a write that a sync may have
// asked for.
bool is_undecided(const wire_bio_part& bio, Cause cause) {
  if (bio.owner.tgid == 0 || bio.owner.start_ns != 0) return false;
  return cause == Cause::kWriteback || cause == Cause::kReadahead;
}

// Of a read for `owner`, the bytes that it asked for, in whole pages; the rest is readahead.
uint64_t wanted_bytes(const RebuildState& s, const TransferPart& part, const wire_request& owner,
                      const FileState* file) {
  if (owner.offset == WIRE_UNKNOWN || !is_own_data(part.bio, file)) return part.bytes;
  if (part.bio.index > UINT64_MAX / 2 / s.context.page_size) return part.bytes;
  const ByteRange asked = asked_range(owner, s.context.page_size);
  if (length(asked) == 0) return 0;
  const uint64_t begin = part.bio.index * s.context.page_size;
  return length(
      overlap({s.page_begin(asked.begin), s.page_end(asked.end)}, {begin, begin + part.bytes}));
}

Evidence dma_evidence(const wire_transfer& record) {
  return record.dma_source != WIRE_DMA_NONE ? Evidence::kObserved : Evidence::kDerived;
}

void add_dma_hop(const RebuildState& s, HeldRequest& held, const PendingTransfer& transfer,
                 const TransferPart& part, Cause cause, uint64_t bytes) {
  if (bytes == 0) return;
  held.dma_bytes += bytes;
  const bool bounced = transfer.record.bounced_bytes >= transfer.record.bytes;
  const Endpoint memory = bounced ? Endpoint::kBounce : memory_of(part.bio);
  const bool read = blk::is_read(part.bio.op_flags);
  Hop hop;
  hop.kind = HopKind::kDma;
  hop.evidence = dma_evidence(transfer.record);
  hop.from = read ? Endpoint::kDevice : memory;
  hop.to = read ? memory : Endpoint::kDevice;
  hop.bytes = bytes;
  hop.at_ns = std::max(device_time(s, transfer), s.since_start(held.owner.start_ns));
  hop.end_ns = std::max(hop.at_ns, s.since_start(transfer.record.header.time_ns));
  hop.transfer = transfer.record.id;
  hop.device = transfer.record.dev;
  hop.cause = cause;
  for (Hop& earlier : held.hops) {
    if (earlier.kind != HopKind::kDma || earlier.transfer != hop.transfer) continue;
    if (earlier.cause != hop.cause || earlier.from != hop.from || earlier.to != hop.to) continue;
    earlier.bytes += bytes;
    return;
  }
  add_hop(held, hop);
}

// swiotlb copies to its own buffer when it maps, and back when it unmaps. Where its copying
// function is not hooked, the event of the mapping stands for the first: most kernels copy for
// reads, too.
void add_bounce_hops(const RebuildState& s, HeldRequest& held, const PendingTransfer& transfer,
                     const TransferPart& part, uint64_t moved) {
  const wire_transfer& record = transfer.record;
  if (record.bounced_bytes == 0 || record.bytes == 0) return;
  // A request is smaller than 4 GiB, and so is what it bounced: the product fits.
  const auto share = [&](uint64_t bytes) {
    return std::min<uint64_t>(bytes, UINT32_MAX) * std::min<uint64_t>(moved, UINT32_MAX) /
           record.bytes;
  };
  const bool read = blk::is_read(part.bio.op_flags);
  const bool measured = record.bounce_bytes_in > 0 || record.bounce_bytes_out > 0;
  const bool assumed_in = !read || s.context.swiotlb_copies_in_on_read;
  const uint64_t in = measured ? record.bounce_bytes_in : assumed_in ? record.bounced_bytes : 0;
  const uint64_t out = measured ? record.bounce_bytes_out : read ? record.bounced_bytes : 0;
  Hop hop;
  hop.kind = HopKind::kCpuCopy;
  hop.evidence = measured ? Evidence::kMeasured : Evidence::kDerived;
  hop.at_ns = std::max(device_time(s, transfer), s.since_start(held.owner.start_ns));
  hop.end_ns = std::max(hop.at_ns, s.since_start(record.header.time_ns));
  hop.from = memory_of(part.bio);
  hop.to = Endpoint::kBounce;
  hop.bytes = share(in);
  if (hop.bytes > 0) add_hop(held, hop);
  std::swap(hop.from, hop.to);
  hop.bytes = share(out);
  if (hop.bytes > 0) add_hop(held, hop);
}

Cause main_cause(const PendingTransfer& transfer) {
  const auto& bytes = transfer.bytes_by_cause;
  if (bytes[static_cast<size_t>(Cause::kRead)] > 0) return Cause::kRead;
  const auto most = std::max_element(bytes.begin(), bytes.end());
  if (*most > 0) return static_cast<Cause>(most - bytes.begin());
  if (blk::is_flush(transfer.record.op_flags, transfer.record.bytes)) return Cause::kFlush;
  return transfer.parts.empty() ? Cause::kUnknown : transfer.parts.front().cause;
}

void add_owner(Transfer& out, RequestId request, uint64_t bytes) {
  out.unattributed_bytes -= bytes;
  for (Share& share : out.owners) {
    if (share.request != request) continue;
    share.bytes += bytes;
    return;
  }
  out.owners.push_back({request, bytes});
}

void add_queuer(const wire_bio_part& bio, uint64_t bytes, Transfer& out) {
  for (Queuer& queuer : out.queued_by) {
    if (queuer.tid != bio.owner.tid) continue;
    queuer.bytes += bytes;
    return;
  }
  out.queued_by.push_back({bio.owner.tgid, bio.owner.tid, bytes});
}

void fill_owners(const PendingTransfer& transfer, Transfer& out) {
  out.owners.clear();
  out.queued_by.clear();
  out.unattributed_bytes = out.bytes;
  for (const TransferPart& part : transfer.parts) {
    if (part.owner.seq != 0)
      add_owner(out, part.owner, part.bytes);
    else if (part.bio.owner.tgid != 0 && part.above.transfer == 0)
      add_queuer(part.bio, part.bytes, out);
    for (const OwnedRange& range : part.inherited) {
      if (range.request.seq != 0) add_owner(out, range.request, range.end - range.begin);
    }
  }
  // What no request queued belongs to those that had written it.
  for (const Claim& claim : transfer.claims) {
    if (transfer.parts[claim.part].owner.seq != 0) continue;
    for (const Share& share : claim.shares) add_owner(out, share.request, share.bytes);
  }
  if (!out.carries_data()) out.unattributed_bytes = 0;  // its bytes are sectors
}

void fill_place(RebuildState& s, const PendingTransfer& transfer, Transfer& out) {
  out.file = 0;
  out.offset.reset();
  if (transfer.parts.empty()) return;
  const wire_bio_part& bio = transfer.parts.front().bio;
  uint32_t cache = kNone32;
  if ((bio.flags & WIRE_BIO_METADATA) != 0) {
    cache = s.dirty.find_cache(bio.origin_dev, DirtyPages::kDevicePages);
  } else if (bio.ino != 0) {
    cache = s.dirty.find_cache(bio.dev, bio.ino);
  }
  if (cache != kNone32) {
    out.file = s.dirty.file_of(cache);
    if (bio.index <= UINT64_MAX / s.context.page_size) out.offset = bio.index * s.context.page_size;
  } else if ((bio.flags & WIRE_BIO_METADATA) == 0 && (bio.op_flags & blk::kMeta) == 0) {  // xfs's log is nobody's
    const FileState* file = s.names.find_file(bio.file);
    if (file != nullptr) out.file = file->id;
  }
}

void fill_times(const RebuildState& s, const PendingTransfer& transfer, Transfer& out) {
  const wire_transfer& record = transfer.record;
  out.queue_ns.reset();
  out.insert_ns.reset();
  out.issue_ns.reset();
  out.splits = 0;
  for (const TransferPart& part : transfer.parts) {
    if ((part.bio.flags & WIRE_BIO_SPLIT) != 0) out.splits++;
    if (part.bio.queue_ns == 0) continue;
    const uint64_t queued = s.since_start(part.bio.queue_ns);
    out.queue_ns = std::min(out.queue_ns.value_or(queued), queued);
  }
  if (record.insert_ns != 0) out.insert_ns = s.since_start(record.insert_ns);
  if (record.issue_ns != 0) out.issue_ns = s.since_start(record.issue_ns);
  out.complete_ns = s.since_start(record.header.time_ns);
}

Status emit_transfer(RebuildState& s, const PendingTransfer& transfer) {
  const wire_transfer& record = transfer.record;
  Transfer& out = s.transfer;
  out.id = record.id;
  out.device = record.dev;
  out.flags.clear();
  blk::append_flag_names(record.op_flags, out.flags);
  out.bytes = record.bytes;
  out.bios = record.bios;
  out.requeues = record.issues > 0 ? record.issues - 1 : 0;
  out.error = record.error;
  out.cause = main_cause(transfer);
  // The request of an empty flush has lost the flag by which its bio asked for one.
  const bool flush = out.cause == Cause::kFlush;
  out.op = flush ? "flush" : blk::op_name(record.op_flags);
  out.sector = flush ? 0 : record.sector;
  fill_times(s, transfer, out);
  fill_owners(transfer, out);
  fill_place(s, transfer, out);
  fill_stage(s, transfer, out);
  out.dma.evidence = dma_evidence(record);
  out.dma.dma = transfer.dma;
  out.dma.segments = record.dma_segments;
  out.dma.mapped_bytes = record.dma_mapped_bytes;
  out.dma.bounced_bytes = record.bounced_bytes;
  return s.sink.transfer(out);
}

// A read that completes what was queued as a write, or the other way round: the completion of the bio was missed, and
// its address has become that of a bio that nobody told of.
bool is_stale(const wire_bio_part& bio, const wire_transfer& record) {
  const bool both = blk::carries_data(bio.op_flags) && blk::carries_data(record.op_flags);
  return both && blk::is_read(bio.op_flags) != blk::is_read(record.op_flags);
}

// The bytes are somebody else's; the request that queued the bio is not known to be whole.
Status give_up_stale(RebuildState& s, TransferPart& part) {
  part.bio.owner = {};
  part.bio.flags |= WIRE_BIO_PERHAPS;
  expect_stuck(s, s.now_ns);
  return s.sink.loss({s.since_start(s.now_ns), loss_name(WIRE_LOSS_COMPLETION), 1});
}

// Finds the owner of a part, and counts the bio as completed for it.
Status attribute_part(RebuildState& s, uint32_t slot, uint32_t index) {
  TransferPart& part = s.transfers[slot].parts[index];
  mend_origin(part.bio);
  if (is_stale(part.bio, s.transfers[slot].record)) return give_up_stale(s, part);
  if (part.bio.dev != 0 && part.bio.file != 0 && part.bio.dev != part.bio.origin_dev)
    s.commits.device_of[part.bio.dev] = part.bio.origin_dev;
  if (part.above.transfer != 0) {
    wait_for_parent(s, slot, index);
    return {};
  }
  if (wait_for_loop(s, slot, index)) return {};
  HeldRequest* held = nullptr;
  if (part.bio.owner.tgid != 0 && part.bio.owner.start_ns != 0) {
    auto entry = mention(s, part.bio.owner);
    if (!entry) return entry.error();
    part.owner = entry->id;
    if (entry->slot != OpenTable::kReleased) held = &s.open[entry->slot];
  }
  if (held != nullptr) {
    held->bios += (part.bio.flags & WIRE_BIO_SPLIT) == 0;
    held->bio_bytes += part.bio.bytes;
    s.add_details(*held, 1);  // its hop
  }
  if (held != nullptr && !held->ended) {
    held->unresolved.push_back({slot, index});
    s.add_details(*held, 1);
    s.transfers[slot].waiting_for++;
  } else {
    resolve_part(s, {slot, index}, held);
  }
  keep_commit(s, slot, index);
  return claim_pages(s, slot, index);
}

// It failed before a device was asked, on this level or below: memory that the device cannot reach, sectors behind its
// end. Nothing has moved.
bool was_refused(const PendingTransfer& transfer) {
  return transfer.record.error != 0 && transfer.record.issue_ns == 0 && transfer.children.empty();
}

// Others' journal and flushes, for which nobody of the trace has waited.
bool is_foreign(const PendingTransfer& transfer) {
  const auto foreign = [](const TransferPart& part) {
    return (part.bio.flags & WIRE_BIO_PERHAPS) != 0 && part.owner.seq == 0 && part.inherited.empty();
  };
  return !transfer.parts.empty() && transfer.claims.empty() &&
         std::all_of(transfer.parts.begin(), transfer.parts.end(), foreign);
}

}  // namespace

// The memory at the other end of the device's transfer.
Endpoint memory_of(const wire_bio_part& bio) {
  if ((bio.flags & (WIRE_BIO_USER | WIRE_BIO_SWAP)) != 0) return Endpoint::kUser;
  if ((bio.flags & WIRE_BIO_NO_MAPPING) != 0) return Endpoint::kKernel;
  return Endpoint::kPageCache;
}

void add_hop(HeldRequest& held, const Hop& hop) {
  if (held.hops.size() >= kMaxHops) {
    held.crowded = true;
    return;
  }
  held.hops.push_back(hop);
}

uint64_t device_time(const RebuildState& s, const PendingTransfer& transfer) {
  const wire_transfer& record = transfer.record;
  if (record.issue_ns != 0) return s.since_start(record.issue_ns);
  if (record.insert_ns != 0) return s.since_start(record.insert_ns);
  if (!transfer.parts.empty() && transfer.parts.front().bio.queue_ns != 0) {
    return s.since_start(transfer.parts.front().bio.queue_ns);
  }
  return s.since_start(record.header.time_ns);
}

void resolve_part(RebuildState& s, PartRef ref, HeldRequest* held) {
  PendingTransfer& transfer = s.transfers[ref.transfer];
  TransferPart& part = transfer.parts[ref.part];
  const wire_request* owner = held != nullptr && held->ended ? &held->record.request : nullptr;
  const FileState* file = owner != nullptr ? s.names.find_file(owner->file) : nullptr;
  part.cause = cause_of(s, part.bio, owner, file);
  if (s.context.light && is_undecided(part.bio, part.cause)) part.cause = Cause::kUnknown;
  // The loop driver writes its file in a thread of its own, when the device has been flushed.
  const bool sync = (part.bio.op_flags & blk::kSync) != 0 && (part.bio.flags & WIRE_BIO_REASON_MASK) == 0;
  if (part.cause == Cause::kWriteback && sync && part.bio.owner.tgid == 0 &&
      s.stack.holds_a_loop(cache_of(s, part.bio)))
    part.cause = Cause::kFsync;
  if (part.cause == Cause::kRead && owner != nullptr) {
    part.ahead = part.bytes - wanted_bytes(s, part, *owner, file);
  }
  if (part.ahead == part.bytes && part.ahead > 0) {
    part.cause = Cause::kReadahead;
    part.ahead = 0;
  }
  const uint64_t wanted = part.bytes - part.ahead;
  transfer.bytes_by_cause[static_cast<size_t>(part.cause)] += wanted;
  transfer.bytes_by_cause[static_cast<size_t>(Cause::kReadahead)] += part.ahead;
  if (held == nullptr || part.bytes == 0) return;
  if (!blk::carries_data(transfer.record.op_flags) || was_refused(transfer)) return;
  if (!transfer.dma) {
    carry_hops(s, ref.transfer, {part.at, part.at + wanted}, part.cause, *held);
    carry_hops(s, ref.transfer, {part.at + wanted, part.at + part.bytes}, Cause::kReadahead, *held);
    return;
  }
  add_device_hops(s, *held, transfer, part, part.cause, wanted);
  add_device_hops(s, *held, transfer, part, Cause::kReadahead, part.ahead);
}

void add_device_hops(const RebuildState& s, HeldRequest& held, const PendingTransfer& transfer,
                     const TransferPart& part, Cause cause, uint64_t bytes) {
  if (bytes == 0) return;
  const auto moves = [&](const Hop& hop) {
    return hop.kind == HopKind::kDma && hop.transfer == transfer.record.id;
  };
  if (held.last_transfer != transfer.record.id) {
    held.dma_transfers += std::none_of(held.hops.begin(), held.hops.end(), moves);
    held.last_transfer = transfer.record.id;
  }
  add_dma_hop(s, held, transfer, part, cause, bytes);
  add_bounce_hops(s, held, transfer, part, bytes);
}

Status release_if_resolved(RebuildState& s, uint32_t slot) {
  const PendingTransfer& transfer = s.transfers[slot];
  if (transfer.waiting_for > 0) return {};
  s.details -= transfer.parts.size();
  if (is_foreign(transfer) && transfer.children.empty()) {
    s.stack.open.erase(transfer.record.id);
    s.transfers.release(slot);
    return {};
  }
  Status status = emit_transfer(s, transfer);
  if (status) status = emit_effects(s, transfer);
  if (status) status = pass_on(s, slot);
  s.transfers.release(slot);
  return status;
}

Status on_transfer(RebuildState& s, const wire_transfer& record) {
  if (!s.transfers.is_new(record.id)) return {};
  const uint32_t slot = s.transfers.open(record);
  PendingTransfer& transfer = s.transfers[slot];
  const bool* dma = s.device_dma.find(record.dev);
  const bool bio_based = (record.flags & WIRE_TRANSFER_BIO_BASED) != 0;
  transfer.dma = dma != nullptr ? *dma : !bio_based;
  transfer.waiting_for++;  // for this function
  meet_children(s, slot);
  transfer.dma = transfer.dma && !was_refused(transfer);
  const auto parts = static_cast<uint32_t>(transfer.parts.size());
  s.details += parts;
  for (uint32_t i = 0; i < parts; i++) {
    if (Status status = attribute_part(s, slot, i); !status) return status;
  }
  for (uint32_t i = 0; i < parts; i++) {
    if (transfer.parts[i].owner.seq == 0) continue;
    const OpenTable::Entry* entry = s.open.find(transfer.parts[i].bio.owner);
    if (entry == nullptr || entry->slot == OpenTable::kReleased) continue;
    if (Status status = release_if_done(s, entry->slot); !status) return status;
  }
  transfer.waiting_for--;
  return release_if_resolved(s, slot);
}

}  // namespace iohops
