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
#include <thread>
#include <vector>

#include "core/decode.hpp"
#include "core/result.hpp"
#include "system/spool_file.hpp"

namespace iohops {

// The reason for a second thread: writing the output can block (a slow disk, a pipe whose reader
// sleeps), draining the rings must not. The converting side can lose its CPU with the lock in its hands, to threads of
// higher priority than its own: the capturing side waits for it only when it has no room left of its own.
//
// The reason for a third one, the spool's own: writing the file blocks, too, while the page cache has more to write
// than the disk takes. The capturing thread was seen to sleep in ext4_da_get_block_prep() and, behind the taker's holes,
// in ext4_buffered_write_iter(); beside another writer, of 4 million requests in 3 s 77,967 were lost for it.
//
// Order is kept: from the oldest on, memory, file, what is being written to it, what waits to be written.
class Spool {
 public:
  using Chunk = std::vector<uint64_t>;  // words, so that records in it are aligned

  // `waiting_bytes` of memory hold what the file's disk does not take yet; when they are full, append() waits for it.
  // `directory` takes the temporary file.
  Spool(size_t memory_bytes, size_t waiting_bytes, std::string directory);
  ~Spool();
  // Opens that file now: later, the process may no longer have the right to. What goes wrong is
  // told when the file is needed. `nice` of the thread that writes it, as setpriority(2) takes it.
  void open_file(int nice);

  // Capturing side. An error of append() is final: records after it are lost.
  Status append(Record records);  // one, or several, of a chunk at most
  Status hand_over();  // what append() collected can be taken
  Status close();      // hand_over(), and nothing follows

  // Converting side: blocks until there is a chunk or `patience` is over (an empty chunk); nullopt:
  // closed and empty. The chunk taken before may be handed back for reuse.
  Result<std::optional<Chunk>> take(Chunk reuse, std::chrono::milliseconds patience);
  // The converting side gives up (its output failed): append() drops from now on.
  void abandon();

  // Any thread. How much may wait before something must be done about it.
  uint64_t patient_bytes() const { return memory_bytes() + file_.patient_bytes(); }
  uint64_t memory_bytes() const { return memory_chunks_ * kChunkWords * 8; }
  uint64_t appended_bytes() const { return appended_.load(std::memory_order_relaxed); }
  uint64_t backlog_bytes() const {  // appended and not taken
    const uint64_t taken = taken_.load(std::memory_order_acquire);
    return appended_.load(std::memory_order_relaxed) - taken;
  }

 private:
  using Lock = std::unique_lock<std::mutex>;

  Chunk spare();
  void keep(Chunk chunk);
  Status pass_all_on(Lock& lock);
  void pass_on(Chunk chunk);
  void write_waiting();
  bool can_take() const;
  Result<Chunk> next(Lock& lock);
  Result<Chunk> from_file(Lock& lock);

  static constexpr size_t kChunkWords = 32768;  // 256 KiB

  const size_t memory_chunks_, waiting_chunks_;
  int writer_nice_ = 0;
  Chunk filling_;
  std::deque<Chunk> full_;  // the capturing side's, until it gets the lock
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Chunk> memory_;
  std::deque<uint32_t> in_file_;  // words of each chunk in the file
  bool writes_ = false;           // a chunk of waiting_ is on its way into it
  std::deque<Chunk> waiting_;
  std::vector<Chunk> spare_;  // of whole size
  SpoolFile file_;
  std::optional<Error> failed_;  // to write it: from then on it only is read
  std::atomic<uint64_t> appended_ = 0;
  std::atomic<uint64_t> taken_ = 0;
  bool closed_ = false;
  bool abandoned_ = false;
  std::thread writer_;  // from the first chunk on that is to be written
};

}  // namespace iohops
