// Ledger: everything a rebuild hands out, to ask questions of. Sees the model; no record.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "core/sink.hpp"
#include "invariants.hpp"

namespace iohops::test {

inline constexpr uint32_t kApp = 100;  // the traced process and its first thread

// Keeps everything a rebuild hands out, and checks the invariants.
class Ledger : public Sink {
 public:
  Status process(const Process& process) override;
  Status file(const File& file) override;
  Status request(const Request& request) override;
  Status transfer(const Transfer& transfer) override;
  Status effect(const Effect& effect) override;
  Status flow(const Flow& flow) override;
  Status loss(const Loss& loss) override;

  std::vector<Process> processes;
  std::vector<File> files;
  std::vector<Request> requests;
  std::vector<Transfer> transfers;
  std::vector<Effect> effects;
  std::vector<Flow> flows;
  std::vector<Loss> losses;
  Invariants invariants;

  const Request& request_of(uint64_t seq, uint32_t pid = kApp) const;
  const Transfer& transfer_of(uint64_t id) const;
  // Everything as text, one line a record: two ledgers are the same if their texts are.
  std::string text() const;

 private:
  std::deque<std::string> comms_;
};

// The bytes of the request's hops of this kind between these endpoints; 0: none.
uint64_t hop_bytes(const Request& request, HopKind kind, Endpoint from, Endpoint to);
uint64_t dma_bytes(const Request& request, Cause cause);

}  // namespace iohops::test
