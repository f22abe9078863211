// Converter: the thread that takes records from the spool and writes them, raw, JSON or both, while there is a CPU
// for it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "cli/conversion.hpp"
#include "core/raw.hpp"
#include "core/result.hpp"
#include "sinks/json_writer.hpp"
#include "system/demand.hpp"
#include "system/spool.hpp"

namespace iohops {

// While threads wait for a CPU, converting would take from the traced program what it is traced for, and so has a
// small share at most (fio, 4 jobs on 2 CPUs: 1.74x when it took what it could get). What waits meanwhile is 24 bytes
// of the spool for a cached request; when that has become much, or the trace is over, it takes what it can get.
class Converter {
 public:
  // All outlive this; `raw` and `json` may be null.
  Converter(Spool& spool, Conversion& conversion, RawWriter* raw, JsonWriter* json);
  ~Converter();

  // `nice` is the priority of its thread, as setpriority(2) takes it.
  void start(int nice);
  // Any thread: the trace is over, what is left is converted at once.
  void hurry();
  // Any thread: an output failed, there is no point in going on.
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  bool done() const { return done_.load(std::memory_order_acquire); }
  uint64_t requests() const { return requests_.load(std::memory_order_relaxed); }

  // Waits until the spool is closed and empty, and gives the summary.
  Result<Summary> join();

 private:
  Status run();
  Status convert(const Spool::Chunk& chunk);
  void give_way();
  bool hurries();
  Status flush();

  Spool& spool_;
  Conversion& conversion_;
  RawWriter* raw_;
  JsonWriter* json_;
  const Demand demand_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable hurried_;
  bool over_ = false;    // hurry() was called
  bool behind_ = false;  // the thread's own
  std::chrono::nanoseconds spent_{};  // CPU time of the thread for the last chunk
  std::atomic<bool> failed_ = false;
  std::atomic<bool> done_ = false;
  std::atomic<uint64_t> requests_ = 0;
  std::optional<Error> error_;
};

}  // namespace iohops
