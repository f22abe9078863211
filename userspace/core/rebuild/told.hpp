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
  void learn(const wire_request& request);
  // The request that `same` stands for, valid until the next call; nullptr: it was not told.
  const wire_request* complete(Record same);

 private:
  struct Thread {
    std::array<wire_request, WIRE_TOLD_SLOTS> slots{};  // told == 0: nothing was
    uint64_t used_ns = 0;
  };
  void forget_silent();

  FlatMap<uint64_t, Thread> threads_;  // by thread id
  size_t max_threads_;
  wire_request whole_{};
};

}  // namespace iohops
