/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * Requests of libaio: what io_submit starts and io_getevents collects.
 *
 * The key is the address of the application's struct iocb, which the completion names, too. A call that
 * submits one request works on that one. Of several, aio.bpf.c tells which; where it cannot, their device
 * work is left to io_submit.
 *
 * Not seen: when a request was over if iomap_dio_complete does not tell: its end is then when it was
 * collected. Requests that nobody collects by a system call.
 */
#ifndef IOHOPS_AIO_H
#define IOHOPS_AIO_H

#include "call.h"
#include "ring.h"

#define MAX_BATCH 256 /* of one call; what is beyond counts as lost */

/* uapi/linux/aio_abi.h: an interface. */
struct user_iocb {
	u64 data;
	u32 key;
	u32 rw_flags;
	u16 command;
	u16 priority;
	u32 fd;
	u64 buffer;
	u64 bytes;
	s64 offset;
};
struct user_event {
	u64 data;
	u64 object;
	s64 result;
	s64 result2;
};
enum { COMMAND_PREADV = 7, COMMAND_PWRITEV = 8 };

/* What the application asks for. Not inline: naming a file takes all of the stack that submit_iocb leaves. */
static __noinline struct thread_state *open_iocb(struct thread_state *thread, const struct ring_key *key)
{
	struct thread_state *request;
	struct user_iocb iocb = {};

	if (bpf_probe_read_user(&iocb, sizeof(iocb), (void *)key->address) || !(aio_ops >> (iocb.command & 15) & 1))
		return NULL;
	request = submit_request(thread, hash_request(key), WIRE_OP_AIO + (iocb.command & 15));
	if (!request)
		return NULL;
	request->fd = iocb.fd;
	request->offset = iocb.offset;
	request->call_flags = iocb.rw_flags;
	request->argument = 0; /* when it was over */
	if (iocb.command == COMMAND_PREADV || iocb.command == COMMAND_PWRITEV) {
		read_vector(request, iocb.buffer, iocb.bytes);
	} else {
		request->buffer = iocb.buffer;
		request->requested = iocb.bytes;
	}
	return request;
}

/* Global functions, verified once and not in each round of a loop. `pointer`: to the application's pointer. */
__noinline __weak int submit_iocb(u64 pointer)
{
	struct task_struct *task = current_task();
	struct thread_state *thread = find_thread(task_field(task, pid)), *request;
	struct ring_key key = {};

	bpf_probe_read_user(&key.address, sizeof(key.address), (void *)pointer);
	if (!thread)
		return 0;
	key.tgid = thread->tgid;
	request = open_iocb(thread, &key);
	if (!request)
		return 0;
	resolve_request(request, thread, task_files(task));
	thread->running = key;
	return 0;
}

/* It was not taken: as if it had never been asked for. */
__noinline __weak int drop_iocb(u64 pointer, u32 tgid)
{
	struct ring_key key = { .tgid = tgid };

	bpf_probe_read_user(&key.address, sizeof(key.address), (void *)pointer);
	bpf_map_delete_elem(&ring_requests, &key);
	return 0;
}

__noinline __weak int collect_event(u64 address, u32 tgid)
{
	struct user_event event = {};
	struct ring_key key = { .tgid = tgid };
	struct thread_state *request;
	u64 now = bpf_ktime_get_ns();

	if (bpf_probe_read_user(&event, sizeof(event), (void *)address))
		return 0;
	key.address = event.object;
	request = bpf_map_lookup_elem(&ring_requests, &key);
	if (!request || !request->start_ns)
		return 0;
	close_request(request, request->argument ?: now, event.result, request->offset, 0);
	bpf_map_delete_elem(&ring_requests, &key);
	return 0;
}

static __noinline void submit_batch(struct thread_state *thread)
{
	u64 array = thread->argument, count = thread->requested;

	for (u32 i = 0; i < MAX_BATCH; i++) {
		if (i >= count)
			break;
		submit_iocb(array + i * sizeof(u64));
	}
	if (count > MAX_BATCH)
		count_loss(WIRE_LOSS_RINGS_FULL);
	if (count > 1) /* which of them does not show here */
		thread->running.address = 0;
}

static __noinline void end_batch(struct thread_state *thread, s64 taken)
{
	u64 array = thread->argument, first = taken > 0 ? taken : 0;
	s64 left = thread->requested - first;

	array += first * sizeof(u64); /* no test inside the loop: the verifier walks both ways each time */
	for (u32 i = 0; i < MAX_BATCH; i++) {
		if (i >= left)
			break;
		drop_iocb(array + i * sizeof(u64), thread->tgid);
	}
}

static __noinline void collect_events(struct thread_state *thread, s64 count)
{
	u64 array = thread->argument;

	for (u32 i = 0; i < MAX_BATCH; i++) {
		if (i >= count)
			break;
		collect_event(array + i * sizeof(struct user_event), thread->tgid);
	}
	if (count > MAX_BATCH)
		count_loss(WIRE_LOSS_RINGS_FULL);
}

#endif /* IOHOPS_AIO_H */
