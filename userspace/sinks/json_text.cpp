#include "sinks/json_text.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

namespace iohops {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kBase64Digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// In valid UTF-8: DEL, C1 controls (C2 80..9F), and what text::escape() takes for deceiving: U+061C
// (D8 9C), of E2 80/81 the zero-width, line-separating and direction-changing ones, U+FEFF (EF BB
// BF), tag characters (F3 A0 80/81).
bool can_fool_a_terminal(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x7f) continue;
    if (byte == 0x7f) return true;
    const auto at = [&](size_t k) {
      return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U;
    };
    if (byte == 0xc2 && at(i + 1) < 0xa0) return true;
    if (byte == 0xd8 && at(i + 1) == 0x9c) return true;
    if (byte == 0xef && at(i + 1) == 0xbb && at(i + 2) == 0xbf) return true;
    if (byte == 0xf3 && at(i + 1) == 0xa0 && at(i + 2) < 0x82) return true;
    if (byte != 0xe2) continue;
    if (at(i + 1) == 0x80 && (at(i + 2) < 0x90 || (at(i + 2) >= 0xa8 && at(i + 2) < 0xaf))) {
      return true;
    }
    if (at(i + 1) == 0x81 && at(i + 2) >= 0xa0 && at(i + 2) < 0xb0) return true;
  }
  return false;
}

constexpr std::array<signed char, 256> base64_values() {
  std::array<signed char, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < kBase64Digits.size(); ++i) {
    values[static_cast<unsigned char>(kBase64Digits[i])] = static_cast<signed char>(i);
  }
  return values;
}

constexpr std::array<std::pair<int, std::string_view>, 28> kErrnoNames{{
    {EPERM, "EPERM"},           {ENOENT, "ENOENT"},
    {EINTR, "EINTR"},           {EIO, "EIO"},
    {ENXIO, "ENXIO"},           {EBADF, "EBADF"},
    {EAGAIN, "EAGAIN"},         {ENOMEM, "ENOMEM"},
    {EACCES, "EACCES"},         {EFAULT, "EFAULT"},
    {EBUSY, "EBUSY"},           {ENODEV, "ENODEV"},
    {EISDIR, "EISDIR"},         {EINVAL, "EINVAL"},
    {ENOTTY, "ENOTTY"},         {ETXTBSY, "ETXTBSY"},
    {EFBIG, "EFBIG"},           {ENOSPC, "ENOSPC"},
    {ESPIPE, "ESPIPE"},         {EROFS, "EROFS"},
    {EPIPE, "EPIPE"},           {EOVERFLOW, "EOVERFLOW"},
    {EOPNOTSUPP, "EOPNOTSUPP"}, {ECONNRESET, "ECONNRESET"},
    {ETIMEDOUT, "ETIMEDOUT"},   {ESTALE, "ESTALE"},
    {EDQUOT, "EDQUOT"},         {ECANCELED, "ECANCELED"},
}};

}  // namespace

bool is_plain(std::string_view text) {
  // Eight bytes at a time: names are short, but every record has some.
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x8080808080808080;
  const auto below = [](uint64_t word, uint8_t limit) { return (word - kOnes * limit) & ~word; };
  const auto odd = [&](uint64_t word) {
    const uint64_t found = word | below(word, 0x20) | below(word ^ kOnes * '"', 1) |
                           below(word ^ kOnes * '\\', 1) | below(word ^ kOnes * 0x7f, 1);
    return (found & kHighs) != 0;
  };
  const auto load = [&](auto word, size_t at) -> uint64_t {
    std::memcpy(&word, text.data() + at, sizeof word);
    return word;
  };
  // What does not fill a word is looked at in one that overlaps the last.
  const size_t size = text.size();
  if (size >= 8) {
    for (size_t i = 0; i + 8 < size; i += 8) {
      if (odd(load(uint64_t{}, i))) return false;
    }
    return !odd(load(uint64_t{}, size - 8));
  }
  if (size >= 4) return !odd(load(uint32_t{}, 0) << 32 | load(uint32_t{}, size - 4));
  uint64_t rest = kOnes * 'a';
  for (const char c : text) rest = rest << 8 | static_cast<unsigned char>(c);
  return !odd(rest);
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

std::string json_dump(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (!can_fool_a_terminal(text)) return text;
  return value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string json_quote(std::string_view text) { return json_dump(Json(text)); }

void put_name(Json& object, const std::string& key, std::string_view raw) {
  object[key] = raw;
  if (!is_utf8(raw)) object[key + "_b64"] = base64(raw);
}

std::string base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += k <= n ? kBase64Digits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  static constexpr auto kValues = base64_values();
  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    unsigned group = 0;
    for (size_t k = 0; k < 4; ++k) {
      const bool padded = i + k >= text.size() - padding;
      const int value = padded ? 0 : kValues[static_cast<unsigned char>(text[i + k])];
      if (value < 0) return std::nullopt;
      group = group << 6 | static_cast<unsigned>(value);
    }
    out += static_cast<char>(group >> 16 & 0xff);
    out += static_cast<char>(group >> 8 & 0xff);
    out += static_cast<char>(group & 0xff);
  }
  out.resize(out.size() - padding);
  return out;
}

std::string_view errno_name(int64_t negative_errno) {
  for (const auto& [number, name] : kErrnoNames) {
    if (-number == negative_errno) return name;
  }
  return {};
}

}  // namespace iohops
