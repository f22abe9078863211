// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What the DMA layer says of a block request's memory: evidence for its bytes, never a second count.
 *
 * A mapping is joined to its bio by address (memory.h). A driver maps a request front to end, so the
 * first mapping finds the bio, starts its count anew (a requeued request is mapped again: the last
 * time counts), and leaves a cursor at the byte that must come next; the next mapping on this CPU
 * that begins there goes on with it. What was mapped in between (a network packet, a driver's own
 * command block) begins elsewhere and leaves the cursor alone. Neither time nor order against
 * block_rq_issue matters: NVMe maps before it, other drivers after.
 *
 * Not seen: unmapping (often skipped by the kernel), drivers that hand over physical addresses by
 * themselves (virtio without VIRTIO_F_ACCESS_PLATFORM), peer-to-peer memory.
 */
#include "memory.h"

#define MAX_STEPS 320	 /* bios and bio_vecs that one mapping may span */
#define MAX_SEGMENTS 520 /* entries of a scatter list, chain links included */
#define MAX_LOOKUPS 32	 /* of them tried: a merged request can begin with a bio of others */
#define SG_CHAIN 1UL	 /* include/linux/scatterlist.h */
#define SG_END 2UL
#define SG_FLAGS (SG_CHAIN | SG_END)

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

static __always_inline void advance(u32 which, u64 bytes)
{
	struct walk walk = { .cursor = bpf_map_lookup_elem(&cursors, &which), .bytes = bytes };

	if (!walk.cursor)
		return;
	walk.cursor->next = 0;
	bpf_loop(MAX_STEPS, step, &walk, 0);
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
		state = bpf_map_lookup_elem(&bios, &cursor->owner);
		if (state && state->part.queue_ns == cursor->owner_queue_ns)
			return state;
	}
	bio = bpf_map_lookup_elem(&memories, &key);
	if (!bio)
		return NULL;
	state = bpf_map_lookup_elem(&bios, bio);
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

static __always_inline int count_mapping(u64 address, u64 bytes, u32 source)
{
	u64 key = key_of_physical(address);
	struct bio_state *state;
	bool first;

	if (!key)
		return 0;
	state = find_counted(MAPPED, key, &first);
	if (!state)
		return 0;
	if (first) {
		state->dma_mapped_bytes = 0;
		state->dma_segments = 0;
		state->dma_source = 0;
	}
	state->dma_mapped_bytes += bytes;
	state->dma_segments++;
	state->dma_source |= source;
	advance(MAPPED, bytes);
	return 0;
}

SEC("?tp_btf/dma_map_page")
int BPF_PROG(dma_map_page, struct device *device, u64 physical, u64 dma, u64 bytes)
{
	return count_mapping(physical, bytes, WIRE_DMA_MAP_PAGE);
}

SEC("?tp_btf/dma_map_phys")
int BPF_PROG(dma_map_phys, struct device *device, u64 physical, u64 dma, u64 bytes)
{
	return count_mapping(physical, bytes, WIRE_DMA_MAP_PHYS);
}

/* NVMe behind an IOMMU links its segments into one range of I/O addresses (6.17) without a dma:*
 * event. In front of dma_map_*, it is the same mapping: the event that follows starts anew. */
SEC("?tp_btf/map")
int BPF_PROG(dma_iommu, unsigned long io_address, u64 physical, u64 bytes)
{
	return count_mapping(physical, bytes, WIRE_DMA_IOMMU);
}

/* The copy into the bounce buffer; before the mapping, once a segment. */
SEC("?tp_btf/swiotlb_bounced")
int BPF_PROG(dma_bounced, struct device *device, u64 address, u64 bytes)
{
	u64 key = key_of_physical(address);
	struct bio_state *state;
	bool first;

	if (!key)
		return 0;
	state = find_counted(BOUNCED, key, &first);
	if (!state)
		return 0;
	state->bounced_bytes = first ? bytes : state->bounced_bytes + bytes;
	advance(BOUNCED, bytes);
	return 0;
}

/* In a map and not on the stack: the verifier knows nothing of what is read back from it, so it walks a
 * round once. What it can follow it walks in every value: over a million instructions. */
struct segments {
	u64 at;    /* struct scatterlist * */
	u64 bio;   /* 0: not found yet */
	u64 bytes; /* of all */
	u64 left;  /* entries */
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct segments);
} lists SEC(".maps");

static long add_segment(u32 i, struct segments **context)
{
	struct segments *list = *context;
	struct scatterlist *at = (void *)list->at; /* BPF_CORE_READ(list->at, ...) would relocate `list` too */
	unsigned long link = BPF_CORE_READ(at, page_link);
	u64 key, *bio;

	if (link & SG_CHAIN) { /* not an entry, but where they go on */
		list->at = link & ~SG_FLAGS;
		return !list->at;
	}
	list->bytes += BPF_CORE_READ(at, length);
	if (!list->bio) {
		key = memory_key(link & ~SG_FLAGS, BPF_CORE_READ(at, offset));
		bio = bpf_map_lookup_elem(&memories, &key);
		if (bio)
			list->bio = *bio;
		else if (i >= MAX_LOOKUPS)
			return 1; /* nobody's: not of a disk, or of bios that are not traced */
	}
	list->at += bpf_core_type_size(struct scatterlist);
	list->left--;
	return !list->left || link & SG_END;
}

/* All of the request in one event. */
SEC("?tp_btf/dma_map_sg")
int BPF_PROG(dma_map_sg, struct device *device, struct scatterlist *first, int entries)
{
	u32 zero = 0;
	struct segments *list = bpf_map_lookup_elem(&lists, &zero);
	struct bio_state *state;
	u64 bio;

	if (!list || entries <= 0)
		return 0;
	list->at = (u64)first;
	list->bio = 0;
	list->bytes = 0;
	list->left = entries;
	bpf_loop(MAX_SEGMENTS, add_segment, &list, 0);
	bio = list->bio;
	state = bpf_map_lookup_elem(&bios, &bio);
	if (!state)
		return 0;
	state->dma_mapped_bytes = list->bytes;
	state->dma_segments = entries;
	state->dma_source = WIRE_DMA_MAP_SG;
	return 0;
}

/* Run once by userspace before anything is attached, to learn `page_array`: the struct page of two
 * pages of the first ring, whose frame numbers it looks up in its own page table. */
__u64 learn_ring = 0;
__u64 learn_page[2] = {};
__u32 learn_page_bytes = 0;

SEC("?syscall")
int dma_learn(void *context)
{
	u32 zero = 0;
	void *ring = bpf_map_lookup_elem(&rings, &zero);
	struct bpf_ringbuf_map *map;
	struct bpf_ringbuf *buffer;
	struct page **pages;

	if (!ring)
		return 1;
	/* Through memory: as a number, its fields may be read at any offset. */
	*(volatile __u64 *)&learn_ring = (u64)ring;
	map = (void *)*(volatile __u64 *)&learn_ring;
	buffer = BPF_CORE_READ(map, rb);
	pages = BPF_CORE_READ(buffer, pages);
	learn_page_bytes = bpf_core_type_size(struct page);
	/* The reader maps the consumer's and the producer's page, which follow one another. */
	pages += bpf_core_field_offset(struct bpf_ringbuf, consumer_pos) >> page_shift;
	return bpf_probe_read_kernel(learn_page, sizeof(learn_page), pages) ? 1 : 0;
}
