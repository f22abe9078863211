#include "sinks/json_form.hpp"

#include <bit>
#include <cstring>
#include <string>

#include "core/flat_map.hpp"
#include "sinks/json_line.hpp"
#include "sinks/json_text.hpp"

namespace iohops {
namespace {

constexpr size_t kStep = 64;  // pieces are copied in steps of as many bytes, beyond their end
constexpr uint64_t kHundredMillion = json_line::kHundredMillion;
constexpr std::string_view kBegin = R"({"type":"request","id":")";
// What stands before each number. Inside a name the quotes would be escaped.
constexpr std::string_view kKeys[] = {R"("id":")",
                                      ".",
                                      R"(",)",
                                      R"(,"fd":)",
                                      R"(,"file":)",
                                      R"(,"offset":)",
                                      R"(,"requested":)",
                                      R"(,"result":)",
                                      R"(,"start_ns":)",
                                      R"(,"duration_ns":)",
                                      R"(,"bytes":)",
                                      R"(,"at_ns":)",
                                      R"(,"end_ns":)",
                                      R"(,"cpu_copy_bytes":)",
                                      R"(,"ring":{"batch":")",
                                      "."};
constexpr std::string_view kPidKey = R"("pid":)", kTidKey = R"(,"tid":)", kCommKey = R"(,"comm":")",
                           kOpKey = R"(,"op":)";

char* copy(char* at, const char* from, size_t size) {
  if (size <= kStep)
    std::memcpy(at, from, kStep);
  else
    std::memcpy(at, from, size);
  return at + size;
}

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

void JsonForm::Kept::set(uint64_t now) {
  if (now == number && size > 0) return;
  number = now;
  size = static_cast<uint32_t>((JsonLine(text) << now).end() - text);
}

inline char* JsonForm::Kept::put(char* at) const {
  std::memcpy(at, text, sizeof text);
  return at + size;
}

void JsonForm::Clock::turn(uint64_t ns) {
  begin_ = ns - ns % kHundredMillion;
  head_size_ = 0;
  if (begin_ > 0)
    head_size_ = static_cast<uint32_t>((JsonLine(head_) << ns / kHundredMillion).end() - head_);
}

inline void JsonForm::Clock::set(uint64_t ns) {
  if (ns - begin_ >= kHundredMillion) turn(ns);
  const uint64_t digits = json_line::eight_digits(static_cast<uint32_t>(ns - begin_));
  const int zeros = begin_ > 0 ? 0 : json_line::leading_zeros(digits);
  low_ = (digits | json_line::kAsciiZeros) >> (8 * zeros);
  size_ = head_size_ + 8 - static_cast<uint32_t>(zeros);
}

inline char* JsonForm::Clock::put(char* at) const {
  std::memcpy(at, head_, sizeof head_);
  std::memcpy(at + head_size_, &low_, sizeof low_);
  return at + size_;
}

bool JsonWho::set(const Request& request, uint64_t serial) {
  if (request.comm.size() > sizeof comm_ || !is_plain(request.comm)) return false;
  serial_ = serial;
  pid_ = request.id.pid;
  tid_ = request.tid;
  comm_size_ = static_cast<uint32_t>(request.comm.copy(comm_, sizeof comm_));
  JsonLine line(text_);
  line << kPidKey << pid_ << kTidKey << tid_ << kCommKey << request.comm << "\"";
  size_ = static_cast<uint32_t>(line.end() - text_);
  return true;
}

// What the form leaves open of the request; nullopt: nothing, it is part of the form.
std::optional<uint64_t> JsonForm::value_of(Number number, const Request& r) {
  const bool moves = !r.hops.empty();
  switch (number) {
    case kPid:
      return r.id.pid;
    case kSeq:
      return r.id.seq;
    case kFd:
      return static_cast<uint64_t>(r.fd);
    case kFile:
      return r.file != 0 ? std::optional<uint64_t>(r.file) : std::nullopt;
    case kOffset:
      return r.offset;
    case kRequested:
      return r.requested;
    case kResult:
      return static_cast<uint64_t>(r.result);
    case kStart:
      return r.start_ns;
    case kDuration:
      return r.duration_ns;
    case kBytes:
      return moves ? std::optional(r.hops.front().bytes) : std::nullopt;
    case kAt:
      return moves ? std::optional(r.hops.front().at_ns) : std::nullopt;
    case kEnd:
      return moves ? std::optional(r.hops.front().end_ns) : std::nullopt;
    case kCopied:
      return moves ? std::optional(r.cpu_copy_bytes) : std::nullopt;
    case kBatchPid:
      return r.ring && r.ring->batch ? std::optional<uint64_t>(r.ring->batch->pid) : std::nullopt;
    case kBatchSeq:
      return r.ring && r.ring->batch ? std::optional(r.ring->batch->seq) : std::nullopt;
    case kWho:
    case kNumbers:
      break;
  }
  return std::nullopt;
}

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

bool JsonForm::cut(std::string_view line, const Request& request) {
  if (line.size() > kLongest || request.result < 0 || request.fd < 0 || !line.starts_with(kBegin))
    return false;
  if (request.ring && request.ring->batch && request.ring->batch->pid != request.id.pid) return false;
  if (request.hops.size() > 1 ||
      (!request.hops.empty() && request.hops.front().kind == HopKind::kWait))
    return false;
  form_ = filled_ = {};
  size_t from = 0;
  for (uint8_t i = 0; i < kNumbers; ++i) {
    const auto number = static_cast<Number>(i);
    const std::optional<uint64_t> value = value_of(number, request);
    if (!value && number != kWho) continue;
    const size_t key = line.find(kKeys[i], from);
    if (key == std::string_view::npos) return false;
    const size_t begin = key + kKeys[i].size();
    size_t end = line.find(kOpKey, begin);
    if (number != kWho) {
      const std::string digits = std::to_string(*value);
      if (line.substr(begin, digits.size()) != digits) return false;
      end = begin + digits.size();
    }
    if (end == std::string_view::npos) return false;
    form_.text += line.substr(from, begin - from);
    form_.cut(number);
    from = end;
  }
  form_.text += line.substr(from);
  form_.end();
  return true;
}

void JsonForm::Pieces::cut(Number number) {
  cuts[count++] = {number, static_cast<uint16_t>(text.size())};
}

void JsonForm::Pieces::end() {
  size = text.size();
  text.append(kStep, '\0');
}

char* JsonForm::put(const Pieces& pieces, const Request& request, const JsonWho& who,
                    char* at) const {
  const char* const text = pieces.text.data();
  size_t from = 0;
  for (size_t i = 0; i < pieces.count; ++i) {
    const Cut& cut = pieces.cuts[i];
    at = copy(at, text + from, cut.end - from);
    from = cut.end;
    switch (cut.number) {
      case kSeq:
        at = (JsonLine(at) << request.id.seq).end();
        break;
      case kBatchSeq:
        at = (JsonLine(at) << request.ring->batch->seq).end();
        break;
      case kOffset:
        at = (JsonLine(at) << *request.offset).end();
        break;
      case kDuration:
        at = (JsonLine(at) << request.duration_ns).end();
        break;
      case kStart:
      case kAt:
        at = start_.put(at);
        break;
      case kEnd:
        at = end_.put(at);
        break;
      case kWho:
        at = copy(at, who.text().data(), who.text().size());
        break;
      default:
        at = kept_[source(cut.number)].put(at);
    }
  }
  return copy(at, text + from, pieces.size - from);
}

char* JsonForm::write(const Request& request, const JsonWho& who, char* at) {
  start_.set(request.start_ns);
  end_.set(request.start_ns + request.duration_ns);
  const Steady steady{who.serial(), request.requested.value_or(0),
                      static_cast<uint64_t>(request.result), request.file,
                      static_cast<uint32_t>(request.fd)};
  if (steady == steady_) {
    if (filled_.count == 0) fill(who);
    return put(filled_, request, who, at);
  }
  steady_ = steady;
  filled_.count = 0;
  for (const Number number : {kPid, kFd, kFile, kRequested, kResult})
    kept_[number].set(value_of(number, request).value_or(0));
  return put(form_, request, who, at);
}

void JsonForm::fill(const JsonWho& who) {
  filled_.text.clear();
  size_t from = 0;
  for (size_t i = 0; i < form_.count; ++i) {
    const Cut& cut = form_.cuts[i];
    filled_.text.append(form_.text, from, cut.end - from);
    from = cut.end;
    if (moves(cut.number))
      filled_.cut(cut.number);
    else if (cut.number == kWho)
      filled_.text += who.text();
    else
      filled_.text.append(kept_[source(cut.number)].text, kept_[source(cut.number)].size);
  }
  filled_.text.append(form_.text, from, form_.size - from);
  filled_.end();
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
