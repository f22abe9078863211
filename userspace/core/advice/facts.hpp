// What advice is computed from: a few counters for each file and process, gathered while the requests
// of a trace go by. Sees the model; judges nothing.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/flat_map.hpp"
#include "core/model/model.hpp"

namespace iohops {

// The first requests that prove something.
struct Proof {
  static constexpr size_t kMost = 3;
  std::array<RequestId, kMost> requests{};
  size_t count = 0;
  void add(RequestId id) {
    if (count < requests.size()) requests[count++] = id;
  }
  std::vector<RequestId> list() const {
    return {requests.begin(), requests.begin() + static_cast<std::ptrdiff_t>(count)};
  }
};

// The last few places of some kind; UINT64_MAX: none.
struct Places {
  std::array<uint64_t, 4> at{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
  uint32_t added = 0;
};

// Reads of one file by one process, or its writes.
struct AccessFacts {
  uint64_t requests = 0;
  uint64_t bytes = 0;
  uint64_t mode_switches = 0;
  uint64_t copied_bytes = 0;  // by CPU
  uint64_t copies = 0;
  uint64_t hit_bytes = 0;
  uint64_t miss_bytes = 0;
  uint64_t device_bytes = 0;  // by DMA, readahead included
  uint64_t duration_ns = 0;
  uint64_t wait_ns = 0;         // for a device or a page
  uint64_t sequential = 0;      // requests that begin where the last one ended
  uint64_t small = 0;           // of them: that ask for less than a page
  uint64_t small_bytes = 0;
  uint64_t lowest = UINT64_MAX;  // of the file, bytes
  uint64_t highest = 0;
  uint64_t next = UINT64_MAX;  // where the last one ended
  Places ends, begins;         // where others ended, or began, that nothing follows or precedes yet
  uint64_t fallbacks = 0;      // O_DIRECT, and copied all the same
  uint64_t fallback_bytes = 0;
  uint64_t refused = 0;        // O_DIRECT, and EINVAL
  uint64_t streamed = 0;       // like the last: from the same buffer of 4096 bytes
  uint64_t streamed_bytes = 0;
  uint64_t buffer = 0;
  Proof first, small_ones, missed, fallen_back, refusals, streams;
};

struct SyncFacts {
  uint64_t requests = 0;
  uint64_t duration_ns = 0;
  uint64_t written_bytes = 0;   // by the process, into the file
  uint64_t device_bytes = 0;    // that the syncs themselves queued
  uint64_t mode_switches = 0;
  RequestId slowest;
  uint64_t slowest_ns = 0;
};

struct FileFacts {
  AccessFacts reads, writes;
  SyncFacts syncs;
};

struct ZeroCopyFacts {
  uint64_t requests = 0;
  uint64_t bytes = 0;
  uint64_t copied_bytes = 0;  // after all
  Proof proof;
};

// Of one file, by all processes: loaded ahead of reads (not of page faults), and used since.
struct ReadaheadFacts {
  uint64_t bytes = 0;
  uint64_t used_bytes = 0;
  Proof proof;
};

// Of one file: what was written on from the memory that it had been read into, and what came so.
struct Relayed {
  uint64_t read_bytes = 0, written_bytes = 0;
};

// Bounded: of files beyond the limit nothing is known, so nothing is advised.
class Facts {
 public:
  using Key = std::pair<uint32_t, uint32_t>;  // process, file

  void add(const Request& request);
  void add(const File& file);
  void add(const Flow& flow);

  const std::vector<std::pair<Key, FileFacts>>& files() const { return files_; }
  const ZeroCopyFacts& zero_copy() const { return zero_copy_; }
  const std::map<uint32_t, ReadaheadFacts>& readahead() const { return readahead_; }  // by file
  uint64_t stdio_bytes() const { return stdio_bytes_; }  // copied between streams and their callers
  const Proof& stdio_proof() const { return stdio_proof_; }
  Relayed relayed(uint32_t file) const;
  // Raw bytes; "file 7" if it has no name.
  std::string name(uint32_t file) const;
  FileKind kind(uint32_t file) const;

 private:
  static constexpr size_t kFiles = 10'000;
  struct Named {
    std::string path;
    FileKind kind = FileKind::kOther;
  };

  FileFacts* of(const Request& request);
  bool add_alike(const Request& request);
  static void add_access(AccessFacts& facts, const Request& request);
  static void add_sync(SyncFacts& facts, const Request& request);
  void add_zero_copy(const Request& request);
  void add_readahead(const Request& request);

  // What requests that are alike are to the advice.
  enum class Sort { kAny, kRead, kWrite };
  static Sort sort_of(const Request& request);

  static constexpr size_t kNobody = SIZE_MAX;
  FlatMap<uint64_t, size_t> index_;  // (process, file) -> place in files_
  std::vector<std::pair<Key, FileFacts>> files_;
  uint64_t last_key_ = 0;
  size_t last_ = kNobody;  // its place in files_
  std::vector<std::pair<uint64_t, Sort>> alike_;  // by Request::alike
  std::unordered_map<uint32_t, Named> names_;
  ZeroCopyFacts zero_copy_;
  std::map<uint32_t, ReadaheadFacts> readahead_;
  std::unordered_map<uint32_t, Relayed> relayed_;
  uint64_t stdio_bytes_ = 0;
  Proof stdio_proof_;
};

}  // namespace iohops
