// Orderer: one stream in time order out of the records of several rings, which were copied out of them or still lie
// there. Sees record headers only.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "core/decode.hpp"

namespace iohops {

// Assumption: the records of one ring arrive nearly in time order (a record may be overtaken by
// those of an interrupt), the rings are drained one after the other, and after draining all of them
// at time T nothing older than T minus a small slack is still to come. Rule: a lane per ring is kept
// sorted by (time, arrival) on insertion; lanes are merged on release. Release condition: the
// caller names a time; everything up to it goes out in (time, ring, arrival) order. A record that is
// older than what already went out is late: it goes out first at the next release, and is counted.
// Records that lie in memory one after the other need no lane, because each is at least as late as the one before:
// they are merged where they lie (a Source). One that is not goes out right behind that one, as late: so do waits, which
// a thread writes down with the request that they are part of.
class Orderer {
 public:
  // At most `max_bytes` of records are kept (rounded up to whole chunks).
  explicit Orderer(size_t max_bytes = size_t{64} << 20);

  // Copies the record, which next_record() has accepted. false: no room, release some first.
  bool push(Record record, uint32_t ring);

  // Records in the caller's memory, whole and as good as in time order; what has been handed out of them is cut off. What has no
  // size that can be is not handed out, nor what follows it.
  struct Source {
    Record waiting;
    uint32_t ring;
  };
  // What is handed out at once: records of one ring, one behind the other.
  struct Run {
    Record bytes;  // kLongestRun at most, but for a single record
    uint32_t records;
    uint32_t ring;
  };
  static constexpr size_t kLongestRun = 4096;

  // Hands out all records with time_ns <= until_ns: `Status f(const Run&)`; the bytes are valid during
  // the call, and `f` must not push. Stops at the first error and returns it; the records that
  // failed are gone.
  template <typename F>
  Status release(uint64_t until_ns, std::span<Source> sources, F&& f) {
    prepare(sources);
    while (is_due(until_ns)) {
      const uint32_t lane = heap_.front().lane;
      Status status;
      if (lane >= kLanes) {
        status = f(take_run(sources[lane - kLanes], until_ns));
      } else {
        const Entry entry = take_entry();
        const Record record = bytes_at(entry.place);
        lanes_[lane].bytes -= record.size();
        status = f(Run{record, 1, entry.ring});
        drop(entry.place);
      }
      if (!status) return status;
    }
    return {};
  }
  // Of the lanes alone, one after the other: `Status f(Record)`.
  template <typename F>
  Status release(uint64_t until_ns, F&& f) {
    return release(until_ns, {}, [&](const Run& run) { return f(run.bytes); });
  }

  size_t size() const { return records_; }           // records copied and kept
  size_t capacity() const { return max_chunks_ * kChunkBytes; }
  // Bytes of the records of a ring, and of those that share its lane, which were not handed out.
  size_t bytes_of(uint32_t ring) const { return lanes_[ring % kLanes].bytes; }
  size_t bytes() const;                              // memory used for them
  uint64_t late() const { return late_; }            // records older than what was already released
  uint64_t newest_ns() const { return newest_ns_; }  // the highest time pushed so far

 private:
  struct Entry {
    uint64_t time_ns;
    uint32_t ring;
    uint32_t place;  // in units of 8 bytes: chunk * kChunkUnits + unit
  };
  struct Lane {
    std::vector<Entry> entries;
    size_t head = 0;
    size_t bytes = 0;
    bool sorted = true;
  };
  struct Chunk {
    std::unique_ptr<uint64_t[]> words;
    uint32_t live = 0;  // records in it that were not handed out
    uint32_t used = 0;  // units
  };

  static constexpr size_t kLanes = 256;  // rings share lanes beyond that; the order still holds
  static constexpr uint32_t kChunkUnits = 32768;  // 256 KiB: four of the largest records
  static constexpr size_t kChunkBytes = kChunkUnits * sizeof(uint64_t);

  // The first entry of a lane, by value: 192 lanes fill 3 KiB of the heap, and a comparison that
  // followed a lane to its entries missed the cache twice (`make bench` has scale.cpp).
  struct Front {
    uint64_t time_ns;
    uint32_t ring;
    uint32_t lane;  // from kLanes on: of the sources
  };

  template <typename T>
  static bool before(const T& a, const T& b) {
    return a.time_ns != b.time_ns ? a.time_ns < b.time_ns : a.ring < b.ring;
  }
  bool make_room(uint32_t units);
  void insert(Lane& lane, Entry entry);
  void prepare(std::span<const Source> sources);
  bool is_due(uint64_t until_ns) const;
  Entry take_entry();
  Run take_run(Source& source, uint64_t until_ns);
  void pop_heap();
  void sift_down(Front front);
  Front front(uint32_t lane) const;
  Record bytes_at(uint32_t place) const;
  void drop(uint32_t place);

  std::array<Lane, kLanes> lanes_;
  std::vector<Front> heap_;  // of lanes with entries, and sources with records: the earliest first
  std::vector<Chunk> chunks_;
  std::vector<uint32_t> free_chunks_;
  size_t max_chunks_;
  uint32_t filling_ = 0;
  size_t records_ = 0;
  uint64_t released_ns_ = 0;
  uint64_t newest_ns_ = 0;
  uint64_t late_ = 0;
};

}  // namespace iohops
