/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * A bio on its way, from block_bio_queue to its completion: its state, and how it is found by the bio's address.
 *
 * As a ring's request does (slot.h), a bio has a place in an array, one of BIO_TRIES that its address leads to: the
 * next bio at this address, and a slab gives the same ones again and again, finds the cache lines that the last one
 * left. In a hash map each was an insert, which copies all of it, a delete and dearer lookups: 70 ns of a direct read.
 * Whoever finds no free place is in the hash map all the same: nothing is lost.
 *
 * Places are for x86: to give one back without a barrier, which BPF did not have in 5.10, needs its order of stores.
 */
#ifndef IOHOPS_BIO_H
#define IOHOPS_BIO_H

#include "state.h"

/* What every bio needs stands in front: two cache lines and a half. */
struct bio_state {
	struct wire_bio_part part;
	u64 id;	    /* of its transfer, if it is the first of it */
	u64 sector; /* on `disk`, as it was queued */
	u64 insert_ns;
	u64 issue_ns;
	u32 issues;
	u32 disk;
	u64 vector; /* bi_io_vec; 0: clones of it are not looked for */
	struct wire_carried carried; /* the transfer above, if it is part of one */
	/* Of those whose memory is watched: without watch_dma never touched. */
	u64 memory; /* key of `memories`, 0: none */
	u32 dma_segments;
	u32 dma_source;
	u64 dma_mapped_bytes;
	u64 bounced_bytes;
	u64 bounce_bytes_in; /* copied into bounce buffers, as the kernel's function said */
	u64 bounce_bytes_out;
	u64 unused[4];
};
static const struct bio_state new_bio = {};

/* On x86 those that found no place. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BIOS);
	__type(key, u64);
	__type(value, struct bio_state);
} bios SEC(".maps");

#define BIO_TRIES 4
#if defined(__TARGET_ARCH_x86)
#define has_bio_places true
#define BIO_PLACES 4096 /* a power of two */
#else
#define has_bio_places false
#define BIO_PLACES BIO_TRIES
#endif

/* Two words for each: the bio, 0: not said yet; and how many claim it, 0: it is free. What an address can lead to
 * shares a cache line. */
__u64 bio_places[2 * BIO_PLACES] __attribute__((aligned(64))) = {};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BIO_PLACES);
	__type(key, u32);
	__type(value, struct bio_state);
} bio_states SEC(".maps");
__u64 bios_elsewhere = 0; /* that are in the hash map */

/* By multiplication: the addresses are those of a slab's objects, alike in their low bits. */
static __always_inline u32 first_bio_place(u64 bio)
{
	return (low_half(bio) * 0x9e3779b1U >> 16) % (BIO_PLACES / BIO_TRIES) * BIO_TRIES;
}

static __always_inline volatile u64 *place_owner(u32 place)
{
	return &bio_places[2 * place];
}

static __always_inline volatile u64 *place_claims(u32 place)
{
	return &bio_places[2 * place + 1];
}

/* BIO_PLACES: it has none. */
static __always_inline u32 place_of_bio(u64 bio)
{
	u32 first = first_bio_place(bio);

	for (u32 i = 0; i < BIO_TRIES; i++)
		if (*place_owner(first + i) == bio)
			return first + i;
	return BIO_PLACES;
}

/* Two CPUs can want one place. Each adds itself and then looks: who is alone has it, all others go on. An exchange
 * would do it in one step, but 5.10 has none. */
static __always_inline bool claim(volatile u64 *claims)
{
	if (*claims)
		return false;
	__sync_fetch_and_add(claims, 1);
	if (*claims == 1)
		return true;
	__sync_fetch_and_add(claims, -1);
	return false;
}

static __always_inline struct bio_state *find_bio(u64 bio)
{
	u32 place = has_bio_places ? place_of_bio(bio) : BIO_PLACES;

	if (place < BIO_PLACES)
		return bpf_map_lookup_elem(&bio_states, &place);
	return !has_bio_places || bios_elsewhere ? bpf_map_lookup_elem(&bios, &bio) : NULL;
}

/* A state for a bio that has none, with what its last owner left there; NULL: no room. */
static __always_inline struct bio_state *add_bio(u64 bio)
{
	u32 first = first_bio_place(bio), place;

	for (u32 i = 0; i < BIO_TRIES && has_bio_places; i++) {
		place = first + i;
		if (!claim(place_claims(place)))
			continue;
		*place_owner(place) = bio;
		return bpf_map_lookup_elem(&bio_states, &place);
	}
	__sync_fetch_and_add(&bios_elsewhere, 1); /* before it can be looked for */
	if (!bpf_map_update_elem(&bios, &bio, &new_bio, BPF_NOEXIST))
		return bpf_map_lookup_elem(&bios, &bio);
	__sync_fetch_and_add(&bios_elsewhere, -1);
	return NULL;
}

/* Its state is not touched any more. */
static __always_inline void drop_bio(u64 bio)
{
	u32 place = has_bio_places ? place_of_bio(bio) : BIO_PLACES;

	if (place < BIO_PLACES) {
		*place_owner(place) = 0; /* x86: stores are seen in their order */
		__sync_fetch_and_add(place_claims(place), -1);
	} else if (!bpf_map_delete_elem(&bios, &bio)) {
		__sync_fetch_and_add(&bios_elsewhere, -1);
	}
}

#endif /* IOHOPS_BIO_H */
