// The lab: which measurement agrees with which textbook, and how it is told.
#include "sinks/lab.hpp"

#include <gtest/gtest.h>

#include <set>

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

TEST(Lab, every_path_and_proof_has_its_programs_and_no_program_is_left_over) {
  std::set<std::string_view> wanted;
  for (const LabPath& path : lab_paths()) wanted.insert(path.name);
  for (const LabProof& proof : lab_proofs()) wanted.insert({proof.before, proof.after});
  std::set<std::string_view> programs;
  for (const auto group : {lab::file_programs(), lab::socket_programs(), lab::mapping_programs(),
                           lab::ring_programs(), lab::ring_socket_programs()})
    for (const lab::Named& named : group) EXPECT_TRUE(programs.insert(named.name).second) << named.name;
  EXPECT_EQ(programs, wanted);
}

LabFigures spent(uint64_t copied, uint64_t switches) {
  LabFigures figures;
  figures.cpu_copy_bytes = copied;
  figures.mode_switches = switches;
  return figures;
}

AdviceEntry prediction(uint64_t bytes, uint64_t switches) {
  AdviceEntry entry;
  entry.id = "relay";
  entry.title = "a relay";
  entry.saves_bytes = bytes;
  entry.saves_mode_switches = switches;
  return entry;
}

TEST(LabProof, comes_true_within_a_tenth) {
  const LabProof proof{"relay", "a", "b", "a becomes b"};
  const auto verdict = [&](uint64_t bytes, uint64_t switches) {
    return judge(proof, {prediction(bytes, switches)}, spent(1000, 100), spent(0, 50));
  };
  EXPECT_TRUE(verdict(1000, 50).came_true);
  EXPECT_TRUE(verdict(1100, 54).came_true);
  EXPECT_FALSE(verdict(1200, 50).came_true) << "too much was promised";
  EXPECT_FALSE(verdict(1000, 40).came_true) << "too little";
  EXPECT_EQ(verdict(1200, 50).why, "the saving is another one");
}

TEST(LabProof, needs_the_advice_and_all_requests) {
  const LabProof proof{"relay", "a", "b", "a becomes b"};
  EXPECT_FALSE(judge(proof, {}, spent(1000, 100), spent(0, 50)).came_true);
  LabFigures partial = spent(1000, 100);
  partial.complete = false;
  EXPECT_FALSE(judge(proof, {prediction(1000, 50)}, partial, spent(0, 50)).came_true);
}

TEST(LabProof, for_a_person_and_for_a_program) {
  std::vector<ProofRow> rows;
  for (const LabProof& proof : lab_proofs())
    rows.push_back(judge(proof, {prediction(4096, 50)}, spent(4096, 100), spent(0, 50)));
  const std::string table = proofs_table(rows, false, 120);
  EXPECT_NE(table.find("4.00 KiB"), std::string::npos);
  EXPECT_NE(table.find("the advice was not given"), std::string::npos);
  const auto document = nlohmann::json::parse(proofs_json(rows, {{"recursion", 1}}));
  EXPECT_EQ(document["proofs"][0]["came_true"], true);
  EXPECT_EQ(document["proofs"][0]["saved"]["cpu_copy_bytes"], 4096);
  EXPECT_EQ(document["proofs"][1]["came_true"], false);
  EXPECT_EQ(document["lost"]["recursion"], 1);
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
