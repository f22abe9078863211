/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * The names of processes and threads, as records.
 */
#ifndef IOHOPS_NAME_H
#define IOHOPS_NAME_H

#include "track.h"

/* The number in the innermost namespace. The pointer by a probe read, a number to the verifier: kernels
 * before 6.2 let nothing that is not constant be added to a typed one. */
static __always_inline int innermost(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	u32 level = BPF_CORE_READ(pid, level);
	int number = 0;

	bpf_probe_read_kernel(&number, sizeof(number),
			      (void *)&pid->numbers[0].nr + level * bpf_core_type_size(struct upid));
	return number;
}

static __always_inline void emit_thread(struct task_struct *task, const char *comm)
{
	struct wire_thread *record =
		reserve(sizeof(*record), WIRE_THREAD, bpf_ktime_get_ns(), WIRE_LOSS_RING_NAME);

	if (!record)
		return;
	record->tgid = task_field(task, tgid);
	record->tid = task_field(task, pid);
	record->ns_tid = innermost(task);
	record->reserved = 0;
	bpf_probe_read_kernel_str(record->comm, sizeof(record->comm), comm);
	submit(record);
}

/* By probe reads: rare, and the verifier is quick with them (at_once). */
static __noinline __attribute__((unused)) void emit_process(struct task_struct *task, u32 event)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct wire_process *record =
		reserve(sizeof(*record), WIRE_PROCESS, bpf_ktime_get_ns(), WIRE_LOSS_RING_NAME);

	if (!record)
		return;
	record->tgid = BPF_CORE_READ(leader, tgid);
	record->ns_tgid = innermost(leader);
	record->parent = BPF_CORE_READ(leader, real_parent, tgid);
	record->event = event;
	record->start_boot_ns = BPF_CORE_READ(leader, start_boottime);
	BPF_CORE_READ_STR_INTO(&record->comm, leader, comm);
	submit(record);
}

#endif /* IOHOPS_NAME_H */
