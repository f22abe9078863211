// Of requests that are alike only the numbers are rebuilt, written and read (Request::alike): they
// must come out as if each had been made from nothing.
#include <gtest/gtest.h>

#include <cstring>

#include "core/advice/advisor.hpp"
#include "core/ops.hpp"
#include "core/rebuild/told.hpp"
#include "core/summarizer.hpp"
#include "json_trace.hpp"
#include "script.hpp"
#include "sinks/json_reader.hpp"
#include "sinks/json_summary.hpp"
#include "sinks/json_writer.hpp"
#include "tools/bench/traces.hpp"

namespace iohops::test {
namespace {

using Words = std::vector<uint64_t>;

// Writes what it gets as JSON, adds it up, advises, and may forget what is alike.
class Outcome : public Sink {
 public:
  explicit Outcome(bool forgets = false) : forgets_(forgets) {}
  Status header(const Header& r) override { return writer_.header(r); }
  Status process(const Process& r) override { return writer_.process(r); }
  Status file(const File& r) override {
    (void)advisor_.file(r);
    return writer_.file(r);
  }
  Status request(const Request& r) override {
    ++requests;
    alike += r.alike != 0;
    Request one = r;
    if (forgets_) one.alike = 0;
    (void)summarizer_.request(one);
    (void)advisor_.request(one);
    EXPECT_EQ(summarizer_.requests(), requests);
    return writer_.request(one);
  }
  Status transfer(const Transfer& r) override { return writer_.transfer(r); }
  Status effect(const Effect& r) override { return writer_.effect(r); }
  Status flow(const Flow& r) override { return writer_.flow(r); }
  Status loss(const Loss& r) override { return writer_.loss(r); }
  Status finish(bool truncated) override { return writer_.finish(truncated); }

  std::string json() {
    EXPECT_TRUE(writer_.finish(true));
    return out_.text;
  }
  std::string totals() {
    Summary summary = summarizer_.take();
    summary.advice = advisor_.advise();
    return summary_json(summary, {});
  }

  uint64_t requests = 0, alike = 0;

 private:
  bool forgets_;
  MemoryWriter out_;
  JsonWriter writer_{out_, Form::kLines};
  Summarizer summarizer_;
  Advisor advisor_;
};

void rebuild(const std::vector<Words>& records, Sink& sink, RebuildContext context) {
  Rebuilder rebuilder(std::move(context), sink);
  for (const Words& words : records) {
    const Status fed = rebuilder.feed(std::as_bytes(std::span(words)));
    ASSERT_TRUE(fed) << fed.error().message;
  }
  ASSERT_TRUE(rebuilder.finish(true));
}

// The same records, those of requests with detail that tells nothing new: nothing is taken for one of a kind then.
std::vector<Words> with_detail(std::vector<Words> records) {
  ToldRequests told;
  for (Words& words : records) {
    Record record = std::as_bytes(std::span(words));
    if (WIRE_IS_SAME(view<wire_header>(record)->kind)) record = told.complete(record);
    if (view<wire_header>(record)->kind != WIRE_REQUEST) continue;
    told.learn(record);
    auto detail = prefix<wire_request_detail>(record);
    detail.request.header.size = sizeof detail;
    detail.request.flags |= WIRE_REQUEST_DETAIL;
    detail.request.told = 0;
    detail.to_offset = WIRE_UNKNOWN;
    // Those of a ring always have one: it must tell something. The flag has told this already.
    if (is_ringed(detail.request.op) && (detail.request.flags & WIRE_REQUEST_COPIED) != 0)
      detail.copied_bytes = detail.request.requested;
    words.resize(sizeof detail / 8);
    std::memcpy(words.data(), &detail, sizeof detail);
  }
  return records;
}

std::vector<Words> records_of(bench::Kind kind, uint64_t requests) {
  bench::Trace trace(kind);
  std::vector<Words> records;
  for (Record rest = trace.next(requests); !rest.empty();) {
    const auto record = next_record(rest);
    EXPECT_TRUE(record);
    Words words(record->size() / 8);
    std::memcpy(words.data(), record->data(), record->size());
    records.push_back(std::move(words));
  }
  return records;
}

RebuildContext measured() {
  RebuildContext context = Story::default_context();
  context.measured.files = true;
  return context;
}

void expect_same(const std::vector<Words>& records, const RebuildContext& context,
                 double least_alike) {
  Outcome quick, slow(true), forgetful(true);
  rebuild(records, quick, context);
  rebuild(with_detail(records), slow, context);
  rebuild(records, forgetful, context);
  const std::string json = quick.json();
  EXPECT_EQ(json, slow.json());
  EXPECT_EQ(json, forgetful.json());
  EXPECT_EQ(quick.totals(), slow.totals());
  EXPECT_GE(static_cast<double>(quick.alike), least_alike * static_cast<double>(quick.requests));
  EXPECT_EQ(slow.alike, 0u);
}

TEST(Alike, requests_come_out_as_if_each_were_the_first) {
  for (const bench::Named& named : bench::kKinds) {
    SCOPED_TRACE(named.name);
    const bool cached = named.kind != bench::Kind::kDirect && named.kind != bench::Kind::kCold;
    for (const RebuildContext& context : {Story::default_context(), measured()})
      expect_same(records_of(named.kind, 5000), context, cached ? 0.95 : 0);
  }
}

// Whatever may change between two requests of a kind.
TEST(Alike, names_results_and_files_may_change_in_between) {
  Story story;
  const NamedFile plain = story.file("/data/a"), other = story.file("/data/b"),
                  memory = story.file("/dev/shm/c", kTmpfs);
  const NamedFile tcp = story.file("", kTcp), null = story.file("/dev/null", kDevNull),
                  pipe = story.file("", kPipe);
  story.process(kApp, "app");
  const auto read = [&](const NamedFile& file, uint64_t offset, uint64_t asked, int64_t got,
                        uint32_t tid = kApp) {
    story.call(WIRE_OP_PREAD64, file).on_thread(tid).at(offset, asked).in(0x1000).returns(got);
  };
  for (int round = 0; round < 3; ++round) {
    for (const NamedFile& file : {plain, other, memory, tcp, null, pipe}) {
      read(file, 0, 4096, 4096);
      read(file, 123456789012, 4096, 1);
      read(file, WIRE_UNKNOWN, 10, 10);
      read(file, 0, WIRE_UNKNOWN, 10);
      read(file, 0, 4096, 0);
      read(file, 0, 4096, -11);
      read(file, 0, 4096, 5000);  // more than was asked for
      story.call(WIRE_OP_WRITE, file).at(8192, 700).in(0x1000).returns(700);
      story.call(WIRE_OP_WRITE, file).flags(kODirect).at(0, 4096).returns(4096);
      story.call(WIRE_OP_PWRITE64, file).flags(kODsync).at(0, 4096).returns(4096);
      story.call(WIRE_OP_SENDTO, file).called_with(0x4000000).at(WIRE_UNKNOWN, 4096).returns(4096);
    }
    story.thread(kApp + 1, round == 1 ? "a \"quoted\" name" : "caf\xc3\xa9\xff");
    read(plain, 0, 4096, 4096, kApp + 1);
    read(plain, 0, 4096, 4096, kApp + 1);
    story.process(kApp, round == 0 ? "renamed" : "app", WIRE_PROCESS_RENAME);
    if (round == 1) story.loses(WIRE_LOSS_RING_REQUEST, 1);
    // What is held of another request makes everyone look twice.
    Call cold = story.call(WIRE_OP_READ, plain).at(1 << 20, 4096).adds(256, 8);
    const Bio bio = cold.reads(256, 8);
    read(plain, 0, 4096, 4096, kApp + 1);
    story.completes({bio});
    cold.returns(4096);
    read(plain, (1 << 20) + 8192, 4096, 4096);  // read ahead for the one before it
  }
  expect_same(story.records(), Story::default_context(), 0.3);
}

// Times of every length, each of them twice by turns, and then with another result.
TEST(Alike, times_of_every_length_are_exact) {
  std::string lines[2];
  for (const bool forgets : {false, true}) {
    MemoryWriter out;
    JsonWriter writer(out, Form::kLines);
    Request request;
    request.op = "read";
    request.comm = "app";
    request.fd = 3;
    request.alike = forgets ? 0 : 256;
    request.hops.emplace_back();
    for (uint64_t ns = 1; ns < UINT64_MAX / 10; ns *= 10) {
      for (const uint64_t start : {ns - 1, ns, ns, ns - 1, ns}) {
        ++request.id.seq;
        request.start_ns = request.hops[0].at_ns = start;
        request.duration_ns = ns;
        request.hops[0].end_ns = start + ns;
        request.result += request.id.seq % 5 == 0;
        request.hops[0].bytes = request.cpu_copy_bytes = static_cast<uint64_t>(request.result);
        ASSERT_TRUE(writer.request(request));
      }
    }
    ASSERT_TRUE(writer.finish(true));
    lines[forgets] = out.text;
  }
  EXPECT_EQ(lines[0], lines[1]);
}

// A program that goes on with what it does: all that may differ from one line to the next passes its powers of ten.
// `alike` 0: each line is written as if it were the first.
std::string lines_that_go_on(uint64_t alike, bool moves) {
  MemoryWriter out;
  JsonWriter writer(out, Form::kLines);
  Request request;
  request.op = "read";
  request.comm = "application";
  request.fd = 3;
  request.alike = alike;
  request.requested = 4096;
  request.result = 4096;
  if (moves) request.hops.emplace_back();
  if (!moves) request.ring.emplace().batch.emplace();
  for (uint64_t turn = 1; turn < UINT64_MAX / 40; turn *= 10) {
    for (uint64_t i = 0; i < 14; ++i) {
      const uint64_t number = turn + i - std::min<uint64_t>(turn, 7);
      request.id.seq = request.start_ns = number;
      request.duration_ns = i % 3 == 0 ? number : i;
      if (moves) {
        request.offset = number;
        request.hops[0].bytes = request.cpu_copy_bytes = 4096;
        request.hops[0].at_ns = number;
        request.hops[0].end_ns = number + request.duration_ns;
      } else {
        request.ring->batch->seq = number / 2 + 1;
      }
      EXPECT_TRUE(writer.request(request));
    }
  }
  EXPECT_TRUE(writer.finish(true));
  return out.text;
}

TEST(Alike, lines_that_go_on_pass_every_power_of_ten) {
  for (const bool moves : {true, false})
    EXPECT_EQ(lines_that_go_on(256, moves), lines_that_go_on(0, moves));
}

std::string read_again(const std::string& json, uint64_t* alike = nullptr) {
  MemoryReader input(json);
  Outcome result;
  const Status status = read_json(input, result);
  if (!status) return "refused";
  if (alike != nullptr) *alike = result.alike;
  return result.json();
}

std::string with_header(const std::string& records) {
  MemoryWriter out;
  JsonWriter writer(out, Form::kLines);
  EXPECT_TRUE(writer.header(bench::header()));
  EXPECT_TRUE(writer.flush());
  return out.text + records;
}

// A blank in a line is none of its form: such lines go through the parser.
std::string with_blanks(std::string json) {
  for (size_t at = 0; (at = json.find("{\"type\":\"request\"", at)) != std::string::npos; at += 3)
    json.insert(at + 1, " ");
  return json;
}

TEST(Alike, lines_are_read_as_the_parser_reads_them) {
  for (const bench::Named& named : bench::kKinds) {
    SCOPED_TRACE(named.name);
    Outcome written;
    rebuild(records_of(named.kind, 3000), written, measured());
    const std::string json = with_header(written.json());
    uint64_t alike = 0, parsed = 0;
    EXPECT_EQ(read_again(json, &alike), json);
    EXPECT_EQ(read_again(with_blanks(json), &parsed), json);
    EXPECT_EQ(parsed, 0u);
    EXPECT_GE(alike, named.kind == bench::Kind::kHot ? 2900u : 0u);
  }
}

// Each byte of a line that is like one before it, changed: what the parser makes of it is what must
// come of it.
TEST(Alike, a_line_that_only_looks_alike_is_read_as_what_it_is) {
  Outcome written;
  rebuild(records_of(bench::Kind::kHot, 3), written, measured());
  const std::string json = with_header(written.json());
  const size_t last = json.rfind('\n', json.size() - 2) + 1;
  size_t differ = 0;
  for (size_t at = last; at + 1 < json.size(); ++at) {
    for (const char other : {'0', '9', '-', '"', '\\', ' ', '\x7f', '\xff'}) {
      std::string changed = json;
      if (changed[at] == other) continue;
      changed[at] = other;
      std::string parsed = changed;
      parsed.insert(last + 1, " ");
      const std::string expected = read_again(parsed);
      ASSERT_EQ(read_again(changed), expected) << "byte " << at - last << " as " << int{other};
      differ += expected != json;
    }
  }
  EXPECT_GT(differ, 1000u);
  // Numbers as no JSON has them, and longer than any of a trace.
  for (const char* number : {"01", "00", "12345678901234567", "99999999999999999999",
                             "18446744073709551616", "1.5", "1e3", "-1", ""}) {
    for (const char* key : {"\"offset\":", "\"result\":", "\"start_ns\":", "\"cpu_copy_bytes\":",
                            "\"fd\":", "\"file\":", "\"tid\":"}) {
      std::string changed = json;
      const size_t begin = changed.find(key, last) + std::strlen(key);
      changed.replace(begin, changed.find_first_not_of("0123456789", begin) - begin, number);
      std::string parsed = changed;
      parsed.insert(last + 1, " ");
      EXPECT_EQ(read_again(changed), read_again(parsed)) << key << number;
    }
  }
}

}  // namespace
}  // namespace iohops::test
