// Session: the BPF programs of one trace, from load to detach. With system/features and system/ring
// the only user of libbpf. Sees the plan; does not interpret records.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bpf/wire_tally.h"
#include "core/filter.hpp"
#include "core/plan.hpp"
#include "core/result.hpp"
#include "system/devices.hpp"
#include "system/halves.hpp"
#include "system/ring.hpp"
#include "system/word_ring.hpp"

struct iohops_bpf;
struct bpf_link;
struct bpf_program;

namespace iohops {

struct SessionOptions {
  std::vector<uint32_t> pids;  // empty: `all`
  bool all = false;
  bool follow = false;
  bool from_exec = false;  // the one pid is a command that has not run yet: trace from its exec on
  bool tally = false;      // top: add up in the kernel
  std::optional<uint64_t> ring_bytes;  // of one ring; unset: 8 MiB, less with many CPUs
  std::vector<std::pair<uint32_t, uint64_t>> own_files;  // (kernel dev_t, inode) never traced
  EarlyFilter filter;
  std::vector<BlockDevice> devices;    // all of this machine
  std::vector<std::string> libraries;  // C libraries whose streams are watched
};

struct KernelCounters {
  std::array<uint64_t, WIRE_LOSS_CAUSES> losses{};  // since the load, by enum wire_loss
};

struct TallyRow {
  wire_tally_key key;
  wire_tally tally;
};

// Order of use: load, attach, arm, (drain...), disarm, (drain until bios_in_flight() is 0 or time
// is up), detach, close_leftovers, last drain. The end-of-life hooks are attached first and arming
// is one store, last: no request is seen whose end could be missed. Nothing is pinned: if the
// process dies, the kernel takes everything away.
class Session {
 public:
  // Programs that the kernel refuses are disabled in `plan` with the reason; an error only if no
  // trace is possible without them.
  static Result<std::unique_ptr<Session>> load(const SessionOptions& options, Plan& plan);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Status attach(Plan& plan);
  uint64_t arm();  // CLOCK_MONOTONIC ns, the trace's zero
  // After arm(), of a process that ended before it: its number may already be another one's.
  void drop_target(uint32_t pid);
  void disarm();
  void detach();
  void close_leftovers();

  std::vector<RingReader>& rings() { return rings_; }
  // Whether the kernel still lets this process look into its maps.
  bool maps_answer() const;
  KernelCounters counters() const;
  size_t bios_in_flight() const;
  bool targets_left() const;  // SCOPE_SET: a traced process is alive
  std::vector<TallyRow> tallies() const;
  // Of EarlyFilter's paths: requests on this file are dropped from now on.
  void drop_file(uint32_t alias);
  // Run time of all programs; nullopt unless kernel.bpf_stats_enabled is set.
  std::optional<uint64_t> bpf_run_ns() const;
  uint64_t ring_peak_bytes() const { return ring_peak_; }
  // What the fullest ring would have had to hold for nothing to be lost, at the pace at which it
  // was drained; 0: the rings refused nothing.
  uint64_t ring_wanted_bytes() const { return ring_wanted_; }
  size_t ring_count() const { return rings_.size() + word_rings_.size(); }
  uint64_t ring_bytes() const { return rings_.empty() ? 0 : rings_.front().bytes(); }

  // All committed records of all ring buffers: `bool f(std::span<const std::byte>, uint32_t ring)`; false:
  // no more of this ring for now.
  template <typename F>
  void drain(F&& f) {
    uint32_t at = 0;
    const auto hand_on = [&](std::span<const std::byte> record) { return f(record, at); };
    for (; at < rings_.size(); at++) {
      const uint64_t filled = rings_[at].filled(), refused = refused_bytes(at);
      ring_peak_ = std::max(ring_peak_, filled);
      rings_[at].drain(hand_on);
      note_refused(at, filled, refused);
    }
  }
  // The rings of words, each with its number, which follow those of the ring buffers.
  template <typename F>
  void each_word_ring(F&& f) {
    auto number = static_cast<uint32_t>(rings_.size());
    for (WordRing& ring : word_rings_) f(ring, number++);
  }
  WordRing* word_ring(uint32_t number) {
    return number < rings_.size() ? nullptr : &word_rings_[number - rings_.size()];
  }

 private:
  Session() = default;
  Status map_word_rings();
  std::vector<bpf_program*> programs() const;  // that are loaded
  void attach_page_faults(const bpf_program* program, Plan& plan);
  void attach_streams(const bpf_program* program, Plan& plan);
  void check_copies(Plan& plan);
  uint64_t recursion_misses() const;
  uint64_t refused_bytes(size_t ring) const;
  void note_refused(size_t ring, uint64_t filled, uint64_t refused);

  struct Destroy {
    void operator()(iohops_bpf* skeleton) const;
    void operator()(bpf_link* link) const;
  };
  SessionOptions options_;
  std::unique_ptr<iohops_bpf, Destroy> skeleton_;
  ObjectPtr second_;  // nullptr: skeleton_ has all programs
  std::vector<std::pair<std::string, std::unique_ptr<bpf_link, Destroy>>> links_;  // by program
  std::vector<RingReader> rings_;
  std::vector<uint64_t> refused_;     // by ring: when the drain before began
  std::vector<WordRing> word_rings_;  // by use (bpf/words.h) and CPU
  uint64_t ring_peak_ = 0;
  uint64_t ring_wanted_ = 0;
};

}  // namespace iohops
