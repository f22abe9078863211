// Relays: what counts as carried on, and what is only the same memory used again.
#include <gtest/gtest.h>

#include "core/rebuild/relay.hpp"
#include "script.hpp"

namespace iohops::test {
namespace {

constexpr uint64_t kBuffer = 0x7f0000001000;
constexpr uint64_t kChunk = 16 * kPage;

class Relay : public testing::Test {
 protected:
  void read(uint64_t buffer, uint64_t bytes, const NamedFile* from = nullptr) {
    story.call(WIRE_OP_READ, from != nullptr ? *from : file).at(at, bytes).in(buffer).returns(static_cast<int64_t>(bytes));
    at += bytes;
  }
  void write(uint64_t buffer, uint64_t bytes, const NamedFile* to = nullptr) {
    story.call(WIRE_OP_WRITE, to != nullptr ? *to : socket).at(0, bytes).in(buffer).returns(static_cast<int64_t>(bytes));
  }
  const std::vector<Flow>& flows() { return story.told().flows; }

  Story story;
  NamedFile file = story.file("/data/a");
  NamedFile socket = story.file("socket:[1]", kTcp);
  uint64_t at = 0;
};

TEST_F(Relay, a_read_and_a_write_from_its_buffer_are_one_flow) {
  read(kBuffer, kChunk);
  write(kBuffer, kChunk);
  ASSERT_EQ(flows().size(), 1u);
  const Flow& flow = flows()[0];
  EXPECT_EQ(flow.from, (RequestId{kApp, 1}));
  EXPECT_EQ(flow.to, (RequestId{kApp, 2}));
  EXPECT_EQ(flow.bytes, kChunk);
  EXPECT_EQ(flow.cpu_copies, 2u);
  EXPECT_EQ(flow.copied_bytes, 2 * kChunk);
  EXPECT_EQ(flow.mode_switches, 4u);
  EXPECT_EQ(flow.dma, 0u);
  EXPECT_EQ(flow.evidence, Evidence::kInferred);
  EXPECT_EQ(flow.kind, "read-write");
  EXPECT_EQ(flow.advice, "sendfile");
}

TEST_F(Relay, what_the_device_moved_for_the_read_is_part_of_the_chain) {
  Call call = story.call(WIRE_OP_READ, file);
  call.at(0, kChunk).in(kBuffer).adds(0, 16);
  const Bio bio = call.reads(0, 16);
  story.completes({bio});
  call.returns(kChunk);
  write(kBuffer, kChunk);
  ASSERT_EQ(flows().size(), 1u);
  EXPECT_EQ(flows()[0].dma, 1u);
}

TEST_F(Relay, parts_of_a_buffer_make_flows_once_nearly_all_of_it_was_taken) {
  read(kBuffer, kChunk);
  write(kBuffer, kChunk / 2);
  write(kBuffer + kChunk / 2, kChunk / 2);
  ASSERT_EQ(flows().size(), 2u);
  EXPECT_EQ(flows()[0].bytes + flows()[1].bytes, kChunk);
  EXPECT_EQ(flows()[0].copied_bytes, kChunk) << "its half of the read's bytes, and the write's";
  EXPECT_EQ(flows()[1].copied_bytes, kChunk);
}

TEST_F(Relay, one_write_can_carry_on_two_reads) {
  read(kBuffer, kChunk);
  read(kBuffer + kChunk, kChunk);
  write(kBuffer, 2 * kChunk);
  ASSERT_EQ(flows().size(), 2u);
  EXPECT_EQ(flows()[0].from.seq, 1u);
  EXPECT_EQ(flows()[1].from.seq, 2u);
}

TEST_F(Relay, several_readers_of_a_buffer_are_several_flows) {
  const auto other = story.file("socket:[2]", kTcp);
  read(kBuffer, kChunk);
  write(kBuffer, kChunk);
  write(kBuffer, kChunk, &other);
  EXPECT_EQ(flows().size(), 2u);
}

TEST_F(Relay, what_a_request_cost_stands_in_one_flow) {
  const auto other = story.file("socket:[2]", kTcp);
  read(kBuffer, kChunk);
  write(kBuffer, kChunk);
  write(kBuffer, kChunk, &other);  // as tee does: 3 copies, 6 mode switches
  read(kBuffer, kChunk);
  read(kBuffer + kChunk, kChunk);
  write(kBuffer, 2 * kChunk);  // and here
  ASSERT_EQ(flows().size(), 4u);
  const uint32_t want[] = {2, 1, 2, 1};
  const uint64_t want_copied[] = {2, 1, 2, 2};  // who takes the same bytes again has them from the same copy
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(flows()[i].cpu_copies, want[i]);
    EXPECT_EQ(flows()[i].copied_bytes, want_copied[i] * kChunk);
    EXPECT_EQ(flows()[i].mode_switches, 2 * want[i]);
  }
}

// As of a direct write of which the end went through the page cache.
TEST(RelayFigures, a_part_has_its_share_of_what_the_request_copied) {
  const auto ended = [](uint64_t seq) {
    Request r;
    r.id = {kApp, seq};
    r.result = kChunk;
    r.moves_data = true;
    r.cpu_copies = 1;
    return r;
  };
  Request from = ended(1), to = ended(2);
  from.cpu_copy_bytes = kChunk;
  to.cpu_copy_bytes = kChunk / 4;
  Relays relays(4);
  relays.filled({from.id, 1, Endpoint::kPageCache, false, {kBuffer, kBuffer + kChunk}, 1, 2});
  relays.settle(from);
  relays.taken({to.id, 2, Endpoint::kPageCache, false, {kBuffer, kBuffer + kChunk}, 3, 4});
  const std::vector<Flow>& flows = relays.settle(to);
  ASSERT_EQ(flows.size(), 1u);
  EXPECT_EQ(flows[0].cpu_copies, 2u);
  EXPECT_EQ(flows[0].copied_bytes, kChunk + kChunk / 4);
}

TEST_F(Relay, a_small_part_of_what_was_read_is_no_relay) {
  read(kBuffer, kChunk);
  write(kBuffer, kPage);
  EXPECT_TRUE(flows().empty());
}

TEST_F(Relay, memory_that_is_used_again_for_more_than_was_read_is_no_relay) {
  read(kBuffer, kPage);
  write(kBuffer, 16 * kPage);  // what it writes cannot have come from there
  EXPECT_TRUE(flows().empty());
}

TEST_F(Relay, a_buffer_that_is_filled_anew_gives_only_its_new_bytes_on) {
  read(kBuffer, kChunk);
  read(kBuffer, kChunk);
  write(kBuffer, kChunk);
  ASSERT_EQ(flows().size(), 1u);
  EXPECT_EQ(flows()[0].from.seq, 2u);
}

TEST_F(Relay, other_memory_another_process_and_small_change_are_no_relay) {
  read(kBuffer, kChunk);
  write(kBuffer + (1 << 20), kChunk);
  read(kBuffer, Relays::kSmallest - 1);
  write(kBuffer, Relays::kSmallest - 1);
  EXPECT_TRUE(flows().empty());
}

TEST_F(Relay, nothing_is_carried_on_past_the_end_of_a_process) {
  story.process(kApp, "app");
  read(kBuffer, kChunk);
  story.process_exits(kApp);
  write(kBuffer, kChunk);
  EXPECT_TRUE(flows().empty());
}

TEST_F(Relay, its_advice_depends_on_both_ends) {
  const auto pipe = story.file("pipe:[3]", kPipe);
  const auto copy = story.file("/data/copy");
  const auto null = story.file("/dev/null", kDevNull);
  read(kBuffer, kChunk);
  write(kBuffer, kChunk, &pipe);
  read(kBuffer, kChunk);
  write(kBuffer, kChunk, &copy);
  read(kBuffer, kChunk);
  write(kBuffer, kChunk, &null);
  ASSERT_EQ(flows().size(), 2u) << "nothing lies behind /dev/null";
  EXPECT_EQ(flows()[0].advice, "splice");
  EXPECT_EQ(flows()[1].advice, "copy_file_range");
}

TEST_F(Relay, memory_stays_bounded) {
  for (uint64_t i = 0; i < 5000; i++) read(kBuffer + i * kChunk, kChunk);
  write(kBuffer, kChunk);  // forgotten long ago
  write(kBuffer + 4999 * kChunk, kChunk);
  ASSERT_EQ(flows().size(), 1u);
  EXPECT_EQ(flows()[0].from.seq, 5000u);
}

}  // namespace
}  // namespace iohops::test
