// Which of this machine's system calls are which operation (enum wire_op).
#pragma once

#include <cstdint>

namespace iohops {

// Fills a table of 512, by system call number.
void number_syscalls(uint8_t* op_of);

// The same for 32-bit programs on this machine. They are counted, not decoded: what is not in the table
// is no I/O.
void number_compat_syscalls(uint8_t* op_of);

}  // namespace iohops
