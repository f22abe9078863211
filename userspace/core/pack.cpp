#include "core/pack.hpp"

#include <cstring>

namespace iohops {
namespace {

constexpr uint8_t kOther = 0x80;  // of the kind's byte: another context; of the cell's: a new one
constexpr uint8_t kSlot = 0x40;   // of the cell's: of a new one, the slot's highest bit, for which the kind has no room
constexpr unsigned kHighSlot = WIRE_SAME_OF_SLOT(4);
constexpr size_t kRoom = 65528;   // the largest multiple of 8 that a record's size can say
constexpr int kWords = 4;
// The longest: kind, cell, context, varints of time and duration and place and the words.
constexpr size_t kLongest = 1 + 1 + 4 + 10 + 5 + 5 + kWords * 10;

uint64_t zigzag(int64_t value) {
  return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
}
int64_t unzigzag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

uint32_t cell_of(uint32_t context, uint32_t slot) {
  return (context ^ context >> 6 ^ context >> 22 ^ slot << 3) % 64;
}

// Moves the cell on to the place of its next record.
void move_to(PackCell& cell, uint32_t place) {
  cell.step = place - cell.place;
  cell.place = place;
}

// Whether a record of this kind has that word: buffer, requested, result, batch.
bool has_word(unsigned kind, int word) {
  return word < 3 ? (kind & WIRE_SAME_BUFFER << word) != 0 : WIRE_SAME_OF_BATCH(kind);
}

}  // namespace

Packer::Packer() : buffer_(kRoom / sizeof(uint64_t)) {}

void Packer::put_varint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) put(static_cast<uint8_t>(value | 0x80));
  put(static_cast<uint8_t>(value));
}

// Kind, and the context if it is another one.
void Packer::name_context(const wire_same& same) {
  const auto kind = static_cast<uint8_t>(same.kind & ~kHighSlot);
  const uint32_t slot = same.kind & WIRE_SAME_SLOT;
  const PackCell& now = cells_[current_];
  if (now.context == same.context && now.slot == slot) return put(kind);
  put(kind | kOther);
  current_ = cell_of(same.context, slot);
  PackCell& cell = cells_[current_];
  const bool known = cell.context == same.context && cell.slot == slot;
  const unsigned new_cell = kOther | ((slot & kHighSlot) != 0 ? kSlot : 0);
  put(static_cast<uint8_t>(current_ | (known ? 0 : new_cell)));
  if (known) return;
  cell = {.context = same.context, .slot = slot};
  std::memcpy(end_, &same.context, sizeof same.context);
  end_ += sizeof same.context;
}

bool Packer::add(Record record) {
  const auto& same = *view<wire_same>(record);
  auto* const begin = reinterpret_cast<uint8_t*>(buffer_.data());
  if (count_ == 0) {
    end_ = begin + sizeof(wire_header);
    cells_ = {};
    current_ = 0;
    begin_ns_ = time_ns_ = same.time_ns;
    std::memcpy(first_.data(), record.data(), record.size());
  } else if (same.time_ns < time_ns_ || static_cast<size_t>(end_ - begin) + kLongest > kRoom) {
    return false;
  }
  name_context(same);
  PackCell& cell = cells_[current_];
  put_varint(same.time_ns - time_ns_);
  put_varint(same.duration_ns);
  put_varint(zigzag(static_cast<int32_t>(same.place - cell.place - cell.step)));
  move_to(cell, same.place);
  const auto* word = same.words;
  for (int i = 0; i < kWords; i++) {
    if (!has_word(same.kind, i)) continue;
    put_varint(zigzag(static_cast<int64_t>(*word - cell.words[i])));
    cell.words[i] = *word++;
  }
  time_ns_ = same.time_ns;
  count_++;
  return true;
}

Record Packer::take() {
  const bool alone = count_ == 1;
  auto* const begin = reinterpret_cast<uint8_t*>(buffer_.data());
  while ((end_ - begin) % 8 != 0) put(0);
  const wire_header header{.time_ns = begin_ns_,
                           .kind = WIRE_PACKED,
                           .size = static_cast<uint16_t>(end_ - begin),
                           .cpu = count_};
  std::memcpy(begin, &header, sizeof header);
  count_ = 0;
  const Record first = std::as_bytes(std::span(first_));
  return alone ? first.first(claimed_size(first)) : Record(std::as_bytes(std::span(buffer_))).first(header.size);
}

void Unpacker::begin(Record packed) {
  const auto& header = *view<wire_header>(packed);
  at_ = reinterpret_cast<const uint8_t*>(packed.data()) + sizeof header;
  end_ = at_ + packed.size() - sizeof header;
  left_ = header.cpu;
  time_ns_ = header.time_ns;
  current_ = 0;
  cells_ = {};
}

bool Unpacker::get(uint8_t& byte) {
  if (at_ == end_) return false;
  byte = *at_++;
  return true;
}

bool Unpacker::get_varint(uint64_t& value) {
  value = 0;
  uint8_t byte = 0x80;
  for (int shift = 0; (byte & 0x80) != 0; shift += 7) {
    if (shift > 63 || !get(byte)) return false;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
  }
  return true;
}

bool Unpacker::read_context(uint8_t kind) {
  if ((kind & kOther) == 0) return true;
  uint8_t cell = 0;
  if (!get(cell)) return false;
  current_ = cell % 64;
  if ((cell & kOther) == 0) return true;
  uint32_t context = 0;
  if (end_ - at_ < static_cast<ptrdiff_t>(sizeof context)) return false;
  std::memcpy(&context, at_, sizeof context);
  at_ += sizeof context;
  const unsigned low = kind & WIRE_SAME_SLOT & ~kHighSlot;
  cells_[current_] = {.context = context, .slot = low | ((cell & kSlot) != 0 ? kHighSlot : 0)};
  return true;
}

Result<Record> Unpacker::next() {
  const Error damaged{ErrorKind::kDamaged, "a packed run of requests does not hold what it claims"};
  uint8_t kind = 0;
  uint64_t passed = 0, duration = 0, ahead = 0;
  if (!get(kind) || !read_context(kind) || !get_varint(passed) || !get_varint(duration) || !get_varint(ahead))
    return damaged;
  PackCell& cell = cells_[current_];
  move_to(cell, cell.place + cell.step + static_cast<uint32_t>(unzigzag(ahead)));
  time_ns_ += passed;
  wire_same same{};
  same.time_ns = time_ns_;
  same.kind = static_cast<uint16_t>(WIRE_SAME | (kind & ~unsigned{kOther}) | (cell.slot & kHighSlot));
  same.size = static_cast<uint16_t>(same_bytes(same.kind));
  same.context = cell.context;
  same.duration_ns = static_cast<uint32_t>(duration);
  same.place = cell.place;
  std::memcpy(record_.data(), &same, sizeof same);
  size_t words = sizeof same / sizeof(uint64_t);
  for (int i = 0; i < kWords; i++) {
    uint64_t difference = 0;
    if (!has_word(kind, i)) continue;
    if (!get_varint(difference)) return damaged;
    cell.words[i] += static_cast<uint64_t>(unzigzag(difference));
    record_[words++] = cell.words[i];
  }
  left_--;
  return std::as_bytes(std::span(record_)).first(same.size);
}

}  // namespace iohops
