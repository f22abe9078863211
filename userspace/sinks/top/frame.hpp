// Frame: what top shows, as styled text: a pure function of the model and the size of the screen.
// Sees no terminal.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/top/model.hpp"

namespace iohops {

enum class TopStyle : uint8_t { kPlain, kBold, kDim, kTitle, kSorted, kSelected, kGood, kWarn };

struct TopSpan {
  TopStyle style = TopStyle::kPlain;
  std::string text;  // escaped
};

using TopLine = std::vector<TopSpan>;

// At most `height` lines of at most `width` columns.
struct TopFrame {
  std::vector<TopLine> lines;
  struct Cursor {
    size_t line, column;
  };
  std::optional<Cursor> cursor;  // where text is being typed

  std::string text() const;  // without styles, one line per row, no blanks at line ends
};

TopFrame top_frame(const TopModel&, size_t width, size_t height, bool utf8 = true);
size_t top_table_rows(size_t height);  // how many rows of the table fit

}  // namespace iohops
