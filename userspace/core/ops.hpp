// What the application asked for and what was lost: names of wire_op and wire_loss, families of
// operations. Sees numbers and names only.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "bpf/wire.h"

namespace iohops {

enum class OpFamily : uint8_t { kOther, kRead, kWrite, kSync, kFault };

OpFamily family(uint16_t op);
std::string_view op_name(uint16_t op);  // "pread64"; "unknown" for a value without a name
std::optional<uint16_t> parse_op(std::string_view name);

// Read or write family: the result is a byte count.
inline bool moves_data(uint16_t op) {
  const OpFamily f = family(op);
  return f == OpFamily::kRead || f == OpFamily::kWrite;
}

// "ring_request", ... for enum wire_loss; "unknown" for a value without a name.
std::string_view loss_name(uint32_t cause);

}  // namespace iohops
