// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The life of bios and block requests, after queue.bpf.c: their times, and one record when a request
 * completes.
 *
 * The key is the bio's address, from block_bio_queue (in the submitting thread) to its completion (in
 * an interrupt, `current` is then whoever was interrupted). A request's bios are found by walking
 * rq->bio, which is intact at insert, issue and complete; merges need nothing else. The times of a
 * request live in the state of its first bio, so there is no second map.
 *
 * Not seen: the split of a completed request among bios that were queued before tracing began.
 */
#include "loop.h"
#include "request.h"
#include "words.h"

#define MAX_BIOS 256 /* a request has at most queue_max_segments bios, 128-256 in practice */

SEC("?tp_btf/block_rq_insert")
int BPF_PROG(block_insert, struct request *rq)
{
	struct bio_state *state = first_bio(rq);

	if (state)
		state->insert_ns = bpf_ktime_get_ns();
	return 0;
}

/* 5.10 and kernels before 5.11 and 5.10.137 pass the queue first. */
SEC("?tp_btf/block_rq_insert")
int BPF_PROG(block_insert_q, void *queue, struct request *rq)
{
	struct bio_state *state = first_bio(rq);

	if (state)
		state->insert_ns = bpf_ktime_get_ns();
	return 0;
}

/* Again after a requeue: only the last issue before the completion counts. */
static __always_inline int issue(struct request *rq)
{
	struct bio_state *state = first_bio(rq);

	if (state) {
		state->issue_ns = bpf_ktime_get_ns();
		state->issues++;
		learn_loop(rq);
	}
	return 0;
}

SEC("?tp_btf/block_rq_issue")
int BPF_PROG(block_issue, struct request *rq)
{
	return issue(rq);
}

SEC("?tp_btf/block_rq_issue")
int BPF_PROG(block_issue_q, void *queue, struct request *rq)
{
	return issue(rq);
}

/* The request that is being completed on this CPU. */
struct completion {
	u32 busy;
	u32 left; /* bytes not yet given to a bio */
	u64 now;
	struct wire_transfer done;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct completion);
} completions SEC(".maps");

static __always_inline void tally_transfer(const struct wire_bio_part *part)
{
	struct wire_tally *row;

	if (!carries_data(part->op_flags))
		return; /* a discard or a flush moves no data */
	row = find_tally(part->owner.tgid, part->file, WIRE_OP_DEVICE, 0);
	if (!row)
		return;
	if ((part->op_flags & REQ_OP_MASK) == REQ_OP_READ)
		row->read_bytes += part->bytes;
	else if (part->owner.tgid)
		row->written_bytes += part->bytes;
	else
		row->writeback_bytes += part->bytes;
}

static __always_inline void emit_bio(u64 transfer, u64 now, const struct wire_bio_part *part,
				     const struct wire_carried *carried)
{
	struct wire_bio *record = reserve(sizeof(*record), WIRE_BIO, now, WIRE_LOSS_RING_TRANSFER);

	if (!record)
		return;
	record->transfer = transfer;
	record->bio = *part;
	record->carried = *carried;
	submit(record);
}

static __always_inline void emit_transfer(const struct wire_transfer *done, u64 now)
{
	struct wire_transfer *record =
		reserve(sizeof(*record), WIRE_TRANSFER, now, WIRE_LOSS_RING_TRANSFER);

	if (!record)
		return;
	__builtin_memcpy((void *)record + sizeof(record->header), (void *)done + sizeof(done->header),
			 sizeof(*record) - sizeof(record->header));
	submit(record);
}

static __always_inline void add_memory(struct wire_transfer *done, const struct bio_state *state)
{
	done->dma_mapped_bytes += state->dma_mapped_bytes;
	done->bounced_bytes += state->bounced_bytes;
	done->bounce_bytes_in += state->bounce_bytes_in;
	done->bounce_bytes_out += state->bounce_bytes_out;
	done->dma_segments += state->dma_segments;
	done->dma_source |= state->dma_source;
}

/* The first bio of ours is the record's own, the others go ahead in records of theirs. */
static __always_inline void add_part(struct completion *completion, const struct bio_state *state,
				     const struct wire_bio_part *part)
{
	struct wire_transfer *done = &completion->done;

	if (state->insert_ns && (!done->insert_ns || state->insert_ns < done->insert_ns))
		done->insert_ns = state->insert_ns;
	if (state->issue_ns > done->issue_ns)
		done->issue_ns = state->issue_ns;
	if (state->issues > done->issues)
		done->issues = state->issues;
	if (watch_dma)
		add_memory(done, state);
	if (tally) {
		if (!state->carried.transfer) /* counted above */
			tally_transfer(part);
	} else if (!done->bios) {
		done->id = state->id;
		done->first = *part;
		done->carried = state->carried;
	} else {
		emit_bio(done->id, completion->now, part, &state->carried);
	}
	done->bios++;
}

static __always_inline void forget_bio(const struct bio_state *state, u64 bio)
{
	if (watch_dma)
		forget_memory(state, bio);
	forget_clones(state, bio);
	drop_bio(bio);
}

/* Takes one bio of a completed request into the CPU's completion. Returns whether bytes are left for
 * the next. */
static __always_inline bool take_bio(struct completion *completion, u64 bio, u32 size)
{
	struct bio_state *state = find_bio(bio);
	u32 left = completion->left;

	if (size && !left) {
		/* A partial completion: the first bio of what is left inherits the request's times. */
		if (state && completion->done.bios) {
			state->insert_ns = completion->done.insert_ns;
			state->issue_ns = completion->done.issue_ns;
			state->issues = completion->done.issues;
		}
		return false;
	}
	completion->left = size < left ? left - size : 0;
	if (!state)
		return true;
	if (!completion->now)
		completion->now = bpf_ktime_get_ns();
	struct wire_bio_part part = state->part;

	part.bytes = size < left ? size : left;
	if (size > left) {
		part.flags |= WIRE_BIO_SPLIT; /* its rest completes later */
		state->part.index += left >> page_shift;
	}
	add_part(completion, state, &part);
	if (size > left) { /* its rest is another transfer */
		state->id = new_transfer();
		state->carried.at += left;
	} else {
		forget_bio(state, bio);
	}
	return true;
}

/* One behind the first. A global function, verified once: inlined in the walk over 256 bios it takes the verifier
 * over a million instructions. */
__noinline __weak int complete_bio(u64 bio_address)
{
	u32 zero = 0;
	struct completion *completion = bpf_map_lookup_elem(&completions, &zero);
	struct bio *bio = (void *)bio_address;

	return completion && take_bio(completion, bio_address, BPF_CORE_READ(bio, bi_iter.bi_size));
}

/* What the request tells. Done once its bios have been counted. */
static __always_inline void fill_request_facts(struct wire_transfer *done, struct request *rq, u32 dev, int error, u32 bytes)
{
	done->sector = rq->__sector;
	done->bytes = bytes;
	done->op_flags = rq->cmd_flags;
	done->error = error;
	done->dev = dev;
	done->flags = done->issues ? 0 : WIRE_TRANSFER_NO_ISSUE;
	/* A mapping can be rounded up to whole pages or padded. */
	done->dma_mapped_bytes = done->dma_mapped_bytes > bytes ? bytes : done->dma_mapped_bytes;
	done->bounced_bytes = done->bounced_bytes > bytes ? bytes : done->bounced_bytes;
}

static __always_inline void fill_transfer(struct wire_transfer *record, const struct bio_state *state, struct request *rq,
					  u32 dev, int error, u32 bytes)
{
	record->id = state->id;
	record->insert_ns = state->insert_ns;
	record->issue_ns = state->issue_ns;
	record->bios = 1;
	record->issues = state->issues;
	record->dma_mapped_bytes = record->bounced_bytes = 0;
	record->dma_segments = record->dma_source = 0;
	record->bounce_bytes_in = record->bounce_bytes_out = 0;
	if (watch_dma)
		add_memory(record, state);
	record->first = state->part;
	record->carried = state->carried;
	fill_request_facts(record, rq, dev, error, bytes);
}

/* The usual request: a single bio, complete. What its state says goes right into the ring, 40 ns less than by way of
 * the CPU's completion. False: there is no room. */
static __always_inline bool complete_alone(struct request *rq, u32 dev, u64 bio, int error, u32 bytes)
{
	struct bio_state *state = find_bio(bio);
	struct wire_transfer *record;
	struct words words;

	if (!state)
		return true;
	state->part.bytes = bytes;
	if (tally) {
		if (!state->carried.transfer) /* counted above */
			tally_transfer(&state->part);
		forget_bio(state, bio);
		return true;
	}
	record = begin_words(&words, WORDS_OF_COMPLETIONS, sizeof(*record), WIRE_TRANSFER, bpf_ktime_get_ns());
	if (!record)
		return false;
	fill_transfer(record, state, rq, dev, error, bytes);
	end_words(&words, sizeof(*record));
	forget_bio(state, bio);
	return true;
}

/* Fires before the bios are advanced: rq->bio and the sizes in it are whole. With a partial completion
 * the rest of the request follows in another transfer. Most requests have one bio, whose fields are plain loads: a
 * probe read of each took 15 ns. */
static __always_inline int complete(struct request *rq, int error, u32 bytes)
{
	u32 zero = 0;
	struct completion *completion = bpf_map_lookup_elem(&completions, &zero);
	struct bio *first = at_once(rq->bio), *bio;
	u32 dev = at_once(request_dev(rq));

	if (!completion || !first)
		return 0;
	if (completion->busy) { /* an interrupt inside a soft interrupt's completion */
		count_loss(WIRE_LOSS_RING_TRANSFER);
		return 0;
	}
	completion->busy = 1;
	if ((tally || word_mask) && !first->bi_next && first->bi_iter.bi_size == bytes &&
	    complete_alone(rq, dev, (u64)first, error, bytes)) {
		completion->busy = 0;
		return 0;
	}
	completion->left = bytes;
	completion->now = 0;
	__builtin_memset(&completion->done, 0, sizeof(completion->done));
	bio = first->bi_next ? BPF_CORE_READ(first, bi_next) : NULL;
	if (!take_bio(completion, (u64)first, first->bi_iter.bi_size))
		bio = NULL;
	for (int i = 1; i < MAX_BIOS && bio; i++) {
		if (!complete_bio((u64)bio))
			break;
		bio = BPF_CORE_READ(bio, bi_next);
	}
	if (completion->done.bios && !tally) {
		struct wire_transfer *done = &completion->done;

		fill_request_facts(done, rq, dev, error, bytes);
		emit_transfer(done, completion->now);
	}
	completion->busy = 0;
	return 0;
}

SEC("?tp_btf/block_rq_complete")
int BPF_PROG(block_complete, struct request *rq, int error, unsigned int bytes)
{
	return complete(rq, block_errno(error), bytes);
}

/* Only bio-based drivers (dm, md, zram, pmem, brd) let it fire for a bio that did well: blk-mq clears
 * BIO_TRACE_COMPLETION. A bio that failed before it became a request ends here too. */
SEC("?tp_btf/block_bio_complete")
int BPF_PROG(block_bio_done, void *queue, struct bio *bio)
{
	u64 key = (u64)bio, now;
	struct bio_state *state = find_bio(key);

	if (!state)
		return 0;
	now = bpf_ktime_get_ns();
	if (tally) {
		if (!state->carried.transfer && !bio->bi_status) /* what was refused has not moved */
			tally_transfer(&state->part);
	} else {
		struct wire_transfer done = {
			.id = state->id,
			.sector = state->sector,
			.bytes = state->part.bytes,
			.op_flags = state->part.op_flags,
			.error = block_errno(bio->bi_status),
			.dev = state->disk,
			.bios = 1,
			.flags = WIRE_TRANSFER_BIO_BASED | WIRE_TRANSFER_NO_ISSUE,
			.first = state->part,
			.carried = state->carried,
		};
		emit_transfer(&done, now);
	}
	forget_bio(state, key);
	return 0;
}
