// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Direct I/O begins and ends, as iomap's tracepoints tell (6.5) for the file systems that use it. Two want to know:
 * libaio, between io_submit and io_getevents, which of a batch the kernel works on and when it is over; and loop
 * devices with direct I/O, which hand their request's own struct kiocb to the file system below (lo_rw_aio).
 *
 * One program for both at each tracepoint: every direct request of every process passes them, and a second program
 * there costs each 30 to 50 ns, to find out that it has nothing to do.
 *
 * Not seen: loop devices with direct I/O on file systems without iomap, or before 6.5.
 */
#include "stack.h"
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

/* Which of its batch the submitting thread works on. */
static __always_inline void begin_of_batch(struct kiocb *kiocb, struct task_struct *task)
{
	struct thread_state *thread;
	struct ring_key key = {};
	u64 address = (u64)kiocb;

	if (!rings_met || !is_traced(task_field(task, tgid)))
		return;
	thread = find_thread(task_field(task, pid));
	if (!thread || !thread->start_ns || thread->op != WIRE_OP_IO_SUBMIT)
		return;
	key.address = BPF_CORE_READ((struct aio_kiocb *)kiocb, ki_res.obj);
	key.tgid = thread->tgid;
	if (!bpf_map_lookup_elem(&ring_requests, &key))
		return;
	thread->running = key;
	bpf_map_update_elem(&direct_kiocbs, &address, &key, BPF_ANY);
}

static __always_inline void end_of_batch(struct kiocb *kiocb)
{
	u64 address = (u64)kiocb;
	struct ring_key *key = rings_met ? bpf_map_lookup_elem(&direct_kiocbs, &address) : NULL;
	struct thread_state *request = key ? bpf_map_lookup_elem(&ring_requests, key) : NULL;

	if (request)
		request->argument = bpf_ktime_get_ns();
	if (key)
		bpf_map_delete_elem(&direct_kiocbs, &address);
}

/* The kiocb of the loop driver's thread lies in the request of the loop device, behind struct request. */
static __always_inline void begin_carrying(struct kiocb *kiocb, struct task_struct *task)
{
	u32 tid = task_field(task, pid);
	struct carrier carrier = {};
	struct bio_state *first;
	struct gendisk *disk;
	struct request *rq;

	if (!armed || !(task_field(task, flags) & PF_KTHREAD) || !bpf_core_type_exists(struct loop_cmd))
		return;
	rq = (void *)kiocb - bpf_core_field_offset(struct loop_cmd, iocb) - bpf_core_type_size(struct request);
	disk = BPF_CORE_READ(rq, q, disk);
	if (!disk || BPF_CORE_READ(disk, major) != LOOP_MAJOR)
		return;
	carrier.first = (u64)BPF_CORE_READ(rq, bio);
	first = find_bio(carrier.first);
	if (!first)
		return;
	carrier.carried.transfer = first->id;
	carriers_met = true;
	bpf_map_update_elem(&carriers, &tid, &carrier, BPF_ANY);
}

/* What the loop driver's thread queues from now on is its own. */
static __always_inline void put_down(struct task_struct *task)
{
	u32 tid = task_field(task, pid);

	if (carriers_met)
		bpf_map_delete_elem(&carriers, &tid);
}

SEC("?tp_btf/iomap_dio_rw_begin")
int BPF_PROG(direct_begin, struct kiocb *kiocb)
{
	struct task_struct *task = current_task();

	if (!light)
		begin_of_batch(kiocb, task);
	begin_carrying(kiocb, task);
	return 0;
}

SEC("?tp_btf/iomap_dio_rw_queued")
int BPF_PROG(direct_queued)
{
	put_down(current_task());
	return 0;
}

/* It was over before its caller could leave it, or it is a request that completes later. */
SEC("?tp_btf/iomap_dio_complete")
int BPF_PROG(direct_done, struct kiocb *kiocb)
{
	if (!light)
		end_of_batch(kiocb);
	put_down(current_task());
	return 0;
}
