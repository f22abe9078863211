/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * The record of a wait. A thread keeps the last one of its request, which goes out with the request, or when the next
 * begins. Most requests have but one, and where it ends, in the scheduler with a device's answer at hand, a record
 * cost 80 ns.
 */
#ifndef IOHOPS_WAIT_H
#define IOHOPS_WAIT_H

#include "track.h"
#include "words.h"

static __always_inline void fill_wait(struct wire_wait *record, const struct thread_state *state)
{
	record->owner.tgid = state->tgid;
	record->owner.tid = state->tid;
	record->owner.start_ns = state->start_ns;
	record->begin_ns = state->wait_begin_ns;
	record->reason = state->wait_reason;
	record->reserved = 0;
}

/* The one that it keeps. `at_exit`: from syscall_exit. */
static __always_inline void write_wait(struct thread_state *state, bool at_exit)
{
	u64 end_ns = state->wait_end_ns;
	struct wire_wait *record = NULL;
	struct words words;

	state->wait_end_ns = 0;
	if (word_mask && at_exit)
		record = begin_words(&words, WORDS_OF_CALLS, sizeof(*record), WIRE_WAIT, end_ns);
	if (record) {
		fill_wait(record, state);
		end_words(&words, sizeof(*record));
		return;
	}
	record = reserve(sizeof(*record), WIRE_WAIT, end_ns, WIRE_LOSS_RING_DETAIL);
	if (!record)
		return;
	fill_wait(record, state);
	submit(record);
}

/* The thread is back on the CPU, or is waited for no longer. */
static __always_inline void end_wait(struct thread_state *state, u64 now)
{
	state->off_cpu_ns += now - state->out_ns;
	state->waits++;
	state->wait_begin_ns = state->out_ns;
	state->wait_end_ns = now;
	state->wait_reason = state->out_reason;
	state->out_ns = 0;
}

#endif /* IOHOPS_WAIT_H */
