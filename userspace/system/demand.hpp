// Demand: whether threads wait for a CPU at this moment.
#pragma once

#include "system/unique_fd.hpp"

namespace iohops {

// Of the whole machine, from /proc/loadavg, whose fourth field counts the threads that run or want to: one line,
// where /proc/stat has one for each CPU and each interrupt. Priorities do not serve instead: between sessions
// (autogroups) and control groups they say nothing, and every server has one of its own.
class Demand {
 public:
  Demand();
  // More threads than CPUs, the caller's own among them. False also where it cannot be told.
  bool exceeds() const;

 private:
  UniqueFd file_;
  long cpus_;
};

}  // namespace iohops
