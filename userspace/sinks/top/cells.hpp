// How a figure of top is written, on the screen and in batch rows alike.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/top/model.hpp"

namespace iohops {

// The cell of a column; text::kUnknown where there is no value. Escaped.
std::string top_cell(const TopRow&, TopColumn, bool utf8);
// Columns that its cells take; figures never need more. Of names: the least that is useful.
size_t top_column_width(TopColumn);
std::string_view top_column_title(const TopModel&, TopColumn);
bool stands_left(TopColumn);  // names; figures stand right

struct TopTotal {
  std::string text;
  bool warn = false;
};
// "61.2 k req/s", "480 MB/s", ...: one string a figure, the most telling first.
std::vector<TopTotal> top_totals(const TopModel&);

}  // namespace iohops
