#include "system/syscalls.hpp"

#include <sys/syscall.h>

#include "bpf/wire_op.h"

namespace iohops {

void number_syscalls(uint8_t* op_of) {
  op_of[SYS_read] = WIRE_OP_READ;
  op_of[SYS_write] = WIRE_OP_WRITE;
  op_of[SYS_pread64] = WIRE_OP_PREAD64;
  op_of[SYS_pwrite64] = WIRE_OP_PWRITE64;
  op_of[SYS_readv] = WIRE_OP_READV;
  op_of[SYS_writev] = WIRE_OP_WRITEV;
  op_of[SYS_preadv] = WIRE_OP_PREADV;
  op_of[SYS_pwritev] = WIRE_OP_PWRITEV;
  op_of[SYS_preadv2] = WIRE_OP_PREADV2;
  op_of[SYS_pwritev2] = WIRE_OP_PWRITEV2;
  op_of[SYS_fsync] = WIRE_OP_FSYNC;
  op_of[SYS_fdatasync] = WIRE_OP_FDATASYNC;
  op_of[SYS_sync_file_range] = WIRE_OP_SYNC_FILE_RANGE;
  op_of[SYS_msync] = WIRE_OP_MSYNC;
  op_of[SYS_sync] = WIRE_OP_SYNC;
  op_of[SYS_syncfs] = WIRE_OP_SYNCFS;
  op_of[SYS_sendto] = WIRE_OP_SENDTO;
  op_of[SYS_recvfrom] = WIRE_OP_RECVFROM;
  op_of[SYS_sendmsg] = WIRE_OP_SENDMSG;
  op_of[SYS_recvmsg] = WIRE_OP_RECVMSG;
  op_of[SYS_sendmmsg] = WIRE_OP_SENDMMSG;
  op_of[SYS_recvmmsg] = WIRE_OP_RECVMMSG;
  op_of[SYS_sendfile] = WIRE_OP_SENDFILE;
  op_of[SYS_splice] = WIRE_OP_SPLICE;
  op_of[SYS_tee] = WIRE_OP_TEE;
  op_of[SYS_vmsplice] = WIRE_OP_VMSPLICE;
  op_of[SYS_copy_file_range] = WIRE_OP_COPY_FILE_RANGE;
  op_of[SYS_ppoll] = WIRE_OP_PPOLL;
  op_of[SYS_pselect6] = WIRE_OP_PSELECT6;
  op_of[SYS_epoll_pwait] = WIRE_OP_EPOLL_PWAIT;
  op_of[441] = WIRE_OP_EPOLL_PWAIT2;  // the number is the same everywhere; older headers lack it
  op_of[SYS_io_uring_enter] = WIRE_OP_IO_URING_ENTER;
  op_of[SYS_io_submit] = WIRE_OP_IO_SUBMIT;
  op_of[SYS_io_getevents] = WIRE_OP_IO_GETEVENTS;
  op_of[SYS_io_pgetevents] = WIRE_OP_IO_PGETEVENTS;
#ifdef SYS_poll  // not on arm64
  op_of[SYS_poll] = WIRE_OP_POLL;
  op_of[SYS_select] = WIRE_OP_SELECT;
  op_of[SYS_epoll_wait] = WIRE_OP_EPOLL_WAIT;
#endif
}

}  // namespace iohops
