// Measures what the running kernel offers to tracing, from its BTF. Loads nothing.
#pragma once

#include "core/plan.hpp"
#include "core/result.hpp"

namespace iohops {

// kKernel (exit 3) with the fix if the kernel has no BTF.
// `copies`: only those hooks on copy functions are looked for.
Result<Features> read_features(CopyHooks copies = CopyHooks::kAuto);

}  // namespace iohops
