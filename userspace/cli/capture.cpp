#include "cli/capture.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "core/decode.hpp"
#include "core/rebuild/names.hpp"

namespace iohops {
namespace {

constexpr uint64_t kMs = 1'000'000;
// A record is reserved within microseconds of its clock reading, unless the CPU is taken away in
// between; a later one is handed out at once and the rebuild copes.
constexpr uint64_t kOrderWindow = 10 * kMs;
// Where a ring of words fills (from 800,000 requests a second on, on one CPU), for they wait in it.
constexpr uint64_t kShortWindow = 2 * kMs;
constexpr uint64_t kLossPeriod = 100 * kMs;
constexpr uint64_t kHandOverPeriod = 100 * kMs;
// Between rounds. Each one takes a CPU from somebody, so they are as rare as the rings allow.
constexpr uint64_t kShortestPause = 2 * kMs;
constexpr uint64_t kLongestPause = 20 * kMs;

uint64_t own_cpu_ns() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto ns = [](const timeval& t) {
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 +
           static_cast<uint64_t>(t.tv_usec) * 1000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

// Less than what reading several clocks one after the other can be off by is nothing.
int64_t significant(int64_t ns) { return std::abs(ns) < static_cast<int64_t>(kMs) ? 0 : ns; }

}  // namespace

int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

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
  start_ns_ = round_ns_ = start_ns;
  cpu_before_ = own_cpu_ns();
  clocks_ = ClockOffsets::now();
}

void Capture::judge_file(Record record) {
  if (view<wire_header>(record)->kind != WIRE_FILE || !check_record(record)) return;
  const auto& file = *view<wire_file>(record);
  if (!filter_.wants_path(path_of(file))) session_.drop_file(file.file);
}

// False: it stays in its ring, because that has its share of the orderer.
bool Capture::take(Record bytes, uint32_t ring) {
  Record rest = bytes;
  const Result<Record> record = next_record(rest);
  if (record && !filter_.paths.empty()) judge_file(*record);
  if (record && orderer_.bytes_of(ring) <= share_ && orderer_.push(*record, ring)) {
    records_++;
    bytes_ += record->size();
    return true;
  }
  if (record && !std::exchange(must_lose_, false)) {
    waiting_ns_ = std::min<uint64_t>(waiting_ns_, view<wire_header>(*record)->time_ns);
    return false;
  }
  unordered_lost_++;
  return true;
}

// Rings may hold more than the orderer, if this process was stopped for a while: then all of them are
// emptied in turns, each by its share, up to what the one that is furthest behind has still to tell.
Status Capture::drain(uint64_t now) {
  share_ = orderer_.capacity() / (2 * std::max<size_t>(1, session_.ring_count()));
  waiting_ns_ = WIRE_UNKNOWN;
  const uint64_t taken = records_;
  session_.drain([&](Record bytes, uint32_t ring) { return take(bytes, ring); });
  const size_t kept = orderer_.size();
  bool presses = false;
  session_.each_word_ring([&](const WordRing& ring, uint32_t) { presses |= ring.presses(); });
  const uint64_t settled = now - (presses ? kShortWindow : kOrderWindow);
  if (Status handed = hand_on(std::min(waiting_ns_, settled)); !handed) return handed;
  if (!waits() || records_ > taken || orderer_.size() < kept) return {};
  if (Status handed = hand_on(std::min(waiting_ns_, now)); !handed) return handed;
  must_lose_ = orderer_.size() == kept;  // time stands still between CPUs (a clock that jumped)
  return {};
}

Status Capture::hand_on(uint64_t until_ns) {
  sources_.clear();
  session_.each_word_ring([&](const WordRing& ring, uint32_t number) { sources_.push_back({ring.waiting(), number}); });
  Status released = orderer_.release(until_ns, sources_, [&](const Orderer::Run& run) {
    Status appended = spool_.append(run.bytes);
    if (WordRing* ring = session_.word_ring(run.ring)) {
      ring->take(run.bytes.size());
      records_ += run.records;
      bytes_ += run.bytes.size();
    }
    return appended;
  });
  session_.each_word_ring([](WordRing& ring, uint32_t) { ring.publish(); });
  return released;
}

void Capture::note_loss(uint64_t now, uint32_t cause, uint64_t count) {
  wire_loss_record record{};
  record.header = {.time_ns = now, .kind = WIRE_LOSS, .size = sizeof record, .cpu = 0};
  record.count = count;
  record.cause = cause;
  if (!orderer_.push(bytes_of(record), 0)) return;  // it is said the next time
  lost_ += count;
  unsaid_[cause] = 0;
}

void Capture::note_losses(uint64_t now) {
  const KernelCounters counters = session_.counters();
  for (uint32_t cause = 0; cause < WIRE_LOSS_CAUSES; cause++)
    unsaid_[cause] += counters.losses[cause] - std::min(counters.losses[cause], seen_.losses[cause]);
  seen_ = counters;
  unsaid_[WIRE_LOSS_EVICTED] += std::exchange(unordered_lost_, 0);
  for (uint32_t cause = 0; cause < WIRE_LOSS_CAUSES; cause++)
    if (unsaid_[cause] != 0) note_loss(now, cause, unsaid_[cause]);
}

Result<int> Capture::round() {
  const uint64_t now = monotonic_ns(), before = bytes_, since = std::exchange(round_ns_, now);
  if (Status drained = drain(now); !drained) return drained.error();
  if (now - losses_read_ns_ >= kLossPeriod) {
    note_losses(now);
    losses_read_ns_ = now;
  }
  if (now - handed_over_ns_ >= kHandOverPeriod) {
    if (Status over = spool_.hand_over(); !over) return over.error();
    handed_over_ns_ = now;
  }
  if (waits()) return 0;
  return static_cast<int>(pause(bytes_ - before, now - since) / kMs);
}

// Until a 64th of a ring has come, an eighth of one of words, at the rate of the last round.
uint64_t Capture::pause(uint64_t bytes, uint64_t ns) const {
  const uint64_t room = session_.ring_bytes() / 64;
  if (ns >= 1'000 * kMs || bytes * kLongestPause <= room * ns) return kLongestPause;
  return std::max(kShortestPause, room * ns / bytes);
}

Status Capture::finish(wire_stop reason, uint64_t missed) {
  do {
    if (Status drained = drain(monotonic_ns()); !drained) return drained;
  } while (waits());
  if (Status handed = hand_on(WIRE_UNKNOWN); !handed) return handed;  // there is room for the losses then
  const uint64_t now = monotonic_ns();
  unsaid_[WIRE_LOSS_COMPLETION] += missed;
  note_losses(now);
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
