// What to do about records that the rings refused.
#pragma once

#include <cstdint>
#include <string>

namespace iohops {

// A sentence. `wanted_bytes`: what a ring would have had to hold, 0: not known.
std::string ring_advice(uint64_t wanted_bytes);

}  // namespace iohops
