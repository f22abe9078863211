// Reading and writing raw recordings; see raw.hpp for the format.
#include "core/raw.hpp"

#include <algorithm>
#include <cstring>

namespace iohops {
namespace {

constexpr uint32_t kByteOrder = 0x01020304;
constexpr size_t kSpillBytes = size_t{256} << 10;
constexpr size_t kReadBytes = size_t{1} << 20;
constexpr uint32_t kMaxHeaderBytes = 64u << 20;

struct Preamble {
  char magic[8];
  uint32_t version;
  uint32_t byte_order;
  uint32_t wire_version;
  uint32_t header_bytes;
  uint64_t start_ns;
};
static_assert(sizeof(Preamble) == 32);

constexpr size_t padded(size_t bytes) { return (bytes + 7) & ~size_t{7}; }

}  // namespace

RawWriter::RawWriter(ByteWriter& out) : out_(out) { buffer_.reserve(kSpillBytes + UINT16_MAX); }

Status RawWriter::begin(std::string_view header_json, uint64_t start_ns) {
  Preamble preamble{};
  std::memcpy(preamble.magic, kRawMagic.data(), sizeof preamble.magic);
  preamble.version = kRawVersion;
  preamble.byte_order = kByteOrder;
  preamble.wire_version = WIRE_VERSION;
  preamble.header_bytes = static_cast<uint32_t>(header_json.size());
  preamble.start_ns = start_ns;
  buffer_.append(reinterpret_cast<const char*>(&preamble), sizeof preamble);
  buffer_.append(header_json);
  buffer_.append(padded(header_json.size()) - header_json.size(), '\0');
  return spill();
}

Status RawWriter::record(Record record) {
  records_++;
  const uint16_t kind = view<wire_header>(record)->kind;
  if (WIRE_IS_SAME(kind) && record.size() == same_bytes(kind)) {
    if (packer_.add(record)) return {};
    if (Status status = end_run(); !status) return status;
    packer_.add(record);
    return {};
  }
  if (Status status = end_run(); !status) return status;
  return append(record);
}

Status RawWriter::end_run() { return packer_.empty() ? Status{} : append(packer_.take()); }

Status RawWriter::append(Record record) {
  buffer_.append(reinterpret_cast<const char*>(record.data()), record.size());
  return buffer_.size() < kSpillBytes ? Status{} : spill();
}

Status RawWriter::flush() {
  if (Status status = end_run(); !status) return status;
  if (Status status = spill(); !status) return status;
  return out_.flush();
}

Status RawWriter::spill() {
  Status status = out_.write(buffer_);
  if (status) bytes_ += buffer_.size();
  buffer_.clear();
  return status;
}

RawReader::RawReader(ByteReader& in) : in_(in), words_(kReadBytes / sizeof(uint64_t)) {}

Error RawReader::damaged(std::string reason) const {
  return {ErrorKind::kDamaged, "the raw recording is damaged at byte " + std::to_string(consumed_) +
                                   ": " + std::move(reason)};
}

// Makes at least `wanted` bytes available, or as many as the input has left.
Status RawReader::fill(size_t wanted) {
  if (available() >= wanted || eof_) return {};
  auto* bytes = reinterpret_cast<char*>(words_.data());
  std::memmove(bytes, bytes + begin_, available());
  end_ -= begin_;
  begin_ = 0;
  while (end_ < wanted && !eof_) {
    auto got = in_.read({bytes + end_, words_.size() * sizeof(uint64_t) - end_});
    if (!got) return got.error();
    eof_ = *got == 0;
    end_ += *got;
  }
  return {};
}

Status RawReader::open() {
  if (Status status = fill(sizeof(Preamble)); !status) return status;
  Preamble preamble{};
  if (available() < sizeof preamble) return damaged("it is too short to be one");
  std::memcpy(&preamble, words_.data(), sizeof preamble);
  if (std::string_view(preamble.magic, sizeof preamble.magic) != kRawMagic) {
    return damaged("it does not start with " + std::string(kRawMagic));
  }
  if (preamble.byte_order != kByteOrder) {
    return damaged("it was made on a machine of the other byte order; replay it there");
  }
  const bool known = preamble.version >= 1 && preamble.version <= kRawVersion;
  if (!known || preamble.wire_version != WIRE_VERSION) {
    return damaged("it has format " + std::to_string(preamble.version) + "." +
                   std::to_string(preamble.wire_version) + ", this program reads " +
                   std::to_string(kRawVersion) + "." + std::to_string(WIRE_VERSION));
  }
  if (preamble.header_bytes > kMaxHeaderBytes) return damaged("its header text is too long");
  begin_ += sizeof preamble;
  start_ns_ = preamble.start_ns;

  size_t missing = padded(preamble.header_bytes);
  while (missing > 0) {
    if (Status status = fill(1); !status) return status;
    const size_t take = std::min(missing, available());
    if (take == 0) return damaged("it ends inside its header text");
    header_json_.append(reinterpret_cast<const char*>(words_.data()) + begin_, take);
    begin_ += take;
    missing -= take;
  }
  header_json_.resize(preamble.header_bytes);
  consumed_ = sizeof preamble + padded(preamble.header_bytes);
  return {};
}

Result<Record> RawReader::next() {
  if (run_.done()) {
    auto record = stored();
    if (!record || record->empty() || view<wire_header>(*record)->kind != WIRE_PACKED) return record;
    run_.begin(*record);
    if (run_.done()) return damaged("a packed run of requests is empty");
  }
  auto record = run_.next();
  if (record) return record;
  if (!truncated_) return damaged(record.error().message);
  run_.give_up();
  return Record{};
}

// The next record as it stands in the file; of a run that was cut, what is there.
Result<Record> RawReader::stored() {
  if (Status status = fill(sizeof(wire_header)); !status) return status.error();
  const auto* bytes = reinterpret_cast<const std::byte*>(words_.data());
  size_t size = claimed_size({bytes + begin_, available()});
  if (size > available()) {
    if (Status status = fill(size); !status) return status.error();
  }
  if (available() < sizeof(wire_header) || available() < size) {
    truncated_ = truncated_ || available() > 0;
    const Record part{bytes + begin_, available()};
    if (part.size() <= sizeof(wire_header) || view<wire_header>(part)->kind != WIRE_PACKED) return Record{};
    begin_ = end_;
    return part;
  }
  Record rest{bytes + begin_, available()};
  auto record = next_record(rest);
  if (!record) return damaged(record.error().message);
  begin_ += record->size();
  consumed_ += record->size();
  return record;
}

}  // namespace iohops
