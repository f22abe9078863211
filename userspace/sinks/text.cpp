// Writes figures, names and columns for a person. Sees numbers and raw names only.
#include "sinks/text.hpp"

#include <fmt/format.h>
#include <locale.h>
#include <wchar.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace iohops::text {
namespace {

struct Decoded {
  char32_t point = 0;
  size_t bytes = 0;  // 0: no UTF-8 starts here
};

// Strict: no overlong forms, no surrogates, nothing beyond U+10FFFF.
Decoded decode(std::string_view s) {
  const auto lead = static_cast<unsigned char>(s[0]);
  if (lead < 0x80) return {lead, 1};
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (bytes == 0 || lead > 0xf4 || s.size() < bytes) return {};
  char32_t point = lead & (0x7fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(s[i]);
    if ((next & 0xc0) != 0x80) return {};
    point = point << 6 | (next & 0x3fu);
  }
  constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < kSmallest[bytes] || point > 0x10ffff || surrogate) return {};
  return {point, bytes};
}

// The width of a character does not depend on the locale of the environment: the caller of
// escape() has already decided whether it can be shown.
int character_width(char32_t point) {
  if (point >= 0x20 && point < 0x7f) return 1;
  static const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (utf8 == nullptr) return 1;
  const locale_t before = uselocale(utf8);
  const int columns = wcwidth(static_cast<wchar_t>(point));
  uselocale(before);
  return columns;
}

// Characters that change what is seen around them, or nothing at all: U+061C and U+200B..U+200F
// (marks of direction, zero width), U+2028..U+202E (separators, embeddings), U+2060..U+206F
// (invisible operators, isolates), U+FEFF and the tag characters.
bool deceives(char32_t point) {
  const auto in = [point](char32_t first, char32_t last) {
    return point >= first && point <= last;
  };
  return point == 0x061c || point == 0xfeff || in(0x200b, 0x200f) || in(0x2028, 0x202e) ||
         in(0x2060, 0x206f) || in(0xe0000, 0xe007f);
}

// Three digits are what a person compares; the fraction shrinks as the number grows.
std::string three_digits(double x) {
  const int digits = x < 9.995 ? 2 : x < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}", x, digits);
}

// The longest beginning of at most `columns` columns, in bytes; `used` receives its width.
size_t prefix_bytes(std::string_view s, size_t columns, size_t& used) {
  size_t at = 0;
  used = 0;
  while (at < s.size()) {
    const Decoded next = decode(s.substr(at));
    const size_t wide = static_cast<size_t>(std::max(0, character_width(next.point)));
    if (used + wide > columns) break;
    used += wide;
    at += std::max<size_t>(next.bytes, 1);
  }
  return at;
}

// Clips what stands behind the blanks at the beginning, which set a row apart from its title.
std::string clip_indented(const std::string& cell, size_t columns) {
  const size_t blanks = std::min({cell.find_first_not_of(' '), cell.size(), columns});
  return cell.substr(0, blanks) +
         clip_middle(std::string_view(cell).substr(blanks), columns - blanks);
}

// Where the longest end of at most `columns` columns begins.
size_t suffix_start(std::string_view s, size_t columns) {
  size_t used = 0, at = s.size();
  while (at > 0) {
    size_t start = at - 1;
    while (start > 0 && (static_cast<unsigned char>(s[start]) & 0xc0) == 0x80) --start;
    used += static_cast<size_t>(std::max(0, character_width(decode(s.substr(start)).point)));
    if (used > columns) break;
    at = start;
  }
  return at;
}

}  // namespace

std::string escape(std::string_view raw, bool utf8) {
  std::string safe;
  safe.reserve(raw.size());
  for (size_t at = 0; at < raw.size();) {
    const auto byte = static_cast<unsigned char>(raw[at]);
    if (byte >= 0x20 && byte < 0x7f) {
      if (byte == '\\') safe += '\\';
      safe += raw[at++];
      continue;
    }
    const Decoded next = byte < 0x80 || !utf8 ? Decoded{} : decode(raw.substr(at));
    if (next.bytes > 0 && !deceives(next.point) && character_width(next.point) >= 0) {
      safe += raw.substr(at, next.bytes);
      at += next.bytes;
      continue;
    }
    // A whole character is escaped at once, so that what follows it starts a character again.
    for (size_t end = at + std::max<size_t>(next.bytes, 1); at < end; ++at)
      safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(raw[at]));
  }
  return safe;
}

size_t width(std::string_view escaped) {
  size_t columns = 0;
  prefix_bytes(escaped, std::string_view::npos, columns);
  return columns;
}

std::string clip(std::string_view escaped, size_t columns) {
  size_t used = 0;
  const size_t whole = prefix_bytes(escaped, columns, used);
  if (whole == escaped.size()) return std::string(escaped);
  if (columns == 0) return {};
  return std::string(escaped.substr(0, prefix_bytes(escaped, columns - 1, used))) + '~';
}

std::string clip_middle(std::string_view escaped, size_t columns) {
  if (width(escaped) <= columns) return std::string(escaped);
  if (columns == 0) return {};
  size_t used = 0;
  // The end of a path tells most: where there is little room there is no beginning.
  const size_t head = columns < 24 ? 0 : prefix_bytes(escaped, (columns - 1) / 4, used);
  const size_t tail = suffix_start(escaped, columns - 1 - used);
  return std::string(escaped.substr(0, head)) + '~' + std::string(escaped.substr(tail));
}

std::string pad_left(std::string_view escaped, size_t columns) {
  const size_t used = width(escaped);
  return std::string(columns > used ? columns - used : 0, ' ') + std::string(escaped);
}

std::string pad_right(std::string_view escaped, size_t columns) {
  const size_t used = width(escaped);
  return std::string(escaped) + std::string(columns > used ? columns - used : 0, ' ');
}

std::string grouped(uint64_t n) {
  std::string digits = std::to_string(n);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string bytes(uint64_t n) {
  if (n < 1024) return fmt::format("{} B", n);
  constexpr std::array<const char*, 6> kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  size_t unit = 0;
  double x = static_cast<double>(n) / 1024;
  for (; x >= 1023.5 && unit + 1 < kUnits.size(); ++unit) x /= 1024;
  return fmt::format("{} {}", three_digits(x), kUnits[unit]);
}

std::string duration(uint64_t ns) {
  if (ns < 1000) return fmt::format("{} ns", ns);
  const auto x = static_cast<double>(ns);
  const auto in = [](double value, const char* unit) {
    return fmt::format("{:.{}f} {}", value, value < 9.95 ? 1 : 0, unit);
  };
  if (x < 999.5e3) return in(x / 1e3, "us");
  if (x < 999.5e6) return in(x / 1e6, "ms");
  if (x < 59.95e9) return fmt::format("{:.1f} s", x / 1e9);
  const uint64_t seconds = (ns + 500'000'000) / 1'000'000'000;
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
}

std::string rate(double per_second) {
  if (per_second < 99.95) return fmt::format("{:.1f}", per_second);
  if (per_second < 999.5) return fmt::format("{:.0f}", per_second);
  if (per_second < 999.5e3) return three_digits(per_second / 1e3) + " k";
  if (per_second < 999.5e6) return three_digits(per_second / 1e6) + " M";
  return three_digits(per_second / 1e9) + " G";
}

std::string megabytes(double per_second) {
  if (per_second > 0 && per_second < 0.05e6) return "<0.1";
  return fmt::format("{:.1f}", per_second / 1e6);
}

std::string ratio(double x) {
  if (x > 0 && x < 0.005) return "<0.01";
  if (x >= 999'999.5) return rate(x);
  return x < 999.5 ? three_digits(x) : grouped(static_cast<uint64_t>(std::llround(x)));
}

std::string percent(double part, double of) {
  if (!(of > 0)) return std::string(kUnknown);
  const double x = 100 * part / of;
  if (x > 0 && x < 0.05) return "<0.1";
  return fmt::format("{:.1f}", x < 100 ? std::min(x, 99.9) : x);
}

std::string words(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

std::string Paint::operator()(Style style, std::string_view text) const {
  if (!on_ || style == Style::kPlain || text.empty()) return std::string(text);
  const int code = style == Style::kBold   ? 1
                   : style == Style::kDim  ? 2
                   : style == Style::kGood ? 32
                                           : 33;
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

void Table::row(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::vector<std::string> Table::lines(size_t columns, size_t indent) const {
  constexpr size_t kGap = 2;
  std::vector<size_t> widths;
  size_t total = indent;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t widest = width(columns_[i].title);
    for (const auto& row : rows_) widest = std::max(widest, width(row[i]));
    widths.push_back(widest);
    total += widest + (i > 0 ? kGap : 0);
  }
  for (size_t i = 0; i < columns_.size() && total > columns; ++i) {
    if (!columns_[i].elastic) continue;
    const size_t smallest = std::min(widths[i], std::max<size_t>(8, width(columns_[i].title)));
    const size_t kept = std::max(smallest, widths[i] - std::min(widths[i], total - columns));
    total -= widths[i] - kept;
    widths[i] = kept;
  }
  const auto line = [&](const auto& cell_of) {
    std::string text(indent, ' ');
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) text += std::string(kGap, ' ');
      const std::string cell = clip_indented(cell_of(i), widths[i]);
      const bool right = columns_[i].align == Align::kRight;
      text += right ? pad_left(cell, widths[i]) : pad_right(cell, widths[i]);
    }
    text.resize(text.find_last_not_of(' ') + 1);
    return text;
  };
  std::vector<std::string> result{line([&](size_t i) { return columns_[i].title; })};
  for (const auto& row : rows_) result.push_back(line([&](size_t i) { return row[i]; }));
  return result;
}

}  // namespace iohops::text
