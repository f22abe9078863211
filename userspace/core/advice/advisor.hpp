// Advisor: what would save copies, bytes, mode switches or waiting in the traced program, each advice
// with requests that prove it. Sees the records of a trace, live or replayed; silent when nothing is
// wrong. The rules and their thresholds are in rules.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/advice/facts.hpp"
#include "core/sink.hpp"

namespace iohops {

class Advisor : public Sink {
 public:
  Status file(const File& file) override;
  Status request(const Request& request) override;
  Status flow(const Flow& flow) override;

  // No records follow. What saves most comes first.
  std::vector<AdviceEntry> advise() const;

 private:
  static constexpr size_t kRelays = 10'000;
  struct Relay {
    FlowTotals totals;
    Proof proof;
  };

  void relays(std::vector<AdviceEntry>& out) const;

  Facts facts_;
  std::map<std::pair<uint32_t, uint32_t>, Relay> relays_;  // from one file to another
};

// rules.cpp: what one file or the whole trace gives reason to advise.
void advise_on_file(const Facts& facts, Facts::Key key, const FileFacts& file,
                    std::vector<AdviceEntry>& out);
void advise_on_all(const Facts& facts, std::vector<AdviceEntry>& out);
std::string in_units(uint64_t bytes);  // "4096 bytes", "32.0 MiB"

}  // namespace iohops
