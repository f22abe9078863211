// What top makes of the kernel's tallies.
#include <gtest/gtest.h>

#include "core/top/tallies.hpp"

namespace iohops {
namespace {

TopTally tally_of(uint16_t op, uint64_t requests) {
  TopTally tally;
  tally.key.tgid = 42;
  tally.key.file = 1;
  tally.key.op = op;
  tally.value.requests = requests;
  return tally;
}

uint64_t switches(const std::vector<TopTally>& tallies) {
  TopTallies all;
  TopSample sample;
  sample.tallies = tallies;
  uint64_t sum = 0;
  for (const TopDelta& delta : all.update(sample)) sum += delta.figures.mode_switches;
  return sum;
}

TEST(TopTallies, requests_of_a_ring_enter_with_their_call) {
  EXPECT_EQ(switches({tally_of(WIRE_OP_URING + 22, 32), tally_of(WIRE_OP_IO_URING_ENTER, 1)}), 2u);
  EXPECT_EQ(switches({tally_of(WIRE_OP_AIO, 32), tally_of(WIRE_OP_IO_SUBMIT, 1), tally_of(WIRE_OP_IO_GETEVENTS, 2)}), 6u);
  EXPECT_EQ(switches({tally_of(WIRE_OP_READ, 10), tally_of(WIRE_OP_PAGE_FAULT, 5)}), 30u);
}

}  // namespace
}  // namespace iohops
