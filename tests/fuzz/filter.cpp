// Filters as they are typed: globs, sizes, durations, limits, processes; and what they do to a
// trace.
#include "core/filter.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "cli/units.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/unit/json_trace.hpp"

namespace iohops::fuzz {
namespace {

template <typename T>
void require_reason(const Result<T>& result) {
  if (result) return;
  require(result.error().kind == ErrorKind::kUsage, "a value is refused, but not as wrong usage");
  require(!result.error().message.empty(), "an error says nothing");
}

void parse(std::string_view text) {
  require_reason(parse_size(text));
  require_reason(parse_pids(text));
  require_reason(parse_loss_limit(text));
  for (const BareNumber bare : {BareNumber::kSeconds, BareNumber::kRefused}) {
    const auto duration = parse_duration(text, bare);
    require_reason(duration);
    require(!duration || *duration > 0, "a duration of nothing");
  }
}

// Every `*` for one byte more: the plain definition, as slow as it likes.
bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] != '*')
    return !text.empty() && pattern[0] == text[0] && matches(pattern.substr(1), text.substr(1));
  return matches(pattern.substr(1), text) || (!text.empty() && matches(pattern, text.substr(1)));
}

void match(std::string_view pattern, std::string_view text) {
  const bool found = glob_match(pattern, text);
  if (pattern.find_first_of("?[\\") != std::string_view::npos || pattern.size() > 12 ||
      text.size() > 24)
    return;
  require(found == matches(pattern, text), "a glob matches otherwise than it should");
}

}  // namespace
}  // namespace iohops::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace iohops;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> lines;
  while (lines.size() < 4) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  fuzz::parse(lines[0]);
  fuzz::match(lines[0], lines[1]);
  Filter filter;
  filter.ops = {lines[0]};
  filter.paths = {lines[1]};
  if (!lines[2].empty()) filter.devices = {lines[2]};
  Sink nowhere;
  FilterSink sink(filter, nowhere);
  test::drive_sample(sink);
  fuzz::require(static_cast<bool>(sink.finish(false)), "a filter fails");
  return 0;
}
