/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * The only filter: which processes are traced, and where a traced thread keeps its state.
 * It runs on every system call of every process, so the cheapest test comes first.
 */
#ifndef IOHOPS_TRACK_H
#define IOHOPS_TRACK_H

#include "emit.h"

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */

static __always_inline bool is_traced(u32 tgid)
{
	if (scope == SCOPE_ONE)
		return tgid == only_tgid;
	if (scope == SCOPE_ALL)
		return armed && tgid != self_tgid;
	if (!targets_near[tgid & 0xffff])
		return false;
	return bpf_map_lookup_elem(&targets, &tgid) != NULL;
}

static __always_inline struct thread_state *find_thread(u32 tid)
{
	u32 slot = tid & (THREADS - 1);
	struct thread_state *state = bpf_map_lookup_elem(&threads, &slot);

	if (state && state->tid == tid)
		return state;
	if (more_threads_used)
		return bpf_map_lookup_elem(&more_threads, &tid);
	return NULL;
}

/* The thread's state if it has a request open that is not a page fault waiting to be closed. */
static __always_inline struct thread_state *find_open(struct task_struct *task)
{
	struct thread_state *state;

	if (!is_traced(task_field(task, tgid)))
		return NULL;
	state = find_thread(task_field(task, pid));
	return state && state->start_ns ? state : NULL;
}

static __always_inline void remove_thread(u32 tid)
{
	u32 slot = tid & (THREADS - 1);
	struct thread_state *state = bpf_map_lookup_elem(&threads, &slot);

	if (state && state->tid == tid) {
		state->tid = 0;
		state->start_ns = 0;
		bpf_map_delete_elem(&slot_owners, &slot);
	} else if (more_threads_used) {
		bpf_map_delete_elem(&more_threads, &tid);
	}
}

/* The accumulators of a request are cleared when it is first touched, so that a request that only
 * hits the page cache never pays for them. */
static __always_inline void touch(struct thread_state *state)
{
	if (state->touched)
		return;
	state->touched = 1;
	state->off_cpu_ns = 0;
	state->voluntary = state->involuntary = 0;
	state->bios = state->direct_bios = 0;
	state->bio_bytes = state->direct_bytes = 0;
	state->added_bytes = state->dirtied_bytes = 0;
	state->page_runs = state->waits = 0;
	state->throttled_ns = 0;
	state->map_first = state->map_last = 0;
	state->run.pages = 0;
	state->run.adds = 0;
	state->throttled = state->own_writeback = 0;
	state->io_waits = 0;
}

#endif /* IOHOPS_TRACK_H */
