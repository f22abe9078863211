/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * What top reads from the kernel: sums instead of records.
 */
#ifndef IOHOPS_WIRE_TALLY_H
#define IOHOPS_WIRE_TALLY_H

#include "bpf/wire.h"

/* top: one row of the in-kernel aggregation; per CPU, userspace adds them up. */
#define WIRE_LATENCY_BUCKETS 40

struct wire_tally_key {
	__u32 tgid;
	__u32 file;
	__u16 op;
	__u16 direct; /* 1: O_DIRECT */
	__u32 reserved;
};

struct wire_tally {
	__u64 requests;
	__u64 errors;
	__u64 requested;
	__u64 returned;
	__u64 duration_ns; /* as latency: of a sample where a thread makes thousands of requests a second (request.h) */
	__u64 off_cpu_ns;
	__u64 added_bytes; /* entered the page cache for it */
	__u64 dirtied_bytes;
	__u64 read_bytes;    /* device -> memory (WIRE_OP_DEVICE rows) */
	__u64 written_bytes; /* memory -> device, by the process itself (WIRE_OP_DEVICE rows) */
	__u64 writeback_bytes; /* written later by a flusher (WIRE_OP_DEVICE rows, tgid 0) */
	__u64 misses;	     /* requests that added pages, queued a bio or waited for I/O */
	__u32 latency[WIRE_LATENCY_BUCKETS]; /* [i]: 2^i <= ns < 2^(i+1); the last takes the rest */
};

WIRE_ASSERT(wire_tally_key, 16);
WIRE_ASSERT(wire_tally, 256);

#endif /* IOHOPS_WIRE_TALLY_H */
