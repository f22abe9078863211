// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Time off the CPU inside requests, and the lives of processes and threads.
 *
 * Not seen: why a sleep that is no I/O wait happened (a lock, a pipe, a socket: "other"), and losing
 * the CPU during a page fault (it cannot be told from losing it in user code after the fault).
 */
#include "light.h"

static __always_inline void switch_out(struct thread_state *state, struct task_struct *task, bool preempted)
{
	bool voluntary = !preempted && is_asleep(task);

	if (!voluntary && state->op == WIRE_OP_PAGE_FAULT)
		return;
	touch(state);
	if (state->wait_end_ns)
		write_wait(state, false);
	if (!voluntary) {
		state->involuntary++;
		state->out_reason = WIRE_WAIT_PREEMPTED;
	} else {
		state->voluntary++;
		if (state->throttled)
			state->out_reason = WIRE_WAIT_THROTTLED;
		else if (!BPF_CORE_READ_BITFIELD(task, in_iowait) || is_interruptible(task))
			/* Who waits for a page or a device is not to be woken by signals. io_uring_enter is: it waits
			 * for completions, of whatever its requests do, and counts that as I/O. */
			state->out_reason = WIRE_WAIT_OTHER;
		else if (state->bios || state->own_writeback)
			state->out_reason = WIRE_WAIT_DEVICE;
		else
			state->out_reason = WIRE_WAIT_PAGE_LOCK;
	}
	state->out_ns = bpf_ktime_get_ns();
}

static __always_inline void switch_in(struct thread_state *state)
{
	u64 now = bpf_ktime_get_ns(), begin = state->out_ns, waited = now - begin;
	u32 reason = state->out_reason;

	state->out_ns = 0;
	state->off_cpu_ns += waited;
	state->last_event_ns = now;
	if (reason == WIRE_WAIT_THROTTLED) {
		state->throttled_ns += waited;
		state->throttled = 0;
	}
	if (reason == WIRE_WAIT_DEVICE || reason == WIRE_WAIT_PAGE_LOCK)
		state->io_waits++;
	if (tally)
		return;
	state->waits++;
	state->wait_begin_ns = begin;
	state->wait_end_ns = now;
	state->wait_reason = reason;
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempted, struct task_struct *prev, struct task_struct *next)
{
	struct thread_state *state;
	u32 tid = running_thread();

	if (tid) {
		state = find_thread(tid);
		/* What a ring's request does in its submitter's context never waits to be woken by a signal: the
		 * thread is done with it and waits for completions. */
		if (state && state->running.address && !preempted && is_interruptible(prev))
			state->running.address = 0;
		state = state ? request_of(state) : rings_met ? worker_request(prev) : NULL;
		state = still_open(state, prev);
		if (state)
			switch_out(state, prev, preempted);
	}
	forget_running();
	tid = traced_thread(next);
	if (tid) {
		state = find_thread(tid);
		state = state ? request_of(state) : rings_met ? worker_request(next) : NULL;
		if (state && state->out_ns)
			switch_in(state);
	}
	return 0;
}

static __always_inline bool add_target(u32 tgid)
{
	if (bpf_map_update_elem(&targets, &tgid, &tgid, BPF_ANY)) {
		count_loss(WIRE_LOSS_THREADS_FULL);
		return false;
	}
	targets_near[tgid & 0xffff] = 1;
	return true;
}

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(sched_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 tgid = child->tgid, pid = child->pid;

	if (tgid == parent->tgid || !is_traced(parent->tgid))
		return 0; /* a thread needs no mark: its tgid is traced already */
	if (scope == SCOPE_ONE || (scope == SCOPE_SET && !follow))
		return 0;
	if (scope == SCOPE_SET && !add_target(tgid))
		return 0;
	bpf_map_update_elem(&named_processes, &tgid, &pid, BPF_ANY);
	emit_process(child, WIRE_PROCESS_FORK);
	return 0;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(sched_exec, struct task_struct *task, int old_pid)
{
	u32 tgid = task->tgid;

	forget_running();
	if (awaited_tgid && tgid == awaited_tgid) {
		awaited_tgid = 0;
		if (scope == SCOPE_ONE)
			only_tgid = tgid;
		else if (scope == SCOPE_SET)
			add_target(tgid);
	}
	if (!is_traced(tgid))
		return 0;
	/* exec from another thread than the leader: it took over the leader's id */
	if (old_pid != task->pid)
		remove_thread(old_pid);
	emit_process(task, WIRE_PROCESS_EXEC);
	return 0;
}

SEC("?tp_btf/task_rename")
int BPF_PROG(sched_rename, struct task_struct *task, const char *comm)
{
	if (!is_traced(task->tgid) || !find_thread(task->pid))
		return 0; /* a thread without state is named when it gets one */
	emit_thread(task, comm);
	return 0;
}

static __always_inline void end_process(struct task_struct *task)
{
	u32 tgid = task->tgid;
	struct wire_process_exit *record =
		reserve(sizeof(*record), WIRE_PROCESS_EXIT, bpf_ktime_get_ns(), WIRE_LOSS_RING_NAME);

	if (record) {
		record->tgid = tgid;
		record->exit_code = BPF_CORE_READ(task, signal, group_exit_code) ?: task->exit_code;
		submit(record);
	}
	bpf_map_delete_elem(&named_processes, &tgid);
	/* The number may be given to another process from now on. */
	if (scope == SCOPE_ONE)
		only_tgid = 0;
	else if (scope == SCOPE_SET)
		bpf_map_delete_elem(&targets, &tgid);
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(sched_exit, struct task_struct *task)
{
	struct thread_state *state;

	if (!is_traced(task->tgid))
		return 0;
	state = find_thread(task->pid);
	if (state) {
		if (state->start_ns && state->op == WIRE_OP_PAGE_FAULT)
			close_fault(state, task);
		else if (state->start_ns)
			close_request(state, bpf_ktime_get_ns(), 0, state->offset, WIRE_REQUEST_ABORTED);
		remove_thread(task->pid);
	}
	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		end_process(task);
	return 0;
}
