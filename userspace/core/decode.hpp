// Bounded, typed views of wire records in a buffer. Sees bytes only; never trusts a length in them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "bpf/wire.h"
#include "core/result.hpp"

namespace iohops {

// One record with its header, 8-byte aligned, as it came from a ring or a raw recording.
using Record = std::span<const std::byte>;

// The bytes that a record claims to have, 0 if `bytes` is too short to hold a header.
inline size_t claimed_size(Record bytes) {
  if (bytes.size() < sizeof(wire_header)) return 0;
  wire_header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header.size;
}

// Whether `rest` begins with a whole record, by its size.
inline bool begins_with_record(Record rest) {
  const size_t size = claimed_size(rest);
  return size >= sizeof(wire_header) && size % 8 == 0 && size <= rest.size();
}
Error no_record(Record rest);  // why not

// Takes the first record off `rest` after checking its size field against what is there. Errors are
// kDamaged. Its contents are not checked yet: check_record() does that.
inline Result<Record> next_record(Record& rest) {
  if (!begins_with_record(rest)) return no_record(rest);
  const Record record = rest.first(claimed_size(rest));
  rest = rest.subspan(record.size());
  return record;
}

// The bytes of a struct wire_same of this kind, with its words.
inline size_t same_bytes(uint16_t kind) {
  const unsigned words = ((kind & WIRE_SAME_BUFFER) != 0) + ((kind & WIRE_SAME_REQUESTED) != 0) +
                         ((kind & WIRE_SAME_RESULT) != 0) + WIRE_SAME_OF_BATCH(kind);
  return sizeof(wire_same) + sizeof(uint64_t) * words;
}

// Whether the contents of a record of a known kind can be read: its fixed part is there, and what
// it says about its own length and strings holds. A record of an unknown kind is fine: it is
// skipped.
Status check_record(Record record);

// A record, or its known prefix, as T; nullptr if it is shorter than T or badly aligned.
template <typename T>
const T* view(Record record) {
  static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 8);
  if (record.size() < sizeof(T)) return nullptr;
  if (reinterpret_cast<uintptr_t>(record.data()) % alignof(T) != 0) return nullptr;
  return reinterpret_cast<const T*>(record.data());
}

// A request that says "the same as before", as most records are, and that check_record() would take: to ask here
// takes no call and no Status.
inline bool is_sound_same(Record record) {
  const auto* header = view<wire_header>(record);
  return header != nullptr && WIRE_IS_SAME(header->kind) && header->size == record.size() &&
         record.size() >= same_bytes(header->kind);
}

// A record that may end before T does: what it lacks is zero.
template <typename T>
T prefix(Record record) {
  T whole{};
  std::memcpy(&whole, record.data(), std::min(record.size(), sizeof whole));
  return whole;
}

// A record type in memory as bytes, for writers and tests.
template <typename T>
Record bytes_of(const T& record) {
  return std::as_bytes(std::span<const T, 1>(&record, 1));
}

}  // namespace iohops
