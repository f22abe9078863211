// JsonForm: the line of a request, cut at the numbers in which it differs from those of requests
// like it. Written and read so, a line is copied or compared in a few pieces: no member is looked
// for and no name is escaped twice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/model/model.hpp"

namespace iohops {

// Whose a request is, as its line tells it: "pid":4242,"tid":4243,"comm":"postgres".
class JsonWho {
 public:
  // False: the name must be escaped, or is none of a thread.
  bool set(const Request& request);
  bool is(const Request& request) const {
    return request.tid == tid_ && request.id.pid == pid_ &&
           request.comm == std::string_view(comm_, comm_size_);
  }
  std::string_view text() const { return {text_, size_}; }

 private:
  uint32_t pid_ = 0, tid_ = 0;
  uint32_t comm_size_ = 0, size_ = 0;
  char comm_[16] = {};
  char text_[96] = {};  // read in whole steps
};

class JsonForm {
 public:
  static constexpr size_t kLongest = 1500;         // bytes of a line that is cut
  static constexpr size_t kRoom = kLongest + 300;  // that write() needs, numbers at their longest

  // Cuts the line that JsonWriter made of `request` (or another program, in the same layout).
  // False: it cannot be cut.
  bool cut(std::string_view line, const Request& request);
  // The line of a request that is alike (Request::alike) to the one that was cut; its end.
  char* write(const Request& request, const JsonWho& who, char* at);
  // Puts the numbers and names of a line of this form into `request`, which has one hop if the one
  // that was cut had; its comm is a part of the line. False: the line has another form. Eight bytes
  // behind the line must be readable.
  bool read(std::string_view line, Request& request) const;

  // A number that lines of one form share, and few others; nullopt: it is no line of a request.
  static std::optional<uint64_t> mark(std::string_view line);

 private:
  // In the order in which they stand in a line.
  enum Number : uint8_t {
    kPid,
    kSeq,
    kWho,
    kFd,
    kFile,
    kOffset,
    kRequested,
    kResult,
    kStart,
    kDuration,
    kBytes,
    kAt,
    kEnd,
    kCopied,
    kNumbers
  };
  struct Cut {
    Number number;
    uint16_t end;  // of the piece before it, in text_
  };

  static std::optional<uint64_t> value_of(Number number, const Request& request);
  static bool put_value(Number number, uint64_t value, Request& request);

  // The decimal digits of a number, to be put down by stores of the size by which they were made:
  // wider loads would have to wait until these are in the cache.
  struct Digits {
    Digits() : Digits(0) {}
    explicit Digits(uint64_t number);
    char* put(char* at) const;
    uint64_t first = 0, second = 0, third = 0;
    uint32_t in_first = 0, size = 0;
  };
  // Those of numbers that hardly change from one line to the next.
  struct Kept {
    uint64_t number = 0;
    Digits digits;
    const Digits& of(uint64_t now) {
      if (now != number) *this = {now, Digits(now)};
      return digits;
    }
  };

  std::string text_;  // the pieces, one after the other, and some zeros
  size_t size_ = 0;   // without the zeros
  std::array<Cut, kNumbers> cuts_{};
  size_t count_ = 0;
  Kept pid_, fd_, file_, requested_, result_;
};

}  // namespace iohops
