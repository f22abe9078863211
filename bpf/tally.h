/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * top: what a request adds to the row of its process, file and operation.
 */
#ifndef IOHOPS_TALLY_H
#define IOHOPS_TALLY_H

#include "track.h"

/* The row of a key, found once by a thread and then remembered: a hash by CPU took 26 ns a request. */
#define TALLIES 8192 /* userspace makes it 1 when nothing is tallied */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TALLIES);
	__type(key, u32);
	__type(value, struct wire_tally);
} tallies SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TALLIES);
	__type(key, struct wire_tally_key);
	__type(value, u32);
} tally_rows SEC(".maps");
/* Rows that are given to a key: taking one in a hash is atomic where BPF has no atomic instructions (before 5.12). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TALLIES);
	__type(key, u32);
	__type(value, u32);
} taken_rows SEC(".maps");
__u32 next_row = 0; /* a hint: CPUs race for it */

/* 1: it is above the limit. Not as a comparison, of which compilers make branches, and the verifier walks all ways. */
#define ABOVE(value, limit) (((limit) - (value)) >> 63)

static __always_inline u32 log2_bucket(u64 value)
{
	u32 bucket = 0, shift;

	value &= ~0ULL >> 1;
	shift = ABOVE(value, 0xffffffffULL) << 5; value >>= shift; bucket |= shift;
	shift = ABOVE(value, 0xffffULL) << 4; value >>= shift; bucket |= shift;
	shift = ABOVE(value, 0xffULL) << 3; value >>= shift; bucket |= shift;
	shift = ABOVE(value, 0xfULL) << 2; value >>= shift; bucket |= shift;
	shift = ABOVE(value, 0x3ULL) << 1; value >>= shift; bucket |= shift;
	bucket |= value >> 1;
	return bucket < WIRE_LATENCY_BUCKETS ? bucket : WIRE_LATENCY_BUCKETS - 1;
}

/* The row of a key, given to it at its first use; TALLIES: no room, or other CPUs were faster each time (it is
 * asked for again). Rows are never given back. A global function, so that it is verified once. */
__noinline __weak u32 find_row(u32 tgid, u32 file, u32 op, u32 direct)
{
	struct wire_tally_key key = { .tgid = tgid, .file = file, .op = op, .direct = direct };
	u32 *known = bpf_map_lookup_elem(&tally_rows, &key), row;

	if (known)
		return *known;
	for (int i = 0; i < 8 && next_row < TALLIES; i++) {
		row = next_row++;
		if (bpf_map_update_elem(&taken_rows, &row, &row, BPF_NOEXIST))
			continue;
		bpf_map_update_elem(&tally_rows, &key, &row, BPF_NOEXIST);
		known = bpf_map_lookup_elem(&tally_rows, &key); /* another thread may have been first */
		return known ? *known : TALLIES;
	}
	return TALLIES;
}

static __always_inline struct wire_tally *find_tally(u32 tgid, u32 file, u16 op, u16 direct)
{
	u32 row = find_row(tgid, file, op, direct);
	struct wire_tally *tally_row = bpf_map_lookup_elem(&tallies, &row);

	if (!tally_row)
		count_loss(WIRE_LOSS_TALLY_FULL);
	return tally_row;
}

/* top: two clock readings are half of what a cached request costs (64 of 138 ns). Of a thread that makes more than BUSY
 * reads, writes and messages in a jiffy (1 to 10 ms, whose number is a plain load), one in TIMED is timed and counts
 * for as many; by golden ratio, so that no pattern of the program's falls in with it. One that was off the CPU counts
 * in any case, untimed with the time that it was off: no slow one is missed. */
#define BUSY 64
#define TIMED 8
#define UNTIMED 1

static __always_inline bool is_timed(struct thread_state *state, u16 op)
{
	u32 jiffy = bpf_jiffies64();

	state->weight = 1;
	if (!WIRE_OP_COPIES(op)) /* rare or slow, or they submit others */
		return true;
	if (state->jiffy != jiffy) {
		state->jiffy = jiffy;
		state->in_jiffy = 0;
	}
	state->in_jiffy++;
	if (state->in_jiffy <= BUSY)
		return true;
	state->weight = TIMED;
	if (state->in_jiffy * 0x9e3779b9U < 1U << 29)
		return true;
	state->weight = 0;
	return false;
}

static __always_inline u64 end_time(const struct thread_state *state)
{
	/* Read again: a constant would make the verifier walk all that follows once more. */
	return tally && state->start_ns == UNTIMED ? *(volatile u64 *)&state->start_ns : bpf_ktime_get_ns();
}

static __always_inline void tally_time(struct wire_tally *row, const struct thread_state *state, u64 end_ns)
{
	u64 duration = end_ns - state->start_ns, weight = state->weight, bucket;

	if (state->touched && state->off_cpu_ns) {
		weight = 1;
		if (state->start_ns == UNTIMED)
			duration = state->off_cpu_ns;
	}
	row->duration_ns += duration * weight;
	bucket = log2_bucket(duration);
	/* Tested in all its 64 bits: before 6.x the verifier does not carry bounds of the lower half over. */
	barrier_var(bucket);
	if (bucket < WIRE_LATENCY_BUCKETS)
		row->latency[bucket] += weight;
}

static __always_inline void tally_request(struct thread_state *state, u64 end_ns, s64 result)
{
	u32 op = state->op, direct = (state->open_flags & O_DIRECT) != 0 || state->flags & WIRE_REQUEST_ZEROCOPY;
	struct tally_place *place = &state->places[state->fd & (KNOWN_FILES - 1)][op & 1];
	u64 key = (u64)state->file << 32 | op << 1 | direct;
	struct wire_tally *row;

	if (place->key != key) {
		place->row = find_row(state->tgid, state->file, op, direct);
		place->key = key;
	}
	row = bpf_map_lookup_elem(&tallies, &place->row);
	if (!row) {
		place->key = 0;
		count_loss(WIRE_LOSS_TALLY_FULL);
		return;
	}
	row->requests++;
	if (state->requested != WIRE_UNKNOWN)
		row->requested += state->requested;
	if (result < 0)
		row->errors++;
	else if (state->op == WIRE_OP_SENDMMSG || state->op == WIRE_OP_RECVMMSG)
		row->returned += state->map_last; /* the result counts messages */
	else if (WIRE_OP_COPIES(state->op) || (state->op & ~7) == WIRE_OP_SENDFILE)
		row->returned += result;
	tally_time(row, state, end_ns);
	if (!state->touched)
		return;
	row->off_cpu_ns += state->off_cpu_ns;
	row->added_bytes += state->added_bytes;
	row->dirtied_bytes += state->dirtied_bytes;
	row->misses += state->added_bytes || state->bios || state->io_waits;
}

#endif /* IOHOPS_TALLY_H */
