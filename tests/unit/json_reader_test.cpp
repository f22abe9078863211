// Reading a JSON trace back: nothing is lost on the way, and nothing in a damaged file is trusted.
#include "sinks/json_reader.hpp"

#include <gtest/gtest.h>

#include <random>

#include "core/summarizer.hpp"
#include "json_trace.hpp"
#include "sinks/json_header.hpp"
#include "sinks/json_writer.hpp"

namespace iohops {
namespace {

using test::MemoryReader;
using test::MemoryWriter;

std::string sample(Form form, bool with_summary = true) {
  MemoryWriter out;
  JsonWriter writer(out, form);
  test::drive_sample(writer);
  const Status summarized = with_summary ? writer.summary(test::sample_summary()) : Status();
  EXPECT_TRUE(summarized);
  EXPECT_TRUE(writer.finish(!with_summary));
  return out.text;
}

struct Reading {
  Status status;
  std::string text;  // written again
  std::optional<bool> truncated;
  uint64_t requests = 0;
};

class Rewriter : public JsonWriter {
 public:
  Rewriter(ByteWriter& out, Form form, Reading& reading)
      : JsonWriter(out, form), reading_(reading) {}
  Status request(const Request& request) override {
    ++reading_.requests;
    return JsonWriter::request(request);
  }
  Status finish(bool truncated) override {
    reading_.truncated = truncated;
    return JsonWriter::finish(truncated);
  }

 private:
  Reading& reading_;
};

Reading read(const std::string& text, Form rewrite_as = Form::kLines, size_t step = SIZE_MAX) {
  MemoryReader input(text, step);
  MemoryWriter out;
  Reading reading;
  Rewriter writer(out, rewrite_as, reading);
  reading.status = read_json(input, writer);
  reading.text = out.text;
  return reading;
}

// The trace with one piece of text replaced, which must be there.
std::string with(std::string trace, const std::string& piece, const std::string& other) {
  const size_t at = trace.find(piece);
  EXPECT_NE(at, std::string::npos) << piece;
  return trace.replace(at, piece.size(), other);
}

void expect_damaged(const std::string& text, const std::string& reason) {
  const Reading reading = read(text);
  ASSERT_FALSE(reading.status) << "accepted, although: " << reason;
  EXPECT_EQ(reading.status.error().kind, ErrorKind::kDamaged);
  EXPECT_NE(reading.status.error().message.find(reason), std::string::npos)
      << reading.status.error().message;
  EXPECT_FALSE(reading.truncated.has_value()) << "finish() was called";
}

TEST(JsonReader, what_is_read_is_written_again_byte_for_byte) {
  for (const Form form : {Form::kLines, Form::kDocument}) {
    const std::string text = sample(form);
    const Reading reading = read(text, form);
    ASSERT_TRUE(reading.status) << reading.status.error().message;
    EXPECT_EQ(reading.text, text);
    EXPECT_EQ(reading.truncated, false);
  }
}

TEST(JsonReader, what_few_transfers_have_comes_back) {
  MemoryWriter out;
  JsonWriter writer(out, Form::kLines);
  Transfer told = test::missed_read_transfer();
  told.owners.clear();
  told.unattributed_bytes = told.bytes;
  told.queued_by = {{4242, 4243, 131'072}, {77, 78, 512}};
  told.parents = {{3, 4096, Evidence::kInferred}};
  told.copies = {{Endpoint::kPageCache, Endpoint::kKernel, 4096, Evidence::kDerived}};
  told.carried_on = true;
  ASSERT_TRUE(writer.header(test::sample_header()));
  ASSERT_TRUE(writer.transfer(told));
  ASSERT_TRUE(writer.finish(true));
  EXPECT_NE(out.text.find(R"("queued_by":[{"pid":4242,"tid":4243,"bytes":131072},{"pid":77,)"), std::string::npos);
  const Reading reading = read(out.text);
  ASSERT_TRUE(reading.status) << reading.status.error().message;
  EXPECT_EQ(reading.text, out.text);
}

TEST(JsonReader, what_no_system_call_told_is_null_and_comes_back_so) {
  MemoryWriter out;
  JsonWriter writer(out, Form::kLines);
  Header header = test::sample_header();
  header.light = true;
  Summary summary = test::sample_summary();
  summary.light = true;
  ASSERT_TRUE(writer.header(header));
  ASSERT_TRUE(writer.summary(summary));
  ASSERT_TRUE(writer.finish(false));
  for (const char* figure : {"mode_switches", "cpu_copies", "page_cache", "by_file", "syncs"})
    EXPECT_NE(out.text.find("\"" + std::string(figure) + "\":null"), std::string::npos) << figure;
  const Reading reading = read(out.text);
  ASSERT_TRUE(reading.status) << reading.status.error().message;
  EXPECT_EQ(reading.text, out.text);
  expect_damaged(with(out.text, R"("light":true,"suspended)", R"("suspended)"), "bytes_requested");
}

TEST(JsonReader, the_forms_become_each_other) {
  EXPECT_EQ(read(sample(Form::kLines), Form::kDocument).text, sample(Form::kDocument));
  EXPECT_EQ(read(sample(Form::kDocument), Form::kLines).text, sample(Form::kLines));
}

TEST(JsonReader, records_may_straddle_reads_anywhere) {
  const std::string text = sample(Form::kDocument);
  for (const size_t step : {1, 7, 100, 4096}) {
    EXPECT_EQ(read(text, Form::kDocument, step).text, text) << step;
  }
}

TEST(JsonReader, a_trace_without_summary_is_truncated_and_used) {
  for (const Form form : {Form::kLines, Form::kDocument}) {
    const Reading reading = read(sample(form, false), form);
    ASSERT_TRUE(reading.status);
    EXPECT_EQ(reading.truncated, true);
    EXPECT_EQ(reading.requests, 4U);
  }
}

TEST(JsonReader, a_trace_cut_at_any_byte_is_truncated_and_never_damaged) {
  for (const Form form : {Form::kLines, Form::kDocument}) {
    const std::string text = sample(form);
    const size_t header_end = text.find('\n');
    uint64_t last = 0;
    // Every byte of the frame between two records, and every 13th of a record.
    const auto near_a_line_end = [&](size_t at) {
      return text.substr(at - 8, 16).find('\n') != std::string::npos;
    };
    for (size_t cut = header_end + 1; cut + 2 < text.size(); ++cut) {
      if (cut % 13 != 0 && !near_a_line_end(cut)) continue;
      const Reading reading = read(text.substr(0, cut), form);
      ASSERT_TRUE(reading.status) << "cut at " << cut << ": " << reading.status.error().message;
      ASSERT_EQ(reading.truncated, true) << "cut at " << cut;
      ASSERT_GE(reading.requests, last);
      last = reading.requests;
    }
    EXPECT_EQ(last, 4U);
  }
}

TEST(JsonReader, a_trace_cut_in_its_header_is_none) {
  const std::string text = sample(Form::kLines);
  for (size_t cut = 0; cut < text.find('\n'); ++cut) {
    const Reading reading = read(text.substr(0, cut));
    ASSERT_FALSE(reading.status) << cut;
    EXPECT_EQ(reading.status.error().kind, ErrorKind::kDamaged);
  }
}

TEST(JsonReader, a_bad_line_in_the_middle_is_named) {
  const std::string text = sample(Form::kLines);
  expect_damaged(with(text, R"({"type":"request","id":"4242.17")", R"({"type":"request,"id":)"),
                 "line 4: ");
  expect_damaged(with(text, R"("result":4096)", R"("result":"4096")"),
                 R"("result" is not an integer)");
  expect_damaged(with(text, R"("fd":5)", R"("fd":5000000000)"), R"("fd" is beyond 32 bits)");
  expect_damaged(with(text, R"("fd":5)", R"("df":5)"), R"("fd" is missing)");
  expect_damaged(with(text, R"("start_ns":1000000)", R"("start_ns":-1)"),
                 "not an unsigned integer");
  expect_damaged(with(text, R"("pid":4242,"tid")", R"("pid":4243,"tid")"), "not the one in the id");
  expect_damaged(with(text, "\"4242.17\"", "\"4242-17\""), "not a request id");
  expect_damaged(with(text, R"("path":"buffered")", R"("path":"sideways")"), "does not know");
  expect_damaged(with(text, R"("device":"254:0")", R"("device":"4096:0")"), "not a device number");
  expect_damaged(with(text, R"("hops":[{)", R"("hops":[7,{)"), "not an object");
  expect_damaged(with(text, R"("path_b64":")", R"("path_b64":"!)"), "not base64");
  expect_damaged(with(text, R"("file":3,"path")", R"("file":0,"path")"), "is 0");
  expect_damaged(with(text, R"({"type":"loss")", R"([{"type":"loss")"), "line ");
  expect_damaged(with(text, R"({"type":"loss")", R"({"type":9)"), "\"type\"");
}

TEST(JsonReader, the_header_comes_first_and_once_and_the_summary_last) {
  const std::string text = sample(Form::kLines);
  const std::string header = text.substr(0, text.find('\n') + 1);
  expect_damaged(text.substr(header.size()), "does not begin with its header");
  expect_damaged(header + text, "second time");
  expect_damaged(text + R"({"type":"loss","at_ns":1,"cause":"x","count":1})" + "\n",
                 "follows the summary");
}

TEST(JsonReader, another_major_version_is_refused_and_another_minor_read) {
  const std::string text = sample(Form::kLines);
  expect_damaged(with(text, R"("version":"1.0")", R"("version":"2.0")"), "is 2.0");
  expect_damaged(with(text, R"("version":"1.0")", R"("version":"11.0")"), "is 11.0");
  expect_damaged(with(text, R"("version":"1.0")", R"("version":"1")"), "MAJOR.MINOR");
  EXPECT_TRUE(read(with(text, R"("version":"1.0")", R"("version":"1.9")")).status);
}

TEST(JsonReader, members_types_and_causes_of_later_versions_are_ignored) {
  const std::string text = sample(Form::kLines);
  const std::string later =
      with(with(text, R"("fd":5,)", R"("fd":5,"colour":{"deep":[1,{}]},)"), R"({"type":"loss")",
           R"({"type":"sonar","ping":1})"
           "\n"
           R"({"type":"loss")");
  const Reading reading = read(later);
  ASSERT_TRUE(reading.status) << reading.status.error().message;
  EXPECT_EQ(reading.text, text);
  EXPECT_TRUE(read(with(text, R"("cause":"journal")", R"("cause":"telepathy")")).status);
}

TEST(JsonReader, members_may_come_in_any_order) {
  const std::string text = sample(Form::kLines);
  const std::string loss = R"({"type":"loss","at_ns":9500000,"cause":"ring_request","count":7})";
  EXPECT_EQ(read(with(text, loss,
                      R"({ "count":7, "cause":"ring_request", "at_ns":9500000, "type":"loss"})"))
                .text,
            text);
}

TEST(JsonReader, blank_lines_and_carriage_returns_are_no_damage) {
  std::string text = sample(Form::kLines);
  std::string spaced = "\n";
  for (const char c : text) spaced += c == '\n' ? std::string("\r\n \n") : std::string(1, c);
  EXPECT_EQ(read(spaced).text, text);
}

TEST(JsonReader, what_is_no_trace_is_refused_with_the_reason) {
  expect_damaged("", "empty");
  expect_damaged("\n\n", "empty");
  expect_damaged("hello\n", "not a JSON trace");
  expect_damaged("[1,2]\n", "not a JSON trace");
  expect_damaged("{}\n", "\"type\"");
  expect_damaged(std::string("IOHOPSRW\0\1\n", 11), "iohops replay");
  expect_damaged("{\n  \"header\": {\n", "jq -c");
  expect_damaged(R"({"header":{},"records":[],"summary":{}})", "jq -c");
  expect_damaged(R"({"type":"header","format":"other","version":"1.0"})"
                 "\n",
                 "format");
}

TEST(JsonReader, bombs_are_defused) {
  const std::string header = sample(Form::kLines).substr(0, sample(Form::kLines).find('\n') + 1);
  expect_damaged(header + std::string(20 << 20, ' ') + "\n", "longer than 8 MiB");
  expect_damaged(header + std::string(1 << 20, '[') + "\n", "line 2");
  expect_damaged(header + "{\"type\":" + std::string(100'000, '{') + "\n", "line 2");
  expect_damaged(header + "\xff\xfe\n", "line 2");
  expect_damaged(header + std::string(4096, '\0') + "\n", "line 2");
}

TEST(JsonReader, random_damage_is_read_or_refused_as_damage) {
  const std::string text = sample(Form::kLines);
  std::mt19937 random(1);  // the same every time
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = text;
    for (unsigned i = 0; i < 1 + random() % 4; ++i) {
      const size_t at = random() % damaged.size();
      switch (random() % 3) {
        case 0:
          damaged[at] = static_cast<char>(random());
          break;
        case 1:
          damaged.erase(at, 1 + random() % 20);
          break;
        default:
          damaged.insert(at, damaged.substr(random() % damaged.size(), random() % 20));
      }
    }
    const Reading reading = read(damaged);
    if (reading.status) continue;
    ++refused;
    ASSERT_EQ(reading.status.error().kind, ErrorKind::kDamaged);
    ASSERT_FALSE(reading.status.error().message.empty());
  }
  EXPECT_GT(refused, 1000);
}

TEST(JsonReader, an_error_of_the_sink_is_handed_through) {
  MemoryReader input(sample(Form::kLines));
  MemoryWriter out;
  out.limit = 10;
  JsonWriter writer(out, Form::kLines);
  const Status status = read_json(input, writer);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kOutput);
}

TEST(JsonReader, a_summary_made_of_the_records_is_the_same_after_a_round_trip) {
  Summarizer live;
  test::drive_sample(live);
  const Summary expected = live.take();
  MemoryReader input(sample(Form::kLines, false));
  Summarizer again;
  ASSERT_TRUE(read_json(input, again));
  const Summary summary = again.take();
  EXPECT_EQ(summary.requests, expected.requests);
  EXPECT_EQ(summary.cpu_copies.bytes, expected.cpu_copies.bytes);
  EXPECT_EQ(summary.dma.bytes, expected.dma.bytes);
  EXPECT_EQ(summary.hit_bytes, expected.hit_bytes);
  EXPECT_EQ(summary.on_cpu_ns, expected.on_cpu_ns);
  EXPECT_EQ(summary.wait_ns, expected.wait_ns);
  EXPECT_EQ(summary.by_op.size(), expected.by_op.size());
  EXPECT_EQ(summary.lost, expected.lost);
}

TEST(JsonHeader, comes_back_as_it_was) {
  const std::string text = header_json(test::sample_header());
  const Result<Header> header = parse_header(text);
  ASSERT_TRUE(header);
  EXPECT_EQ(header_json(*header), text);
  EXPECT_EQ((*header).command_line.back(), "caf\xe9.jsonl");
}

TEST(JsonHeader, what_is_no_page_size_is_refused) {
  const std::string whole = header_json(test::sample_header());
  const std::string member = "\"page_size\":4096";
  ASSERT_NE(whole.find(member), std::string::npos);
  for (const char* other : {"0", "1", "4097", "1048576"}) {
    std::string text = whole;
    text.replace(text.find(member), member.size(), std::string("\"page_size\":") + other);
    const Result<Header> header = parse_header(text);
    ASSERT_FALSE(header) << other;
    EXPECT_EQ(header.error().kind, ErrorKind::kDamaged);
    EXPECT_NE(header.error().message.find("page_size"), std::string::npos);
  }
}

TEST(JsonHeader, damaged_is_refused_wherever_it_was_cut) {
  const std::string text = header_json(test::sample_header());
  for (size_t cut = 0; cut < text.size(); ++cut) {
    const Result<Header> header = parse_header(text.substr(0, cut));
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error().kind, ErrorKind::kDamaged);
  }
}

}  // namespace
}  // namespace iohops
