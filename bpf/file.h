/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * From a descriptor or a mapping to a file alias. A file is named in the stream once, at its first
 * use, with the path that the dentry tree holds at that moment: a descriptor that is closed a
 * microsecond later still has its name. Off the hot path but for file_of_fd().
 */
#ifndef IOHOPS_FILE_H
#define IOHOPS_FILE_H

#include "below.h"
#include "socket.h"

#define PATH_STEPS 48
#define S_DAX (1 << 13) /* include/linux/fs.h */

/* BTF follows a pointer to a struct but not a pointer to a pointer, so a struct file out of the
 * descriptor table is a mere number to the verifier, and each field of it a probe read of 20 ns. The
 * cast costs nothing (the verifier turns it into a move) and makes them plain loads. */
#ifdef WITHOUT_CASTS /* bpftool links no two objects that name one kernel function: the hot one has it */
#define cast_to(type, address) ((type *)NULL)
#define can_cast false
#define task_files(task) (can_type_task ? at_once((task)->files) : BPF_CORE_READ(task, files))
#define table_field(from, field) task_field(from, field)
#else
extern void *bpf_rdonly_cast(const void *object, u32 btf_id) __ksym __weak;
#define cast_to(type, address) ((type *)bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(type)))
#define table_field(from, field) task_field(from, field)
/* Not out of `current` itself: see at_once(). */
#define task_files(task) (can_cast ? cast_to(struct task_struct, task)->files : task_field(task, files))
#endif
#define read_field_by(cast, type, address, field) \
	((cast) ? cast_to(type, address)->field : BPF_CORE_READ((type *)(address), field))
#define read_field(type, address, field) read_field_by(can_cast, type, address, field)

/* files->fdt->fd[fd]. `cast`: can_cast, asked once for all that is read on the way: each look at a knob is 15 bytes. */
static __always_inline u64 file_of_fd(struct files_struct *files, u32 fd, const bool cast)
{
	struct fdtable *table = cast ? files->fdt : table_field(files, fdt);
	u64 file = 0;

	if (fd >= (cast ? table->max_fds : table_field(table, max_fds)))
		return 0;
	if (cast) /* any struct that begins with a pointer */
		return (u64)cast_to(struct hlist_head, &table->fd[fd])->first;
	bpf_probe_read_kernel(&file, sizeof(file), table_field(table, fd) + fd);
	return file;
}

static __always_inline u32 new_alias(void)
{
	struct cpu_state *cpu = this_cpu_state();

	if (!cpu)
		return 0;
	/* 10 bits of CPU, 22 of counter: no atomic fetch-and-add needed (5.12). 0 means "none". */
	return (bpf_get_smp_processor_id() & 1023) << 22 | ((++cpu->next_file) & 0x3fffff);
}

/* One step from the leaf to the root: a component appended to scratch->path, or a mount crossed. 0: there is no
 * further one. A global function, verified once for all rounds and not for each of them: where the path stands is
 * kept in the map, of which the verifier knows nothing. (48 rounds inlined were 28,000 instructions, 35 ms of each
 * program that names files.) */
__noinline __weak int add_step(void)
{
	u32 zero = 0;
	struct file_scratch *scratch = bpf_map_lookup_elem(&file_scratches, &zero);

	if (!scratch)
		return 0; /* can't happen */
	struct dentry *dentry = (void *)scratch->dentry, *parent = BPF_CORE_READ(dentry, d_parent);
	struct mount *mount = (void *)scratch->mount, *above;
	u32 used = scratch->used;

	if (dentry == (void *)scratch->root || dentry == parent) {
		above = mount ? BPF_CORE_READ(mount, mnt_parent) : NULL;
		if (above == mount)
			scratch->partial = !mount;
		if (!above || above == mount)
			return 0;
		scratch->dentry = (u64)BPF_CORE_READ(mount, mnt_mountpoint);
		scratch->mount = (u64)above;
		scratch->root = (u64)BPF_CORE_READ(above, mnt.mnt_root);
		return 1;
	}
	if (used > WIRE_PATH_BYTES - 256)
		return 0;
	long bytes = bpf_probe_read_kernel_str(&scratch->path[used], 256, BPF_CORE_READ(dentry, d_name.name));

	if (bytes <= 0)
		return 0;
	scratch->used = used + bytes;
	scratch->dentry = (u64)parent;
	return 1;
}

/* The components from the leaf to the root, crossing mounts, into scratch->path. Without `mnt` the path ends at
 * the root of the file system. */
static __always_inline void write_path(struct file_scratch *scratch, struct dentry *dentry, struct vfsmount *mnt)
{
	scratch->dentry = (u64)dentry;
	scratch->mount = scratch->root = 0;
	scratch->partial = 1; /* until the root of all is reached */
	if (mnt) {
		scratch->mount = (u64)mnt - bpf_core_field_offset(struct mount, mnt);
		scratch->root = (u64)BPF_CORE_READ(mnt, mnt_root);
	}
	for (int i = 0; i < PATH_STEPS; i++)
		if (!add_step())
			break;
	if (scratch->partial)
		((struct wire_file *)scratch->record)->flags |= WIRE_FILE_PARTIAL_PATH;
}

static __always_inline u32 socket_facts(struct inode *inode)
{
	struct sock *sk = (void *)socket_of(inode);

	return sk ? WIRE_SOCKET(BPF_CORE_READ(sk, __sk_common.skc_family), BPF_CORE_READ(sk, sk_type),
				BPF_CORE_READ(sk, sk_protocol)) : 0;
}

/* One that no name space shows: an overlay's own of the file systems below it, or one that was unmounted while in
 * use. Its root is any folder. */
static __always_inline bool is_hidden(struct vfsmount *mnt)
{
	struct mount *mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
	s64 name_space = (s64)BPF_CORE_READ(mount, mnt_ns);

	return name_space == 0 || (name_space < 0 && name_space >= -4095); /* IS_ERR */
}

struct ext4_sb_info {
	unsigned int s_mount_opt;
} __attribute__((preserve_access_index));
struct ext4_inode_info {
	unsigned long i_flags;
	struct inode vfs_inode;
} __attribute__((preserve_access_index));

#define EXT4_MOUNT_DATA_FLAGS 0xc00	/* fs/ext4/ext4.h */
#define EXT4_MOUNT_JOURNAL_DATA 0x400
#define EXT4_INODE_JOURNAL_DATA 14

/* As ext4_should_journal_data(), for the whole file system or this file. ext2 and ext3 have the same magic. */
static __always_inline bool is_journalled(struct inode *inode)
{
	struct ext4_sb_info *info = BPF_CORE_READ(inode, i_sb, s_fs_info);
	struct ext4_inode_info *own;
	u32 name = 0;

	if (!bpf_core_field_exists(struct ext4_sb_info, s_mount_opt))
		return false;
	bpf_probe_read_kernel(&name, sizeof(name), BPF_CORE_READ(inode, i_sb, s_type, name));
	if (name != ('e' | 'x' << 8 | 't' << 16 | '4' << 24))
		return false;
	own = (void *)inode - bpf_core_field_offset(struct ext4_inode_info, vfs_inode);
	return (BPF_CORE_READ(info, s_mount_opt) & EXT4_MOUNT_DATA_FLAGS) == EXT4_MOUNT_JOURNAL_DATA ||
	       BPF_CORE_READ(own, i_flags) >> EXT4_INODE_JOURNAL_DATA & 1;
}

/* How the bytes of a file are reached. */
static __always_inline u16 data_flags(struct inode *data)
{
	u16 flags = BPF_CORE_READ(data, i_flags) & S_DAX ? WIRE_FILE_DAX : 0;

	return is_journalled(data) ? flags | WIRE_FILE_JOURNALLED : flags;
}

/* A global function, so that it is verified once and not at each of its call sites; hence the
 * addresses as numbers. `below`: see struct open_file. 0: written. */
__noinline __weak int emit_file(u64 inode_address, u64 dentry_address, u64 mnt_address, u32 alias, u64 below)
{
	u32 zero = 0;
	struct file_scratch *scratch = bpf_map_lookup_elem(&file_scratches, &zero);
	void *ring = this_ring();
	struct inode *inode = (void *)inode_address, *data = below ? (void *)below : inode;
	struct dentry *dentry = (void *)dentry_address;

	if (!scratch || !ring || scratch->busy) {
		count_loss(WIRE_LOSS_RING_NAME);
		return -1;
	}
	scratch->busy = 1;
	scratch->used = 0;
	struct wire_file *record = (void *)scratch->record;

	record->header.time_ns = bpf_ktime_get_ns();
	record->header.kind = WIRE_FILE;
	record->header.cpu = bpf_get_smp_processor_id();
	record->file = alias;
	record->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	record->ino = BPF_CORE_READ(inode, i_ino);
	record->generation = BPF_CORE_READ(inode, i_generation);
	record->magic = BPF_CORE_READ(inode, i_sb, s_magic);
	record->mode = BPF_CORE_READ(inode, i_mode);
	record->rdev = (record->mode & 00170000) == S_IFSOCK ? socket_facts(inode) : BPF_CORE_READ(inode, i_rdev);
	record->flags = data_flags(data);
	record->bytes = BPF_CORE_READ(inode, i_size);
	record->below = 0;
	if (below) {
		record->below = BPF_CORE_READ(data, i_sb, s_magic);
		record->rdev = BPF_CORE_READ(data, i_sb, s_dev);
	}
	__builtin_memset(record->fs, 0, sizeof(record->fs));
	bpf_probe_read_kernel_str(record->fs, sizeof(record->fs), BPF_CORE_READ(inode, i_sb, s_type, name));
	if (!mnt_address)
		record->flags |= WIRE_FILE_FROM_MAPPING;
	if (dentry && record->magic == ANON_INODE_FS_MAGIC) { /* "[eventpoll]": its dentry is its own root */
		long bytes = bpf_probe_read_kernel_str(scratch->path, 64, BPF_CORE_READ(dentry, d_name.name));

		scratch->used = bytes > 1 ? bytes : 0;
	} else if (dentry) {
		if (!BPF_CORE_READ(dentry, d_hash.pprev) && BPF_CORE_READ(dentry, d_parent) != dentry)
			record->flags |= WIRE_FILE_UNLINKED;
		write_path(scratch, dentry, mnt_address && !is_hidden((void *)mnt_address) ? (void *)mnt_address : NULL);
	} else {
		record->flags |= WIRE_FILE_PARTIAL_PATH;
	}
	u32 used = *(volatile u32 *)&scratch->used;

	if (used > WIRE_PATH_BYTES) /* can't happen: write_path stops before */
		used = WIRE_PATH_BYTES;
	record->path_bytes = used;
	/* Zeros up to a multiple of 8, and no bytes of an earlier path. */
	__builtin_memset(&scratch->path[used], 0, 8);
	u64 size = sizeof(*record) + ((used + 7) & ~7u);

	record->header.size = size;
	long failed = bpf_ringbuf_output(ring, record, size, BPF_RB_NO_WAKEUP);

	scratch->busy = 0;
	if (failed)
		count_refused(WIRE_LOSS_RING_NAME, size);
	return failed ? -1 : 0;
}

/* The alias of a file, naming it in the stream at its first use; 0: no room (counted). `variant` and `below`: see
 * struct open_file. */
static __noinline u32 file_alias(struct inode *inode, struct dentry *dentry, struct vfsmount *mnt, u32 variant, u64 below)
{
	struct file_key key = {
		.ino = BPF_CORE_READ(inode, i_ino),
		.dev = BPF_CORE_READ(inode, i_sb, s_dev),
		.generation = BPF_CORE_READ(inode, i_generation) ^ variant,
	};
	u32 *known = bpf_map_lookup_elem(&files, &key);
	u32 alias;

	if (known)
		return *known;
	note_filesystem(key.dev);
	alias = new_alias();
	if (!alias || bpf_map_update_elem(&files, &key, &alias, BPF_NOEXIST)) {
		known = bpf_map_lookup_elem(&files, &key); /* another thread was first */
		if (known)
			return *known;
		count_loss(WIRE_LOSS_FILES_FULL);
		return 0;
	}
	if (emit_file((u64)inode, (u64)dentry, (u64)mnt, alias, below)) {
		bpf_map_delete_elem(&files, &key); /* named again at its next use */
		return 0;
	}
	return alias;
}

#endif /* IOHOPS_FILE_H */
