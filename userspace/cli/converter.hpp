// Converter: the thread that takes records from the spool and writes them: raw, JSON or both.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>

#include "cli/conversion.hpp"
#include "core/raw.hpp"
#include "core/result.hpp"
#include "sinks/json_writer.hpp"
#include "system/spool.hpp"

namespace iohops {

class Converter {
 public:
  // All outlive this; `raw` and `json` may be null.
  Converter(Spool& spool, Conversion& conversion, RawWriter* raw, JsonWriter* json);
  ~Converter();

  // `nice` is the priority of its thread, as setpriority(2) takes it.
  void start(int nice);
  // Any thread: an output failed, there is no point in going on.
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  bool done() const { return done_.load(std::memory_order_acquire); }
  uint64_t requests() const { return requests_.load(std::memory_order_relaxed); }

  // Waits until the spool is closed and empty, and gives the summary.
  Result<Summary> join();

 private:
  Status run();
  Status convert(const Spool::Chunk& chunk);
  Status flush();

  Spool& spool_;
  Conversion& conversion_;
  RawWriter* raw_;
  JsonWriter* json_;
  std::thread thread_;
  std::atomic<bool> failed_ = false;
  std::atomic<bool> done_ = false;
  std::atomic<uint64_t> requests_ = 0;
  std::optional<Error> error_;
};

}  // namespace iohops
