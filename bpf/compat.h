/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * One accessor for each thing that differs between kernels or architectures. Each tests the feature
 * (does the field exist?), never a version: stable kernels backport. The branch that does not apply
 * is dead code to the verifier.
 */
#ifndef IOHOPS_COMPAT_H
#define IOHOPS_COMPAT_H

#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#if defined(__TARGET_ARCH_x86)
#define syscall_arg0(regs) ((regs)->di)
#define syscall_arg1(regs) ((regs)->si)
#define syscall_arg2(regs) ((regs)->dx)
#define syscall_arg3(regs) ((regs)->r10)
#define syscall_arg4(regs) ((regs)->r8)
#define syscall_arg5(regs) ((regs)->r9)
#else
/* regs[0] is already the return value at sys_exit: arguments are read at sys_enter only. */
#define syscall_arg0(regs) ((regs)->orig_x0)
#define syscall_arg1(regs) ((regs)->regs[1])
#define syscall_arg2(regs) ((regs)->regs[2])
#define syscall_arg3(regs) ((regs)->regs[3])
#define syscall_arg4(regs) ((regs)->regs[4])
#define syscall_arg5(regs) ((regs)->regs[5])
#endif

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* A pointer read out of one that the verifier trusts (`current`, a tracepoint's argument) makes it look for names
 * in all of the kernel's types (6.2 to 6.18: 1 to 2 ms), each time that it gets there. So it is read where only one
 * path leads, or without trust: out of a cast or by a probe read. */
#define at_once(value)                        \
	({                                    \
		typeof(value) early = value;  \
		barrier_var(early);           \
		early;                        \
	})

/* A pointer is no number to the verifier, but a move of its lower half makes one. */
static __always_inline u32 low_half(u64 pointer)
{
	u32 low;

	asm volatile("%0 = %1" : "=w"(low) : "w"((u32)pointer));
	return low;
}

const volatile bool can_type_task = false; /* a knob: bpf_get_current_task_btf is there (5.11) */

/* `current`: with types, or before 5.11 as a number, whose fields are probe reads (20 ns each). */
static __always_inline struct task_struct *current_task(void)
{
	return can_type_task ? bpf_get_current_task_btf() : (void *)bpf_get_current_task();
}

/* A field of any task, current or a tracepoint's. */
#define task_field(task, field) (can_type_task ? (task)->field : BPF_CORE_READ(task, field))

/* A 32-bit system call has other numbers. x86: TS_COMPAT (arch/x86/include/asm/thread_info.h);
 * arm64: TIF_32BIT (arch/arm64/include/asm/thread_info.h). */
static __always_inline bool is_compat_syscall(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return task_field(task, thread_info.status) & 2;
#else
	return task_field(task, thread_info.flags) & (1UL << 22);
#endif
}

/* task->state became __state in 5.14 (2f064a59a11f). */
struct task_struct___pre_5_14 {
	long state;
} __attribute__((preserve_access_index));

static __always_inline bool is_asleep(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state != 0;
	return ((struct task_struct___pre_5_14 *)task)->state != 0;
}

static __always_inline bool is_interruptible(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state & 1; /* TASK_INTERRUPTIBLE */
	return ((struct task_struct___pre_5_14 *)task)->state & 1;
}

/* The disk hangs on the queue since 5.15 (d152c682f03c); before, on the request. */
struct request___pre_5_17 {
	struct gendisk *rq_disk;
} __attribute__((preserve_access_index));

static __always_inline struct gendisk *request_disk(struct request *rq)
{
	if (bpf_core_field_exists(((struct request___pre_5_17 *)rq)->rq_disk))
		return ((struct request___pre_5_17 *)rq)->rq_disk;
	return rq->q->disk;
}

static __always_inline u32 disk_dev(struct gendisk *disk)
{
	return (u32)disk->major << 20 | ((u32)disk->first_minor & 0xfffff);
}

static __always_inline u32 request_dev(struct request *rq)
{
	struct gendisk *disk = request_disk(rq);

	return disk ? disk_dev(disk) : 0;
}

/* bio->bi_bdev replaced bi_disk and bi_partno in 5.12 (309dca309fc3). */
struct bio___pre_5_12 {
	struct gendisk *bi_disk;
	u8 bi_partno;
} __attribute__((preserve_access_index));

static __always_inline u32 bio_dev(struct bio *bio)
{
	if (bpf_core_field_exists(bio->bi_bdev))
		return bio->bi_bdev->bd_dev;
	struct gendisk *disk = ((struct bio___pre_5_12 *)bio)->bi_disk;

	/* The partition's own number is only found in its hd_struct; the disk's is right for a
	 * whole disk and says which disk for the rest. */
	return disk_dev(disk);
}

static __always_inline struct gendisk *bio_disk(struct bio *bio)
{
	if (bpf_core_field_exists(bio->bi_bdev))
		return bio->bi_bdev->bd_disk;
	return ((struct bio___pre_5_12 *)bio)->bi_disk;
}

/* bi_bvec_done is called bi_offset since 7.3. */
struct bvec_iter___7_3 {
	unsigned int bi_offset;
} __attribute__((preserve_access_index));
struct bio___7_3 {
	struct bvec_iter___7_3 bi_iter;
} __attribute__((preserve_access_index));

/* Bytes of the bio's first vector that are passed already. */
static __always_inline u32 bio_bvec_done(struct bio *bio)
{
	if (bpf_core_field_exists(((struct bio___7_3 *)bio)->bi_iter.bi_offset))
		return BPF_CORE_READ((struct bio___7_3 *)bio, bi_iter.bi_offset);
	return BPF_CORE_READ(bio, bi_iter.bi_bvec_done);
}

/* The same of one that a tracepoint passes, by a plain load. */
static __always_inline u32 bio_bvec_passed(struct bio *bio)
{
	if (bpf_core_field_exists(((struct bio___7_3 *)bio)->bi_iter.bi_offset))
		return ((struct bio___7_3 *)bio)->bi_iter.bi_offset;
	return bio->bi_iter.bi_bvec_done;
}

/* Up to 5.15 what the page cache holds are pages, not folios: the same structure by another name. */
struct page___pre_5_16 {
	unsigned long flags;
	struct address_space *mapping;
	unsigned long index;
	unsigned char compound_order; /* in the second page */
} __attribute__((preserve_access_index));

#define folio_field(folio, field)                                          \
	(bpf_core_type_exists(struct folio) ? BPF_CORE_READ(folio, field) \
					    : BPF_CORE_READ((struct page___pre_5_16 *)(folio), field))

/* A tail page named its head in compound_head up to 7.2. compound_info of 7.3 holds, with vmemmap
 * optimisation, a mask that makes the head's address of the tail's. */
struct page___mask {
	unsigned long compound_info;
} __attribute__((preserve_access_index));

/* Of a page that is reached by plain loads. Whether the fields are pointers or numbers to the verifier depends on the
 * order of the members of a union: low_half() makes either a number. */
static __always_inline bool is_tail(struct page *page)
{
	if (bpf_core_field_exists(((struct page___mask *)page)->compound_info))
		return low_half(((struct page___mask *)page)->compound_info) & 1;
	return low_half(page->compound_head) & 1;
}

/* Of a page that is no tail. */
static __always_inline u64 page_mapping(struct page *page)
{
	if (bpf_core_type_exists(struct folio))
		return (u64)((struct folio *)page)->mapping;
	return (u64)((struct page___pre_5_16 *)page)->mapping;
}

static __always_inline struct folio *page_folio(struct page *page)
{
	unsigned long info;

	if (bpf_core_field_exists(((struct page___mask *)page)->compound_info))
		info = BPF_CORE_READ((struct page___mask *)page, compound_info);
	else
		info = BPF_CORE_READ(page, compound_head);
	if (!(info & 1))
		return (void *)page;
	if (info > -(1UL << 28)) /* no struct page lies so high */
		return (void *)((unsigned long)page & info);
	return (void *)(info - 1);
}

/* flags became a struct with one member in 6.18 (memdesc_flags_t). */
struct folio___memdesc {
	struct {
		unsigned long f;
	} flags;
} __attribute__((preserve_access_index));

/* The order of a large folio: in the low byte of _flags_1 since 6.6 (ebc1baf5c9b4), before in a
 * byte of its own. */
struct folio___pre_6_6 {
	unsigned char _folio_order;
} __attribute__((preserve_access_index));

/* Memory that goes to swap if anywhere: anonymous, or shared memory's. */
static __always_inline bool is_swapbacked(struct folio *folio)
{
	unsigned long flags;

	if (bpf_core_field_exists(((struct folio___memdesc *)folio)->flags.f))
		flags = BPF_CORE_READ((struct folio___memdesc *)folio, flags.f);
	else
		flags = folio_field(folio, flags);
	return flags >> bpf_core_enum_value(enum pageflags, PG_swapbacked) & 1;
}

static __always_inline u64 folio_pages(struct folio *folio)
{
	struct page___pre_5_16 *second = (void *)folio + bpf_core_type_size(struct page);
	unsigned long flags;

	if (bpf_core_field_exists(((struct folio___memdesc *)folio)->flags.f))
		flags = ((struct folio___memdesc *)folio)->flags.f;
	else
		flags = folio_field(folio, flags);
	if (!(flags & (1UL << bpf_core_enum_value(enum pageflags, PG_head))))
		return 1;
	if (!bpf_core_type_exists(struct folio))
		return 1UL << (BPF_CORE_READ(second, compound_order) & 31);
	if (bpf_core_field_exists(((struct folio___pre_6_6 *)folio)->_folio_order))
		return 1UL << (((struct folio___pre_6_6 *)folio)->_folio_order & 31);
	if (bpf_core_field_exists(folio->_flags_1))
		return 1UL << (folio->_flags_1 & 31);
	return 1;
}

/* block_rq_complete passes a blk_status_t since 5.16 (8a7d267b4a2a), a negative errno before;
 * bio->bi_status always is a status. The table is blk_errors[] of block/blk-core.c. */
static __always_inline int block_errno(int status)
{
	switch (status) {
	case 1: return -95;  /* NOTSUPP: EOPNOTSUPP */
	case 2: return -110; /* TIMEOUT: ETIMEDOUT */
	case 3: return -28;  /* NOSPC: ENOSPC */
	case 4: return -67;  /* TRANSPORT: ENOLINK */
	case 5: return -121; /* TARGET: EREMOTEIO */
	case 6: return -52;  /* RESV_CONFLICT: EBADE */
	case 7: return -61;  /* MEDIUM: ENODATA */
	case 8: return -84;  /* PROTECTION: EILSEQ */
	case 9: return -12;  /* RESOURCE: ENOMEM */
	case 12: return -11; /* AGAIN: EAGAIN */
	case 19: return -22; /* INVAL: EINVAL, since 6.10. 13 to 18 have moved between versions */
	}
	return status > 0 ? -5 : status;
}

#endif /* IOHOPS_COMPAT_H */
