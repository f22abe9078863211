// RecentMap: a FlatMap of at most so many entries. Sees keys that are plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "core/flat_map.hpp"

namespace iohops {

// When it is full, the oldest entry that nobody has asked for since its last turn makes room (second
// chance): to find one costs a hash lookup and a bit, no list is kept in order. Who asks for the same one
// again, as most do, does not even pay the lookup.
template <typename Key, typename Value>
class RecentMap {
 public:
  explicit RecentMap(size_t max_entries) : max_(max_entries > 0 ? max_entries : 1) {}
  RecentMap(const RecentMap&) = delete;
  RecentMap& operator=(const RecentMap&) = delete;

  Value* find(const Key& key) {
    if (last_ != nullptr && last_key_ == key) return &last_->value;
    last_ = entries_.find(key);
    if (last_ == nullptr) return nullptr;
    last_key_ = key;
    last_->asked_for = true;
    return &last_->value;
  }

  // The entry of `key`, which must not be there yet. `gone(key, value)` is called for what makes room.
  template <typename F>
  Value& add(const Key& key, Value value, F&& gone) {
    while (entries_.size() >= max_) make_room(gone);
    last_ = nullptr;
    turns_.push_back(key);
    Entry& entry = entries_[key];
    entry.value = std::move(value);
    return entry.value;
  }

  bool erase(const Key& key) {
    if (!erase_entry(key)) return false;
    // Its turn stays behind, and finds nothing or a later entry of the same key.
    if (turns_.size() > 2 * max_) tidy();
    return true;
  }

  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Value value{};
    bool asked_for = false;
  };

  bool erase_entry(const Key& key) {
    last_ = nullptr;
    return entries_.erase(key);
  }

  template <typename F>
  void make_room(F&& gone) {
    const Key key = turns_.front();
    turns_.pop_front();
    Entry* entry = entries_.find(key);
    if (entry == nullptr) return;
    if (std::exchange(entry->asked_for, false)) {
      turns_.push_back(key);
      return;
    }
    const Value value = std::move(entry->value);
    erase_entry(key);
    gone(key, value);
  }

  void tidy() {
    std::erase_if(turns_, [this](const Key& key) { return entries_.find(key) == nullptr; });
  }

  size_t max_;
  FlatMap<Key, Entry> entries_;
  Entry* last_ = nullptr;  // that was found; nothing has been added or erased since
  Key last_key_{};
  std::deque<Key> turns_;  // the next to go first
};

}  // namespace iohops
