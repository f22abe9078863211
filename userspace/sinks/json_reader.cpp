#include "sinks/json_reader.hpp"

#include <simdjson.h>

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sinks/json_records.hpp"

namespace iohops {
namespace {

constexpr size_t kLongestLine = 8 << 20;
constexpr size_t kChunk = size_t{256} * 1024;
constexpr std::string_view kRawMagic = "IOHOPSRW";

struct Line {
  std::string_view text;  // without the newline; simdjson's padding can be read behind it
  bool whole = false;     // a newline ended it
};

class Lines {
 public:
  explicit Lines(ByteReader& input) : input_(input) {}

  // nullopt at the end of input.
  Result<std::optional<Line>> next() {
    ++number_;
    size_t searched = 0;
    while (true) {
      const size_t held = end_ - begin_;
      const char* start = bytes_.data() + begin_;
      if (const void* newline =
              held > searched ? std::memchr(start + searched, '\n', held - searched) : nullptr) {
        const auto length = static_cast<size_t>(static_cast<const char*>(newline) - start);
        if (length > kLongestLine) return too_long();
        begin_ += length + 1;
        return std::optional(Line{{start, length}, true});
      }
      searched = held;
      if (ended_) {
        begin_ = end_;
        if (held == 0) return std::optional<Line>();
        return std::optional(Line{{start, held}, false});
      }
      if (held > kLongestLine) return too_long();
      if (Status status = fill(); !status) return status.error();
    }
  }

  size_t number() const { return number_; }  // of the last line, from 1

 private:
  Error too_long() const {
    return {ErrorKind::kDamaged, "line " + std::to_string(number_) + " is longer than 8 MiB: not a trace"};
  }

  Status fill() {
    if (begin_ > 0) {
      std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (bytes_.size() < end_ + kChunk / 2 + simdjson::SIMDJSON_PADDING) {
      bytes_.resize(2 * end_ + kChunk + simdjson::SIMDJSON_PADDING);
    }
    const size_t room = bytes_.size() - end_ - simdjson::SIMDJSON_PADDING;
    Result<size_t> got = input_.read({bytes_.data() + end_, room});
    if (!got) return got.error();
    end_ += *got;
    ended_ = *got == 0;
    return {};
  }

  ByteReader& input_;
  std::vector<char> bytes_ = std::vector<char>(kChunk + simdjson::SIMDJSON_PADDING);
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t number_ = 0;
  bool ended_ = false;
};

// The punctuation between the records of a document, as JsonWriter puts it: a line is a record once
// its part of the frame is taken off.
constexpr std::string_view kDocumentStart = "{\"header\":";
constexpr std::string_view kRecordsStart = "\"records\":[";
constexpr std::string_view kSummaryStart = "\"summary\":";

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

class Trace {
 public:
  Trace(ByteReader& input, Sink& sink) : input_(input), lines_(input), records_(sink) {}

  // True: the trace is truncated.
  Result<bool> read() {
    bool any = false;
    while (true) {
      Result<std::optional<Line>> next = lines_.next();
      if (!next) return next.error();
      if (!*next) break;
      std::string_view text = trimmed((*next)->text);
      if (text.empty()) continue;
      if (!any) {
        if (Status status = begin(text); !status) return status.error();
        any = true;
      }
      if (document_) text = without_frame(text);
      if (text.empty()) continue;
      Result<bool> cut = record(text, (*next)->whole);
      if (!cut) return cut.error();
      if (*cut) return true;
    }
    if (!any) return Error{ErrorKind::kDamaged, "the trace is empty: it has no header"};
    return !records_.has_summary() || input_.truncated();
  }

 private:
  Error damaged(std::string_view why) const {
    return {ErrorKind::kDamaged,
            "line " + std::to_string(lines_.number()) + ": " + std::string(why)};
  }

  Status begin(std::string_view text) {
    if (text.starts_with(kRawMagic)) {
      return Error{ErrorKind::kDamaged,
                   "this is a raw recording, not JSON: convert it with "
                   "iohops replay FILE -o trace.jsonl"};
    }
    if (text[0] != '{') return damaged("this is not a JSON trace of iohops");
    // Inside a string the quotes would be escaped: this is the member of a document.
    if (text == "{" || text.find("\"records\":") != std::string_view::npos) {
      return damaged(
          "this document was reformatted: give each record its own line with "
          "jq -c '.header, .records[], .summary | values' FILE > trace.jsonl");
    }
    document_ = text.starts_with(kDocumentStart);
    return {};
  }

  std::string_view without_frame(std::string_view text) {
    if (text.starts_with(kDocumentStart)) text.remove_prefix(kDocumentStart.size());
    if (text == kRecordsStart || text == "]," || text == "]" || text == "]}") return {};
    if (text.starts_with(kSummaryStart)) {
      text.remove_prefix(kSummaryStart.size());
      if (text.ends_with("}}")) text.remove_suffix(1);  // its own brace, and the document's
    }
    if (text.ends_with(",")) text.remove_suffix(1);
    return text;
  }

  // True: the record is the last line and was cut off.
  Result<bool> record(std::string_view text, bool whole_line) {
    if (const Request* request = records_.like_one_before(text)) {
      if (Status status = records_.hand_over(*request); !status) return status.error();
      return false;
    }
    simdjson::dom::object object;
    const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
    if (const auto problem = parser_.parse(bytes, text.size(), false).get(object); problem) {
      // A last line without a newline may have been cut anywhere; but what does not even begin with
      // a whole header is no trace that was cut, it is something else.
      if (!whole_line && records_.has_header()) return true;
      return damaged(simdjson::error_message(problem));
    }
    std::string error;
    if (Status status = records_.hand_over(object, error); !status) return status.error();
    if (!error.empty()) return damaged(error);
    records_.remember(text);
    return false;
  }

  ByteReader& input_;
  Lines lines_;
  JsonRecords records_;
  simdjson::dom::parser parser_{kLongestLine + kChunk};
  bool document_ = false;
};

}  // namespace

Status read_json(ByteReader& input, Sink& sink) {
  Trace trace(input, sink);
  Result<bool> truncated = trace.read();
  if (!truncated) return truncated.error();
  return sink.finish(*truncated);
}

}  // namespace iohops
