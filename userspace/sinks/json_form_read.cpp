// Lines of a known form, read again.
#include <bit>
#include <cstring>

#include "core/flat_map.hpp"
#include "sinks/json_form.hpp"
#include "sinks/json_text.hpp"

namespace iohops {
namespace {

using namespace json_form;

// Up to eight digits at once; how many there were.
size_t eight_or_less(const char* at, uint64_t& value) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  word ^= 0x3030303030303030;
  // The lowest byte that is above 9 gets its high bit; what a carry does to the bytes behind it is
  // not looked at.
  const uint64_t others = (word | (word + 0x7676767676767676)) & 0x8080808080808080;
  const auto digits = static_cast<size_t>(std::countr_zero(others)) / 8;
  if (digits == 0) return 0;
  word <<= 8 * (8 - digits);  // zeros in front
  word = word * 10 + (word >> 8);
  constexpr uint64_t kPairs = 0x000000ff000000ff;
  value =
      ((word & kPairs) * 0x000f424000000064 + ((word >> 16) & kPairs) * 0x0000271000000001) >> 32;
  return digits;
}

// A number as JSON has it, of at most 16 digits (in nanoseconds: of 115 days); its end, nullptr: it
// is none.
const char* parse(const char* at, uint64_t& number) {
  static_assert(std::endian::native == std::endian::little, "the first digit is the lowest byte");
  const size_t first = eight_or_less(at, number);
  if (first == 0 || (*at == '0' && first > 1)) return nullptr;
  if (first < 8) return at + first;
  static constexpr uint64_t kTens[] = {1,       10,        100,        1'000,      10'000,
                                       100'000, 1'000'000, 10'000'000, 100'000'000};
  uint64_t low = 0;
  const size_t more = eight_or_less(at + 8, low);
  number = number * kTens[more] + low;
  at += 8 + more;
  return *at >= '0' && *at <= '9' ? nullptr : at;
}

const char* skip(const char* at, const char* end, std::string_view text) {
  if (static_cast<size_t>(end - at) < text.size() || std::memcmp(at, text.data(), text.size()) != 0)
    return nullptr;
  return at + text.size();
}

const char* read_who(const char* at, const char* end, Request& request) {
  uint64_t pid = 0, tid = 0;
  at = skip(at, end, kPidKey);
  if (at == nullptr || (at = parse(at, pid)) == nullptr || pid != request.id.pid) return nullptr;
  if ((at = skip(at, end, kTidKey)) == nullptr || (at = parse(at, tid)) == nullptr ||
      tid > UINT32_MAX)
    return nullptr;
  if ((at = skip(at, end, kCommKey)) == nullptr) return nullptr;
  const auto* quote = static_cast<const char*>(std::memchr(at, '"', static_cast<size_t>(end - at)));
  if (quote == nullptr) return nullptr;
  request.tid = static_cast<uint32_t>(tid);
  request.comm = {at, static_cast<size_t>(quote - at)};
  return is_plain(request.comm) ? quote + 1 : nullptr;
}

}  // namespace

bool JsonForm::put_value(Number number, uint64_t value, Request& r) {
  switch (number) {
    case kPid:
      r.id.pid = static_cast<uint32_t>(value);
      return value <= UINT32_MAX;
    case kSeq:
      r.id.seq = value;
      return true;
    case kFd:
      r.fd = static_cast<int32_t>(value);
      return value <= INT32_MAX;
    case kFile:
      r.file = static_cast<uint32_t>(value);
      return value != 0 && value <= UINT32_MAX;
    case kOffset:
      r.offset = value;
      return true;
    case kRequested:
      r.requested = value;
      return true;
    case kResult:
      r.result = static_cast<int64_t>(value);
      return true;
    case kStart:
      r.start_ns = value;
      return true;
    case kDuration:
      r.duration_ns = value;
      return true;
    case kBytes:
      r.hops.front().bytes = value;
      return true;
    case kAt:
      r.hops.front().at_ns = value;
      return true;
    case kEnd:
      r.hops.front().end_ns = value;
      return true;
    case kCopied:
      r.cpu_copy_bytes = value;
      return true;
    case kBatchPid:
      r.ring->batch->pid = static_cast<uint32_t>(value);
      return value == r.id.pid;
    case kBatchSeq:
      r.ring->batch->seq = value;
      return true;
    case kWho:
    case kNumbers:
      break;
  }
  return false;
}

bool JsonForm::read(std::string_view line, Request& request) const {
  const char* at = line.data();
  const char* const end = at + line.size();
  size_t from = 0;
  const std::string_view text = form_.text;
  for (size_t i = 0; i < form_.count; ++i) {
    const Cut& cut = form_.cuts[i];
    at = skip(at, end, text.substr(from, cut.end - from));
    if (at == nullptr) return false;
    from = cut.end;
    if (cut.number == kWho) {
      at = read_who(at, end, request);
    } else {
      uint64_t value = 0;
      at = parse(at, value);
      if (!put_value(cut.number, value, request)) return false;
    }
    if (at == nullptr) return false;
  }
  return skip(at, end, text.substr(from, form_.size - from)) == end;
}

std::optional<uint64_t> JsonForm::mark(std::string_view line) {
  if (!line.starts_with(kBegin)) return std::nullopt;
  const void* found = ::memmem(line.data(), line.size(), kOpKey.data(), kOpKey.size());
  if (found == nullptr) return std::nullopt;
  const auto begin = static_cast<size_t>(static_cast<const char*>(found) - line.data());
  // As far as the first number behind: the operation, and how it was submitted.
  uint64_t mark = 0;
  for (size_t i = begin + kOpKey.size(); i < line.size() && i < begin + 64 && line[i] != ':'; ++i)
    mark = mark * 31 + static_cast<unsigned char>(line[i]);
  return mix(mark);
}

}  // namespace iohops
