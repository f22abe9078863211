// The filter of finished requests: what passes, in which order, and that names follow.
#include "core/filter.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace iohops {
namespace {

constexpr uint32_t kDisk = 254U << 20;
constexpr uint32_t kPartition = kDisk | 1;
constexpr uint32_t kOtherDisk = 8U << 20;

// Writes down, one word a record, what arrives: "req 7.1", "file 3", "transfer 9".
class Diary : public Sink {
 public:
  Status process(const Process& p) override { return note("process " + std::to_string(p.pid)); }
  Status file(const File& f) override { return note("file " + std::to_string(f.id)); }
  Status request(const Request& r) override { return note("request " + id(r.id)); }
  Status transfer(const Transfer& t) override {
    return note("transfer " + std::to_string(t.id) + " " + std::string(t.op) +
                (t.flags.empty() ? "" : " " + std::string(t.flags[0])));
  }
  Status effect(const Effect& e) override { return note("effect " + std::to_string(e.transfer)); }
  Status flow(const Flow& f) override { return note("flow " + id(f.from) + ">" + id(f.to)); }
  Status loss(const Loss& l) override { return note("loss " + std::string(l.cause)); }
  Status summary(const Summary&) override { return note("summary"); }
  Status finish(bool truncated) override { return note(truncated ? "cut" : "end"); }

  std::vector<std::string> lines;

 private:
  static std::string id(RequestId r) { return std::to_string(r.pid) + "." + std::to_string(r.seq); }
  Status note(std::string line) {
    lines.push_back(std::move(line));
    return {};
  }
};

using Lines = std::vector<std::string>;

Header header_with_disks() {
  Header header;
  header.devices = {{.id = kDisk, .name = "vda", .driver = ""},
                    {.id = kPartition, .name = "vda1", .driver = "", .disk = kDisk},
                    {.id = kOtherDisk, .name = "sda", .driver = ""}};
  return header;
}

File file(uint32_t id, std::string path, uint32_t dev = kPartition) {
  File file;
  file.id = id;
  file.path = std::move(path);
  file.dev = dev;
  return file;
}

Request request(uint64_t seq, std::string_view op, uint32_t file_id, uint64_t bytes = 4096,
                uint64_t duration_ns = 1000) {
  Request request;
  request.id = {7, seq};
  request.op = op;
  request.file = file_id;
  request.requested = bytes;
  request.duration_ns = duration_ns;
  return request;
}

Transfer transfer(uint64_t id, std::vector<uint64_t> owners, std::string_view op = "read") {
  Transfer transfer;
  transfer.id = id;
  transfer.device = kDisk;
  transfer.op = op;
  for (uint64_t seq : owners) transfer.owners.push_back({{7, seq}, 4096});
  return transfer;
}

TEST(Glob, matches_like_a_shell_but_across_slashes) {
  EXPECT_TRUE(glob_match("*.db", "/var/lib/x.db"));
  EXPECT_TRUE(glob_match("/var/*/x.d?", "/var/lib/a/x.db"));
  EXPECT_TRUE(glob_match("[a-c]*[!z]", "bcd"));
  EXPECT_TRUE(glob_match("a\\*b", "a*b"));
  EXPECT_TRUE(glob_match("a[b", "a[b"));  // no end: a plain bracket
  EXPECT_TRUE(glob_match("[]]", "]"));
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_TRUE(glob_match("***", ""));
  EXPECT_FALSE(glob_match("a\\*b", "axb"));
  EXPECT_FALSE(glob_match("*.db", "x.db-wal"));
  EXPECT_FALSE(glob_match("[!a]", "a"));
  EXPECT_FALSE(glob_match("?", ""));
}

TEST(Glob, hostile_pattern_takes_polynomial_time) {
  std::string pattern;
  for (int i = 0; i < 40; ++i) pattern += "*a";
  EXPECT_FALSE(glob_match(pattern + "b", std::string(4000, 'a')));
}

TEST(FilterSink, empty_filter_hands_everything_on) {
  Diary diary;
  FilterSink sink({}, diary);
  ASSERT_TRUE(sink.header(header_with_disks()));
  ASSERT_TRUE(sink.file(file(3, "/a")));
  ASSERT_TRUE(sink.transfer(transfer(9, {1})));
  ASSERT_TRUE(sink.request(request(1, "read", 3)));
  ASSERT_TRUE(sink.summary({}));
  ASSERT_TRUE(sink.finish(true));
  EXPECT_EQ(diary.lines, (Lines{"file 3", "transfer 9 read", "request 7.1", "summary", "cut"}));
}

TEST(FilterSink, every_condition_must_hold) {
  Diary diary;
  FilterSink sink({.ops = {"read", "p*64"}, .min_latency_ns = 1000, .min_bytes = 4096}, diary);
  ASSERT_TRUE(sink.request(request(1, "read", 0)));
  ASSERT_TRUE(sink.request(request(2, "pwrite64", 0)));
  ASSERT_TRUE(sink.request(request(3, "write", 0)));
  ASSERT_TRUE(sink.request(request(4, "read", 0, 4095)));
  ASSERT_TRUE(sink.request(request(5, "read", 0, 4096, 999)));
  EXPECT_EQ(diary.lines, (Lines{"request 7.1", "request 7.2"}));
}

TEST(FilterSink, unknown_request_size_is_below_any_minimum) {
  Diary diary;
  FilterSink sink({.min_bytes = 1}, diary);
  Request fsync = request(1, "fsync", 0);
  fsync.requested.reset();
  ASSERT_TRUE(sink.request(fsync));
  EXPECT_TRUE(diary.lines.empty());
}

TEST(FilterSink, a_file_is_named_once_and_only_if_needed) {
  Diary diary;
  FilterSink sink({.paths = {"/data/*"}}, diary);
  ASSERT_TRUE(sink.file(file(1, "/etc/passwd")));
  ASSERT_TRUE(sink.file(file(2, "/data/x")));
  ASSERT_TRUE(sink.request(request(1, "read", 1)));
  ASSERT_TRUE(sink.request(request(2, "read", 2)));
  ASSERT_TRUE(sink.request(request(3, "read", 2)));
  ASSERT_TRUE(sink.request(request(4, "read", 0)));  // no file: no path that could match
  EXPECT_EQ(diary.lines, (Lines{"file 2", "request 7.2", "request 7.3"}));
}

TEST(FilterSink, a_disk_includes_its_partitions_and_a_number_will_do) {
  for (const char* device : {"vda", "254:0"}) {
    Diary diary;
    FilterSink sink({.devices = {device}}, diary);
    ASSERT_TRUE(sink.header(header_with_disks()));
    ASSERT_TRUE(sink.file(file(1, "/on-partition")));
    ASSERT_TRUE(sink.file(file(2, "/elsewhere", kOtherDisk)));
    ASSERT_TRUE(sink.request(request(1, "read", 1)));
    ASSERT_TRUE(sink.request(request(2, "read", 2)));
    EXPECT_EQ(diary.lines, (Lines{"file 1", "request 7.1"})) << device;
  }
}

TEST(FilterSink, a_request_is_on_the_device_that_its_dma_used) {
  Diary diary;
  FilterSink sink({.devices = {"vda"}}, diary);
  ASSERT_TRUE(sink.header(header_with_disks()));
  ASSERT_TRUE(sink.file(file(1, "/overlay", 40)));
  Request missed = request(1, "read", 1);
  Hop dma;
  dma.kind = HopKind::kDma;
  dma.device = kDisk;
  missed.hops.push_back(dma);
  ASSERT_TRUE(sink.request(missed));
  ASSERT_TRUE(sink.request(request(2, "read", 1)));
  EXPECT_EQ(diary.lines, (Lines{"file 1", "request 7.1"}));
}

TEST(FilterSink, a_transfer_waits_until_an_owner_passes) {
  Diary diary;
  FilterSink sink({.ops = {"read"}}, diary);
  {
    std::string op = "read";  // the caller's strings end with the call
    std::string flag = "sync";
    Transfer first = transfer(9, {1, 2}, op);
    first.flags.push_back(flag);
    ASSERT_TRUE(sink.transfer(first));
    op.assign("xxxx");
    flag.assign("yyyy");
  }
  ASSERT_TRUE(sink.request(request(1, "write", 0)));
  EXPECT_TRUE(diary.lines.empty());
  ASSERT_TRUE(sink.request(request(2, "read", 0)));
  EXPECT_EQ(diary.lines, (Lines{"transfer 9 read sync", "request 7.2"}));
}

TEST(FilterSink, a_transfer_goes_when_all_its_owners_did_not_pass) {
  Diary diary;
  FilterSink sink({.ops = {"read"}}, diary);
  ASSERT_TRUE(sink.transfer(transfer(9, {1, 2})));
  ASSERT_TRUE(sink.request(request(1, "write", 0)));
  ASSERT_TRUE(sink.request(request(2, "write", 0)));
  ASSERT_TRUE(sink.transfer(transfer(10, {2})));  // decided already
  ASSERT_TRUE(sink.transfer(transfer(11, {5})));  // its request never ends
  ASSERT_TRUE(sink.finish(false));
  EXPECT_EQ(diary.lines, Lines{"end"});
}

TEST(FilterSink, what_nobody_owns_passes_a_device_filter_only) {
  Diary by_device;
  FilterSink devices({.devices = {"vda"}}, by_device);
  ASSERT_TRUE(devices.header(header_with_disks()));
  ASSERT_TRUE(devices.transfer(transfer(9, {})));
  EXPECT_EQ(by_device.lines, Lines{"transfer 9 read"});

  Diary by_op;
  FilterSink ops({.ops = {"read"}, .devices = {"vda"}}, by_op);
  ASSERT_TRUE(ops.header(header_with_disks()));
  ASSERT_TRUE(ops.transfer(transfer(9, {})));
  EXPECT_TRUE(by_op.lines.empty());
}

TEST(FilterSink, effects_and_flows_follow_their_requests) {
  Diary diary;
  FilterSink sink({.ops = {"write"}}, diary);
  ASSERT_TRUE(sink.request(request(1, "write", 0)));
  ASSERT_TRUE(sink.request(request(2, "read", 0)));
  Effect effect;
  effect.transfer = 4;
  effect.requests = {{{7, 2}, 1}, {{7, 1}, 1}};
  ASSERT_TRUE(sink.effect(effect));
  effect.transfer = 5;
  effect.requests = {{{7, 2}, 1}};
  ASSERT_TRUE(sink.effect(effect));
  Flow flow;
  flow.from = {7, 2};
  flow.to = {7, 1};
  ASSERT_TRUE(sink.flow(flow));
  EXPECT_EQ(diary.lines, (Lines{"request 7.1", "effect 4", "flow 7.2>7.1"}));
}

TEST(FilterSink, loss_always_passes_and_a_foreign_summary_never) {
  Diary diary;
  FilterSink sink({.ops = {"write"}}, diary);
  ASSERT_TRUE(sink.loss({.at_ns = 1, .cause = "ring_request", .count = 2}));
  ASSERT_TRUE(sink.summary({}));
  ASSERT_TRUE(sink.finish(false));
  EXPECT_EQ(diary.lines, (Lines{"loss ring_request", "end"}));
}

}  // namespace
}  // namespace iohops
