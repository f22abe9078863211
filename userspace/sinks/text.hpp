// How figures, names and columns are written for a person. Sees numbers and raw names; does not see
// where they come from nor where the text goes. Everything that is returned is safe to print: names
// are escaped first, and widths are counted in terminal columns of the escaped text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace iohops::text {

inline constexpr std::string_view kUnknown = "-";  // what stands where nothing is known

// Names come from other programs: control bytes (C0, DEL, C1), bidirectional controls, line
// separators and bytes that are no UTF-8 become \xNN, a backslash becomes two (so that the escape
// cannot be forged). Without `utf8` (a terminal of another locale) every byte above 0x7e does.
std::string escape(std::string_view raw, bool utf8 = true);

// Terminal columns of text that `escape` returned.
size_t width(std::string_view escaped);
std::string clip(std::string_view escaped, size_t columns);         // "abcdefg~"
std::string clip_middle(std::string_view escaped, size_t columns);  // "/var/lib~/2619": both ends
                                                                    // say most about a path
std::string pad_left(std::string_view escaped, size_t columns);     // text to the right
std::string pad_right(std::string_view escaped, size_t columns);

std::string grouped(uint64_t n);              // 4,410
std::string bytes(uint64_t n);                // 512 B, 64.0 KiB, 1.31 GiB: three digits or four
std::string duration(uint64_t ns);            // 840 ns, 3.1 us, 1.9 ms, 12.4 s, 3 min 20 s
std::string rate(double per_second);          // 0.4, 12.0, 980, 41.1 k, 1.20 M
std::string megabytes(double per_second);     // MB (10^6) with one digit: 0.0, 322.0
std::string ratio(double x);                  // 0.07, 1.00, 12.4, 256, 34,328, 2.00 M
std::string percent(double part, double of);  // 93.8; kUnknown if of == 0. Never rounds up to 100.0

std::string words(std::string_view name);  // "page_cache" -> "page cache"

enum class Style : uint8_t { kPlain, kBold, kDim, kGood, kWarn };

// ANSI colours or none: no text depends on them.
class Paint {
 public:
  explicit Paint(bool on) : on_(on) {}
  std::string operator()(Style style, std::string_view text) const;

 private:
  bool on_;
};

// Rows of cells under titles, aligned by terminal width. One column may be elastic: it is clipped
// in the middle so that a row fits the width, all others keep what they need.
class Table {
 public:
  enum class Align : uint8_t { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kRight;
    bool elastic = false;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void row(std::vector<std::string> cells);  // escaped; as many as columns
  bool empty() const { return rows_.empty(); }
  // One line per row, the titles first, no newline at the end and no blanks before it.
  std::vector<std::string> lines(size_t columns, size_t indent = 2) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace iohops::text
