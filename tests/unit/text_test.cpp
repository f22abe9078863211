// What a person reads: figures, hostile names, columns.
#include "sinks/text.hpp"

#include <gtest/gtest.h>

namespace iohops::text {
namespace {

TEST(Text, bytes_keep_three_digits_and_never_show_1024_of_a_unit) {
  EXPECT_EQ(bytes(0), "0 B");
  EXPECT_EQ(bytes(1023), "1023 B");
  EXPECT_EQ(bytes(1024), "1.00 KiB");
  EXPECT_EQ(bytes(64 << 10), "64.0 KiB");
  EXPECT_EQ(bytes(711ull << 20), "711 MiB");
  EXPECT_EQ(bytes((1ull << 20) - 1), "1.00 MiB");
  EXPECT_EQ(bytes(10 * 1024 - 1), "10.0 KiB");
  EXPECT_EQ(bytes(~0ull), "16.0 EiB");
}

TEST(Text, durations_pick_the_unit_that_a_person_would) {
  EXPECT_EQ(duration(0), "0 ns");
  EXPECT_EQ(duration(999), "999 ns");
  EXPECT_EQ(duration(3'100), "3.1 us");
  EXPECT_EQ(duration(88'400), "88 us");
  EXPECT_EQ(duration(999'600), "1.0 ms");
  EXPECT_EQ(duration(9'960'000), "10 ms");
  EXPECT_EQ(duration(12'400'000'000), "12.4 s");
  EXPECT_EQ(duration(59'960'000'000), "1 min 0 s");
  EXPECT_EQ(duration(200'000'000'000), "3 min 20 s");
  EXPECT_EQ(duration(7'500'000'000'000), "2 h 5 min");
}

TEST(Text, rates_and_ratios_do_not_hide_the_small_ones) {
  EXPECT_EQ(rate(0), "0.0");
  EXPECT_EQ(rate(41'100), "41.1 k");
  EXPECT_EQ(rate(999'700), "1.00 M");
  EXPECT_EQ(rate(980), "980");
  EXPECT_EQ(megabytes(0), "0.0");
  EXPECT_EQ(megabytes(4096), "<0.1");
  EXPECT_EQ(megabytes(322e6), "322.0");
  EXPECT_EQ(ratio(0), "0.00");
  EXPECT_EQ(ratio(0.001), "<0.01");
  EXPECT_EQ(ratio(256), "256");
  EXPECT_EQ(ratio(524288), "524,288");
  EXPECT_EQ(ratio(2'003'945), "2.00 M");
  EXPECT_EQ(grouped(4410), "4,410");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1'234'567), "1,234,567");
}

TEST(Text, a_percentage_is_100_only_if_it_is) {
  EXPECT_EQ(percent(99'999, 100'000), "99.9");
  EXPECT_EQ(percent(5, 5), "100.0");
  EXPECT_EQ(percent(1, 100'000), "<0.1");
  EXPECT_EQ(percent(0, 7), "0.0");
  EXPECT_EQ(percent(0, 0), kUnknown);
}

TEST(Text, names_cannot_drive_the_terminal) {
  EXPECT_EQ(escape("\x1b[2J\x07"), "\\x1b[2J\\x07");
  EXPECT_EQ(escape(std::string_view("a\0b\x7f\n", 5)), "a\\x00b\\x7f\\x0a");
  EXPECT_EQ(escape("\xc2\x9b"
                   "31m"),
            "\\xc2\\x9b31m")
      << "C1: CSI in one character";
  EXPECT_EQ(escape("\xe2\x80\xae"
                   "gpj.exe"),
            "\\xe2\\x80\\xaegpj.exe")
      << "right-to-left override";
  EXPECT_EQ(escape("a\\x1b"), "a\\\\x1b") << "an escape cannot be forged";
}

TEST(Text, what_is_no_utf8_is_shown_as_bytes) {
  EXPECT_EQ(escape("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(escape("caf\xe9"), "caf\\xe9");
  EXPECT_EQ(escape("\xc0\xaf"), "\\xc0\\xaf") << "overlong";
  EXPECT_EQ(escape("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "surrogate";
  EXPECT_EQ(escape("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond U+10FFFF";
  EXPECT_EQ(escape("\xe2\x82"), "\\xe2\\x82") << "cut short";
  EXPECT_EQ(escape("caf\xc3\xa9", false), "caf\\xc3\\xa9") << "a terminal of another locale";
}

TEST(Text, width_counts_columns_not_bytes) {
  EXPECT_EQ(width("abc"), 3u);
  EXPECT_EQ(width("caf\xc3\xa9"), 4u);
  EXPECT_EQ(width("\xe6\xbc\xa2\xe5\xad\x97"), 4u) << "two wide characters";
  EXPECT_EQ(width("e\xcc\x81"), 1u) << "a combining accent";
  EXPECT_EQ(pad_left("\xe6\xbc\xa2", 4), "  \xe6\xbc\xa2");
  EXPECT_EQ(pad_right("ab", 4) + "|", "ab  |");
}

TEST(Text, clipping_never_exceeds_the_columns_nor_cuts_a_character) {
  EXPECT_EQ(clip("abcdefgh", 8), "abcdefgh");
  EXPECT_EQ(clip("abcdefghi", 8), "abcdefg~");
  EXPECT_EQ(clip("abc", 0), "");
  EXPECT_EQ(clip_middle("/var/lib/postgresql/15/main/base/2619", 28),
            "/var/l~sql/15/main/base/2619");
  EXPECT_EQ(clip_middle("/var/lib/postgresql/base/2619", 16), "~resql/base/2619");
  const std::string wide = "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97";  // 8 columns
  for (size_t columns = 0; columns <= 9; ++columns) {
    EXPECT_LE(width(clip(wide, columns)), columns);
    EXPECT_LE(width(clip_middle(wide, columns)), columns);
    EXPECT_EQ(escape(clip_middle(wide, columns)), clip_middle(wide, columns));
  }
}

TEST(Text, colour_adds_nothing_but_colour) {
  EXPECT_EQ(Paint(false)(Style::kWarn, "lost 3"), "lost 3");
  EXPECT_EQ(Paint(true)(Style::kBold, "FILES"), "\x1b[1mFILES\x1b[0m");
  EXPECT_EQ(Paint(true)(Style::kPlain, "x"), "x");
}

TEST(Table, columns_stand_under_their_titles) {
  Table table({{"FILE", Table::Align::kLeft, true}, {"bytes"}});
  EXPECT_TRUE(table.empty());
  table.row({"/a", "4.00 KiB"});
  table.row({"/bc", "12 B"});
  const std::vector<std::string> expected{"  FILE     bytes", "  /a    4.00 KiB",
                                          "  /bc       12 B"};
  EXPECT_EQ(table.lines(80), expected);
}

TEST(Table, only_the_elastic_column_gives_way) {
  Table table({{"FILE", Table::Align::kLeft, true}, {"bytes"}});
  table.row({"/a/very/long/path/to/some/file", "4.00 KiB"});
  for (const auto& line : table.lines(30)) EXPECT_LE(width(line), 30u);
  EXPECT_NE(table.lines(30)[1].find("4.00 KiB"), std::string::npos);
  EXPECT_NE(table.lines(30)[1].find('~'), std::string::npos);
}

}  // namespace
}  // namespace iohops::text
