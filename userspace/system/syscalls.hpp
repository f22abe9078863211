// Which of this machine's system calls are which operation (enum wire_op).
#pragma once

#include <cstdint>

namespace iohops {

// Fills a table of 512, by system call number.
void number_syscalls(uint8_t* op_of);

}  // namespace iohops
