/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * A request of a ring from its submission on: a state of its own, in which what happens below it is
 * gathered as it is in a thread's.
 */
#ifndef IOHOPS_RING_H
#define IOHOPS_RING_H

#include "descriptor.h"

/* Rows of another process are not this one's. */
static __always_inline void forget_rows(struct thread_state *request)
{
	for (int i = 0; i < KNOWN_FILES; i++)
		request->places[i][0].key = request->places[i][1].key = 0;
}

/* A new request, submitted by the thread, in `request`; NULL: no room (counted). What it held before has ended
 * without telling (no completion was asked for, or nobody collected it), or left what is not zeroed here. */
static __noinline struct thread_state *submit_request(struct thread_state *thread, struct thread_state *request, u16 op)
{
	u64 now = bpf_ktime_get_ns();

	if (!request) {
		count_loss(WIRE_LOSS_RINGS_FULL);
		return NULL;
	}
	if (request->start_ns)
		close_request(request, request->last_event_ns ?: now, 0, request->offset, WIRE_REQUEST_END_UNKNOWN);
	if (!rings_met)
		rings_met = true;
	if (tally && request->tgid != thread->tgid)
		forget_rows(request);
	open_request(request, now, op);
	request->weight = 1;
	request->tgid = thread->tgid;
	request->tid = thread->tid;
	request->fd = -1;
	request->file = 0;
	request->open_flags = 0;
	request->buffer = 0;
	request->requested = WIRE_UNKNOWN;
	request->offset = WIRE_UNKNOWN;
	request->segments = 1;
	request->call_flags = 0;
	if (measure_copies)
		request->copy_argument = 0;
	request->to_fd = -1;
	request->last_event_ns = 0;
	request->batch_ns = thread->start_ns;
	request->run_as = thread->start_ns ? WIRE_RUN_SUBMITTER : WIRE_RUN_POLLER; /* and no flags */
	return request;
}

/* A state is not zeroed for each request, and what another left there is not this one's file. */
static __always_inline void forget_file(struct known_file *known)
{
	*known = (struct known_file){};
}

/* The file of the request's descriptor, looked up where the thread remembers its files. */
static __always_inline void resolve_request(struct thread_state *request, struct thread_state *thread,
					    struct files_struct *files)
{
	struct known_file *known = &thread->known[request->fd & (KNOWN_FILES - 1)];
	u32 open_flags;

	if (!know_file(thread, known, files, request->fd, &open_flags)) {
		forget_file(&request->known[0]);
		if (request->fd >= 0)
			request->flags |= WIRE_REQUEST_FILE_UNKNOWN;
		return;
	}
	request->open_flags = open_flags;
	request->file = known->alias;
	request->known[0] = *known;
}

#endif /* IOHOPS_RING_H */
