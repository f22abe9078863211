// What top's screen and batch rows look like, at every size.
#include "sinks/top/frame.hpp"

#include <gtest/gtest.h>

#include <iterator>
#include <sstream>

#include "bpf/wire_tally.h"
#include "sinks/text.hpp"
#include "sinks/top/batch.hpp"
#include "tests/unit/golden.hpp"

namespace iohops {
namespace {

using Code = TopKey::Code;

// A database, a web server that reads cold, an idle shell and a process with a hostile name.
class Frame : public testing::Test {
 protected:
  Frame() {
    name(4242, "postgres");
    name(4301, "nginx");
    name(77, "bash");
    name(78, "a\x1b[2J\nb");
    file(1, "/var/lib/postgresql/15/main/base/16384/2619");
    file(2,
         "/srv/www/\xc3\xbc"
         "ber/index.html");
    file(3, "/tmp/\x07x");
    add({4242, 1, WIRE_OP_PREAD64, 0, 0}, 41'100, 8192, 11, 1560);
    add({4242, 1, WIRE_OP_PWRITE64, 0, 0}, 410, 8192, 12, 0);
    add({4301, 2, WIRE_OP_READ, 0, 0}, 2010, 131'072, 16, 900);
    add({77, 0, WIRE_OP_READ, 0, 0}, 0, 0, 0, 0);
    add({78, 3, WIRE_OP_WRITE, 1, 0}, 12, 4096, 20, 12);
    device({4301, 2, WIRE_OP_DEVICE, 0, 0}).read_bytes = 200ull << 20;
    device({0, 1, WIRE_OP_DEVICE, 0, 0}).writeback_bytes = 3'358'720;
  }

  void name(uint32_t pid, std::string comm) {
    Process process;
    process.pid = pid;
    process.comm = std::move(comm);
    model.name_process(process);
  }
  void file(uint32_t alias, std::string path) {
    File known;
    known.path = std::move(path);
    known.kind = FileKind::kRegular;
    known.inode = alias;
    model.name_file(alias, known);
  }
  void add(wire_tally_key key, uint64_t count, uint64_t bytes, int bucket, uint64_t misses) {
    wire_tally tally{};
    tally.requests = count;
    tally.returned = count * bytes;
    tally.duration_ns = count << bucket;
    tally.off_cpu_ns = tally.duration_ns / 8;
    tally.misses = misses;
    tally.latency[bucket] = static_cast<uint32_t>(count - count / 50);
    tally.latency[bucket + 5] = static_cast<uint32_t>(count / 50);
    tallies.push_back({key, tally});
  }
  wire_tally& device(wire_tally_key key) {
    tallies.push_back({key, {}});
    return tallies.back().value;
  }
  void sample(uint64_t lost = 0) {
    TopSample s;
    s.elapsed_ns = 1'000'000'000;
    s.tallies = tallies;
    s.clock = "14:02:31";
    s.self_cpu_percent = 0.8;
    s.lost = lost;
    model.update(s);
  }
  void press(Code code) { model.handle({code, 0}, 10); }
  void press(char32_t c) { model.handle({Code::kCharacter, c}, 10); }

  TopModel model;
  std::vector<TopTally> tallies;
};

TEST_F(Frame, processes_at_100_columns) {
  sample();
  expect_golden("top_processes_100x24.txt", top_frame(model, 100, 24).text());
}

TEST_F(Frame, processes_at_80_columns) {
  sample();
  expect_golden("top_processes_80x24.txt", top_frame(model, 80, 24).text());
}

TEST_F(Frame, processes_at_40_columns_with_loss) {
  sample(17);
  expect_golden("top_processes_40x10.txt", top_frame(model, 40, 10).text());
}

TEST_F(Frame, files_of_all_processes) {
  sample();
  press(U'2');
  expect_golden("top_files_100x12.txt", top_frame(model, 100, 12).text());
}

TEST_F(Frame, operations_of_one_file_of_one_process) {
  sample();
  press(Code::kDown);
  press(Code::kEnter);
  press(Code::kEnter);
  expect_golden("top_operations_100x12.txt", top_frame(model, 100, 12).text());
}

TEST_F(Frame, the_help_fits_a_small_terminal) {
  press(U'?');
  const TopFrame frame = top_frame(model, 80, 24);
  EXPECT_LE(frame.lines.size(), 24u);
  EXPECT_EQ(frame.text().find('~'), std::string::npos) << "a line was cut";
  expect_golden("top_help_80x24.txt", frame.text());
}

TEST_F(Frame, before_the_first_sample_it_says_what_it_waits_for) {
  EXPECT_NE(top_frame(model, 80, 24).text().find("waiting for the first interval"),
            std::string::npos);
}

TEST_F(Frame, no_size_is_too_small_and_nothing_leaves_the_screen) {
  sample(3);
  const char32_t keys[] = {U'1', U'2', U'3', U'/', U'x'};
  for (const char32_t key : keys) {
    press(key);
    for (size_t height = 0; height <= 26; ++height) {
      for (size_t width = 0; width <= 130; width += width < 20 ? 1 : 11) {
        const TopFrame frame = top_frame(model, width, height);
        ASSERT_LE(frame.lines.size(), height);
        for (const TopLine& line : frame.lines) {
          size_t used = 0;
          for (const TopSpan& span : line) used += text::width(span.text);
          ASSERT_LE(used, width) << height << " lines";
        }
        if (frame.cursor) {
          ASSERT_LT(frame.cursor->line, height);
          ASSERT_LT(frame.cursor->column, width);
        }
      }
    }
  }
}

TEST_F(Frame, the_frame_fills_the_height_so_that_the_footer_stands_still) {
  sample();
  for (const char32_t key : {U'1', U'2', U'3'}) {
    press(key);
    EXPECT_EQ(top_frame(model, 80, 24).lines.size(), 24u);
  }
}

TEST_F(Frame, nothing_a_name_contains_reaches_the_terminal) {
  sample();
  for (const char32_t key : {U'1', U'2', U'3'}) {
    press(key);
    for (const char c : top_frame(model, 100, 24).text() + batch_rows(model)) {
      if (c == '\n') continue;
      ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    }
  }
}

TEST_F(Frame, the_selected_row_is_always_on_the_screen) {
  for (uint32_t pid = 1000; pid < 1100; ++pid) {
    name(pid, "p" + std::to_string(pid));
    add({pid, 1, WIRE_OP_READ, 0, 0}, 2100 - pid, 4096, 11, 0);
  }
  sample();
  for (size_t i = 0; i < 105; ++i, press(Code::kDown)) {
    const std::string& wanted = model.rows()[*model.selected()].name;
    size_t shown = 0;
    for (const TopLine& line : top_frame(model, 80, 12).lines)
      for (const TopSpan& span : line)
        if (span.style == TopStyle::kSelected)
          shown += span.text.find(text::escape(wanted)) != std::string::npos;
    ASSERT_EQ(shown, 1u) << wanted;
  }
}

TEST_F(Frame, loss_is_seen_on_the_narrowest_heading) {
  sample(17);
  EXPECT_EQ(top_frame(model, 10, 10).text().substr(0, 7), "LOST 17");
}

TEST_F(Frame, the_filter_is_shown_with_its_cursor_while_typing) {
  sample();
  press(U'/');
  press(U'n');
  press(char32_t{0x6f22});  // a wide character
  const TopFrame frame = top_frame(model, 80, 24);
  ASSERT_TRUE(frame.cursor);
  EXPECT_EQ(frame.cursor->line, 23u);
  EXPECT_EQ(frame.cursor->column, 8u + 3);
  EXPECT_NE(frame.text().find("no name matches the filter"), std::string::npos);
}

TEST_F(Frame, a_terminal_of_another_locale_gets_ascii_only) {
  sample();
  press(U'2');
  for (const char c : top_frame(model, 120, 24, false).text())
    ASSERT_LT(static_cast<unsigned char>(c), 0x80);
}

TEST_F(Frame, batch_rows_are_whole_and_have_titles) {
  sample();
  expect_golden("top_batch_processes.txt", batch_rows(model));
  press(U'2');
  expect_golden("top_batch_files.txt", batch_rows(model, {.max_rows = 2}));
}

TEST_F(Frame, batch_rows_split_at_blanks_into_one_field_a_title) {
  sample();
  std::istringstream lines(batch_rows(model));
  std::string totals, line;
  std::getline(lines, totals);
  size_t rows = 0;
  while (std::getline(lines, line)) {
    std::istringstream split(line);
    const std::vector<std::string> fields{std::istream_iterator<std::string>(split), {}};
    EXPECT_EQ(fields.size(), model.visible_columns().size()) << line;
    ++rows;
  }
  EXPECT_EQ(rows, 1 + model.rows().size());
}

}  // namespace
}  // namespace iohops
