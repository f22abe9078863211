// RecentMap: a FlatMap of at most so many entries. Sees keys that are plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "core/flat_map.hpp"

namespace iohops {

// When it is full, the oldest entry that nobody has asked for since its last turn makes room (second
// chance): to find one costs a hash lookup and a bit, no list is kept in order.
template <typename Key, typename Value>
class RecentMap {
 public:
  explicit RecentMap(size_t max_entries) : max_(max_entries > 0 ? max_entries : 1) {}

  Value* find(const Key& key) {
    Entry* entry = entries_.find(key);
    if (entry == nullptr) return nullptr;
    entry->asked_for = true;
    return &entry->value;
  }

  // The entry of `key`, which must not be there yet. `gone(key, value)` is called for what makes room.
  template <typename F>
  Value& add(const Key& key, Value value, F&& gone) {
    while (entries_.size() >= max_) make_room(gone);
    turns_.push_back(key);
    Entry& entry = entries_[key];
    entry.value = std::move(value);
    return entry.value;
  }

  bool erase(const Key& key) {
    if (!entries_.erase(key)) return false;
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
    entries_.erase(key);
    gone(key, value);
  }

  void tidy() {
    std::erase_if(turns_, [this](const Key& key) { return entries_.find(key) == nullptr; });
  }

  size_t max_;
  FlatMap<Key, Entry> entries_;
  std::deque<Key> turns_;  // the next to go first
};

}  // namespace iohops
