/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * What a system call was asked to do: its arguments, read at its entry into the thread's slot. They are
 * taken there and not at the exit because arm64 has overwritten the first by then.
 *
 * Reads and writes are the hot path and inline; everything else goes through functions of its own, so
 * that the verifier walks it once and the hot path's code stays short.
 */
#ifndef IOHOPS_CALL_H
#define IOHOPS_CALL_H

#include "track.h"

#define UIO_MAXIOV 1024
#define IOVECS 8
#define MESSAGES 4

struct user_iovec {
	u64 base;
	u64 length;
};

/* struct user_msghdr and mmsghdr of the 64-bit ABI. */
struct user_message {
	u64 name;
	u64 name_bytes;
	u64 vector;
	u64 vector_length;
	u64 control;
	u64 control_bytes;
	u64 flags;
	u32 moved; /* mmsghdr.msg_len */
	u32 padding;
};

/* Sums of arrays in user memory, IOVECS and MESSAGES entries a read (82 ns). Global functions, which are verified
 * once: the loops around them are walked round by round. Before 5.12 those take no pointer, so the address is a
 * number. WIRE_UNKNOWN: not readable. */
__noinline __weak u64 sum_some_iovecs(u64 array, u32 count)
{
	struct user_iovec vecs[IOVECS] = {};
	u64 sum = 0;

	if (count > IOVECS)
		count = IOVECS;
	if (bpf_probe_read_user(vecs, count * sizeof(vecs[0]), (void *)array))
		return WIRE_UNKNOWN;
	for (u32 i = 0; i < IOVECS; i++)
		sum += vecs[i].length;
	return sum;
}

/* `at` below `count`, told so that the bound above it stays a constant to the verifier: clang 19 makes both one
 * comparison with the lesser, whose range 5.10 does not know. */
static __always_inline bool is_below(u32 at, u32 count)
{
	barrier_var(at);
	barrier_var(count);
	return at < count;
}

__noinline __weak u64 sum_iovecs(u64 array, u32 count)
{
	u64 sum = 0;

	if (count > UIO_MAXIOV)
		return WIRE_UNKNOWN; /* the kernel refuses more, too */
	for (u32 at = 0; at < UIO_MAXIOV && is_below(at, count); at += IOVECS) {
		u64 some = sum_some_iovecs(array + at * sizeof(struct user_iovec), count - at);

		if (some == WIRE_UNKNOWN)
			return some;
		sum += some;
	}
	return sum;
}

__noinline __weak u64 sum_some_messages(u64 array, u32 count)
{
	struct user_message messages[MESSAGES] = {};
	u64 sum = 0;

	if (count > MESSAGES)
		count = MESSAGES;
	if (bpf_probe_read_user(messages, count * sizeof(messages[0]), (void *)array))
		return WIRE_UNKNOWN;
	for (u32 i = 0; i < MESSAGES; i++)
		sum += messages[i].moved;
	return sum;
}

/* What sendmmsg and recvmmsg moved, once they have filled in the lengths. */
__noinline __weak u64 sum_messages(u64 array, u32 count)
{
	u64 sum = 0;

	for (u32 at = 0; at < UIO_MAXIOV && is_below(at, count); at += MESSAGES) {
		u64 some = sum_some_messages(array + at * sizeof(struct user_message), count - at);

		if (some == WIRE_UNKNOWN)
			return some;
		sum += some;
	}
	return sum;
}

static __always_inline void read_vector(struct thread_state *state, u64 vector, u32 segments)
{
	u64 first = 0;

	state->segments = segments;
	state->requested = sum_iovecs(vector, segments);
	if (segments)
		bpf_probe_read_user(&first, sizeof(first), (void *)vector);
	state->buffer = first;
}

/* The offset that a pointer to one names; without a pointer the file's own position counts. */
static __always_inline u64 offset_at(u64 pointer)
{
	u64 offset = WIRE_UNKNOWN;

	if (pointer)
		bpf_probe_read_user(&offset, sizeof(offset), (void *)pointer);
	return offset;
}

static __noinline void read_message_arguments(struct thread_state *state, struct pt_regs *regs)
{
	struct user_message message = {};

	state->call_flags = syscall_arg3(regs);
	switch (state->op) {
	case WIRE_OP_SENDMSG:
	case WIRE_OP_RECVMSG:
		state->call_flags = syscall_arg2(regs);
		bpf_probe_read_user(&message, 32, (void *)state->buffer);
		read_vector(state, message.vector, message.vector_length);
		return;
	case WIRE_OP_SENDMMSG:
	case WIRE_OP_RECVMMSG:
		state->argument = state->buffer;
		state->segments = syscall_arg2(regs);
		state->requested = WIRE_UNKNOWN;
		bpf_probe_read_user(&message, 32, (void *)state->buffer);
		state->buffer = 0;
		if (message.vector)
			bpf_probe_read_user(&state->buffer, sizeof(state->buffer), (void *)message.vector);
		return;
	default: /* sendto, recvfrom: buffer and length as read(2) has them */
		return;
	}
}

static __noinline void read_move_arguments(struct thread_state *state, struct pt_regs *regs)
{
	state->to_offset = WIRE_UNKNOWN;
	state->to_fd = -1;
	switch (state->op) {
	case WIRE_OP_SENDFILE:
		state->to_fd = state->fd;
		state->fd = syscall_arg1(regs);
		state->offset = offset_at(syscall_arg2(regs));
		state->requested = syscall_arg3(regs);
		state->buffer = 0;
		return;
	case WIRE_OP_TEE:
		state->to_fd = syscall_arg1(regs);
		state->requested = syscall_arg2(regs);
		state->call_flags = syscall_arg3(regs);
		state->buffer = 0;
		return;
	case WIRE_OP_VMSPLICE:
		state->call_flags = syscall_arg3(regs);
		read_vector(state, syscall_arg1(regs), syscall_arg2(regs));
		return;
	default: /* splice, copy_file_range */
		state->offset = offset_at(syscall_arg1(regs));
		state->to_fd = syscall_arg2(regs);
		state->to_offset = offset_at(syscall_arg3(regs));
		state->requested = syscall_arg4(regs);
		state->call_flags = syscall_arg5(regs);
		state->buffer = 0;
	}
}

/* Calls that wait for others, or hand requests to a ring and collect them: how many, of how many. */
static __always_inline void read_wait_arguments(struct thread_state *state, struct pt_regs *regs)
{
	switch (state->op) {
	case WIRE_OP_POLL:
	case WIRE_OP_PPOLL:
		state->requested = syscall_arg1(regs);
		break;
	case WIRE_OP_SELECT:
	case WIRE_OP_PSELECT6:
		state->requested = syscall_arg0(regs);
		break;
	case WIRE_OP_IO_SUBMIT:
		state->requested = syscall_arg1(regs);
		state->argument = syscall_arg2(regs);
		break;
	case WIRE_OP_IO_GETEVENTS:
	case WIRE_OP_IO_PGETEVENTS:
		state->argument = syscall_arg3(regs);
		break; /* requested: the most that it takes, the third argument */
	case WIRE_OP_IO_URING_ENTER:
		state->requested = syscall_arg1(regs);
		state->call_flags = syscall_arg3(regs);
		state->buffer = 0;
		return; /* it has a descriptor, as has epoll_wait */
	default:
		state->buffer = 0;
		return;
	}
	state->buffer = 0;
	state->fd = -1;
}

/* read, write, pread, pwrite; what others have in common with them. */
static __always_inline void read_buffer_arguments(struct thread_state *state, struct pt_regs *regs)
{
	state->fd = syscall_arg0(regs);
	state->buffer = syscall_arg1(regs);
	state->requested = syscall_arg2(regs);
	state->offset = state->op >= WIRE_OP_PREAD64 ? syscall_arg3(regs) : WIRE_UNKNOWN;
	state->how = 1; /* segment, and no flags */
}

static __always_inline void read_rare_arguments(struct thread_state *state, struct pt_regs *regs)
{
	switch (state->op) {
	case WIRE_OP_SYNC_FILE_RANGE:
		state->buffer = 0;
		state->offset = syscall_arg1(regs);
		state->requested = syscall_arg2(regs);
		state->call_flags = syscall_arg3(regs);
		return;
	case WIRE_OP_MSYNC:
		state->fd = -1;
		state->buffer = syscall_arg0(regs);
		state->requested = syscall_arg1(regs);
		state->call_flags = syscall_arg2(regs);
		return;
	case WIRE_OP_FSYNC:
	case WIRE_OP_FDATASYNC:
	case WIRE_OP_SYNCFS:
		state->buffer = 0;
		state->requested = WIRE_UNKNOWN;
		return;
	case WIRE_OP_SYNC:
		state->fd = -1;
		state->buffer = 0;
		state->requested = WIRE_UNKNOWN;
		return;
	}
	if (state->op >= WIRE_OP_POLL)
		read_wait_arguments(state, regs);
	else if (state->op >= WIRE_OP_SENDFILE)
		read_move_arguments(state, regs);
	else
		read_message_arguments(state, regs);
}

static __noinline __attribute__((unused)) void read_other_arguments(struct thread_state *state, struct pt_regs *regs)
{
	read_buffer_arguments(state, regs);
	state->offset = WIRE_UNKNOWN;
	switch (state->op) {
	case WIRE_OP_PREADV2:
	case WIRE_OP_PWRITEV2:
		state->call_flags = syscall_arg5(regs);
		/* fall through */
	case WIRE_OP_PREADV:
	case WIRE_OP_PWRITEV:
		/* -1 means "the file position" to preadv2 and pwritev2 */
		state->offset = syscall_arg3(regs);
		/* fall through */
	case WIRE_OP_READV:
	case WIRE_OP_WRITEV:
		read_vector(state, state->buffer, syscall_arg2(regs));
		return;
	default:
		read_rare_arguments(state, regs);
	}
}

#endif /* IOHOPS_CALL_H */
