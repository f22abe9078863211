// Measured copies: which hooks to keep, and what to believe of one request.
#include "core/copies.hpp"

#include <gtest/gtest.h>

namespace iohops {
namespace {

constexpr uint64_t kBytes = 10'000;

uint64_t& seen(CopyObservations& o, CopyProbe probe, wire_copy_hook hook) {
  return o[static_cast<size_t>(probe)][hook];
}

CopyObservations new_kernel() {
  CopyObservations o{};
  seen(o, CopyProbe::kFileRead, WIRE_COPY_READ) = kBytes;
  seen(o, CopyProbe::kFileWrite, WIRE_COPY_WRITE) = kBytes;
  seen(o, CopyProbe::kMemoryRead, WIRE_COPY_SHMEM) = kBytes;
  seen(o, CopyProbe::kPipeRead, WIRE_COPY_PIPE_OUT) = kBytes;
  seen(o, CopyProbe::kPipeWrite, WIRE_COPY_PIPE_IN) = kBytes;
  seen(o, CopyProbe::kSocketRead, WIRE_COPY_SOCKET_OUT) = kBytes;
  seen(o, CopyProbe::kSocketWrite, WIRE_COPY_SOCKET_IN) = kBytes;
  return o;
}

TEST(Copies, what_counts_every_byte_once_is_measured) {
  const CopyChoice choice = choose_copy_hooks(new_kernel(), kBytes);
  EXPECT_TRUE(choice.hooks.all());
  EXPECT_EQ(choice.measured, (MeasuredCopies{true, true, true}));
}

TEST(Copies, a_hook_inside_another_is_left_out) {
  CopyObservations o = new_kernel();
  seen(o, CopyProbe::kMemoryRead, WIRE_COPY_READ) = kBytes;  // shmem by way of filemap_read
  const CopyChoice choice = choose_copy_hooks(o, kBytes);
  EXPECT_TRUE(choice.hooks.test(WIRE_COPY_READ));
  EXPECT_FALSE(choice.hooks.test(WIRE_COPY_SHMEM));
  EXPECT_TRUE(choice.measured.files);
}

TEST(Copies, a_kind_of_file_that_is_not_counted_whole_is_derived) {
  CopyObservations o = new_kernel();
  seen(o, CopyProbe::kFileWrite, WIRE_COPY_WRITE) = kBytes - 1808;
  seen(o, CopyProbe::kPipeRead, WIRE_COPY_PIPE_OUT) = 0;
  const CopyChoice choice = choose_copy_hooks(o, kBytes);
  EXPECT_EQ(choice.measured, (MeasuredCopies{false, false, true}));
}

TEST(Copies, a_hook_that_counts_too_much_is_left_out) {
  CopyObservations o = new_kernel();
  seen(o, CopyProbe::kSocketRead, WIRE_COPY_SOCKET_OUT) = kBytes + 1;
  const CopyChoice choice = choose_copy_hooks(o, kBytes);
  EXPECT_FALSE(choice.hooks.test(WIRE_COPY_SOCKET_OUT));
  EXPECT_FALSE(choice.measured.sockets);
}

struct Weighing {
  const char* what;
  Copy derived;
  uint64_t measured;
  bool sees_all;
  Copy expected;
};

TEST(Copies, the_measured_and_the_derived_are_weighed) {
  constexpr auto kM = Evidence::kMeasured, kD = Evidence::kDerived, kI = Evidence::kInferred;
  const Weighing table[] = {
      {"both agree", {4096, kD}, 4096, true, {4096, kM}},
      {"a direct read that copied nothing", {0, kD}, 0, true, {0, kM}},
      {"a direct read of a hole: no copy after all", {4096, kI}, 0, true, {0, kM}},
      {"a path without a hook", {4096, kD}, 0, true, {4096, kD}},
      {"procfs copies where nobody looks", {4096, kD}, 0, false, {4096, kD}},
      {"a hook was skipped", {8192, kD}, 4096, true, {8192, kD, true}},
      {"tmpfs gave zeros for a hole", {8192, kD}, 4096, false, {4096, kM}},
      {"part of a direct read fell back", {8192, kI}, 4096, true, {4096, kM}},
      {"repeated after a page fault", {4096, kD}, 4196, true, {4196, kM, true}},
      {"a direct write was bounced", {0, kD}, 4096, true, {4096, kM, true}},
  };
  for (const Weighing& row : table) {
    const Copy copy = weigh_copy(row.derived, row.measured, row.sees_all);
    EXPECT_EQ(copy.bytes, row.expected.bytes) << row.what;
    EXPECT_EQ(copy.evidence, row.expected.evidence) << row.what;
    EXPECT_EQ(copy.disagrees, row.expected.disagrees) << row.what;
  }
}

}  // namespace
}  // namespace iohops
