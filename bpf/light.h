/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * --light: no system call is traced. What happens in one is known by its thread alone, and page faults are the only
 * requests. Without the knob all of this is dead code.
 */
#ifndef IOHOPS_LIGHT_H
#define IOHOPS_LIGHT_H

#include "inode.h"
#include "name.h"
#include "request.h"


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

/* What the task works on, but a page fault that is over is closed: its thread is in a system call, which nothing has
 * told us. Before maj_flt counts a fault of the kernel itself there: that one waits or adds pages first. */
static __always_inline struct thread_state *still_open(struct thread_state *state, struct task_struct *task)
{
	if (!light || !can_see_calls || !state || !is_in_call(task))
		return state;
	close_fault(state, task);
	return NULL;
}

static __always_inline struct thread_state *find_below(struct task_struct *task)
{
	return still_open(find_open(task), task);
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
