// What the JSON writer puts down: the contract's names, hostile text, and what is readable after a
// kill or on a full disk.
#include "sinks/json_writer.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "core/summarizer.hpp"
#include "golden.hpp"
#include "json_trace.hpp"
#include "sinks/fanout.hpp"
#include "sinks/json_line.hpp"
#include "sinks/json_text.hpp"

namespace iohops {
namespace {

using nlohmann::json;
using test::MemoryWriter;

std::string sample(Form form, bool with_summary) {
  MemoryWriter out;
  JsonWriter writer(out, form);
  test::drive_sample(writer);
  const Status summarized = with_summary ? writer.summary(test::sample_summary()) : Status();
  EXPECT_TRUE(summarized);
  EXPECT_TRUE(writer.finish(!with_summary));
  return out.text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

json written(const Request& request) {
  MemoryWriter out;
  JsonWriter writer(out, Form::kLines);
  EXPECT_TRUE(writer.request(request));
  EXPECT_TRUE(writer.flush());
  return json::parse(out.text);
}

TEST(JsonWriter, writes_one_of_everything_as_lines) {
  const std::string text = sample(Form::kLines, true);
  expect_golden("json_trace.jsonl", text);
}

TEST(JsonWriter, writes_one_of_everything_as_one_document) {
  const std::string text = sample(Form::kDocument, true);
  expect_golden("json_trace.json", text);
  const json document = json::parse(text);
  EXPECT_EQ(document["header"]["type"], "header");
  EXPECT_EQ(document["summary"]["type"], "summary");
  // The same objects as in the lines form.
  const std::vector<std::string> lines = lines_of(sample(Form::kLines, true));
  ASSERT_EQ(document["records"].size() + 2, lines.size());
  for (size_t i = 0; i < document["records"].size(); ++i) {
    EXPECT_EQ(document["records"][i], json::parse(lines[i + 1]));
  }
}

TEST(JsonWriter, a_document_without_records_or_summary_is_valid) {
  MemoryWriter out;
  JsonWriter writer(out, Form::kDocument);
  ASSERT_TRUE(writer.header(test::sample_header()));
  ASSERT_TRUE(writer.finish(true));
  EXPECT_EQ(json::parse(out.text)["records"], json::array());
}

TEST(JsonWriter, a_document_without_summary_is_valid) {
  EXPECT_FALSE(json::parse(sample(Form::kDocument, false)).contains("summary"));
}

TEST(JsonWriter, a_hit_has_every_member_of_the_contract) {
  const json request = written(test::cached_read());
  EXPECT_EQ(request["id"], "4242.17");
  EXPECT_EQ(request["op"], "pread64");
  EXPECT_EQ(request["submit"], "syscall");
  EXPECT_EQ(request["path"], "buffered");
  EXPECT_EQ(request["cache"], "hit");
  EXPECT_EQ(request["context_switches"], json::parse(R"({"voluntary":0,"involuntary":0})"));
  EXPECT_EQ(request["hops"], json::parse(R"([{"hop":"cpu_copy","from":"page_cache","to":"user",
      "bytes":4096,"at_ns":1000000,"end_ns":1000850,"transfer":null,"device":null,
      "evidence":"derived"}])"));
  EXPECT_EQ(request["complete"], true);
  EXPECT_FALSE(request.contains("ended"));
  EXPECT_FALSE(request.contains("major_fault"));
}

TEST(JsonWriter, what_is_unknown_is_null_and_not_zero) {
  Request request = test::cached_read();
  request.file = 0;
  request.offset.reset();
  request.requested.reset();
  const json object = written(request);
  EXPECT_TRUE(object["file"].is_null());
  EXPECT_TRUE(object["offset"].is_null());
  EXPECT_TRUE(object["requested"].is_null());
}

TEST(JsonWriter, a_failed_request_names_its_error) {
  Request request = test::cached_read();
  request.result = -28;
  EXPECT_EQ(written(request)["error"], "ENOSPC");
  request.result = -4000;
  EXPECT_FALSE(written(request).contains("error"));
}

TEST(JsonWriter, the_largest_numbers_fit) {
  Request request = test::missed_read();
  request.id = {UINT32_MAX, UINT64_MAX};
  request.result = INT64_MIN;
  request.start_ns = request.duration_ns = request.off_cpu_ns = UINT64_MAX;
  request.miss_bytes = request.readahead_bytes = request.dirtied_bytes = UINT64_MAX;
  request.offset = request.requested = UINT64_MAX;
  request.hops.assign(10'000, request.hops[0]);
  const json object = written(request);
  EXPECT_EQ(object["id"], "4294967295.18446744073709551615");
  EXPECT_EQ(object["result"], INT64_MIN);
  EXPECT_EQ(object["offset"], UINT64_MAX);
  EXPECT_EQ(object["hops"].size(), 10'000U);
  EXPECT_EQ(object["hops"][9'999]["transfer"], "9223372036854775809");
}

TEST(JsonWriter, hostile_names_leave_as_valid_utf8_without_control_bytes) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  for (const std::string& hostile :
       {every_byte, std::string("\x1b]52;c;aGk=\x07"), std::string("a\x7f"),
        std::string("\xc2\x9b"),
        std::string("\xe2\x80\xae"
                    "txt.exe"),
        std::string("\xed\xa0\x80"), std::string(1, '\0'), std::string("\xf4\x90\x80\x80"),
        std::string(300'000, '\xff')}) {
    MemoryWriter out;
    JsonWriter writer(out, Form::kLines);
    File file;
    file.id = 1;
    file.path = hostile;
    ASSERT_TRUE(writer.file(file));
    ASSERT_TRUE(writer.flush());
    ASSERT_TRUE(is_utf8(out.text));
    EXPECT_EQ(out.text.find_first_of(std::string_view("\0\x1b\x07\x7f\r", 5)), std::string::npos);
    EXPECT_EQ(out.text.find("\xc2\x9b"), std::string::npos);
    EXPECT_EQ(out.text.find("\xe2\x80\xae"), std::string::npos);
    EXPECT_EQ(std::count(out.text.begin(), out.text.end(), '\n'), 1);
    const json object = json::parse(out.text);
    EXPECT_EQ(object.contains("path_b64"), !is_utf8(hostile));
    const std::string kept = object.contains("path_b64")
                                 ? from_base64(object["path_b64"].get<std::string>()).value_or("")
                                 : object["path"].get<std::string>();
    EXPECT_EQ(kept, hostile);
  }
}

TEST(JsonWriter, ordinary_utf8_stays_readable) {
  EXPECT_EQ(json_quote("größe/日本.db"), "\"größe/日本.db\"");
}

TEST(JsonWriter, what_was_flushed_ends_with_a_whole_line) {
  MemoryWriter out;
  JsonWriter writer(out, Form::kLines);
  test::drive_sample(writer);
  EXPECT_TRUE(out.text.empty());  // less than a buffer
  ASSERT_TRUE(writer.flush());
  EXPECT_EQ(out.flushes, 1);
  EXPECT_EQ(out.text.back(), '\n');
  for (const std::string& line : lines_of(out.text)) EXPECT_TRUE(json::accept(line)) << line;
}

TEST(JsonWriter, a_full_disk_is_reported_and_says_what_is_readable) {
  MemoryWriter out;
  out.limit = 1 << 20;
  JsonWriter writer(out, Form::kLines);
  ASSERT_TRUE(writer.header(test::sample_header()));
  Status status;
  uint64_t tried = 0;
  while (status && tried < 100'000) {
    status = writer.request(test::cached_read());
    ++tried;
  }
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kOutput);
  EXPECT_FALSE(writer.request(test::cached_read()));  // and it stays an error
  EXPECT_FALSE(writer.finish(true));
  const std::vector<std::string> lines = lines_of(out.text);
  uint64_t readable = 0;
  for (const std::string& line : lines) {
    if (json::accept(line) && json::parse(line)["type"] == "request") ++readable;
  }
  EXPECT_GT(readable, 1000U);
  EXPECT_EQ(writer.requests_written(), readable);
}

TEST(JsonWriter, ratios_to_nothing_are_null) {
  MemoryWriter out;
  JsonWriter writer(out, Form::kLines);
  ASSERT_TRUE(writer.summary(Summary()));
  ASSERT_TRUE(writer.finish(false));
  const json summary = json::parse(out.text);
  EXPECT_TRUE(summary["per_byte"]["dma"].is_null());
  EXPECT_TRUE(summary["switches_per_mib"].is_null());
  EXPECT_TRUE(summary["overhead"]["bpf_ns"].is_null());
}

TEST(JsonWriter, the_summary_names_its_files_by_path) {
  MemoryWriter out;
  JsonWriter writer(out, Form::kLines);
  Summarizer summarizer;
  Fanout both({&writer, &summarizer});
  test::drive_sample(both);
  ASSERT_TRUE(writer.summary(summarizer.take()));
  ASSERT_TRUE(writer.finish(false));
  const json summary = json::parse(lines_of(out.text).back());
  EXPECT_EQ(summary["by_file"][0]["file"], 3);
  EXPECT_TRUE(summary["by_file"][0].contains("path_b64"));
  EXPECT_TRUE(summary["by_file"][1]["file"].is_null());  // the request without a file
}

std::string digits(uint64_t number) {
  char text[64];
  JsonLine line(text);
  line << number;
  return {text, static_cast<size_t>(line.end() - text)};
}

TEST(JsonLine, numbers_of_every_length_are_exact) {
  for (uint64_t number = 0; number < 100'000; ++number) {
    ASSERT_EQ(digits(number), std::to_string(number));
  }
  for (uint64_t power = 10; power < UINT64_MAX / 10; power *= 10) {
    for (const uint64_t number : {power - 1, power, power + 1, 7 * power + power / 3}) {
      ASSERT_EQ(digits(number), std::to_string(number));
    }
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t number = random() >> (random() % 64);
    ASSERT_EQ(digits(number), std::to_string(number));
  }
  EXPECT_EQ(digits(UINT64_MAX), "18446744073709551615");
}

TEST(JsonLine, negative_numbers_are_exact) {
  for (const int64_t number : {int64_t{-1}, int64_t{-4095}, INT64_MIN, INT64_MAX}) {
    char text[64];
    JsonLine line(text);
    line << number;
    EXPECT_EQ(std::string(text, line.end()), std::to_string(number));
  }
}

TEST(JsonText, plain_is_exactly_printable_ascii_without_quote_and_backslash) {
  for (size_t length = 1; length < 20; ++length) {
    for (size_t at = 0; at < length; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(length, 'x');
        text[at] = static_cast<char>(byte);
        const bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
        ASSERT_EQ(is_plain(text), plain) << byte << " at " << at << " of " << length;
      }
    }
  }
  EXPECT_TRUE(is_plain(""));
}

TEST(Base64, of_every_length_comes_back) {
  std::string bytes;
  for (int i = 0; i < 70; ++i) {
    EXPECT_EQ(from_base64(base64(bytes)), bytes);
    bytes += static_cast<char>(i * 37 + 200);
  }
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
}

TEST(Base64, refuses_what_is_none) {
  EXPECT_EQ(from_base64("a"), std::nullopt);
  EXPECT_EQ(from_base64("ab=c"), std::nullopt);
  EXPECT_EQ(from_base64("a\n=="), std::nullopt);
  EXPECT_EQ(from_base64("===="), std::nullopt);
}

}  // namespace
}  // namespace iohops
