// The size that is named is one that holds what was wanted, and that --ring takes.
#include "sinks/ring_advice.hpp"

#include <gtest/gtest.h>

#include "core/ring_size.hpp"

namespace iohops {
namespace {

TEST(RingAdvice, names_the_smallest_ring_that_would_have_held_all) {
  EXPECT_EQ(ring_advice(4097), "a ring would have had to hold 4.00 KiB: iohops record --ring 8K");
  EXPECT_EQ(ring_advice(uint64_t{32} << 20),
            "a ring would have had to hold 32.0 MiB: iohops record --ring 32M");
  EXPECT_EQ(ring_advice((uint64_t{32} << 20) + 1),
            "a ring would have had to hold 32.0 MiB: iohops record --ring 64M");
}

TEST(RingAdvice, does_not_name_a_ring_that_cannot_be) {
  EXPECT_EQ(ring_for(kLargestRing), kLargestRing);
  EXPECT_EQ(ring_for(kLargestRing + 1), std::nullopt);
  EXPECT_EQ(ring_advice(kLargestRing + 1).find("--ring"), std::string::npos);
}

TEST(RingAdvice, says_what_is_sure_of_a_recording_that_does_not_know) {
  EXPECT_EQ(ring_advice(0), "a larger ring loses less: iohops record --ring 64M");
}

}  // namespace
}  // namespace iohops
