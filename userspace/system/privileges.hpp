// Capabilities: which of those that tracing needs this process has, and the lines that give them.
#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"

namespace iohops {

struct Privileges {
  std::vector<std::string> missing;  // needed to trace, not effective: "CAP_BPF", ...
  std::vector<std::string> wanted;   // helpful only, not effective
  bool all = false;                  // everything that tracing uses is there
  // We are in a user namespace below the first (a rootless container): capabilities there are no
  // capabilities towards BPF.
  bool user_namespace = false;
};

Privileges read_privileges();

// What is missing and the lines that fix it; ok when nothing is. Exit code 4.
Status check_privileges();

// "sudo setcap ...+ep /path/of/this/executable", quoted for a shell.
std::string setcap_line();

}  // namespace iohops
