/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * --light: no system call is traced. What happens in one is known by its thread alone, and page faults are the only
 * requests. Without the knob all of this is dead code.
 */
#ifndef IOHOPS_LIGHT_H
#define IOHOPS_LIGHT_H

#include "file.h"
#include "name.h"
#include "request.h"


/* d_alias was in the union d_u up to 6.19. */
struct dentry___flat {
	struct hlist_node d_alias;
} __attribute__((preserve_access_index));

/* The mounts of a file system were in a list up to 6.17. */
struct mount___list {
	struct list_head mnt_instance;
} __attribute__((preserve_access_index));
struct super_block___list {
	struct list_head s_mounts;
} __attribute__((preserve_access_index));

#define MOUNTS 16 /* that are looked at */

/* Where the process sees the whole file system of an inode, as a struct vfsmount. 0: nowhere, or its mount is one of
 * many. The list is walked while it may change: what is not a mount is not in the process's name space. */
__noinline __weak u64 mount_of(u64 inode_address)
{
	struct super_block *sb = BPF_CORE_READ((struct inode *)inode_address, i_sb);
	struct dentry *root = BPF_CORE_READ(sb, s_root);
	void *name_space = BPF_CORE_READ((struct task_struct *)current_task(), nsproxy, mnt_ns);
	bool list = bpf_core_field_exists(((struct mount___list *)0)->mnt_instance);
	struct mount *mount;
	void *next;

	if (list)
		next = BPF_CORE_READ((struct super_block___list *)sb, s_mounts.next);
	else
		next = BPF_CORE_READ(sb, s_mounts);
	for (int i = 0; i < MOUNTS && next; i++) {
		mount = list ? next - bpf_core_field_offset(struct mount___list, mnt_instance) : next;
		if (BPF_CORE_READ(mount, mnt_ns) == name_space && BPF_CORE_READ(mount, mnt.mnt_root) == root)
			return (u64)mount + bpf_core_field_offset(struct mount, mnt);
		if (list)
			next = BPF_CORE_READ((struct mount___list *)mount, mnt_instance.next);
		else
			next = BPF_CORE_READ(mount, mnt_next_for_sb);
	}
	return 0;
}

/* An exception has no number: x86 sets orig_ax to -1 in its entry (idtentry_body; fred.c), arm64 syscallno
 * (kernel_entry). */
static __always_inline bool is_in_call(struct task_struct *task)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

#if defined(__TARGET_ARCH_x86)
	return (long)regs->orig_ax >= 0;
#else
	return regs->syscallno >= 0;
#endif
}

/* find_open(), but a page fault that is over is closed: its thread is in a system call, which nothing has told us.
 * Before maj_flt counts a fault of the kernel itself there: that one waits or adds pages first. */
static __always_inline struct thread_state *find_below(struct task_struct *task)
{
	struct thread_state *state = find_open(task);

	if (!light || !can_see_calls || !state || !is_in_call(task))
		return state;
	close_fault(state, task);
	return NULL;
}

/* A file that no descriptor led to, by any of its names; without its mount, up to the root of its file system. */
static __noinline __attribute__((unused)) u32 name_inode(struct inode *inode)
{
	struct file_key key = {
		.ino = BPF_CORE_READ(inode, i_ino),
		.dev = BPF_CORE_READ(inode, i_sb, s_dev),
		.generation = BPF_CORE_READ(inode, i_generation),
	};
	u32 *known = bpf_map_lookup_elem(&files, &key);
	struct dentry *dentry = NULL;
	void *alias;

	if (known)
		return *known;
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFBLK)
		return 0; /* a file system's metadata */
	alias = BPF_CORE_READ(inode, i_dentry.first);
	if (alias && bpf_core_field_exists(((struct dentry___flat *)0)->d_alias))
		dentry = alias - bpf_core_field_offset(struct dentry___flat, d_alias);
	else if (alias)
		dentry = alias - bpf_core_field_offset(struct dentry, d_u.d_alias);
	return file_alias(inode, dentry, (void *)mount_of((u64)inode), 0, 0);
}

/* The process of a thread that does I/O in a system call. */
static __always_inline void name_process(struct task_struct *task)
{
	u32 tgid = task_field(task, tgid), tid = task_field(task, pid);

	if (bpf_map_lookup_elem(&named_processes, &tgid))
		return;
	if (bpf_map_update_elem(&named_processes, &tgid, &tid, BPF_NOEXIST) == 0)
		emit_process(task, WIRE_PROCESS_SEEN);
}

#endif /* IOHOPS_LIGHT_H */
