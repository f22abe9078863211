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

/* On newer kernels (7.2 and 7.3, not 6.18) tracepoints can be preempted, and another program would write into the
 * middle of a record. Around programs that write none it is of no use. It does not keep the kernel from skipping what
 * the next task of that CPU does meanwhile, as if a program had called itself: who waits for the CPU gets it when
 * preemption is enabled again, and there the program is not over yet. What is skipped is counted, and lost (7.3, 4
 * writers on 2 emulated CPUs: 1,100 to 2,700 of 30,000 requests, with all programs undisturbed and with none). */
extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;
#define undisturbed(call)                      \
	({                                     \
		if (can_hold)                  \
			bpf_preempt_disable(); \
		call;                          \
		if (can_hold)                  \
			bpf_preempt_enable();  \
	})

/* Shared with the collector's memory. Userspace sets the sizes, with a page behind the end for a record that reaches
 * beyond it. */
struct word_ring {
	u64 written; /* words so far, by the kernel */
	u64 unused[15];
	u64 read; /* by the collector */
	u64 unused_2[495];
	u64 words[]; /* word_mask + 1, and a page that is written beyond the end and read at the beginning */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, 3 * 4096);
} word_rings SEC(".maps");
const volatile __u32 word_mask = 0; /* words of a ring - 1; 0: there is none */
const volatile __u32 word_cpus = 1; /* as many rings there are for system calls, and then for completions */

/* What stands behind the ring's end belongs to its beginning: as much as can be of a record of `most` words is copied,
 * over words that are free. Rare, and so off the hot path. */
static __noinline void begin_again(struct word_ring *ring, u32 most)
{
	for (u32 i = 0; i < most - 1; i++)
		ring->words[i] = ring->words[word_mask + 1 + i];
}

enum { WORDS_OF_CALLS = 0, WORDS_OF_COMPLETIONS = 1 };

struct words {
	struct word_ring *ring;
	u64 place;
	u64 end; /* `written`, when the record is */
};

/* Room for a record of so many words at most in the ring of that number, in one piece; NULL: there is none. */
static __always_inline u64 *find_room(struct words *words, u32 index, u64 most)
{
	struct word_ring *ring = bpf_map_lookup_elem(&word_rings, &index);
	const u64 mask = word_mask;

	if (!ring) /* can't happen */
		return NULL;
	words->end = ring->written;
	if (unlikely(words->end - *(volatile u64 *)&ring->read > mask + 1 - 2 * most)) /* twice: see begin_again() */
		return NULL;
	words->ring = ring;
	words->place = words->end & mask;
	return &ring->words[words->place];
}

/* The record is whole, and ends where words->end says. */
static __always_inline void give_out(const struct words *words, u32 most)
{
	if (unlikely(words->place > word_mask + 1 - most))
		begin_again(words->ring, most);
	barrier();
	*(volatile u64 *)&words->ring->written = words->end;
}

/* The record of `bytes` (a constant), begun; NULL: there is no room. */
static __always_inline void *begin_words(struct words *words, u32 which, u32 bytes, u16 kind, u64 time_ns)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct wire_header *header;

	if (!word_mask)
		return NULL;
	header = (void *)find_room(words, cpu + which * word_cpus, bytes / sizeof(u64));
	if (!header)
		return NULL;
	words->end += bytes / sizeof(u64);
	header->time_ns = time_ns;
	header->kind = kind;
	header->size = bytes;
	header->cpu = cpu;
	return header;
}

/* The record of `bytes` is whole. */
static __always_inline void end_words(const struct words *words, u32 bytes)
{
	give_out(words, bytes / sizeof(u64));
}

#endif /* IOHOPS_WORDS_H */
