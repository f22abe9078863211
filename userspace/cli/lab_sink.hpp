// LabSink: adds up the requests of each of the lab's programs, between its begin and its end, and
// gathers what gives reason to advise.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/advice/advisor.hpp"
#include "core/lab/paths.hpp"
#include "core/sink.hpp"
#include "system/lab/program.hpp"

namespace iohops {

class LabSink : public Sink {
 public:
  LabSink(const std::vector<lab::Outcome>& outcomes, uint64_t start_ns);

  Status file(const File& file) override;
  Status request(const Request& request) override;
  Status flow(const Flow& flow) override;
  Status loss(const Loss& loss) override;

  const std::map<std::string, uint64_t>& lost() const { return lost_; }  // records, by cause
  const LabFigures& figures(size_t program) const { return windows_[program].figures; }
  std::vector<AdviceEntry> advice(size_t program) const { return windows_[program].advisor.advise(); }

 private:
  struct Window {
    uint32_t pid = 0;
    uint64_t begin = 0, end = 0;  // ns since the start of the trace
    LabFigures figures;
    Advisor advisor;
  };
  std::vector<Window> windows_;
  std::map<std::string, uint64_t> lost_;
};

}  // namespace iohops
