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

#define SAME_WORDS 3

/* False: no room. What does not fit goes into the ring buffer in full. */
static __always_inline bool put_same(struct thread_state *state, u64 end_ns, u64 head, u64 where, u64 result)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct word_ring *ring = bpf_map_lookup_elem(&word_rings, &cpu);
	u64 *words = bpf_map_lookup_elem(&ring_words, &cpu);
	u64 at;

	if (!ring || !words) /* can't happen */
		return false;
	at = ring->written;
	if (at - *(volatile u64 *)&ring->read > word_mask - SAME_WORDS - 3)
		return false;
	words[at++ & word_mask] = end_ns;
	words[at++ & word_mask] = head;
	words[at++ & word_mask] = where;
	if (head & WIRE_SAME_BUFFER)
		words[at++ & word_mask] = state->buffer;
	if (head & WIRE_SAME_REQUESTED)
		words[at++ & word_mask] = state->requested;
	if (head & WIRE_SAME_RESULT)
		words[at++ & word_mask] = result;
	barrier();
	*(volatile u64 *)&ring->written = at;
	return true;
}

/* The same into the ring buffer, which takes no size that varies: with all words. */
static __always_inline bool put_same_whole(struct thread_state *state, u64 end_ns, u64 head, u64 where, u64 result)
{
	struct wire_same *record = reserve(sizeof(*record) + 3 * sizeof(u64), WIRE_SAME, end_ns, WIRE_LOSS_RING_REQUEST);

	if (!record)
		return true; /* lost, and counted */
	record->kind = head | WIRE_SAME_WORDS;
	record->context = head >> 32;
	record->duration_ns = where;
	record->place = where >> 32;
	record->words[0] = state->buffer;
	record->words[1] = state->requested;
	record->words[2] = result;
	submit(record);
	return true;
}

/* Writes the open request as one like `told`, if that can be said: whatever is not named here is the same. */
static __always_inline bool write_same(struct thread_state *state, struct told_request *told, u64 end_ns, s64 result,
				       u64 offset)
{
	u64 duration = end_ns - state->start_ns, place = 0;
	s64 ahead = offset - told->offset;
	u64 head = WIRE_SAME | (state->fd & WIRE_SAME_SLOT) | (u64)told->context << 32, words = SAME_WORDS;

	if (duration >> 32)
		return false;
	if (offset == WIRE_UNKNOWN) {
		/* it says so without a flag */
	} else if (ahead == (s32)ahead) {
		head |= WIRE_SAME_AHEAD;
		place = ahead;
	} else if (!(offset & 511) && !(offset >> 41)) {
		head |= WIRE_SAME_SECTOR;
		place = offset >> 9;
	} else {
		return false;
	}
	if (state->buffer != told->buffer) {
		head |= WIRE_SAME_BUFFER;
		words++;
	}
	if (state->requested != told->requested) {
		head |= WIRE_SAME_REQUESTED;
		words++;
	}
	if (result != (s64)state->requested) {
		head |= WIRE_SAME_RESULT;
		words++;
	}
	if (!word_mask)
		return put_same_whole(state, end_ns, head, duration | place << 32, result);
	return put_same(state, end_ns, head | words << 19, duration | place << 32, result);
}

/* Later requests may be told as the same as the open one, which is written in full. */
static __always_inline u16 tell(struct thread_state *state, struct told_request *told, u64 what, u64 offset)
{
	u32 generation = (told->generation + 1) & (WIRE_GENERATIONS - 1);

	told->what = what;
	told->where = state->where;
	told->how = state->how;
	told->buffer = state->buffer;
	told->requested = state->requested;
	told->offset = offset;
	told->generation = generation;
	told->context = WIRE_CONTEXT(state->tid, generation);
	return WIRE_TOLD(state->fd & (WIRE_TOLD_SLOTS - 1), generation);
}

#endif /* IOHOPS_SAME_H */
