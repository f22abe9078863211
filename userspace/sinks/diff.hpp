// Two summaries side by side, with the change. Sees summaries; does not know where they come from.
#pragma once

#include <cstddef>
#include <string>

#include "core/model/summary.hpp"

namespace iohops {

struct Compared {
  std::string name;  // of the recording, raw bytes
  Summary summary;
};

struct DiffOptions {
  size_t width = 100;
  bool color = false;
  bool utf8 = true;
};

// Figures that do not depend on how long a trace is come first; a change is told in percent of before.
std::string diff_text(const Compared& before, const Compared& after, const DiffOptions& options);
// One document: {"format": "iohops-diff", "version": "1.0", "before", "after", "figures": {NAME: {"before", "after"}},
// "by_op": {OP: {NAME: {"before", "after"}}}}. null: there is no such figure in that recording.
std::string diff_json(const Compared& before, const Compared& after);

}  // namespace iohops
