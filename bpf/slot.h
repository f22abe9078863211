/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * Where the state of a ring's request is kept, and how it is found again.
 *
 * io_uring's have a place in an array, one of RING_TRIES that the address of the struct io_kiocb leads to. In a
 * hash map each would cost an insert, which copies a state of zeros (1 KiB), a delete, and dearer lookups. Whoever
 * finds no free place, and libaio, is in the hash map all the same: it costs that, and nothing is lost.
 *
 * Who owns a place is a word beside the states: all that an address can lead to share a cache line.
 */
#ifndef IOHOPS_SLOT_H
#define IOHOPS_SLOT_H

#include "emit.h"

#define RING_TRIES 4
#define RING_SETS (RING_REQUESTS / RING_TRIES) /* a power of two */

/* By multiplication: the addresses are those of a slab's objects, alike in their low bits. */
static __always_inline u32 first_place(u64 address)
{
	return (address * 0x9e3779b97f4a7c15ULL >> 32) % RING_SETS * RING_TRIES;
}

/* RING_REQUESTS: it has none. */
static __always_inline u32 place_of(u64 address)
{
	u32 first = first_place(address);

	for (u32 i = 0; i < RING_TRIES && address; i++)
		if (*(volatile u64 *)&ring_places[first + i] == address)
			return first + i;
	return RING_REQUESTS;
}

/* A global function, verified once: every hook asks. */
__noinline __weak u32 find_place(u64 address)
{
	return place_of(address);
}

/* `place`: place_of() its address. */
static __always_inline struct thread_state *request_at(struct ring_key *key, u32 place)
{
	if (place < RING_REQUESTS)
		return bpf_map_lookup_elem(&place_states, &place);
	if (!key->tgid && !placeless)
		return NULL;
	return bpf_map_lookup_elem(&ring_requests, key);
}

static __always_inline struct thread_state *find_request(struct ring_key *key)
{
	return request_at(key, key->tgid ? RING_REQUESTS : find_place(key->address));
}

/* The state of a key in the hash map, a new one if it has none. */
static __always_inline struct thread_state *hash_request(const struct ring_key *key)
{
	struct thread_state *request = bpf_map_lookup_elem(&ring_requests, key);

	if (request)
		return request;
	bpf_map_update_elem(&ring_requests, key, &new_thread, BPF_NOEXIST);
	return bpf_map_lookup_elem(&ring_requests, key);
}

#endif /* IOHOPS_SLOT_H */
