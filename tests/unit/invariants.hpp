// Invariants: a Sink that checks what must hold for every trace, whatever happened in it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/sink.hpp"

namespace iohops::test {

class Invariants : public Sink {
 public:
  Status process(const Process& process) override;
  Status file(const File& file) override;
  Status request(const Request& request) override;
  Status transfer(const Transfer& transfer) override;
  Status flow(const Flow& flow) override;
  Status effect(const Effect& effect) override;

  // Everything that does not hold, one sentence each; references are checked here, at the end.
  std::vector<std::string> violations() const;

 private:
  void expect(bool holds, const std::string& what);
  void check_hops(const Request& request, const std::string& name);

  std::vector<std::string> found_;
  std::set<uint32_t> files_;
  std::set<RequestId> requests_;
  std::map<uint64_t, uint64_t> transfers_;      // id -> bytes
  std::map<uint64_t, uint64_t> moved_by_hops_;  // transfer id -> bytes in requests' hops
  std::set<RequestId> named_;                   // as owners
  std::set<uint64_t> named_transfers_;
};

}  // namespace iohops::test
