// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Stacked devices: what a device mapper, md or the loop driver queues on the device below belongs to the
 * bio or request above.
 *
 * Clones are announced by block_bio_remap, with the device above and the sector there; a clone shares
 * bi_io_vec with its original. Loop devices: loop.h, direct.bpf.c.
 *
 * Not seen: bios of raid5's stripes, which stand for no single bio above; dm-crypt's before 5.18, which
 * announces none.
 */
#include "stack.h"

static __always_inline int remap(struct bio *bio, u32 dev, u64 from)
{
	u64 address = (u64)bio;
	struct above_key key = { .place = (u64)BPF_CORE_READ(bio, bi_io_vec), .dev = dev, .kind = ABOVE_VECTOR };
	struct wire_carried carried = {};
	struct bio_state *state;
	u64 *original;

	if (!stacks_met)
		return 0;
	original = bpf_map_lookup_elem(&above, &key);
	if (!original) {
		key.place = from;
		key.kind = ABOVE_SECTOR;
		original = bpf_map_lookup_elem(&above, &key);
		carried.flags = WIRE_CARRIED_COPY;
	}
	if (!original || *original == address) /* a bio that is merely sent elsewhere (NVMe multipath) */
		return 0;
	state = find_bio(*original);
	if (!state)
		return 0; /* can't happen */
	carried.transfer = state->id;
	carried.at = (from - state->sector) << 9;
	if (!bio->bi_iter.bi_size)
		carried.at = carried.flags = 0; /* a flush */
	bpf_map_update_elem(&clones, &address, &carried, BPF_ANY);
	return 0;
}

SEC("?tp_btf/block_bio_remap")
int BPF_PROG(stack_remap, struct bio *bio, u32 dev, u64 from)
{
	return remap(bio, dev, from);
}

/* Before 5.11 the queue comes first. */
SEC("?tp_btf/block_bio_remap")
int BPF_PROG(stack_remap_q, void *queue, struct bio *bio, u32 dev, u64 from)
{
	return remap(bio, dev, from);
}
