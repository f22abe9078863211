// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Pages that enter the page cache while a request runs: its misses and its readahead.
 *
 * Not seen: look-ups that hit. A hit is the absence of additions, bios and I/O waits, which holds on
 * every kernel; mm_filemap_get_pages (6.12) would cost each cached read of every process 40-50 ns for
 * no more knowledge.
 */
#include "light.h"
#include "mapping.h"


static __noinline void emit_run(struct thread_state *state)
{
	struct wire_pages *record =
		reserve(sizeof(*record), WIRE_PAGES, state->run.time_ns, WIRE_LOSS_RING_DETAIL);

	if (!record)
		return;
	record->owner.tgid = state->tgid;
	record->owner.tid = state->tid;
	record->owner.start_ns = state->start_ns;
	record->run = state->run;
	submit(record);
}

/* `host` is the inode once more, by a probe read: see meet_mapping(). */
static __always_inline int add_pages(struct thread_state *state, struct inode *inode, struct inode *host, u64 index,
				     u64 pages, bool find_vma)
{
	struct wire_page_run *run;
	u64 now;

	touch(state);
	state->added_bytes += pages << page_shift;
	/* Before 6.12 this is the only sign that a fault is on a file. Not a page of the block
	 * device: that is metadata on the way. */
	if (state->op == WIRE_OP_PAGE_FAULT && !state->file_fault && (inode->i_mode & S_IFMT) != S_IFBLK) {
		if (find_vma)
			meet_mapping(state, host, current_task());
		else
			meet_mapping_plain(state, host);
	}
	now = bpf_ktime_get_ns();
	state->last_event_ns = now;
	run = &state->run;
	if (run->pages && run->first + run->pages == index && run->ino == inode->i_ino &&
	    run->dev == inode->i_sb->s_dev) {
		run->pages += pages;
		run->adds++;
		return 0;
	}
	if (run->pages && !tally)
		emit_run(state);
	state->page_runs++;
	run->ino = inode->i_ino;
	run->dev = inode->i_sb->s_dev;
	run->first = index;
	run->pages = pages;
	run->adds = 1;
	run->time_ns = now;
	return 0;
}

SEC("?tp_btf/mm_filemap_add_to_page_cache")
int BPF_PROG(cache_add, struct folio *folio)
{
	struct address_space *mapping = at_once(folio->mapping);
	struct thread_state *state = find_below(current_task());

	return state ? add_pages(state, mapping->host, BPF_CORE_READ(mapping, host), folio->index, folio_pages(folio), true)
		     : 0;
}

/* Before 5.16 it passes a page. */
SEC("?tp_btf/mm_filemap_add_to_page_cache")
int BPF_PROG(cache_add_page, struct page___pre_5_16 *page)
{
	struct thread_state *state = find_below(current_task());

	return state ? add_pages(state, page->mapping->host, BPF_CORE_READ(page, mapping, host), page->index,
				 folio_pages((struct folio *)page), false)
		     : 0;
}
