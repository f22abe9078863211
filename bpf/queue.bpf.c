// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A bio begins: who queued it, whose pages it carries, which bio of a device above it carries on; and it is
 * split. block.bpf.c has the rest of its life.
 */
#include "origin.h"
#include "stack.h"

/* include/linux/blk_types.h */
#define REQ_OP_FLUSH 2
#define REQ_META (1U << 12)
#define REQ_PREFLUSH (1U << 18)

/* What a journal or a file system does in threads of its own: requests for durability may wait for it. */
static __always_inline bool may_be_waited_for(const struct wire_bio_part *part, u32 dev, struct task_struct *task)
{
	u32 super_block = part->dev;

	if (tally || !(task_field(task, flags) & PF_KTHREAD))
		return false;
	if ((part->op_flags & REQ_OP_MASK) == REQ_OP_READ)
		return false;
	if (!(part->flags & WIRE_BIO_METADATA) && !(part->op_flags & (REQ_META | REQ_PREFLUSH)) &&
	    (part->op_flags & REQ_OP_MASK) != REQ_OP_FLUSH)
		return false;
	return bpf_map_lookup_elem(&filesystems, &dev) || bpf_map_lookup_elem(&filesystems, &super_block);
}

/* The state of the bio that is being queued, without what came before. */
static __always_inline struct bio_state *begin_bio(u64 bio)
{
	struct bio_state *state = find_bio(bio);

	if (state) { /* the bio that had this address is gone, and nobody told us */
		count_loss(WIRE_LOSS_COMPLETION);
		if (watch_dma)
			forget_memory(state, bio);
	} else {
		state = add_bio(bio);
	}
	if (!state) {
		count_loss(WIRE_LOSS_BIOS_FULL);
		return NULL;
	}
	state->insert_ns = state->issue_ns = 0;
	state->issues = 0;
	state->vector = 0;
	if (!watch_dma)
		return state;
	state->memory = 0;
	state->dma_segments = state->dma_source = 0;
	state->dma_mapped_bytes = state->bounced_bytes = 0;
	state->bounce_bytes_in = state->bounce_bytes_out = 0;
	return state;
}

/* What is written to a target that is open with O_DIRECT, out of pages that are none of the target's. */
static __always_inline bool is_handed(const struct thread_state *state, const struct wire_bio_part *part)
{
	if (!state->to_file || !(state->flags & WIRE_REQUEST_TO_DIRECT) || !part->ino)
		return false;
	return (part->op_flags & REQ_OP_MASK) != REQ_OP_READ && !(part->flags & WIRE_BIO_METADATA) &&
	       part->file != state->to_file;
}

/* It is one of the thread's request. */
static __always_inline void count_bio(struct thread_state *state, struct wire_bio_part *part)
{
	if (is_mapped_buffer(state, part)) {
		part->flags |= WIRE_BIO_USER;
		part->ino = part->index = part->dev = part->file = 0;
	}
	if (is_handed(state, part))
		part->flags |= WIRE_BIO_HANDED;
	bool direct = part->flags & WIRE_BIO_USER;

	part->owner.tid = state->tid; /* of the submitter, if it is a ring's */
	part->owner.start_ns = state->start_ns;
	touch(state);
	state->bios++;
	state->bio_bytes += part->bytes;
	state->direct_bios += direct;
	state->direct_bytes += direct ? part->bytes : 0;
	state->last_event_ns = part->queue_ns;
	if (state->file)
		part->file = part->file ?: state->file;
}

static __always_inline int queue_bio(struct bio *bio)
{
	struct gendisk *disk = at_once(bio_disk(bio));
	struct bio_vec *vec = at_once(bio->bi_io_vec);
	u32 dev = at_once(bio_dev(bio));
	struct task_struct *task = current_task();
	struct wire_carried carried = {};
	struct wire_bio_part part = {};
	struct thread_state *state;
	struct bio_state *new;
	bool traced;

	if (!armed)
		return 0;
	take_carried(bio, task, &carried);
	/* What a driver queues for another bio is that one's, whoever the thread is. */
	traced = !carried.transfer && is_traced(task_field(task, tgid)) && !(task_field(task, flags) & PF_KTHREAD);
	state = traced ? find_below(task) : NULL;
	if (light && traced)
		name_process(task);
	part.bytes = bio->bi_iter.bi_size;
	part.op_flags = bio->bi_opf;
	read_first_page(bio, vec, &part, light && traced);
	if (scope != SCOPE_ALL && !traced && !part.file && !carried.transfer) {
		if (light || !may_be_waited_for(&part, dev, task))
			return 0;
		part.flags |= WIRE_BIO_PERHAPS;
	} else {
		note_filesystem(dev);
	}
	if (is_own_output(&part))
		return 0;
	part.queue_ns = bpf_ktime_get_ns();
	part.origin_dev = dev;
	if (traced) {
		part.owner.tgid = task_field(task, tgid);
		part.owner.tid = task_field(task, pid);
	}
	if (!traced && !carried.transfer)
		part.flags |= writeback_reason(task, &part);
	if (state)
		count_bio(state, &part);
	new = begin_bio((u64)bio);
	if (!new)
		return 0;
	new->part = part;
	new->carried = carried;
	new->id = new_transfer();
	new->sector = bio->bi_iter.bi_sector;
	new->disk = disk_dev(disk);
	if (watch_dma)
		remember_memory(new, bio);
	expect_clones(new, bio, disk);
	return 0;
}

SEC("?tp_btf/block_bio_queue")
int BPF_PROG(block_queue, struct bio *bio)
{
	return queue_bio(bio);
}

/* Before 5.11 the queue comes first in this one and in block_split. */
SEC("?tp_btf/block_bio_queue")
int BPF_PROG(block_queue_q, void *queue, struct bio *bio)
{
	return queue_bio(bio);
}

/* `front` is the new bio with the first part; its parent (bi_private, set by bio_chain just before)
 * goes on with the rest. */
static __always_inline int split_bio(struct bio *front)
{
	u64 key = (u64)front;
	struct bio_state *parent = find_bio((u64)front->bi_private), *part;

	if (!parent || parent->vector) /* a driver without requests ends the whole bio, however it works on it */
		return 0;
	part = find_bio(key) ?: add_bio(key);
	if (part) {
		*part = *parent;
		part->id = new_transfer();
		part->part.bytes = front->bi_iter.bi_size;
		part->part.flags |= WIRE_BIO_SPLIT;
	} else {
		count_loss(WIRE_LOSS_BIOS_FULL);
	}
	parent->carried.at += front->bi_iter.bi_size;
	parent->part.index += front->bi_iter.bi_size >> page_shift;
	parent->part.bytes -= front->bi_iter.bi_size;
	if (watch_dma) { /* the parent has been advanced to its rest already */
		if (part)
			remember_memory(part, front);
		remember_memory(parent, front->bi_private);
	}
	return 0;
}

SEC("?tp_btf/block_split")
int BPF_PROG(block_split, struct bio *front)
{
	return split_bio(front);
}

SEC("?tp_btf/block_split")
int BPF_PROG(block_split_q, void *queue, struct bio *front)
{
	return split_bio(front);
}

