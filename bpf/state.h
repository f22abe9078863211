/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * The knobs that userspace sets before loading, the variables that it sets while tracing, the maps,
 * and the state of a traced thread.
 */
#ifndef IOHOPS_STATE_H
#define IOHOPS_STATE_H

#include "compat.h"
#include "wire.h"
#include "wire_tally.h"

#define THREADS 16384 /* slots; a power of two */
#define BIOS 16384
#define FILES 65536
#define RINGS 64
#define SYSCALLS 512

enum { SCOPE_ONE = 0, SCOPE_SET = 1, SCOPE_ALL = 2 };

/* ---- knobs: constants to the verifier, so that what is off costs nothing ---- */
const volatile __u32 scope = SCOPE_ONE; /* -p PID | several or -f | -a */
const volatile bool follow = false;   /* -f */
const volatile bool light = false; /* no system calls: the requests are page faults alone */
const volatile bool tally = false;    /* top: add up in the kernel instead of writing records */
const volatile __u32 self_tgid = 0;
const volatile __u32 ring_mask = 0;	 /* rings - 1 */
const volatile __u32 page_shift = 12;
const volatile bool can_find_vma = false; /* bpf_find_vma is there (5.17) */
const volatile bool can_cast = false;	   /* bpf_rdonly_cast is there (6.2) */
const volatile bool can_hold = false;	   /* bpf_preempt_disable is there and of use (7.2; not 6.18) */
const volatile bool can_see_calls = false; /* bpf_task_pt_regs is there (5.15) */
const volatile bool measure_copies = false; /* hooks on the kernel's copy functions are attached */
const volatile bool watch_streams = false; /* --stdio */
const volatile bool know_running = false; /* sched_switch is attached (and x86: see running_thread()) */
const volatile bool watch_dma = false; /* a device here uses the DMA layer, and we hook it */
const volatile __u8 op_of_syscall[SYSCALLS] = {}; /* enum wire_op by system call number */
const volatile __u8 op_of_compat[SYSCALLS] = {}; /* the same of 32-bit programs, which have other numbers */
const volatile __u32 self_netns = 0; /* inode of the collector's network namespace */
/* What of a filter can be judged here. */
const volatile __u64 ring_ops = ~0ULL; /* bit: IORING_OP_* */
const volatile __u32 aio_ops = ~0U;    /* bit: IOCB_CMD_* */
const volatile bool judge_requests = false; /* one of the next three */
const volatile __u64 min_latency_ns = 0;
const volatile __u64 min_bytes = 0;
const volatile __u32 wanted_devs[8] = {}; /* of file systems; none: all */
const volatile bool judge_paths = false;	 /* userspace says of each file that it is not wanted */
/* Files that the collector itself writes: their device work is never traced. */
const volatile __u64 self_inos[4] = {}; /* 0: none */
const volatile __u32 self_devs[4] = {};

/* ---- set while tracing ---- */
__u32 verdicts = 0; /* how many files userspace has judged */
__u32 only_tgid = 0; /* SCOPE_ONE: 0 until armed, and again when the process is gone */
__u32 awaited_tgid = 0; /* -- CMD: traced from its exec on; before, it is still us */
bool armed = false; /* SCOPE_ALL and everything that is not per process */
__u32 generation = 0; /* of who is traced: see running_thread() */
/* SCOPE_SET: a byte for each tgid modulo 65536 tells "perhaps" without a map lookup; the hash
 * decides. A lookup miss costs 19-26 ns, on every system call of every other process. */
__u8 targets_near[65536] = {};

/* The check at the start: what each hook on a copy function counted of one thread's known I/O. */
__u32 copy_check_tid = 0;
__u64 copy_check_argument = 0;
__u64 copy_seen[WIRE_COPY_HOOKS] = {};

/* A file that a thread has used, as its descriptor led to it. */
struct known_file {
	u64 file; /* struct file * */
	u64 inode;
	u64 ino;
	u32 alias; /* 0: none */
	u32 dev;
	u16 stacked; /* overlayfs: the pages belong to another inode */
	u16 unwanted; /* a filter by path excludes it, as far as was known after so many verdicts: */
	u32 verdicts;
	u32 open_flags; /* besides the file's own */
	u32 mark; /* see struct open_file */
};
#define KNOWN_FILES 4 /* a power of two */
#define KNOWN_TARGET KNOWN_FILES

/* The request that a thread told in full, per WIRE_SLOT(): see struct wire_same. (Reads and writes apart: a server
 * receives and sends on one descriptor in turn, and one of them for both told every request of it in full.) */
struct told_request {
	u64 what, where, how; /* as in struct thread_state; what == 0: none was */
	u64 buffer, requested, offset;
	u64 head; /* TOLD_HEAD(..) of it, or of the last; see seed_generations() */
	u64 run_as; /* a ring's */
};

/* top: where a thread's requests are added up, per slot of `known`, apart by the lowest bit of the operation:
 * programs read and write the same file in turn. */
struct tally_place {
	u64 key; /* file, operation, direct; 0: unknown */
	u32 row;
	u32 unused;
};

/* A request that was submitted to a ring: io_uring's by its struct io_kiocb, libaio's by the address of the
 * application's struct iocb. address == 0: none. */
struct ring_key {
	u64 address;
	u32 tgid; /* libaio only */
	u32 unused;
};

/* One traced thread. Only its own context touches it (its system calls, faults, and the scheduler
 * switching it), so no field needs an atomic. 16384 of them take 18 MiB of kernel memory. */
struct thread_state {
	/* What a cache hit touches stands together: two cache lines, and one of `known`. */
	u32 tid; /* 0: free */
	u32 tgid;
	/* the open request, start_ns == 0: none, UNTIMED: without a time (top) */
	u64 start_ns;
	union {
		struct {
			u16 op;
			u16 flags; /* WIRE_REQUEST_* */
			s32 fd;
		};
		u64 what; /* the same as one word, to compare */
	};
	union {
		struct {
			u32 file;
			u32 open_flags;
		};
		u64 where;
	};
	u64 buffer;
	u64 requested;
	u64 offset; /* explicit, WIRE_UNKNOWN: take it from f_pos when it ends */
	union {
		struct {
			u32 segments;
			u32 call_flags;
		};
		u64 how;
	};
	u64 copied; /* bytes that copy functions reported */
	u64 out_ns; /* off the CPU since, 0: on it; then it is `touched` */
	u32 touched; /* see below */
	u32 to_file; /* where sendfile and its kin put the bytes, 0: nowhere */
	/* of a ring's request: see wire_request_detail */
	u64 batch_ns;
	union {
		struct {
			u16 run_by;
			u16 run_flags;
		};
		u32 run_as; /* the same as one word, to compare */
	};
	s32 to_fd;
	u64 last_event_ns; /* page fault, ring's request: its last event so far */
	u32 jiffy; /* top: see is_timed() */
	u16 in_jiffy;
	u16 weight; /* of the open request's time: for how many it stands */
	/* The files that it used last, by descriptor: a server goes to and fro between a few. A ring's request has but
	 * the first: see known_of(). */
	struct known_file known[KNOWN_FILES + 1]; /* and the last target */
	union {
		struct told_request told[WIRE_TOLD_SLOTS];
		struct tally_place places[KNOWN_FILES][2];
	};

	u32 copying; /* between the kprobe and the kretprobe of a copy function: whether it is for user memory, */
	u64 copy_argument; /* and what its report needs */
	u64 to_offset;
	u64 argument; /* what its end needs: the array of messages, of iocbs, of events */
	struct ring_key running; /* the request of a ring that the thread is working on for the moment */
	/* the call of a C library's stream that is running, stream_ns == 0: none */
	u64 stream_ns;
	u64 stream_buffer; /* the program's memory, not the stream's */
	u64 stream_bytes;
	u64 stream_unit; /* bytes that its result counts as one */
	u64 stream_past; /* bytes that went past the stream's buffer */
	s32 stream_fd;
	u32 stream_op;
	/* what happened below the request; valid and non-zero only when `touched` */
	u64 off_cpu_ns;
	u32 voluntary, involuntary;
	u32 bios, direct_bios;
	u64 bio_bytes, direct_bytes;
	u64 added_bytes, dirtied_bytes;
	u32 page_runs, waits;
	u64 throttled_ns;
	u64 map_first, map_last;
	struct wire_page_run run;
	u64 major_before;  /* page fault: maj_flt when it began */
	u32 throttled;	   /* the next sleep is balance_dirty_pages' */
	u32 own_writeback; /* folio_wait_writeback was met */
	u32 file_fault;	   /* page fault: it is on a file mapping */
	u32 left_file;	   /* page fault: the process has a page of a file less */
	u32 io_waits;
	u32 out_reason;
	u32 wait_reason;
	/* the wait before this one, see wait.h; valid when `touched`. wait_end_ns == 0: none */
	u64 wait_begin_ns;
	u64 wait_end_ns;
};

static const struct thread_state new_thread = {};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, THREADS);
	__type(key, u32);
	__type(value, struct thread_state);
} threads SEC(".maps");

/* Requests on their way through a ring, each with a state of its own: what happens below them is gathered
 * as it is for a thread's. See slot.h. */
#define RING_REQUESTS 8192 /* a power of two */
/* Address of the struct io_kiocb, 0: free. */
__u64 ring_places[RING_REQUESTS] __attribute__((aligned(64))) = {};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RING_REQUESTS);
	__type(key, u32);
	__type(value, struct thread_state);
} place_states SEC(".maps");
__u64 placeless = 0; /* requests of io_uring that are in the map below */
/* libaio's, and those that found no place. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RING_REQUESTS);
	__type(key, struct ring_key);
	__type(value, struct thread_state);
} ring_requests SEC(".maps");
bool rings_met = false; /* never falls: only guards a lookup */

/* Which thread owns a slot. Asked only when a thread is met for the first time: claiming in a hash
 * is atomic on kernels without atomic instructions in BPF (before 5.12). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, THREADS);
	__type(key, u32);
	__type(value, u32);
} slot_owners SEC(".maps");

/* Threads whose slot is taken by another. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, THREADS);
	__type(key, u32);
	__type(value, struct thread_state);
} more_threads SEC(".maps");
__u32 more_threads_used = 0; /* never falls: only guards a lookup */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, THREADS);
	__type(key, u32);
	__type(value, u32);
} targets SEC(".maps");

/* Processes whose name is already in the stream. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, THREADS);
	__type(key, u32);
	__type(value, u32);
} named_processes SEC(".maps");

/* Files that traced processes use. Evicted ones are named again at their next use. */
struct file_key {
	u64 ino;
	u32 dev;
	u32 generation;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FILES);
	__type(key, struct file_key);
	__type(value, u32);
} files SEC(".maps");

/* Devices of file systems that traced processes use: the super block's number, and the device's own (btrfs has two). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u32);
} filesystems SEC(".maps");

/* Aliases of files that a filter by path excludes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FILES); /* userspace makes it 1 when no path is judged */
	__type(key, u32);
	__type(value, u32);
} unwanted_files SEC(".maps");

/* struct sock -> whose it is. Entries of closed sockets fall out. */
struct socket_owner {
	u64 ino; /* of the socket's file: tells a reused address */
	u32 tgid;
	u32 file; /* alias */
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FILES);
	__type(key, u64);
	__type(value, struct socket_owner);
} sockets SEC(".maps");
bool sockets_met = false; /* never falls: only guards a lookup */

/* memory_key() of a bio's first byte -> its address. An entry lives as long as its bio's state. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BIOS); /* userspace makes it 1 when no DMA is watched */
	__type(key, u64);
	__type(value, u64);
} memories SEC(".maps");

/* Where the array of all struct page begins: userspace finds out with dma_learn. 0: unknown. */
__u64 page_array = 0;

struct inner_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
};
/* A ring per CPU (up to RINGS): a shared one serialises all CPUs on its lock. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, RINGS);
	__type(key, u32);
	__array(values, struct inner_ring);
} rings SEC(".maps");

/* Bytes that each ring could not take: how large it would have had to be. */
__u64 ring_lost_bytes[RINGS] = {};

/* Who runs on a CPU, see running_thread(): by its number, which is shorter than the look-up of what is per CPU. */
#define CPUS 1024 /* on others it is not remembered */
struct {
	__u64 who, unused[7];
} runs[CPUS] __attribute__((aligned(64))) = {};

/* What only its own CPU touches. */
struct cpu_state {
	u64 losses[WIRE_LOSS_CAUSES];
	u64 next_transfer;
	u64 next_file;
	u64 filesystem; /* noted last: see note_filesystem() */
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cpu_state);
} cpu_states SEC(".maps");

/* Room for a file record with its path; `busy` because a program can be preempted or interrupted
 * by another on its CPU. */
#define PATH_ROOM (WIRE_PATH_BYTES + 256)
struct file_scratch {
	u32 busy;
	u32 used; /* bytes of path */
	u64 dentry, mount, root; /* where it stands: add_step() */
	u64 partial;
	char record[sizeof(struct wire_file)];
	char path[PATH_ROOM]; /* wire_file.path */
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct file_scratch);
} file_scratches SEC(".maps");

static __always_inline struct cpu_state *this_cpu_state(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&cpu_states, &zero);
}

static __always_inline void count_loss(enum wire_loss cause)
{
	struct cpu_state *cpu = this_cpu_state();

	if (cpu)
		cpu->losses[cause]++;
}

#endif /* IOHOPS_STATE_H */
