#include "sinks/json_fields.hpp"

#include <charconv>
#include <limits>

#include "sinks/json_text.hpp"

namespace iohops {
namespace {

// The whole of `text` as a decimal number, nothing else.
template <typename T>
bool parse_whole(std::string_view text, T& into) {
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, into);
  return problem == std::errc() && stop == end;
}

std::optional<uint32_t> parse_device(std::string_view text) {
  const size_t colon = text.find(':');
  uint32_t major = 0;
  uint32_t minor = 0;
  if (colon == std::string_view::npos || !parse_whole(text.substr(0, colon), major) ||
      !parse_whole(text.substr(colon + 1), minor) || major >= 1U << 12 || minor >= 1U << 20) {
    return std::nullopt;
  }
  return major << 20 | minor;
}

}  // namespace

std::optional<RequestId> parse_request_id(std::string_view text) {
  const size_t dot = text.find('.');
  RequestId id;
  if (dot == std::string_view::npos || !parse_whole(text.substr(0, dot), id.pid) ||
      !parse_whole(text.substr(dot + 1), id.seq)) {
    return std::nullopt;
  }
  return id;
}

void Fields::fail(std::string_view key, std::string_view why) {
  if (!error_.empty()) return;
  error_.append(what_).append(": member \"").append(key).append("\" ").append(why);
}

std::optional<simdjson::dom::element> Fields::find(std::string_view key) {
  const auto end = object_.end();
  // All were read, in order: what is asked for now is not there, and need not be looked for among
  // them.
  if (at_ == end && !skipped_) return std::nullopt;
  const auto from = at_;
  const auto take = [&]() -> std::optional<simdjson::dom::element> {
    const simdjson::dom::element value = at_.value();
    ++at_;
    return value.is_null() ? std::nullopt : std::optional(value);
  };
  for (; at_ != end; ++at_) {
    if (at_.key() == key) return take();
    skipped_ = true;
  }
  for (at_ = object_.begin(); at_ != from; ++at_) {
    if (at_.key() == key) return take();
  }
  return std::nullopt;
}

uint64_t Fields::u64(std::string_view key) {
  uint64_t value = 0;
  return get(key, "an unsigned integer", value) ? value : 0;
}

int64_t Fields::i64(std::string_view key) {
  int64_t value = 0;
  return get(key, "an integer", value) ? value : 0;
}

uint32_t Fields::u32(std::string_view key) { return narrow(key, u64(key)); }

uint32_t Fields::narrow(std::string_view key, uint64_t value) {
  if (value <= std::numeric_limits<uint32_t>::max()) return static_cast<uint32_t>(value);
  fail(key, "is beyond 32 bits");
  return 0;
}

int32_t Fields::i32(std::string_view key) {
  const int64_t value = i64(key);
  if (value >= std::numeric_limits<int32_t>::min() &&
      value <= std::numeric_limits<int32_t>::max()) {
    return static_cast<int32_t>(value);
  }
  fail(key, "is beyond 32 bits");
  return 0;
}

double Fields::real(std::string_view key) {
  double value = 0;
  return get(key, "a number", value) ? value : 0;
}

bool Fields::boolean(std::string_view key) {
  bool value = false;
  return get(key, "true or false", value) && value;
}

std::string_view Fields::text(std::string_view key) {
  std::string_view value;
  return get(key, "a string", value) ? value : std::string_view();
}

std::string Fields::name(std::string_view key) {
  const std::string_view readable = text(key);
  const std::string raw_key = std::string(key) + "_b64";
  // The raw bytes stand right behind the readable ones, or nowhere.
  if (!ok() || at_ == object_.end() || at_.key() != raw_key) return std::string(readable);
  std::optional<std::string> raw = from_base64(text(raw_key));
  if (!raw) fail(raw_key, "is not base64");
  return raw.value_or(std::string());
}

Fields Fields::object(std::string_view key) {
  simdjson::dom::object value;
  // Without the object, its fields are looked for in this one: the error is set, nothing is found.
  return get(key, "an object", value) ? Fields(value, key, error_) : *this;
}

RequestId Fields::request_id(std::string_view key) {
  const std::string_view value = text(key);
  const std::optional<RequestId> id = parse_request_id(value);
  if (!id) fail(key, "is not a request id (PID.SEQUENCE)");
  return id.value_or(RequestId{});
}

uint64_t Fields::id(std::string_view key) { return parsed_id(key, text(key)); }

uint64_t Fields::parsed_id(std::string_view key, std::string_view text) {
  uint64_t value = 0;
  if (!parse_whole(text, value)) fail(key, "is not a number in a string");
  return value;
}

uint32_t Fields::device(std::string_view key) { return parsed_device(key, text(key)); }

uint32_t Fields::parsed_device(std::string_view key, std::string_view text) {
  const std::optional<uint32_t> device = parse_device(text);
  if (!device) fail(key, "is not a device number (MAJOR:MINOR)");
  return device.value_or(0);
}

bool Fields::present(std::string_view key) {
  if (!ok()) return false;
  const auto at = at_;
  const bool skipped = skipped_;
  const bool found = find(key).has_value();
  at_ = at;
  skipped_ = skipped;
  return found;
}

std::optional<uint64_t> Fields::maybe_u64(std::string_view key) {
  return maybe<uint64_t>(key, "an unsigned integer");
}

std::optional<double> Fields::maybe_real(std::string_view key) {
  return maybe<double>(key, "a number");
}

uint64_t Fields::count(std::string_view key) { return maybe_u64(key).value_or(0); }

uint32_t Fields::file(std::string_view key) { return narrow(key, count(key)); }

uint64_t Fields::maybe_id(std::string_view key) {
  const auto text = maybe<std::string_view>(key, "a string");
  return text ? parsed_id(key, *text) : 0;
}

uint32_t Fields::maybe_device(std::string_view key) {
  const auto text = maybe<std::string_view>(key, "a string");
  return text ? parsed_device(key, *text) : 0;
}

bool Fields::flag(std::string_view key) {
  return maybe<bool>(key, "true or false").value_or(false);
}

std::string_view Fields::maybe_text(std::string_view key) {
  return maybe<std::string_view>(key, "a string").value_or(std::string_view());
}

}  // namespace iohops
