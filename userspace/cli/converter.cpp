#include "cli/converter.hpp"

#include <sys/resource.h>

#include <chrono>
#include <ctime>
#include <span>

#include "cli/capture.hpp"
#include "core/decode.hpp"

namespace iohops {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kFlushPeriod{500};
constexpr std::chrono::milliseconds kLook{5};
constexpr int kShare = 32;  // of the time of one CPU, one part, while others want it

}  // namespace

Converter::Converter(Spool& spool, Conversion& conversion, RawWriter* raw, JsonWriter* json)
    : spool_(spool), conversion_(conversion), raw_(raw), json_(json) {}

Converter::~Converter() {
  if (!thread_.joinable()) return;
  spool_.abandon();
  (void)spool_.close();
  hurry();
  thread_.join();
}

void Converter::start(int nice) {
  thread_ = std::thread([this, nice] {
    setpriority(PRIO_PROCESS, 0, nice);
    if (Status status = run(); !status) {
      error_ = status.error();
      spool_.abandon();
      failed_.store(true, std::memory_order_release);
    }
    done_.store(true, std::memory_order_release);
  });
}

Status Converter::run() {
  Spool::Chunk chunk;
  auto flushed = Clock::now();
  for (;;) {
    Result<std::optional<Spool::Chunk>> taken = spool_.take(std::move(chunk), kFlushPeriod);
    if (!taken) return taken.error();
    if (!*taken) return flush();
    chunk = std::move(**taken);
    if (!chunk.empty()) give_way();
    const int64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (Status converted = convert(chunk); !converted) return converted;
    spent_ = std::chrono::nanoseconds(clock_ns(CLOCK_THREAD_CPUTIME_ID) - before);
    if (Clock::now() - flushed >= kFlushPeriod) {
      if (Status status = flush(); !status) return status;
      flushed = Clock::now();
    }
  }
}

// Until a CPU is idle, its own share has come, or there is no time to lose.
void Converter::give_way() {
  const auto limit = Clock::now() + spent_ * kShare;
  std::unique_lock lock(mutex_);
  while (!hurries() && Clock::now() < limit && demand_.exceeds()) hurried_.wait_for(lock, kLook);
}

// With the lock.
bool Converter::hurries() {
  const uint64_t backlog = spool_.backlog_bytes();
  if (backlog > spool_.patient_bytes()) behind_ = true;
  if (backlog < spool_.memory_bytes()) behind_ = false;
  return over_ || behind_;
}

void Converter::hurry() {
  std::lock_guard lock(mutex_);
  over_ = true;
  hurried_.notify_one();
}

Status Converter::convert(const Spool::Chunk& chunk) {
  Record rest = std::as_bytes(std::span(chunk));
  while (!rest.empty()) {
    Result<Record> record = next_record(rest);
    if (!record) return record.error();
    if (raw_) {
      if (Status written = raw_->record(*record); !written) return written;
    }
    if (Status fed = conversion_.feed(*record); !fed) return fed;
  }
  requests_.store(conversion_.requests(), std::memory_order_relaxed);
  return {};
}

// What was converted so far can be read by others from here on, also if this process is killed.
Status Converter::flush() {
  if (raw_) {
    if (Status status = raw_->flush(); !status) return status;
  }
  return json_ ? json_->flush() : Status();
}

Result<Summary> Converter::join() {
  thread_.join();
  if (error_) return *error_;
  return conversion_.finish();
}

}  // namespace iohops
