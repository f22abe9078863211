// JsonLine: formats fixed members and numbers of a record straight into memory. It knows nothing of
// escaping: what goes through it is literals, numbers and names from our own tables.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "core/model/model.hpp"

namespace iohops {

// A device number in JSON: "254:0"; none (0) is null.
struct DeviceId {
  uint32_t id;
};
// The number of a file; none (0) is null.
struct FileId {
  uint32_t id;
};
// A 64-bit id in JSON, a string since it may be beyond 2^53; none (0) is null.
struct BigId {
  uint64_t id;
};

namespace json_line {

inline constexpr uint32_t kHundredMillion = 100'000'000;
inline constexpr uint64_t kAsciiZeros = 0x3030303030303030;

// Eight decimal digits, the first in the lowest byte, zeros in front: all at once instead of one
// division after the other. Each step splits every number in the word in two by multiplying with a
// reciprocal that is exact in its range.
inline uint64_t eight_digits(uint32_t number) {  // < 100,000,000
  const uint64_t fours = number / 10'000 | uint64_t{number % 10'000} << 32;
  const uint64_t upper = fours * 10'486 >> 20 & 0x7f'0000'007f;  // / 100
  const uint64_t twos = upper | (fours - upper * 100) << 16;
  const uint64_t tens = twos * 103 >> 10 & 0x000f'000f'000f'000f;  // / 10
  return tens | (twos - tens * 10) << 8;
}

// Of those; the last digit is written, whatever it is.
inline int leading_zeros(uint64_t digits) {
  static_assert(std::endian::native == std::endian::little, "the first digit is the lowest byte");
  return std::countr_zero(digits | uint64_t{1} << 56) / 8;
}

}  // namespace json_line

// The caller has made room, for eight bytes more than is written. Literals are copied with their
// size known at compile time: that, and no format string to walk, makes it several times faster
// than a formatting library.
class JsonLine {
 public:
  explicit JsonLine(char* at) : at_(at) {}

  char* end() const { return at_; }

  template <size_t N>
  JsonLine& operator<<(const char (&literal)[N]) {
    std::memcpy(at_, literal, N - 1);
    at_ += N - 1;
    return *this;
  }
  JsonLine& operator<<(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
  }
  template <std::unsigned_integral T>
  JsonLine& operator<<(T number) {
    at_ = put_digits(at_, number);
    return *this;
  }
  template <std::signed_integral T>
  JsonLine& operator<<(T number) {
    const auto bits = static_cast<uint64_t>(static_cast<int64_t>(number));
    if (number >= 0) return *this << bits;
    return *this << "-" << (0 - bits);
  }
  JsonLine& operator<<(bool value) { return value ? *this << "true" : *this << "false"; }
  JsonLine& operator<<(const std::optional<uint64_t>& number) {
    return number ? *this << *number : *this << "null";
  }
  JsonLine& operator<<(RequestId id) { return *this << "\"" << id.pid << "." << id.seq << "\""; }
  JsonLine& operator<<(DeviceId device) {
    if (device.id == 0) return *this << "null";
    return *this << "\"" << (device.id >> 20) << ":" << (device.id & 0xfffffU) << "\"";
  }
  JsonLine& operator<<(FileId file) { return file.id != 0 ? *this << file.id : *this << "null"; }
  JsonLine& operator<<(BigId id) {
    return id.id != 0 ? *this << "\"" << id.id << "\"" : *this << "null";
  }

 private:
  // Bytes beyond the digits are overwritten by what comes next.
  static char* put_digits(char* at, uint64_t number) {
    if (number < 10) {  // most are
      *at = static_cast<char>('0' + number);
      return at + 1;
    }
    using namespace json_line;
    if (number >= kHundredMillion) {
      at = put_digits(at, number / kHundredMillion);
      return put_bytes(at, eight_digits(static_cast<uint32_t>(number % kHundredMillion)), 0);
    }
    const uint64_t digits = eight_digits(static_cast<uint32_t>(number));
    return put_bytes(at, digits, leading_zeros(digits));
  }
  static char* put_bytes(char* at, uint64_t digits, int skipped) {
    const uint64_t text = (digits | json_line::kAsciiZeros) >> (8 * skipped);
    std::memcpy(at, &text, 8);
    return at + 8 - skipped;
  }

  char* at_;
};

}  // namespace iohops
