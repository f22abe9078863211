#include "cli/capture.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "core/decode.hpp"
#include "core/rebuild/names.hpp"

namespace iohops {
namespace {

constexpr uint64_t kMs = 1'000'000;
// A record is reserved within microseconds of its clock reading, unless the CPU is taken away in
// between; a later one is handed out at once and the rebuild copes.
constexpr uint64_t kOrderWindow = 10 * kMs;
constexpr uint64_t kLossPeriod = 100 * kMs;
constexpr uint64_t kHandOverPeriod = 20 * kMs;
// Rounds while records come and while none do. 4 ms at 1 M records/s fill 5 % of a ring.
constexpr int kBusyWaitMs = 4;
constexpr int kIdleWaitMs = 20;

uint64_t own_cpu_ns() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto ns = [](const timeval& t) {
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 +
           static_cast<uint64_t>(t.tv_usec) * 1000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// Less than what reading several clocks one after the other can be off by is nothing.
int64_t significant(int64_t ns) { return std::abs(ns) < static_cast<int64_t>(kMs) ? 0 : ns; }

}  // namespace

uint64_t monotonic_ns() { return static_cast<uint64_t>(clock_ns(CLOCK_MONOTONIC)); }

ClockOffsets ClockOffsets::now() {
  ClockOffsets best;
  int64_t narrowest = INT64_MAX;
  for (int i = 0; i < 5; i++) {
    const int64_t before = clock_ns(CLOCK_MONOTONIC);
    const int64_t boot = clock_ns(CLOCK_BOOTTIME), wall = clock_ns(CLOCK_REALTIME);
    const int64_t after = clock_ns(CLOCK_MONOTONIC);
    if (after - before >= narrowest) continue;
    narrowest = after - before;
    best = {.boot_ns = boot - before, .wall_ns = wall - boot};
  }
  return best;
}

int take_precedence() {
  const int nice = getpriority(PRIO_PROCESS, 0);
  setpriority(PRIO_PROCESS, 0, -15);
  return nice;
}

Capture::Capture(Session& session, Spool& spool, EarlyFilter filter, size_t order_bytes)
    : session_(session), spool_(spool), filter_(std::move(filter)), orderer_(order_bytes) {}

void Capture::start(uint64_t start_ns) {
  start_ns_ = start_ns;
  cpu_before_ = own_cpu_ns();
  clocks_ = ClockOffsets::now();
}

void Capture::judge_file(Record record) {
  if (view<wire_header>(record)->kind != WIRE_FILE || !check_record(record)) return;
  const auto& file = *view<wire_file>(record);
  if (!filter_.wants_path(path_of(file))) session_.drop_file(file.file);
}

void Capture::drain() {
  session_.drain([&](Record bytes, uint32_t ring) {
    Record rest = bytes;
    const Result<Record> record = next_record(rest);
    // A full orderer means that time stands still between CPUs (a clock that jumped): the record
    // counts as lost.
    if (record && !filter_.paths.empty()) judge_file(*record);
    if (record && orderer_.push(*record, ring)) {
      records_++;
      bytes_ += record->size();
    } else {
      unordered_lost_++;
    }
  });
}

Status Capture::hand_on(uint64_t until_ns) {
  return orderer_.release(until_ns, [&](Record record) { return spool_.append(record); });
}

void Capture::note_loss(uint64_t now, uint32_t cause, uint64_t count) {
  wire_loss_record record{};
  record.header = {.time_ns = now, .kind = WIRE_LOSS, .size = sizeof record, .cpu = 0};
  record.count = count;
  record.cause = cause;
  orderer_.push(bytes_of(record), 0);
  lost_ += count;
}

void Capture::note_losses(uint64_t now) {
  const KernelCounters counters = session_.counters();
  for (uint32_t cause = 0; cause < WIRE_LOSS_CAUSES; cause++) {
    if (counters.losses[cause] > seen_.losses[cause])
      note_loss(now, cause, counters.losses[cause] - seen_.losses[cause]);
  }
  seen_ = counters;
  if (unordered_lost_) {
    note_loss(now, WIRE_LOSS_EVICTED, unordered_lost_);
    unordered_lost_ = 0;
  }
}

Result<int> Capture::round() {
  const uint64_t now = monotonic_ns();
  const uint64_t before = records_;
  drain();
  if (now - losses_read_ns_ >= kLossPeriod) {
    note_losses(now);
    losses_read_ns_ = now;
  }
  if (Status handed = hand_on(now - kOrderWindow); !handed) return handed.error();
  if (now - handed_over_ns_ >= kHandOverPeriod) {
    if (Status over = spool_.hand_over(); !over) return over.error();
    handed_over_ns_ = now;
  }
  return records_ > before ? kBusyWaitMs : kIdleWaitMs;
}

Status Capture::finish(wire_stop reason, uint64_t missed) {
  drain();
  const uint64_t now = monotonic_ns();
  note_losses(now);
  if (missed) note_loss(now, WIRE_LOSS_COMPLETION, missed);
  if (Status handed = hand_on(WIRE_UNKNOWN); !handed) return handed;
  wire_end end{};
  end.header = {.time_ns = now, .kind = WIRE_END, .size = sizeof end, .cpu = 0};
  end.start_ns = start_ns_;
  end.bpf_ns = session_.bpf_run_ns().value_or(WIRE_UNKNOWN);
  end.collector_cpu_ns = own_cpu_ns() - cpu_before_;
  end.records = records_;
  end.record_bytes = bytes_;
  end.ring_bytes = session_.ring_bytes();
  end.ring_peak_bytes = session_.ring_peak_bytes();
  end.stop_reason = reason;
  end.ring_wanted_bytes = session_.ring_wanted_bytes();
  const ClockOffsets clocks = ClockOffsets::now();
  end.suspended_ns =
      static_cast<uint64_t>(std::max<int64_t>(0, significant(clocks.boot_ns - clocks_.boot_ns)));
  end.clock_step_ns = significant(clocks.wall_ns - clocks_.wall_ns);
  if (Status appended = spool_.append(bytes_of(end)); !appended) return appended;
  return spool_.close();
}

double Capture::ring_percent() const {
  const uint64_t bytes = session_.ring_bytes();
  if (bytes == 0) return 0;
  return 100.0 * static_cast<double>(session_.ring_peak_bytes()) / static_cast<double>(bytes);
}

}  // namespace iohops
