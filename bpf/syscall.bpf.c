// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * System calls of the read, write and sync families: sys_enter opens a request in the thread's slot,
 * sys_exit closes it with one record. What happens in between is gathered by the other layers.
 *
 * Not seen: io_uring and libaio operations, sockets' own calls (send, recv, sendfile, ...), 32-bit
 * system calls (counted as lost).
 *
 * The pair costs every process on the machine its slow system-call path (SYSCALL_WORK_SYSCALL_TRACEPOINT
 * is set on every task), 130-150 ns of which our filter is 15-30: a per-syscall tracepoint is no cheaper.
 */
#include "mapping.h"
#include "socket.h"
#include "thread.h"

char LICENSE[] SEC("license") __weak = "Dual BSD/GPL";

#define S_IFMT 00170000
#define UIO_MAXIOV 1024
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define IOVECS 8

struct user_iovec {
	u64 base;
	u64 length;
};

/* Sum of an iovec array. WIRE_UNKNOWN: not readable. Up to IOVECS of them are one read (82 ns); a global
 * function, verified once. (Before 5.12 those take no pointer, so the first base is read by the caller.) */
__noinline __weak u64 sum_iovecs(u64 array, u32 count)
{
	struct user_iovec vecs[IOVECS] = {};
	u64 sum = 0;

	if (count == 0 || count > UIO_MAXIOV)
		return count ? WIRE_UNKNOWN : 0; /* the kernel refuses more, too */
	if (count <= IOVECS) {
		if (bpf_probe_read_user(vecs, count * sizeof(vecs[0]), (void *)array))
			return WIRE_UNKNOWN;
		for (u32 i = 0; i < IOVECS; i++)
			sum += vecs[i].length;
		return sum;
	}
	for (u32 i = 0; i < UIO_MAXIOV; i++) {
		if (i >= count)
			break;
		if (bpf_probe_read_user(vecs, sizeof(vecs[0]), (void *)(array + i * sizeof(vecs[0]))))
			return WIRE_UNKNOWN;
		sum += vecs[0].length;
	}
	return sum;
}

/* Reads the arguments into the slot. They are taken here and not at the exit because arm64 has
 * overwritten the first by then. */
static __always_inline void read_arguments(struct thread_state *state, struct pt_regs *regs, u16 op)
{
	u64 first = 0;

	state->fd = syscall_arg0(regs);
	state->buffer = syscall_arg1(regs);
	state->requested = syscall_arg2(regs);
	state->offset = WIRE_UNKNOWN;
	state->segments = 1;
	state->call_flags = 0;
	switch (op) {
	case WIRE_OP_READ:
	case WIRE_OP_WRITE:
		return;
	case WIRE_OP_PREAD64:
	case WIRE_OP_PWRITE64:
		state->offset = syscall_arg3(regs);
		return;
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
		state->segments = syscall_arg2(regs);
		state->requested = sum_iovecs(state->buffer, state->segments);
		if (state->segments)
			bpf_probe_read_user(&first, sizeof(first), (void *)state->buffer);
		state->buffer = first;
		return;
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
	default: /* fsync, fdatasync */
		state->buffer = 0;
		state->requested = WIRE_UNKNOWN;
	}
}

/* What the network devices do for it finds its way back by the socket. */
static __always_inline void meet_socket(struct thread_state *state, struct file *file)
{
	struct socket_owner owner = { .ino = state->last_ino, .tgid = state->tgid, .file = state->file };
	u64 sk = socket_of(file);

	if (sk && !bpf_map_update_elem(&sockets, &sk, &owner, BPF_ANY))
		sockets_met = true;
}

/* First use of a file by this thread since it used another. */
static __noinline void meet_file(struct thread_state *state, u64 address)
{
	struct file *file = (void *)address;
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	state->file = file_alias(inode, BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt));
	state->last_file = address;
	state->last_inode = (u64)inode;
	state->last_ino = BPF_CORE_READ(inode, i_ino);
	state->last_dev = BPF_CORE_READ(inode, i_sb, s_dev);
	state->last_stacked = BPF_CORE_READ(inode, i_sb, s_magic) == OVERLAYFS_SUPER_MAGIC;
	state->last_alias = state->file;
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFSOCK && state->file)
		meet_socket(state, file);
}

static __always_inline void resolve_file(struct thread_state *state, struct task_struct *task)
{
	u64 file = file_of_fd(task, state->fd);

	if (!file) {
		state->file = 0;
		state->open_flags = 0;
		state->flags |= WIRE_REQUEST_FILE_UNKNOWN;
		return;
	}
	u64 inode = (u64)read_field(struct file, file, f_inode);

	state->open_flags = read_field(struct file, file, f_flags);
	/* A struct file or an inode can be reused at its address; all three alike is the same file. */
	if (state->last_file == file && state->last_inode == inode && state->last_alias &&
	    state->last_ino == read_field(struct inode, inode, i_ino)) {
		state->file = state->last_alias;
		return;
	}
	meet_file(state, file);
}

/* msync names an address, not a descriptor. */
static __always_inline void resolve_mapping(struct thread_state *state, struct task_struct *task, bool find_vma)
{
	struct vma_facts facts = { .address = state->buffer };

	state->open_flags = 0;
	if (find_vma)
		bpf_find_vma(task, state->buffer, read_vma, &facts, 0);
	state->file = facts.alias;
	if (facts.alias)
		state->offset = facts.offset;
	else
		state->flags |= WIRE_REQUEST_FILE_UNKNOWN;
}

static __always_inline int enter(struct pt_regs *regs, long number, bool find_vma)
{
	struct task_struct *task = current_task();
	struct thread_state *state;
	u16 op = 0;

	if (!is_traced(task_field(task, tgid)))
		return 0;
	if ((unsigned long)number < SYSCALLS)
		op = op_of_syscall[number];
	state = find_thread(task_field(task, pid));
	if (state && state->start_ns) {
		if (state->op == WIRE_OP_PAGE_FAULT)
			close_fault(state, task);
		else
			state->start_ns = 0; /* its exit was missed; entered - written tells */
	}
	if (!op)
		return 0;
	if (is_compat_syscall(task)) {
		count_loss(WIRE_LOSS_COMPAT);
		return 0;
	}
	if (!state) {
		state = add_thread(task);
		if (!state)
			return 0;
	}
	open_request(state, bpf_ktime_get_ns(), op);
	read_arguments(state, regs, op);
	if (op == WIRE_OP_MSYNC)
		resolve_mapping(state, task, find_vma);
	else
		resolve_file(state, task);
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
static __always_inline u64 offset_from_position(struct thread_state *state, s64 result)
{
	u64 file = state->last_file;

	if (!file || (state->flags & WIRE_REQUEST_FILE_UNKNOWN) ||
	    (u64)read_field(struct file, file, f_inode) != state->last_inode)
		return WIRE_UNKNOWN;
	s64 begin = read_field(struct file, file, f_pos) - (result > 0 ? result : 0);

	return begin < 0 ? WIRE_UNKNOWN : (u64)begin; /* a pipe or socket has no position */
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(syscall_exit, struct pt_regs *regs, long result)
{
	struct task_struct *task = current_task();
	struct thread_state *state;
	u64 offset, now;

	if (!is_traced(task_field(task, tgid)))
		return 0;
	state = find_thread(task_field(task, pid));
	if (!state || !state->start_ns || state->op == WIRE_OP_PAGE_FAULT)
		return 0;
	now = bpf_ktime_get_ns();
	offset = state->offset;
	if (offset == WIRE_UNKNOWN && state->op <= WIRE_OP_PWRITEV2 && !tally)
		offset = offset_from_position(state, result);
	close_request(state, now, result, offset, 0);
	return 0;
}

/* Run once by userspace after everything is detached: requests that are still running, and page
 * faults that nothing closed. */
static long close_leftover(void *map, u32 *key, struct thread_state *state, void *context)
{
	if (!state->tid || !state->start_ns)
		return 0;
	if (state->op != WIRE_OP_PAGE_FAULT)
		close_request(state, bpf_ktime_get_ns(), 0, state->offset, WIRE_REQUEST_OPEN);
	else if (state->file_fault)
		close_request(state, state->last_event_ns, 0, state->offset, WIRE_REQUEST_END_UNKNOWN);
	return 0;
}

SEC("?syscall")
int syscall_leftovers(void *context)
{
	bpf_for_each_map_elem(&threads, close_leftover, NULL, 0);
	bpf_for_each_map_elem(&more_threads, close_leftover, NULL, 0);
	return 0;
}
