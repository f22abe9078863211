// Requests that are told as "the same as before": what comes out is what the full record would have been.
#include "core/rebuild/told.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <map>
#include <random>

#include "script.hpp"

namespace iohops::test {
namespace {

constexpr uint32_t kTid = 4711;

wire_request request_at(uint64_t start_ns, uint64_t offset, uint32_t tid = kTid, int fd = 6) {
  wire_request r{};
  r.header = {start_ns + 300, WIRE_REQUEST, sizeof r, 0};
  r.start_ns = start_ns;
  r.tgid = kApp;
  r.tid = tid;
  r.offset = offset;
  r.requested = 4096;
  r.result = 4096;
  r.buffer = 0x7f0012345000;
  r.file = 9;
  r.fd = fd;
  r.op = WIRE_OP_PREAD64;
  r.segments = 1;
  return r;
}

// Another writer than the kernel's (bpf/same.h), by the same rules; empty: it must be told in full.
std::vector<uint64_t> shortened(const wire_request& r, const wire_request& told) {
  std::vector<uint64_t> words(3);
  wire_same same{};
  same.time_ns = r.header.time_ns;
  same.kind = static_cast<uint16_t>(WIRE_SAME | WIRE_SAME_OF_SLOT(WIRE_SLOT(r.fd, r.op)));
  same.context = WIRE_CONTEXT(r.tid, told.told % WIRE_GENERATIONS);
  same.duration_ns = static_cast<uint32_t>(r.header.time_ns - r.start_ns);
  const auto ahead = static_cast<int64_t>(r.offset - told.offset);
  if (r.offset != WIRE_UNKNOWN && ahead == static_cast<int32_t>(ahead)) {
    same.kind |= WIRE_SAME_AHEAD;
    same.place = static_cast<uint32_t>(ahead);
  } else if (r.offset != WIRE_UNKNOWN) {
    if (r.offset % 512 != 0 || r.offset >> 41 != 0) return {};
    same.kind |= WIRE_SAME_SECTOR;
    same.place = static_cast<uint32_t>(r.offset / 512);
  }
  uint16_t& kind = same.kind;  // clang: a lambda must not capture what ends in a flexible array
  const auto add = [&](unsigned flag, uint64_t word) {
    kind |= static_cast<uint16_t>(flag);
    words.push_back(word);
  };
  if (r.buffer != told.buffer) add(WIRE_SAME_BUFFER, r.buffer);
  if (r.requested != told.requested) add(WIRE_SAME_REQUESTED, r.requested);
  if (r.result != static_cast<int64_t>(r.requested)) add(WIRE_SAME_RESULT, static_cast<uint64_t>(r.result));
  same.size = static_cast<uint16_t>(words.size() * 8);
  std::memcpy(words.data(), &same, sizeof same);
  return words;
}

Record as_record(const std::vector<uint64_t>& words) { return std::as_bytes(std::span(words)); }

void expect_same(Record record, wire_request meant) {
  ASSERT_EQ(record.size(), sizeof meant);
  const auto* made = view<wire_request>(record);
  meant.told = 0;
  EXPECT_EQ(std::memcmp(made, &meant, sizeof meant), 0)
      << "result " << made->result << " of " << meant.result << ", offset " << made->offset << " of "
      << meant.offset << ", requested " << made->requested << " of " << meant.requested;
}

TEST(RebuildTold, whatever_differs_comes_out_as_it_was) {
  std::mt19937_64 random(6);
  const auto any = [&](std::initializer_list<uint64_t> values) { return *(values.begin() + random() % values.size()); };
  ToldRequests requests;
  std::map<std::pair<uint32_t, int>, wire_request> told;
  uint64_t now = 1'000'000, in_short = 0;
  for (int i = 0; i < 20'000; i++) {
    now += 1 + random() % 5000;
    wire_request r = request_at(now, any({0, 4096, 100, random() % (1ull << 42), random() % (1u << 30) * 512, WIRE_UNKNOWN}),
                                kTid + static_cast<uint32_t>(random() % 3), 5 + static_cast<int>(random() % 6));
    r.header.time_ns = now + random() % 4'000'000'000;
    r.buffer = any({0, 0x7f0000000000, random()});
    r.requested = any({4096, 100, WIRE_UNKNOWN});
    r.result = static_cast<int64_t>(any({r.requested, 0, 17, static_cast<uint64_t>(-11)}));
    r.file = 1 + static_cast<uint32_t>(r.fd);
    r.op = static_cast<uint16_t>(any({WIRE_OP_PREAD64, WIRE_OP_PWRITE64}));
    r.flags = random() % 50 == 0 ? WIRE_REQUEST_COPIED : 0;
    auto& before = told[{r.tid, WIRE_SLOT(r.fd, r.op)}];
    const bool alike = before.told != 0 && before.fd == r.fd && before.op == r.op && before.flags == r.flags;
    const auto words = alike ? shortened(r, before) : std::vector<uint64_t>();
    if (!words.empty()) {
      ASSERT_TRUE(check_record(as_record(words)));
      expect_same(requests.complete(as_record(words)), r);
      in_short++;
    } else {
      r.told = static_cast<uint16_t>(WIRE_TOLD(WIRE_SLOT(r.fd, r.op), (before.told + 1) % WIRE_GENERATIONS));
      before = r;
      requests.learn(bytes_of(r));
    }
  }
  EXPECT_GT(in_short, 2'000u);
}

TEST(RebuildTold, what_was_never_told_or_told_anew_is_unknown) {
  ToldRequests requests;
  wire_request r = request_at(1000, 0);
  r.told = WIRE_TOLD(WIRE_SLOT(r.fd, r.op), 7);
  const auto words = shortened(request_at(2000, 4096), r);
  EXPECT_TRUE(requests.complete(as_record(words)).empty()) << "nothing was told";
  requests.learn(bytes_of(r));
  expect_same(requests.complete(as_record(words)), request_at(2000, 4096));
  wire_request other = r;
  other.told = WIRE_TOLD(1, 7);
  requests.learn(bytes_of(other));
  expect_same(requests.complete(as_record(words)), request_at(2000, 4096));
  other.told = WIRE_TOLD(WIRE_SLOT(r.fd, r.op), 8);
  requests.learn(bytes_of(other));
  EXPECT_TRUE(requests.complete(as_record(words)).empty()) << "it belongs to a record that was replaced";
  r.told = 0;
  requests.learn(bytes_of(r));
  EXPECT_TRUE(requests.complete(as_record(words)).empty()) << "not every full record tells";
}

wire_request_detail ring_request_at(uint64_t start_ns, uint64_t offset, uint64_t batch_ns) {
  wire_request_detail r{};
  r.request = request_at(start_ns, offset);
  r.request.header.size = sizeof r;
  r.request.op = WIRE_OP_URING + 22;  // IORING_OP_READ
  r.request.flags = WIRE_REQUEST_DETAIL;
  r.to_offset = WIRE_UNKNOWN;
  r.to_fd = -1;
  r.batch_ns = batch_ns;
  r.run_by = WIRE_RUN_SUBMITTER;
  r.run_flags = 2;
  return r;
}

// A short record of one, as `shortened` would make it.
std::vector<uint64_t> shortened_of_ring(const wire_request_detail& r, const wire_request& told) {
  std::vector<uint64_t> words = shortened(r.request, told);
  words.push_back(r.batch_ns);
  auto* same = reinterpret_cast<wire_same*>(words.data());
  same->kind = static_cast<uint16_t>(same->kind | WIRE_SAME_BATCH);
  same->size = static_cast<uint16_t>(words.size() * 8);
  return words;
}

TEST(RebuildTold, request_of_a_ring_comes_out_with_its_batch_and_who_ran_it) {
  ToldRequests requests;
  wire_request_detail told = ring_request_at(1000, 8192, 900);
  told.request.told = WIRE_TOLD(2, 7);
  told.added_bytes = 4096;  // what happened below that one is not told of others
  requests.learn(bytes_of(told));
  for (const uint64_t offset : {uint64_t{0}, uint64_t{8192}, uint64_t{1} << 30}) {
    wire_request_detail meant = ring_request_at(3000, offset, 2900);
    meant.request.buffer += offset;
    meant.request.result = 100;
    const auto words = shortened_of_ring(meant, told.request);
    ASSERT_TRUE(check_record(as_record(words)));
    const Record made = requests.complete(as_record(words));
    ASSERT_EQ(made.size(), sizeof meant);
    EXPECT_EQ(std::memcmp(made.data(), &meant, sizeof meant), 0) << offset;
  }
  wire_request plain = request_at(5000, 0);
  plain.told = WIRE_TOLD(1, 1);
  requests.learn(bytes_of(plain));
  const wire_request meant = request_at(6000, 4096);
  auto words = shortened(meant, plain);
  words[1] = (words[1] & ~uint64_t{WIRE_SAME_SLOT}) | 1;
  expect_same(requests.complete(as_record(words)), meant);
}

TEST(RebuildTold, those_that_were_silent_longest_are_forgotten) {
  ToldRequests requests(100);
  for (uint32_t i = 0; i < 150; i++) {
    wire_request r = request_at(1000 + i, 0, 1 + i);
    r.told = WIRE_TOLD(WIRE_SLOT(r.fd, r.op), 1);
    requests.learn(bytes_of(r));
  }
  wire_request told = request_at(0, 0, 1);
  told.told = WIRE_TOLD(WIRE_SLOT(told.fd, told.op), 1);
  const auto first = shortened(request_at(5000, 0, 1), told);
  const auto last = shortened(request_at(5000, 0, 150), told);
  EXPECT_TRUE(requests.complete(as_record(first)).empty());
  expect_same(requests.complete(as_record(last)), request_at(5000, 0, 150));
}

TEST(RebuildTold, a_request_that_cannot_be_completed_is_a_loss) {
  Story story;
  const auto file = story.file("/data");
  wire_request r = request_at(story.now() + 10, 0);
  r.file = file.alias;
  r.told = WIRE_TOLD(WIRE_SLOT(r.fd, r.op), 1);
  const auto known = shortened(request_at(story.now() + 1000, 4096), r);
  r.told = WIRE_TOLD(WIRE_SLOT(r.fd, r.op), 2);
  const auto unknown = shortened(request_at(story.now() + 2000, 8192), r);
  r.told = WIRE_TOLD(WIRE_SLOT(r.fd, r.op), 1);
  std::vector<uint64_t> full(sizeof r / 8);
  std::memcpy(full.data(), &r, sizeof r);
  for (const auto& words : {full, known, unknown}) story.raw(words);
  const Ledger& ledger = story.told();
  ASSERT_EQ(ledger.requests.size(), 2u);
  EXPECT_EQ(ledger.requests[1].offset, 4096u);
  EXPECT_EQ(ledger.requests[1].file, ledger.requests[0].file);
  EXPECT_EQ(ledger.requests[1].duration_ns, 300u);
  ASSERT_EQ(ledger.losses.size(), 1u);
  EXPECT_EQ(ledger.losses[0].count, 1u);
}

}  // namespace
}  // namespace iohops::test
