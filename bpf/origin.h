/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * Whose pages a bio carries: a file's, the block device's own, an application's buffer, nobody's.
 */
#ifndef IOHOPS_ORIGIN_H
#define IOHOPS_ORIGIN_H

#include "flusher.h"
#include "light.h"

#define PAGE_MAPPING_FLAGS 3UL
#define TMPFS_MAGIC 0x01021994
#define HUGETLBFS_MAGIC 0x958458f6

/* The usual buffer of a direct request: its first page is anonymous, and no tail of another. By plain loads, where
 * read_first_page() takes five probe reads of 12 ns; what they do not say is left to it. `vec`: its bi_io_vec. */
static __always_inline bool is_plain_buffer(struct bio *bio, struct bio_vec *vec)
{
	struct page *page;

	if (!vec || bio->bi_iter.bi_idx || vec->bv_offset + bio_bvec_passed(bio) >= 1U << page_shift)
		return false;
	page = at_once(vec->bv_page);
	return page && !is_tail(page) && low_half(page_mapping(page)) & 1;
}

/* What is swapped out is told by the bio: its pages are anonymous, as a direct request's buffer is. */
static __always_inline bool is_swapped_out(u32 op_flags)
{
	return bpf_core_enum_value_exists(enum req_flag_bits, __REQ_SWAP) &&
	       op_flags >> bpf_core_enum_value(enum req_flag_bits, __REQ_SWAP) & 1;
}

/* Whose page is it? The first page of the bio decides: a bio is contiguous in its file for every
 * file system that fills it from the page cache. `name`: a file that has no name yet gets one. */
static __always_inline void read_first_page(struct bio *bio, struct bio_vec *first, struct wire_bio_part *part, bool name)
{
	struct bio_vec *vecs, vec = {};
	struct page *page;

	part->ino = 0;
	part->index = 0;
	part->dev = 0;
	if (!part->bytes)
		return;
	if (is_swapped_out(part->op_flags)) {
		part->flags |= WIRE_BIO_SWAP;
		return;
	}
	if (is_plain_buffer(bio, first)) {
		part->flags |= WIRE_BIO_USER;
		return;
	}
	vecs = BPF_CORE_READ(bio, bi_io_vec); /* to be indexed: see innermost() of name.h */
	if (!vecs)
		return;
	/* Not bi_vcnt: it is 0 in clones and splits. */
	bpf_probe_read_kernel(&vec, sizeof(vec), &vecs[bio->bi_iter.bi_idx]);
	page = vec.bv_page;
	if (!page)
		return;
	page = (void *)page + ((vec.bv_offset + bio_bvec_done(bio)) >> page_shift) *
				      bpf_core_type_size(struct page);
	struct folio *folio = page_folio(page);
	unsigned long mapping = (unsigned long)folio_field(folio, mapping);

	if (mapping & 1) {
		part->flags |= WIRE_BIO_USER;
		return;
	}
	/* What is swapped in belongs to nobody yet. */
	if (!mapping && is_swapbacked(folio)) {
		part->flags |= WIRE_BIO_SWAP;
		return;
	}
	if (!mapping || (mapping & PAGE_MAPPING_FLAGS)) {
		part->flags |= WIRE_BIO_NO_MAPPING;
		return;
	}
	struct inode *inode = BPF_CORE_READ((struct address_space *)mapping, host);

	if (!inode) {
		part->flags |= WIRE_BIO_SWAP; /* swapper_space has no host */
		return;
	}
	/* Shared memory has no block device: its pages are somebody's buffer. */
	if (BPF_CORE_READ(inode, i_sb, s_magic) == TMPFS_MAGIC ||
	    BPF_CORE_READ(inode, i_sb, s_magic) == HUGETLBFS_MAGIC) {
		part->flags |= WIRE_BIO_USER;
		return;
	}
	part->ino = BPF_CORE_READ(inode, i_ino);
	part->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	part->index = folio_field(folio, index) +
		      ((unsigned long)page - (unsigned long)folio) / bpf_core_type_size(struct page);
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFBLK) {
		part->flags |= WIRE_BIO_METADATA;
		return;
	}
	/* A flusher's bio concerns us if a traced process uses the file. The generation is part of
	 * the key: another file that got the number of a deleted one is not ours. */
	struct file_key key = {
		.ino = part->ino,
		.dev = part->dev,
		.generation = BPF_CORE_READ(inode, i_generation),
	};
	u32 *alias = bpf_map_lookup_elem(&files, &key);

	if (alias)
		part->file = *alias;
	else if (name)
		part->file = name_inode(inode);
}

/* The buffer of a direct request can be a mapping of another file: its pages look like page cache. On
 * overlayfs the page cache is another inode's too, so there this cannot be told. */
static __always_inline bool is_mapped_buffer(const struct thread_state *state, const struct wire_bio_part *part)
{
	const struct known_file *known = known_of(state);

	if (!part->ino || !(state->open_flags & O_DIRECT) || known->stacked)
		return false;
	if (state->to_file) /* sendfile and its kin have no buffer: it is a page of the target, or handed to it */
		return false;
	return !(part->flags & WIRE_BIO_METADATA) &&
	       (part->ino != known->ino || part->dev != known->dev);
}

#define REQ_SYNC (1U << 11) /* include/linux/blk_types.h */

/* Why the flusher writes that `task` is, or works for, as bits of part->flags; 0: it is none. What a flusher hands on
 * is known by the inode; not if somebody waits for it (REQ_SYNC), who may be another one. */
static __always_inline u32 writeback_reason(struct task_struct *task, const struct wire_bio_part *part)
{
	u32 tid = task_field(task, pid);
	u32 *why = bpf_map_lookup_elem(&flushers, &tid);
	struct written_inode inode = { .ino = part->ino, .dev = part->dev };

	if (!why && part->ino && !(part->op_flags & REQ_SYNC))
		why = bpf_map_lookup_elem(&written_inodes, &inode);
	return why ? *why << WIRE_BIO_REASON_SHIFT & WIRE_BIO_REASON_MASK : 0;
}

static __always_inline bool is_own_output(const struct wire_bio_part *part)
{
	for (int i = 0; i < 4; i++)
		if (self_inos[i] && self_inos[i] == part->ino && self_devs[i] == part->dev)
			return true;
	return false;
}

#endif /* IOHOPS_ORIGIN_H */
