// Spool: what was captured and is not converted yet. In memory up to a limit, then in an unlinked
// temporary file. One thread appends, one takes. Sees bytes of whole records.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/decode.hpp"
#include "core/result.hpp"
#include "system/unique_fd.hpp"

namespace iohops {

// The reason for a second thread: writing the output can block (a slow disk, a pipe whose reader
// sleeps), draining the rings must not. Order is kept: while the file holds anything, new chunks go
// behind it. The converting side can lose its CPU with the lock in its hands, to threads of higher priority
// than its own: the capturing side waits for it only when it has no room left of its own.
class Spool {
 public:
  using Chunk = std::vector<uint64_t>;  // words, so that records in it are aligned

  // `directory` takes the temporary file.
  Spool(size_t memory_bytes, std::string directory);
  // Opens that file now: later, the process may no longer have the right to. What goes wrong is
  // told when the file is needed.
  void open_file();

  // Capturing side. An error of append() is final: records after it are lost.
  Status append(Record records);  // one, or several, of a chunk at most
  Status hand_over();  // what append() collected can be taken
  Status close();      // hand_over(), and nothing follows

  // Converting side: blocks until there is a chunk or `patience` is over (an empty chunk); nullopt:
  // closed and empty. The chunk taken before may be handed back for reuse.
  Result<std::optional<Chunk>> take(Chunk reuse, std::chrono::milliseconds patience);
  // The converting side gives up (its output failed): append() drops from now on.
  void abandon();

  // Any thread. How much may wait before something must be done about it: what the memory takes, and of the file
  // system where open_file() found room a fourth of that, at most 256 MiB.
  uint64_t patient_bytes() const { return memory_bytes() + file_patient_; }
  uint64_t memory_bytes() const { return memory_chunks_ * kChunkWords * 8; }
  uint64_t appended_bytes() const { return appended_.load(std::memory_order_relaxed); }
  uint64_t backlog_bytes() const {  // appended and not taken
    const uint64_t taken = taken_.load(std::memory_order_acquire);
    return appended_.load(std::memory_order_relaxed) - taken;
  }

 private:
  Chunk spare();
  void keep(Chunk chunk);
  Status pass_all_on();
  Status pass_on(Chunk chunk);
  Status to_file(const Chunk& chunk);
  Result<Chunk> from_file(std::unique_lock<std::mutex>& lock);
  void give_back();

  static constexpr size_t kChunkWords = 32768;  // 256 KiB

  const size_t memory_chunks_;
  const std::string directory_;
  Chunk filling_;
  std::deque<Chunk> full_;  // the capturing side's, until it gets the lock
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Chunk> memory_;
  std::vector<Chunk> spare_;  // of whole size
  std::deque<uint32_t> in_file_;  // words of each chunk in the file
  UniqueFd file_;
  uint64_t file_patient_ = 0;
  uint64_t file_read_ = 0;     // bytes
  uint64_t file_written_ = 0;  // bytes
  uint64_t file_freed_ = 0;    // bytes from its beginning on that it has no room for any more
  std::atomic<uint64_t> appended_ = 0;
  std::atomic<uint64_t> taken_ = 0;
  bool closed_ = false;
  bool abandoned_ = false;
};

}  // namespace iohops
