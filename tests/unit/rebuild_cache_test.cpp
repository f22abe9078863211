// Reads and the page cache: hits, misses, readahead, holes, and what is no page cache at
// all.
#include <gtest/gtest.h>

#include "core/rebuild/blk_types.hpp"
#include "script.hpp"

namespace iohops::test {
namespace {

constexpr uint64_t kFour = 4 * kPage;

TEST(RebuildCache, cached_read_is_one_copy_and_two_mode_switches) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_PREAD64, file).at(8192, 4096);
  read.returns(4096);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.op, "pread64");
  EXPECT_EQ(r.comm, "app");
  EXPECT_EQ(r.file, 1u);
  EXPECT_EQ(r.offset, 8192u);
  EXPECT_EQ(r.path, Path::kBuffered);
  EXPECT_EQ(r.cache, CacheOutcome::kHit);
  EXPECT_EQ(r.mode_switches, 2u);
  ASSERT_EQ(r.hops.size(), 1u);
  EXPECT_EQ(r.hops[0].evidence, Evidence::kDerived);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kPageCache, Endpoint::kUser), 4096u);
  EXPECT_EQ(r.dma_bytes, 0u);
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.duration_ns, 1000u);
  EXPECT_EQ(r.start_ns, read.owner().start_ns - kStart);
}

TEST(RebuildCache, sequential_miss_reads_ahead_and_says_how_much) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kFour);
  read.adds(0, 16);
  const Bio bio = read.reads(0, 16);
  const uint64_t id = story.completes({bio});
  read.waits(WIRE_WAIT_DEVICE, 5000);
  read.returns(kFour);
  const Ledger& ledger = story.told();
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(r.cache, CacheOutcome::kMiss);
  EXPECT_EQ(r.miss_bytes, kFour);
  EXPECT_EQ(r.readahead_bytes, 12 * kPage);
  EXPECT_EQ(r.dma_transfers, 1u);
  EXPECT_EQ(r.dma_bytes, 16 * kPage);
  EXPECT_EQ(dma_bytes(r, Cause::kRead), kFour);
  EXPECT_EQ(dma_bytes(r, Cause::kReadahead), 12 * kPage);
  EXPECT_EQ(hop_bytes(r, HopKind::kDma, Endpoint::kDevice, Endpoint::kPageCache), 16 * kPage);
  EXPECT_EQ(r.voluntary_switches, 1u);
  EXPECT_EQ(r.off_cpu_ns, 5000u);
  const Transfer& t = ledger.transfer_of(id);
  EXPECT_EQ(t.cause, Cause::kRead);
  EXPECT_EQ(t.file, 1u);
  EXPECT_EQ(t.offset, 0u);
  EXPECT_EQ(t.unattributed_bytes, 0u);
  ASSERT_EQ(t.owners.size(), 1u);
  EXPECT_EQ(t.owners[0].bytes, 16 * kPage);
}

TEST(RebuildCache, copy_of_a_full_miss_begins_after_the_load) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage);
  read.adds(0, 1);
  story.completes({read.reads(0, 1)});
  read.returns(kPage);
  const Request& r = story.told().request_of(1);
  ASSERT_EQ(r.hops.size(), 2u);
  EXPECT_EQ(r.hops[0].kind, HopKind::kDma);
  EXPECT_EQ(r.hops[1].kind, HopKind::kCpuCopy);
  EXPECT_EQ(r.hops[1].at_ns, r.hops[0].end_ns);
}

TEST(RebuildCache, readahead_completes_after_its_request_and_belongs_to_it) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(kFour, kFour);
  read.adds(16, 32);
  const Bio ahead = read.reads(16, 32, blk::kReadahead);
  read.returns(kFour);
  EXPECT_TRUE(story.so_far().requests.empty()) << "its device work is not known yet";
  const uint64_t id = story.completes({ahead});
  EXPECT_EQ(story.so_far().requests.size(), 1u);
  const Ledger& ledger = story.told();
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(r.cache, CacheOutcome::kMixed);
  EXPECT_EQ(r.miss_bytes, 0u);
  EXPECT_EQ(r.readahead_bytes, 32 * kPage);
  EXPECT_EQ(dma_bytes(r, Cause::kReadahead), 32 * kPage);
  EXPECT_EQ(ledger.transfer_of(id).cause, Cause::kReadahead);
  EXPECT_TRUE(r.complete);
  EXPECT_GT(r.hops.back().end_ns, r.start_ns + r.duration_ns);
}

TEST(RebuildCache, read_within_a_page_misses_only_the_bytes_asked_for) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_PREAD64, file).at(5000, 100);
  read.adds(1, 1);
  story.completes({read.reads(1, 1)});
  read.returns(100);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.miss_bytes, 100u);
  EXPECT_EQ(r.readahead_bytes, 0u);
  EXPECT_EQ(dma_bytes(r, Cause::kRead), kPage);
  EXPECT_EQ(r.cache, CacheOutcome::kMiss);
}

TEST(RebuildCache, half_cached_read_is_mixed) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, 2 * kPage);
  read.adds(1, 1);
  story.completes({read.reads(1, 1)});
  read.returns(2 * kPage);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.cache, CacheOutcome::kMixed);
  EXPECT_EQ(r.miss_bytes, kPage);
}

TEST(RebuildCache, runs_of_several_adds_are_all_counted) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, 8 * kPage);
  read.adds(0, 2).adds(4, 2).adds(7, 3);
  read.returns(8 * kPage);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.miss_bytes, 5 * kPage);
  EXPECT_EQ(r.readahead_bytes, 2 * kPage);
  EXPECT_TRUE(r.complete);
}

TEST(RebuildCache, hole_adds_pages_and_moves_nothing_from_the_device) {
  Story story;
  const auto file = story.file("/data/sparse");
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, kFour);
  read.adds(0, 64);
  read.returns(kFour);
  const Ledger& ledger = story.told();
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(r.cache, CacheOutcome::kMiss);
  EXPECT_EQ(r.cpu_copy_bytes, kFour);
  EXPECT_EQ(r.dma_bytes, 0u);
  EXPECT_TRUE(ledger.transfers.empty());
}

TEST(RebuildCache, waiting_for_the_load_of_another_is_no_hit) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage);
  read.waits(WIRE_WAIT_PAGE_LOCK, 80000);
  read.returns(kPage);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.cache, CacheOutcome::kMixed);
  ASSERT_EQ(r.hops.size(), 2u);
  const auto& wait = r.hops[r.hops[0].kind == HopKind::kWait ? 0 : 1];
  EXPECT_EQ(wait.reason, WaitReason::kPageLock);
  EXPECT_EQ(wait.end_ns - wait.at_ns, 80000u);
}

TEST(RebuildCache, losing_the_cpu_does_not_spoil_a_hit) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage);
  read.waits(WIRE_WAIT_PREEMPTED, 3000);
  read.returns(kPage);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.cache, CacheOutcome::kHit);
  EXPECT_EQ(r.involuntary_switches, 1u);
}

TEST(RebuildCache, short_read_copies_what_it_returned) {
  Story story;
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_PREAD64, file).at(0, 65536).returns(1000);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.requested, 65536u);
  EXPECT_EQ(r.returned_bytes(), 1000u);
  EXPECT_EQ(r.cpu_copy_bytes, 1000u);
}

TEST(RebuildCache, end_of_file_and_errors_copy_nothing) {
  Story story;
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_PREAD64, file).at(1 << 20, 4096).returns(0);
  story.call(WIRE_OP_PREAD64, file).at(0, 4096).returns(-5);
  const Ledger& ledger = story.told();
  for (uint64_t seq : {1, 2}) {
    EXPECT_EQ(ledger.request_of(seq).cpu_copies, 0u);
    EXPECT_EQ(ledger.request_of(seq).cache, CacheOutcome::kNone);
  }
  EXPECT_EQ(ledger.request_of(2).result, -5);
}

TEST(RebuildCache, interrupted_call_reports_eintr_and_its_restart_is_another_request) {
  Story story;
  const auto pipe = story.file("", kPipe);
  story.call(WIRE_OP_READ, pipe).at(WIRE_UNKNOWN, 100).returns(-512);
  story.call(WIRE_OP_READ, pipe).at(WIRE_UNKNOWN, 100).returns(100);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).result, -4);
  EXPECT_EQ(ledger.request_of(1).cpu_copies, 0u);
  EXPECT_EQ(ledger.request_of(2).result, 100);
}

TEST(RebuildCache, metadata_reads_are_not_misses_of_the_file) {
  Story story;
  const auto file = story.file("/data/a");
  const NamedFile device{0, 0xfe00000, 5};
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, kPage);
  read.adds_of(device, 777, 1);
  wire_bio_part part{};
  part.ino = device.ino;
  part.dev = device.dev;
  part.index = 777;
  part.bytes = kPage;
  part.flags = WIRE_BIO_METADATA;
  const uint64_t id = story.completes({read.queues(part)});
  read.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).miss_bytes, 0u);
  EXPECT_EQ(ledger.request_of(1).cache, CacheOutcome::kMixed);
  EXPECT_EQ(ledger.transfer_of(id).cause, Cause::kMetadata);
  EXPECT_EQ(ledger.transfer_of(id).file, 0u);
}

TEST(RebuildCache, overlay_pages_belong_to_the_file_below) {
  Story story;
  const auto file = story.file("/merged/a", kOverlay);
  const NamedFile below{0, 4711, kDisk + 1};
  auto read = story.call(WIRE_OP_PREAD64, file).at(kPage, kPage);
  read.adds_of(below, 1, 4);
  wire_bio_part part{};
  part.ino = below.ino;
  part.dev = below.dev;
  part.index = 1;
  part.bytes = 4 * kPage;
  story.completes({read.queues(part)});
  read.returns(kPage);
  const Ledger& ledger = story.told();
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(r.miss_bytes, kPage);
  EXPECT_EQ(r.readahead_bytes, 3 * kPage);
  EXPECT_EQ(dma_bytes(r, Cause::kReadahead), 3 * kPage);
  EXPECT_EQ(ledger.transfers[0].file, 1u);
}

TEST(RebuildCache, block_device_is_read_through_its_own_page_cache) {
  Story story;
  FileSpec spec;
  spec.mode = 0060660;
  spec.magic = 0x01021994;
  spec.fs = "devtmpfs";
  spec.dev = 6;
  spec.rdev = kDisk;
  const auto device = story.file("/dev/vda", spec);
  auto read = story.call(WIRE_OP_READ, device).at(0, kPage);
  read.adds_of({0, kDisk, 5}, 0, 4);
  wire_bio_part part{};
  part.ino = kDisk;
  part.dev = 5;
  part.bytes = 4 * kPage;
  part.flags = WIRE_BIO_METADATA;
  const uint64_t id = story.completes({read.queues(part)});
  read.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.files[0].kind, FileKind::kBlock);
  EXPECT_EQ(ledger.request_of(1).path, Path::kBuffered);
  EXPECT_EQ(ledger.request_of(1).miss_bytes, kPage);
  EXPECT_EQ(ledger.transfer_of(id).cause, Cause::kRead);
  EXPECT_EQ(ledger.transfer_of(id).file, 1u);
}

TEST(RebuildCache, a_file_that_is_copied_up_has_its_pages_elsewhere) {
  Story story;
  const auto file = story.file("/merged/a", kOverlay);
  for (const uint64_t ino : {4711, 4712}) {
    auto read = story.call(WIRE_OP_PREAD64, file).at(0, kPage);
    read.adds_of({0, ino, kDisk + 1}, 0, 1);
    read.returns(kPage);
  }
  for (const uint32_t request : {1, 2}) EXPECT_EQ(story.told().request_of(request).miss_bytes, kPage);
}

TEST(RebuildCache, what_a_move_adds_to_its_target_is_no_miss_of_an_overlay) {
  Story story;
  const auto source = story.file("/merged/a", kOverlay);
  const auto target = story.file("/merged/b", kOverlay);
  auto read = story.call(WIRE_OP_PREAD64, source).at(0, kPage);
  read.adds_of({0, 4711, kDisk + 1}, 0, 1);
  read.returns(kPage);
  auto move = story.call(WIRE_OP_SENDFILE, source).at(0, kPage).to(target, 0);
  move.adds_of({0, 4712, kDisk + 1}, 0, 1);
  move.returns(kPage);
  EXPECT_EQ(story.told().request_of(2).cache, CacheOutcome::kHit);
}

TEST(RebuildCache, an_overlay_is_what_lies_below_it) {
  Story story;
  const auto file = story.file("/merged/a", kOverlayOnTmpfs);
  story.call(WIRE_OP_PREAD64, file).at(0, kPage).returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).path, Path::kMemory);
  EXPECT_EQ(ledger.request_of(1).cache, CacheOutcome::kNone);
  EXPECT_EQ(ledger.files.at(0).kind, FileKind::kMemory);
  EXPECT_EQ(ledger.files.at(0).filesystem, "overlay");
}

TEST(RebuildCache, metadata_of_the_disk_below_an_overlay_is_no_miss) {
  Story story;
  FileSpec spec = kOverlay;
  spec.below = 0xef53;
  spec.rdev = kDisk + 1;
  const auto file = story.file("/merged/a", spec);
  auto read = story.call(WIRE_OP_PREAD64, file).at(0, kPage);
  read.adds_of({0, kDisk, 9}, 0, 1);  // dev 9: of the file system that holds block devices
  read.returns(kPage);
  EXPECT_EQ(story.told().request_of(1).miss_bytes, 0u);
}

TEST(RebuildCache, huge_pages_enter_no_page_cache_that_could_be_missed) {
  Story story;
  const auto file = story.file("/huge/a", kHugetlbfs);
  auto fault = story.call(WIRE_OP_PAGE_FAULT, file).at(0, kPage);
  fault.adds(0, 512);
  fault.ends(0, 0);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).miss_bytes, 0u);
  EXPECT_EQ(ledger.request_of(1).readahead_bytes, 0u);
  EXPECT_EQ(hop_bytes(ledger.request_of(1), HopKind::kMap, Endpoint::kKernel, Endpoint::kUser), kPage);
}

TEST(RebuildCache, tmpfs_is_memory_and_never_the_page_cache) {
  Story story;
  const auto file = story.file("/dev/shm/a", kTmpfs);
  story.call(WIRE_OP_READ, file).at(0, kPage).returns(kPage);
  story.call(WIRE_OP_WRITE, file).at(0, kPage).flags(kODirect).returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.files[0].kind, FileKind::kMemory);
  const Request& read = ledger.request_of(1);
  EXPECT_EQ(read.path, Path::kMemory);
  EXPECT_EQ(read.cache, CacheOutcome::kNone);
  EXPECT_EQ(hop_bytes(read, HopKind::kCpuCopy, Endpoint::kKernel, Endpoint::kUser), kPage);
  const Request& write = ledger.request_of(2);
  EXPECT_EQ(hop_bytes(write, HopKind::kCpuCopy, Endpoint::kUser, Endpoint::kKernel), kPage);
  EXPECT_EQ(story.counters().pending_bytes, 0u);
}

TEST(RebuildCache, nfs_fills_its_page_cache_without_dma) {
  Story story;
  const auto file = story.file("/net/a", {.magic = 0x6969, .fs = "nfs4", .dev = 51});
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage);
  read.adds(0, 4);
  read.returns(kPage);
  const Request& request = story.told().request_of(1);
  EXPECT_EQ(request.path, Path::kBuffered);
  EXPECT_EQ(request.cache, CacheOutcome::kMiss);
  EXPECT_EQ(request.dma_bytes, 0u);
  EXPECT_EQ(hop_bytes(request, HopKind::kCpuCopy, Endpoint::kPageCache, Endpoint::kUser), kPage);
}

TEST(RebuildCache, dev_null_copies_nothing_and_dev_random_does) {
  Story story;
  const auto null = story.file("/dev/null", kDevNull);
  const auto random = story.file("/dev/urandom", kDevRandom);
  story.call(WIRE_OP_WRITE, null).at(0, kPage).returns(kPage);
  story.call(WIRE_OP_READ, random).at(0, kPage).returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.files[0].kind, FileKind::kChar);
  EXPECT_EQ(ledger.request_of(1).cpu_copies, 0u);
  EXPECT_EQ(ledger.request_of(1).path, Path::kNone);
  EXPECT_TRUE(ledger.request_of(1).complete);
  EXPECT_EQ(ledger.request_of(1).returned_bytes(), kPage);
  EXPECT_EQ(hop_bytes(ledger.request_of(2), HopKind::kCpuCopy, Endpoint::kKernel, Endpoint::kUser),
            kPage);
}

TEST(RebuildCache, sockets_and_pipes_copy_once_each_way) {
  Story story;
  const auto socket = story.file("TCP", kSocket);
  const auto pipe = story.file("", kPipe);
  story.call(WIRE_OP_WRITE, socket).at(0, 500).returns(500);
  story.call(WIRE_OP_READ, socket).at(0, 900).returns(300);
  story.call(WIRE_OP_WRITE, pipe).at(0, 70).returns(70);
  story.call(WIRE_OP_READ, pipe).at(0, 70).returns(70);
  const Ledger& l = story.told();
  EXPECT_EQ(l.files[0].path, "socket:[" + std::to_string(socket.ino) + "]");
  EXPECT_EQ(l.files[1].path, "pipe:[" + std::to_string(pipe.ino) + "]");
  EXPECT_EQ(hop_bytes(l.request_of(1), HopKind::kCpuCopy, Endpoint::kUser, Endpoint::kSocket),
            500u);
  EXPECT_EQ(hop_bytes(l.request_of(2), HopKind::kCpuCopy, Endpoint::kSocket, Endpoint::kUser),
            300u);
  EXPECT_EQ(hop_bytes(l.request_of(3), HopKind::kCpuCopy, Endpoint::kUser, Endpoint::kPipe), 70u);
  EXPECT_EQ(hop_bytes(l.request_of(4), HopKind::kCpuCopy, Endpoint::kPipe, Endpoint::kUser), 70u);
  EXPECT_EQ(l.request_of(1).path, Path::kSocket);
  EXPECT_EQ(l.request_of(4).path, Path::kPipe);
  EXPECT_FALSE(l.request_of(1).offset.has_value());
}

TEST(RebuildCache, dax_copies_between_the_device_and_user_without_page_cache) {
  Story story;
  FileSpec spec;
  spec.flags = WIRE_FILE_DAX;
  const auto file = story.file("/pmem/a", spec);
  story.call(WIRE_OP_READ, file).at(0, kPage).returns(kPage);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.path, Path::kMemory);
  EXPECT_EQ(r.cache, CacheOutcome::kNone);
  EXPECT_EQ(hop_bytes(r, HopKind::kCpuCopy, Endpoint::kKernel, Endpoint::kUser), kPage);
}

TEST(RebuildCache, copies_of_fuse_are_only_inferred) {
  Story story;
  FileSpec spec;
  spec.magic = 0x65735546;
  spec.fs = "fuse.sshfs";
  const auto file = story.file("/mnt/a", spec);
  story.call(WIRE_OP_READ, file).at(0, kPage).returns(kPage);
  EXPECT_EQ(story.told().request_of(1).hops.at(0).evidence, Evidence::kInferred);
}

TEST(RebuildCache, unknown_file_claims_no_copy_and_is_not_complete) {
  Story story;
  story.call(WIRE_OP_READ, {77, 1, 1}).at(0, kPage).returns(kPage);
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.cpu_copies, 0u);
  EXPECT_EQ(r.file, 0u);
  EXPECT_FALSE(r.complete);
}

}  // namespace
}  // namespace iohops::test
