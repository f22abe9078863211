// JsonBuffer: where JsonWriter formats records into.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "sinks/json_line.hpp"

namespace iohops {

// More than the fixed members and numbers of any record or hop take; names come on top.
inline constexpr size_t kRecordRoom = 1024;

// Bytes on their way to the ByteWriter. After an error it swallows everything: the error is told at
// the end of the record, so that the formatting need not look.
class JsonBuffer {
 public:
  explicit JsonBuffer(ByteWriter& out) : out_(out), bytes_(new char[kBytes]), at_(bytes_.get()) {}

  // Room for n bytes (n < kBytes), to be formatted into and handed back with done().
  char* room(size_t n) {
    if (static_cast<size_t>(bytes_.get() + kBytes - at_) < n) drain();
    return at_;
  }
  void done(const JsonLine& formatted) { at_ = formatted.end(); }
  // Everything since `begin`, for which there has been room all the time.
  std::string_view since(const char* begin) const {
    return {begin, static_cast<size_t>(at_ - begin)};
  }

  void put(std::string_view text) {
    if (text.size() > kBytes / 2) {
      drain();
      if (status_) status_ = out_.write(text);
      return;
    }
    done(JsonLine(room(text.size() + 8)) << text);
  }

  void drain() {
    const std::string_view pending(bytes_.get(), static_cast<size_t>(at_ - bytes_.get()));
    if (status_ && !pending.empty()) status_ = out_.write(pending);
    if (status_) requests_written = requests_ended;
    at_ = bytes_.get();
  }

  Status flush() {
    drain();
    if (status_) status_ = out_.flush();
    return status_;
  }

  const Status& status() const { return status_; }

  uint64_t requests_ended = 0;
  uint64_t requests_written = 0;

 private:
  static constexpr size_t kBytes = size_t{256} * 1024;

  ByteWriter& out_;
  std::unique_ptr<char[]> bytes_;
  char* at_;
  Status status_;
};

}  // namespace iohops
