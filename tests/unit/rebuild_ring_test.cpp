// Requests of io_uring and libaio: their own ledger, and the call that submitted them.
#include <gtest/gtest.h>
#include <algorithm>

#include "core/ops.hpp"
#include "script.hpp"

namespace iohops::test {
namespace {

constexpr uint16_t kUringRead = WIRE_OP_URING + 22, kUringRecv = WIRE_OP_URING + 27;
constexpr uint16_t kUringSendZc = WIRE_OP_URING + 47, kAioPread = WIRE_OP_AIO + 0;

TEST(RebuildRing, a_batch_shares_the_mode_switches_of_its_call) {
  Story story;
  const auto file = story.file("/data");
  const auto ring = story.file("anon_inode:[io_uring]");
  auto enter = story.call(WIRE_OP_IO_URING_ENTER, ring);
  for (uint64_t i = 0; i < 3; ++i) {
    auto read = story.call(kUringRead, file).at(i * kPage, kPage);
    read.submitted_by(enter.owner(), WIRE_RUN_SUBMITTER).returns(kPage);
  }
  enter.returns(3);
  const Ledger& ledger = story.told();
  ASSERT_EQ(ledger.requests.size(), 4u);
  uint64_t switches = 0;
  const Request* batch = nullptr;
  for (const Request& r : ledger.requests) {
    switches += r.mode_switches;
    if (r.op == "io_uring_enter") batch = &r;
  }
  EXPECT_EQ(switches, 2u);
  ASSERT_NE(batch, nullptr);
  for (const Request& r : ledger.requests) {
    if (r.submit != Submit::kIoUring) continue;
    EXPECT_EQ(r.op, "io_uring.read");
    EXPECT_EQ(r.cpu_copy_bytes, kPage);
    EXPECT_EQ(r.cache, CacheOutcome::kHit);
    ASSERT_TRUE(r.ring.has_value());
    EXPECT_EQ(r.ring->batch, batch->id);
  }
}

TEST(RebuildRing, a_request_that_ends_after_its_call_still_names_it) {
  Story story;
  const auto file = story.file("/data");
  auto submit = story.call(WIRE_OP_IO_SUBMIT, {});
  auto read = story.call(kAioPread, file).at(0, kPage).flags(kODirect);
  read.submitted_by(submit.owner(), WIRE_RUN_SUBMITTER);
  const Bio bio = read.reads_directly(kPage);
  submit.returns(1);
  story.completes({bio});
  read.returns(kPage);
  const Ledger& ledger = story.told();
  const Request& call = ledger.requests.at(0);
  const Request& r = ledger.requests.at(1);
  EXPECT_EQ(call.op, "io_submit");
  EXPECT_EQ(r.op, "aio.pread");
  EXPECT_EQ(r.submit, Submit::kLibaio);
  EXPECT_EQ(r.ring->batch, call.id);
  EXPECT_EQ(r.dma_bytes, kPage);
  EXPECT_EQ(r.cpu_copies, 0u);
  EXPECT_EQ(r.path, Path::kDirect);
  EXPECT_TRUE(r.complete);
}

TEST(RebuildRing, a_call_that_is_long_over_is_not_made_up_again) {
  Story story;
  const auto file = story.file("/data");
  auto late = story.call(kUringRead, file).at(0, kPage);
  late.submitted_by({kApp, kApp, kStart + 1}, WIRE_RUN_SUBMITTER | WIRE_RUN_LATER).returns(kPage);
  const Ledger& ledger = story.told();
  ASSERT_EQ(ledger.requests.size(), 1u);
  EXPECT_FALSE(ledger.requests.front().ring->batch.has_value());
}

TEST(RebuildRing, a_polling_thread_makes_no_call) {
  Story story;
  const auto file = story.file("/data");
  story.call(kUringRead, file).at(0, kPage).submitted_by({}, WIRE_RUN_POLLER, 1).returns(kPage);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.mode_switches, 0u);
  EXPECT_FALSE(r.ring->batch.has_value());
  EXPECT_EQ(r.ring->run_by, WIRE_RUN_POLLER);
  EXPECT_EQ(r.ring->flags, 1u);
}

TEST(RebuildRing, messages_follow_the_rules_of_messages) {
  Story story;
  const auto socket = story.file("socket:[1]", kTcp);
  auto recv = story.call(kUringRecv, socket).at(WIRE_UNKNOWN, 1000).called_with(0x20);
  recv.submitted_by({}, WIRE_RUN_POLLER).returns(500);
  auto send = story.call(kUringSendZc, socket).at(WIRE_UNKNOWN, 1000).called_with(0x4000000);
  send.submitted_by({}, WIRE_RUN_POLLER).ends(1000, WIRE_REQUEST_ZEROCOPY);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).cpu_copies, 0u) << "TCP throws MSG_TRUNC away";
  EXPECT_EQ(ledger.request_of(2).cpu_copies, 0u);
  EXPECT_EQ(ledger.request_of(2).path, Path::kZeroCopy);
}

TEST(RebuildRing, what_a_chosen_buffer_gets_is_copied) {
  constexpr uint16_t kUringRecvmsg = WIRE_OP_URING + 10;
  Story story;
  const auto tcp = story.file("socket:[1]", kTcp);
  const auto udp = story.file("socket:[2]", kUdp);
  story.call(kUringRecv, tcp).at(WIRE_UNKNOWN, WIRE_UNKNOWN).ends(500, WIRE_REQUEST_MULTISHOT);
  story.call(kUringRecv, udp).at(WIRE_UNKNOWN, WIRE_UNKNOWN).called_with(0x20).ends(600, WIRE_REQUEST_MULTISHOT);
  story.call(kUringRecvmsg, udp).at(WIRE_UNKNOWN, WIRE_UNKNOWN).ends(700, WIRE_REQUEST_MULTISHOT);
  const Ledger& ledger = story.told();
  const Evidence known[] = {Evidence::kDerived, Evidence::kInferred, Evidence::kInferred};
  const uint64_t bytes[] = {500, 600, 700};
  for (size_t i = 0; i < 3; ++i) {
    const Request& r = ledger.requests.at(i);
    EXPECT_EQ(r.cpu_copy_bytes, bytes[i]);
    EXPECT_EQ(r.hops.at(0).evidence, known[i]) << "request " << i;
    EXPECT_TRUE(r.ring->multishot);
    EXPECT_FALSE(r.requested.has_value());
  }
}

TEST(RebuildRing, a_request_whose_end_passed_unseen_is_not_complete) {
  Story story;
  const auto file = story.file("/data");
  story.call(kUringRead, file).at(0, kPage).ends(0, WIRE_REQUEST_END_UNKNOWN);
  const Request& r = story.told().requests.at(0);
  EXPECT_FALSE(r.complete);
  EXPECT_EQ(r.cpu_copies, 0u);
}

TEST(RebuildRing, what_has_no_descriptor_names_no_file) {
  Story story;
  const auto file = story.file("/dev/null", kDevNull);  // descriptor 0 of most programs
  for (const uint16_t op : {0, 11, 14, 20, 31, 17, 22})  // nop, timeout, cancel, ..., fallocate, read
    story.call(static_cast<uint16_t>(WIRE_OP_URING + op), file).ends(0, 0);
  const Ledger& ledger = story.told();
  for (const uint64_t seq : {1u, 2u, 3u, 4u, 5u}) {
    EXPECT_EQ(ledger.request_of(seq).file, 0u);
    EXPECT_EQ(ledger.request_of(seq).fd, -1);
  }
  EXPECT_NE(ledger.request_of(6).file, 0u);
  EXPECT_NE(ledger.request_of(7).file, 0u);
}

TEST(Ops, every_operation_has_a_name_of_its_own) {
  std::vector<std::string_view> names = op_names();
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_EQ(op_name(kUringRead), "io_uring.read");
  EXPECT_EQ(op_name(WIRE_OP_URING + 62), "io_uring.pipe");
  EXPECT_EQ(op_name(WIRE_OP_URING + 63), "unknown");
  EXPECT_EQ(op_name(WIRE_OP_AIO + 4), "unknown");
  EXPECT_EQ(family(WIRE_OP_AIO + 1), OpFamily::kWrite);
}

}  // namespace
}  // namespace iohops::test
