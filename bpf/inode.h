/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * The name of a file that neither a descriptor nor a mapping led to.
 */
#ifndef IOHOPS_INODE_H
#define IOHOPS_INODE_H

#include "file.h"

/* d_alias is in the union d_u in 6.18, and no more in 7.3. */
struct dentry___flat {
	struct hlist_node d_alias;
} __attribute__((preserve_access_index));

/* The mounts of a file system are in a list_head in 6.12, and no more in 6.18. */
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

#endif /* IOHOPS_INODE_H */
