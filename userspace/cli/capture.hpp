// Capture: from the rings to the spool: drain, put in time order, note what was lost. Knows nothing
// of outputs; runs on the thread that must never block.
#pragma once

#include <array>
#include <cstdint>
#include <ctime>
#include <span>
#include <vector>

#include "bpf/wire.h"
#include "core/order.hpp"
#include "core/result.hpp"
#include "system/session.hpp"
#include "system/spool.hpp"

namespace iohops {

int64_t clock_ns(clockid_t clock);  // as clock_gettime(2) has it
uint64_t monotonic_ns();

// This thread, which takes a few percent of a CPU, before others: on a machine with more work than
// CPUs it must not wait for a turn while the rings fill. Without the right to, it goes on as it is.
// Gives the priority from before, for threads that it starts.
int take_precedence();

// How far other clocks are ahead of the one that traces use. The first grows while the machine is
// suspended, the second changes when the wall clock is set; adjtime() turns all alike.
struct ClockOffsets {
  int64_t boot_ns = 0;  // CLOCK_BOOTTIME - CLOCK_MONOTONIC
  int64_t wall_ns = 0;  // CLOCK_REALTIME - CLOCK_BOOTTIME

  static ClockOffsets now();
};

class Capture {
 public:
  // `filter`: files that it excludes by path are dropped at their source from their name on.
  // `order_bytes` bound what waits to be put in order.
  Capture(Session& session, Spool& spool, EarlyFilter filter,
          size_t order_bytes = size_t{64} << 20);

  void start(uint64_t start_ns);
  // One round. Tells how long to wait before the next, in milliseconds.
  Result<int> round();
  // After the programs are detached: everything that is left, then the collector's last record.
  // `missed`: bios whose completion never came.
  Status finish(wire_stop reason, uint64_t missed);

  uint64_t lost() const { return lost_; }
  uint64_t records() const { return records_; }
  double ring_percent() const;  // fill of the fullest ring at its peak

 private:
  Status drain(uint64_t now);
  uint64_t pause(uint64_t bytes, uint64_t ns) const;
  bool waits() const { return waiting_ns_ != WIRE_UNKNOWN; }
  bool take(Record record, uint32_t ring);
  void judge_file(Record record);
  Status hand_on(uint64_t until_ns);
  void note_losses(uint64_t now);
  void note_loss(uint64_t now, uint32_t cause, uint64_t count);

  Session& session_;
  Spool& spool_;
  EarlyFilter filter_;
  Orderer orderer_;
  std::vector<Orderer::Source> sources_;  // the rings of words
  KernelCounters seen_;
  ClockOffsets clocks_;  // at the start
  uint64_t start_ns_ = 0;
  uint64_t cpu_before_ = 0;
  uint64_t records_ = 0;
  uint64_t bytes_ = 0;
  uint64_t lost_ = 0;
  uint64_t unordered_lost_ = 0;
  size_t share_ = 0;               // bytes of one ring that may wait to be put in order
  uint64_t waiting_ns_ = WIRE_UNKNOWN;  // the earliest record that was left in its ring for want of room
  bool must_lose_ = false;         // what finds no room now never will
  std::array<uint64_t, WIRE_LOSS_CAUSES> unsaid_{};  // losses, by cause
  uint64_t round_ns_ = 0;  // when the last one began
  uint64_t losses_read_ns_ = 0;
  uint64_t handed_over_ns_ = 0;
};

}  // namespace iohops
