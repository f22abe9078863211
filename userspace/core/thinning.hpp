// Thinning: which requests a recording lists one by one. Its summary counts them all.
//
// Rules: a request is left out if the page cache alone served it at once (detail: misses), or by a hash of its
// id (sample: one of so many, without a memory and without a rhythm that a program's own could meet). What devices
// did is listed if one of the requests that it was done for is, or may be, listed; a flow, if the request is that
// took the bytes away. Names, losses and the end always pass.
#pragma once

#include <cstdint>
#include <string>

#include "core/sink.hpp"

namespace iohops {

struct Thinning {
  bool misses_only = false;  // writes, errors and whatever waited are listed, too
  uint64_t one_of = 1;

  bool lists_all() const { return !misses_only && one_of <= 1; }
  std::string text() const;  // "misses", "1/10", "misses, 1/10"; empty: all are listed
};

class ThinSink : public Sink {
 public:
  ThinSink(const Thinning& thinning, Sink& next) : thinning_(thinning), next_(next) {}

  Status header(const Header& header) override { return next_.header(header); }
  Status process(const Process& process) override { return next_.process(process); }
  Status file(const File& file) override { return next_.file(file); }
  Status request(const Request&) override;
  Status transfer(const Transfer&) override;
  Status effect(const Effect&) override;
  Status flow(const Flow&) override;
  Status loss(const Loss& loss) override { return next_.loss(loss); }

  uint64_t left_out() const { return left_out_; }  // requests, so far

 private:
  bool sampled(const RequestId& id) const;
  bool sampled(const std::vector<Share>& owners) const;

  Thinning thinning_;
  Sink& next_;
  uint64_t left_out_ = 0;
};

}  // namespace iohops
