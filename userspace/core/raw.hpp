// Raw recordings: the wire records of a trace behind a short preamble. Sees bytes, not
// their meaning; the header text is opaque here.
//
//   "IOHOPSRW"  8 bytes
//   version     u32: 4; 1 had no packed records, 2 no short ones of rings, 3 four slots of what was told
//   byte order  u32, 0x01020304 as the tracing machine writes it
//   wire        u32, WIRE_VERSION of the records
//   header      u32, bytes of header text that follow the preamble, then zeros up to 8
//   start_ns    u64, CLOCK_MONOTONIC at the start of the trace
//   records     up to the end of the file; the last one may be cut short. Runs of short requests are packed
//               (core/pack), all others stand as the kernel wrote them
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/decode.hpp"
#include "core/pack.hpp"

namespace iohops {

inline constexpr std::string_view kRawMagic = "IOHOPSRW";
inline constexpr uint32_t kRawVersion = 4;

class RawWriter {
 public:
  explicit RawWriter(ByteWriter& out);

  // Once, before the first record. `header_json` is stored as it is.
  Status begin(std::string_view header_json, uint64_t start_ns);
  // One that check_record() would take.
  Status record(Record record);
  // Hands everything so far to the ByteWriter, and flushes that.
  Status flush();

  uint64_t records() const { return records_; }
  uint64_t bytes() const { return bytes_; }

 private:
  Status append(Record record);
  Status end_run();
  Status spill();

  ByteWriter& out_;
  Packer packer_;
  std::string buffer_;
  uint64_t records_ = 0;
  uint64_t bytes_ = 0;
};

class RawReader {
 public:
  explicit RawReader(ByteReader& in);

  // Reads the preamble. kDamaged: not a raw recording, or one that this version cannot read.
  Status open();
  const std::string& header_json() const { return header_json_; }
  uint64_t start_ns() const { return start_ns_; }

  // The next record, valid until the next call; empty at the end. kDamaged names offset and reason.
  Result<Record> next();
  // The input ended inside a record: what came before it is whole.
  bool truncated() const { return truncated_; }
  uint64_t offset() const { return consumed_; }  // bytes read so far, whole records only

 private:
  Status fill(size_t wanted);
  Result<Record> stored();
  size_t available() const { return end_ - begin_; }
  Error damaged(std::string reason) const;

  ByteReader& in_;
  Unpacker run_;
  std::vector<uint64_t> words_;  // the buffer; words, so that records in it are aligned
  size_t begin_ = 0;
  size_t end_ = 0;
  bool eof_ = false;
  bool truncated_ = false;
  uint64_t consumed_ = 0;
  uint64_t start_ns_ = 0;
  std::string header_json_;
};

}  // namespace iohops
