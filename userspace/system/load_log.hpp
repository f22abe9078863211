// What libbpf and the verifier say while programs are loaded: kept, and told only when that fails.
#pragma once

#include <string>

#include "core/result.hpp"

namespace iohops {

// Of the calling thread, from now on, and nothing of before.
void begin_load_log();
// What was said so far, to hand it to another thread.
std::string load_log();
void set_load_log(std::string log);

// The program that the failed load stumbled over; empty: none.
std::string refused_program();

// The last line of the verifier's log that says something, else the error's name.
std::string verifier_reason(int error);

// The programs were refused with this errno, and none of them is to blame: what to do. Exit code 3
// or 4.
Error cannot_load(int error);

}  // namespace iohops
