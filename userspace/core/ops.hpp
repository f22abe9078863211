// What the application asked for and what was lost: names of wire_op and wire_loss, families of
// operations. Sees numbers and names only.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bpf/wire.h"

namespace iohops {

// kMove: between two descriptors without passing the application; kPoll: waits for readiness; kRing:
// hands requests to a ring or collects what became of them; kStream: a call of the C library.
enum class OpFamily : uint8_t { kOther, kRead, kWrite, kSync, kFault, kMove, kPoll, kRing, kStream };

// Asked several times for each request: a table, and no search.
inline constexpr uint16_t kOps = WIRE_OP_AIO + 16;
extern const std::array<OpFamily, kOps> kFamilies;
inline OpFamily family(uint16_t op) { return op < kOps ? kFamilies[op] : OpFamily::kOther; }
std::string_view op_name(uint16_t op);  // "pread64"; "unknown" for a value without a name
std::vector<std::string_view> op_names();  // all that a trace can have

// A positive result is a count of bytes (of messages: see counts_messages).
inline bool moves_data(uint16_t op) {
  const OpFamily f = family(op);
  return f == OpFamily::kRead || f == OpFamily::kWrite || f == OpFamily::kMove;
}
inline bool counts_messages(uint16_t op) {
  return op == WIRE_OP_SENDMMSG || op == WIRE_OP_RECVMMSG;
}
bool is_message(uint16_t op);  // on sockets only
// Submitted to a ring, not a call of its own: its mode switches are those of the call that did.
inline bool is_ringed(uint16_t op) { return op >= WIRE_OP_URING; }
bool names_file(uint16_t ringed);  // false: its entry of the ring has no descriptor (io_issue_defs: needs_file)

// "ring_request", ... for enum wire_loss; "unknown" for a value without a name.
std::string_view loss_name(uint32_t cause);

}  // namespace iohops
