// Sink: whoever consumes a rebuilt trace (JSON writer, report, summarizer, tests). The rebuild and
// the JSON reader both drive it: header first, then names before their first use, finish last. A
// call that fails (disk full) returns an error; the driver stops and reports it.
#pragma once

#include "core/model/model.hpp"
#include "core/model/summary.hpp"
#include "core/result.hpp"

namespace iohops {

class Sink {
 public:
  virtual ~Sink() = default;
  virtual Status header(const Header&) { return {}; }
  virtual Status process(const Process&) { return {}; }  // again when it execs, is renamed or exits
  virtual Status file(const File&) { return {}; }
  virtual Status request(const Request&) { return {}; }
  virtual Status transfer(const Transfer&) { return {}; }
  virtual Status effect(const Effect&) { return {}; }
  virtual Status flow(const Flow&) { return {}; }
  virtual Status loss(const Loss&) { return {}; }
  virtual Status summary(const Summary&) { return {}; }
  // No more calls follow. `truncated`: the input ended without a summary.
  virtual Status finish(bool truncated) {
    (void)truncated;
    return {};
  }
};

}  // namespace iohops
