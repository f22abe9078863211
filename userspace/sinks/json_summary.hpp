// The summary record as JSON text and back. It is written once, so it is built as a tree.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "core/model/model.hpp"
#include "core/model/summary.hpp"

namespace iohops {

class Fields;

// One line, no newline. `paths` names the files that it lists, where known.
std::string summary_json(const Summary&, const std::unordered_map<uint32_t, std::string>& paths);

// From the parsed object: what is wrong is told by the fields. Ratios and percentiles are not read,
// they follow from the rest.
Summary read_summary(Fields&);
Flow read_flow(Fields&);

}  // namespace iohops
