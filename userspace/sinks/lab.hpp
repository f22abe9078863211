// The lab's result for a person and for a program. Sees rows only.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "core/lab/paths.hpp"
#include "core/lab/proofs.hpp"

namespace iohops {

// A table with measured beside textbook, then what is to be said of single rows.
std::string lab_table(std::span<const LabRow> rows, bool color, size_t columns);
// One document: {"format": "iohops-lab", "version": "1.0", "paths": [...], "lost": {cause: records}}.
std::string lab_json(std::span<const LabRow> rows, const std::map<std::string, uint64_t>& lost);
// The same of advice that was put to the test; the document has "proofs" instead of "paths".
std::string proofs_table(std::span<const ProofRow> rows, bool color, size_t columns);
std::string proofs_json(std::span<const ProofRow> rows, const std::map<std::string, uint64_t>& lost);
// Names and what each does, a line each.
std::string lab_list();

}  // namespace iohops
