/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * What the inode of an open file does not tell: where an overlay has the data, that a FUSE server wants no
 * page cache, which of the kernel's anonymous files it is. Looked at when a thread meets a file.
 */
#ifndef IOHOPS_BELOW_H
#define IOHOPS_BELOW_H

#include "track.h"

#define ANON_INODE_FS_MAGIC 0x09041934
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define FUSE_SUPER_MAGIC 0x65735546
#define FOPEN_DIRECT_IO 1 /* include/uapi/linux/fuse.h */

struct open_file {
	u64 below;    /* overlayfs: struct inode with the data; 0: not known, or its own */
	u32 variant;  /* tells files apart that have an inode in common */
	u32 mark;     /* differs if another file is opened with the same struct file and inode; 0: no need to look */
	u32 uncached; /* FUSE: as if it were open with O_DIRECT */
};

/* By what is private to whoever made it. */
#define mark_of(private_data, f_op) (((u32)(u64)(private_data) ^ (u32)(u64)(f_op)) | 1)

/* An inode of a regular file, and not whatever else may lie there? */
static __always_inline bool is_inode(struct inode *inode)
{
	return inode && BPF_CORE_READ(inode, i_mapping, host) == inode;
}

/* overlayfs keeps the struct file of the file below, since 6.13 (18e48d0e2c7b) in a struct that begins with it. Its
 * types are a module's as a rule, so both are tried; an inode proves itself. */
static __always_inline u64 inode_below(struct file *file)
{
	struct file *below = BPF_CORE_READ(file, private_data);
	struct inode *inode = BPF_CORE_READ(below, f_inode);

	if (is_inode(inode))
		return (u64)inode;
	bpf_probe_read_kernel(&below, sizeof(below), below);
	inode = BPF_CORE_READ(below, f_inode);
	return is_inode(inode) ? (u64)inode : 0;
}

static __always_inline struct open_file look_below(struct file *file, struct inode *inode)
{
	u64 below, magic = BPF_CORE_READ(inode, i_sb, s_magic), own = (u64)BPF_CORE_READ(file, private_data),
	    f_op = (u64)BPF_CORE_READ(file, f_op);
	struct open_file open = {};

	if (magic == ANON_INODE_FS_MAGIC) {
		open.variant = f_op;
	} else if (magic == OVERLAYFS_SUPER_MAGIC) {
		below = inode_below(file);
		open.below = below;
		open.variant = BPF_CORE_READ((struct inode *)below, i_sb, s_dev);
	} else if (magic == FUSE_SUPER_MAGIC) {
		open.uncached = bpf_core_field_exists(struct fuse_file, open_flags) &&
				BPF_CORE_READ((struct fuse_file *)own, open_flags) & FOPEN_DIRECT_IO;
	} else {
		return open;
	}
	open.mark = mark_of(own, f_op);
	return open;
}

#endif /* IOHOPS_BELOW_H */
