/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * A request like an earlier one of its thread, in three to six words.
 *
 * They go through a ring of their own, an array in memory that the collector maps, and not through a ring buffer:
 * that one takes a spin lock and marks each record busy and then done, by locked instructions on a cache line
 * that was the collector's a moment ago.
 *
 * Assumption: nothing interrupts the writer to write, too. Only the end of a system call does (syscall_exit),
 * which no interrupt makes, and where it can be preempted the kernel skips the program in the task that comes
 * between. The collector sees what stands before `written`, because x86 keeps the order of stores; arm64 does not:
 * there word_mask is 0 and the ring buffer serves.
 */
#ifndef IOHOPS_SAME_H
#define IOHOPS_SAME_H

#include "track.h"
#include "words.h"

#define SAME_WORDS 3
#define SAME_MOST 7 /* words of a record */
#define TOLD_HEAD(context, slot) ((u64)(context) << 32 | SAME_WORDS << 19 | WIRE_SAME | WIRE_SAME_OF_SLOT(slot))
#define TOLD_GENERATION(told) ((u32)((told)->head >> 54)) /* see WIRE_CONTEXT */
#define SAME_WORD (1 << 19) /* one more, in the size that the second word tells */

/* What a request may be told as the same as: a slot of its thread's. */
static __always_inline struct told_request *told_slot(struct thread_state *thread, const struct thread_state *request)
{
	u64 slot = WIRE_SLOT(request->fd, request->op);

	/* In 64 bits: of two halves put together in 32 the verifier of 5.10 knows no bounds. */
	barrier_var(slot);
	return &thread->told[slot & (WIRE_TOLD_SLOTS - 1)];
}

/* Into the ring buffer, which takes no size that varies: with all words. Where there is no ring of words, and when
 * one is full: the collector is late then, and records in full, five times as large, would make it later (io_uring at
 * 2.2 M/s: hundreds of thousands were lost). `more`: words behind the third, a constant. */
static __always_inline void put_in_buffer(const struct thread_state *state, u64 end_ns, u64 head, u64 where, u64 result,
					  const u32 more)
{
	struct wire_same *record =
		reserve(sizeof(*record) + more * sizeof(u64), WIRE_SAME, end_ns, WIRE_LOSS_RING_REQUEST);

	if (!record)
		return;
	record->kind = (u16)head | WIRE_SAME_WORDS;
	record->context = head >> 32;
	record->duration_ns = where;
	record->place = where >> 32;
	record->words[0] = state->buffer;
	record->words[1] = state->requested;
	record->words[2] = result;
	if (more > 3)
		record->words[3] = state->batch_ns;
	submit(record);
}

static __noinline void put_same_in_buffer(const struct thread_state *state, u64 end_ns, u64 head, u64 where, u64 result)
{
	put_in_buffer(state, end_ns, head, where, result, 3);
}

static __always_inline void put_same(struct thread_state *state, u64 end_ns, u64 head, u64 where, u64 result)
{
	struct words words;
	u64 *word = find_room(&words, bpf_get_smp_processor_id(), SAME_MOST);

	if (unlikely(!word)) {
		put_same_in_buffer(state, end_ns, head, where, result);
		return;
	}
	word[0] = end_ns;
	word[1] = head;
	word[2] = where;
	words.end += SAME_WORDS;
	if (unlikely(head & WIRE_SAME_WORDS)) {
		word += SAME_WORDS;
		if (head & WIRE_SAME_BUFFER) {
			*word++ = state->buffer;
			words.end++;
		}
		if (head & WIRE_SAME_REQUESTED) {
			*word++ = state->requested;
			words.end++;
		}
		if (head & WIRE_SAME_RESULT) {
			*word = result;
			words.end++;
		}
	}
	give_out(&words, SAME_MOST);
}

/* Writes the open request as one like `told`, if that can be said: whatever is not named here is the same. */
static __always_inline bool write_same(struct thread_state *state, struct told_request *told, u64 end_ns, s64 result,
				       u64 offset)
{
	u64 duration = end_ns - state->start_ns, place = 0, head = told->head;
	s64 ahead = offset - told->offset;

	if (unlikely(duration >> 32))
		return false;
	if (likely(ahead == (s32)ahead && offset != WIRE_UNKNOWN)) {
		head |= WIRE_SAME_AHEAD;
		place = (u64)ahead << 32;
	} else if (offset != WIRE_UNKNOWN) { /* it says so without a flag */
		if ((offset & 511) || offset >> 41)
			return false;
		head |= WIRE_SAME_SECTOR;
		place = offset >> 9 << 32;
	}
	if (state->buffer != told->buffer)
		head += WIRE_SAME_BUFFER + SAME_WORD;
	if (state->requested != told->requested)
		head += WIRE_SAME_REQUESTED + SAME_WORD;
	if (result != (s64)state->requested)
		head += WIRE_SAME_RESULT + SAME_WORD;
	if (word_mask)
		put_same(state, end_ns, head, duration | place, result);
	else
		put_same_in_buffer(state, end_ns, head, duration | place, result);
	return true;
}

/* Later requests may be told as the same as the open one, which is written in full. */
static __always_inline u16 tell(struct thread_state *state, struct told_request *told, u64 what, u64 offset)
{
	u32 slot = WIRE_SLOT(state->fd, state->op), generation = (TOLD_GENERATION(told) + 1) & (WIRE_GENERATIONS - 1);

	told->what = what;
	told->where = state->where;
	told->how = state->how;
	told->buffer = state->buffer;
	told->requested = state->requested;
	told->run_as = state->run_as;
	told->offset = offset;
	told->head = TOLD_HEAD(WIRE_CONTEXT(state->tid, generation), slot);
	return WIRE_TOLD(slot, generation);
}

#endif /* IOHOPS_SAME_H */
