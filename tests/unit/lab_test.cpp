// The lab: which measurement agrees with which textbook, and how it is told.
#include "sinks/lab.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "golden.hpp"
#include "system/lab/program.hpp"

namespace iohops {
namespace {

constexpr uint64_t kBytes = 4 << 20, kRounds = 64;

LabFigures figures(double copies, double dma, uint64_t switches) {
  LabFigures f;
  f.bytes = kBytes;
  f.rounds = kRounds;
  f.requests = switches / 2;
  f.cpu_copy_bytes = static_cast<uint64_t>(copies * kBytes);
  f.dma_bytes = static_cast<uint64_t>(dma * kBytes);
  f.mode_switches = switches;
  f.duration_ns = 3'900'000;
  return f;
}

const LabPath& path(std::string_view name) { return *find_lab_path(name); }

TEST(Lab, the_classic_path_agrees_and_says_that_there_is_no_card) {
  const LabVerdict verdict = judge(path("read-write-cold"), figures(2, 1, 4 * kRounds), {});
  EXPECT_TRUE(verdict.agrees);
  EXPECT_EQ(verdict.why, "no network card: loopback");
}

TEST(Lab, each_figure_can_differ) {
  EXPECT_EQ(judge(path("read-hot"), figures(2, 0, 2 * kRounds), {}).why, "CPU copies");
  EXPECT_EQ(judge(path("read-hot"), figures(1, 1, 2 * kRounds), {}).why, "DMA");
  EXPECT_EQ(judge(path("read-hot"), figures(1, 0, 4 * kRounds), {}).why, "mode switches");
  LabFigures partial = figures(1, 0, 2 * kRounds);
  partial.complete = false;
  EXPECT_FALSE(judge(path("read-hot"), partial, {}).agrees);
  EXPECT_TRUE(judge(path("read-hot"), figures(1, 0, 2 * kRounds), {}).agrees);
}

TEST(Lab, half_a_copy_is_no_copy_and_metadata_is_no_transfer) {
  EXPECT_FALSE(judge(path("read-direct"), figures(0.5, 1, 2 * kRounds), {}).agrees);
  EXPECT_FALSE(judge(path("read-direct"), figures(0, 0.5, 2 * kRounds), {}).agrees);
  EXPECT_TRUE(judge(path("write-dsync"), figures(1, 1.02, 2 * kRounds), {}).agrees);
}

TEST(Lab, dma_is_not_judged_where_the_disk_has_none) {
  const LabVerdict verdict = judge(path("read-cold"), figures(1, 0, 2 * kRounds), {.dma = false});
  EXPECT_TRUE(verdict.agrees);
  EXPECT_NE(verdict.why.find("not judged"), std::string::npos);
}

TEST(Lab, what_the_kernel_cannot_show_is_not_judged) {
  const LabFigures unseen = figures(0, 0, 0);
  EXPECT_FALSE(judge(path("mmap-private"), unseen, {}).agrees);
  EXPECT_TRUE(judge(path("mmap-private"), unseen, {.faults = false}).agrees);
  EXPECT_FALSE(judge(path("uring-direct"), unseen, {}).agrees);
  EXPECT_TRUE(judge(path("uring-direct"), unseen, {.uring = false}).agrees);
}

TEST(Lab, faults_are_not_judged_by_their_number) {
  EXPECT_TRUE(judge(path("mmap-hot"), figures(0, 0, 2), {}).agrees);
  EXPECT_TRUE(judge(path("mmap-hot"), figures(0, 0, 2048), {}).agrees);
}

TEST(Lab, a_wrong_name_is_answered_with_a_near_one) {
  EXPECT_EQ(near_lab_path("sendfle"), "sendfile");
  EXPECT_EQ(near_lab_path("sqpoll"), "uring-sqpoll");
  EXPECT_EQ(near_lab_path("xyzzy-plugh"), "");
}

TEST(Lab, every_path_has_a_program_and_every_program_a_path) {
  size_t programs = 0;
  for (const auto group : {lab::file_programs(), lab::socket_programs(), lab::mapping_programs(),
                           lab::ring_programs(), lab::ring_socket_programs()}) {
    programs += group.size();
    for (const lab::Named& named : group) EXPECT_NE(find_lab_path(named.name), nullptr) << named.name;
  }
  EXPECT_EQ(programs, lab_paths().size());
  for (const LabPath& known : lab_paths())
    EXPECT_NE(lab::find_program(known.name), nullptr) << known.name;
}

std::vector<LabRow> rows() {
  std::vector<LabRow> rows(3);
  rows[0] = {&path("read-write-cold"), figures(2, 1, 4 * kRounds), {}, "64 x read and write", ""};
  rows[0].verdict = judge(*rows[0].path, rows[0].figures, {});
  rows[1] = {&path("sendfile"), figures(1, 0, 2 * kRounds), {}, "64 x sendfile", ""};
  rows[1].verdict = judge(*rows[1].path, rows[1].figures, {});
  rows[2] = {&path("uring"), {}, {}, "", "io_uring cannot be set up: Function not implemented"};
  return rows;
}

TEST(Lab, its_table) { expect_golden("lab_table.txt", lab_table(rows(), false, 120)); }

TEST(Lab, its_document) {
  const auto document = nlohmann::json::parse(lab_json(rows(), {{"recursion", 2}}));
  const auto& paths = document["paths"];
  ASSERT_EQ(paths.size(), 3u);
  EXPECT_EQ(paths[0]["cpu_copies_per_byte"], 2.0);
  EXPECT_EQ(paths[0]["textbook"]["switches_per_round"], 4.0);
  EXPECT_EQ(paths[0]["agrees"], true);
  EXPECT_EQ(paths[1]["agrees"], false);
  EXPECT_FALSE(paths[2].contains("agrees"));
  EXPECT_TRUE(paths[2].contains("skipped"));
}

}  // namespace
}  // namespace iohops
