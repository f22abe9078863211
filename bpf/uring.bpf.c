// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Requests of io_uring, from their submission to their completion, whichever thread works on them.
 *
 * The key is the address of the request's struct io_kiocb. What the submitting thread does from one
 * submission to the next belongs to the first; what a thread of the pool (io-wq) does, to the request
 * that its io_worker names.
 *
 * Not seen: where the last request of a batch stops being worked on before the thread runs completion
 * work of others (no tracepoint): what that reads ahead can be charged to it. Kernels before 6.0, whose tracepoint names no request. Requests that asked for no completion
 * (IOSQE_CQE_SKIP_SUCCESS) end unseen, and so do those with one completion for which the ring has no room
 * (io_uring_cqe_overflow names none).
 */
#define WITHOUT_CASTS
#include "call.h"
#include "ring.h"
#include "thread.h"

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
#define IORING_CQE_F_MORE 2
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
struct io_rsrc_node {
	unsigned long file_ptr;
} __attribute__((preserve_access_index));
struct io_rsrc_data {
	u32 nr;
	struct io_rsrc_node **nodes;
} __attribute__((preserve_access_index));
struct io_file_table {
	struct io_rsrc_data data;
} __attribute__((preserve_access_index));
struct io_ring_ctx {
	struct io_file_table file_table;
} __attribute__((preserve_access_index));
struct io_fixed_file___pre_6_13 {
	unsigned long file_ptr;
} __attribute__((preserve_access_index));
struct io_file_table___pre_6_13 {
	struct io_fixed_file___pre_6_13 *files;
} __attribute__((preserve_access_index));
struct io_ring_ctx___pre_6_13 {
	struct io_file_table___pre_6_13 file_table;
	u32 nr_user_files;
} __attribute__((preserve_access_index));
struct io_uring_cqe {
	u64 user_data;
	s32 res;
	u32 flags;
} __attribute__((preserve_access_index));

/* Submissions that complete more than once, by ring and user_data: their completions name no request. */
struct shot_key {
	u64 ctx;
	u64 user_data;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct shot_key);
	__type(value, struct ring_key);
} shots SEC(".maps");

/* Without a length: whatever fits into the buffer that the kernel chooses. Asked here and not by the caller,
 * where the verifier of 6.1 comes to no end. */
static __always_inline void ask(struct thread_state *request, u32 length)
{
	request->requested = length;
	if (!length && request->run_flags & REQ_F_BUFFER_SELECT)
		request->requested = WIRE_UNKNOWN;
}

static __always_inline void read_rw(struct thread_state *request, struct io_kiocb *req, u32 op)
{
	struct io_rw *rw = (void *)req;
	u64 address = BPF_CORE_READ(rw, addr);
	u32 length = BPF_CORE_READ(rw, len);

	request->offset = BPF_CORE_READ(rw, kiocb.ki_pos); /* -1: the file's position */
	request->call_flags = BPF_CORE_READ(rw, flags);
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

/* splice and tee name the target as their descriptor, the source among their arguments. */
static __noinline void read_splice(struct thread_state *request, struct thread_state *thread, struct io_kiocb *req)
{
	struct io_splice *splice = (void *)req;
	struct known_file *known = &thread->known[KNOWN_TARGET];
	struct task_struct *task = current_task();

	request->to_fd = request->fd;
	request->fd = BPF_CORE_READ(splice, splice_fd_in);
	request->offset = BPF_CORE_READ(splice, off_in);
	request->to_offset = BPF_CORE_READ(splice, off_out);
	request->requested = BPF_CORE_READ(splice, len);
	if (know_file(thread, known, task, request->to_fd))
		request->to_file = known->alias;
}

/* The struct file of a registered one, its lowest bits are flags. Since 6.13 the table holds nodes. */
static __always_inline u64 fixed_file(struct io_ring_ctx *ctx, u32 index)
{
	struct io_ring_ctx___pre_6_13 *old = (void *)ctx;
	struct io_fixed_file___pre_6_13 *files;
	u64 node = 0;

	if (bpf_core_field_exists(ctx->file_table.data.nodes)) {
		if (index >= BPF_CORE_READ(ctx, file_table.data.nr))
			return 0;
		bpf_probe_read_kernel(&node, sizeof(node), BPF_CORE_READ(ctx, file_table.data.nodes) + index);
		return node ? BPF_CORE_READ((struct io_rsrc_node *)node, file_ptr) & ~7UL : 0;
	}
	if (!bpf_core_field_exists(old->file_table.files) || index >= BPF_CORE_READ(old, nr_user_files))
		return 0;
	files = BPF_CORE_READ(old, file_table.files);
	bpf_probe_read_kernel(&node, sizeof(node),
			      (void *)files + index * bpf_core_type_size(struct io_fixed_file___pre_6_13));
	return node & ~7UL;
}

static __noinline void resolve_fixed(struct thread_state *request, struct thread_state *thread, struct io_kiocb *req)
{
	u32 slot = request->fd & (KNOWN_FILES - 1), index = request->fd;
	struct known_file *known = &thread->known[slot];
	u64 file = fixed_file(BPF_CORE_READ(req, ctx), index);

	if (!file) {
		request->flags |= WIRE_REQUEST_FILE_UNKNOWN;
		return;
	}
	meet_file(thread, known, file);
	request->open_flags = BPF_CORE_READ((struct file *)file, f_flags) | known->open_flags;
	request->file = known->alias;
	request->known[slot] = *known;
	request->fd = -1;
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

static __always_inline int submitted(struct io_kiocb *req)
{
	struct task_struct *task = current_task();
	struct ring_key key = { .address = (u64)req };
	struct thread_state *thread, *request;
	u32 op = req->opcode;

	if (!is_traced(task_field(task, tgid)) || !(ring_ops >> (op & 63) & 1))
		return 0;
	thread = find_thread(task_field(task, pid)) ?: add_thread(task); /* SQPOLL's makes no system calls */
	request = thread ? submit_request(thread, &key, WIRE_OP_URING + op) : NULL;
	if (!request)
		return 0;
	thread->running = key;
	request->fd = req->cqe.fd;
	request->run_flags = req->flags & REQ_F_SUBMITTED;
	read_submission(request, req);
	if (op == OP_SPLICE || op == OP_TEE)
		read_splice(request, thread, req);
	if (req->flags & REQ_F_FIXED_FILE)
		resolve_fixed(request, thread, req);
	else
		resolve_request(request, thread, task);
	if (is_multishot(request, req)) {
		struct shot_key shot = { .ctx = (u64)BPF_CORE_READ(req, ctx),
					.user_data = req->cqe.user_data };

		request->flags |= WIRE_REQUEST_MULTISHOT;
		bpf_map_update_elem(&shots, &shot, &key, BPF_ANY);
	}
	return 0;
}

SEC("?tp_btf/io_uring_submit_req")
int BPF_PROG(uring_submit, struct io_kiocb *req)
{
	return submitted(req);
}

/* Its name before 6.4. */
SEC("?tp_btf/io_uring_submit_sqe")
int BPF_PROG(uring_submit_sqe, struct io_kiocb *req)
{
	return submitted(req);
}

/* Handed to the thread pool: the submitter is done with it. */
SEC("?tp_btf/io_uring_queue_async_work")
int BPF_PROG(uring_punt, struct io_kiocb *req)
{
	struct ring_key key = { .address = (u64)req };
	struct thread_state *request = rings_met ? bpf_map_lookup_elem(&ring_requests, &key) : NULL;
	struct thread_state *thread = request ? find_thread(task_field(current_task(), pid)) : NULL;

	if (request)
		request->run_by |= WIRE_RUN_WORKER;
	if (thread)
		thread->running.address = 0;
	return 0;
}

/* Who completes it tells who worked on it last. */
static __always_inline void note_runner(struct thread_state *request)
{
	struct task_struct *task = current_task();
	struct thread_state *thread = find_thread(task_field(task, pid));

	if (thread && thread->tgid == request->tgid && request->run_by == WIRE_RUN_SUBMITTER &&
	    thread->start_ns != request->batch_ns)
		request->run_by |= WIRE_RUN_LATER;
}

static __always_inline int completed(void *ctx, u64 address, u64 user_data, s64 result, u32 flags)
{
	struct shot_key shot = { .ctx = (u64)ctx, .user_data = user_data };
	struct ring_key key = { .address = address };
	struct thread_state *request;
	struct ring_key *of_shot;
	u64 now;

	if (!rings_met)
		return 0;
	if (!address) {
		of_shot = bpf_map_lookup_elem(&shots, &shot);
		if (!of_shot)
			return 0;
		key = *of_shot;
	}
	request = bpf_map_lookup_elem(&ring_requests, &key);
	if (!request || !request->start_ns)
		return 0;
	now = bpf_ktime_get_ns();
	note_runner(request);
	if (request->op == WIRE_OP_URING + OP_SEND_ZC || request->op == WIRE_OP_URING + OP_SENDMSG_ZC) {
		request->call_flags |= MSG_ZEROCOPY;
		judge_zero_copy(request, true);
	} else if (!address && flags & IORING_CQE_F_MORE) { /* the next of its completions is a request that begins here */
		close_request(request, now, result, request->offset, 0);
		open_request(request, now, request->op);
		request->flags |= WIRE_REQUEST_MULTISHOT;
		touch(request);
		return 0;
	} else if (request->flags & WIRE_REQUEST_MULTISHOT) {
		bpf_map_delete_elem(&shots, &shot);
	}
	end_request(request, &key, now, result, 0);
	return 0;
}

SEC("?tp_btf/io_uring_complete")
int BPF_PROG(uring_complete, void *ring, void *req, u64 user_data, int result, u32 flags)
{
	return completed(ring, (u64)req, user_data, result, flags);
}

/* Since 6.18 it passes the completion itself. */
SEC("?tp_btf/io_uring_complete")
int BPF_PROG(uring_done, void *ring, void *req, struct io_uring_cqe *cqe)
{
	return completed(ring, (u64)req, BPF_CORE_READ(cqe, user_data), cqe->res, cqe->flags);
}

/* Instead of io_uring_complete where the completion ring is full, and as many-shot receives end then. */
SEC("?tp_btf/io_uring_cqe_overflow")
int BPF_PROG(uring_overflow, void *ring, u64 user_data, s32 result, u32 flags)
{
	return completed(ring, 0, user_data, result, flags);
}
