// Kernels as the plan is told of them, and questions to a plan. No kernel is asked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/plan.hpp"

namespace iohops::test {

using Types = std::vector<std::string>;

// Prototypes as in the BTF of Linux 6.18 on x86_64.
Features linux_6_18();
const PlannedProgram& program(const Plan& plan, std::string_view name);
bool is_missing(const Plan& plan, std::string_view hook);

}  // namespace iohops::test
