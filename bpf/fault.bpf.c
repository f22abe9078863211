// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Page faults of user code on file mappings. page_fault_user, or on arm64, whose kernel never fires it, a
 * software event opens a request, the page cache's tracepoints tell whether it is on a file, the thread's
 * next event closes it (see close_fault).
 *
 * Not seen: faults on anonymous memory (dropped: no I/O), the exact end, a copy-on-write fault of a page that is mapped already (it meets no
 * page-cache tracepoint). Before 6.12 there are no filemap tracepoints: only faults that add pages are
 * recognised.
 */
#include "mapping.h"
#include "thread.h"
#include "instruction.h"

#define FAULT_WRITE 2 /* X86_PF_WRITE */

/* The thread's state with the fault as its open request, NULL: it is not traced. */
static __always_inline struct thread_state *begin_fault(u64 address)
{
	struct task_struct *task = current_task();
	struct thread_state *state;
	u64 now;

	if (!is_traced(task_field(task, tgid)))
		return NULL;
	state = find_thread(task_field(task, pid));
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
	state->touched = 0;
	state->out_ns = 0;
	state->file_fault = 0;
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
	struct thread_state *state = find_open(task);

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
