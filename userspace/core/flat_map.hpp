// FlatMap: an open-addressed hash map in one array. Sees keys that are plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace iohops {

// A slot is used again, and so is the memory of its vector; that of an unusual one is given back.
template <typename T>
void keep_room(std::vector<T>& next, std::vector<T>& last) {
  if (last.capacity() > 64) return;
  next.swap(last);
  next.clear();
}

inline uint64_t mix(uint64_t x) {
  x *= 0x9e3779b97f4a7c15;
  return x ^ (x >> 32);
}

// A key made of two numbers: (dev, inode), (thread, start time), ...
struct PairKey {
  uint64_t a = 0;
  uint64_t b = 0;
  bool operator==(const PairKey&) const = default;
};

inline uint64_t hash_of(uint64_t key) { return mix(key); }
inline uint64_t hash_of(const PairKey& key) { return mix(mix(key.a) + key.b); }

// Linear probing, at most half full, deletion by shifting back. References into it are valid until
// the next insertion or erasure.
template <typename Key, typename Value>
class FlatMap {
 public:
  FlatMap() : cells_(kFirstCells) {}

  Value* find(const Key& key) {
    Cell& cell = cells_[place(key)];
    return cell.used ? &cell.value : nullptr;
  }

  // The value of `key`, a new one if it is not there.
  Value& operator[](const Key& key) {
    size_t at = place(key);
    if (!cells_[at].used) {
      if ((size_ + 1) * 2 > cells_.size()) {
        grow();
        at = place(key);
      }
      cells_[at] = Cell{key, Value{}, true};
      size_++;
    }
    return cells_[at].value;
  }

  bool erase(const Key& key) {
    size_t hole = place(key);
    if (!cells_[hole].used) return false;
    size_--;
    for (size_t at = next(hole); cells_[at].used; at = next(at)) {
      // A cell may move back into the hole unless that is before its home.
      const size_t home = hash_of(cells_[at].key) & mask();
      if (((at - home) & mask()) < ((at - hole) & mask())) continue;
      cells_[hole] = std::move(cells_[at]);
      hole = at;
    }
    cells_[hole] = Cell{};
    return true;
  }

  size_t size() const { return size_; }

  // `void f(const Key&, const Value&)`, in no order.
  template <typename F>
  void for_each(F&& f) const {
    for (const Cell& cell : cells_) {
      if (cell.used) f(cell.key, cell.value);
    }
  }

 private:
  struct Cell {
    Key key{};
    Value value{};
    bool used = false;
  };
  static constexpr size_t kFirstCells = 64;

  size_t mask() const { return cells_.size() - 1; }
  size_t next(size_t at) const { return (at + 1) & mask(); }
  size_t place(const Key& key) const {
    size_t at = hash_of(key) & mask();
    while (cells_[at].used && !(cells_[at].key == key)) at = next(at);
    return at;
  }
  void grow() {
    std::vector<Cell> old(cells_.size() * 2);
    old.swap(cells_);
    for (Cell& cell : old) {
      if (cell.used) cells_[place(cell.key)] = std::move(cell);
    }
  }

  std::vector<Cell> cells_;
  size_t size_ = 0;
};

}  // namespace iohops
