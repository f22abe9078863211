/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * From an address to the file that is mapped there.
 */
#ifndef IOHOPS_MAPPING_H
#define IOHOPS_MAPPING_H

#include "inode.h"
#include "request.h"

#define VM_SHARED 0x00000008 /* include/linux/mm.h */

struct vma_facts {
	u64 address;
	u64 offset; /* of the address in the file */
	u32 alias;
	u32 found;
	u32 shared;
	u32 reserved;
};

static long read_vma(struct task_struct *task, struct vm_area_struct *vma, struct vma_facts *facts)
{
	struct file *file = vma->vm_file;

	facts->found = 1;
	facts->shared = (vma->vm_flags & VM_SHARED) != 0;
	facts->offset = facts->address - vma->vm_start + (vma->vm_pgoff << page_shift);
	if (file)
		facts->alias = file_alias(BPF_CORE_READ(file, f_inode), BPF_CORE_READ(file, f_path.dentry),
					  BPF_CORE_READ(file, f_path.mnt), 0, 0);
	return 0;
}

/* A page fault turns out to be on a file mapping: name the file, once. Only the vma tells whether the
 * mapping is private (a store means a copy) and which offset the address stands for. `inode` must come
 * from a probe read: emit_file takes no BTF pointer. */
static __noinline __attribute__((unused)) int meet_mapping(struct thread_state *state, struct inode *inode, struct task_struct *task)
{
	struct vma_facts facts = { .address = state->buffer };

	state->file_fault = 1;
	if (can_find_vma)
		bpf_find_vma(task, state->buffer, read_vma, &facts, 0);
	if (facts.found && facts.alias) {
		state->file = facts.alias;
		state->offset = facts.offset & ~((1ULL << page_shift) - 1);
		if (!facts.shared)
			state->flags |= WIRE_REQUEST_PRIVATE;
		return 0;
	}
	state->file = name_inode(inode);
	return 0;
}

/* Where no program may name a callback (before 5.17): without the vma. */
static __noinline __attribute__((unused)) int meet_mapping_plain(struct thread_state *state, struct inode *inode)
{
	state->file_fault = 1;
	state->file = name_inode(inode);
	return 0;
}

#endif /* IOHOPS_MAPPING_H */
