// The header of a live trace: host, targets, devices, hooks and how far each figure can be trusted.
#pragma once

#include <string>
#include <vector>

#include "core/model/model.hpp"
#include "core/plan.hpp"
#include "system/devices.hpp"

namespace iohops {

Header trace_header(const std::vector<std::string>& command_line, std::string scope,
                    std::vector<Target> targets, const Plan& plan,
                    const std::vector<BlockDevice>& devices);

}  // namespace iohops
