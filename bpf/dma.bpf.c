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
#include "cursor.h"

#define MAX_SEGMENTS 520 /* entries of a scatter list, chain links included */
#define MAX_LOOKUPS 32	 /* of them tried: a merged request can begin with a bio of others */
#define SG_CHAIN 1UL	 /* include/linux/scatterlist.h */
#define SG_END 2UL
#define SG_FLAGS (SG_CHAIN | SG_END)

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
	advance(MAPPED, bytes, true);
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
	state = find_bio(bio);
	if (!state)
		return 0;
	state->dma_mapped_bytes = list->bytes;
	state->dma_segments = entries;
	state->dma_source = WIRE_DMA_MAP_SG;
	return 0;
}

/* Run once by userspace before anything is attached, to learn `page_array`: the struct page of two
 * pages of the first ring, whose frame numbers it looks up in its own page table. Of a type that can be
 * run so since 5.10. */
__u64 learn_ring = 0;
__u64 learn_page[2] = {};
__u32 learn_page_bytes = 0;

SEC("?raw_tp")
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
