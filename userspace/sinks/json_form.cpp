#include "sinks/json_form.hpp"

#include <cstring>
#include <string>

#include "sinks/json_line.hpp"
#include "sinks/json_text.hpp"

namespace iohops {
namespace {

using namespace json_form;
using json_line::kHundredMillion;
constexpr size_t kStep = 64;  // pieces are copied in steps of as many bytes, beyond their end
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

char* copy(char* at, const char* from, size_t size) {
  if (size <= kStep)
    std::memcpy(at, from, kStep);
  else
    std::memcpy(at, from, size);
  return at + size;
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

bool JsonForm::cut(std::string_view line, const Request& request) {
  if (line.size() > kLongest || request.result < 0 || request.fd < 0 || !line.starts_with(kBegin))
    return false;
  if (request.ring && request.ring->batch && request.ring->batch->pid != request.id.pid) return false;
  if (request.hops.size() > 1 ||
      (!request.hops.empty() && request.hops.front().kind == HopKind::kWait))
    return false;
  form_ = {};
  known_ = {};
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

char* JsonForm::put(const Request& request, const JsonWho& who, char* at) const {
  const char* const text = form_.text.data();
  size_t from = 0;
  for (size_t i = 0; i < form_.count; ++i) {
    const Cut& cut = form_.cuts[i];
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
  return copy(at, text + from, form_.size - from);
}

char* JsonForm::write(const Request& request, const JsonWho& who, char* at) {
  const Steady steady{who.serial(), request.requested.value_or(0), static_cast<uint64_t>(request.result), request.file,
                      static_cast<uint32_t>(request.fd)};
  const bool has_batch = request.ring && request.ring->batch;
  const JsonSteady::Numbers numbers{request.id.seq, has_batch ? request.ring->batch->seq : 0,
                                    request.offset.value_or(0), request.start_ns, request.duration_ns};
  Known& known = known_[steady.place()];
  const bool same = known.steady == steady;
  if (same && known.line.made() && known.line.fits(numbers)) return known.line.write(numbers, at);
  if (!same || known.line.made()) {
    known.steady = steady;
    known.times = 0;
    known.line.clear();
  }
  for (const Number number : {kPid, kFd, kFile, kRequested, kResult})
    kept_[number].set(value_of(number, request).value_or(0));
  if (++known.times > kFewTimes) {
    fill(known.line, request, who);
    return known.line.write(numbers, at);
  }
  start_.set(request.start_ns);
  end_.set(request.start_ns + request.duration_ns);
  return put(request, who, at);
}

void JsonForm::fill(JsonSteady& line, const Request& request, const JsonWho& who) const {
  size_t from = 0;
  bool split = false;
  for (size_t i = 0; i < form_.count; ++i) {
    const auto [number, end] = form_.cuts[i];
    line.add(std::string_view(form_.text).substr(from, end - from));
    from = end;
    if (number >= kOffset && !split) {
      split = true;
      line.split_offset(number == kOffset);
    }
    switch (number) {
      case kSeq:
        line.add_seq(request.id.seq);
        break;
      case kBatchSeq:
        line.add_batch_seq(request.ring->batch->seq);
        break;
      case kOffset:
        break;
      case kDuration:
        line.split_duration();
        break;
      case kStart:
        line.add_start(request.start_ns);
        break;
      case kAt:
        line.add_at(request.start_ns);
        break;
      case kEnd:
        line.add_end(request.start_ns + request.duration_ns);
        break;
      case kWho:
        line.add(who.text());
        break;
      default:
        line.add({kept_[source(number)].text, kept_[source(number)].size});
    }
  }
  line.add(std::string_view(form_.text).substr(from, form_.size - from));
}

}  // namespace iohops
