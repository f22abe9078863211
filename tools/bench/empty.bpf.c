/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * An empty program at each end of a system call: what any tracer of system calls costs at least.
 */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#include <bpf/bpf_helpers.h>

SEC("tp_btf/sys_enter")
int empty_enter(void *context)
{
	return 0;
}

SEC("tp_btf/sys_exit")
int empty_exit(void *context)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
