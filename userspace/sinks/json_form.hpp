// JsonForm: the line of a request, cut at the numbers in which it differs from those of requests
// like it. Written and read so, a line is copied or compared in a few pieces: no member is looked
// for and no name is escaped twice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "core/model/model.hpp"
#include "sinks/json_steady.hpp"

namespace iohops {

namespace json_form {

inline constexpr std::string_view kBegin = R"({"type":"request","id":")";
inline constexpr std::string_view kPidKey = R"("pid":)", kTidKey = R"(,"tid":)", kCommKey = R"(,"comm":")",
                                  kOpKey = R"(,"op":)";

}  // namespace json_form

// Whose a request is, as its line tells it: "pid":4242,"tid":4243,"comm":"postgres".
class JsonWho {
 public:
  // False: the name must be escaped, or is none of a thread. `serial` is another one each time.
  bool set(const Request& request, uint64_t serial);
  bool is(const Request& request) const {
    return request.tid == tid_ && request.id.pid == pid_ && has_comm(request.comm);
  }
  std::string_view text() const { return {text_, size_}; }
  uint64_t serial() const { return serial_; }

 private:
  // Asked for each request: two loads of eight bytes, which may overlap, instead of a call.
  bool has_comm(std::string_view comm) const {
    if (comm.size() != comm_size_) return false;
    if (comm_size_ < sizeof(uint64_t)) return comm == std::string_view(comm_, comm_size_);
    const size_t last = comm_size_ - sizeof(uint64_t);
    return word(comm.data()) == word(comm_) && word(comm.data() + last) == word(comm_ + last);
  }
  static uint64_t word(const char* at) {
    uint64_t bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    return bytes;
  }

  uint64_t serial_ = 0;
  uint32_t pid_ = 0, tid_ = 0;
  uint32_t comm_size_ = 0, size_ = 0;
  char comm_[16] = {};
  char text_[96] = {};  // read in whole steps
};

class JsonForm {
 public:
  static constexpr size_t kLongest = 1500;         // bytes of a line that is cut
  static constexpr size_t kRoom = kLongest + 512;  // that write() needs, numbers at their longest

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
    kBatchPid,
    kBatchSeq,
    kNumbers
  };
  struct Cut {
    Number number;
    uint16_t end;  // of the piece before it, in the text
  };

  // Text, with a number or a name behind each of its pieces but the last.
  struct Pieces {
    std::string text;  // one after the other, and some zeros
    size_t size = 0;   // without the zeros
    std::array<Cut, kNumbers> cuts{};
    size_t count = 0;
    void cut(Number number);
    void end();
  };
  // What is mostly that of the last line of the thread: a program goes on with what it does.
  struct Steady {
    uint64_t who = 0;  // JsonWho::serial
    uint64_t requested = 0, result = 0;
    uint32_t file = 0, fd = 0;
    bool operator==(const Steady&) const = default;
    size_t place() const { return (who + file + requested / 512) % kPlaces; }
  };
  // The line of one of these. To make it costs as much as some lines do: it is made of what has come a few times.
  struct Known {
    Steady steady;
    uint32_t times = 0;
    JsonSteady line;
  };
  static constexpr size_t kPlaces = 8;
  static constexpr uint32_t kFewTimes = 4;
  // The digits of a number that hardly changes from one line to the next.
  struct Kept {
    uint64_t number = 0;
    uint32_t size = 0;
    char text[32] = {};
    void set(uint64_t now);
    char* put(char* at) const;
  };
  // The digits of times, which have all but the last eight in common with the one before, mostly.
  // They are put down by stores of the size by which they were made: wider loads would have to wait
  // for the cache.
  class Clock {
   public:
    void set(uint64_t ns);
    char* put(char* at) const;

   private:
    void turn(uint64_t ns);

    uint64_t begin_ = 0;  // of the 10^8 ns in which the time lies
    uint64_t low_ = 0;
    uint32_t head_size_ = 0, size_ = 0;
    char head_[24] = {};
  };

  // Of which number it has the digits.
  static constexpr Number source(Number number) {
    if (number == kBatchPid) return kPid;
    return number == kBytes || number == kCopied ? kResult : number;
  }
  static std::optional<uint64_t> value_of(Number number, const Request& request);
  static bool put_value(Number number, uint64_t value, Request& request);
  void fill(JsonSteady& line, const Request& request, const JsonWho& who) const;
  char* put(const Request& request, const JsonWho& who, char* at) const;

  Pieces form_;
  std::array<Known, kPlaces> known_;
  std::array<Kept, kNumbers> kept_;  // those that are steady
  Clock start_, end_;                // of the line
};

}  // namespace iohops
