// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Bounce buffers: memory that a device cannot reach is copied by the processor (kernel/dma/swiotlb.c).
 *
 * swiotlb_bounced names what is about to be mapped, and is joined to its bio as dma_map_* are. It does
 * not say what is copied: to the buffer when it is mapped, for a write always and for a read on most
 * kernels (ddbd89deb7d3 of 5.18, which stable kernels have, too); from it when a read is unmapped. The
 * function that copies says it, but knows the buffer alone: its first call after the tracepoint, on the
 * same CPU, is for that memory, and enters the buffer for the bio.
 *
 * Not seen: what an IOMMU's own bounce pages copy without swiotlb_bounced (before 6.8), a copy that an
 * interrupt's mapping came between on the same CPU (it then counts as not made).
 */
#include "cursor.h"

/* include/linux/dma-direction.h */
#define DMA_TO_DEVICE 1
#define DMA_FROM_DEVICE 2

#define BOUNCES 16384

/* What this CPU is mapping: from the tracepoint to the copy. */
struct bounce {
	u64 key; /* of its memory, 0: nothing of ours */
	u64 bio;
	u64 queue_ns;
	u64 first; /* the request's first: its counts begin anew */
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct bounce);
} bouncing SEC(".maps");

/* Address of a buffer -> the bio that it serves. Those of writes go when the buffer is used again. */
struct served {
	u64 bio;
	u64 queue_ns;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BOUNCES); /* userspace makes it 1 when no DMA is watched */
	__type(key, u64);
	__type(value, struct served);
} buffers SEC(".maps");

static __always_inline struct bounce *this_bounce(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&bouncing, &zero);
}

static __always_inline int begin_bounce(u64 address, u64 bytes, bool can_loop)
{
	u64 key = key_of_physical(address);
	u32 which = BOUNCED;
	struct bounce *bounce = this_bounce();
	struct cursor *cursor;
	struct bio_state *state;
	bool first;

	if (!bounce)
		return 0; /* can't happen */
	bounce->key = 0;
	if (!key)
		return 0;
	state = find_counted(BOUNCED, key, &first);
	cursor = bpf_map_lookup_elem(&cursors, &which);
	if (!state || !cursor)
		return 0;
	bounce->key = key;
	bounce->bio = cursor->owner;
	bounce->queue_ns = cursor->owner_queue_ns;
	bounce->first = first;
	state->bounced_bytes = first ? bytes : state->bounced_bytes + bytes;
	advance(BOUNCED, bytes, can_loop);
	return 0;
}

SEC("?tp_btf/swiotlb_bounced")
int BPF_PROG(dma_bounced, struct device *device, u64 address, u64 bytes)
{
	return begin_bounce(address, bytes, true);
}

/* Before 5.17: without bpf_loop. */
SEC("?tp_btf/swiotlb_bounced")
int BPF_PROG(bounced_plain, struct device *device, u64 address, u64 bytes)
{
	return begin_bounce(address, bytes, false);
}

static __always_inline struct bio_state *served_bio(u64 bio, u64 queue_ns)
{
	struct bio_state *state = find_bio(bio);

	return state && state->part.queue_ns == queue_ns ? state : NULL;
}

/* What was begun on this CPU has its buffer: `bytes_in` were copied there. */
static __always_inline int end_bounce(struct bounce *bounce, u64 buffer, u64 bytes_in)
{
	struct served served = { .bio = bounce->bio, .queue_ns = bounce->queue_ns };
	struct bio_state *state = served_bio(served.bio, served.queue_ns);

	bounce->key = 0;
	if (!state)
		return 0;
	if (bounce->first)
		state->bounce_bytes_in = state->bounce_bytes_out = 0;
	state->bounce_bytes_in += bytes_in;
	bpf_map_update_elem(&buffers, &buffer, &served, BPF_ANY);
	return 0;
}

/* (dev, tlb_addr, size, dir, ...); up to 5.10 the first was the memory's own address. */
SEC("?fexit/swiotlb_bounce")
int bounce_copy(u64 *ctx)
{
	u64 buffer = ctx[1], bytes = ctx[2];
	bool in = (u32)ctx[3] == DMA_TO_DEVICE;
	struct bounce *bounce = in ? this_bounce() : NULL;
	struct bio_state *state;
	struct served *served;

	if (bounce && bounce->key)
		return end_bounce(bounce, buffer, bytes);
	served = bpf_map_lookup_elem(&buffers, &buffer);
	if (!served)
		return 0;
	state = served_bio(served->bio, served->queue_ns);
	if (state && in)
		state->bounce_bytes_in += bytes;
	else if (state)
		state->bounce_bytes_out += bytes;
	return 0;
}

/* A buffer that nothing was copied to, for a read before 5.18: only the function's result, behind its six
 * arguments, says which. (Later it has seven, more than fexit takes before 6.6, and is not needed.) */
SEC("?fexit/swiotlb_tbl_map_single")
int bounce_map(u64 *ctx)
{
	struct bounce *bounce = this_bounce();

	if (!bounce || !bounce->key || bounce->key != key_of_physical(ctx[1]))
		return 0;
	return end_bounce(bounce, ctx[6], 0);
}
