/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * The kernel's types as far as we read them: only the fields we use, in any order. CO-RE relocates
 * every access to the running kernel, so no vmlinux.h is generated and the object is the same on
 * every build host. A field that moved between kernels has a flavour in compat.h.
 */
#ifndef IOHOPS_KERNEL_H
#define IOHOPS_KERNEL_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* include/uapi/linux/bpf.h: the few constants that a program uses. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};
/* include/uapi/asm-generic/fcntl.h, arch/arm64/include/uapi/asm/fcntl.h */
#if defined(__TARGET_ARCH_x86)
#define O_DIRECT 00040000
#else
#define O_DIRECT 0200000
#endif

/* include/uapi/linux/stat.h */
#define S_IFMT 00170000
#define S_IFBLK 0060000

enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_RB_NO_WAKEUP = 1 };
enum { BPF_F_MMAPABLE = 1 << 10 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r8, r9, r10, cx, dx, si, di, orig_ax, ax, ip;
};
struct thread_info {
	u32 status;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	u64 regs[31];
};
struct pt_regs {
	u64 regs[31];
	u64 orig_x0;
	s32 syscallno;
};
struct thread_info {
	unsigned long flags;
};
#else
#error "build with -D__TARGET_ARCH_x86 or -D__TARGET_ARCH_arm64"
#endif

struct upid {
	int nr;
};
struct pid {
	unsigned int level;
	struct upid numbers[1];
};
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};
struct files_struct {
	struct fdtable *fdt;
};
struct signal_struct {
	struct {
		int counter;
	} live;
	int group_exit_code;
};
struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	int pid;
	int tgid;
	unsigned int __state;
	unsigned in_iowait : 1;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	u64 start_boottime;
	unsigned long maj_flt;
	char comm[16];
	void *worker_private;
	struct files_struct *files;
	struct signal_struct *signal;
	struct nsproxy *nsproxy;
	int exit_code;
};
struct nsproxy {
	void *mnt_ns;
};

struct qstr {
	const unsigned char *name;
};
struct hlist_node {
	struct hlist_node *next;
};
struct hlist_head {
	struct hlist_node *first;
};
struct list_head {
	struct list_head *next;
};
struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct {
		struct hlist_node *pprev;
	} d_hash;
	struct inode *d_inode;
	struct {
		struct hlist_node d_alias;
	} d_u;
};
struct vfsmount {
	struct dentry *mnt_root;
};
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	void *mnt_ns;
	struct mount *mnt_next_for_sb;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct file_system_type {
	const char *name;
};
struct address_space;
struct super_block {
	u32 s_dev;
	unsigned long s_magic;
	struct file_system_type *s_type;
	struct dentry *s_root;
	struct mount *s_mounts;
	void *s_fs_info;
};
struct inode {
	u16 i_mode;
	unsigned int i_flags;
	struct super_block *i_sb;
	unsigned long i_ino;
	u32 i_rdev;
	s64 i_size;
	u32 i_generation;
	struct address_space *i_mapping;
	unsigned int i_nlink;
	struct hlist_head i_dentry;
};
struct file {
	struct inode *f_inode;
	unsigned int f_flags;
	struct path f_path;
	s64 f_pos;
	void *private_data;
	void *f_op;
};
struct fuse_file {
	u32 open_flags;
};
struct socket {
	struct file *file;
	struct sock *sk;
};
struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_pgoff;
	unsigned long vm_flags;
	struct file *vm_file;
};

struct bdi_writeback;
enum wb_reason { WB_REASON_BACKGROUND };
struct wb_writeback_work {
	enum wb_reason reason;
} __attribute__((preserve_access_index));

struct address_space {
	struct inode *host;
};
struct page {
	unsigned long compound_head;
};
struct folio {
	unsigned long flags;
	struct address_space *mapping;
	unsigned long index;
	unsigned long _flags_1;
};
enum pageflags {
	PG_head,
	PG_swapbacked,
};
enum req_flag_bits {
	__REQ_SWAP,
};

struct bio_vec {
	struct page *bv_page;
	unsigned int bv_len;
	unsigned int bv_offset;
};
struct bvec_iter {
	u64 bi_sector;
	unsigned int bi_size;
	unsigned int bi_idx;
	unsigned int bi_bvec_done;
} __attribute__((packed));
struct block_device {
	u32 bd_dev;
	struct gendisk *bd_disk;
};
struct bio {
	struct bio *bi_next;
	struct block_device *bi_bdev;
	u32 bi_opf;
	u8 bi_status;
	struct bvec_iter bi_iter;
	void *bi_private;
	unsigned short bi_vcnt;
	struct bio_vec *bi_io_vec;
};
struct block_device_operations {
	void *submit_bio; /* a function; NULL: a driver with requests */
};
struct gendisk {
	int major;
	int first_minor;
	const struct block_device_operations *fops;
	void *private_data;
};
struct kiocb {
	s64 ki_pos;
};
struct loop_device {
	s64 lo_offset;
	int lo_flags;
	struct file *lo_backing_file;
};
struct loop_cmd {
	struct kiocb iocb;
};
struct request_queue {
	struct gendisk *disk;
};
struct request {
	struct request_queue *q;
	u32 cmd_flags;
	unsigned int __data_len;
	u64 __sector;
	struct bio *bio;
};

struct io_wq_work {
	int cancel_seq;
};
struct io_worker {
	struct io_wq_work *cur_work;
};
struct io_cqe {
	u64 user_data;
	int fd; /* in a union with the flags of the completion */
};
struct io_kiocb {
	struct file *file;
	u8 opcode;
	u64 flags; /* the lowest 32 bits are older */
	struct io_cqe cqe;
	struct io_ring_ctx *ctx;
	struct io_wq_work work;
};

struct linux_binprm {
	const char *filename;
};
struct device {
	void *driver_data;
};
/* 5.10-7.3, all architectures: what precedes the DMA address is not configurable. */
struct scatterlist {
	unsigned long page_link;
	unsigned int offset;
	unsigned int length;
};
struct bpf_ringbuf {
	struct page **pages;
	unsigned long consumer_pos;
};
struct bpf_ringbuf_map {
	struct bpf_ringbuf *rb;
};

#pragma clang attribute pop

#endif /* IOHOPS_KERNEL_H */
