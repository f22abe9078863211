// Advice put to the test: a program, the same after the advised change, and whether the saving that
// was predicted came true. Pure: sees figures only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/lab/paths.hpp"
#include "core/model/summary.hpp"

namespace iohops {

struct LabProof {
  std::string_view advice;  // its id
  std::string_view before;  // programs of the lab
  std::string_view after;
  std::string_view change;  // what was changed, one line
};
std::span<const LabProof> lab_proofs();

struct ProofRow {
  const LabProof* proof = nullptr;
  std::string title;  // of the advice, raw bytes; empty: it was not given
  uint64_t predicted_copy_bytes = 0, saved_copy_bytes = 0;
  uint64_t predicted_switches = 0, saved_switches = 0;
  bool came_true = false;
  std::string why;  // not
};

// `advice`: what the trace of the first program gave. A prediction has come true if what was saved is
// within a tenth of it.
ProofRow judge(const LabProof& proof, const std::vector<AdviceEntry>& advice, const LabFigures& before,
               const LabFigures& after);

}  // namespace iohops
