// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Requests of io_uring, from their submission to their completion, whichever thread works on them.
 *
 * The key is the address of the request's struct io_kiocb. What the submitting thread does from one
 * submission to the next belongs to the first; what a thread of the pool (io-wq) does, to the request
 * that its io_worker names.
 *
 * Not seen: where the last request of a batch stops being worked on before the thread runs completion
 * work of others (no tracepoint): what that reads ahead can be charged to it. Kernels before 6.0, whose
 * tracepoint names no request. Requests that asked for no completion (IOSQE_CQE_SKIP_SUCCESS) end unseen, and so
 * do those with one completion for which the ring has no room (io_uring_cqe_overflow names none).
 */
#include "entry.h"
#include "place.h"
#include "same_ring.h"
#include "thread.h"

#define IORING_CQE_F_MORE 2

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
	u32 index = request->fd;
	struct known_file *known = &thread->known[index & (KNOWN_FILES - 1)];
	u64 file = fixed_file(BPF_CORE_READ(req, ctx), index);

	if (!file) {
		forget_file(&request->known[0]);
		request->flags |= WIRE_REQUEST_FILE_UNKNOWN;
		return;
	}
	request->open_flags = know(thread, known, file);
	request->file = known->alias;
	request->fd = -1;
	request->known[0] = *known;
}

static __always_inline int submitted(struct io_kiocb *req)
{
	struct task_struct *task = current_task();
	struct thread_state *thread, *request;
	struct files_struct *files;
	struct ring_key key = {};
	u32 op = req->opcode;

	if (!is_traced(task_field(task, tgid)) || !(ring_ops >> (op & 63) & 1))
		return 0;
	files = task_files(task); /* here, where one path leads: see at_once() */
	thread = find_thread(task_field(task, pid)) ?: add_thread(task); /* SQPOLL's makes no system calls */
	if (!thread)
		return 0;
	*(volatile u64 *)&thread->running.address = (u64)req;
	thread->running.tgid = thread->running.unused = 0;
	key.address = *(volatile u64 *)&thread->running.address; /* a number now: with a pointer nothing can be counted */
	request = request_at(&key, place_of(key.address)) ?: place_request(&key);
	request = submit_request(thread, request, WIRE_OP_URING + op);
	if (!request)
		return 0;
	request->fd = req->cqe.fd;
	request->run_flags = req->flags & REQ_F_SUBMITTED;
	read_submission(request, req);
	if (op == OP_SPLICE || op == OP_TEE)
		read_splice(request, thread, req, files);
	if (is_fixed(request, req))
		resolve_fixed(request, thread, req);
	else
		resolve_request(request, thread, files);
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
	struct thread_state *request, *thread;
	struct ring_key key = {};
	u64 pointer = (u64)req;

	if (!rings_met)
		return 0;
	bpf_probe_read_kernel(&key.address, sizeof(key.address), &pointer); /* to the verifier, a number */
	request = find_request(&key);
	thread = request ? find_thread(task_field(current_task(), pid)) : NULL;
	if (request)
		request->run_by |= WIRE_RUN_WORKER;
	if (thread)
		thread->running.address = 0;
	return 0;
}

/* Who completes it tells who worked on it last. The thread that runs, if it is the submitter. */
static __always_inline struct thread_state *note_runner(struct thread_state *request)
{
	struct task_struct *task = current_task();
	struct thread_state *thread = find_thread(task_field(task, pid));

	if (thread && thread->tgid == request->tgid && request->run_by == WIRE_RUN_SUBMITTER &&
	    thread->start_ns != request->batch_ns)
		request->run_by |= WIRE_RUN_LATER;
	return thread && thread->tid == request->tid ? thread : NULL;
}

static __always_inline int completed(void *ctx, u64 address, u64 user_data, s64 result, u32 flags)
{
	struct shot_key shot = { .ctx = (u64)ctx, .user_data = user_data };
	struct ring_key key = { .address = address };
	struct thread_state *request, *thread;
	bool more = !address && flags & IORING_CQE_F_MORE;
	struct ring_key *of_shot;
	u64 now;
	u32 place;
	s32 fd;

	if (!rings_met)
		return 0;
	if (!address) {
		of_shot = bpf_map_lookup_elem(&shots, &shot);
		if (!of_shot)
			return 0;
		key = *of_shot;
	}
	place = find_place(key.address); /* not inline: the verifier would walk all that follows for each of its ways */
	request = request_at(&key, place);
	if (!request || !request->start_ns)
		return 0;
	now = bpf_ktime_get_ns();
	thread = note_runner(request);
	if (request->op == WIRE_OP_URING + OP_SEND_ZC || request->op == WIRE_OP_URING + OP_SENDMSG_ZC) {
		request->call_flags |= MSG_ZEROCOPY;
		judge_zero_copy(request, true);
		more = false;
	}
	end_ring_request(thread, request, now, result);
	if (more) { /* the next of its completions is a request that begins here */
		fd = request->fd;
		open_request(request, now, request->op);
		request->fd = fd;
		request->flags |= WIRE_REQUEST_MULTISHOT;
		return 0;
	}
	if (request->flags & WIRE_REQUEST_MULTISHOT)
		bpf_map_delete_elem(&shots, &shot);
	forget_request(&key, place);
	return 0;
}

SEC("?tp_btf/io_uring_complete")
int BPF_PROG(uring_complete, void *ring, void *req, u64 user_data, int result, u32 flags)
{
	undisturbed(completed(ring, (u64)req, user_data, result, flags));
	return 0;
}

/* Since 6.18 it passes the completion itself. */
SEC("?tp_btf/io_uring_complete")
int BPF_PROG(uring_done, void *ring, void *req, struct io_uring_cqe *cqe)
{
	undisturbed(completed(ring, (u64)req, cqe->user_data, cqe->res, cqe->flags));
	return 0;
}

/* Instead of io_uring_complete where the completion ring is full, and as many-shot receives end then. */
SEC("?tp_btf/io_uring_cqe_overflow")
int BPF_PROG(uring_overflow, void *ring, u64 user_data, s32 result, u32 flags)
{
	undisturbed(completed(ring, 0, user_data, result, flags));
	return 0;
}
