// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The object: all layers in one translation unit. bpftool (libbpf 1.1) links no two objects that call the same function
 * of the kernel, and each layer wants some: without bpf_rdonly_cast a field of a file is a probe read of 20 ns.
 */
#include "block.bpf.c"
#include "bounce.bpf.c"
#include "cache.bpf.c"
#include "copy.bpf.c"
#include "direct.bpf.c"
#include "dma.bpf.c"
#include "fault.bpf.c"
#include "net.bpf.c"
#include "queue.bpf.c"
#include "sched.bpf.c"
#include "stack.bpf.c"
#include "stdio.bpf.c"
#include "syscall.bpf.c"
#include "uring.bpf.c"
#include "writeback.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
