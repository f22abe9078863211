/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * From a mapping for DMA to the bio whose memory it is, by address: the first mapping of a request finds
 * its bio in `memories`, and leaves a cursor at the byte that must come next.
 *
 * Not seen: who maps, and for which device.
 */
#ifndef IOHOPS_CURSOR_H
#define IOHOPS_CURSOR_H

#include "memory.h"

#define MAX_STEPS 320	/* bios and bio_vecs that one mapping may span */
#define PLAIN_STEPS 160

enum { MAPPED = 0, BOUNCED = 1, CURSORS = 2 };

struct cursor {
	u64 next;  /* memory_key() of the byte that comes next, 0: the request is at its end */
	u64 owner; /* the bio whose state keeps the count */
	u64 owner_queue_ns;
	u64 bio;  /* where `next` lies */
	u32 left; /* bytes of it */
	u32 index;
	u32 done; /* bytes of bio_vec `index` */
	u32 reserved;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CURSORS);
	__type(key, u32);
	__type(value, struct cursor);
} cursors SEC(".maps");

static __always_inline void enter_bio(struct cursor *cursor, u64 address)
{
	struct bio *bio = (void *)address;

	cursor->bio = address;
	cursor->left = BPF_CORE_READ(bio, bi_iter.bi_size);
	cursor->index = BPF_CORE_READ(bio, bi_iter.bi_idx);
	cursor->done = bio_bvec_done(bio);
}

struct walk {
	struct cursor *cursor;
	u64 bytes; /* yet to be passed */
};

/* Over the rest of one bio_vec, or to the next bio. 1: there. */
static long step(u32 i, struct walk *walk)
{
	struct cursor *cursor = walk->cursor;
	struct bio *bio = (void *)cursor->bio;
	struct bio_vec vec = {};
	u32 here;

	if (!cursor->left) {
		u64 next = (u64)BPF_CORE_READ(bio, bi_next);

		if (!next)
			return 1;
		enter_bio(cursor, next);
		return 0;
	}
	bpf_probe_read_kernel(&vec, sizeof(vec), BPF_CORE_READ(bio, bi_io_vec) + cursor->index);
	if (!vec.bv_page || cursor->done >= vec.bv_len)
		return 1; /* not the bio that it was */
	here = vec.bv_len - cursor->done;
	if (here > cursor->left)
		here = cursor->left;
	if (walk->bytes < here) {
		cursor->done += walk->bytes;
		cursor->left -= walk->bytes;
		cursor->next = memory_key((u64)vec.bv_page, (u64)vec.bv_offset + cursor->done);
		return 1;
	}
	walk->bytes -= here;
	cursor->left -= here;
	cursor->index++;
	cursor->done = 0;
	return 0;
}

/* Past `bytes`, which were mapped. `can_loop`: bpf_loop is there (5.17); without it a loop that the
 * verifier walks, which does for what swiotlb maps at once, 256 KiB. */
static __always_inline void advance(u32 which, u64 bytes, bool can_loop)
{
	struct walk walk = { .cursor = bpf_map_lookup_elem(&cursors, &which), .bytes = bytes };

	if (!walk.cursor)
		return;
	walk.cursor->next = 0;
	if (can_loop) {
		bpf_loop(MAX_STEPS, step, &walk, 0);
		return;
	}
	for (u32 i = 0; i < PLAIN_STEPS; i++)
		if (step(i, &walk))
			return;
}

/* The state that counts what begins at `key`. `*first`: a count begins. */
static __always_inline struct bio_state *find_counted(u32 which, u64 key, bool *first)
{
	struct cursor *cursor = bpf_map_lookup_elem(&cursors, &which);
	struct bio_state *state;
	u64 *bio;

	*first = false;
	if (!cursor)
		return NULL;
	if (cursor->next == key) {
		state = find_bio(cursor->owner);
		if (state && state->part.queue_ns == cursor->owner_queue_ns)
			return state;
	}
	bio = bpf_map_lookup_elem(&memories, &key);
	if (!bio)
		return NULL;
	state = find_bio(*bio);
	if (!state)
		return NULL;
	cursor->owner = *bio;
	cursor->owner_queue_ns = state->part.queue_ns;
	enter_bio(cursor, *bio);
	*first = true;
	return state;
}

static __always_inline u64 key_of_physical(u64 address)
{
	return page_array ? memory_key(page_array, address) : 0;
}

#endif /* IOHOPS_CURSOR_H */
