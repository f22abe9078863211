/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * Whole records in a ring of words (same.h has the short ones). A ring buffer's locked instructions wait until the
 * processor has the cache lines of all that was stored before, and the collector had those last: the transfer of a
 * direct read took 170 ns of block_complete's 340 to write, and takes 40 here; the request's record 70 less.
 *
 * Each CPU has two, because what an interrupt writes may not come into the middle of what it interrupts: one for the
 * ends of system calls, one for completions. What does not fit goes to the ring buffer.
 */
#ifndef IOHOPS_WORDS_H
#define IOHOPS_WORDS_H

#include "emit.h"

enum { WORDS_OF_CALLS = 0, WORDS_OF_COMPLETIONS = 1 };

struct words {
	struct word_ring *ring;
	u64 place;
	u64 end; /* `written`, when the record is */
};

/* Room for a record of `bytes` (a constant) in one piece; NULL: there is none. */
static __always_inline void *begin_words(struct words *words, u32 which, u32 bytes, u16 kind, u64 time_ns)
{
	u32 cpu = bpf_get_smp_processor_id(), index = cpu + which * word_cpus;
	struct word_ring *ring = bpf_map_lookup_elem(&word_rings, &index);
	u64 at, count = bytes / sizeof(u64);
	struct wire_header *header;

	if (!word_mask || !ring) /* can't happen: the second */
		return NULL;
	at = ring->written;
	if (at - *(volatile u64 *)&ring->read > word_mask + 1 - 2 * count) /* twice: see end_words() */
		return NULL;
	words->ring = ring;
	words->place = at & word_mask;
	words->end = at + count;
	header = (void *)&ring->words[words->place];
	header->time_ns = time_ns;
	header->kind = kind;
	header->size = bytes;
	header->cpu = cpu;
	return header;
}

/* The record of `bytes` is whole. What stands behind the ring's end belongs to its beginning: as
 * much as that could be is copied, over words that are free. */
static __always_inline void end_words(const struct words *words, u32 bytes)
{
	u32 count = bytes / sizeof(u64);

	if (words->place > word_mask + 1 - count)
		for (u32 i = 0; i < count - 1; i++)
			words->ring->words[i] = words->ring->words[word_mask + 1 + i];
	barrier();
	*(volatile u64 *)&words->ring->written = words->end;
}

#endif /* IOHOPS_WORDS_H */
