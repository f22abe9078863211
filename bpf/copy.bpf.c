// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The bytes that the kernel's own copying functions report, added up in the open request of the thread:
 * what makes a CPU copy measured and not derived.
 *
 * The innermost ones (_copy_to_iter, copy_page_from_iter_atomic, ...) cannot be had: lib/ is compiled
 * without the entry that fexit programs need (EBUSY), and perf refuses kprobes on such functions (EINVAL,
 * within_notrace_func). So the functions that call them in a loop and return the sum are hooked: they
 * run once a request, which is cheaper, too.
 *
 * Each has three programs: one at its exit that sees arguments and result (fexit), and a pair (kprobe,
 * kretprobe) for kernels that refuse the first or have no type information of the function.
 *
 * Not seen: copy_to_user and copy_from_user (inline: procfs, eventfd), TCP's sendmsg, UDP datagrams in
 * one piece, the buffered write of btrfs. These stay derived.
 */
#include "socket.h"

struct iov_iter {
	u8 iter_type;
} __attribute__((preserve_access_index));
/* One word with the direction in its lowest bit up to 5.13 (8cd54c1c8480). */
struct iov_iter___pre_5_14 {
	unsigned int type;
} __attribute__((preserve_access_index));
enum iter_type {
	ITER_IOVEC,
	ITER_UBUF, /* since 6.0 */
};

/* Only the memory of applications counts. */
static __always_inline bool is_user(struct iov_iter *iter)
{
	u32 type;

	if (bpf_core_field_exists(iter->iter_type))
		type = BPF_CORE_READ(iter, iter_type);
	else
		type = BPF_CORE_READ((struct iov_iter___pre_5_14 *)iter, type) & ~1U;
	if (type == bpf_core_enum_value(enum iter_type, ITER_IOVEC))
		return true;
	return bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	       type == bpf_core_enum_value(enum iter_type, ITER_UBUF);
}

/* What a function's result says of the bytes that it copied. */
enum report {
	REPORT_SUM,	    /* the sum, or an error */
	REPORT_SUM_ON_TOP, /* the sum on top of the third argument (filemap_read) */
	REPORT_ALL,	    /* 0: all of the fourth argument */
};

/* x86 and arm64 return int in half a register. */
static __always_inline u64 reported(enum report report, u64 third, u64 fourth, s64 result)
{
	if (report == REPORT_ALL)
		return (s32)result ? 0 : (u32)fourth;
	if (result < 0)
		return 0;
	return report == REPORT_SUM_ON_TOP ? result - third : result;
}

/* The thread, if it has a read or write open. */
static __always_inline struct thread_state *copying_thread(u64 id)
{
	struct thread_state *state;

	if (!is_traced(id >> 32))
		return NULL;
	state = find_thread(id);
	state = state ? request_of(state) : NULL;
	return state && WIRE_OP_COPIES(state->op) ? state : NULL;
}

static __always_inline int add_copy(u64 id, struct thread_state *state, u32 hook, u64 bytes)
{
	if (state)
		state->copied += bytes;
	else if (copy_check_tid && (u32)id == copy_check_tid && hook < WIRE_COPY_HOOKS)
		copy_seen[hook] += bytes;
	return 0;
}

static __always_inline int at_exit(u64 *ctx, u64 iter, u32 hook, enum report report, u32 arguments)
{
	u64 id = bpf_get_current_pid_tgid(), result = 0;
	struct thread_state *state = copying_thread(id);

	if (!state && (u32)id != copy_check_tid)
		return 0;
	if (!is_user((struct iov_iter *)iter))
		return 0;
	bpf_get_func_ret(ctx, &result);
	return add_copy(id, state, hook,
			reported(report, arguments > 2 ? ctx[2] : 0, arguments > 3 ? ctx[3] : 0, result));
}

/* Between the kprobe and the kretprobe. The kernel can skip either (a probe in a probe; no room for another
 * return address): then what was copied is not known, and the request says so. */
enum { COPYING_NOT, COPYING_USER, COPYING_OTHER };

static __always_inline int at_entry(struct iov_iter *iter, enum report report, u64 third, u64 fourth)
{
	u64 id = bpf_get_current_pid_tgid(), argument = report == REPORT_ALL ? fourth : third;
	struct thread_state *state = copying_thread(id);

	if (state) {
		if (state->copying)
			state->flags |= WIRE_REQUEST_COPY_MISSED;
		state->copying = is_user(iter) ? COPYING_USER : COPYING_OTHER;
		state->copy_argument = argument;
	} else if (copy_check_tid && (u32)id == copy_check_tid) {
		copy_check_argument = argument;
	}
	return 0;
}

static __always_inline int at_return(u32 hook, enum report report, s64 result)
{
	u64 id = bpf_get_current_pid_tgid(), argument = copy_check_argument;
	struct thread_state *state = copying_thread(id);

	if (state) {
		u32 copying = state->copying;

		state->copying = COPYING_NOT;
		if (!copying)
			state->flags |= WIRE_REQUEST_COPY_MISSED;
		if (copying != COPYING_USER)
			return 0;
		argument = state->copy_argument;
	}
	return add_copy(id, state, hook, reported(report, argument, argument, result));
}

#if defined(__TARGET_ARCH_x86)
#define argument_0(regs) ((regs)->di)
#define argument_1(regs) ((regs)->si)
#define argument_2(regs) ((regs)->dx)
#define argument_3(regs) ((regs)->cx)
#define argument_4(regs) ((regs)->r8)
#define returned(regs) ((regs)->ax)
#else
#define argument_0(regs) ((regs)->regs[0])
#define argument_1(regs) ((regs)->regs[1])
#define argument_2(regs) ((regs)->regs[2])
#define argument_3(regs) ((regs)->regs[3])
#define argument_4(regs) ((regs)->regs[4])
#define returned(regs) ((regs)->regs[0])
#endif

/* `iter`: which argument the iterator is, counted from 0; `arguments`: those that are read. */
#define COPY_HOOK(name, function, hook, iter, report, arguments)                                        \
	SEC("?fexit/" #function) int name(u64 *ctx)                                                      \
	{                                                                                               \
		return at_exit(ctx, ctx[iter], hook, report, arguments);                                  \
	}                                                                                               \
	SEC("?kprobe/" #function) int k##name(struct pt_regs *regs)                                      \
	{                                                                                               \
		return at_entry((struct iov_iter *)argument_##iter(regs), report, argument_2(regs),       \
				argument_3(regs));                                                        \
	}                                                                                               \
	SEC("?kretprobe/" #function) int r##name(struct pt_regs *regs)                                   \
	{                                                                                               \
		return at_return(hook, report, returned(regs));                                           \
	}

/* Page cache to user. The first up to 5.11. */
COPY_HOOK(copy_read_old, generic_file_buffered_read, WIRE_COPY_READ_OLD, 1, REPORT_SUM_ON_TOP, 3)
COPY_HOOK(copy_read, filemap_read, WIRE_COPY_READ, 1, REPORT_SUM_ON_TOP, 3)
COPY_HOOK(copy_shmem, shmem_file_read_iter, WIRE_COPY_SHMEM, 1, REPORT_SUM, 2)
/* User to page cache: ext4, tmpfs and most others; xfs, gfs2, zonefs. */
COPY_HOOK(copy_write, generic_perform_write, WIRE_COPY_WRITE, 1, REPORT_SUM, 2)
COPY_HOOK(copy_iomap, iomap_file_buffered_write, WIRE_COPY_IOMAP, 1, REPORT_SUM, 2)
/* Pipes: the first two up to about 6.15. */
COPY_HOOK(copy_pipe_in_o, pipe_write, WIRE_COPY_PIPE_IN_OLD, 1, REPORT_SUM, 2)
COPY_HOOK(copy_pipe_o, pipe_read, WIRE_COPY_PIPE_OUT_OLD, 1, REPORT_SUM, 2)
COPY_HOOK(copy_pipe_in, anon_pipe_write, WIRE_COPY_PIPE_IN, 1, REPORT_SUM, 2)
COPY_HOOK(copy_pipe, anon_pipe_read, WIRE_COPY_PIPE_OUT, 1, REPORT_SUM, 2)
/* Sockets: what is received (TCP, unix, UDP in pieces), what is sent (unix). */
COPY_HOOK(copy_skb, skb_copy_datagram_iter, WIRE_COPY_SOCKET_OUT, 2, REPORT_ALL, 4)
COPY_HOOK(copy_skb_in, skb_copy_datagram_from_iter, WIRE_COPY_SOCKET_IN, 2, REPORT_ALL, 4)
/* Persistent memory without page cache (DAX). Their caller, dax_iomap_rw, counts the zeros of holes, too, which are no
 * copy. */
COPY_HOOK(copy_dax, dax_copy_to_iter, WIRE_COPY_DAX_OUT, 4, REPORT_SUM, 5)
COPY_HOOK(copy_dax_in, dax_copy_from_iter, WIRE_COPY_DAX_IN, 4, REPORT_SUM, 5)

struct skb_shared_info {
	void *destructor_arg;
} __attribute__((preserve_access_index));

/* The bytes of a packet if they are what the thread's open request lent with MSG_ZEROCOPY. A receiver on this machine
 * gets copies (skb_orphan_frags_rx), made in the softirq that delivers them: as a rule on top of the sender, before
 * its call returns. By then loopback_xmit has taken the sender's name off the packet, but the notification that it
 * holds is a buffer of the socket's (msg_zerocopy_realloc). io_uring's is not; that stays derived. */
static __always_inline u64 lent_bytes(struct thread_state *state, struct sk_buff *skb)
{
	const struct known_file *known = known_of(state);
	struct skb_shared_info *shared = (void *)BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end);
	struct sk_buff *notice = BPF_CORE_READ(shared, destructor_arg) - bpf_core_field_offset(struct sk_buff, cb);
	u64 sk = known->alias == state->file ? socket_of((struct inode *)known->inode) : 0;

	return sk && (u64)BPF_CORE_READ(notice, sk) == sk ? BPF_CORE_READ(skb, data_len) : 0;
}

SEC("?fexit/skb_copy_ubufs") int copy_lent(u64 *ctx)
{
	struct thread_state *state = copying_thread(bpf_get_current_pid_tgid());
	u64 failed = 0;

	if (!state)
		return 0;
	bpf_get_func_ret(ctx, &failed);
	if (!(s32)failed)
		state->copied += lent_bytes(state, (struct sk_buff *)ctx[0]);
	return 0;
}

SEC("?kprobe/skb_copy_ubufs") int kcopy_lent(struct pt_regs *regs)
{
	struct thread_state *state = copying_thread(bpf_get_current_pid_tgid());

	if (state && !state->copying)
		state->copy_argument = lent_bytes(state, (struct sk_buff *)argument_0(regs));
	return 0;
}

SEC("?kretprobe/skb_copy_ubufs") int rcopy_lent(struct pt_regs *regs)
{
	struct thread_state *state = copying_thread(bpf_get_current_pid_tgid());

	if (!state || state->copying)
		return 0;
	if (!(s32)returned(regs))
		state->copied += state->copy_argument;
	state->copy_argument = 0;
	return 0;
}
