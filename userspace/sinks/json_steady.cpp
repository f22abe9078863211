#include "sinks/json_steady.hpp"

#include <algorithm>
#include <cstring>

#include "sinks/json_line.hpp"

namespace iohops {

using json_line::eight_digits;
using json_line::kHundredMillion;

namespace {

// Of 90 to 430 bytes: memcpy has wider stores than this program is compiled with, in steps of 64 bytes they took 4 ns
// a line more.
char* copy(char* at, const char* from, size_t size) {
  std::memcpy(at, from, size);
  return at + size;
}

}  // namespace

inline void JsonSteady::Spot::put(char* piece, uint64_t eight) const {
  const uint64_t bytes = text | ((eight | json_line::kAsciiZeros) & digits);
  std::memcpy(piece + place, &bytes, sizeof bytes);
}

void JsonSteady::add(Spot& spot, uint64_t number) {
  const std::string shown = std::to_string(number);
  text_ += shown;
  const size_t begin = duration_ > 0 ? duration_ : offset_;  // of the piece
  spot.used = true;
  spot.place = static_cast<uint32_t>(text_.size() - begin - sizeof spot.text);
  spot.base = number - number % kHundredMillion;
  spot.first = spot.base;
  spot.count = kHundredMillion;
  const size_t short_by = sizeof spot.text - std::min(shown.size(), sizeof spot.text);
  spot.digits = UINT64_MAX << 8 * short_by;
  std::memcpy(&spot.text, text_.data() + begin + spot.place, sizeof spot.text);
  spot.text &= ~spot.digits;
  if (spot.base > 0) return;
  uint64_t power = 1;
  for (size_t i = 1; i < shown.size(); ++i) power *= 10;
  spot.first = number == 0 ? 0 : power;
  spot.count = number == 0 ? 10 : 9 * power;
}

void JsonSteady::split_offset(bool has) {
  offset_ = text_.size();
  has_offset_ = has;
}

void JsonSteady::split_duration() { duration_ = text_.size(); }


char* JsonSteady::write(const Numbers& n, char* at) const {
  const char* const text = text_.data();
  char* const first = at;
  at = copy(at, text, offset_);
  if (has_offset_) at = (JsonLine(at) << n.offset).end();
  char* const second = at;
  at = (JsonLine(copy(at, text + offset_, duration_ - offset_)) << n.duration_ns).end();
  char* const third = at;
  at = copy(at, text + duration_, text_.size() - duration_);
  const uint64_t start = eight_digits(static_cast<uint32_t>(n.start_ns - start_.base));
  seq_.put(first, eight_digits(static_cast<uint32_t>(n.seq - seq_.base)));
  start_.put(second, start);
  if (at_.used) at_.put(third, start);
  if (end_.used) end_.put(third, eight_digits(static_cast<uint32_t>(n.end_ns() - end_.base)));
  if (batch_seq_.used) batch_seq_.put(third, eight_digits(static_cast<uint32_t>(n.batch_seq - batch_seq_.base)));
  return at;
}

}  // namespace iohops
