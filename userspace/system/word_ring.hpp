// WordRing: drains a ring of words of one CPU, which BPF programs write and this reads in shared memory
// (bpf/same.h, bpf/words.h). Sees records by their size only, where all kinds have it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bpf/wire.h"
#include "core/result.hpp"
#include "system/mapping.hpp"

namespace iohops {

class WordRing {
 public:
  // All `count` of them, each of `bytes` (a power of two, at least a page): the map `word_rings` of
  // bpf/state.h, whose values have room for them.
  static Result<std::vector<WordRing>> of_map(int fd, int count, uint64_t bytes);
  static uint64_t room(uint64_t bytes) { return kPage + bytes + kPage; }

  // All records written so far and not taken: whole, in one piece, in the order in which one CPU wrote them. They stay
  // valid until they are taken.
  std::span<const std::byte> waiting() const {
    const uint64_t end = written().load(std::memory_order_acquire);
    return std::as_bytes(std::span(words_ + (at_ & mask_), end - at_));
  }
  // They take more than a fourth of it.
  bool presses() const { return written().load(std::memory_order_relaxed) - at_ > mask_ >> 2; }
  // The first `bytes` of them are not needed any more.
  void take(size_t bytes) {
    at_ += bytes / sizeof(uint64_t);
    if (at_ - published_ > (mask_ >> 3)) publish();  // let the kernel have the room early
  }
  void publish() {
    if (at_ == published_) return;
    read().store(at_, std::memory_order_release);
    published_ = at_;
  }

 private:
  static constexpr uint64_t kPage = 4096;

  // The first page of struct word_ring of bpf/state.h
  struct Ends {
    uint64_t written;
    uint64_t unused[15];
    uint64_t read;
    uint64_t unused_2[495];
  };
  static_assert(sizeof(Ends) == kPage);

  WordRing() = default;
  std::atomic_ref<uint64_t> written() const { return std::atomic_ref(ends_->written); }
  std::atomic_ref<uint64_t> read() const { return std::atomic_ref(ends_->read); }

  Mapping ends_pages_;
  Mapping pages_;			 // twice the words, so that a record that wraps around is in one piece
  Ends* ends_ = nullptr;
  const uint64_t* words_ = nullptr;
  uint64_t mask_ = 0;
  uint64_t at_ = 0, published_ = 0;
};

}  // namespace iohops
