// Bytes in memory for the JSON tests, and a trace with one of everything in it.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/bytes.hpp"
#include "core/sink.hpp"

namespace iohops::test {

class MemoryWriter : public ByteWriter {
 public:
  Status write(std::string_view bytes) override {
    if (text.size() + bytes.size() > limit) {
      return Error{ErrorKind::kOutput, "the test's disk is full"};
    }
    text += bytes;
    return {};
  }
  Status flush() override {
    ++flushes;
    return {};
  }
  Status close() override { return {}; }

  std::string text;
  size_t limit = SIZE_MAX;
  int flushes = 0;
};

// Hands out `step` bytes at a time, so that records straddle reads.
class MemoryReader : public ByteReader {
 public:
  explicit MemoryReader(std::string text, size_t step = SIZE_MAX)
      : text_(std::move(text)), step_(step) {}
  Result<size_t> read(std::span<char> into) override {
    const size_t size = std::min({into.size(), step_, text_.size() - at_});
    std::memcpy(into.data(), text_.data() + at_, size);
    at_ += size;
    return size;
  }

 private:
  std::string text_;
  size_t step_;
  size_t at_ = 0;
};

inline constexpr uint32_t kVda = 254U << 20;

// A hit: pread64 of 4 KiB out of the page cache.
Request cached_read();
// A miss: it waited for a transfer that also read ahead.
Request missed_read();
Transfer missed_read_transfer();

Header sample_header();
Summary sample_summary();

// One record of each type, with names that are not UTF-8 and numbers beyond 2^53 among them. No
// summary and no finish.
void drive_sample(Sink& sink);

}  // namespace iohops::test
