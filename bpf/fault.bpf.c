// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Page faults of user code on file mappings. page_fault_user, or on arm64, whose kernel never fires it, a
 * software event opens a request, the page cache's tracepoints tell whether it is on a file, the thread's
 * next event closes it (see close_fault).
 *
 * A store to a page that is there to be read meets none of these. In a private mapping the kernel copies the page
 * (copy on write): it is told by the function that does it, or by the counters of the process's pages. In a shared
 * one by the same function, or where the page's folio becomes dirty (writeback.bpf.c).
 *
 * Not seen: faults on anonymous memory (dropped: no I/O), the exact end, faults of the kernel itself (a
 * read(2) into a private mapping). Before 6.12 there are no filemap tracepoints: only faults that add pages
 * and those that copy a mapped one are recognised.
 */
#include "light.h"
#include "mapping.h"
#include "thread.h"
#include "instruction.h"

#define FAULT_WRITE 2 /* X86_PF_WRITE */

/* The thread's state with the fault as its open request, NULL: it is not traced. */
static __always_inline struct thread_state *begin_fault(u64 address)
{
	struct thread_state *state;
	struct task_struct *task;
	u32 tid = running_thread();
	u64 now;

	if (!tid)
		return NULL;
	task = current_task();
	state = find_thread(tid);
	if (!state) {
		state = add_thread(task);
		if (!state)
			return NULL;
	}
	if (state->start_ns && state->op == WIRE_OP_PAGE_FAULT)
		close_fault(state, task);
	now = bpf_ktime_get_ns();
	state->op = WIRE_OP_PAGE_FAULT;
	state->flags = 0;
	state->weight = 1;
	state->touched = 0;
	state->out_ns = 0;
	state->file_fault = 0;
	state->left_file = 0;
	state->fd = -1;
	state->file = 0;
	state->to_file = 0;
	state->open_flags = 0;
	state->buffer = address;
	state->requested = 1UL << page_shift;
	state->offset = WIRE_UNKNOWN;
	state->segments = 1;
	state->call_flags = 0;
	state->major_before = task_field(task, maj_flt);
	state->last_event_ns = now;
	state->start_ns = now;
	return state;
}

SEC("?tp_btf/page_fault_user")
int BPF_PROG(fault_user, unsigned long address, struct pt_regs *regs, unsigned long error)
{
	struct thread_state *state = begin_fault(address);

	if (state && error & FAULT_WRITE)
		state->flags = WIRE_REQUEST_WRITE_FAULT;
	return 0;
}

/* struct bpf_perf_event_data of uapi/linux/bpf_perf_event.h: not CO-RE's, its layout is an interface. */
struct sample {
#if defined(__TARGET_ARCH_arm64)
	u64 regs[31], sp, pc, pstate;
#else
	u64 regs[16], pc, cs, flags, sp, ss;
#endif
	u64 period;
	u64 address;
};

/* The event does not say what kind of access it was, but the instruction does. */
static __always_inline bool is_store(struct sample *fault)
{
	u32 code = 0;

	/* Where the instruction itself is what was not there, it cannot be read: no store. */
	bpf_probe_read_user(&code, sizeof(code), (void *)fault->pc);
	return is_arm64_store(code);
}

/* PERF_COUNT_SW_PAGE_FAULTS of user code, each of them, on every CPU (system/page_faults). The kernel
 * counts before it looks for the mapping. It drops, uncounted, an event that comes while its CPU is in
 * another such program or in a hash map's update by userspace: rare, none of ours runs in user code. */
SEC("?perf_event")
int fault_sampled(struct sample *fault)
{
	struct thread_state *state = begin_fault(fault->address);

	if (state && is_store(fault))
		state->flags = WIRE_REQUEST_WRITE_FAULT;
	return 0;
}

static __always_inline struct thread_state *open_fault(struct task_struct *task)
{
	struct thread_state *state = find_below(task);

	return state && state->op == WIRE_OP_PAGE_FAULT ? state : NULL;
}

SEC("?tp_btf/mm_filemap_fault")
int BPF_PROG(fault_filemap, struct address_space *mapping, unsigned long index)
{
	struct task_struct *task = current_task();
	struct thread_state *state = open_fault(task);

	if (!state)
		return 0;
	if (!state->file_fault)
		meet_mapping(state, BPF_CORE_READ(mapping, host), task);
	state->offset = (u64)index << page_shift;
	state->last_event_ns = bpf_ktime_get_ns(); /* after the file was named: names go first */
	return 0;
}

/* Fault-around: the range that was considered, not what was mapped. The faulting page lies in it. */
SEC("?tp_btf/mm_filemap_map_pages")
int BPF_PROG(fault_map, struct address_space *mapping, unsigned long first, unsigned long last)
{
	struct task_struct *task = current_task();
	struct thread_state *state = open_fault(task);

	if (!state)
		return 0;
	if (!state->file_fault)
		meet_mapping(state, BPF_CORE_READ(mapping, host), task);
	touch(state);
	state->map_first = first;
	state->map_last = last;
	state->last_event_ns = bpf_ktime_get_ns();
	return 0;
}

/* The process may write to the page now: one of its own, if the mapping is private. */
static __always_inline void meet_store(struct thread_state *state, const struct vma_facts *facts)
{
	if (!facts->alias)
		return;
	if (!state->file_fault)
		state->file_fault = 1;
	state->file = facts->alias;
	state->offset = facts->offset & ~((1ULL << page_shift) - 1);
	if (!facts->shared)
		state->flags |= WIRE_REQUEST_PRIVATE | WIRE_REQUEST_COPIED;
	state->last_event_ns = bpf_ktime_get_ns();
}

struct vm_fault {
	struct vm_area_struct *vma;
	unsigned long address;
	struct page *page; /* the one that was mapped, NULL: not the kernel's to count (DAX) */
} __attribute__((preserve_access_index));

#define PAGE_MAPPING_ANON 1UL	  /* include/linux/page-flags.h */
#define VM_FAULT_NO_COPY 0x0c73	  /* include/linux/mm_types.h: VM_FAULT_ERROR | VM_FAULT_RETRY */

/* A store to a page that is mapped to be read. What is anonymous already (after a fork) is not the
 * file's; what is shared becomes writable, and is not copied. It runs for such stores alone. */
SEC("?fexit/do_wp_page")
int BPF_PROG(fault_cow, struct vm_fault *fault, u32 result)
{
	struct task_struct *task = current_task();
	struct thread_state *state = open_fault(task);
	struct vma_facts facts = {};
	struct folio *folio;
	struct page *page;

	if (!state || (fault->address ^ state->buffer) >> page_shift || result & VM_FAULT_NO_COPY)
		return 0;
	/* Not fault->page: what is loaded so is a pointer with a type, and 5.10 allows no arithmetic on it. */
	page = BPF_CORE_READ(fault, page);
	if (!page)
		return 0;
	folio = page_folio(page);
	if ((unsigned long)folio_field(folio, mapping) & PAGE_MAPPING_ANON)
		return 0;
	facts.address = fault->address;
	read_vma(task, fault->vma, &facts);
	meet_store(state, &facts);
	return 0;
}

/* include/linux/mm_types_task.h */
#define MM_FILEPAGES 0
#define MM_ANONPAGES 1
#define MM_SHMEMPAGES 3

/* The same where functions cannot be hooked: in a store's fault, a page of a file less and a page of its own
 * more is a copy (wp_page_copy). Since 6.2 (f1a7941243c1) the kernel tells of each page; before, of 64. It
 * runs at every page fault and exec of the machine, which costs the others what fault_user costs them. */
SEC("?tp_btf/rss_stat")
int BPF_PROG(fault_rss, void *mm, int member)
{
	struct task_struct *task = current_task();
	struct thread_state *state = open_fault(task);
	struct vma_facts facts = {};

	if (!state || !(state->flags & WIRE_REQUEST_WRITE_FAULT))
		return 0;
	if (member != MM_ANONPAGES) {
		state->left_file = member == MM_FILEPAGES || member == MM_SHMEMPAGES;
		return 0;
	}
	if (!state->left_file || state->file_fault)
		return 0;
	state->left_file = 0;
	facts.address = state->buffer;
	bpf_find_vma(task, state->buffer, read_vma, &facts, 0);
	meet_store(state, &facts);
	return 0;
}
