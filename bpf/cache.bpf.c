// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Pages that enter the page cache while a request runs: its misses and its readahead.
 *
 * Not seen: look-ups that hit. A hit is the absence of additions, bios and I/O waits, which holds on
 * every kernel; mm_filemap_get_pages (6.12) would cost each cached read of every process 40-50 ns for
 * no more knowledge.
 */
#include "mapping.h"

#define S_IFMT 00170000
#define S_IFBLK 0060000

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

SEC("?tp_btf/mm_filemap_add_to_page_cache")
int BPF_PROG(cache_add, struct folio *folio)
{
	struct thread_state *state = find_open(bpf_get_current_task_btf());
	struct wire_page_run *run;
	struct inode *inode;
	u64 pages, now;

	if (!state)
		return 0;
	inode = folio->mapping->host;
	pages = folio_pages(folio);
	touch(state);
	state->added_bytes += pages << page_shift;
	/* Before 6.12 this is the only sign that a fault is on a file. Not a page of the block
	 * device: that is metadata on the way. */
	if (state->op == WIRE_OP_PAGE_FAULT && !state->file_fault && (inode->i_mode & S_IFMT) != S_IFBLK)
		meet_mapping(state, BPF_CORE_READ(folio, mapping, host), bpf_get_current_task_btf());
	now = bpf_ktime_get_ns();
	state->last_event_ns = now;
	run = &state->run;
	if (run->pages && run->first + run->pages == folio->index && run->ino == inode->i_ino &&
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
	run->first = folio->index;
	run->pages = pages;
	run->adds = 1;
	run->time_ns = now;
	return 0;
}
