// Slots of OpenTable: reused, so that their vectors keep their memory.
#include "core/rebuild/open_table.hpp"

namespace iohops {

HeldRequest& OpenTable::add(const wire_owner& owner, RequestId id, uint32_t& slot) {
  if (free_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  index_[key(owner)] = {id, slot};
  HeldRequest& held = slots_[slot];
  held.owner = owner;
  held.id = id;
  held.older = newest_;
  held.newer = kNone32;
  if (newest_ != kNone32) slots_[newest_].newer = slot;
  if (oldest_ == kNone32) oldest_ = slot;
  newest_ = slot;
  live_++;
  return held;
}

void OpenTable::release(uint32_t slot) {
  HeldRequest& held = slots_[slot];
  (held.older != kNone32 ? slots_[held.older].newer : oldest_) = held.newer;
  (held.newer != kNone32 ? slots_[held.newer].older : newest_) = held.older;
  live_--;
  index_.find(key(held.owner))->slot = kReleased;
  remembered_.push_back(key(held.owner));
  if (remembered_.size() > max_remembered_) {
    index_.erase(remembered_.front());
    remembered_.pop_front();
  }

  HeldRequest fresh;
  keep_room(fresh.runs, held.runs);
  keep_room(fresh.hops, held.hops);
  keep_room(fresh.unresolved, held.unresolved);
  held = std::move(fresh);
  free_.push_back(slot);
}

}  // namespace iohops
