// The lab's result for a person and for a program. Sees rows only.
#pragma once

#include <span>
#include <string>

#include "core/lab/paths.hpp"

namespace iohops {

// A table with measured beside textbook, then what is to be said of single rows.
std::string lab_table(std::span<const LabRow> rows, bool color, size_t columns);
// One document: {"format": "iohops-lab", "version": "1.0", "paths": [...]}.
std::string lab_json(std::span<const LabRow> rows);
// Names and what each does, a line each.
std::string lab_list();

}  // namespace iohops
