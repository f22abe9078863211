#include "core/lab/proofs.hpp"

#include <algorithm>

namespace iohops {
namespace {

constexpr LabProof kProofs[] = {
    {"relay", "read-write", "sendfile", "read(2) and write(2) become sendfile(2)"},
    {"small-requests", "read-small", "read-hot", "reads of 512 bytes become reads of 64 KiB"},
    {"sync-storm", "sync-each", "sync-once", "an fsync(2) for each write becomes one for all"},
};

bool within_a_tenth(uint64_t predicted, uint64_t saved) {
  const uint64_t away = predicted > saved ? predicted - saved : saved - predicted;
  return away * 10 <= predicted;
}

uint64_t less(uint64_t before, uint64_t after) { return before > after ? before - after : 0; }

}  // namespace

std::span<const LabProof> lab_proofs() { return kProofs; }

ProofRow judge(const LabProof& proof, const std::vector<AdviceEntry>& advice, const LabFigures& before,
               const LabFigures& after) {
  ProofRow row;
  row.proof = &proof;
  row.saved_copy_bytes = less(before.cpu_copy_bytes, after.cpu_copy_bytes);
  row.saved_switches = less(before.mode_switches, after.mode_switches);
  if (!before.complete || !after.complete) row.why = "some of the requests are incomplete";
  const auto given = std::find_if(advice.begin(), advice.end(),
                                  [&](const AdviceEntry& entry) { return entry.id == proof.advice; });
  if (given == advice.end()) {
    row.why = "the advice was not given";
    return row;
  }
  row.title = given->title;
  row.predicted_copy_bytes = given->saves_bytes;
  row.predicted_switches = given->saves_mode_switches;
  const bool as_predicted = within_a_tenth(row.predicted_copy_bytes, row.saved_copy_bytes) &&
                            within_a_tenth(row.predicted_switches, row.saved_switches);
  if (!as_predicted && row.why.empty()) row.why = "the saving is another one";
  row.came_true = row.why.empty();
  return row;
}

}  // namespace iohops
