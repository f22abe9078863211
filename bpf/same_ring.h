/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * A request of io_uring like an earlier one of its thread, in four to seven words instead of 33.
 *
 * What its thread has told is the thread's, so this is for completions that the submitting thread itself brings
 * about: it is not asked for anything else meanwhile. They are made in its context, never in an interrupt
 * (completion_lock is taken with interrupts on), so the words go where those of system calls go.
 */
#ifndef IOHOPS_SAME_RING_H
#define IOHOPS_SAME_RING_H

#include "request.h"

/* 1: they differ. Without a branch, of which each doubles what the verifier walks. */
static __always_inline u64 differ(u64 one, u64 other)
{
	u64 bits = one ^ other;

	barrier_var(bits);
	bits = (bits | -bits) >> 63;
	barrier_var(bits);
	return bits & 1;
}

static __noinline void put_ring_in_buffer(const struct thread_state *request, u64 end_ns, u64 head, u64 where, u64 result)
{
	put_in_buffer(request, end_ns, head, where, result, 4);
}

static __always_inline void put_same_of_ring(const struct thread_state *request, const struct told_request *told,
					     u64 end_ns, u64 where, u64 result)
{
	u64 buffer = differ(request->buffer, told->buffer), requested = differ(request->requested, told->requested);
	u64 other = differ(result, request->requested), more = 1 + buffer + requested + other;
	struct words words;
	u64 *word = find_room(&words, bpf_get_smp_processor_id(), SAME_MOST);

	if (unlikely(!word)) {
		put_ring_in_buffer(request, end_ns, told->head + WIRE_SAME_BATCH, where, result);
		return;
	}
	word[0] = end_ns;
	word[1] = told->head + WIRE_SAME_BATCH + buffer * WIRE_SAME_BUFFER + requested * WIRE_SAME_REQUESTED +
		  other * WIRE_SAME_RESULT + more * SAME_WORD;
	word[2] = where;
	/* Those that are not wanted are written over. */
	word[3] = request->buffer;
	word[3 + buffer] = request->requested;
	word[3 + buffer + requested] = result;
	word[3 + buffer + requested + other] = request->batch_ns;
	words.end += SAME_WORDS + more;
	give_out(&words, SAME_MOST);
}

/* False: it cannot be said in few words. `what`: with all flags. */
static __always_inline bool write_same_of_ring(const struct thread_state *request, const struct told_request *told,
					       u64 what, u64 end_ns, s64 result)
{
	u64 duration = end_ns - request->start_ns;
	s64 ahead = request->offset - told->offset; /* 0 also where neither has one */

	if ((told->what ^ what) | (told->where ^ request->where) | (told->how ^ request->how) |
	    (told->run_as ^ request->run_as) | duration >> 32 | (u64)(ahead ^ (s32)ahead) | (u64)(request->to_fd >= 0))
		return false;
	put_same_of_ring(request, told, end_ns, duration | (u64)ahead << 32, result);
	return true;
}

#define OF_SUBMITTER (1 << 16) /* among the flags: the submitter runs, and `thread` is it */

/* A global function, verified once and not for each way that leads here. */
__noinline __weak int write_ring_request(struct thread_state *request, struct thread_state *thread, u64 end_ns,
					 s64 result, u32 flags)
{
	if (!request || !thread) /* can't happen */
		return 0;
	struct told_request *told = told_slot(thread, request);

	if (!(flags & OF_SUBMITTER) || request->touched)
		told = NULL;
	touch(request); /* its record has a detail */
	write_detail(request, end_ns, result, request->offset, flags, (flags & OF_SUBMITTER) != 0, told);
	return 0;
}

/* Ends a request. `thread`: its submitter, if that is who runs; NULL: another, whose words these are not. */
static __always_inline void end_ring_request(struct thread_state *thread, struct thread_state *request, u64 end_ns,
					     s64 result)
{
	u16 flags = request->flags;

	if (measure_copies && WIRE_OP_COPIES(request->op))
		flags |= judge_copies(request, result);
	if (tally)
		tally_request(request, end_ns, result);
	else if (!thread || !word_mask)
		write_ring_request(request, request, end_ns, result, flags);
	else if (request->touched || !write_same_of_ring(request, told_slot(thread, request),
							 request->what | (u64)flags << 16, end_ns, result))
		write_ring_request(request, thread, end_ns, result, flags | OF_SUBMITTER);
	end_state(request);
}

#endif /* IOHOPS_SAME_RING_H */
