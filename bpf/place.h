/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * Taking and leaving the places of slot.h. For io_uring alone: the kernels in which it is traced have atomic
 * instructions in BPF (5.12, arm64: 5.18), those in which libaio is may not.
 */
#ifndef IOHOPS_PLACE_H
#define IOHOPS_PLACE_H

#include "slot.h"

/* A state for a request that has none, with what the last owner left in it. Two CPUs can want one place: the word
 * is exchanged, so one of them gets it. Nobody else adds the same key: a struct io_kiocb has one submitter. */
static __always_inline struct thread_state *place_request(struct ring_key *key)
{
	u32 first = first_place(key->address), place;
	struct thread_state *state;

	for (u32 i = 0; i < RING_TRIES; i++) {
		place = first + i;
		if (!*(volatile u64 *)&ring_places[place] &&
		    !__sync_val_compare_and_swap(&ring_places[place], 0, key->address))
			return bpf_map_lookup_elem(&place_states, &place);
	}
	__sync_fetch_and_add(&placeless, 1); /* before it can be looked for */
	state = hash_request(key);
	if (!state)
		__sync_fetch_and_add(&placeless, -1);
	return state;
}

/* Its state is not touched any more. */
static __always_inline void forget_request(struct ring_key *key, u32 place)
{
	if (place < RING_REQUESTS) {
		barrier();
#if defined(__TARGET_ARCH_x86)
		*(volatile u64 *)&ring_places[place] = 0; /* stores are seen in their order */
#else
		__sync_lock_test_and_set(&ring_places[place], 0);
#endif
		return;
	}
	if (!bpf_map_delete_elem(&ring_requests, key))
		__sync_fetch_and_add(&placeless, -1);
}

#endif /* IOHOPS_PLACE_H */
