// The stream as a whole: identities, loss, bounds, records that come late or damaged, determinism.
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "core/rebuild/blk_types.hpp"
#include "script.hpp"

namespace iohops::test {
namespace {

// Something of everything, for tests that replay, cut or damage a stream.
void tell_a_long_story(Story& story) {
  const auto a = story.file("/data/a");
  const auto pipe = story.file("", kPipe);
  story.thread(101, "worker");
  auto miss = story.call(WIRE_OP_READ, a).at(0, 4 * kPage);
  miss.adds(0, 8).adds(16, 4);
  const Bio one = miss.reads(0, 8), two = miss.reads(16, 4, blk::kReadahead);
  story.completes({one, two});
  miss.waits(WIRE_WAIT_DEVICE, 500);
  miss.returns(4 * kPage);
  story.call(WIRE_OP_WRITE, pipe).at(WIRE_UNKNOWN, 10).on_thread(101).returns(10);
  story.call(WIRE_OP_PWRITE64, a).at(0, 3 * kPage).dirties(3 * kPage).returns(3 * kPage);
  story.completes({story.flusher_writes(a, 0, 2)});
  auto sync = story.call(WIRE_OP_FDATASYNC, a);
  story.completes({sync.writes(2, 1, blk::kSync)});
  story.completes({sync.flushes()});
  sync.returns(0);
  story.loses(WIRE_LOSS_RING_DETAIL, 3);
  auto direct = story.call(WIRE_OP_PREAD64, a).at(0, 16 * kPage).flags(kODirect);
  Bio rest = direct.reads_directly(16 * kPage);
  const Bio front = story.split(rest, 8);
  story.completes({front});
  story.completes({rest});
  direct.returns(16 * kPage);
  story.process_exits(kApp);
  story.ends();
}

TEST(RebuildStream, same_records_give_the_same_ledger) {
  Story story;
  tell_a_long_story(story);
  const std::string first = story.told().text();
  EXPECT_GT(first.size(), 500u);
  Ledger again;
  Rebuilder rebuilder(Story::default_context(), again);
  for (const auto& words : story.records()) {
    ASSERT_TRUE(rebuilder.feed(std::as_bytes(std::span(words))));
  }
  ASSERT_TRUE(rebuilder.finish(false));
  EXPECT_EQ(again.text(), first);
}

TEST(RebuildStream, requests_are_numbered_per_process_by_first_mention) {
  Story story;
  story.process(200, "other");
  const auto file = story.file("/data/a");
  auto first = story.call(WIRE_OP_READ, file).at(0, kPage);
  const Bio bio = first.adds(0, 1).reads(0, 1);
  story.completes({bio});  // mentions the first before any record of its own
  story.call(WIRE_OP_READ, file).at(kPage, 1).on_thread(101).returns(1);
  first.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).offset, 0u);
  EXPECT_EQ(ledger.request_of(2).offset, kPage);
}

TEST(RebuildStream, reused_thread_number_is_another_request) {
  Story story;
  const auto file = story.file("/data/a");
  for (int i = 0; i < 2; i++) {
    auto read = story.call(WIRE_OP_READ, file).at(0, kPage).on_thread(101);
    read.adds(0, 1);
    story.completes({read.reads(0, 1)});
    read.returns(kPage);
    story.thread(101, "reborn");
  }
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).dma_bytes, kPage);
  EXPECT_EQ(ledger.request_of(2).dma_bytes, kPage);
  EXPECT_EQ(ledger.request_of(2).comm, "reborn");
}

TEST(RebuildStream, reused_process_number_goes_on_counting) {
  Story story;
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_READ, file).at(0, 1).returns(1);
  story.process_exits(kApp);
  story.process(kApp, "next", WIRE_PROCESS_FORK);
  story.call(WIRE_OP_READ, file).at(0, 1).returns(1);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(2).comm, "next");
  EXPECT_FALSE(ledger.processes.back().exit_ns.has_value());
  EXPECT_GT(ledger.processes.back().start_ns, 0u);
}

TEST(RebuildStream, two_aliases_of_one_file_are_one_file) {
  Story story;
  const auto first = story.file("/data/a");
  FileSpec same;
  same.ino = first.ino;
  const auto second = story.file("/data/a", same);
  FileSpec reborn = same;
  reborn.generation = 2;  // the inode number was given to another file
  const auto third = story.file("/data/b", reborn);
  for (const NamedFile& file : {first, second, third}) {
    story.call(WIRE_OP_READ, file).at(0, 1).returns(1);
  }
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.files.size(), 2u);
  EXPECT_EQ(ledger.request_of(1).file, ledger.request_of(2).file);
  EXPECT_NE(ledger.request_of(1).file, ledger.request_of(3).file);
}

TEST(RebuildStream, reused_alias_means_the_new_file) {
  Story story;
  const auto first = story.file("/data/a");
  story.call(WIRE_OP_READ, first).at(0, 1).returns(1);
  const auto second = story.file("/data/b");
  std::vector<uint64_t> words = story.records().back();
  reinterpret_cast<wire_file*>(words.data())->file = first.alias;
  story.raw(words);
  story.call(WIRE_OP_READ, first).at(0, 1).returns(1);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.request_of(1).file, 1u);
  EXPECT_EQ(ledger.request_of(2).file, 2u);
  (void)second;
}

TEST(RebuildStream, names_are_read_from_leaf_first_components) {
  Story story;
  FileSpec partial;
  partial.flags = WIRE_FILE_PARTIAL_PATH | WIRE_FILE_UNLINKED;
  FileSpec anon;
  anon.mode = 0600;
  anon.magic = 0x09041934;
  anon.fs = "anon_inodefs";
  anon.ino = 7;
  FileSpec root;
  root.mode = 0040755;
  story.file("/var/lib/x.db");
  story.file("lib/x.db", partial);
  story.file("[eventpoll]", anon);
  story.file("[eventfd]", anon);
  story.file("", root);
  story.file("", partial);
  const Ledger& ledger = story.told();
  ASSERT_EQ(ledger.files.size(), 6u);
  EXPECT_EQ(ledger.files[0].path, "/var/lib/x.db");
  EXPECT_EQ(ledger.files[1].path, "lib/x.db");
  EXPECT_TRUE(ledger.files[1].path_partial);
  EXPECT_TRUE(ledger.files[1].unlinked);
  EXPECT_EQ(ledger.files[2].path, "anon_inode:[eventpoll]");
  EXPECT_EQ(ledger.files[3].path, "anon_inode:[eventfd]") << "they share an inode";
  EXPECT_EQ(ledger.files[4].path, "/");
  EXPECT_EQ(ledger.files[4].kind, FileKind::kDirectory);
  EXPECT_EQ(ledger.files[5].path.substr(0, 6), "ext4:[");
}

TEST(RebuildStream, loss_marks_what_was_running_and_nothing_else) {
  Story story;
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_READ, file).at(0, 1).returns(1);
  auto running = story.call(WIRE_OP_READ, file).at(0, 1).on_thread(101);
  story.pass(1000);
  story.loses(WIRE_LOSS_RING_REQUEST, 5);
  running.returns(1);
  story.call(WIRE_OP_READ, file).at(0, 1).returns(1);
  story.loses(WIRE_LOSS_RING_NAME, 1);
  const Ledger& ledger = story.told();
  EXPECT_TRUE(ledger.request_of(1).complete);
  EXPECT_FALSE(ledger.request_of(2).complete);
  EXPECT_TRUE(ledger.request_of(3).complete);
  ASSERT_EQ(ledger.losses.size(), 2u);
  EXPECT_EQ(ledger.losses[0].cause, "ring_request");
  EXPECT_EQ(ledger.losses[0].count, 5u);
  EXPECT_EQ(ledger.losses[1].cause, "ring_name");
}

TEST(RebuildStream, lost_name_does_not_mark_a_running_request) {
  Story story;
  const auto file = story.file("/data/a");
  auto running = story.call(WIRE_OP_READ, file).at(0, 1);
  story.pass(1000);
  story.loses(WIRE_LOSS_RING_NAME, 5);
  running.returns(1);
  EXPECT_TRUE(story.told().request_of(1).complete);
}

TEST(RebuildStream, request_that_misses_an_announced_wait_is_not_complete) {
  Story whole;
  const auto file = whole.file("/data/a");
  auto read = whole.call(WIRE_OP_READ, file).at(0, 1);
  read.waits(WIRE_WAIT_OTHER, 100);
  read.returns(1);
  ASSERT_TRUE(whole.told().request_of(1).complete);
  Ledger ledger;
  Rebuilder rebuilder(Story::default_context(), ledger);
  for (const auto& words : whole.records()) {
    if (reinterpret_cast<const wire_header*>(words.data())->kind == WIRE_WAIT) continue;
    ASSERT_TRUE(rebuilder.feed(std::as_bytes(std::span(words))));
  }
  ASSERT_TRUE(rebuilder.finish(false));
  EXPECT_FALSE(ledger.request_of(1).complete);
}

TEST(RebuildStream, lost_completion_is_given_up_after_a_while) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage);
  read.adds(0, 8).reads(0, 8);
  read.returns(kPage);
  story.loses(WIRE_LOSS_RING_TRANSFER, 1);
  story.call(WIRE_OP_READ, file).at(0, 1).returns(1);
  EXPECT_EQ(story.so_far().requests.size(), 1u);
  story.pass(6'000'000'000);
  story.call(WIRE_OP_READ, file).at(0, 1).returns(1);
  EXPECT_EQ(story.so_far().requests.size(), 3u);
  EXPECT_FALSE(story.told().request_of(1).complete);
}

TEST(RebuildStream, missed_completion_makes_only_its_own_request_partial) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage);
  read.adds(0, 8).reads(0, 8);
  auto other = story.call(WIRE_OP_READ, file).at(kPage, kPage).on_thread(7);
  story.loses(WIRE_LOSS_COMPLETION, 1);
  read.returns(kPage);
  other.returns(kPage);
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.losses.at(0).cause, "completion_missed");
  size_t partial = 0;
  for (const Request& request : ledger.requests) partial += !request.complete;
  EXPECT_EQ(partial, 1u);
}

TEST(RebuildStream, request_that_never_ended_is_told_as_open) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage);
  story.completes({read.adds(0, 1).reads(0, 1)});
  const Ledger& ledger = story.told(true);
  const Request& r = ledger.request_of(1);
  EXPECT_EQ(r.ended, "open");
  EXPECT_FALSE(r.complete);
  EXPECT_EQ(r.op, "unknown");
  EXPECT_EQ(r.dma_bytes, kPage);
  EXPECT_EQ(ledger.transfers.at(0).owners.size(), 1u);
}

TEST(RebuildStream, request_whose_own_record_was_lost_is_told_as_lost) {
  Story story;
  const auto file = story.file("/data/a");
  auto read = story.call(WIRE_OP_READ, file).at(0, kPage);
  story.completes({read.adds(0, 1).reads(0, 1)});
  story.loses(WIRE_LOSS_RING_REQUEST, 1);
  story.ends();
  const Request& r = story.told(false).request_of(1);
  EXPECT_EQ(r.ended, "lost");
  EXPECT_FALSE(r.complete);
}

TEST(RebuildStream, request_still_running_at_the_stop_keeps_what_it_asked_for) {
  Story story;
  const auto pipe = story.file("", kPipe);
  auto read = story.call(WIRE_OP_READ, pipe).at(WIRE_UNKNOWN, 100);
  read.waits(WIRE_WAIT_OTHER, 1000);
  read.ends(0, WIRE_REQUEST_OPEN);
  story.ends();
  const Request& r = story.told().request_of(1);
  EXPECT_EQ(r.ended, "open");
  EXPECT_EQ(r.requested, 100u);
  EXPECT_FALSE(r.complete);
  EXPECT_EQ(r.cpu_copies, 0u);
}

TEST(RebuildStream, lone_completion_and_lone_exit_do_no_harm) {
  Story story;
  const auto file = story.file("/data/a");
  story.process_exits(4242);
  Bio bio = story.flusher_writes(file, 0, 1);
  bio.part.owner = {kApp, kApp, 0};
  bio.part.op_flags = blk::kRead;
  story.completes({bio});
  const Ledger& ledger = story.told();
  EXPECT_TRUE(ledger.requests.empty());
  EXPECT_EQ(ledger.transfers.at(0).unattributed_bytes, kPage);
}

TEST(RebuildStream, more_held_requests_than_allowed_are_given_up_oldest_first) {
  RebuildContext context = Story::default_context();
  context.max_held_requests = 4;
  Story story(context);
  const auto file = story.file("/data/a");
  std::vector<Bio> bios;
  for (uint64_t i = 0; i < 10; i++) {
    auto read = story.call(WIRE_OP_READ, file).at(i * kPage, kPage);
    bios.push_back(read.adds(i, 1).reads(i, 1));
    read.returns(kPage);
  }
  EXPECT_EQ(story.so_far().requests.size(), 6u);
  for (const Bio& bio : bios) story.completes({bio});
  const Ledger& ledger = story.told();
  EXPECT_EQ(ledger.requests.size(), 10u) << "a straggler does not make a second request";
  EXPECT_FALSE(ledger.request_of(1).complete);
  EXPECT_TRUE(ledger.request_of(10).complete);
  ASSERT_EQ(ledger.losses.size(), 1u);
  EXPECT_EQ(ledger.losses[0].cause, "evicted");
  EXPECT_EQ(ledger.losses[0].count, 6u);
  EXPECT_EQ(ledger.transfers.at(0).owners.at(0).request, (RequestId{kApp, 1}));
}

TEST(RebuildStream, unknown_kind_is_skipped_and_counted) {
  Story story;
  story.raw({story.now(), uint64_t{24} << 16 | 999, 0});
  EXPECT_EQ(story.counters().unknown_records, 1u);
  story.told();
}

TEST(RebuildStream, longer_record_than_known_is_read_by_its_prefix) {
  Story story;
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_READ, file).at(0, 5).returns(5);
  std::vector<uint64_t> words = story.records().back();
  words.insert(words.end(), {1, 2, 3});
  auto* request = reinterpret_cast<wire_request*>(words.data());
  request->header.size = static_cast<uint16_t>(words.size() * 8);
  request->start_ns += 1;
  story.raw(words);
  EXPECT_EQ(story.told().request_of(2).result, 5);
}

TEST(RebuildStream, truncated_records_are_refused) {
  Ledger ledger;
  Rebuilder rebuilder(Story::default_context(), ledger);
  Story story;
  tell_a_long_story(story);
  for (const auto& words : story.records()) {
    for (size_t cut = 2; cut < words.size(); cut++) {
      std::vector<uint64_t> part(words.begin(), words.begin() + static_cast<ptrdiff_t>(cut));
      const Status status = rebuilder.feed(std::as_bytes(std::span(part)));
      ASSERT_FALSE(status);
      EXPECT_EQ(status.error().kind, ErrorKind::kDamaged);
    }
  }
  EXPECT_TRUE(ledger.requests.empty());
}

// Whatever the bits say, the rebuild ends, and the ledger it makes holds together.
TEST(RebuildStream, flipped_bits_neither_crash_nor_lose_bytes) {
  Story story;
  tell_a_long_story(story);
  uint64_t seed = 1;
  const auto random = [&seed](uint64_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
  };
  for (int round = 0; round < 2000; round++) {
    Ledger ledger;
    Rebuilder rebuilder(Story::default_context(), ledger);
    for (auto words : story.records()) {
      // Not the header: its size and kind decide whether it is read at all.
      for (uint64_t i = random(3); i > 0; i--)
        words[2 + random(words.size() - 2)] ^= 1ull << random(64);
      const Status status = rebuilder.feed(std::as_bytes(std::span(words)));
      EXPECT_TRUE(status || status.error().kind == ErrorKind::kDamaged);
    }
    ASSERT_TRUE(rebuilder.finish(true));
    for (const Transfer& transfer : ledger.transfers) {
      uint64_t owned = 0;
      for (const Share& share : transfer.owners) owned += share.bytes;
      EXPECT_EQ(owned + transfer.unattributed_bytes, transfer.carries_data() ? transfer.bytes : owned);
    }
    std::set<RequestId> ids;
    for (const Request& request : ledger.requests) EXPECT_TRUE(ids.insert(request.id).second);
  }
}

class FullDisk : public Sink {
 public:
  Status request(const Request&) override {
    return Error{ErrorKind::kOutput, "no space left on device"};
  }
};

TEST(RebuildStream, failing_sink_stops_the_feed) {
  FullDisk disk;
  Rebuilder rebuilder(Story::default_context(), disk);
  Story story;
  const auto file = story.file("/data/a");
  story.call(WIRE_OP_READ, file).at(0, 1).returns(1);
  Status status;
  for (const auto& words : story.records())
    status = rebuilder.feed(std::as_bytes(std::span(words)));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kOutput);
}

}  // namespace
}  // namespace iohops::test
