// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Direct requests of libaio between io_submit and io_getevents: which of a batch the kernel works on, and
 * when it is over. iomap's tracepoints (6.5) tell, for the file systems that use it.
 */
#include "track.h"

struct io_event {
	u64 obj;
} __attribute__((preserve_access_index));
struct aio_kiocb {
	struct kiocb rw;
	struct io_event ki_res;
} __attribute__((preserve_access_index));

/* struct kiocb -> its request, from the start of the direct I/O to its end. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, RING_REQUESTS);
	__type(key, u64);
	__type(value, struct ring_key);
} direct_kiocbs SEC(".maps");

SEC("?tp_btf/iomap_dio_rw_begin")
int BPF_PROG(aio_begin, struct kiocb *kiocb)
{
	struct task_struct *task = current_task();
	struct thread_state *thread;
	struct ring_key key = {};
	u64 address = (u64)kiocb;

	if (!rings_met || !is_traced(task_field(task, tgid)))
		return 0;
	thread = find_thread(task_field(task, pid));
	if (!thread || !thread->start_ns || thread->op != WIRE_OP_IO_SUBMIT)
		return 0;
	key.address = BPF_CORE_READ((struct aio_kiocb *)kiocb, ki_res.obj);
	key.tgid = thread->tgid;
	if (!bpf_map_lookup_elem(&ring_requests, &key))
		return 0;
	thread->running = key;
	bpf_map_update_elem(&direct_kiocbs, &address, &key, BPF_ANY);
	return 0;
}

SEC("?tp_btf/iomap_dio_complete")
int BPF_PROG(aio_complete, struct kiocb *kiocb)
{
	u64 address = (u64)kiocb;
	struct ring_key *key = rings_met ? bpf_map_lookup_elem(&direct_kiocbs, &address) : NULL;
	struct thread_state *request = key ? bpf_map_lookup_elem(&ring_requests, key) : NULL;

	if (request)
		request->argument = bpf_ktime_get_ns();
	if (key)
		bpf_map_delete_elem(&direct_kiocbs, &address);
	return 0;
}
