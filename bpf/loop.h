/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * Loop devices: where their bytes lie in a file. What one with direct I/O queues below: direct.bpf.c.
 */
#ifndef IOHOPS_LOOP_H
#define IOHOPS_LOOP_H

#include "file.h"
#include "stack.h"

#define LO_FLAGS_DIRECT_IO 16 /* include/uapi/linux/loop.h */

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
 * of a traced process is issued: by block_issue, where a program of its own would cost each request 30 ns. */
static __always_inline void learn_loop(struct request *rq)
{
	struct gendisk *disk = at_once(request_disk(rq));
	struct known_loop now = {}, *known;
	struct wire_device *record;
	struct loop_device *loop;
	struct file *file;
	u32 dev, alias;

	if (!disk || disk->major != LOOP_MAJOR || tally)
		return;
	if (!bpf_core_type_exists(struct loop_device))
		return;
	loop = BPF_CORE_READ(disk, private_data);
	file = BPF_CORE_READ(loop, lo_backing_file);
	now.inode = (u64)BPF_CORE_READ(file, f_inode);
	now.offset = BPF_CORE_READ(loop, lo_offset);
	now.flags = BPF_CORE_READ(loop, lo_flags) & LO_FLAGS_DIRECT_IO ? WIRE_DEVICE_DIRECT : 0;
	dev = disk_dev(disk);
	known = bpf_map_lookup_elem(&loops, &dev);
	if (!now.inode || (known && known->inode == now.inode && known->offset == now.offset && known->flags == now.flags))
		return;
	alias = file_alias((struct inode *)now.inode, BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt), 0, 0);
	record = alias ? reserve(sizeof(*record), WIRE_DEVICE, bpf_ktime_get_ns(), WIRE_LOSS_RING_NAME) : NULL;
	if (!record)
		return;
	record->offset = now.offset;
	record->dev = dev;
	record->file = alias;
	record->flags = now.flags;
	record->reserved = 0;
	submit(record);
	bpf_map_update_elem(&loops, &dev, &now, BPF_ANY);
}

#endif /* IOHOPS_LOOP_H */
