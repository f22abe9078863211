/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * The records that leave the kernel. This one and wire_*.h are all that both worlds include.
 *
 * Every record starts with `struct wire_header`, is a multiple of 8 bytes and is written in the
 * byte order of the machine that traced. `size` counts the whole record; a reader skips a kind
 * that it does not know by `size`, and reads a record that is longer than it knows by its prefix.
 * Times are CLOCK_MONOTONIC nanoseconds. Device numbers are the kernel's own dev_t
 * (major << 20 | minor). A value that the kernel side could not learn is WIRE_UNKNOWN, never 0.
 *
 * Order: `time_ns` is when the fact became complete (the end of a request, the completion of a
 * block request), read from the clock just before the record is reserved. Records of one CPU are
 * almost in that order, records of several CPUs are not: core/order merges them.
 */
#ifndef IOHOPS_WIRE_H
#define IOHOPS_WIRE_H

#ifndef __bpf__
#include <linux/types.h>
#endif
#include "bpf/wire_op.h"

#define WIRE_VERSION 1
#define WIRE_UNKNOWN (~0ULL)
#define WIRE_COMM_BYTES 16
#define WIRE_FS_BYTES 16
#define WIRE_PATH_BYTES 4096

/* Kinds have explicit values with holes: values are never reused. */
enum wire_kind {
	WIRE_PROCESS = 1,
	WIRE_PROCESS_EXIT = 2,
	WIRE_THREAD = 3,
	WIRE_FILE = 8,
	WIRE_REQUEST = 16,
	WIRE_PAGES = 17,
	WIRE_WAIT = 18,
	WIRE_TRANSFER = 32,
	WIRE_BIO = 33,
	WIRE_PACKET = 34,
	WIRE_DEVICE = 35,
	WIRE_LOSS = 48, /* written by the collector from the kernel's counters */
	WIRE_END = 49,	/* written by the collector, once, as the last record */
	WIRE_PACKED = 64, /* only in raw recordings: see core/pack */
	WIRE_SAME = 256,  /* up to 511: the low byte is WIRE_SAME_* */
};

struct wire_header {
	__u64 time_ns;
	__u16 kind; /* enum wire_kind */
	__u16 size; /* bytes of the whole record, a multiple of 8 */
	__u32 cpu;  /* CPU that wrote the record */
};

/* The identity of a request before it has a name: the thread and the time at which it began.
 * start_ns == 0: the thread had no request open. tgid == 0: not on behalf of a traced process
 * (a flusher writing a file that a traced process uses, for one). */
struct wire_owner {
	__u32 tgid;
	__u32 tid;
	__u64 start_ns;
};

/* A process or thread as it was first seen, forked, executed or renamed. */
enum { WIRE_PROCESS_SEEN = 0, WIRE_PROCESS_FORK = 1, WIRE_PROCESS_EXEC = 2, WIRE_PROCESS_RENAME = 3 };

struct wire_process {
	struct wire_header header;
	__u32 tgid;
	__u32 ns_tgid; /* in the process's own (innermost) PID namespace */
	__u32 parent;
	__u32 event;	     /* WIRE_PROCESS_* */
	__u64 start_boot_ns; /* task->start_boottime of the group leader: with tgid it is unique */
	char comm[WIRE_COMM_BYTES];
};

struct wire_process_exit {
	struct wire_header header;
	__u32 tgid;
	__u32 exit_code; /* as wait(2) gives it */
};

struct wire_thread {
	struct wire_header header;
	__u32 tgid;
	__u32 tid;
	__u32 ns_tid;
	__u32 reserved;
	char comm[WIRE_COMM_BYTES];
};

/* A file at its first use. `file` is an alias that later records use; two aliases with the same
 * (dev, ino, generation) are the same file. The path is its components, leaf first, each ended by
 * a NUL, as the dentry tree stood at that moment: "c\0b\0a\0" is /a/b/c. */
enum {
	WIRE_FILE_PARTIAL_PATH = 1, /* leading components are missing (too deep, or the mount is unknown) */
	WIRE_FILE_UNLINKED = 2, WIRE_FILE_DAX = 4,
	WIRE_FILE_FROM_MAPPING = 8, /* learnt from a page fault: there was no struct file at hand */
	WIRE_FILE_JOURNALLED = 16, /* ext4 journals its data: O_DIRECT is read and written through the page cache */
};

#define WIRE_SOCKET(family, type, protocol) ((__u32)(family) << 24 | (__u32)(type) << 16 | (__u16)(protocol))

struct wire_file {
	struct wire_header header;
	__u32 file;
	__u32 dev; /* of the super block */
	__u64 ino;
	__u32 generation;
	__u32 magic; /* super block magic */
	__u32 rdev;  /* of a device file; of a socket: WIRE_SOCKET(family, type, protocol); with `below`: dev of its super block */
	__u16 mode;  /* inode mode: type and permissions */
	__u16 flags; /* WIRE_FILE_*; DAX: that of the file with the data */
	__u64 bytes; /* inode size */
	char fs[WIRE_FS_BYTES];
	__u32 path_bytes;
	__u32 below; /* overlayfs: magic of the file system that has the data; 0: not known */
	char path[]; /* path_bytes, then zeros up to a multiple of 8 */
};

enum {
	WIRE_REQUEST_ABORTED = 1,	/* the thread ended inside it */
	WIRE_REQUEST_DETAIL = 2,	/* the record is a struct wire_request_detail */
	WIRE_REQUEST_MAJOR = 4,		/* page fault: the kernel accounted it as a major fault */
	WIRE_REQUEST_WRITE_FAULT = 8,	/* page fault: the access was a store */
	WIRE_REQUEST_PRIVATE = 16,	/* page fault: the mapping is MAP_PRIVATE */
	WIRE_REQUEST_END_UNKNOWN = 32,	/* page fault: time_ns is its last event, not its end */
	WIRE_REQUEST_FILE_UNKNOWN = 64, /* the descriptor could not be resolved */
	WIRE_REQUEST_OPEN = 128,	/* still running when tracing stopped: result is meaningless */
	/* The kernel's copy functions reported exactly `result` bytes; page fault: the page was there and has
	 * been copied for the process. */
	WIRE_REQUEST_COPIED = 256,
	WIRE_REQUEST_LOOPBACK = 512,	/* MSG_ZEROCOPY: the socket's route is the loopback device */
	WIRE_REQUEST_ZEROCOPY = 1024,	/* MSG_ZEROCOPY: SO_ZEROCOPY is on, and the device takes page lists */
	WIRE_REQUEST_TO_DIRECT = 2048,	/* sendfile and its kin: the target is open with O_DIRECT */
	WIRE_REQUEST_MULTISHOT = 4096,	/* io_uring: one completion of several of the same submission */
	WIRE_REQUEST_COPY_MISSED = 8192, /* of a copy function, the entry was seen or the return, not both */
	WIRE_REQUEST_VETH = 16384, /* MSG_ZEROCOPY: the socket's route is a veth */
};

/* One request, written when it ended: header.time_ns is the end. A page-cache hit needs no more. */
struct wire_request {
	struct wire_header header;
	__u64 start_ns;
	__u32 tgid;
	__u32 tid;
	__s64 result;	   /* as the system call returned it; page fault: 0 */
	__u64 offset;	   /* file offset of the first byte, or WIRE_UNKNOWN */
	__u64 requested;   /* bytes asked for, or WIRE_UNKNOWN */
	__u64 buffer;	   /* user address of the data (its first segment), or of the fault */
	__u32 file;	   /* alias, 0: none */
	__u32 open_flags;  /* struct file f_flags: O_DIRECT (also of FUSE without page cache), O_APPEND, O_DSYNC, ... */
	__s32 fd;	   /* -1: none */
	__u32 call_flags;  /* RWF_* of preadv2/pwritev2, SYNC_FILE_RANGE_*, MS_*, MSG_*, SPLICE_F_* */
	__u16 op;	   /* enum wire_op */
	__u16 flags;	   /* WIRE_REQUEST_* */
	__u16 segments;	   /* iovecs; 1 for a plain buffer */
	__u16 told;	   /* WIRE_TOLD(..): later records may say that they are the same; 0: none does */
};

/* A request like an earlier one of its thread: of a program that reads file after file, or one file from end to
 * end, most are. The full record tells once what does not change and gives it a number; this one tells where and
 * when, and what else has changed, in `words`: buffer, requested, result, those that the kind names. Without them
 * they are as they were told, and the result is what was requested. That of a ring (io_uring) tells in a last word
 * which call submitted it.
 *
 * A thread keeps WIRE_TOLD_SLOTS of them, by descriptor and by the lowest bit of the operation (what reads has its own,
 * apart from what writes), a later full record of a slot replaces the earlier. The generation is a
 * check: it can only differ if the full record was lost on the way, and then the request is lost, too. */
struct wire_same {
	__u64 time_ns;
	__u16 kind; /* WIRE_SAME + WIRE_SAME_* */
	__u16 size;
	__u32 context; /* WIRE_CONTEXT(..). (Which CPU it was the ring tells.) */
	__u32 duration_ns;
	__u32 place;
	__u64 words[]; /* up to 4 */
};
enum {
	WIRE_SAME_SLOT = 0x83, /* see WIRE_SAME_SLOT_OF() */
	WIRE_SAME_AHEAD = 4,	/* offset: so many bytes after the one that was told (signed) */
	WIRE_SAME_SECTOR = 8,	/* offset: so many times 512 bytes; neither: it is unknown */
	WIRE_SAME_BATCH = 12,	/* both: ahead, and batch_ns of wire_request_detail is the last of `words` */
	WIRE_SAME_BUFFER = 16,	/* in `words`, in this order */
	WIRE_SAME_REQUESTED = 32,
	WIRE_SAME_RESULT = 64,
	WIRE_SAME_WORDS = WIRE_SAME_BUFFER | WIRE_SAME_REQUESTED | WIRE_SAME_RESULT,
};
#define WIRE_IS_SAME(kind) (((kind) & ~0xff) == WIRE_SAME)
#define WIRE_SAME_OF_BATCH(kind) (((kind) & WIRE_SAME_BATCH) == WIRE_SAME_BATCH)

#define WIRE_TOLD_SLOTS 8
#define WIRE_SLOT(fd, op) (((fd) & 3) + ((op) & 1) * 4)
#define WIRE_SAME_OF_SLOT(slot) (((slot) & 3) | ((slot) & 4) << 5)
#define WIRE_SAME_SLOT_OF(kind) (((kind) & 3) | ((kind) & 0x80) >> 5)
#define WIRE_GENERATIONS 1024 /* and 22 bits for the thread: the kernel gives no higher numbers */
#define WIRE_CONTEXT(tid, generation) ((__u32)(generation) << 22 | (tid))
#define WIRE_TOLD(slot, generation) (0x8000 | (slot) << 12 | (generation))

/* A run of pages that entered the page cache while the request ran. */
struct wire_page_run {
	__u64 ino;
	__u32 dev;
	__u32 adds;  /* additions (folios) that make up the run */
	__u64 first; /* page index (4 KiB or the page size of the machine) */
	__u64 pages; /* 0: no run */
	__u64 time_ns; /* of the first addition */
};

/* The same, with what happened below it. Only written when something did. */
struct wire_request_detail {
	struct wire_request request;
	__u64 off_cpu_ns;
	__u32 voluntary;   /* context switches inside the request */
	__u32 involuntary;
	__u32 bios;	   /* bios that it queued (all its WIRE_BIO parts, splits not counted) */
	__u32 direct_bios; /* of them: pages that are not in any page cache */
	__u64 bio_bytes;
	__u64 direct_bytes;
	__u64 added_bytes;   /* page-cache additions, all runs */
	__u64 dirtied_bytes; /* folios turned from clean to dirty */
	__u32 page_runs;     /* runs in all: this one and earlier WIRE_PAGES records */
	__u32 waits;	     /* WIRE_WAIT records written for it */
	__u64 throttled_ns;  /* asked to pause by balance_dirty_pages */
	union {
		__u64 map_first;    /* page fault: pages considered by fault-around, [first, last] */
		__u64 copied_bytes; /* read, write: what the copy functions reported, if they are hooked */
	};
	union {
		__u64 map_last;
		__u64 moved_bytes; /* sendmmsg, recvmmsg: their result counts messages */
	};
	struct wire_page_run run; /* the last run */
	/* Since wire version 1's second edition: shorter records end here. */
	__u64 to_offset; /* where the bytes went that sendfile and its kin moved; WIRE_UNKNOWN: no position */
	__u32 to_file;	 /* alias, 0: none */
	__s32 to_fd;	 /* -1: none */
	__u64 batch_ns;	 /* start of the system call that submitted it (io_uring, libaio); 0: none did */
	__u32 run_by;	 /* enum wire_runner, or-ed: who worked on it */
	__u32 run_flags; /* IOSQE_* of the submission */
};
#define WIRE_REQUEST_DETAIL_FIRST __builtin_offsetof(struct wire_request_detail, to_offset)

/* Who worked on a request that was submitted to a ring. */
enum wire_runner {
	WIRE_RUN_SUBMITTER = 1, /* the submitting system call */
	WIRE_RUN_WORKER = 2,	/* a thread of the kernel's pool (io-wq) */
	WIRE_RUN_POLLER = 4,	/* the kernel thread that polls the submission queue (SQPOLL) */
	WIRE_RUN_LATER = 8,	/* the task itself, at a later entry into the kernel */
};

/* A run of page-cache additions that was over before its request was. */
struct wire_pages {
	struct wire_header header;
	struct wire_owner owner;
	struct wire_page_run run;
};

enum wire_wait_reason {
	WIRE_WAIT_OTHER = 0,
	WIRE_WAIT_DEVICE = 1,	 /* uninterruptible I/O wait, with own bios or own writeback in flight */
	WIRE_WAIT_PAGE_LOCK = 2, /* uninterruptible I/O wait for somebody else's I/O */
	WIRE_WAIT_THROTTLED = 3, /* balance_dirty_pages */
	WIRE_WAIT_PREEMPTED = 4, /* runnable: lost the CPU */
};

/* One stretch off the CPU inside a request: from begin_ns to header.time_ns. */
struct wire_wait {
	struct wire_header header;
	struct wire_owner owner;
	__u64 begin_ns;
	__u32 reason; /* enum wire_wait_reason */
	__u32 reserved;
};

enum {
	WIRE_BIO_USER = 1,	 /* pages of the application: direct I/O. ino is 0 then */
	WIRE_BIO_NO_MAPPING = 2, /* private pages of the file system (compressed, encrypted, log) */
	WIRE_BIO_METADATA = 4,	 /* page cache of the block device itself */
	WIRE_BIO_SPLIT = 8,	 /* front part of a bio that was too large */
	WIRE_BIO_LATE = 16,	 /* queued before tracing began: queue_ns and owner are unknown */
	WIRE_BIO_SWAP = 32,
	/* A kernel thread's journal, metadata or flush: told because a traced sync may wait for it. Else nobody's business. */
	WIRE_BIO_PERHAPS = 64,
	WIRE_BIO_HANDED = 128, /* pages of another file (sendfile to O_DIRECT): that one's bytes on the disk stay */
	/* Of a flusher's bios: enum wire_writeback. */
	WIRE_BIO_REASON_SHIFT = 8,
	WIRE_BIO_REASON_MASK = 7 << WIRE_BIO_REASON_SHIFT,
};

/* Why a flusher writes (include/linux/backing-dev-defs.h: enum wb_reason, plus one). */
enum wire_writeback {
	WIRE_WRITEBACK_UNKNOWN = 0, /* it is no flusher's, or the hook is missing */
	WIRE_WRITEBACK_BACKGROUND = 1,
	WIRE_WRITEBACK_VMSCAN = 2,
	WIRE_WRITEBACK_SYNC = 3,
	WIRE_WRITEBACK_PERIODIC = 4,
	WIRE_WRITEBACK_OTHER = 5,
};

/* One bio's share of a block request. */
struct wire_bio_part {
	struct wire_owner owner;
	__u64 queue_ns; /* 0: unknown */
	__u64 ino;	/* of the page cache that its first page belongs to, 0: none */
	__u64 index;	/* page index of its first page in that file */
	__u32 dev;	/* super block of that file */
	__u32 bytes;
	__u32 file; /* alias of the file of the owner's request, 0: none */
	__u32 op_flags; /* bi_opf */
	__u32 flags; /* WIRE_BIO_* */
	__u32 origin_dev; /* device that the bio was queued on (a partition, or a stacked device) */
};

/* A bio that a stacked device (dm, md, loop) queues on the device below to do what it was asked for. */
struct wire_carried {
	__u64 transfer; /* id of the one above, written later; 0: it carries on none */
	__u32 at;	/* its first byte's distance from the first one of that */
	__u32 flags;	/* WIRE_CARRIED_* */
};
enum { WIRE_CARRIED_COPY = 1 }; /* in pages of the driver's own: the processor has copied or will copy them */

/* Where the bytes of a transfer were seen by the DMA layer. */
enum wire_dma_source { WIRE_DMA_NONE = 0, WIRE_DMA_MAP_PAGE = 1, WIRE_DMA_MAP_SG = 2, WIRE_DMA_MAP_PHYS = 4, WIRE_DMA_IOMMU = 8 };

enum {
	WIRE_TRANSFER_BIO_BASED = 1, /* a driver without requests (zram, dm, md): the bio is the transfer */
	WIRE_TRANSFER_NO_ISSUE = 2,  /* completed without being issued (an empty flush that was satisfied) */
};

/* One block request, written at its completion. With more than one bio, the others stand in
 * WIRE_BIO records before it on the same CPU. */
struct wire_transfer {
	struct wire_header header;
	__u64 id;	/* unique in the trace; given when its first bio was queued */
	__u64 sector;	/* 512-byte units, on `dev` */
	__u64 bytes;	/* at the last issue (bio-based: of the bio) */
	__u64 insert_ns; /* 0: went past the scheduler */
	__u64 issue_ns;	/* the last issue; 0: none seen */
	__u32 dev;
	__u32 op_flags; /* cmd_flags: REQ_OP_* in the low 8 bits */
	__s32 error;	/* negative errno, 0: fine */
	__u32 bios;
	__u32 issues;	/* 1 + requeues */
	__u32 flags;	/* WIRE_TRANSFER_* */
	__u64 dma_mapped_bytes;
	__u64 bounced_bytes; /* through swiotlb */
	__u32 dma_segments;
	__u32 dma_source; /* enum wire_dma_source, or-ed */
	struct wire_bio_part first;
	/* Copied by the processor into bounce buffers and out of them, where the function that copies is
	 * hooked. Both 0 although bounced_bytes is not: it is not. Older records end before. */
	__u64 bounce_bytes_in;
	__u64 bounce_bytes_out;
	struct wire_carried carried; /* by `first` */
};
#define WIRE_TRANSFER_FIRST __builtin_offsetof(struct wire_transfer, bounce_bytes_in)

struct wire_bio {
	struct wire_header header;
	__u64 transfer;
	struct wire_bio_part bio;
	struct wire_carried carried; /* older records end before */
};
#define WIRE_BIO_FIRST __builtin_offsetof(struct wire_bio, carried)

/* A loop device, at its first use and when it has changed: the file that holds its bytes. */
struct wire_device {
	struct wire_header header;
	__u64 offset; /* of the device's first byte in the file */
	__u32 dev;
	__u32 file;  /* alias */
	__u32 flags; /* WIRE_DEVICE_* */
	__u32 reserved;
};
enum { WIRE_DEVICE_DIRECT = 1 }; /* past the page cache of the file */

enum { WIRE_PACKET_RECEIVED = 1 };

/* Bytes that a network device moved for a socket of a traced process: a packet that was handed to its
 * driver (with headers; before the device cuts it up), or received payload as the application takes it. */
struct wire_packet {
	struct wire_header header;
	struct wire_owner owner; /* start_ns == 0: sent later, for no request that is running */
	__u64 bytes;
	__u32 ifindex; /* in the collector's network namespace */
	__u32 file;    /* alias of the socket */
	__u32 flags;   /* WIRE_PACKET_* */
	__u32 reserved;
};

enum wire_loss {
	WIRE_LOSS_RING_REQUEST = 1,  /* the ring was full: a request record */
	WIRE_LOSS_RING_DETAIL = 2,   /* a pages or wait record */
	WIRE_LOSS_RING_TRANSFER = 3, /* a transfer or bio record */
	WIRE_LOSS_RING_NAME = 4,     /* a file, process or thread record (sent again at the next use) */
	WIRE_LOSS_THREADS_FULL = 5,  /* no room for a thread's state: its requests are not seen */
	WIRE_LOSS_BIOS_FULL = 6,     /* no room for a bio's state: its transfer has no owner */
	WIRE_LOSS_FILES_FULL = 7,    /* no room for a file: its requests carry no file */
	WIRE_LOSS_TALLY_FULL = 8,    /* top: no room for another (process, file, op) */
	WIRE_LOSS_RECURSION = 9,     /* the kernel skipped a program that was already running on the CPU */
	WIRE_LOSS_COMPAT = 10,	     /* 32-bit system calls are not decoded */
	WIRE_LOSS_EVICTED = 11,	     /* userspace: an open request was given up to bound memory */
	/* The kernel never told that a bio had completed: it runs no program while it interrupts a task
	 * that tracing must not see (a sandbox's own), or the request was torn down. */
	WIRE_LOSS_COMPLETION = 12,
	WIRE_LOSS_RINGS_FULL = 13, /* no room for a request of io_uring or libaio: it is not seen */
	WIRE_LOSS_RANGES = 14, /* userspace: dirty or readahead bytes whose request was forgotten to bound memory */
	WIRE_LOSS_CAUSES = 15,
};

struct wire_loss_record {
	struct wire_header header;
	__u64 count; /* since the last record of this cause */
	__u32 cause; /* enum wire_loss */
	__u32 reserved;
};

/* What the collector knows when it stops. */
struct wire_end {
	struct wire_header header;
	__u64 start_ns;		  /* when tracing was armed */
	__u64 bpf_ns;		  /* run time of all programs, WIRE_UNKNOWN: not measured */
	__u64 collector_cpu_ns;
	__u64 records;
	__u64 record_bytes;
	__u64 ring_bytes;	  /* of one ring */
	__u64 ring_peak_bytes;	  /* of the fullest */
	__u64 unused[2];
	__u32 stop_reason; /* enum wire_stop */
	__u32 reserved;
	/* Older records end here. */
	__u64 ring_wanted_bytes; /* of one ring, to hold also what the rings refused; 0: they refused nothing */
	__u64 suspended_ns;	 /* the machine slept so long meanwhile, which CLOCK_MONOTONIC does not count */
	__s64 clock_step_ns;	 /* the wall clock was set meanwhile, by so much */
};
#define WIRE_END_FIRST __builtin_offsetof(struct wire_end, ring_wanted_bytes)

enum wire_stop { WIRE_STOP_USER = 0, WIRE_STOP_DURATION = 1, WIRE_STOP_TARGET_EXIT = 2 };

#ifdef __cplusplus
#define WIRE_ASSERT(type, bytes) static_assert(sizeof(struct type) == (bytes), #type)
#else
#define WIRE_ASSERT(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
#endif
WIRE_ASSERT(wire_header, 16);
WIRE_ASSERT(wire_owner, 16);
WIRE_ASSERT(wire_process, 56);
WIRE_ASSERT(wire_process_exit, 24);
WIRE_ASSERT(wire_thread, 48);
WIRE_ASSERT(wire_file, 80);
WIRE_ASSERT(wire_request, 88);
WIRE_ASSERT(wire_same, 24);
WIRE_ASSERT(wire_page_run, 40);
WIRE_ASSERT(wire_request_detail, 88 + 128 + 32);
WIRE_ASSERT(wire_pages, 72);
WIRE_ASSERT(wire_wait, 48);
WIRE_ASSERT(wire_bio_part, 64);
WIRE_ASSERT(wire_transfer, 168 + 16 + 16);
WIRE_ASSERT(wire_bio, 88 + 16);
WIRE_ASSERT(wire_device, 40);
WIRE_ASSERT(wire_packet, 56);
WIRE_ASSERT(wire_loss_record, 32);
WIRE_ASSERT(wire_end, 96 + 24);

#endif /* IOHOPS_WIRE_H */
