// Advice: what is advised, on which evidence, and that nothing is where nothing is wrong.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/advice/advisor.hpp"

namespace iohops {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class Advice : public testing::Test {
 protected:
  void SetUp() override {
    File file;
    file.id = 1;
    file.path = "/data/a";
    file.kind = FileKind::kRegular;
    ASSERT_TRUE(advisor.file(file));
    file.id = 2;
    file.path = "socket:[7]";
    file.kind = FileKind::kSocket;
    ASSERT_TRUE(advisor.file(file));
  }

  // A cached read, to be changed before it is told.
  Request read(uint64_t offset, uint64_t bytes) {
    Request r;
    r.id = {100, ++seq};
    r.op = "read";
    r.file = 1;
    r.offset = offset;
    r.requested = bytes;
    r.result = static_cast<int64_t>(bytes);
    r.moves_data = true;
    r.mode_switches = 2;
    r.duration_ns = 1000;
    r.path = Path::kBuffered;
    r.cache = CacheOutcome::kHit;
    copy(r, Endpoint::kPageCache, Endpoint::kUser, bytes);
    return r;
  }
  Request write(uint64_t offset, uint64_t bytes) {
    Request r = read(offset, bytes);
    r.op = "write";
    std::swap(r.hops[0].from, r.hops[0].to);
    return r;
  }
  static void copy(Request& r, Endpoint from, Endpoint to, uint64_t bytes) {
    Hop hop;
    hop.kind = HopKind::kCpuCopy;
    hop.from = from;
    hop.to = to;
    hop.bytes = bytes;
    r.hops.push_back(hop);
    r.cpu_copies++;
    r.cpu_copy_bytes += bytes;
  }
  static void miss(Request& r, uint64_t device_bytes) {
    r.cache = CacheOutcome::kMiss;
    r.miss_bytes = static_cast<uint64_t>(r.result);
    r.dma_bytes = device_bytes;
    Hop wait;
    wait.kind = HopKind::kWait;
    wait.reason = WaitReason::kDevice;
    wait.end_ns = 900;
    r.off_cpu_ns = 900;
    r.hops.push_back(wait);
  }
  void tell(const Request& r) { ASSERT_TRUE(advisor.request(r)); }
  std::vector<AdviceEntry> advice() { return advisor.advise(); }
  // The only advice, which must be this one.
  AdviceEntry only(const char* id) {
    const auto all = advice();
    if (all.size() != 1 || all[0].id != id) {
      std::string got;
      for (const AdviceEntry& entry : all) got += entry.id + " ";
      ADD_FAILURE() << "expected only " << id << ", got " << got;
      return {};
    }
    EXPECT_FALSE(all[0].evidence.empty()) << "no advice without proof";
    EXPECT_FALSE(all[0].how.empty());
    EXPECT_NE(all[0].title.find(all[0].id == "zero-copy-copied" ? "ZEROCOPY" : "/data/a"), std::string::npos);
    return all[0];
  }

  Advisor advisor;
  uint64_t seq = 0;
};

TEST_F(Advice, is_silent_on_large_cached_reads_and_writes) {
  for (uint64_t i = 0; i < 2000; i++) {
    tell(read(i * 65536, 65536));
    tell(write(i * 65536, 65536));
  }
  EXPECT_TRUE(advice().empty());
}

TEST_F(Advice, a_relay_would_save_both_copies_and_half_of_the_calls) {
  Flow flow{{100, 1}, {100, 2}, 65536, Evidence::kInferred, 2, 0, 4, "read-write", "sendfile", 1, 2, 2 * 65536};
  for (int i = 0; i < 10; i++) ASSERT_TRUE(advisor.flow(flow));
  const AdviceEntry entry = only("relay");
  EXPECT_EQ(entry.saves_cpu_copies, 20u);
  EXPECT_EQ(entry.saves_bytes, 20 * 65536u);
  EXPECT_EQ(entry.saves_mode_switches, 20u);
}

TEST_F(Advice, of_what_goes_to_two_the_read_is_saved_once) {
  ASSERT_TRUE(advisor.flow({{100, 1}, {100, 2}, 65536, Evidence::kInferred, 2, 0, 4, "read-write", "sendfile", 1, 2, 2 * 65536}));
  ASSERT_TRUE(advisor.flow({{100, 1}, {100, 3}, 65536, Evidence::kInferred, 1, 0, 2, "read-write", "sendfile", 1, 2, 65536}));
  const AdviceEntry entry = only("relay");
  EXPECT_EQ(entry.saves_cpu_copies, 3u);
  EXPECT_EQ(entry.saves_bytes, 3 * 65536u);
  EXPECT_EQ(entry.saves_mode_switches, 2u) << "three calls become two";
}

TEST_F(Advice, a_copy_from_file_to_file_still_costs_one) {
  Flow flow{{100, 1}, {100, 2}, 65536, Evidence::kInferred, 2, 0, 4, "read-write", "copy_file_range", 1, 1, 2 * 65536};
  ASSERT_TRUE(advisor.flow(flow));
  EXPECT_EQ(only("relay").saves_bytes, 65536u);
}

TEST_F(Advice, small_relays_and_those_without_a_shortcut_are_let_be) {
  ASSERT_TRUE(advisor.flow({{100, 1}, {100, 2}, 600, Evidence::kInferred, 2, 0, 4, "recv-send", "splice", 2, 2}));
  ASSERT_TRUE(advisor.flow({{100, 1}, {100, 2}, kMiB, Evidence::kInferred, 2, 0, 4, "read-write", "", 1, 1}));
  EXPECT_TRUE(advice().empty());
}

TEST_F(Advice, many_small_requests_in_a_row_would_do_with_fewer) {
  for (uint64_t i = 0; i < 1025; i++) tell(read(i * 512, 512));
  const AdviceEntry entry = only("small-requests");
  // 1024 of them follow another one: 512 KiB, 8 requests of 64 KiB.
  EXPECT_EQ(entry.saves_mode_switches, 2u * (1024 - 8));
}

TEST_F(Advice, small_requests_here_and_there_are_let_be) {
  for (uint64_t i = 0; i < 2000; i++) tell(read((i * 7919 % 4001) * 8192, 512));
  EXPECT_TRUE(advice().empty());
}

TEST_F(Advice, sequential_reads_that_wait_each_time_want_readahead) {
  for (uint64_t i = 0; i < 100; i++) {
    Request r = read(i * 65536, 65536);
    miss(r, 32768);
    tell(r);
  }
  only("cold-sequential");
}

TEST_F(Advice, a_large_file_that_is_read_once_could_go_past_the_cache) {
  for (uint64_t i = 0; i < 128; i++) {
    Request r = read(i * kMiB, kMiB);
    r.dma_bytes = kMiB;
    tell(r);
  }
  EXPECT_EQ(only("cold-streaming").saves_bytes, 128 * kMiB);
}

TEST_F(Advice, a_stream_past_the_page_cache_is_what_was_advised) {
  for (uint64_t i = 0; i < 128; i++) {
    Request r = read(i * kMiB, kMiB);
    r.direct = true;
    r.path = Path::kDirect;
    r.dma_bytes = kMiB;
    r.hops.clear();
    r.cpu_copies = r.cpu_copy_bytes = 0;
    tell(r);
  }
  EXPECT_TRUE(advice().empty());
}

// It is handed out when the device has finished, after the reads that came behind it and hit.
TEST_F(Advice, a_read_that_is_told_late_is_in_sequence_all_the_same) {
  std::vector<Request> late;
  for (uint64_t i = 0; i < 128; i++) {
    Request r = read(i * kMiB, kMiB);
    if (i % 4 == 1) {
      r.dma_bytes = 4 * kMiB;
      late.push_back(r);
    } else {
      tell(r);
    }
    if (i % 4 != 3) continue;
    tell(late.back());
    late.clear();
  }
  EXPECT_EQ(only("cold-streaming").saves_bytes, 128 * kMiB);
}

TEST_F(Advice, pages_that_are_read_again_and_again_could_be_mapped) {
  for (uint64_t i = 0; i < 20'000; i++) tell(read((i * 7919 % 257) * 4096, 4096));
  const AdviceEntry entry = only("hot-rereads");
  EXPECT_EQ(entry.saves_mode_switches, 40'000u);
  EXPECT_EQ(entry.saves_bytes, 20'000u * 4096);
}

TEST_F(Advice, direct_requests_that_were_copied_or_refused_are_told) {
  Request fallen = read(0, 4096);
  fallen.direct = true;
  tell(fallen);
  EXPECT_EQ(only("direct-fallback").saves_bytes, 4096u);
  Request hole = fallen;
  hole.hops[0].evidence = Evidence::kInferred;
  tell(hole);
  EXPECT_EQ(only("direct-fallback").saves_bytes, 4096u) << "alignment makes no hole faster";
  Request refused = read(0, 100);
  refused.direct = true;
  refused.result = -22;
  refused.hops.clear();
  tell(refused);
  EXPECT_EQ(advice().size(), 2u);
}

TEST_F(Advice, what_the_driver_of_a_device_copies_is_not_the_programs_fault) {
  Request direct = read(0, 4096);
  direct.direct = true;
  direct.path = Path::kDirect;
  direct.hops[0].transfer = 7;  // of a buffered loop device
  for (int i = 0; i < 1000; i++) tell(direct);
  EXPECT_TRUE(advice().empty());
}

TEST_F(Advice, a_sync_for_each_small_write_is_a_storm) {
  for (uint64_t i = 0; i < 64; i++) {
    tell(write(i * 65536 * 3, 4096));
    Request sync = read(0, 0);
    sync.op = "fdatasync";
    sync.moves_data = false;
    sync.hops.clear();
    sync.duration_ns = i == 40 ? 9'000'000 : 1'000'000;
    tell(sync);
  }
  const AdviceEntry entry = only("sync-storm");
  EXPECT_EQ(entry.evidence[0].seq, 82u) << "the slowest of them";
  EXPECT_EQ(entry.saves_mode_switches, 2u * 63);
}

TEST_F(Advice, a_stream_is_guessed_by_its_buffer_and_measured_where_it_is_traced) {
  for (uint64_t i = 0; i < 100; i++) {
    Request r = read(i * 4096, 4096);
    r.buffer = 0x55550000a2c0;
    tell(r);
  }
  const AdviceEntry guess = only("stdio-buffering");
  EXPECT_EQ(guess.saves_bytes, 0u) << "a guess is not counted";
  EXPECT_NE(guess.title.find("inferred"), std::string::npos);
}

TEST_F(Advice, a_buffer_at_the_start_of_a_page_is_nobodys_stream) {
  for (uint64_t i = 0; i < 100; i++) {
    Request r = read(i * 4096, 4096);
    r.buffer = 0x55550000a000;
    tell(r);
  }
  EXPECT_TRUE(advice().empty());
}

TEST_F(Advice, a_copy_that_direct_requests_spare_is_no_reason_to_advise) {
  Flow flow{{100, 1}, {100, 2}, kMiB, Evidence::kInferred, 0, 2, 4, "read-write", "copy_file_range", 1, 1};
  ASSERT_TRUE(advisor.flow(flow));
  EXPECT_TRUE(advice().empty());
  flow.cpu_copies = 1;  // read directly, written through the page cache: as many as the advised call makes
  flow.copied_bytes = kMiB;
  ASSERT_TRUE(advisor.flow(flow));
  EXPECT_TRUE(advice().empty());
  flow.cpu_copies = 2;
  flow.copied_bytes = 2 * kMiB;
  for (int i = 0; i < 3; i++) ASSERT_TRUE(advisor.flow(flow));
  EXPECT_EQ(only("relay").saves_bytes, 2 * kMiB);
}

TEST_F(Advice, a_request_that_gives_the_place_is_of_no_stream) {
  for (uint64_t i = 0; i < 100; i++) {
    Request r = write(i * 8192, 4096);
    r.op = "pwrite64";
    r.buffer = 0x55550000a2c0;
    tell(r);
  }
  EXPECT_TRUE(advice().empty());
}

TEST_F(Advice, what_is_written_on_from_where_it_was_read_is_copied_by_no_stream) {
  for (uint64_t i = 0; i < 100; i++) {
    Request r = read(i * 4096, 4096);
    r.buffer = 0x55550000a2c0;
    tell(r);
    Flow flow;
    flow.from = r.id;
    flow.bytes = 4096;
    flow.cpu_copies = 2;
    flow.mode_switches = 4;
    flow.advice = "sendfile";
    flow.from_file = 1;
    flow.to_file = 2;
    ASSERT_TRUE(advisor.flow(flow));
  }
  only("relay");
}

TEST_F(Advice, readahead_that_nobody_used_is_told_by_file) {
  Request r = read(0, 4096);
  r.readahead_bytes = 4 * kMiB;
  tell(r);
  EXPECT_TRUE(advice().empty()) << "of FUSE nobody knows who uses it";
  r.id.seq = ++seq;
  r.readahead_followed_bytes = 4 * kMiB;
  tell(r);
  only("unused-readahead");
  Request user = read(4096, 4096);
  user.readahead_of = {{r.id, 3 * kMiB}};
  tell(user);
  EXPECT_TRUE(advice().empty()) << "most of it is used now";
}

TEST_F(Advice, zero_copy_that_copied_is_told) {
  Request r = write(0, 65536);
  r.file = 2;
  r.path = Path::kZeroCopy;
  r.hops[0].from = Endpoint::kUser;
  r.hops[0].to = Endpoint::kSocket;
  Hop ref = r.hops[0];
  ref.kind = HopKind::kRef;
  r.hops.push_back(ref);
  tell(r);
  only("zero-copy-copied");
}

TEST_F(Advice, what_saves_most_comes_first) {
  for (uint64_t i = 0; i < 1025; i++) tell(read(i * 512, 512));
  ASSERT_TRUE(advisor.flow({{100, 1}, {100, 2}, kMiB, Evidence::kInferred, 2, 0, 4, "read-write", "sendfile", 1, 2, 2 * kMiB}));
  const auto all = advice();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].id, "relay");
}

}  // namespace
}  // namespace iohops
