// The help page of top: keys, then what the columns mean, from the catalogue.
#pragma once

#include <vector>

#include "sinks/top/frame.hpp"

namespace iohops {

std::vector<TopLine> top_help();

}  // namespace iohops
