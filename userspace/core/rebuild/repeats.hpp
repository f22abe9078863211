// Repeats: reads and writes of cached pages, pipes and sockets, which programs make by the million
// and which differ in little more than their numbers. Sees plain records (no detail) and what the
// rebuild made of one of a kind.
//
// Assumption: what a plain read or write comes to, its numbers aside, follows from what was asked
// and of what kind of file (Key), if its result is between 1 and what was asked for; then its one
// copy, if it makes one, has the size and the times of the request. Rule: a request whose outcome
// is of that form is kept when it has been handed out; the next of its kind gets its own numbers
// and names put in and goes out. Whatever else could bear on a request (something held of it, a gap
// by loss, a sync, direct I/O) makes it none of these.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "bpf/wire.h"
#include "core/flat_map.hpp"
#include "core/model/model.hpp"
#include "core/rebuild/names.hpp"

namespace iohops {

struct Repeat {
  struct Key {
    uint64_t flags = 0;  // of the descriptor and of the call
    uint64_t call = 0;   // op, WIRE_REQUEST_*, segments
    uint64_t file = 0;   // how it stores its bytes; whether the record has an offset
    uint64_t ring = 0;   // of a ring's request: who worked on it, its flags, whether the call that submitted it is known
    Key() = default;
    Key(const wire_request_detail& record, const FileState& state, bool has_batch) : Key(record.request, state) {
      ring = uint64_t{has_batch} << 63 | uint64_t{record.run_by} << 32 | record.run_flags;
    }
    Key(const wire_request& record, const FileState& state)
        : flags(uint64_t{record.call_flags} << 32 | record.open_flags),
          call(uint64_t{record.segments} << 32 | uint32_t{record.flags} << 16 | record.op),
          file(state.form | uint32_t{record.offset != WIRE_UNKNOWN} << 16) {}
    bool operator==(const Key&) const = default;
    // The products need not wait for each other: what is looked up by it waits for the last one. (mix of mix, of
    // a key put together from single bytes: 5 ns more.)
    size_t place() const {
      const uint64_t sum = flags * 0x9e3779b97f4a7c15 + call * 0xc2b2ae3d27d4eb4f + file * 0x165667b19e3779f9 +
                           ring * 0xd6e8feb86659fd93;
      return sum >> 56;
    }
  };

  Key key;
  bool writes = false;
  bool message = false;
  Request request;  // the last one
};

class Repeats {
 public:
  // What is known of the record's kind, if it fits; nullptr: nothing.
  Repeat* find(const Repeat::Key& key, const wire_request& record) {
    const auto result =
        static_cast<uint64_t>(record.result);  // of an error: more than anything asked for
    if (result == 0 || result > record.requested || record.requested == WIRE_UNKNOWN)
      return nullptr;
    Repeat* known = table_[key.place()].get();
    return known != nullptr && known->key == key ? known : nullptr;
  }
  // What the record came to has been handed out.
  void keep(const wire_request_detail& record, const FileState& file, const Request& request);

 private:
  std::array<std::unique_ptr<Repeat>, Request::kAlike> table_;
  uint64_t kept_ = 0;
};

}  // namespace iohops
