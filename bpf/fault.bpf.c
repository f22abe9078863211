// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Page faults of user code on file mappings. page_fault_user opens a request, the page cache's
 * tracepoints tell whether it is on a file, the thread's next event closes it (see close_fault).
 *
 * Not seen: faults on anonymous memory (dropped: no I/O), the exact end, faults on arm64 (its kernel
 * never fires page_fault_user), a copy-on-write fault of a page that is mapped already (it meets no
 * page-cache tracepoint). Before 6.12 there are no filemap tracepoints: only faults that add pages are
 * recognised.
 */
#include "mapping.h"
#include "thread.h"

#define FAULT_WRITE 2 /* X86_PF_WRITE */

SEC("?tp_btf/page_fault_user")
int BPF_PROG(fault_user, unsigned long address, struct pt_regs *regs, unsigned long error)
{
	struct task_struct *task = current_task();
	struct thread_state *state;
	u64 now;

	if (!is_traced(task_field(task, tgid)))
		return 0;
	state = find_thread(task_field(task, pid));
	if (!state) {
		state = add_thread(task);
		if (!state)
			return 0;
	}
	if (state->start_ns && state->op == WIRE_OP_PAGE_FAULT)
		close_fault(state, task);
	now = bpf_ktime_get_ns();
	state->op = WIRE_OP_PAGE_FAULT;
	state->flags = error & FAULT_WRITE ? WIRE_REQUEST_WRITE_FAULT : 0;
	state->touched = 0;
	state->out_ns = 0;
	state->file_fault = 0;
	state->fd = -1;
	state->file = 0;
	state->open_flags = 0;
	state->buffer = address;
	state->requested = 1UL << page_shift;
	state->offset = WIRE_UNKNOWN;
	state->segments = 1;
	state->call_flags = 0;
	state->major_before = task_field(task, maj_flt);
	state->last_event_ns = now;
	state->start_ns = now;
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
