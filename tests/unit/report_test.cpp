// What a report says of a trace, and what it keeps silent about.
#include <gtest/gtest.h>

#include "sinks/text.hpp"
#include "tests/unit/golden.hpp"
#include "tests/unit/report_story.hpp"

namespace iohops {
namespace {

TEST_F(Report, a_database_at_100_columns) {
  start();
  database();
  ASSERT_TRUE(report->summary(known()));
  expect_golden("report_database_100.txt", finish());
}

TEST_F(Report, no_line_is_wider_than_80_columns) {
  start({.width = 80});
  database();
  ASSERT_TRUE(report->summary(known()));
  finish();
  std::istringstream lines(out.text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(text::width(line), 80u) << line;
  expect_golden("report_database_80.txt", out.text);
}

TEST_F(Report, without_system_calls_it_tells_what_devices_did_and_for_whom) {
  start();
  Header h;
  h.kernel = "6.18.44";
  h.scope = "all";
  h.light = true;
  h.devices = {{kVda, "vda", "virtio_blk", true, 512}, {kLoop, "loop0", "loop", false, 512}};
  h.missing_hooks = {{"sys_enter", "left alone: --light", "system calls"}};
  ASSERT_TRUE(report->header(h));
  process(77, "cat");
  process(4242, "postgres");
  file(1, "/var/lib/postgresql/base/2619");
  Request fault = request(1, "page_fault", 1, 0, 91'000);
  dma(fault, Endpoint::kDevice, Endpoint::kPageCache, 16384, Cause::kRead);
  ASSERT_TRUE(report->request(fault));
  transfer("read", Cause::kRead, 16384, 0);
  const auto queued = [&](std::string_view op, Cause cause, uint64_t bytes, std::vector<Queuer> by) {
    Transfer t;
    t.id = ++transfers;
    t.device = kVda;
    t.op = op;
    t.bytes = t.unattributed_bytes = bytes;
    t.cause = cause;
    t.queue_ns = 1000;
    t.issue_ns = 1500;
    t.complete_ns = 91'000;
    t.dma.dma = true;
    t.file = 1;
    t.queued_by = std::move(by);
    ASSERT_TRUE(report->transfer(t));
  };
  queued("read", Cause::kUnknown, 1 << 20, {{77, 77, 1 << 20}});
  queued("read", Cause::kRead, 8192, {{77, 78, 4096}, {4242, 4243, 4096}});
  queued("write", Cause::kWriteback, 65536, {});
  Transfer above;
  above.id = ++transfers;
  above.device = kLoop;
  above.op = "read";
  above.bytes = above.unattributed_bytes = 512;
  above.queued_by = {{77, 77, 512}};
  above.carried_on = true;
  ASSERT_TRUE(report->transfer(above));
  Transfer below = above;
  below.id = ++transfers;
  below.device = kVda;
  below.queued_by.clear();
  below.carried_on = false;
  below.dma.dma = true;
  below.parents = {{above.id, 512, Evidence::kObserved}};
  ASSERT_TRUE(report->transfer(below));
  Summary summary = known();
  summary.light = true;
  ASSERT_TRUE(report->summary(summary));
  expect_golden("report_light.txt", finish());
}

TEST_F(Report, grouped_by_device_it_tells_queueing_from_service) {
  start({.group_by = ReportGroup::kDevice});
  database();
  transfer("read", Cause::kRead, 4096, 0, kLoop);
  ASSERT_TRUE(report->summary(known()));
  expect_golden("report_devices.txt", finish());
}

TEST_F(Report, grouped_by_process_and_thread) {
  for (const ReportGroup group : {ReportGroup::kProcess, ReportGroup::kThread}) {
    out.text.clear();
    start({.group_by = group});
    database(20);
    Request other = request(1, "pread64", 1, 4096, 5000);
    other.id = {77, 1};
    other.tid = 78;
    other.comm = "reader";
    process(77, "cat");
    ASSERT_TRUE(report->request(other));
    finish();
    EXPECT_TRUE(says(group == ReportGroup::kProcess ? "PROCESSES" : "THREADS"));
    EXPECT_TRUE(says(group == ReportGroup::kProcess ? "  cat (77) " : "  reader (78) "));
    EXPECT_FALSE(says("FILES"));
  }
}

TEST_F(Report, grouped_by_operation_the_table_stands_once) {
  start({.group_by = ReportGroup::kOp});
  database();
  finish();
  const size_t first = out.text.find("BY OPERATION");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(out.text.find("BY OPERATION", first + 1), std::string::npos);
  EXPECT_FALSE(says("FILES"));
}

TEST_F(Report, an_empty_trace_has_no_empty_sections) {
  start();
  ASSERT_TRUE(report->header(Header{}));
  expect_golden("report_empty.txt", finish());
}

TEST_F(Report, a_file_that_was_cut_short_says_so_first_and_sums_up_what_is_there) {
  start();
  database();
  finish(/*truncated=*/true);
  EXPECT_FALSE(says("complete, nothing lost"));
  EXPECT_LT(out.text.find("cut short"), out.text.find("requests"));
  EXPECT_TRUE(says("221 requests"));
  EXPECT_FALSE(says("COST OF TRACING")) << "only a summary knows that";
}

TEST_F(Report, loss_is_said_first_and_listed_by_cause) {
  start();
  database();
  Loss loss;
  loss.cause = "ring_request";
  loss.count = 1234;
  ASSERT_TRUE(report->loss(loss));
  finish();
  EXPECT_FALSE(says("complete, nothing lost"));
  EXPECT_LT(out.text.find("1,234 records lost"), out.text.find("221 requests"));
  EXPECT_TRUE(says("  ring request"));
  EXPECT_TRUE(says("--ring"));
}

TEST_F(Report, partial_requests_are_not_called_complete) {
  start();
  Request r = request(1, "pread64", 1, 4096, 5000);
  r.complete = false;
  ASSERT_TRUE(report->request(r));
  finish();
  EXPECT_TRUE(says("1 request known only in part"));
  EXPECT_TRUE(says("4242.1 (partial)"));
  EXPECT_FALSE(says("complete, nothing lost"));
}

TEST_F(Report, unattributed_bytes_are_listed_by_device_and_cause) {
  start();
  database();
  transfer("write", Cause::kJournal, 20480, 20480);
  finish();
  EXPECT_TRUE(says("UNATTRIBUTED DEVICE BYTES"));
  EXPECT_TRUE(says("journal  20.0 KiB"));
}

TEST_F(Report, names_cannot_drive_the_terminal) {
  start({.top_n = 1000});
  database();
  for (const char c : finish())
    ASSERT_TRUE(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
  EXPECT_TRUE(says("/tmp/\\x1b[2Jevil"));
}

TEST_F(Report, colour_changes_no_word) {
  start({.color = false});
  database();
  const std::string plain = finish();
  out.text.clear();
  transfers = 0;
  start({.color = true});
  database();
  std::string colored = finish();
  EXPECT_NE(colored, plain);
  for (size_t at; (at = colored.find('\x1b')) != std::string::npos;)
    colored.erase(at, colored.find('m', at) - at + 1);
  EXPECT_EQ(colored, plain);
}

TEST_F(Report, only_the_slowest_are_kept_and_the_earlier_of_equals) {
  start({.top_n = 3});
  for (uint64_t seq = 1; seq <= 1000; ++seq)
    ASSERT_TRUE(report->request(request(seq, "pread64", 1, 1, 1000 + seq * 7919 % 1000)));
  ASSERT_TRUE(report->request(request(1001, "pread64", 1, 1, 5'000'000)));
  ASSERT_TRUE(report->request(request(1002, "pread64", 1, 1, 5'000'000)));
  ASSERT_TRUE(report->request(request(1003, "pread64", 1, 1, 9'000'000)));
  finish();
  const size_t first = out.text.find("4242.1003 "), second = out.text.find("4242.1001 "),
               third = out.text.find("4242.1002 ");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_NE(third, std::string::npos);
  EXPECT_FALSE(says("4242.999 "));
}

TEST_F(Report, more_groups_than_rows_are_counted) {
  start({.top_n = 5});
  for (uint32_t id = 1; id <= 30; ++id) {
    file(id, "/f" + std::to_string(id));
    ASSERT_TRUE(report->request(request(id, "pread64", id, 4096 * id, 5000)));
  }
  finish();
  EXPECT_TRUE(says("  /f30 "));
  EXPECT_FALSE(says("  /f25 "));
  EXPECT_TRUE(says("and 25 more (--top 30)"));
}

TEST_F(Report, a_wait_that_was_not_recorded_is_no_cpu_time) {
  start();
  Request r = request(1, "pread64", 1, 4096, 10'000);
  r.off_cpu_ns = 4'000;
  ASSERT_TRUE(report->request(r));
  finish();
  EXPECT_TRUE(says("on CPU 6.0 us (60.0 %)   unexplained wait 4.0 us (40.0 %)"));
}

TEST_F(Report, a_request_that_was_still_running_is_no_cpu_time) {
  start();
  Request r = request(1, "poll", 1, 0, 10'000);
  r.ended = "open";
  r.complete = false;
  ASSERT_TRUE(report->request(r));
  finish();
  EXPECT_TRUE(says("not ended 10 us (100.0 %)"));
  EXPECT_FALSE(says("on CPU"));
}

TEST_F(Report, references_and_mappings_are_no_copies) {
  start();
  Request r = request(1, "page_fault", 1, 0, 2'000);
  Hop map;
  map.kind = HopKind::kMap;
  map.evidence = Evidence::kObserved;
  map.from = Endpoint::kPageCache;
  map.to = Endpoint::kUser;
  map.bytes = 4096;
  Hop ref = map;
  ref.kind = HopKind::kRef;
  ref.to = Endpoint::kSocket;
  ref.bytes = 65536;
  r.hops = {map, ref};
  ASSERT_TRUE(report->request(r));
  finish();
  EXPECT_TRUE(says("page cache  --map-->  user"));
  EXPECT_TRUE(says("page cache  --ref-->  socket"));
  EXPECT_FALSE(says("--CPU-->"));
  EXPECT_TRUE(says("4.00 KiB         -  observed")) << "nothing returned: no figure per byte";
}

TEST_F(Report, a_full_disk_is_reported) {
  start();
  out.full = true;
  const Status status = report->finish(false);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kOutput);
}

}  // namespace
}  // namespace iohops
