// The lanes of Orderer: sorted on insertion, merged by a heap of lanes; records lie in chunks that
// are recycled when the last record in them has gone.
#include "core/order.hpp"

#include <algorithm>

namespace iohops {
namespace {

// A record that would have to move further than this makes its lane sort as a whole instead.
constexpr size_t kMaxShift = 64;

// Of a source; nullptr: nothing that can be a record.
const wire_header* first_header(Record waiting) {
  return begins_with_record(waiting) ? view<wire_header>(waiting) : nullptr;
}

}  // namespace

Orderer::Orderer(size_t max_bytes)
    : max_chunks_(std::clamp<size_t>((max_bytes + kChunkBytes - 1) / kChunkBytes, 1,
                                     UINT32_MAX / kChunkUnits)) {}

size_t Orderer::bytes() const {
  size_t sum = chunks_.size() * kChunkBytes;
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

bool Orderer::push(Record record, uint32_t ring) {
  const auto units = static_cast<uint32_t>(record.size() / 8);
  if (!make_room(units)) return false;
  Chunk& chunk = chunks_[filling_];
  std::memcpy(chunk.words.get() + chunk.used, record.data(), record.size());
  wire_header header;
  std::memcpy(&header, record.data(), sizeof header);
  Lane& lane = lanes_[ring % kLanes];
  lane.bytes += record.size();
  insert(lane, {header.time_ns, ring, filling_ * kChunkUnits + chunk.used});
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
void Orderer::prepare(std::span<const Source> sources) {
  heap_.clear();
  for (size_t i = 0; i < sources.size(); i++) {
    const wire_header* first = first_header(sources[i].waiting);
    if (first) heap_.push_back({first->time_ns, sources[i].ring, static_cast<uint32_t>(kLanes + i)});
  }
  for (size_t i = 0; i < kLanes; i++) {
    Lane& lane = lanes_[i];
    if (lane.head > 0 && lane.head * 2 >= lane.entries.size()) {
      lane.entries.erase(lane.entries.begin(),
                         lane.entries.begin() + static_cast<ptrdiff_t>(lane.head));
      lane.head = 0;
    }
    if (!lane.sorted) {
      std::stable_sort(lane.entries.begin() + static_cast<ptrdiff_t>(lane.head), lane.entries.end(),
                       before<Entry>);
      lane.sorted = true;
    }
    if (lane.head < lane.entries.size()) heap_.push_back(front(static_cast<uint32_t>(i)));
  }
  std::make_heap(heap_.begin(), heap_.end(),
                 [](const Front& a, const Front& b) { return before(b, a); });
}

Orderer::Front Orderer::front(uint32_t lane) const {
  const Entry& entry = lanes_[lane].entries[lanes_[lane].head];
  return {entry.time_ns, entry.ring, lane};
}

// What is older than the last record handed out is late and waits for nothing.
bool Orderer::is_due(uint64_t until_ns) const {
  return !heap_.empty() && heap_.front().time_ns <= std::max(until_ns, released_ns_);
}

// The earliest record, of a lane, which moves on.
Orderer::Entry Orderer::take_entry() {
  const Front first = heap_.front();
  released_ns_ = std::max(released_ns_, first.time_ns);
  Lane& lane = lanes_[first.lane];
  const Entry entry = lane.entries[lane.head++];
  records_--;
  if (lane.head < lane.entries.size()) {
    const uint32_t place = lane.entries[lane.head].place;
    __builtin_prefetch(chunks_[place / kChunkUnits].words.get() + place % kChunkUnits);
    sift_down(front(first.lane));
  } else {
    pop_heap();
  }
  return entry;
}

// The earliest records, of a source, as far as no other ring has an earlier one.
Orderer::Run Orderer::take_run(Source& source, uint64_t until_ns) {
  constexpr size_t kAhead = 256;  // bytes: another CPU has written them, and its cache has them
  Front now = heap_.front(), other{UINT64_MAX, UINT32_MAX, 0};
  for (size_t child = 1; child < std::min<size_t>(3, heap_.size()); child++)
    if (before(heap_[child], other)) other = heap_[child];
  Run run{source.waiting, 0, source.ring};
  size_t bytes = 0;
  const wire_header* next = nullptr;
  do {
    late_ += now.time_ns < released_ns_;
    released_ns_ = std::max(released_ns_, now.time_ns);
    const size_t size = claimed_size(source.waiting);
    __builtin_prefetch(source.waiting.data() + kAhead);
    source.waiting = source.waiting.subspan(size);
    bytes += size;
    run.records++;
    next = first_header(source.waiting);
    if (next) now.time_ns = next->time_ns;
  } while (next && now.time_ns <= std::max(until_ns, released_ns_) && before(now, other) &&
           bytes + next->size <= kLongestRun);
  run.bytes = run.bytes.first(bytes);
  newest_ns_ = std::max(newest_ns_, released_ns_);
  if (next)
    sift_down(now);
  else
    pop_heap();
  return run;
}

void Orderer::pop_heap() {
  const Front last = heap_.back();
  heap_.pop_back();
  if (!heap_.empty()) sift_down(last);
}

// Puts `front` in the place of the first lane's and restores the heap.
void Orderer::sift_down(Front front) {
  const size_t size = heap_.size();
  size_t at = 0;
  for (size_t child = 1; child < size; child = 2 * at + 1) {
    if (child + 1 < size && before(heap_[child + 1], heap_[child])) child++;
    if (!before(heap_[child], front)) break;
    heap_[at] = heap_[child];
    at = child;
  }
  heap_[at] = front;
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
