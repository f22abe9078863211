/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * The only filter: which processes are traced, and where a traced thread keeps its state.
 * It runs on every system call of every process, so the cheapest test comes first.
 */
#ifndef IOHOPS_TRACK_H
#define IOHOPS_TRACK_H

#include "slot.h"

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */
#define PF_IO_WORKER 0x00000010

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

/* What was found out about the task that this CPU runs: its thread id if it is traced, 0 if it is not. So what it does
 * next need not look at the task, whose address alone is a call of 7 ns: two of those were half of what our filter cost
 * other processes' system calls; nor ask the set of targets.
 *
 * Found out where the task itself runs a program, not when it is switched to: some sandboxes run no program for tasks
 * of their own, so not at the switch away from one either, and whoever came next was taken for it. Good for one
 * generation, and until the CPU is given away or the task calls exec. Nobody becomes traced otherwise: arm() begins a
 * generation, drop_target() another, and a new task is switched to. The generation is read before the task is judged:
 * x86 keeps that order, and for arm64 BPF cannot demand it, so there nothing is remembered. */
#define WHO(generation, tid) ((u64)(generation) << 32 | (tid))
#define WHO_UNKNOWN (~0ULL)
#define GENERATION_NONE (~1U) /* nobody is traced any more: soon sched_switch is detached, and nothing is remembered */

static __always_inline void note_running(u64 who)
{
	u32 cpu = bpf_get_smp_processor_id();

	if (know_running && cpu < CPUS)
		runs[cpu].who = who;
}

static __always_inline void forget_running(void)
{
	note_running(WHO_UNKNOWN);
}

static __always_inline u32 traced_thread(struct task_struct *task)
{
	return is_traced(task_field(task, tgid)) ? task_field(task, pid) : 0;
}

/* Off the hot path: the first time since the task got the CPU, or since it called exec. */
static __noinline u32 judge_running(void)
{
	u32 since = *(volatile u32 *)&generation;
	u32 tid = traced_thread(current_task());

	if (since != GENERATION_NONE)
		note_running(WHO(since, tid));
	return tid;
}

/* The thread that runs, if it is traced, else 0. (Programs stay on their CPU, also where they can be preempted.) */
static __always_inline u32 running_thread(void)
{
	u32 cpu = bpf_get_smp_processor_id();
	u64 who;

	if (know_running && cpu < CPUS) {
		who = runs[cpu].who;
		if (likely(who >> 32 == *(volatile u32 *)&generation))
			return who;
	}
	return judge_running();
}

static __noinline struct thread_state *find_other_thread(u32 tid)
{
	return more_threads_used ? bpf_map_lookup_elem(&more_threads, &tid) : NULL;
}

static __always_inline struct thread_state *find_thread(u32 tid)
{
	u32 slot = tid & (THREADS - 1);
	struct thread_state *state = bpf_map_lookup_elem(&threads, &slot);

	if (likely(state && state->tid == tid))
		return state;
	return find_other_thread(tid);
}

/* What a thread of io_uring's pool works on. It belongs to the process but makes no system calls. */
static __always_inline struct thread_state *worker_request(struct task_struct *task)
{
	struct ring_key key = {};
	struct io_worker *worker;
	u64 work;

	/* The thread pool works for the process itself since 5.12; the pointer has its name since 5.17. */
	if (!bpf_core_field_exists(task->worker_private) || !bpf_core_field_exists(((struct io_worker *)0)->cur_work) ||
	    !bpf_core_field_exists(((struct io_kiocb *)0)->work) || !(task_field(task, flags) & PF_IO_WORKER))
		return NULL;
	worker = BPF_CORE_READ(task, worker_private);
	work = worker ? (u64)BPF_CORE_READ(worker, cur_work) : 0;
	if (!work)
		return NULL;
	key.address = work - bpf_core_field_offset(struct io_kiocb, work);
	return find_request(&key);
}

/* The file of the open request, if it was resolved: then its alias is state->file. */
static __always_inline const struct known_file *known_of(const struct thread_state *state)
{
	return &state->known[state->op >= WIRE_OP_URING ? 0 : state->fd & (KNOWN_FILES - 1)];
}

/* What the thread works on: a request of a ring, or its own. Its request may be over, and another thread's be at
 * the address. */
static __always_inline struct thread_state *request_of(struct thread_state *state)
{
	if (state->running.address) {
		struct thread_state *request = find_request(&state->running);

		if (request && request->tid == state->tid)
			return request;
	}
	return state->start_ns ? state : NULL;
}

/* The request that the running task works on; a page fault that waits to be closed is one, too. */
static __always_inline struct thread_state *find_open(struct task_struct *task)
{
	struct thread_state *state;
	u32 tid = running_thread();

	if (!tid)
		return NULL;
	state = find_thread(tid);
	if (state)
		return request_of(state);
	return rings_met ? worker_request(task) : NULL;
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
	state->wait_end_ns = 0;
}

#endif /* IOHOPS_TRACK_H */
