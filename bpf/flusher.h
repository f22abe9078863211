/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * Why flushers write: noted by bpf/writeback.bpf.c, asked when a bio is queued.
 */
#ifndef IOHOPS_FLUSHER_H
#define IOHOPS_FLUSHER_H

#include "state.h"

/* Flusher threads while they write, and why: enum wire_writeback by thread. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u32);
} flushers SEC(".maps");

/* Inodes that a flusher has written, and why: for the bios that others queue for it (btrfs's threads). */
struct written_inode {
	u64 ino;
	u32 dev;
	u32 unused;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct written_inode);
	__type(value, u32);
} written_inodes SEC(".maps");

#endif /* IOHOPS_FLUSHER_H */
