// Recordings of real programs on a real kernel (tests/streams, see its README.md), rebuilt and
// compared with goldens.
#include <gtest/gtest.h>

#include <string>

#include "golden.hpp"
#include "ledger.hpp"
#include "recorded.hpp"

namespace iohops::test {
namespace {

class RebuildGolden : public testing::TestWithParam<const char*> {};

TEST_P(RebuildGolden, recording_gives_the_ledger_that_was_checked) {
  const std::string name = GetParam();
  const Recorded recorded = load_stream(name);
  Ledger ledger;
  Rebuilder rebuilder(recorded.context(), ledger);
  for (const Words& words : recorded.records) {
    const Status status = rebuilder.feed(as_record(words));
    ASSERT_TRUE(status) << status.error().message;
  }
  ASSERT_TRUE(rebuilder.finish(false));
  for (const std::string& violation : ledger.invariants.violations()) ADD_FAILURE() << violation;
  const auto& counters = rebuilder.counters();
  expect_golden("stream_" + name + ".txt",
                ledger.text() + "absorbed " + std::to_string(counters.absorbed_bytes) +
                    " pending " + std::to_string(counters.pending_bytes) + " writeback " +
                    std::to_string(counters.writeback_bytes) + "\n");
}

INSTANTIATE_TEST_SUITE_P(Streams, RebuildGolden, testing::ValuesIn(kStreams),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace iohops::test
