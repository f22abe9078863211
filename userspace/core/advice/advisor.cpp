#include "core/advice/advisor.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace iohops {
namespace {

// Less than this is not worth a change of the program.
constexpr uint64_t kWorthwhile = 64 << 10;
constexpr size_t kEntries = 20;  // as many as anybody reads

const char* how(const Flow& flow) {
  if (flow.advice == "sendfile")
    return "sendfile(2) hands the pages of the file to the socket: no copy, one call instead of two; "
           "only if the program need not see or change the bytes";
  if (flow.advice == "copy_file_range")
    return "copy_file_range(2) copies once inside the kernel, or not at all where the file system can "
           "share blocks; only if the program need not see or change the bytes";
  return "splice(2) by way of a pipe moves the pages; only if the program need not see or change the bytes";
}

}  // namespace

Status Advisor::file(const File& file) {
  facts_.add(file);
  return {};
}

Status Advisor::request(const Request& request) {
  facts_.add(request);
  return {};
}

Status Advisor::flow(const Flow& flow) {
  facts_.add(flow);
  const std::pair key{flow.from_file, flow.to_file};
  const auto known = relays_.find(key);
  if (known == relays_.end() && relays_.size() >= kRelays) return {};
  Relay& relay = known != relays_.end() ? known->second : relays_[key];
  relay.totals.add(flow);
  relay.proof.add(flow.from);
  return {};
}

void Advisor::relays(std::vector<AdviceEntry>& out) const {
  for (const auto& [files, relay] : relays_) {
    const FlowTotals& t = relay.totals;
    const Flow& flow = t.first;
    if (flow.advice.empty() || t.bytes < kWorthwhile) continue;
    // One call is left for each flow; of the copies none, or one where a file is the target. Where O_DIRECT has
    // spared them already, there is nothing to gain.
    const bool one_left = flow.advice == "copy_file_range";
    const uint64_t saved = t.cpu_copies - (one_left ? std::min(t.cpu_copies, t.flows) : 0);
    if (saved == 0) continue;
    AdviceEntry entry;
    entry.id = "relay";
    entry.title = fmt::format("{} read from {} are written on to {} from the same memory ({})", in_units(t.bytes),
                              facts_.name(flow.from_file), facts_.name(flow.to_file), name(flow.evidence));
    entry.how = how(flow);
    entry.evidence = relay.proof.list();
    entry.saves_cpu_copies = saved;
    entry.saves_bytes = t.copied_bytes - (one_left ? std::min(t.copied_bytes, t.bytes) : 0);
    entry.saves_mode_switches = t.mode_switches - std::min(t.mode_switches, 2 * t.flows);
    out.push_back(std::move(entry));
  }
}

std::vector<AdviceEntry> Advisor::advise() const {
  std::vector<AdviceEntry> out;
  relays(out);
  for (const auto& [key, file] : facts_.files()) advise_on_file(facts_, key, file, out);
  advise_on_all(facts_, out);
  // What saves most comes first; the kinds keep their order.
  std::stable_sort(out.begin(), out.end(), [](const AdviceEntry& a, const AdviceEntry& b) {
    return std::pair(a.saves_bytes, a.saves_mode_switches) > std::pair(b.saves_bytes, b.saves_mode_switches);
  });
  if (out.size() > kEntries) out.resize(kEntries);
  return out;
}

}  // namespace iohops
