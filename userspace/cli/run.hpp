// The program below main: parse, check what every subcommand needs, run, say what went wrong.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace iohops {

// argv with the program's name; returns the exit code.
int run_command_line(const std::vector<std::string>& argv);

// Says it on stderr; names in it may come from anywhere.
void tell(std::string_view message);

// Writes text to stdout; the exit code, or why it could not be written.
Result<int> print(std::string_view text);

}  // namespace iohops
