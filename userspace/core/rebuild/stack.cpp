// The tree of transfers: what a device below did belongs to whom the transfer above belongs to.
#include "core/rebuild/stack.hpp"

#include "core/rebuild/blk_types.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

// Nobody; for flushes and the like, which have no bytes to share, it does not matter.
constexpr RequestId kNobody{};

const LoopDevice* buffered_loop(const RebuildState& s, const wire_transfer& record) {
  const LoopDevice* loop = s.stack.loop(record.dev);
  return loop == nullptr || loop->direct ? nullptr : loop;
}

PendingTransfer* alive(RebuildState& s, const ChildRef& ref) {
  PendingTransfer& transfer = s.transfers[ref.slot];
  return transfer.record.id == ref.transfer ? &transfer : nullptr;
}

void add_range(std::vector<OwnedRange>& ranges, uint64_t begin, uint64_t end, RequestId request, Cause cause) {
  if (begin < end) ranges.push_back({begin, end, request, cause});
}

// Whose each byte is, in order, without gaps.
std::vector<OwnedRange> owned_ranges(const PendingTransfer& transfer) {
  std::vector<OwnedRange> ranges;
  for (uint32_t i = 0; i < transfer.parts.size(); i++) {
    const TransferPart& part = transfer.parts[i];
    const uint64_t end = part.at + part.bytes;
    uint64_t done = part.at;
    if (part.owner.seq != 0) {
      add_range(ranges, done, end - part.ahead, part.owner, part.cause);
      add_range(ranges, end - part.ahead, end, part.owner, Cause::kReadahead);
      continue;
    }
    if (!part.inherited.empty()) {
      ranges.insert(ranges.end(), part.inherited.begin(), part.inherited.end());
      continue;
    }
    for (const Claim& claim : transfer.claims) {
      if (claim.part != i) continue;
      for (const Share& share : claim.shares) {
        const uint64_t until = std::min(done + share.bytes, end);
        add_range(ranges, done, until, share.request, part.cause);
        done = until;
      }
    }
    add_range(ranges, done, end, kNobody, part.cause);
  }
  return ranges;
}

// The part takes over what it carries on; what lies behind is the file system's readahead for the last of it.
void inherit(PendingTransfer& transfer, TransferPart& part, const std::vector<OwnedRange>& owned) {
  part.owner = kNobody;
  part.inherited.clear();
  uint64_t done = part.at;
  const auto take = [&](uint64_t until, RequestId request, Cause cause) {
    until = std::min(until, part.at + part.bytes);
    if (until <= done) return;
    part.inherited.push_back({done, until, request, cause});
    transfer.bytes_by_cause[static_cast<size_t>(cause)] += until - done;
    done = until;
  };
  for (const OwnedRange& range : owned) {
    const int64_t end = static_cast<int64_t>(range.end) - part.above.at;
    if (end > 0) take(part.at + static_cast<uint64_t>(end), range.request, range.cause);
  }
  const OwnedRange last = owned.empty() ? OwnedRange{} : owned.back();
  const bool read = blk::is_read(part.bio.op_flags);
  take(UINT64_MAX, read ? last.request : kNobody, read ? Cause::kReadahead : last.cause);
  part.cause = part.inherited.empty() ? last.cause : part.inherited.front().cause;
}

void remember(RebuildState& s, uint64_t id, std::vector<OwnedRange> owned) {
  Stack& stack = s.stack;
  if (stack.told_order.size() >= Stack::kMaxTold) {
    stack.told.erase(stack.told_order.front());
    stack.told_order.pop_front();
  }
  stack.told[id].owned = std::move(owned);
  stack.told_order.push_back(id);
}

void wait(RebuildState& s, const ChildRef& child) {
  s.transfers[child.slot].waiting_for++;
  s.stack.waiting.push_back({child, s.now_ns + kChildWaitNs});
  s.deadline_ns = std::min(s.deadline_ns, s.stack.waiting.back().deadline_ns);
}

// Nothing above is known, and nothing will be.
void leave_alone(RebuildState& s, uint32_t slot, uint32_t part) {
  s.transfers[slot].parts[part].above.transfer = 0;
  resolve_part(s, {slot, part}, nullptr);
}

// Whether the read of the file is for this one of the loop device; then, which of its bytes.
bool carries(const Stack::LoopRead& read, const Stack::LoopServed& loop, Above& above) {
  if (read.dev != loop.dev || read.queue_ns < loop.from_ns || read.queue_ns > loop.done_ns) return false;
  const bool covers = read.begin < loop.end && read.end > loop.begin;
  if (!covers && read.begin < loop.end) return false;
  above.transfer = loop.transfer;
  above.at = static_cast<int64_t>(read.begin) - static_cast<int64_t>(loop.begin);
  above.evidence = covers ? Evidence::kDerived : Evidence::kInferred;
  return true;
}

// Which waiting reads of its file a transfer of a buffered loop device has caused.
void meet_reads(RebuildState& s, PendingTransfer& transfer) {
  const wire_transfer& record = transfer.record;
  if (!blk::is_read(record.op_flags) || buffered_loop(s, record) == nullptr) return;
  Stack::LoopServed served{record.id, record.dev, record.sector << 9, 0, record.issue_ns, record.header.time_ns};
  served.end = served.begin + record.bytes;
  if (served.from_ns == 0) served.from_ns = record.first.queue_ns;
  std::erase_if(s.stack.reads, [&](const Stack::LoopRead& read) {
    PendingTransfer* child = alive(s, read.child);
    if (child == nullptr) return true;
    if (!carries(read, served, child->parts[read.child.part].above)) return false;
    transfer.children.push_back(read.child);
    return true;
  });
  if (s.stack.served.size() >= Stack::kMaxServed) s.stack.served.pop_front();
  s.stack.served.push_back(served);
}

void add_copy_hop(const RebuildState& s, HeldRequest& held, const PendingTransfer& transfer, StageCopy copy) {
  Hop hop;
  hop.kind = HopKind::kCpuCopy;
  hop.evidence = copy.evidence;
  hop.from = copy.from;
  hop.to = copy.to;
  hop.bytes = copy.bytes;
  hop.at_ns = std::max(device_time(s, transfer), s.since_start(held.owner.start_ns));
  hop.end_ns = std::max(hop.at_ns, s.since_start(transfer.record.header.time_ns));
  hop.transfer = transfer.record.id;
  hop.device = transfer.record.dev;
  add_hop(held, hop);
}

// The copy between the memory of a transfer and that of what carries it on.
StageCopy stage_copy(const wire_bio_part& bio, Endpoint other, uint64_t bytes) {
  StageCopy copy{memory_of(bio), other, bytes, Evidence::kDerived};
  if (blk::is_read(bio.op_flags)) std::swap(copy.from, copy.to);
  return copy;
}

const TransferPart* part_at(const PendingTransfer& transfer, int64_t at) {
  for (const TransferPart& part : transfer.parts)
    if (at < static_cast<int64_t>(part.at + part.bytes)) return &part;
  return nullptr;
}

}  // namespace

void on_device(RebuildState& s, const wire_device& record) {
  std::erase_if(s.stack.loops, [&](const LoopDevice& loop) { return loop.dev == record.dev; });
  s.device_dma[record.dev] = false;
  const FileState* file = s.names.find_file(record.file);
  if (file == nullptr) return;
  LoopDevice loop;
  loop.dev = record.dev;
  loop.cache = file->cache;
  loop.below = file->dev;
  loop.offset = record.offset;
  loop.direct = (record.flags & WIRE_DEVICE_DIRECT) != 0;
  s.stack.loops.push_back(loop);
}

void wait_for_parent(RebuildState& s, uint32_t slot, uint32_t index) {
  PendingTransfer& transfer = s.transfers[slot];
  TransferPart& part = transfer.parts[index];
  const uint64_t id = part.above.transfer;
  if (const ToldTransfer* told = s.stack.told.find(id)) {
    return inherit(transfer, part, told->owned);
  }
  if (s.stack.waiting.size() >= Stack::kMaxWaiting) return leave_alone(s, slot, index);
  const ChildRef child{slot, index, transfer.record.id};
  if (const uint32_t* above = s.stack.open.find(id))
    s.transfers[*above].children.push_back(child);
  else
    s.stack.expected[id].push_back(child);
  wait(s, child);
}

bool wait_for_loop(RebuildState& s, uint32_t slot, uint32_t index) {
  if (s.stack.loops.empty()) return false;
  PendingTransfer& transfer = s.transfers[slot];
  const wire_bio_part& bio = transfer.parts[index].bio;
  if (!blk::is_read(bio.op_flags) || bio.owner.tgid != 0 || (bio.flags & WIRE_BIO_METADATA) != 0) return false;
  const LoopDevice* loop = s.stack.loop_in(cache_of(s, bio));
  const uint64_t begin = bio.index * s.context.page_size;
  if (loop == nullptr || loop->direct || bio.index > UINT64_MAX / 4 / s.context.page_size) return false;
  if (s.stack.waiting.size() >= Stack::kMaxWaiting) return false;
  const ChildRef child{slot, index, transfer.record.id};
  // Sectors before the device's first byte are nobody's.
  const uint64_t end = begin + transfer.parts[index].bytes;
  const uint64_t on_loop = begin > loop->offset ? begin - loop->offset : 0;
  const uint64_t behind = end > loop->offset ? end - loop->offset : 0;
  const Stack::LoopRead read{child, loop->dev, on_loop, behind, bio.queue_ns};
  for (auto served = s.stack.served.rbegin(); served != s.stack.served.rend(); ++served) {
    if (!carries(read, *served, transfer.parts[index].above)) continue;
    wait_for_parent(s, slot, index);
    return true;
  }
  s.stack.reads.push_back(read);
  wait(s, child);
  return true;
}

void meet_children(RebuildState& s, uint32_t slot) {
  PendingTransfer& transfer = s.transfers[slot];
  if (transfer.dma) return;
  const uint64_t id = transfer.record.id;
  s.stack.open[id] = slot;
  if (std::vector<ChildRef>* children = s.stack.expected.find(id)) {
    transfer.children = std::move(*children);
    s.stack.expected.erase(id);
  }
  meet_reads(s, transfer);
}

void carry_hops(RebuildState& s, uint32_t slot, ByteRange bytes, Cause cause, HeldRequest& held) {
  const PendingTransfer& transfer = s.transfers[slot];
  if (length(bytes) == 0) return;
  const TransferPart* own = part_at(transfer, static_cast<int64_t>(bytes.begin));
  if (buffered_loop(s, transfer.record) != nullptr && own != nullptr)
    add_copy_hop(s, held, transfer, stage_copy(own->bio, Endpoint::kPageCache, length(bytes)));
  const bool last = bytes.end == transfer.record.bytes;
  for (const ChildRef& ref : transfer.children) {
    const PendingTransfer* child = alive(s, ref);
    if (child == nullptr) continue;
    const TransferPart& part = child->parts[ref.part];
    const int64_t begin = std::max<int64_t>(part.above.at, static_cast<int64_t>(bytes.begin));
    const int64_t behind = part.above.at + static_cast<int64_t>(part.bytes);
    const int64_t end = std::min<int64_t>(behind, static_cast<int64_t>(bytes.end));
    if (begin < end) {
      const auto carried = static_cast<uint64_t>(end - begin);
      const uint64_t at = part.at + static_cast<uint64_t>(begin - part.above.at);
      if (part.above.copied && own != nullptr)
        add_copy_hop(s, held, transfer, stage_copy(own->bio, Endpoint::kKernel, carried));
      if (child->dma)
        add_device_hops(s, held, *child, part, cause, carried);
      else
        carry_hops(s, ref.slot, {at, at + carried}, cause, held);
    }
    // Readahead of the file below, for the last bytes of this transfer.
    const int64_t ahead = behind - std::max<int64_t>(part.above.at, static_cast<int64_t>(bytes.end));
    if (last && ahead > 0 && child->dma && blk::is_read(part.bio.op_flags))
      add_device_hops(s, held, *child, part, Cause::kReadahead, static_cast<uint64_t>(ahead));
  }
}

Status pass_on(RebuildState& s, uint32_t slot) {
  PendingTransfer& transfer = s.transfers[slot];
  if (transfer.dma) return {};
  const uint64_t id = transfer.record.id;
  s.stack.open.erase(id);
  std::vector<OwnedRange> owned = owned_ranges(transfer);
  const std::vector<ChildRef> children = std::move(transfer.children);
  transfer.children.clear();
  for (const ChildRef& ref : children) {
    PendingTransfer* child = alive(s, ref);
    if (child == nullptr) continue;
    inherit(*child, child->parts[ref.part], owned);
    child->waiting_for--;
    std::erase_if(s.stack.waiting, [&](const Stack::Waiting& w) {
      return w.child.transfer == ref.transfer && w.child.part == ref.part;
    });
    if (Status status = release_if_resolved(s, ref.slot); !status) return status;
  }
  const LoopDevice* loop = buffered_loop(s, transfer.record);
  if (loop != nullptr && loop->cache != kNone32 && blk::is_write(transfer.record.op_flags)) {
    const LoopDevice place = *loop;
    const uint64_t begin = place.offset + (transfer.record.sector << 9);
    const uint64_t from = transfer.record.issue_ns != 0 ? transfer.record.issue_ns : transfer.record.first.queue_ns;
    for (const OwnedRange& range : owned) {
      const Writer writer{range.request, from, transfer.record.header.time_ns};
      Status status = write_below(s, place.cache, {begin + range.begin, begin + range.end}, writer);
      if (!status) return status;
    }
  }
  remember(s, id, std::move(owned));
  return {};
}

Status give_up_children(RebuildState& s, uint64_t until_ns) {
  while (!s.stack.waiting.empty() && s.stack.waiting.front().deadline_ns <= until_ns) {
    const ChildRef ref = s.stack.waiting.front().child;
    s.stack.waiting.pop_front();
    PendingTransfer* transfer = alive(s, ref);
    if (transfer == nullptr) continue;
    const uint64_t above = transfer->parts[ref.part].above.transfer;
    const auto is_this = [&](const ChildRef& child) {
      return child.transfer == ref.transfer && child.part == ref.part;
    };
    if (std::vector<ChildRef>* children = s.stack.expected.find(above)) {
      std::erase_if(*children, is_this);
      if (children->empty()) s.stack.expected.erase(above);
    }
    if (const uint32_t* slot = s.stack.open.find(above)) std::erase_if(s.transfers[*slot].children, is_this);
    std::erase_if(s.stack.reads, [&](const Stack::LoopRead& read) { return is_this(read.child); });
    leave_alone(s, ref.slot, ref.part);
    transfer->waiting_for--;
    if (Status status = release_if_resolved(s, ref.slot); !status) return status;
  }
  return {};
}

void fill_stage(RebuildState& s, const PendingTransfer& transfer, Transfer& out) {
  out.parents.clear();
  out.copies.clear();
  const bool data = blk::carries_data(transfer.record.op_flags);
  const auto add_copy = [&out](const StageCopy& copy) {
    for (StageCopy& known : out.copies) {
      if (known.from != copy.from || known.to != copy.to) continue;
      known.bytes += copy.bytes;
      return;
    }
    out.copies.push_back(copy);
  };
  const bool buffered = buffered_loop(s, transfer.record) != nullptr;
  for (const TransferPart& part : transfer.parts) {
    if (part.above.transfer != 0) {
      if (!out.parents.empty() && out.parents.back().transfer == part.above.transfer)
        out.parents.back().bytes += part.bytes;
      else
        out.parents.push_back({part.above.transfer, part.bytes, part.above.evidence});
    }
    if (buffered && data && part.bytes > 0) add_copy(stage_copy(part.bio, Endpoint::kPageCache, part.bytes));
  }
  out.carried_on = !transfer.children.empty() || s.stack.loop(transfer.record.dev) != nullptr;
  for (const ChildRef& ref : transfer.children) {
    const PendingTransfer* child = alive(s, ref);
    if (child == nullptr || !child->parts[ref.part].above.copied || !data) continue;
    const TransferPart& part = child->parts[ref.part];
    const TransferPart* own = part_at(transfer, part.above.at);
    if (own != nullptr) add_copy(stage_copy(own->bio, Endpoint::kKernel, part.bytes));
  }
}

}  // namespace iohops
