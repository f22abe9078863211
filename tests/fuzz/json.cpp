// JSON traces: what `report`, `explain` and `diff` do with a file that anybody may have written. The
// mutator works on lines (drops, repeats, moves one) and on their numbers and strings: byte by byte most
// of what comes about is no JSON.
#include <algorithm>
#include <cctype>
#include <cstring>
#include <random>
#include <vector>

#include "sinks/json_reader.hpp"
#include "sinks/json_writer.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/unit/json_trace.hpp"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace iohops::fuzz {
namespace {

using Lines = std::vector<std::string>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

struct Token {
  size_t at, size;
};

// The numbers of a line, or what stands between its quotes.
std::vector<Token> tokens_of(const std::string& line, bool numbers) {
  std::vector<Token> tokens;
  for (size_t at = 0; at < line.size();) {
    size_t end = at;
    if (numbers) {
      while (end < line.size() && std::isdigit(static_cast<unsigned char>(line[end]))) end++;
    } else if (line[at] == '"') {
      end = std::min(line.find('"', at + 1), line.size());
    }
    if (end > at) tokens.push_back({at, end - at});
    at = end + 1;
  }
  return tokens;
}

void replace_token(std::string& line, const std::string& other, bool numbers, std::mt19937& random) {
  static constexpr const char* kNumbers[] = {"0", "1", "4096", "4294967295", "4294967296", "9007199254740993",
                                             "9223372036854775807", "18446744073709551615", "-1", "1e300"};
  const std::vector<Token> here = tokens_of(line, numbers), there = tokens_of(other, numbers);
  if (here.empty()) return;
  const Token from = here[random() % here.size()];
  std::string with = kNumbers[random() % std::size(kNumbers)];
  if (!there.empty() && (!numbers || random() % 2 == 0)) {
    const Token to = there[random() % there.size()];
    with = other.substr(to.at, to.size);
  }
  line.replace(from.at, from.size, with);
}

void mutate_bytes(std::string& line) {
  std::vector<uint8_t> bytes(line.begin(), line.end());
  bytes.resize(line.size() + 64);
  bytes.resize(LLVMFuzzerMutate(bytes.data(), line.size(), bytes.size()));
  line.assign(bytes.begin(), bytes.end());
}

void mutate(Lines& lines, std::mt19937& random) {
  const auto any = [&] { return random() % lines.size(); };
  const size_t at = any();
  const std::string other = lines[any()];
  switch (random() % 10) {
    case 0:
      if (lines.size() > 1) lines.erase(lines.begin() + static_cast<ptrdiff_t>(at));
      break;
    case 1:
      lines.insert(lines.begin() + static_cast<ptrdiff_t>(at), other);
      break;
    case 2:
      std::swap(lines[at], lines[any()]);
      break;
    case 3:
      mutate_bytes(lines[at]);
      break;
    case 4:
    case 5:
      replace_token(lines[at], other, false, random);
      break;
    default:
      replace_token(lines[at], other, true, random);
  }
}

}  // namespace
}  // namespace iohops::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  using namespace iohops::fuzz;
  Lines lines = lines_of({reinterpret_cast<const char*>(data), size});
  if (lines.empty()) return LLVMFuzzerMutate(data, size, max_size);
  std::mt19937 random(seed);
  for (unsigned edits = 1 + random() % 4; edits > 0; edits--) mutate(lines, random);
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  text.resize(std::min(text.size(), max_size));
  std::memcpy(data, text.data(), text.size());
  return text.size();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace iohops;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Status read = fuzz::read_as_person(text);
  fuzz::require_damaged(read);
  if (!read) {
    fuzz::require_printable(read.error().message, "the reason");
    return 0;
  }
  // What was accepted is a trace: written anew, it is read again.
  test::MemoryWriter again;
  JsonWriter writer(again, Form::kLines);
  test::MemoryReader input(text);
  fuzz::require(static_cast<bool>(read_json(input, writer)),
                "a trace that was read is refused when read again");
  fuzz::require_printable(again.text, "the JSON");
  const Status second = fuzz::read_as_person(again.text);
  fuzz::require(static_cast<bool>(second),
                "what was written is not read: " + (second ? "" : second.error().message));
  return 0;
}
