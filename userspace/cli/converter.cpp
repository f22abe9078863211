#include "cli/converter.hpp"

#include <sys/resource.h>

#include <chrono>
#include <span>

#include "core/decode.hpp"

namespace iohops {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kFlushPeriod{500};

}  // namespace

Converter::Converter(Spool& spool, Conversion& conversion, RawWriter* raw, JsonWriter* json)
    : spool_(spool), conversion_(conversion), raw_(raw), json_(json) {}

Converter::~Converter() {
  if (!thread_.joinable()) return;
  spool_.abandon();
  (void)spool_.close();
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
    if (Status converted = convert(chunk); !converted) return converted;
    if (Clock::now() - flushed >= kFlushPeriod) {
      if (Status status = flush(); !status) return status;
      flushed = Clock::now();
    }
  }
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
