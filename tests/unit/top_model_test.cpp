// Stories of top: what samples add up to, and what keys do to the table.
#include "core/top/model.hpp"

#include <gtest/gtest.h>

#include "core/ops.hpp"

namespace iohops {
namespace {

using Code = TopKey::Code;
constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kMiB = 1 << 20;

// Names: process 42 "reader", 43 "writer"; file 1 /data (ext4), 2 a socket, 3 /dev/shm/x (memory).
class Top : public testing::Test {
 protected:
  Top() {
    name(42, "reader");
    name(43, "writer");
    name_file(1, "/data", FileKind::kRegular, 100);
    name_file(2, "socket:[7]", FileKind::kSocket, 7);
    name_file(3, "/dev/shm/x", FileKind::kMemory, 5);
  }

  void name(uint32_t pid, std::string comm) {
    Process process;
    process.pid = pid;
    process.comm = std::move(comm);
    model.name_process(process);
  }

  void name_file(uint32_t alias, std::string path, FileKind kind, uint64_t inode) {
    File file;
    file.id = alias;
    file.path = std::move(path);
    file.kind = kind;
    file.inode = inode;
    model.name_file(alias, file);
  }

  wire_tally& tally(uint32_t pid, uint32_t file, uint16_t op, uint16_t direct = 0) {
    for (TopTally& known : tallies)
      if (known.key.tgid == pid && known.key.file == file && known.key.op == op &&
          known.key.direct == direct)
        return known.value;
    tallies.push_back({{pid, file, op, direct, 0}, {}});
    return tallies.back().value;
  }

  void requests(uint32_t pid, uint32_t file, uint16_t op, uint64_t count, uint64_t bytes_each,
                uint16_t direct = 0) {
    wire_tally& t = tally(pid, file, op, direct);
    t.requests += count;
    t.returned += count * bytes_each;
    t.duration_ns += count * 3000;
    t.latency[11] += static_cast<uint32_t>(count);  // 2048..4095 ns
  }

  void sample(uint64_t elapsed_ns = kSecond) {
    TopSample s;
    s.elapsed_ns = elapsed_ns;
    s.tallies = tallies;
    model.update(s);
  }

  const TopRow& row(std::string_view row_name) {
    for (const TopRow& r : model.rows())
      if (r.name == row_name) return r;
    throw std::runtime_error("no row " + std::string(row_name));
  }

  double value(std::string_view row_name, TopColumn column) {
    return row(row_name).value(column).value();
  }

  bool press(Code code) { return model.handle({code, 0}, 10); }
  bool press(char32_t c) { return model.handle({Code::kCharacter, c}, 10); }
  void type(std::string_view text) {
    for (const char c : text) press(static_cast<char32_t>(c));
  }
  std::string selected() { return model.rows().at(model.selected().value()).name; }
  std::string names() {
    std::string all;
    for (const TopRow& r : model.rows()) all += (all.empty() ? "" : " ") + r.name;
    return all;
  }

  TopModel model;
  std::vector<TopTally> tallies;
};

TEST_F(Top, absolute_tallies_become_rates_of_the_interval) {
  requests(42, 1, WIRE_OP_PREAD64, 1000, 4096);
  sample();
  EXPECT_DOUBLE_EQ(value("reader", TopColumn::kRequests), 1000);
  requests(42, 1, WIRE_OP_PREAD64, 500, 4096);
  sample(kSecond / 2);
  EXPECT_DOUBLE_EQ(value("reader", TopColumn::kRequests), 1000);
  EXPECT_DOUBLE_EQ(value("reader", TopColumn::kBytes), 1000 * 4096);
  EXPECT_DOUBLE_EQ(value("reader", TopColumn::kSwitches), 2 * 256);
  sample();
  EXPECT_DOUBLE_EQ(value("reader", TopColumn::kRequests), 0) << "an idle row stays, at nothing";
  EXPECT_FALSE(row("reader").value(TopColumn::kCopies)) << "no bytes: no copies per byte";
  EXPECT_FALSE(row("reader").value(TopColumn::kP50));
}

TEST_F(Top, copies_follow_the_kind_of_file_and_the_operation) {
  requests(1, 1, WIRE_OP_READ, 10, 4096);
  requests(2, 1, WIRE_OP_READ, 10, 4096, /*direct=*/1);
  requests(3, 2, WIRE_OP_WRITE, 10, 4096);
  requests(4, 3, WIRE_OP_READ, 10, 4096, /*direct=*/1);  // memory has nothing to bypass
  requests(5, 1, WIRE_OP_PAGE_FAULT, 10, 0);
  requests(6, 1, WIRE_OP_FSYNC, 10, 0);
  for (uint32_t pid = 1; pid <= 6; ++pid) name(pid, std::to_string(pid));
  sample();
  EXPECT_DOUBLE_EQ(value("1", TopColumn::kCopies), 1);
  EXPECT_DOUBLE_EQ(value("2", TopColumn::kCopies), 0);
  EXPECT_DOUBLE_EQ(value("3", TopColumn::kCopies), 1);
  EXPECT_DOUBLE_EQ(value("4", TopColumn::kCopies), 1);
  EXPECT_EQ(row("5").figures.copy_bytes, 0u);
  EXPECT_EQ(row("6").figures.copy_bytes, 0u);
  EXPECT_EQ(row("5").figures.mode_switches, 20u);
}

TEST_F(Top, hits_are_counted_where_the_page_cache_could_have_answered) {
  requests(42, 1, WIRE_OP_READ, 100, 4096);
  tally(42, 1, WIRE_OP_READ).misses = 25;
  requests(43, 1, WIRE_OP_WRITE, 100, 4096);
  tally(43, 1, WIRE_OP_WRITE).misses = 100;
  sample();
  EXPECT_DOUBLE_EQ(value("reader", TopColumn::kHit), 75);
  EXPECT_FALSE(row("writer").value(TopColumn::kHit)) << "a write is no hit and no miss";
}

TEST_F(Top, device_work_counts_per_byte_of_its_process) {
  requests(42, 1, WIRE_OP_READ, 256, 4096);
  tally(42, 1, WIRE_OP_DEVICE).read_bytes = 2 * kMiB;
  sample();
  EXPECT_DOUBLE_EQ(value("reader", TopColumn::kDevice), 2) << "half of it was readahead";
  press(U'3');
  EXPECT_EQ(row("(devices, for all of them)").figures.device_bytes, 2 * kMiB);
  EXPECT_FALSE(row("read").value(TopColumn::kDevice)) << "not known per operation";
}

TEST_F(Top, writeback_is_charged_to_the_only_writer_of_the_file) {
  requests(42, 1, WIRE_OP_READ, 10, 4096);
  requests(43, 1, WIRE_OP_WRITE, 10, 4096);
  sample();
  tally(0, 1, WIRE_OP_DEVICE).writeback_bytes = 40960;
  sample();
  EXPECT_EQ(row("writer").figures.writeback_bytes, 40960u);
  EXPECT_EQ(row("reader").figures.device_bytes, 0u);
}

TEST_F(Top, writeback_of_a_file_with_two_writers_is_nobodys) {
  requests(42, 1, WIRE_OP_WRITE, 10, 4096);
  requests(43, 1, WIRE_OP_WRITE, 10, 4096);
  tally(0, 1, WIRE_OP_DEVICE).writeback_bytes = 40960;
  sample();
  EXPECT_EQ(row("(writeback by the kernel)").figures.writeback_bytes, 40960u);
  EXPECT_EQ(row("writer").figures.writeback_bytes, 0u);
  EXPECT_EQ(model.totals().processes, 2u);
}

TEST_F(Top, a_counter_that_began_anew_is_no_negative_rate) {
  requests(42, 1, WIRE_OP_READ, 1000, 4096);
  sample();
  tallies.clear();
  requests(42, 1, WIRE_OP_READ, 10, 4096);
  sample();
  EXPECT_DOUBLE_EQ(value("reader", TopColumn::kRequests), 10);
  EXPECT_EQ(row("reader").figures.latency[11], 10u);
}

TEST_F(Top, a_row_that_vanished_and_came_back_larger_counts_wholly) {
  requests(42, 1, WIRE_OP_READ, 10, 4096);
  sample();
  const auto kept = tallies;
  tallies.clear();
  sample();
  EXPECT_TRUE(model.rows().empty());
  EXPECT_FALSE(model.selected());
  tallies = kept;
  requests(42, 1, WIRE_OP_READ, 10, 4096);
  sample();
  EXPECT_DOUBLE_EQ(value("reader", TopColumn::kRequests), 20);
}

TEST_F(Top, latency_buckets_wrap_without_a_spike) {
  wire_tally& t = tally(42, 1, WIRE_OP_READ);
  t.requests = 5'000'000'000;
  t.latency[11] = 0xfffffff0u;
  sample();
  t.requests += 32;
  t.latency[11] += 32;
  sample();
  EXPECT_EQ(row("reader").figures.latency[11], 32u);
}

TEST_F(Top, two_aliases_of_one_inode_are_one_file) {
  name_file(9, "/data", FileKind::kRegular, 100);
  requests(42, 1, WIRE_OP_READ, 10, 4096);
  requests(43, 9, WIRE_OP_READ, 10, 4096);
  sample();
  model.show(TopView::kFiles);
  EXPECT_EQ(names(), "/data");
  EXPECT_DOUBLE_EQ(value("/data", TopColumn::kRequests), 20);
}

TEST_F(Top, percentiles_are_within_their_bucket) {
  requests(42, 1, WIRE_OP_READ, 99, 4096);
  tally(42, 1, WIRE_OP_READ).requests += 1;
  tally(42, 1, WIRE_OP_READ).latency[20] += 1;
  sample();
  EXPECT_GE(value("reader", TopColumn::kP50), 2048);
  EXPECT_LE(value("reader", TopColumn::kP50), 4096);
  EXPECT_GE(row("reader").figures.percentile_ns(99.9).value(), uint64_t{1} << 20);
}

TEST_F(Top, sorting_by_any_column_orders_rows_and_unknown_stands_last) {
  requests(42, 1, WIRE_OP_READ, 10, 4096);
  requests(43, 1, WIRE_OP_WRITE, 20, 8192);
  requests(44, 1, WIRE_OP_FSYNC, 5, 0);
  name(44, "syncer");
  sample();
  EXPECT_EQ(names(), "writer reader syncer") << "by bytes, the most first";
  for (const TopColumnInfo& column : top_columns()) {
    for (const bool ascending : {false, true}) {
      model.sort_by(column.column, ascending);
      std::optional<double> previous;
      bool unknown = false;
      for (const TopRow& r : model.rows()) {
        const auto x = r.value(column.column);
        EXPECT_FALSE(unknown && x) << column.key;
        if (x && previous) {
          EXPECT_TRUE(ascending ? *previous <= *x : *previous >= *x) << column.key;
        }
        unknown = !x;
        previous = x;
      }
    }
  }
  model.sort_by(TopColumn::kName, true);
  EXPECT_EQ(names(), "reader syncer writer");
}

TEST_F(Top, column_keys_are_unique_and_parse_back) {
  for (const TopColumnInfo& column : top_columns()) {
    EXPECT_EQ(parse_top_column(column.key), column.column);
    EXPECT_EQ(&info(column.column), &column);
  }
  EXPECT_FALSE(parse_top_column("colour"));
}

TEST_F(Top, the_selection_stays_on_its_row_when_the_order_changes) {
  requests(42, 1, WIRE_OP_READ, 10, 4096);
  requests(43, 1, WIRE_OP_READ, 5, 4096);
  sample();
  EXPECT_EQ(names(), "reader writer");
  EXPECT_EQ(selected(), "reader");
  press(Code::kDown);
  EXPECT_EQ(selected(), "writer");
  requests(43, 1, WIRE_OP_READ, 500, 4096);
  sample();
  EXPECT_EQ(names(), "writer reader");
  EXPECT_EQ(selected(), "writer");
  press(U'r');
  EXPECT_EQ(names(), "reader writer");
  EXPECT_EQ(selected(), "writer");
}

TEST_F(Top, an_untouched_selection_follows_the_first_row) {
  requests(42, 1, WIRE_OP_READ, 10, 4096);
  requests(43, 1, WIRE_OP_READ, 5, 4096);
  sample();
  requests(43, 1, WIRE_OP_READ, 500, 4096);
  sample();
  EXPECT_EQ(selected(), "writer");
}

TEST_F(Top, moving_stops_at_the_ends) {
  for (uint32_t pid = 1; pid <= 30; ++pid) {
    name(pid, "p" + std::to_string(pid));
    requests(pid, 1, WIRE_OP_READ, 1000 - pid, 4096);
  }
  sample();
  press(Code::kUp);
  EXPECT_EQ(selected(), "p1");
  press(Code::kPageDown);
  EXPECT_EQ(selected(), "p11");
  press(Code::kEnd);
  press(U'j');
  EXPECT_EQ(selected(), "p30");
  press(Code::kPageUp);
  EXPECT_EQ(selected(), "p20");
  press(Code::kHome);
  EXPECT_EQ(selected(), "p1");
}

TEST_F(Top, enter_goes_down_and_escape_comes_back_to_the_same_row) {
  requests(42, 1, WIRE_OP_READ, 10, 4096);
  requests(42, 2, WIRE_OP_WRITE, 2, 4096);
  requests(43, 1, WIRE_OP_PREAD64, 5, 4096);
  sample();
  press(Code::kDown);
  press(Code::kUp);
  ASSERT_EQ(selected(), "reader");
  press(Code::kEnter);
  EXPECT_EQ(model.view(), TopView::kFiles);
  EXPECT_EQ(names(), "/data socket:[7]");
  EXPECT_EQ(model.scope_title(), "reader (42)");
  EXPECT_DOUBLE_EQ(value("/data", TopColumn::kRequests), 10) << "the process's share only";
  press(Code::kEnter);
  EXPECT_EQ(names(), "read") << "not the other process's pread64";
  EXPECT_EQ(model.scope_title(), "reader (42) > /data");
  press(Code::kEnter);
  EXPECT_EQ(names(), "read") << "there is nothing below an operation";
  press(Code::kEscape);
  EXPECT_EQ(names(), "/data socket:[7]");
  press(Code::kEscape);
  EXPECT_EQ(names(), "reader writer");
  EXPECT_EQ(selected(), "reader");
  EXPECT_EQ(model.scope_title(), "");
}

TEST_F(Top, the_filter_is_typed_edited_and_taken_back) {
  requests(42, 1, WIRE_OP_READ, 10, 4096);
  requests(43, 1, WIRE_OP_READ, 5, 4096);
  sample();
  press(U'/');
  type("WRx");
  EXPECT_EQ(names(), "");
  press(Code::kBackspace);
  EXPECT_EQ(names(), "writer") << "letter case does not matter";
  press(Code::kEnter);
  EXPECT_FALSE(model.editing_filter());
  sample();
  EXPECT_EQ(names(), "writer") << "it holds for later samples";
  press(U'/');
  press(char32_t{0x15});
  EXPECT_EQ(names(), "reader writer");
  press(char32_t{0xe9});
  EXPECT_EQ(model.filter_text(), "\xc3\xa9");
  press(Code::kLeft);
  EXPECT_EQ(model.filter_cursor(), 0u);
  press(Code::kDelete);
  EXPECT_EQ(model.filter_text(), "");
  press(Code::kEscape);
  EXPECT_EQ(model.filter_text(), "WR") << "escape restores the filter before";
  EXPECT_TRUE(press(U'/') && press(U'q')) << "a letter is text while typing";
}

TEST_F(Top, freezing_holds_the_picture_and_thawing_shows_the_latest) {
  requests(42, 1, WIRE_OP_READ, 10, 4096);
  sample();
  press(U' ');
  EXPECT_TRUE(model.frozen());
  requests(42, 1, WIRE_OP_READ, 70, 4096);
  sample();
  EXPECT_DOUBLE_EQ(value("reader", TopColumn::kRequests), 10);
  press(Code::kEnter);
  EXPECT_DOUBLE_EQ(value("/data", TopColumn::kRequests), 10) << "one picture at every depth";
  press(Code::kEscape);
  press(U' ');
  EXPECT_DOUBLE_EQ(value("reader", TopColumn::kRequests), 70);
}

TEST_F(Top, idle_rows_can_be_hidden) {
  requests(42, 1, WIRE_OP_READ, 10, 4096);
  requests(43, 1, WIRE_OP_READ, 10, 4096);
  sample();
  requests(43, 1, WIRE_OP_READ, 10, 4096);
  sample();
  EXPECT_EQ(names(), "writer reader");
  press(U'o');
  EXPECT_EQ(names(), "writer");
}

TEST_F(Top, a_process_that_ended_leaves_when_nothing_is_done_for_it_any_more) {
  requests(42, 1, WIRE_OP_WRITE, 10, 4096);
  requests(43, 2, WIRE_OP_READ, 10, 4096);
  sample();
  Process ended;
  ended.pid = 42;
  ended.comm = "reader";
  ended.exit_ns = 1;
  model.name_process(ended);
  tally(0, 1, WIRE_OP_DEVICE).writeback_bytes = 40960;
  sample();
  EXPECT_EQ(names(), "reader writer") << "its data is still being written";
  sample();
  EXPECT_EQ(names(), "writer");
}

TEST_F(Top, the_interval_moves_in_steps_between_its_bounds) {
  EXPECT_EQ(model.interval().count(), 1000);
  press(U'+');
  EXPECT_EQ(model.interval().count(), 2000);
  for (int i = 0; i < 20; ++i) press(U'-');
  EXPECT_EQ(model.interval().count(), 100);
  for (int i = 0; i < 20; ++i) press(U'+');
  EXPECT_EQ(model.interval().count(), 60000);
  model.set_interval(std::chrono::milliseconds(700));
  press(U'-');
  EXPECT_EQ(model.interval().count(), 500);
}

TEST_F(Top, q_leaves_and_any_key_closes_the_help) {
  press(U'?');
  EXPECT_TRUE(model.help());
  EXPECT_TRUE(press(U'q')) << "this q closes the help";
  EXPECT_FALSE(model.help());
  EXPECT_FALSE(press(U'q'));
}

TEST_F(Top, totals_are_those_of_all_rows_whatever_is_shown) {
  requests(42, 1, WIRE_OP_READ, 10, 4096);
  requests(43, 1, WIRE_OP_READ, 10, 4096);
  model.filter("reader");
  sample();
  EXPECT_EQ(model.rows().size(), 1u);
  EXPECT_EQ(model.totals().figures.requests, 20u);
  EXPECT_DOUBLE_EQ(model.totals().per_second(20), 20);
}

TEST_F(Top, unnamed_processes_and_files_still_have_their_rows) {
  requests(99, 77, WIRE_OP_READ, 10, 4096);
  requests(99, 0, WIRE_OP_READ, 1, 10);
  sample();
  EXPECT_EQ(names(), "(name unknown)");
  press(U'2');
  EXPECT_EQ(names(), "(file 77, name unknown) (no file)");
  EXPECT_FALSE(row("(no file)").value(TopColumn::kCopies)) << "nobody knows where they went";
}

}  // namespace
}  // namespace iohops
