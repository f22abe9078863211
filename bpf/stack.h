/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * Stacked devices: which bio of the device above a bio carries on. bpf/stack.bpf.c notes it before the bio is
 * queued; here is what the block layer's hooks ask.
 */
#ifndef IOHOPS_STACK_H
#define IOHOPS_STACK_H

#include "memory.h"

#define LOOP_MAJOR 7 /* include/uapi/linux/major.h */

/* Bios of devices that pass them on (dm, md), by where a clone can be recognised: the vector that it shares, or
 * its place on the device above. */
enum { ABOVE_VECTOR = 1, ABOVE_SECTOR = 2 };
struct above_key {
	u64 place;
	u32 dev;
	u32 kind; /* ABOVE_* */
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * BIOS);
	__type(key, struct above_key);
	__type(value, u64);
} above SEC(".maps");

/* What a bio that is about to be queued carries on, by its address. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BIOS);
	__type(key, u64);
	__type(value, struct wire_carried);
} clones SEC(".maps");
bool stacks_met = false; /* never falls: only guards lookups */

/* Threads of the loop driver, by what they are carrying out for the moment. */
struct carrier {
	u64 first; /* address of the first bio of the loop device's request */
	struct wire_carried carried;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct carrier);
} carriers SEC(".maps");
bool carriers_met = false;

static __always_inline u64 new_transfer(void)
{
	struct cpu_state *cpu = this_cpu_state();

	return cpu ? (u64)(bpf_get_smp_processor_id() + 1) << 40 | ++cpu->next_transfer : 0;
}

static __always_inline struct bio_state *first_bio(struct request *rq)
{
	u64 bio = (u64)rq->bio;

	return bio ? find_bio(bio) : NULL;
}

/* Takes what was noted for the bio that is being queued. */
static __always_inline void take_carried(struct bio *bio, struct task_struct *task, struct wire_carried *carried)
{
	u64 key = (u64)bio;
	u32 tid = task_field(task, pid);
	struct wire_carried *clone = stacks_met ? bpf_map_lookup_elem(&clones, &key) : NULL;
	struct carrier *carrier;
	struct bio_state *first;

	if (clone) {
		*carried = *clone;
		bpf_map_delete_elem(&clones, &key);
		return;
	}
	carrier = carriers_met ? bpf_map_lookup_elem(&carriers, &tid) : NULL;
	if (!carrier)
		return;
	/* The loop driver's thread has other work afterwards: only while the request is on its way. */
	first = find_bio(carrier->first);
	if (!first || first->id != carrier->carried.transfer)
		return;
	*carried = carrier->carried;
	carrier->carried.at += bio->bi_iter.bi_size;
}

static __always_inline void enter_above(struct bio_state *state, u64 bio, u32 kind, u64 place)
{
	struct above_key key = { .place = place, .dev = state->disk, .kind = kind };

	bpf_map_update_elem(&above, &key, &bio, BPF_ANY);
}

static __always_inline void leave_above(const struct bio_state *state, u64 bio, u32 kind, u64 place)
{
	struct above_key key = { .place = place, .dev = state->disk, .kind = kind };
	u64 *owner = bpf_map_lookup_elem(&above, &key);

	if (owner && *owner == bio)
		bpf_map_delete_elem(&above, &key);
}

/* A bio that a driver without requests will pass on: its clones are recognised by their vector, other bios
 * of its own (dm-crypt's writes) by the sector that they stand for. */
static __always_inline void expect_clones(struct bio_state *state, struct bio *bio, struct gendisk *disk)
{
	const struct block_device_operations *operations = at_once(disk->fops);

	if (!operations || !operations->submit_bio)
		return;
	stacks_met = true;
	state->vector = first_memory(bio) ? (u64)BPF_CORE_READ(bio, bi_io_vec) : (u64)bio;
	enter_above(state, (u64)bio, ABOVE_VECTOR, state->vector);
	enter_above(state, (u64)bio, ABOVE_SECTOR, state->sector);
}

static __always_inline void forget_clones(const struct bio_state *state, u64 bio)
{
	if (!state->vector)
		return;
	leave_above(state, bio, ABOVE_VECTOR, state->vector);
	leave_above(state, bio, ABOVE_SECTOR, state->sector);
}

#endif /* IOHOPS_STACK_H */
