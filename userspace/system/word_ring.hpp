// WordRing: drains one CPU's ring of words, which BPF programs write and this reads in shared memory
// (bpf/same.h). Sees records of struct wire_same by their size only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bpf/wire.h"
#include "core/result.hpp"
#include "system/mapping.hpp"

namespace iohops {

class WordRing {
 public:
  // Those of `cpus` CPUs, each of `bytes` (a power of two, at least a page): the maps `word_rings`
  // and `ring_words` of bpf/state.h.
  static Result<std::vector<WordRing>> of_maps(int ends_fd, int words_fd, int cpus, uint64_t bytes);

  // Hands out all records written so far: `bool f(std::span<const std::byte>)`; after false, that
  // record and what follows it stay.
  template <typename F>
  void drain(F&& f) {
    uint64_t at = read().load(std::memory_order_relaxed);
    const uint64_t end = written().load(std::memory_order_acquire);
    uint64_t published = at;
    while (at < end) {
      const auto* record = reinterpret_cast<const wire_same*>(words_ + (at & mask_));
      const uint64_t size = record->size;
      if (size < sizeof(wire_same) || size > (end - at) * sizeof(uint64_t)) break;  // can't happen
      if (!f(std::span(reinterpret_cast<const std::byte*>(record), size))) break;
      at += size / sizeof(uint64_t);
      if (at - published > (mask_ >> 3)) {  // let the kernel have the room early
        read().store(at, std::memory_order_release);
        published = at;
      }
    }
    read().store(at, std::memory_order_release);
  }

 private:
  // struct word_ring of bpf/state.h
  struct Ends {
    uint64_t written;
    uint64_t unused[15];
    uint64_t read;
    uint64_t unused_2[15];
  };

  WordRing() = default;
  std::atomic_ref<uint64_t> written() const { return std::atomic_ref(ends_->written); }
  std::atomic_ref<uint64_t> read() const { return std::atomic_ref(ends_->read); }

  std::shared_ptr<Mapping> ends_pages_;  // of all CPUs
  Mapping pages_;			 // twice the words, so that a record that wraps around is in one piece
  Ends* ends_ = nullptr;
  const uint64_t* words_ = nullptr;
  uint64_t mask_ = 0;
};

}  // namespace iohops
