// The C library's streams: copies in user space beside the system calls that fill their buffers.
#include <gtest/gtest.h>

#include "script.hpp"

namespace iohops::test {
namespace {

TEST(RebuildStdio, a_small_read_is_copied_out_of_the_streams_buffer) {
  Story story;
  const auto file = story.file("/data");
  story.call(WIRE_OP_READ, file).at(0, 4096).returns(4096);
  story.call(WIRE_OP_FREAD, file).at(WIRE_UNKNOWN, 100).copied_in_user_space(100).returns(100);
  const Ledger& ledger = story.told();
  const Request& r = ledger.request_of(2);
  EXPECT_EQ(r.op, "fread");
  EXPECT_EQ(r.submit, Submit::kStdio);
  EXPECT_EQ(r.mode_switches, 0u);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kStdio, Endpoint::kUser), 100u);
  EXPECT_EQ(r.hops.front().evidence, Evidence::kMeasured);
  EXPECT_EQ(r.returned_bytes(), 0u) << "its bytes were counted when the system call returned them";
}

TEST(RebuildStdio, what_went_past_the_buffer_is_not_copied_twice) {
  Story story;
  const auto file = story.file("/data");
  story.call(WIRE_OP_FWRITE, file).at(WIRE_UNKNOWN, 100'000).copied_in_user_space(1'696).returns(100'000);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kUser, Endpoint::kStdio), 1'696u);
}

}  // namespace
}  // namespace iohops::test
