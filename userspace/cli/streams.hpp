// For --stdio: which C libraries to probe, and what to say when none can be.
#pragma once

#include <string>
#include <vector>

#include "core/plan.hpp"
#include "core/result.hpp"
#include "system/process.hpp"

namespace iohops {

// Those of all targets, each file once: a library that is probed twice would count twice. Without
// targets (a command that has not run yet): the one that we use.
Result<std::vector<std::string>> stream_libraries(const std::vector<TargetProcess>& targets);

// Why nothing watches streams although it was asked for.
Error no_streams(const Plan& plan);

}  // namespace iohops
