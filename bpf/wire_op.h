/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * What applications ask for, and the functions of the kernel that copy for them: numbers that both
 * worlds share.
 */
#ifndef IOHOPS_WIRE_OP_H
#define IOHOPS_WIRE_OP_H

/* Values are part of the raw format. Eight a family, so that a family is a shift away. */
enum wire_op {
	WIRE_OP_NONE = 0,
	WIRE_OP_READ = 1,
	WIRE_OP_WRITE = 2,
	WIRE_OP_PREAD64 = 3,
	WIRE_OP_PWRITE64 = 4,
	WIRE_OP_READV = 5,
	WIRE_OP_WRITEV = 6,
	WIRE_OP_PREADV = 7,
	WIRE_OP_PWRITEV = 8,
	WIRE_OP_PREADV2 = 9,
	WIRE_OP_PWRITEV2 = 10,
	WIRE_OP_FSYNC = 16,
	WIRE_OP_FDATASYNC = 17,
	WIRE_OP_SYNC_FILE_RANGE = 18,
	WIRE_OP_MSYNC = 19,
	WIRE_OP_SYNC = 20,
	WIRE_OP_SYNCFS = 21,
	WIRE_OP_SENDTO = 24,
	WIRE_OP_RECVFROM = 25,
	WIRE_OP_SENDMSG = 26,
	WIRE_OP_RECVMSG = 27,
	WIRE_OP_SENDMMSG = 28,
	WIRE_OP_RECVMMSG = 29,
	WIRE_OP_PAGE_FAULT = 32,
	WIRE_OP_SENDFILE = 40,
	WIRE_OP_SPLICE = 41,
	WIRE_OP_TEE = 42,
	WIRE_OP_VMSPLICE = 43,
	WIRE_OP_COPY_FILE_RANGE = 44,
	WIRE_OP_POLL = 48,
	WIRE_OP_PPOLL = 49,
	WIRE_OP_SELECT = 50,
	WIRE_OP_PSELECT6 = 51,
	WIRE_OP_EPOLL_WAIT = 52,
	WIRE_OP_EPOLL_PWAIT = 53,
	WIRE_OP_EPOLL_PWAIT2 = 54,
	WIRE_OP_IO_URING_ENTER = 56,
	WIRE_OP_IO_SUBMIT = 57,
	WIRE_OP_IO_GETEVENTS = 58,
	WIRE_OP_IO_PGETEVENTS = 59,
	WIRE_OP_FREAD = 64, /* calls of the C library, not of the kernel */
	WIRE_OP_FWRITE = 65,
	WIRE_OP_DEVICE = 250, /* only in tallies: device work of a process on a file */
	WIRE_OP_URING = 256,  /* + IORING_OP_*: a request of io_uring */
	WIRE_OP_AIO = 512,    /* + IOCB_CMD_*: a request of libaio */
};

/* Copies between the application's memory and the kernel's are made in it: reads and writes, messages,
 * what rings submit. */
#define WIRE_OP_COPIES(op) ((op) < WIRE_OP_FSYNC || ((op) & ~7U) == WIRE_OP_SENDTO || (op) >= WIRE_OP_URING)

/* The functions of the kernel that copy between an application's memory and the kernel's, as far as
 * bpf/copy.bpf.c hooks them: which counted what is told to the collector's check at the start. */
enum wire_copy_hook {
	WIRE_COPY_READ_OLD = 0, /* generic_file_buffered_read */
	WIRE_COPY_READ = 1, /* filemap_read */
	WIRE_COPY_SHMEM = 2, /* shmem_file_read_iter */
	WIRE_COPY_WRITE = 3, /* generic_perform_write */
	WIRE_COPY_IOMAP = 4, /* iomap_file_buffered_write */
	WIRE_COPY_PIPE_IN_OLD = 5, /* pipe_write */
	WIRE_COPY_PIPE_OUT_OLD = 6, /* pipe_read */
	WIRE_COPY_PIPE_IN = 7, /* anon_pipe_write */
	WIRE_COPY_PIPE_OUT = 8, /* anon_pipe_read */
	WIRE_COPY_SOCKET_OUT = 9, /* skb_copy_datagram_iter */
	WIRE_COPY_SOCKET_IN = 10, /* skb_copy_datagram_from_iter */
	WIRE_COPY_DAX_OUT = 11, /* dax_copy_to_iter */
	WIRE_COPY_DAX_IN = 12, /* dax_copy_from_iter */
	WIRE_COPY_LENT = 13, /* skb_copy_ubufs */
	WIRE_COPY_HOOKS = 14,
};

#endif /* IOHOPS_WIRE_OP_H */
