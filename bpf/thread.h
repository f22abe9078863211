/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * A traced thread is met for the first time.
 */
#ifndef IOHOPS_THREAD_H
#define IOHOPS_THREAD_H

#include "name.h"

/* Where a thread's generations begin. Its id may have been another's, and the collector may still hold what that one
 * told: if the first full record of this one were lost on the way, its short ones must not agree with those. */
static __always_inline void seed_generations(struct thread_state *state)
{
	u64 seed = bpf_ktime_get_ns() >> 10;

	for (int i = 0; i < WIRE_TOLD_SLOTS; i++)
		state->told[i].head = seed << 54;
}

/* First request of a thread: claim its slot, name it. Off the hot path. */
static __noinline struct thread_state *add_thread(struct task_struct *task)
{
	u32 tid = task_field(task, pid), tgid = task_field(task, tgid), slot = tid & (THREADS - 1);
	struct thread_state *state = NULL;

	if (bpf_map_update_elem(&slot_owners, &slot, &tid, BPF_NOEXIST) == 0) {
		/* Not by an assignment: clang has no memset of more than 1 KiB. */
		bpf_map_update_elem(&threads, &slot, &new_thread, BPF_ANY);
		state = bpf_map_lookup_elem(&threads, &slot);
	} else if (bpf_map_update_elem(&more_threads, &tid, &new_thread, BPF_NOEXIST) == 0) {
		more_threads_used = 1;
		state = bpf_map_lookup_elem(&more_threads, &tid);
	}
	if (!state) {
		count_loss(WIRE_LOSS_THREADS_FULL);
		return NULL;
	}
	if (!tally) /* there its room holds other things */
		seed_generations(state);
	state->tgid = tgid;
	state->tid = tid;
	if (bpf_map_update_elem(&named_processes, &tgid, &tid, BPF_NOEXIST) == 0)
		emit_process(task, WIRE_PROCESS_SEEN);
	emit_thread(task, task->comm);
	return state;
}

#endif /* IOHOPS_THREAD_H */
