// iohops: see cli/ for the subcommands. Exceptions end here; everything else is a Result.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/run.hpp"
#include "system/signals.hpp"

int main(int argc, char** argv) {
  iohops::take_over_signals();
  try {
    return iohops::run_command_line(std::vector<std::string>(argv, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "iohops: %s\n", error.what());
    return 1;
  }
}
