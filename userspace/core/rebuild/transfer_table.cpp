// Slots of TransferTable: reused, so that their vectors keep their memory.
#include "core/rebuild/transfer_table.hpp"

#include <algorithm>

namespace iohops {

namespace {

TransferPart part_of(const wire_bio_part& bio, const wire_carried& carried) {
  TransferPart part;
  part.bio = bio;
  part.above.transfer = carried.transfer;
  part.above.at = carried.at;
  part.above.copied = (carried.flags & WIRE_CARRIED_COPY) != 0;
  if (part.above.copied) part.above.evidence = Evidence::kDerived;
  return part;
}

}  // namespace

void TransferTable::keep(const wire_bio& record) {
  if (kept_.size() == kMaxKept) kept_.pop_front();
  kept_.push_back(record);
}

bool TransferTable::is_new(uint64_t transfer) {
  const size_t known = told_.size();
  told_[transfer] = true;
  if (told_.size() == known) return false;
  told_order_.push_back(transfer);
  if (told_order_.size() > kRemembered) {
    told_.erase(told_order_.front());
    told_order_.pop_front();
  }
  return true;
}

uint32_t TransferTable::open(const wire_transfer& record) {
  uint32_t slot;
  if (free_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  PendingTransfer& transfer = slots_[slot];
  transfer.record = record;
  if (record.bios > 0) transfer.parts.push_back(part_of(record.first, record.carried));
  if (record.bios > 1) {
    for (const wire_bio& kept : kept_) {
      if (kept.transfer == record.id) transfer.parts.push_back(part_of(kept.bio, kept.carried));
    }
    std::erase_if(kept_, [&](const wire_bio& kept) { return kept.transfer == record.id; });
  }
  uint64_t left = record.bytes;
  for (TransferPart& part : transfer.parts) {
    part.bytes = std::min<uint64_t>(part.bio.bytes, left);
    part.at = record.bytes - left;
    left -= part.bytes;
  }
  return slot;
}

void TransferTable::release(uint32_t slot) {
  PendingTransfer& transfer = slots_[slot];
  PendingTransfer fresh;
  keep_room(fresh.parts, transfer.parts);
  keep_room(fresh.claims, transfer.claims);
  keep_room(fresh.children, transfer.children);
  transfer = std::move(fresh);
  free_.push_back(slot);
}

}  // namespace iohops
