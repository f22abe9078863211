// sendfile and its kin, and messages: what is copied, what only handed on, whose pages become dirty.
#include <gtest/gtest.h>

#include "script.hpp"

namespace iohops::test {
namespace {

constexpr uint64_t kBytes = 16 * kPage;
constexpr uint32_t kMsgTrunc = 0x20, kMsgZerocopy = 0x4000000;

// One move of kBytes from one file to another, and what the ledger says of it.
Request moved(uint16_t op, const FileSpec& from, const FileSpec& to, uint32_t from_flags = 0,
              uint16_t request_flags = 0) {
  Story story;
  const auto source = story.file("/from", from);
  const auto target = story.file("/to", to);
  story.call(op, source).at(0, kBytes).flags(from_flags).to(target, 0).ends(kBytes, request_flags);
  return story.told().request_of(1);
}

uint64_t copied(const Request& r, Endpoint from, Endpoint to) {
  return hop_bytes(r, HopKind::kCpuCopy, from, to);
}
uint64_t handed_on(const Request& r, Endpoint from, Endpoint to) {
  return hop_bytes(r, HopKind::kRef, from, to);
}

TEST(RebuildMove, a_file_is_handed_to_tcp_without_a_copy) {
  const Request r = moved(WIRE_OP_SENDFILE, {}, kTcp);
  EXPECT_EQ(handed_on(r, Endpoint::kPageCache, Endpoint::kSocket), kBytes);
  EXPECT_EQ(r.cpu_copies, 0u);
  EXPECT_EQ(r.path, Path::kZeroCopy);
  EXPECT_EQ(r.cache, CacheOutcome::kHit);
  EXPECT_EQ(r.returned_bytes(), kBytes);
  EXPECT_NE(r.to_file, 0u);
  EXPECT_FALSE(r.to_offset.has_value()) << "a socket has no position";
}

TEST(RebuildMove, from_file_to_file_is_one_copy_within_the_page_cache) {
  for (const uint16_t op : {WIRE_OP_SENDFILE, WIRE_OP_COPY_FILE_RANGE}) {
    const Request r = moved(op, {}, {});
    EXPECT_EQ(copied(r, Endpoint::kPageCache, Endpoint::kPageCache), kBytes);
    EXPECT_EQ(r.cpu_copies, 1u);
    EXPECT_EQ(r.path, Path::kBuffered);
    EXPECT_EQ(r.to_offset, 0u);
  }
}

TEST(RebuildMove, a_target_that_goes_past_the_page_cache_gets_the_pages_themselves) {
  const Request r = moved(WIRE_OP_SENDFILE, {}, {}, 0, WIRE_REQUEST_TO_DIRECT);
  EXPECT_EQ(r.cpu_copies, 0u);
}

TEST(RebuildMove, pipes_hold_pages_of_others) {
  EXPECT_EQ(handed_on(moved(WIRE_OP_SPLICE, {}, kPipe), Endpoint::kPageCache, Endpoint::kPipe), kBytes);
  EXPECT_EQ(copied(moved(WIRE_OP_SPLICE, kPipe, {}), Endpoint::kPipe, Endpoint::kPageCache), kBytes);
  EXPECT_EQ(handed_on(moved(WIRE_OP_SPLICE, kPipe, kTcp), Endpoint::kPipe, Endpoint::kSocket), kBytes);
  EXPECT_EQ(handed_on(moved(WIRE_OP_SPLICE, kTcp, kPipe), Endpoint::kSocket, Endpoint::kPipe), kBytes);
  EXPECT_EQ(handed_on(moved(WIRE_OP_TEE, kPipe, kPipe), Endpoint::kPipe, Endpoint::kPipe), kBytes);
  EXPECT_EQ(moved(WIRE_OP_SPLICE, kPipe, kDevNull).hops.size(), 0u) << "/dev/null takes nothing";
}

TEST(RebuildMove, what_has_no_pages_fills_some_by_copying) {
  const Request proc = moved(WIRE_OP_SENDFILE, kProc, kTcp);
  EXPECT_EQ(copied(proc, Endpoint::kKernel, Endpoint::kPipe), kBytes);
  EXPECT_EQ(handed_on(proc, Endpoint::kKernel, Endpoint::kSocket), kBytes);
  const Request memory = moved(WIRE_OP_SENDFILE, kTmpfs, kTcp);
  EXPECT_EQ(memory.cpu_copies, 0u) << "tmpfs hands out its pages";
  const Request direct = moved(WIRE_OP_SPLICE, {}, kPipe, kODirect);
  EXPECT_EQ(direct.cpu_copies, 0u) << "the device fills them";
  EXPECT_EQ(direct.path, Path::kDirect);
  EXPECT_EQ(handed_on(direct, Endpoint::kKernel, Endpoint::kPipe), kBytes) << "pages of no page cache";
}

TEST(RebuildMove, devices_and_datagrams_fill_pages_for_the_pipe) {
  const Request random = moved(WIRE_OP_SPLICE, kDevRandom, kPipe);
  EXPECT_EQ(copied(random, Endpoint::kKernel, Endpoint::kPipe), kBytes) << "devtmpfs is no tmpfs";
  EXPECT_EQ(random.hops.size(), 1u) << "they are the pipe's own";
  FileSpec unix_datagram = kSocket;
  unix_datagram.rdev = WIRE_SOCKET(1, 2, 0);
  for (const FileSpec& socket : {kUdp, unix_datagram}) {
    const Request r = moved(WIRE_OP_SPLICE, socket, kPipe);
    EXPECT_EQ(copied(r, Endpoint::kSocket, Endpoint::kPipe), kBytes) << "it has no splice_read";
    EXPECT_EQ(r.hops.size(), 1u);
  }
}

TEST(RebuildMove, what_a_local_stream_hands_out_is_a_guess) {
  FileSpec stream = kSocket;
  stream.rdev = WIRE_SOCKET(1, 1, 0);
  const Request r = moved(WIRE_OP_SPLICE, stream, kPipe);
  EXPECT_EQ(handed_on(r, Endpoint::kSocket, Endpoint::kPipe), kBytes);
  EXPECT_EQ(r.hops.front().evidence, Evidence::kInferred);
  Story story;
  const auto socket = story.file("socket:[1]", stream);
  const auto pipe = story.file("pipe:[2]", kPipe);
  story.call(WIRE_OP_SPLICE, socket).at(WIRE_UNKNOWN, kBytes).to(pipe).returns(100);
  const Request& little = story.told().request_of(1);
  EXPECT_EQ(copied(little, Endpoint::kSocket, Endpoint::kPipe), 100u) << "it lay beside its head";
  EXPECT_EQ(little.hops.front().evidence, Evidence::kInferred);
}

TEST(RebuildMove, o_direct_is_a_wish) {
  const Request memory = moved(WIRE_OP_SPLICE, kPipe, kTmpfs, 0, WIRE_REQUEST_TO_DIRECT);
  EXPECT_EQ(copied(memory, Endpoint::kPipe, Endpoint::kKernel), kBytes) << "tmpfs has nothing to go past";
  for (const FileSpec& fs : {FileSpec{}, kBtrfs}) {
    Story story;
    const auto source = story.file("/from", fs);
    const auto target = story.file("/to", fs);
    story.call(WIRE_OP_SENDFILE, source).at(0, kBytes).to(target, 0).dirties(kBytes).ends(kBytes,
                                                                                         WIRE_REQUEST_TO_DIRECT);
    story.call(WIRE_OP_SENDFILE, source).at(0, 100).to(target, 0).ends(100, WIRE_REQUEST_TO_DIRECT);
    story.call(WIRE_OP_SENDFILE, source).at(0, kPage).to(target, 0).dirties(kPage).ends(kPage, WIRE_REQUEST_TO_DIRECT);
    const Ledger& ledger = story.told();
    EXPECT_EQ(copied(ledger.request_of(1), Endpoint::kPageCache, Endpoint::kPageCache), kBytes) << "checksummed";
    EXPECT_EQ(ledger.request_of(1).hops.front().evidence, Evidence::kInferred);
    EXPECT_EQ(ledger.request_of(2).cpu_copies, 1u) << "less than a sector";
    EXPECT_EQ(ledger.request_of(3).cpu_copies, fs.magic == kBtrfs.magic ? 1u : 0u) << "ext4's inode is a page, too";
  }
}

TEST(RebuildMove, a_direct_source_that_falls_back_is_copied_out_of_the_page_cache) {
  Story story;
  const auto source = story.file("/from", kBtrfs);
  const auto pipe = story.file("pipe:[1]", kPipe);
  story.call(WIRE_OP_SPLICE, source).at(100, kPage).flags(kODirect).to(pipe).returns(kPage);
  story.call(WIRE_OP_SPLICE, source).at(0, kPage).flags(kODirect).adds(0, 1).to(pipe).returns(kPage);
  const Ledger& ledger = story.told();
  for (const uint64_t seq : {1u, 2u}) {
    const Request& r = ledger.request_of(seq);
    EXPECT_EQ(copied(r, Endpoint::kPageCache, Endpoint::kPipe), kPage);
    EXPECT_EQ(r.path, Path::kBuffered);
  }
}

TEST(RebuildMove, journalled_data_goes_through_the_page_cache_at_both_ends) {
  FileSpec journalled;
  journalled.flags = WIRE_FILE_JOURNALLED;
  EXPECT_EQ(copied(moved(WIRE_OP_SPLICE, journalled, kPipe, kODirect), Endpoint::kPageCache, Endpoint::kPipe), kBytes);
  const Request r = moved(WIRE_OP_SPLICE, kPipe, journalled, 0, WIRE_REQUEST_TO_DIRECT);
  EXPECT_EQ(copied(r, Endpoint::kPipe, Endpoint::kPageCache), kBytes);
}

TEST(RebuildMove, trees_of_btrfs_do_not_hide_that_extents_are_shared) {
  Story story;
  FileSpec elsewhere = kBtrfs;
  elsewhere.dev = kDisk + 2;
  const auto source = story.file("/from", kBtrfs);
  const auto target = story.file("/to", kBtrfs);
  const auto other = story.file("/other", elsewhere);
  const auto copy = [&](uint64_t from, const NamedFile& to, uint64_t bytes) {
    story.call(WIRE_OP_COPY_FILE_RANGE, source).at(from, bytes).to(to, 0).dirties(16 * kPage).returns(bytes);
  };
  copy(0, target, kBytes + 5);  // its tail is the file's end, or it would have been cut off
  copy(512, target, kBytes);
  copy(0, target, 5);
  copy(0, other, kBytes);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).cpu_copies, 0u);
  EXPECT_EQ(ledger.request_of(2).cpu_copies, 1u);
  EXPECT_EQ(ledger.request_of(3).cpu_copies, 1u);
  EXPECT_EQ(ledger.request_of(4).cpu_copies, 1u) << "before 5.19";
}

TEST(RebuildMove, a_server_copies_what_it_keeps) {
  FileSpec fuse{0100644, 0x65735546, "fuse", 50};
  Story story;
  const auto source = story.file("/from", fuse);
  const auto target = story.file("/to", fuse);
  story.call(WIRE_OP_COPY_FILE_RANGE, source).at(100, kBytes).to(target, 7).returns(kBytes);
  auto local = story.call(WIRE_OP_COPY_FILE_RANGE, source).at(0, kBytes).to(target, 0);
  local.adds_of(target, 0, 16).returns(kBytes);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).cpu_copies, 0u);
  EXPECT_EQ(ledger.request_of(1).hops.front().evidence, Evidence::kInferred);
  EXPECT_EQ(ledger.request_of(2).cpu_copies, 1u) << "through this kernel's page cache";
}

TEST(RebuildMove, vmsplice_gives_pages_and_takes_copies) {
  for (const uint32_t access : {0u, 1u}) {  // O_RDONLY, O_WRONLY
    Story story;
    const auto pipe = story.file("pipe:[1]", kPipe);
    story.call(WIRE_OP_VMSPLICE, pipe).at(WIRE_UNKNOWN, kBytes).flags(access).returns(kBytes);
    const Request& r = story.told().request_of(1);
    EXPECT_EQ(copied(r, Endpoint::kPipe, Endpoint::kUser), access == 0 ? kBytes : 0);
    EXPECT_EQ(handed_on(r, Endpoint::kUser, Endpoint::kPipe), access == 1 ? kBytes : 0);
  }
}

TEST(RebuildMove, extents_that_two_files_share_are_no_copy) {
  const Request shared = moved(WIRE_OP_COPY_FILE_RANGE, kXfs, kXfs);
  EXPECT_EQ(shared.cpu_copies, 0u);
  EXPECT_EQ(handed_on(shared, Endpoint::kDevice, Endpoint::kDevice), kBytes);
  EXPECT_EQ(shared.cache, CacheOutcome::kBypass) << "nothing was taken out of the page cache";
  EXPECT_EQ(shared.cache_hit_bytes(), 0u);
  Story story;
  const auto source = story.file("/from", kXfs);
  const auto target = story.file("/to", kXfs);
  story.call(WIRE_OP_COPY_FILE_RANGE, source).at(0, 100).to(target, 100).returns(100);
  EXPECT_EQ(story.told().request_of(1).cpu_copy_bytes, 100u) << "no whole block: into a page that was dirty already";
}

TEST(RebuildMove, dirty_pages_of_the_target_tell_of_a_copy) {
  Story story;
  const auto source = story.file("/from", kXfs);
  const auto target = story.file("/to", kXfs);
  story.call(WIRE_OP_COPY_FILE_RANGE, source).at(0, kBytes).to(target, 0).dirties(kBytes).returns(kBytes);
  EXPECT_EQ(story.told().request_of(1).cpu_copy_bytes, kBytes) << "its pages became dirty";
}

TEST(RebuildMove, an_unknown_end_claims_no_copy_and_says_so) {
  Story story;
  const auto source = story.file("/from");
  story.call(WIRE_OP_SENDFILE, source).at(0, kBytes).to(NamedFile{}).returns(kBytes);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.hops.size(), 0u);
  EXPECT_FALSE(r.complete);
}

TEST(RebuildMove, what_it_wrote_is_written_back_on_its_account) {
  Story story;
  const auto source = story.file("/from");
  const auto target = story.file("/to");
  story.call(WIRE_OP_COPY_FILE_RANGE, source).at(0, kBytes).to(target, 2 * kPage).returns(kBytes);
  story.completes({story.flusher_writes(target, 2, 16)});
  const Ledger& ledger = story.told();
  ASSERT_EQ(ledger.effects.size(), 1u);
  EXPECT_EQ(ledger.effects.front().bytes, kBytes);
  EXPECT_EQ(ledger.effects.front().requests.front().request, ledger.request_of(1).id);
}

TEST(RebuildMove, pages_of_the_target_are_no_misses_of_the_source) {
  Story story;
  const auto source = story.file("/from");
  const auto target = story.file("/to");
  auto copy = story.call(WIRE_OP_COPY_FILE_RANGE, source).at(0, kBytes).to(target, 0);
  copy.adds_of(target, 0, 16).returns(kBytes);
  auto cold = story.call(WIRE_OP_SENDFILE, source).at(0, kBytes).to(target, 0).adds(0, 16);
  cold.returns(kBytes);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).cache, CacheOutcome::kHit);
  EXPECT_EQ(ledger.request_of(2).cache, CacheOutcome::kMiss);
}

TEST(RebuildMessage, a_message_that_does_not_fit_is_copied_as_far_as_it_fits) {
  Story story;
  const auto socket = story.file("socket:[1]", kUdp);
  story.call(WIRE_OP_RECVFROM, socket).at(WIRE_UNKNOWN, 100).called_with(kMsgTrunc).returns(1400);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(copied(r, Endpoint::kSocket, Endpoint::kUser), 100u);
  EXPECT_EQ(r.moved, 100u);
  EXPECT_EQ(r.result, 1400);
}

TEST(RebuildMessage, tcp_throws_truncated_bytes_away) {
  Story story;
  const auto socket = story.file("socket:[1]", kTcp);
  story.call(WIRE_OP_RECVFROM, socket).at(WIRE_UNKNOWN, 1000).called_with(kMsgTrunc).returns(1000);
  EXPECT_EQ(story.told().request_of(1).cpu_copies, 0u);
}

TEST(RebuildMessage, several_messages_count_their_bytes) {
  Story story;
  const auto socket = story.file("socket:[1]", kUdp);
  story.call(WIRE_OP_SENDMMSG, socket).moves(3000).returns(2);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.result, 2);
  EXPECT_EQ(r.returned_bytes(), 3000u);
  EXPECT_EQ(copied(r, Endpoint::kUser, Endpoint::kSocket), 3000u);
}

TEST(RebuildMessage, zero_copy_is_a_wish) {
  struct Case {
    uint16_t flags;
    uint64_t copied, handed_on;
  };
  constexpr uint16_t kLocal = WIRE_REQUEST_ZEROCOPY | WIRE_REQUEST_LOOPBACK;
  constexpr uint16_t kVeth = WIRE_REQUEST_ZEROCOPY | WIRE_REQUEST_VETH;
  for (const Case& c : {Case{0, 9000, 0}, Case{WIRE_REQUEST_ZEROCOPY, 0, 9000}, Case{kLocal, 9000, 9000},
                        Case{kVeth, 9000, 9000}}) {
    Story story;
    const auto socket = story.file("socket:[1]", kTcp);
    story.call(WIRE_OP_SENDTO, socket).at(WIRE_UNKNOWN, 9000).called_with(kMsgZerocopy).ends(9000, c.flags);
    const Request& r = story.told().request_of(1);
    EXPECT_EQ(copied(r, Endpoint::kUser, Endpoint::kSocket), c.copied) << c.flags;
    EXPECT_EQ(handed_on(r, Endpoint::kUser, Endpoint::kSocket), c.handed_on) << c.flags;
  }
}

}  // namespace
}  // namespace iohops::test
