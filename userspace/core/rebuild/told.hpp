// ToldRequests: full requests out of those that say "the same as before" (bpf/wire.h: wire_same).
#pragma once

#include <array>
#include <cstdint>

#include "bpf/wire.h"
#include "core/decode.hpp"
#include "core/flat_map.hpp"

namespace iohops {

// Assumption: a thread's records come in the order in which it wrote them, which core/order grants: a
// full record is in its ring before the next request of that thread begins. Rule: a full record that
// tells replaces what its thread told before in that slot; a short one is completed from it if thread
// and generation agree. Bound: of more than `max_threads`, those that were silent longest are
// forgotten (the kernel keeps fewer than that alive); their next short request is unknown.
class ToldRequests {
 public:
  explicit ToldRequests(size_t max_threads = 65536) : max_threads_(max_threads) {}

  // Remembers it, if later records may refer to it.
  void learn(Record request);
  // The request that `same` stands for, as the full record would be (a wire_request_detail where it is a
  // ring's), valid until the next call; empty: it was not told.
  Record complete(Record same);

 private:
  // What was told; of a ring's request, also who worked on it.
  struct Told {
    wire_request request{};  // told == 0: nothing was
    uint32_t run_by = 0;
    uint32_t run_flags = 0;
  };
  struct Thread {
    std::array<Told, WIRE_TOLD_SLOTS> slots{};
    uint64_t used_ns = 0;
  };
  void forget_silent();

  FlatMap<uint64_t, Thread> threads_;  // by thread id
  size_t max_threads_;
  wire_request_detail whole_{};  // zeros beyond the request but for a ring's
};

}  // namespace iohops
