/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * What an entry of io_uring's submission queue asks for, read out of the struct io_kiocb that the kernel has made
 * of it.
 */
#ifndef IOHOPS_ENTRY_H
#define IOHOPS_ENTRY_H

#include "call.h"
#include "ring.h"

/* enum io_uring_op of uapi/linux/io_uring.h: an interface. */
enum {
	OP_READV = 1,
	OP_WRITEV = 2,
	OP_FSYNC = 3,
	OP_READ_FIXED = 4,
	OP_WRITE_FIXED = 5,
	OP_SYNC_FILE_RANGE = 8,
	OP_SENDMSG = 9,
	OP_RECVMSG = 10,
	OP_READ = 22,
	OP_WRITE = 23,
	OP_SEND = 26,
	OP_RECV = 27,
	OP_SPLICE = 30,
	OP_TEE = 33,
	OP_SEND_ZC = 47,
	OP_SENDMSG_ZC = 48,
	OP_READ_MULTISHOT = 49,
	OP_READV_FIXED = 60,
	OP_WRITEV_FIXED = 61,
};
#define REQ_F_FIXED_FILE 1
#define REQ_F_BUFFER_SELECT 32
#define REQ_F_SUBMITTED 0x7f /* IOSQE_* */
#define RECV_MULTISHOT 2 /* IORING_RECV_MULTISHOT */

struct io_rw {
	struct kiocb kiocb;
	u64 addr;
	u32 len;
	u32 flags;
} __attribute__((preserve_access_index));
struct io_sr_msg {
	void *buf;
	u32 len;
	u32 msg_flags;
	u16 flags;
} __attribute__((preserve_access_index));
struct io_sync {
	s64 len;
	s64 off;
} __attribute__((preserve_access_index));
struct io_splice {
	s64 off_out;
	s64 off_in;
	u64 len;
	int splice_fd_in;
	u32 flags;
} __attribute__((preserve_access_index));

/* Without a length: whatever fits into the buffer that the kernel chooses. Asked here and not by the caller,
 * where the verifier of 6.1 comes to no end. */
static __always_inline void ask(struct thread_state *request, u32 length)
{
	request->requested = length;
	if (!length && request->run_flags & REQ_F_BUFFER_SELECT)
		request->requested = WIRE_UNKNOWN;
}

/* What one probe read brings of a request's front, instead of one for each field. */
#define RW_BYTES 64
#define RW_FIELD(front, field)                                                                              \
	(bpf_core_field_offset(struct io_rw, field) + sizeof(((struct io_rw *)0)->field) <= RW_BYTES ?      \
		 *(typeof(((struct io_rw *)0)->field) *)((front) + bpf_core_field_offset(struct io_rw, field)) : \
		 0)

static __always_inline void read_rw(struct thread_state *request, struct io_kiocb *req, u32 op)
{
	char front[RW_BYTES] __attribute__((aligned(8))) = {};
	u64 address;
	u32 length;

	bpf_probe_read_kernel(front, sizeof(front), req);
	address = RW_FIELD(front, addr);
	length = RW_FIELD(front, len);
	request->offset = RW_FIELD(front, kiocb.ki_pos); /* -1: the file's position */
	request->call_flags = RW_FIELD(front, flags);
	if (op == OP_READV || op == OP_WRITEV || op == OP_READV_FIXED || op == OP_WRITEV_FIXED) {
		read_vector(request, address, length);
	} else {
		request->buffer = address;
		ask(request, length);
	}
}

static __always_inline void read_message(struct thread_state *request, struct io_kiocb *req, u32 op)
{
	struct io_sr_msg *sr = (void *)req;
	struct user_message message = {};

	request->call_flags = BPF_CORE_READ(sr, msg_flags);
	request->buffer = (u64)BPF_CORE_READ(sr, buf);
	if (op == OP_SEND || op == OP_RECV || op == OP_SEND_ZC) {
		ask(request, BPF_CORE_READ(sr, len));
		return;
	}
	bpf_probe_read_user(&message, 32, (void *)request->buffer);
	read_vector(request, message.vector, message.vector_length);
}

static __noinline void read_submission(struct thread_state *request, struct io_kiocb *req)
{
	u32 op = request->op - WIRE_OP_URING;
	struct io_sync *sync = (void *)req;

	switch (op) {
	case OP_READV:
	case OP_WRITEV:
	case OP_READ_FIXED:
	case OP_WRITE_FIXED:
	case OP_READ:
	case OP_WRITE:
	case OP_READ_MULTISHOT:
	case OP_READV_FIXED:
	case OP_WRITEV_FIXED:
		read_rw(request, req, op);
		return;
	case OP_SENDMSG:
	case OP_RECVMSG:
	case OP_SEND:
	case OP_RECV:
	case OP_SEND_ZC:
	case OP_SENDMSG_ZC:
		if (bpf_core_type_exists(struct io_sr_msg))
			read_message(request, req, op);
		return;
	case OP_FSYNC:
	case OP_SYNC_FILE_RANGE:
		request->offset = BPF_CORE_READ(sync, off);
		request->requested = BPF_CORE_READ(sync, len);
	}
}

/* splice and tee name the target as their descriptor, the source among their arguments. A target that is registered
 * with the ring is not looked for. */
static __noinline void read_splice(struct thread_state *request, struct thread_state *thread, struct io_kiocb *req,
				   struct files_struct *files)
{
	struct io_splice *splice = (void *)req;
	struct known_file *known = &thread->known[KNOWN_TARGET];
	u32 open_flags;

	request->to_fd = req->flags & REQ_F_FIXED_FILE ? -1 : request->fd;
	request->fd = BPF_CORE_READ(splice, splice_fd_in);
	request->offset = BPF_CORE_READ(splice, off_in);
	request->to_offset = BPF_CORE_READ(splice, off_out);
	request->requested = BPF_CORE_READ(splice, len);
	request->call_flags = BPF_CORE_READ(splice, flags);
	if (!know_file(thread, known, files, request->to_fd, &open_flags))
		return;
	request->to_file = known->alias;
	if (open_flags & O_DIRECT)
		request->flags |= WIRE_REQUEST_TO_DIRECT;
}

/* Its descriptor is the number of a file that is registered with the ring. */
static __always_inline bool is_fixed(struct thread_state *request, struct io_kiocb *req)
{
	if (request->op == WIRE_OP_URING + OP_SPLICE || request->op == WIRE_OP_URING + OP_TEE)
		return request->call_flags >> 31; /* SPLICE_F_FD_IN_FIXED */
	return req->flags & REQ_F_FIXED_FILE;
}

static __always_inline bool is_multishot(struct thread_state *request, struct io_kiocb *req)
{
	u32 op = request->op - WIRE_OP_URING;

	if (op == OP_READ_MULTISHOT)
		return true;
	if (op != OP_RECV && op != OP_RECVMSG)
		return false;
	return bpf_core_type_exists(struct io_sr_msg) && BPF_CORE_READ((struct io_sr_msg *)req, flags) & RECV_MULTISHOT;
}

#endif /* IOHOPS_ENTRY_H */
