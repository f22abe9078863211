// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Stacked devices: what a device mapper, md or the loop driver queues on the device below belongs to the
 * bio or request above.
 *
 * Clones are announced by block_bio_remap, with the device above and the sector there; a clone shares
 * bi_io_vec with its original. A loop device with direct I/O hands its request's own struct kiocb to the file
 * system below (lo_rw_aio). A buffered one is told as a device: where its bytes lie in a file.
 *
 * Not seen: bios of raid5's stripes, which stand for no single bio above; dm-crypt's before 5.18, which
 * announces none; loop devices with direct I/O on file systems without iomap, or before 6.5.
 */
#include "file.h"
#include "stack.h"

#define LOOP_MAJOR 7	    /* include/uapi/linux/major.h */
#define LO_FLAGS_DIRECT_IO 16 /* include/uapi/linux/loop.h */

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
	state = bpf_map_lookup_elem(&bios, original);
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

struct known_loop {
	u64 inode;
	u64 offset;
	u32 flags;
	u32 unused;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct known_loop);
} loops SEC(".maps");

/* Tells where a loop device's bytes lie, and has the file's own device work traced. Asked when a request
 * of a traced process is issued to it. */
static __always_inline int learn_loop(struct request *rq)
{
	struct gendisk *disk = at_once(request_disk(rq));
	struct known_loop now = {}, *known;
	struct wire_device *record;
	struct loop_device *loop;
	struct file *file;
	u32 dev, alias;

	if (!disk || disk->major != LOOP_MAJOR || tally || !first_bio(rq))
		return 0;
	if (!bpf_core_type_exists(struct loop_device))
		return 0;
	loop = BPF_CORE_READ(disk, private_data);
	file = BPF_CORE_READ(loop, lo_backing_file);
	now.inode = (u64)BPF_CORE_READ(file, f_inode);
	now.offset = BPF_CORE_READ(loop, lo_offset);
	now.flags = BPF_CORE_READ(loop, lo_flags) & LO_FLAGS_DIRECT_IO ? WIRE_DEVICE_DIRECT : 0;
	dev = disk_dev(disk);
	known = bpf_map_lookup_elem(&loops, &dev);
	if (!now.inode || (known && known->inode == now.inode && known->offset == now.offset && known->flags == now.flags))
		return 0;
	alias = file_alias((struct inode *)now.inode, BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt), 0, 0);
	record = alias ? reserve(sizeof(*record), WIRE_DEVICE, bpf_ktime_get_ns(), WIRE_LOSS_RING_NAME) : NULL;
	if (!record)
		return 0;
	record->offset = now.offset;
	record->dev = dev;
	record->file = alias;
	record->flags = now.flags;
	record->reserved = 0;
	submit(record);
	bpf_map_update_elem(&loops, &dev, &now, BPF_ANY);
	return 0;
}

SEC("?tp_btf/block_rq_issue")
int BPF_PROG(stack_loop, struct request *rq)
{
	return learn_loop(rq);
}

SEC("?tp_btf/block_rq_issue")
int BPF_PROG(stack_loop_q, void *queue, struct request *rq)
{
	return learn_loop(rq);
}

/* The kiocb of the loop driver's thread lies in the request of the loop device, behind struct request. */
SEC("?tp_btf/iomap_dio_rw_begin")
int BPF_PROG(stack_begin, struct kiocb *kiocb)
{
	struct task_struct *task = current_task();
	u32 tid = task_field(task, pid);
	struct carrier carrier = {};
	struct bio_state *first;
	struct gendisk *disk;
	struct request *rq;

	if (!armed || !(task_field(task, flags) & PF_KTHREAD) || !bpf_core_type_exists(struct loop_cmd))
		return 0;
	rq = (void *)kiocb - bpf_core_field_offset(struct loop_cmd, iocb) - bpf_core_type_size(struct request);
	disk = BPF_CORE_READ(rq, q, disk);
	if (!disk || BPF_CORE_READ(disk, major) != LOOP_MAJOR)
		return 0;
	carrier.first = (u64)BPF_CORE_READ(rq, bio);
	first = bpf_map_lookup_elem(&bios, &carrier.first);
	if (!first)
		return 0;
	carrier.carried.transfer = first->id;
	carriers_met = true;
	bpf_map_update_elem(&carriers, &tid, &carrier, BPF_ANY);
	return 0;
}

static __always_inline int put_down(void)
{
	u32 tid = task_field(current_task(), pid);

	if (carriers_met)
		bpf_map_delete_elem(&carriers, &tid);
	return 0;
}

SEC("?tp_btf/iomap_dio_rw_queued")
int BPF_PROG(stack_queued)
{
	return put_down();
}

/* It was over before its caller could leave it. */
SEC("?tp_btf/iomap_dio_complete")
int BPF_PROG(stack_done)
{
	return put_down();
}
