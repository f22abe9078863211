// What libbpf and the verifier say while programs are loaded: kept, and told only when that fails.
#pragma once

#include <string>

namespace iohops {

// From now on, and nothing of before.
void begin_load_log();

// The program that the failed load stumbled over; empty: none.
std::string refused_program();

// The last line of the verifier's log that says something, else the error's name.
std::string verifier_reason(int error);

}  // namespace iohops
