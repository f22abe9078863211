#include "cli/lab_sink.hpp"

#include <algorithm>

namespace iohops {

LabSink::LabSink(const std::vector<lab::Outcome>& outcomes, uint64_t start_ns) {
  for (const lab::Outcome& outcome : outcomes) {
    // One that failed half-way has no end.
    const uint64_t end = std::max(outcome.end_ns, outcome.begin_ns);
    Window& window = windows_.emplace_back();
    window.pid = outcome.pid;
    window.begin = outcome.begin_ns - start_ns;
    window.end = end - start_ns;
    window.figures.bytes = outcome.bytes;
    window.figures.rounds = outcome.rounds;
    window.figures.duration_ns = end - outcome.begin_ns;
  }
}

Status LabSink::file(const File& file) {
  for (Window& window : windows_)
    if (Status told = window.advisor.file(file); !told) return told;
  return {};
}

Status LabSink::request(const Request& request) {
  for (Window& window : windows_) {
    if (window.pid != request.id.pid || request.start_ns < window.begin || request.start_ns > window.end)
      continue;
    LabFigures& f = window.figures;
    f.requests++;
    f.cpu_copy_bytes += request.cpu_copy_bytes;
    f.dma_bytes += request.dma_bytes;
    f.mode_switches += request.mode_switches;
    f.complete = f.complete && request.complete;
    return window.advisor.request(request);
  }
  return {};
}

// What a program does before and after its measured part carries nothing on.
Status LabSink::flow(const Flow& flow) {
  for (Window& window : windows_)
    if (window.pid == flow.from.pid) return window.advisor.flow(flow);
  return {};
}

Status LabSink::loss(const Loss& loss) {
  lost_[std::string(loss.cause)] += loss.count;
  return {};
}

}  // namespace iohops
