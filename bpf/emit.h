/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * Reserve, fill, submit; count what the ring refuses.
 *
 * No record wakes the reader: a wake-up costs the traced thread 0.9-1.5 us (15 us when forced) where
 * the record costs 27 ns. The collector drains on a timer.
 */
#ifndef IOHOPS_EMIT_H
#define IOHOPS_EMIT_H

#include "state.h"

static __always_inline void *this_ring(void)
{
	u32 index = bpf_get_smp_processor_id() & ring_mask;

	return bpf_map_lookup_elem(&rings, &index);
}

/* A record of `size` bytes found no room. The ring puts 8 bytes before each; more than RINGS CPUs share. */
static __always_inline void count_refused(enum wire_loss cause, u64 size)
{
	u32 index = bpf_get_smp_processor_id() & ring_mask & (RINGS - 1);

	count_loss(cause);
	__sync_fetch_and_add(&ring_lost_bytes[index], size + 8);
}

static __always_inline void *reserve(u64 size, u16 kind, u64 time_ns, enum wire_loss cause)
{
	void *ring = this_ring();
	struct wire_header *header = NULL;

	if (ring)
		header = bpf_ringbuf_reserve(ring, size, 0);
	if (!header) {
		count_refused(cause, size);
		return NULL;
	}
	header->time_ns = time_ns;
	header->kind = kind;
	header->size = size;
	header->cpu = bpf_get_smp_processor_id();
	return header;
}

/* Most bios of a CPU are for the device of the one before: not asked again for each (20 to 30 ns), but now and then, so
 * that the map keeps what is in use. */
static __always_inline void note_filesystem(u32 dev)
{
	struct cpu_state *cpu = scope != SCOPE_ALL && dev ? this_cpu_state() : NULL;
	u32 used = 1;

	if (!cpu || (cpu->filesystem == dev && cpu->next_transfer & 63))
		return;
	cpu->filesystem = dev;
	if (!bpf_map_lookup_elem(&filesystems, &dev))
		bpf_map_update_elem(&filesystems, &dev, &used, BPF_ANY);
}

static __always_inline void submit(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

#endif /* IOHOPS_EMIT_H */
