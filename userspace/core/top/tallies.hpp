// TopTallies: from absolute tallies to what happened in the last interval. Sees the kernel's rows
// per (process, file, operation, direct) and the names; does not see views, order or the screen.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "core/model/model.hpp"
#include "core/top/columns.hpp"

namespace iohops {

struct TopTally {
  wire_tally_key key;
  wire_tally value;  // summed over CPUs, since tracing began
};

// One interval's worth of facts.
struct TopSample {
  uint64_t elapsed_ns = 0;  // since the sample before; of the first one: since tracing began
  std::span<const TopTally> tallies;
  uint64_t lost = 0;            // since tracing began
  double self_cpu_percent = 0;  // of one CPU, in the interval
  std::string clock = {};       // wall time for the headline, empty: none
};

// The difference of one kernel row over the interval, with the file behind its alias.
struct TopDelta {
  uint32_t pid = 0;
  uint64_t file = 0;  // identity: aliases of the same inode share it. 0: no file
  uint16_t op = 0;
  TopFigures figures;
};

// Assumption: the kernel writes back what a process dirtied after the fact, in rows of nobody
// (tgid 0). Rule: they are charged to the process that wrote the file if only one of those traced
// did; else they stay nobody's. Names are kept for kMaxNames files and processes; beyond that a row
// shows its number.
class TopTallies {
 public:
  static constexpr size_t kMaxNames = 100'000;

  void name_process(const Process&);
  void name_file(uint32_t alias, const File&);  // alias as in wire_tally_key.file

  // What happened since the sample before, one row per tally, idle ones included. A tally that
  // vanished and comes back begins anew: a counter never runs backwards into a figure.
  std::vector<TopDelta> update(const TopSample&);

  const Process* process(uint32_t pid) const;
  const File* file(uint64_t identity) const;

 private:
  struct KeyHash {
    size_t operator()(const wire_tally_key&) const;
  };
  struct KeyEqual {
    bool operator()(const wire_tally_key&, const wire_tally_key&) const;
  };
  struct Known {
    wire_tally value;
    uint64_t generation;  // of the last sample that had it
  };

  TopFigures difference(const wire_tally_key&, const wire_tally& now,
                        const wire_tally& before) const;
  void find_sole_writers(std::span<const TopTally>);
  uint32_t charged_pid(const wire_tally_key&, uint64_t file) const;
  uint64_t identity(uint32_t alias) const;

  std::unordered_map<wire_tally_key, Known, KeyHash, KeyEqual> known_;
  std::unordered_map<uint32_t, Process> processes_;
  std::unordered_map<uint32_t, uint64_t> identities_;  // alias -> identity
  std::unordered_map<uint64_t, File> files_;           // identity -> file
  std::map<std::tuple<uint32_t, uint64_t, uint32_t>, uint64_t> inodes_;
  std::unordered_map<uint64_t, uint32_t> sole_writer_;  // identity -> pid; 0: several
  uint64_t generation_ = 0;
};

}  // namespace iohops
