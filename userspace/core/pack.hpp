// Packing of short request records (bpf/wire.h: wire_same) in raw recordings: 6 to 12 bytes instead of 24
// to 56. Sees records in time order; gives back the same bytes.
//
// A run of them is one record of kind WIRE_PACKED: header.time_ns is where time begins, header.cpu says how
// many they are, and each is
//   1 byte    the low byte of its kind; the highest bit: of another context than the one before
//   1 byte    only then: the cell that its context has, of 64; the highest bit: it gets it now,
//   4 bytes     and only then: the context
//   varints   time since the one before, duration, place less the one that is predicted, words less the last
// A varint has 7 bits a byte, the lowest first. Differences that can be negative are zigzag. The place that is
// predicted is the last of the context, and as far again as that was from the one before.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bpf/wire.h"
#include "core/decode.hpp"

namespace iohops {

// What both sides remember of a context.
struct PackCell {
  uint32_t context = 0;
  uint32_t slot = 0;
  uint32_t place = 0;
  uint32_t step = 0;
  uint64_t words[4] = {};
};

class Packer {
 public:
  Packer();
  // False: it does not fit any more (room, or it is older than the one before): take() first.
  bool add(Record same);
  bool empty() const { return count_ == 0; }
  // The run as one record, valid until the next add(); a single record comes back as it was.
  Record take();

 private:
  void name_context(const wire_same& same);
  void put(uint8_t byte) { *end_++ = byte; }
  void put_varint(uint64_t value);

  std::vector<uint64_t> buffer_;
  uint8_t* end_ = nullptr;
  std::array<PackCell, 64> cells_{};
  uint32_t current_ = 0;
  uint32_t count_ = 0;
  uint64_t begin_ns_ = 0;
  uint64_t time_ns_ = 0;
  std::array<uint64_t, 7> first_{};
};

class Unpacker {
 public:
  // A record of kind WIRE_PACKED, or its beginning, which must stay valid until the last next().
  void begin(Record packed);
  void give_up() { left_ = 0; }
  bool done() const { return left_ == 0; }
  // The next record, valid until the next call; kDamaged.
  Result<Record> next();

 private:
  bool read_context(uint8_t kind);
  bool get(uint8_t& byte);
  bool get_varint(uint64_t& value);

  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
  uint32_t left_ = 0;
  uint32_t current_ = 0;
  uint64_t time_ns_ = 0;
  std::array<PackCell, 64> cells_{};
  std::array<uint64_t, 7> record_{};
};

}  // namespace iohops
