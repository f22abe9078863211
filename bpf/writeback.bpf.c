// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Dirtying, waiting for writeback, and the pause that balance_dirty_pages orders.
 *
 * writeback_dirty_folio fires only when a folio goes from clean to dirty: it counts what a request
 * dirtied, it does not name all its writers.
 *
 * A store to a page of a shared mapping that was there to be read makes its folio dirty, and nothing else is told of
 * it. Where the folio is dirty already, only fault_cow sees the fault.
 *
 * Why a flusher writes is known between its writeback_start and writeback_written. btrfs hands its bios to threads
 * of its own: there it is known by the inode.
 */
#include "flusher.h"
#include "light.h"

#define PF_MEMALLOC 0x800 /* include/linux/sched.h: it frees memory, of whatever file */

static __always_inline int dirty(struct folio *folio, u64 index, struct address_space *mapping)
{
	struct task_struct *task = current_task();
	struct thread_state *state = find_below(task);

	/* So that what a flusher writes of it concerns us. */
	if (light && mapping && is_traced(task_field(task, tgid)))
		name_inode(BPF_CORE_READ(mapping, host));
	if (!state)
		return 0;
	touch(state);
	state->dirtied_bytes += folio_pages(folio) << page_shift;
	if (state->op != WIRE_OP_PAGE_FAULT)
		return 0;
	if (!state->file_fault && mapping && !(task_field(task, flags) & PF_MEMALLOC)) {
		state->file = state->file_fault = name_inode(BPF_CORE_READ(mapping, host)); /* 0: of a device */
		state->offset = index << page_shift;
	}
	state->last_event_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("?tp_btf/writeback_dirty_folio")
int BPF_PROG(writeback_dirty, struct folio *folio, struct address_space *mapping)
{
	return dirty(folio, folio->index, mapping);
}

/* Before 5.16 they are pages. */
SEC("?tp_btf/writeback_dirty_page")
int BPF_PROG(wb_dirty_page, struct page___pre_5_16 *page, struct address_space *mapping)
{
	return dirty((struct folio *)page, page->index, mapping);
}

static __always_inline int wait_for_writeback(void)
{
	struct thread_state *state = find_below(current_task());

	if (!state)
		return 0;
	touch(state);
	state->own_writeback = 1;
	return 0;
}

SEC("?tp_btf/folio_wait_writeback")
int BPF_PROG(writeback_wait, struct folio *folio, struct address_space *mapping)
{
	return wait_for_writeback();
}

SEC("?tp_btf/wait_on_page_writeback")
int BPF_PROG(wb_wait_page, struct page *page, struct address_space *mapping)
{
	return wait_for_writeback();
}

/* The flusher's own: from here to writeback_written the thread queues what `work` asks for. Of enum wb_reason
 * only the first values are named: they have stood since 3.x, those behind them have moved. */
SEC("?tp_btf/writeback_start")
int BPF_PROG(writeback_begin, struct bdi_writeback *wb, struct wb_writeback_work *work)
{
	u32 tid = task_field(current_task(), pid);
	u32 why = BPF_CORE_READ(work, reason) + 1;

	if (!armed)
		return 0;
	if (why > WIRE_WRITEBACK_OTHER)
		why = WIRE_WRITEBACK_OTHER;
	bpf_map_update_elem(&flushers, &tid, &why, BPF_ANY);
	return 0;
}

SEC("?tp_btf/writeback_written")
int BPF_PROG(writeback_end, struct bdi_writeback *wb, struct wb_writeback_work *work)
{
	u32 tid = task_field(current_task(), pid);

	bpf_map_delete_elem(&flushers, &tid);
	return 0;
}

SEC("?tp_btf/writeback_single_inode_start")
int BPF_PROG(writeback_inode, struct inode *inode)
{
	u32 tid = task_field(current_task(), pid);
	u32 *why = bpf_map_lookup_elem(&flushers, &tid);
	struct written_inode key = { .ino = inode->i_ino };

	if (!why)
		return 0;
	key.dev = BPF_CORE_READ(inode, i_sb, s_dev);
	bpf_map_update_elem(&written_inodes, &key, why, BPF_ANY);
	return 0;
}

/* Fires just before the pause; its arguments changed in 6.14, 6.15 and 7.1 and are not needed. */
SEC("?tp_btf/balance_dirty_pages")
int BPF_PROG(writeback_throttle)
{
	struct thread_state *state = find_below(current_task());

	if (!state)
		return 0;
	touch(state);
	state->throttled = 1;
	return 0;
}
