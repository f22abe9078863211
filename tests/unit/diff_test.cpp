// Two recordings side by side.
#include "sinks/diff.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "json_trace.hpp"
#include "tests/unit/golden.hpp"

namespace iohops {
namespace {

Compared recording(const char* name, uint64_t requests, uint64_t switches) {
  Compared one{name, test::sample_summary()};
  one.summary.requests = requests;
  one.summary.mode_switches = switches;
  return one;
}

TEST(Diff, for_a_person) {
  Compared after = recording("after\x1b[31m", 2, 40);
  after.summary.by_op.clear();
  after.summary.by_op["read"] = test::sample_summary().by_op.at("pread64");
  expect_golden("diff.txt", diff_text(recording("before", 2, 80), after, {100, false, true}));
}

TEST(Diff, for_a_program) {
  const auto document = nlohmann::json::parse(diff_json(recording("a", 10, 20), recording("b", 12, 20)));
  EXPECT_EQ(document["figures"]["requests"]["before"], 10);
  EXPECT_EQ(document["figures"]["requests"]["after"], 12);
  EXPECT_EQ(document["by_op"]["pread64"]["requests"]["before"], 2);
}

TEST(Diff, of_the_largest_numbers_is_no_nonsense) {
  const Compared huge = recording("a", UINT64_MAX, UINT64_MAX);
  const auto document = nlohmann::json::parse(diff_json(huge, huge));
  EXPECT_EQ(document["figures"]["requests"]["before"], UINT64_MAX);
  EXPECT_NE(diff_text(huge, huge, {100, false, true}).find("18,446,744,073,709,551,615"), std::string::npos);
}

TEST(Diff, of_nothing_has_no_ratios) {
  const auto document = nlohmann::json::parse(diff_json({"a", {}}, {"b", {}}));
  EXPECT_TRUE(document["figures"]["dma_per_byte"]["before"].is_null());
  EXPECT_EQ(document["figures"]["lost"]["after"], 0);
}

}  // namespace
}  // namespace iohops
