/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * From a request's descriptors to its files, and from its socket to whether zero copy was granted.
 */
#ifndef IOHOPS_DESCRIPTOR_H
#define IOHOPS_DESCRIPTOR_H

#include "file.h"
#include "request.h"

/* What the network devices do for it finds its way back by the socket. */
static __always_inline void meet_socket(struct thread_state *state, struct known_file *known)
{
	struct socket_owner owner = { .ino = known->ino, .tgid = state->tgid, .file = known->alias };
	u64 sk = socket_of((struct inode *)known->inode);

	if (sk && !bpf_map_update_elem(&sockets, &sk, &owner, BPF_ANY))
		sockets_met = true;
}

/* First use of a file by this thread since it used another in its place. */
static __noinline void meet_file(struct thread_state *state, struct known_file *known, u64 address)
{
	struct file *file = (void *)address;
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct open_file open = look_below(file, inode);

	known->verdicts = known->unwanted = 0;
	known->alias = file_alias(inode, BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt), open.variant,
				  open.below);
	known->open_flags = open.uncached ? O_DIRECT : 0;
	known->mark = open.mark;
	known->file = address;
	known->inode = (u64)inode;
	known->ino = BPF_CORE_READ(inode, i_ino);
	known->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	known->stacked = BPF_CORE_READ(inode, i_sb, s_magic) == OVERLAYFS_SUPER_MAGIC;
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFSOCK && known->alias)
		meet_socket(state, known);
}

static __noinline bool is_another(struct known_file *known, u64 address)
{
	struct file *file = (void *)address;

	return known->mark != mark_of(BPF_CORE_READ(file, private_data), BPF_CORE_READ(file, f_op));
}

/* A struct file or an inode can be reused at its address; all three alike is the same file, unless files have an inode
 * in common. */
static __always_inline bool is_known(struct known_file *known, u64 file, const bool cast)
{
	u64 inode = (u64)read_field_by(cast, struct file, file, f_inode);

	return known->file == file && known->inode == inode && known->alias &&
	       known->ino == read_field_by(cast, struct inode, inode, i_ino) &&
	       !(known->mark && is_another(known, file));
}

/* How it is open. */
static __always_inline u32 know_by(struct thread_state *state, struct known_file *known, u64 file, const bool cast)
{
	if (unlikely(!is_known(known, file, cast)))
		meet_file(state, known, file);
	return read_field_by(cast, struct file, file, f_flags) | known->open_flags;
}

static __always_inline u32 know(struct thread_state *state, struct known_file *known, u64 file)
{
	return can_cast ? know_by(state, known, file, true) : know_by(state, known, file, false);
}

/* The struct file that a descriptor stands for, remembered in `known`; 0: it cannot be resolved. */
static __always_inline u64 know_file(struct thread_state *state, struct known_file *known, struct files_struct *files,
				     s32 fd, u32 *open_flags)
{
	u64 file;

	if (can_cast) {
		file = file_of_fd(files, fd, true);
		if (file)
			*open_flags = know_by(state, known, file, true);
	} else {
		file = file_of_fd(files, fd, false);
		if (file)
			*open_flags = know_by(state, known, file, false);
	}
	return file;
}

/* Userspace judges a file when it reads its name: until then it is wanted. */
static __always_inline bool is_unwanted(struct known_file *known)
{
	if (known->verdicts != verdicts) {
		known->verdicts = verdicts;
		known->unwanted = bpf_map_lookup_elem(&unwanted_files, &known->alias) != NULL;
	}
	return known->unwanted;
}

static __noinline void resolve_none(struct thread_state *state)
{
	state->file = 0;
	state->open_flags = 0;
	if (state->fd >= 0)
		state->flags |= WIRE_REQUEST_FILE_UNKNOWN;
}

static __always_inline void resolve_by(struct thread_state *state, struct files_struct *files, const bool cast)
{
	s32 fd = state->fd;
	struct known_file *known = &state->known[fd & (KNOWN_FILES - 1)];
	u64 file = file_of_fd(files, fd, cast);

	if (unlikely(!file)) {
		resolve_none(state);
		return;
	}
	state->open_flags = know_by(state, known, file, cast);
	state->file = known->alias;
	if (judge_paths && is_unwanted(known) && !state->to_file)
		state->start_ns = 0; /* as if it had never been */
}

static __always_inline void resolve_file(struct thread_state *state, struct files_struct *files)
{
	if (can_cast)
		resolve_by(state, files, true);
	else
		resolve_by(state, files, false);
}

/* Where sendfile and its kin put the bytes. */
static __noinline __attribute__((unused)) void resolve_target(struct thread_state *state, struct task_struct *task)
{
	struct known_file *known = &state->known[KNOWN_TARGET];
	u32 open_flags;

	if (know_file(state, known, task_files(task), state->to_fd, &open_flags)) {
		state->to_file = known->alias;
		if (open_flags & O_DIRECT)
			state->flags |= WIRE_REQUEST_TO_DIRECT;
	}
	touch(state); /* its record has a detail */
}

/* A veth hands its packets to another of this machine. */
static __always_inline bool is_veth(struct net_device *dev)
{
	char kind[8] = {};

	bpf_probe_read_kernel_str(kind, sizeof(kind), BPF_CORE_READ(dev, rtnl_link_ops, kind));
	return *(u64 *)kind == ('v' | 'e' << 8 | 't' << 16 | 'h' << 24);
}

/* MSG_ZEROCOPY is a wish: without SO_ZEROCOPY, or where the device takes no lists of pages, the stack
 * copies at once; where the packet is handed to a local receiver, later (skb_orphan_frags_rx).
 * `asked_for`: io_uring's own operations need no SO_ZEROCOPY. */
static __always_inline void judge_zero_copy(struct thread_state *state, bool asked_for)
{
	const struct known_file *known = known_of(state);
	struct sock *sk = known->alias == state->file ? (void *)socket_of((struct inode *)known->inode) : NULL;
	u64 flag = bpf_core_enum_value(enum sock_flags, SOCK_ZEROCOPY);

	if (!sk || !(asked_for || BPF_CORE_READ(sk, __sk_common.skc_flags) >> flag & 1) ||
	    !(BPF_CORE_READ(sk, sk_route_caps) & NETIF_F_SG))
		return;
	state->flags |= WIRE_REQUEST_ZEROCOPY;
	struct net_device *dev = BPF_CORE_READ(sk, sk_dst_cache, dev);

	if (BPF_CORE_READ(dev, flags) & IFF_LOOPBACK)
		state->flags |= WIRE_REQUEST_LOOPBACK;
	else if (is_veth(dev))
		state->flags |= WIRE_REQUEST_VETH;
}

#endif /* IOHOPS_DESCRIPTOR_H */
