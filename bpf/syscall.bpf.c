// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * System calls that move bytes, write them back, or wait for either: sys_enter opens a request in the
 * thread's slot, sys_exit closes it with one record. What happens in between is gathered by the other
 * layers.
 *
 * Not seen: 32-bit system calls (counted as lost).
 *
 * The pair costs every process on the machine its slow system-call path (SYSCALL_WORK_SYSCALL_TRACEPOINT
 * is set on every task), 130-150 ns of which our filter is 15-30: a per-syscall tracepoint is no cheaper.
 */
#include "aio.h"
#include "mapping.h"
#include "thread.h"

/* msync names an address, not a descriptor. */
static __noinline void resolve_mapping(struct thread_state *state, struct task_struct *task)
{
	struct vma_facts facts = { .address = state->buffer };

	state->open_flags = 0;
	bpf_find_vma(task, state->buffer, read_vma, &facts, 0);
	state->file = facts.alias;
	if (facts.alias)
		state->offset = facts.offset;
	else
		state->flags |= WIRE_REQUEST_FILE_UNKNOWN;
}

static __noinline void resolve_no_mapping(struct thread_state *state)
{
	state->open_flags = 0;
	state->file = 0;
	state->flags |= WIRE_REQUEST_FILE_UNKNOWN;
}

/* What a thread left open when it makes a system call: a page fault that is over, or a call whose exit was missed:
 * the kernel counts the programs that it skips. */
static __noinline void end_last(struct thread_state *state, struct task_struct *task)
{
	if (state->op == WIRE_OP_PAGE_FAULT)
		close_fault(state, task);
	else
		state->start_ns = 0;
}

/* 32-bit programs' calls have other numbers; they are only counted. */
static __noinline int enter_compat(long number)
{
	if ((unsigned long)number < SYSCALLS && op_of_compat[number])
		count_loss(WIRE_LOSS_COMPAT);
	return 0;
}

static __always_inline int enter(struct pt_regs *regs, long number, bool find_vma)
{
	struct thread_state *state;
	struct task_struct *task;
	struct files_struct *files;
	u32 tid = running_thread();
	u16 op = 0;

	if (!tid)
		return 0;
	task = current_task();
	files = can_type_task ? at_once(task->files) : task_field(task, files);
	state = find_thread(tid);
	if (state && unlikely(state->start_ns))
		end_last(state, task);
	if (unlikely(is_compat_syscall(task)))
		return enter_compat(number);
	if (likely((unsigned long)number < SYSCALLS)) {
		/* Once more: 5.10 forgets the bounds of what was put aside on the stack, as compilers may do. */
		barrier_var(number);
		op = op_of_syscall[number & (SYSCALLS - 1)];
	}
	if (!op)
		return 0;
	if (unlikely(!state)) {
		state = add_thread(task);
		if (!state)
			return 0;
	}
	open_request(state, !tally || is_timed(state, op) ? bpf_ktime_get_ns() : UNTIMED, op);
	if (likely(op <= WIRE_OP_PWRITE64)) {
		read_buffer_arguments(state, regs);
	} else {
		read_other_arguments(state, regs);
		if (op == WIRE_OP_MSYNC) {
			if (find_vma)
				resolve_mapping(state, task);
			else
				resolve_no_mapping(state);
			return 0;
		}
		if ((op & ~7) == WIRE_OP_SENDFILE)
			resolve_target(state, task);
	}
	resolve_file(state, files);
	if (unlikely(op == WIRE_OP_IO_SUBMIT))
		submit_batch(state);
	return 0;
}

SEC("?tp_btf/sys_enter")
int BPF_PROG(syscall_enter, struct pt_regs *regs, long number)
{
	return enter(regs, number, true);
}

/* Before 5.17: not even a program that never gets there may name a callback. */
SEC("?tp_btf/sys_enter")
int BPF_PROG(syscall_enter_plain, struct pt_regs *regs, long number)
{
	return enter(regs, number, false);
}

/* The position after the call less what it moved is where it began, O_APPEND included. */
static __always_inline u64 offset_from_position(const struct known_file *known, s64 result)
{
	u64 file = known->file;

	if (!file || (u64)read_field(struct file, file, f_inode) != known->inode)
		return WIRE_UNKNOWN;
	s64 begin = read_field(struct file, file, f_pos) - (result > 0 ? result : 0);

	return begin < 0 ? WIRE_UNKNOWN : (u64)begin; /* a pipe or socket has no position */
}

/* What only the end of a call tells, other than a read's or a write's. */
static __noinline void finish_call(struct thread_state *state, s64 result)
{
	u32 op = state->op;

	if (op >= WIRE_OP_IO_URING_ENTER) {
		state->running.address = 0;
		if (op == WIRE_OP_IO_SUBMIT)
			end_batch(state, result);
		else if (op != WIRE_OP_IO_URING_ENTER)
			collect_events(state, result);
		return;
	}
	if (op == WIRE_OP_SENDMMSG || op == WIRE_OP_RECVMMSG) {
		touch(state);
		state->map_last = result > 0 ? sum_messages(state->argument, result) : 0;
	}
	if (state->call_flags & MSG_ZEROCOPY && (op == WIRE_OP_SENDTO || op == WIRE_OP_SENDMSG || op == WIRE_OP_SENDMMSG))
		judge_zero_copy(state, false);
	if (tally || (op & ~7) != WIRE_OP_SENDFILE)
		return;
	if (state->to_offset == WIRE_UNKNOWN && state->to_file)
		state->to_offset = offset_from_position(&state->known[KNOWN_TARGET], result);
	if (state->offset == WIRE_UNKNOWN && state->file)
		state->offset = offset_from_position(&state->known[state->fd & (KNOWN_FILES - 1)], result);
}

/* A stream that is asked for much reads straight into the program's memory, or writes out of it. */
static __always_inline void note_stream(struct thread_state *state, s64 result)
{
	if (result > 0 && state->op < WIRE_OP_FSYNC && state->buffer >= state->stream_buffer &&
	    state->buffer - state->stream_buffer < state->stream_bytes)
		state->stream_past += result;
}

static __always_inline int leave(struct pt_regs *regs, long result)
{
	struct thread_state *state;
	u32 tid = running_thread();
	u64 offset, now;

	if (!tid)
		return 0;
	state = find_thread(tid);
	if (!state || !state->start_ns)
		return 0;
	if (unlikely(state->op == WIRE_OP_PAGE_FAULT))
		return 0;
	now = end_time(state);
	if (unlikely(state->op >= WIRE_OP_FSYNC)) {
		finish_call(state, result);
		offset = state->offset;
	} else {
		offset = state->offset;
		if (unlikely(offset == WIRE_UNKNOWN) && !tally && !(state->flags & WIRE_REQUEST_FILE_UNKNOWN))
			offset = offset_from_position(&state->known[state->fd & (KNOWN_FILES - 1)], result);
	}
	if (watch_streams && state->stream_ns)
		note_stream(state, result);
	finish_request(state, now, result, offset, 0, true);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(syscall_exit, struct pt_regs *regs, long result)
{
	undisturbed(leave(regs, result));
	return 0;
}

/* Run once by userspace after everything is detached: requests that are still running, and page faults that nothing
 * closed. Only states that somebody owns are looked at: to read the others for the first time makes a guest's
 * hypervisor find memory for each page of them, 60 ms for all. */
static __noinline void close_open(struct thread_state *state)
{
	if (!state->tid || !state->start_ns)
		return;
	if (state->op != WIRE_OP_PAGE_FAULT) {
		u64 now = bpf_ktime_get_ns();

		if (state->out_ns && !tally)
			end_wait(state, now);
		close_request(state, now, 0, state->offset, WIRE_REQUEST_OPEN);
	} else if (state->file_fault) {
		close_request(state, state->last_event_ns, 0, state->offset, WIRE_REQUEST_END_UNKNOWN);
	}
}

static long close_slot(void *map, u32 *key, u32 *tid, void *context)
{
	u32 slot = *key;
	struct thread_state *state = bpf_map_lookup_elem(&threads, &slot);

	if (state)
		close_open(state);
	return 0;
}

static long close_place(void *map, u32 *key, struct thread_state *state, void *context)
{
	u32 place = *key;

	if (place < RING_REQUESTS && ring_places[place])
		close_open(state);
	return 0;
}

static long close_state(void *map, void *key, struct thread_state *state, void *context)
{
	close_open(state);
	return 0;
}

SEC("?syscall")
int syscall_leftovers(void *context)
{
	bpf_for_each_map_elem(&slot_owners, close_slot, NULL, 0);
	if (more_threads_used)
		bpf_for_each_map_elem(&more_threads, close_state, NULL, 0);
	if (!rings_met)
		return 0;
	bpf_for_each_map_elem(&place_states, close_place, NULL, 0);
	bpf_for_each_map_elem(&ring_requests, close_state, NULL, 0);
	return 0;
}
