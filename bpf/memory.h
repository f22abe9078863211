/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * Which bio a piece of physical memory belongs to, so that a mapping for DMA finds its block request
 * by address: not by time, CPU or task, which differ between drivers.
 *
 * One entry a bio, for the byte that it begins with. That is enough: a driver maps a request from its
 * front to its end, and what comes next is followed along the bios (dma.bpf.c).
 */
#ifndef IOHOPS_MEMORY_H
#define IOHOPS_MEMORY_H

#include "bio.h"

/* include/linux/blk_types.h */
#define REQ_OP_MASK 0xff
#define REQ_OP_READ 0
#define REQ_OP_WRITE 1
#define REQ_OP_ZONE_APPEND 7

static __always_inline bool carries_data(u32 op_flags)
{
	u32 op = op_flags & REQ_OP_MASK;

	return op == REQ_OP_READ || op == REQ_OP_WRITE || op == REQ_OP_ZONE_APPEND;
}

/* The address of a byte as a number: its struct page (whose upper bits are the same for all) and its
 * place in the page. */
static __always_inline u64 memory_key(u64 page, u64 offset)
{
	page += (offset >> page_shift) * bpf_core_type_size(struct page);
	return page << page_shift | (offset & ((1UL << page_shift) - 1));
}

/* 0: it has no memory (a flush, a discard). */
static __always_inline u64 first_memory(struct bio *bio)
{
	struct bio_vec *vecs = BPF_CORE_READ(bio, bi_io_vec);
	struct bio_vec vec = {};

	if (!vecs || !BPF_CORE_READ(bio, bi_iter.bi_size) || !carries_data(BPF_CORE_READ(bio, bi_opf)))
		return 0;
	/* Not bi_vcnt: it is 0 in clones and splits. */
	bpf_probe_read_kernel(&vec, sizeof(vec), &vecs[BPF_CORE_READ(bio, bi_iter.bi_idx)]);
	if (!vec.bv_page)
		return 0;
	return memory_key((u64)vec.bv_page, (u64)vec.bv_offset + bio_bvec_done(bio));
}

static __always_inline void remember_memory(struct bio_state *state, struct bio *bio)
{
	u64 key = (u64)bio;

	state->memory = first_memory(bio);
	/* Without room the transfer is merely not seen by the DMA layer. */
	if (state->memory)
		bpf_map_update_elem(&memories, &state->memory, &key, BPF_ANY);
}

/* Not if another bio begins at the same byte by now (a mirror's second leg). */
static __always_inline void forget_memory(const struct bio_state *state, u64 bio)
{
	u64 key = state->memory;
	u64 *owner = key ? bpf_map_lookup_elem(&memories, &key) : NULL;

	if (owner && *owner == bio)
		bpf_map_delete_elem(&memories, &key);
}

#endif /* IOHOPS_MEMORY_H */
