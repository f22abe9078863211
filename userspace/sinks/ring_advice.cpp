#include "sinks/ring_advice.hpp"

#include <fmt/format.h>

#include "core/ring_size.hpp"
#include "sinks/text.hpp"

namespace iohops {

std::string ring_advice(uint64_t wanted_bytes) {
  if (wanted_bytes == 0) return "a larger ring loses less: iohops record --ring 64M";
  const auto ring = ring_for(wanted_bytes);
  if (!ring)
    return fmt::format(
        "a ring would have had to hold {}, and none is larger than {}: trace less "
        "(--op, --path, --min-latency), or add up only (iohops top)",
        text::bytes(wanted_bytes), text::bytes(kLargestRing));
  const bool small = *ring < uint64_t{1} << 20;
  return fmt::format("a ring would have had to hold {}: iohops record --ring {}{}",
                     text::bytes(wanted_bytes), *ring >> (small ? 10 : 20), small ? "K" : "M");
}

}  // namespace iohops
