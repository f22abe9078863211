/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * The names of processes and threads, as records.
 */
#ifndef IOHOPS_NAME_H
#define IOHOPS_NAME_H

#include "track.h"

static __always_inline void emit_thread(struct task_struct *task, const char *comm)
{
	struct wire_thread *record =
		reserve(sizeof(*record), WIRE_THREAD, bpf_ktime_get_ns(), WIRE_LOSS_RING_NAME);
	struct pid *pid = task->thread_pid;
	u32 level = BPF_CORE_READ(pid, level);
	int ns_tid = 0;

	if (!record)
		return;
	bpf_probe_read_kernel(&ns_tid, sizeof(ns_tid),
			      (void *)&pid->numbers[0].nr + level * bpf_core_type_size(struct upid));
	record->tgid = task->tgid;
	record->tid = task->pid;
	record->ns_tid = ns_tid;
	record->reserved = 0;
	bpf_probe_read_kernel_str(record->comm, sizeof(record->comm), comm);
	submit(record);
}

static __always_inline void emit_process(struct task_struct *leader, u32 event)
{
	struct wire_process *record =
		reserve(sizeof(*record), WIRE_PROCESS, bpf_ktime_get_ns(), WIRE_LOSS_RING_NAME);
	struct pid *pid = leader->thread_pid;
	u32 level = BPF_CORE_READ(pid, level);
	int ns_tgid = 0;

	if (!record)
		return;
	bpf_probe_read_kernel(&ns_tgid, sizeof(ns_tgid),
			      (void *)&pid->numbers[0].nr + level * bpf_core_type_size(struct upid));
	record->tgid = leader->tgid;
	record->ns_tgid = ns_tgid;
	record->parent = leader->real_parent->tgid;
	record->event = event;
	record->start_boot_ns = leader->start_boottime;
	bpf_probe_read_kernel_str(record->comm, sizeof(record->comm), leader->comm);
	submit(record);
}

#endif /* IOHOPS_NAME_H */
