// JsonSteady: the line of a request that differs from the one before in its place and its times alone, as those of a
// program that goes on with what it does. Sees pieces of text and numbers; JsonForm knows which are whose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace iohops {

// Two numbers of the line have any size, the offset and the duration: the text is copied in the three pieces that they
// leave, by no more than a few loads and stores. The others (sequence numbers and times) have the same number of
// digits as in the line before, and all but their last eight digits in common with it, except once in a hundred
// million: they stand in the text, and of each its last eight bytes are put down anew.
class JsonSteady {
 public:
  struct Numbers {
    uint64_t seq = 0, batch_seq = 0, offset = 0, start_ns = 0, duration_ns = 0;
    uint64_t end_ns() const { return start_ns + duration_ns; }
  };

  // The line is made of these, in their order. Each member is called for one that the line has, but for the pieces:
  // split_offset() always, with `has` false where the line has no number there.
  void clear() {
    if (made()) *this = {};
  }
  void add(std::string_view text) { text_ += text; }
  void add_seq(uint64_t number) { add(seq_, number); }
  void add_batch_seq(uint64_t number) { add(batch_seq_, number); }
  void add_start(uint64_t ns) { add(start_, ns); }
  void add_at(uint64_t ns) { add(at_, ns); }
  void add_end(uint64_t ns) { add(end_, ns); }
  void split_offset(bool has);
  void split_duration();

  bool made() const { return !text_.empty(); }
  // Whether the line of these can be written.
  bool fits(const Numbers& n) const {
    return seq_.fits(n.seq) && start_.fits(n.start_ns) && end_.fits(n.end_ns()) && batch_seq_.fits(n.batch_seq);
  }
  // Its end; beyond it, up to eight bytes are written.
  char* write(const Numbers& n, char* at) const;

 private:
  // Of a number: the eight bytes up to its last digit, and what may be put there.
  struct Spot {
    uint64_t first = 0, count = UINT64_MAX;  // numbers that differ in no more than those bytes; without one: all
    uint64_t base = 0;                       // what its other digits stand for
    uint64_t text = 0, digits = 0;           // of the bytes: those before a short number; which are digits, as a mask
    uint32_t place = 0;                      // in its piece
    bool used = false;
    bool fits(uint64_t number) const { return number - first < count; }
    void put(char* piece, uint64_t eight) const;
  };
  void add(Spot& spot, uint64_t number);

  std::string text_;
  size_t offset_ = 0, duration_ = 0;  // where they stand in the text
  bool has_offset_ = false;
  Spot seq_, batch_seq_, start_, at_, end_;
};

}  // namespace iohops
