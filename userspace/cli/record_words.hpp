// What `iohops record` says on stderr: that it traces, how far it is, what became of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/capture.hpp"
#include "cli/options.hpp"
#include "core/model/model.hpp"
#include "core/model/summary.hpp"
#include "system/process.hpp"
#include "system/spool.hpp"

namespace iohops {

// Says nothing at all with -q.
class RecordWords {
 public:
  explicit RecordWords(const RecordOptions& options) : options_(options) {}

  // `missing`: hooks that the kernel does not offer.
  void start(const Header& header, const std::vector<TargetProcess>& targets, size_t missing) const;
  // Once a second, if stderr is a terminal. `elapsed_ns` since the start of the trace.
  void progress(uint64_t elapsed_ns, uint64_t requests, const Capture& capture, const Spool& spool);
  // `bytes` were captured faster than they are written.
  void backlog(uint64_t bytes) const;
  void end(const Summary& summary, uint64_t ring_bytes) const;

 private:
  bool quiet() const { return options_.common.quiet; }

  const RecordOptions& options_;
  uint64_t told_ns_ = 0;
};

}  // namespace iohops
