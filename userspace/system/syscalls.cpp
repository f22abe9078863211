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

namespace {

struct Numbered {
  uint16_t number;
  uint16_t op;
};

// The same numbers on i386 and on 32-bit Arm.
constexpr Numbered kCompat[] = {
    {3, WIRE_OP_READ},
    {4, WIRE_OP_WRITE},
    {36, WIRE_OP_SYNC},
    {118, WIRE_OP_FSYNC},
    {144, WIRE_OP_MSYNC},
    {145, WIRE_OP_READV},
    {146, WIRE_OP_WRITEV},
    {148, WIRE_OP_FDATASYNC},
    {168, WIRE_OP_POLL},
    {142, WIRE_OP_SELECT},
    {180, WIRE_OP_PREAD64},
    {181, WIRE_OP_PWRITE64},
    {187, WIRE_OP_SENDFILE},
    {239, WIRE_OP_SENDFILE},
    {413, WIRE_OP_PSELECT6},
    {414, WIRE_OP_PPOLL},
    {416, WIRE_OP_IO_PGETEVENTS},
    {417, WIRE_OP_RECVMMSG},
    {426, WIRE_OP_IO_URING_ENTER},
    {441, WIRE_OP_EPOLL_PWAIT2},
#if defined(__x86_64__)  // arch/x86/entry/syscalls/syscall_32.tbl
    {82, WIRE_OP_SELECT},
    {102, WIRE_OP_RECVFROM},  // socketcall: also what is no I/O
    {247, WIRE_OP_IO_GETEVENTS},
    {248, WIRE_OP_IO_SUBMIT},
    {256, WIRE_OP_EPOLL_WAIT},
    {308, WIRE_OP_PSELECT6},
    {309, WIRE_OP_PPOLL},
    {313, WIRE_OP_SPLICE},
    {314, WIRE_OP_SYNC_FILE_RANGE},
    {315, WIRE_OP_TEE},
    {316, WIRE_OP_VMSPLICE},
    {319, WIRE_OP_EPOLL_PWAIT},
    {333, WIRE_OP_PREADV},
    {334, WIRE_OP_PWRITEV},
    {337, WIRE_OP_RECVMMSG},
    {344, WIRE_OP_SYNCFS},
    {345, WIRE_OP_SENDMMSG},
    {369, WIRE_OP_SENDTO},
    {370, WIRE_OP_SENDMSG},
    {371, WIRE_OP_RECVFROM},
    {372, WIRE_OP_RECVMSG},
    {377, WIRE_OP_COPY_FILE_RANGE},
    {378, WIRE_OP_PREADV2},
    {379, WIRE_OP_PWRITEV2},
    {385, WIRE_OP_IO_PGETEVENTS},
#elif defined(__aarch64__)  // arch/arm/tools/syscall.tbl
    {245, WIRE_OP_IO_GETEVENTS},
    {246, WIRE_OP_IO_SUBMIT},
    {252, WIRE_OP_EPOLL_WAIT},
    {289, WIRE_OP_SENDTO},
    {290, WIRE_OP_SENDTO},
    {291, WIRE_OP_RECVFROM},
    {292, WIRE_OP_RECVFROM},
    {296, WIRE_OP_SENDMSG},
    {297, WIRE_OP_RECVMSG},
    {335, WIRE_OP_PSELECT6},
    {336, WIRE_OP_PPOLL},
    {340, WIRE_OP_SPLICE},
    {341, WIRE_OP_SYNC_FILE_RANGE},
    {342, WIRE_OP_TEE},
    {343, WIRE_OP_VMSPLICE},
    {346, WIRE_OP_EPOLL_PWAIT},
    {361, WIRE_OP_PREADV},
    {362, WIRE_OP_PWRITEV},
    {365, WIRE_OP_RECVMMSG},
    {373, WIRE_OP_SYNCFS},
    {374, WIRE_OP_SENDMMSG},
    {391, WIRE_OP_COPY_FILE_RANGE},
    {392, WIRE_OP_PREADV2},
    {393, WIRE_OP_PWRITEV2},
    {399, WIRE_OP_IO_PGETEVENTS},
#endif
};

}  // namespace

void number_compat_syscalls(uint8_t* op_of) {
  for (const Numbered& call : kCompat) op_of[call.number] = static_cast<uint8_t>(call.op);
}

}  // namespace iohops
