// The lanes of Orderer: sorted on insertion, merged by a heap of lanes; records lie in chunks that
// are recycled when the last record in them has gone.
#include "core/order.hpp"

#include <algorithm>

namespace iohops {
namespace {

// A record that would have to move further than this makes its lane sort as a whole instead.
constexpr size_t kMaxShift = 64;

}  // namespace

Orderer::Orderer(size_t max_bytes)
    : max_chunks_(std::clamp<size_t>((max_bytes + kChunkUnits * 8 - 1) / (kChunkUnits * 8), 1,
                                     UINT32_MAX / kChunkUnits)) {}

size_t Orderer::bytes() const {
  size_t sum = chunks_.size() * kChunkUnits * sizeof(uint64_t);
  for (const Lane& lane : lanes_) sum += lane.entries.capacity() * sizeof(Entry);
  return sum;
}

bool Orderer::make_room(uint32_t units) {
  if (!chunks_.empty() && chunks_[filling_].used + units <= kChunkUnits) return true;
  if (!free_chunks_.empty()) {
    filling_ = free_chunks_.back();
    free_chunks_.pop_back();
    return true;
  }
  if (chunks_.size() == max_chunks_) return false;
  filling_ = static_cast<uint32_t>(chunks_.size());
  chunks_.push_back({std::make_unique_for_overwrite<uint64_t[]>(kChunkUnits), 0, 0});
  return true;
}

bool Orderer::push(Record record) {
  const auto units = static_cast<uint32_t>(record.size() / 8);
  if (!make_room(units)) return false;
  Chunk& chunk = chunks_[filling_];
  std::memcpy(chunk.words.get() + chunk.used, record.data(), record.size());
  wire_header header;
  std::memcpy(&header, record.data(), sizeof header);
  insert(lanes_[header.cpu % kLanes],
         {header.time_ns, header.cpu, filling_ * kChunkUnits + chunk.used});
  chunk.used += units;
  chunk.live++;
  records_++;
  newest_ns_ = std::max<uint64_t>(newest_ns_, header.time_ns);
  late_ += header.time_ns < released_ns_;
  return true;
}

void Orderer::insert(Lane& lane, Entry entry) {
  auto& entries = lane.entries;
  entries.push_back(entry);
  if (!lane.sorted) return;
  size_t at = entries.size() - 1;
  size_t shift = 0;
  while (at > lane.head && before(entry, entries[at - 1])) {
    if (++shift > kMaxShift) {
      // Undo: arrival order is the tie-break of the sort that follows.
      std::rotate(entries.begin() + static_cast<ptrdiff_t>(at),
                  entries.begin() + static_cast<ptrdiff_t>(at) + 1, entries.end());
      lane.sorted = false;
      return;
    }
    std::swap(entries[at], entries[at - 1]);
    at--;
  }
}

// Sorts what has to be sorted, forgets what has gone, and builds the heap of lanes.
void Orderer::prepare() {
  heap_.clear();
  for (size_t i = 0; i < kLanes; i++) {
    Lane& lane = lanes_[i];
    if (lane.head > 0 && lane.head * 2 >= lane.entries.size()) {
      lane.entries.erase(lane.entries.begin(),
                         lane.entries.begin() + static_cast<ptrdiff_t>(lane.head));
      lane.head = 0;
    }
    if (!lane.sorted) {
      std::stable_sort(lane.entries.begin() + static_cast<ptrdiff_t>(lane.head), lane.entries.end(),
                       before);
      lane.sorted = true;
    }
    if (lane.head < lane.entries.size()) heap_.push_back(static_cast<uint32_t>(i));
  }
  std::make_heap(heap_.begin(), heap_.end(),
                 [this](uint32_t a, uint32_t b) { return before(front(b), front(a)); });
}

// The earliest record if it is due, nullptr otherwise. Its lane moves on.
const Orderer::Entry* Orderer::next(uint64_t until_ns) {
  if (heap_.empty()) return nullptr;
  Lane& lane = lanes_[heap_.front()];
  const Entry& entry = lane.entries[lane.head];
  // What is older than the last record handed out is late and waits for nothing.
  if (entry.time_ns > until_ns && entry.time_ns > released_ns_) return nullptr;
  released_ns_ = std::max(released_ns_, entry.time_ns);
  lane.head++;
  records_--;
  sift_down();
  return &entry;
}

// Restores the heap after the front of its first lane has changed.
void Orderer::sift_down() {
  if (lanes_[heap_.front()].head == lanes_[heap_.front()].entries.size()) {
    heap_.front() = heap_.back();
    heap_.pop_back();
  }
  for (size_t at = 0;;) {
    size_t least = at;
    for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap_.size(); child++) {
      if (before(front(heap_[child]), front(heap_[least]))) least = child;
    }
    if (least == at) return;
    std::swap(heap_[at], heap_[least]);
    at = least;
  }
}

Record Orderer::bytes_at(uint32_t place) const {
  const uint64_t* words = chunks_[place / kChunkUnits].words.get() + place % kChunkUnits;
  wire_header header;
  std::memcpy(&header, words, sizeof header);
  return {reinterpret_cast<const std::byte*>(words), header.size};
}

void Orderer::drop(uint32_t place) {
  const uint32_t index = place / kChunkUnits;
  Chunk& chunk = chunks_[index];
  if (--chunk.live > 0) return;
  chunk.used = 0;
  if (index != filling_) free_chunks_.push_back(index);
}

}  // namespace iohops
