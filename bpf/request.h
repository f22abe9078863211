/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * The end of a request: its one record, or its share of a tally row.
 */
#ifndef IOHOPS_REQUEST_H
#define IOHOPS_REQUEST_H

#include "same.h"
#include "tally.h"
#include "wait.h"

static __always_inline void fill_request(struct wire_request *record, struct thread_state *state, s64 result,
					 u64 offset, u16 flags)
{
	record->start_ns = state->start_ns;
	record->tgid = state->tgid;
	record->tid = state->tid;
	record->result = result;
	record->offset = offset;
	record->requested = state->requested;
	record->buffer = state->buffer;
	record->file = state->file;
	record->open_flags = state->open_flags;
	record->fd = state->fd;
	record->call_flags = state->call_flags;
	record->op = state->op;
	record->flags = flags;
	record->segments = state->segments < 0xffff ? state->segments : 0xffff;
	record->told = 0;
}

/* A filter drops it and nothing else speaks of it. Writes stay: they are why a device works later. */
static __always_inline bool is_dropped(struct thread_state *state, u64 end_ns)
{
	const struct known_file *known = &state->known[state->fd & (KNOWN_FILES - 1)];

	if (state->touched || state->op >= WIRE_OP_URING || (state->op <= WIRE_OP_PWRITEV2 && !(state->op & 1)))
		return false;
	if (end_ns - state->start_ns < min_latency_ns)
		return true;
	if (state->requested != WIRE_UNKNOWN && state->requested < min_bytes)
		return true;
	if (!wanted_devs[0])
		return false;
	for (int i = 0; i < 8; i++)
		if (wanted_devs[i] && wanted_devs[i] == known->dev)
			return false;
	return known->alias == state->file;
}

#define AT_EXIT (1 << 16) /* among the flags: it is called from syscall_exit */

/* AT_EXIT: from now on its thread has told one like it. */
static __noinline void write_full(struct thread_state *state, u64 end_ns, s64 result, u64 offset, u32 flags)
{
	struct told_request *told = told_slot(state, state);
	struct wire_request *record = reserve(sizeof(*record), WIRE_REQUEST, end_ns, WIRE_LOSS_RING_REQUEST);

	if (!record) {
		told->what = 0;
		return;
	}
	fill_request(record, state, result, offset, flags);
	if (flags & AT_EXIT)
		record->told = tell(state, told, (state->what & ~0xffff0000ULL) | (u64)(u16)flags << 16, offset);
	submit(record);
}

/* In few words if the thread has told one like it, else in full. */
static __always_inline void write_request(struct thread_state *state, u64 end_ns, s64 result, u64 offset, u16 flags,
					  bool at_exit)
{
	struct told_request *told = told_slot(state, state);
	/* `flags` begin with the state's own. */
	u64 what = state->what | (u64)flags << 16;

	if (at_exit && likely(!((told->what ^ what) | (told->where ^ state->where) | (told->how ^ state->how))) &&
	    likely(write_same(state, told, end_ns, result, offset)))
		return;
	write_full(state, end_ns, result, offset, flags | (at_exit ? AT_EXIT : 0));
}

/* What the end tells of measured copies. */
static __always_inline u16 judge_copies(struct thread_state *state, s64 result)
{
	u16 flags = 0;

	if (state->copying)
		flags |= WIRE_REQUEST_COPY_MISSED; /* a return was */
	if (state->copied == result && result)
		flags |= WIRE_REQUEST_COPIED; /* the usual case costs no bytes in the record */
	else if (state->copied)
		touch(state);
	return flags;
}

static __always_inline void fill_detail(struct wire_request_detail *record, struct thread_state *state, s64 result,
					u64 offset, u16 flags)
{
	fill_request(&record->request, state, result, offset, flags | WIRE_REQUEST_DETAIL);
	record->off_cpu_ns = state->off_cpu_ns;
	record->voluntary = state->voluntary;
	record->involuntary = state->involuntary;
	record->bios = state->bios;
	record->direct_bios = state->direct_bios;
	record->bio_bytes = state->bio_bytes;
	record->direct_bytes = state->direct_bytes;
	record->added_bytes = state->added_bytes;
	record->dirtied_bytes = state->dirtied_bytes;
	record->page_runs = state->page_runs;
	record->waits = state->waits;
	record->throttled_ns = state->throttled_ns;
	record->map_first = state->map_first;
	record->map_last = state->map_last;
	if (measure_copies && WIRE_OP_COPIES(state->op))
		record->copied_bytes = state->copied;
	record->run = state->run;
	record->to_offset = state->to_fd >= 0 ? state->to_offset : WIRE_UNKNOWN;
	record->to_file = state->to_file;
	record->to_fd = state->to_fd;
	record->batch_ns = state->batch_ns;
	record->run_by = state->run_by;
	record->run_flags = state->run_flags;
}

/* A request that is touched, and the wait before its end (sched.bpf.c). `told`: later ones may be told as the same. */
static __always_inline void write_detail(struct thread_state *state, u64 end_ns, s64 result, u64 offset, u16 flags,
					 bool at_exit, struct told_request *told)
{
	struct wire_request_detail *record = NULL;
	struct words words;

	if (state->wait_end_ns)
		write_wait(state, at_exit);
	if (word_mask && at_exit)
		record = begin_words(&words, WORDS_OF_CALLS, sizeof(*record), WIRE_REQUEST, end_ns);
	if (record) {
		fill_detail(record, state, result, offset, flags);
		if (told)
			record->request.told = tell(state, told, state->what | (u64)flags << 16, offset);
		end_words(&words, sizeof(*record));
		return;
	}
	record = reserve(sizeof(*record), WIRE_REQUEST, end_ns, WIRE_LOSS_RING_REQUEST);
	if (!record) {
		if (told)
			told->what = 0;
		return;
	}
	fill_detail(record, state, result, offset, flags);
	if (told)
		record->request.told = tell(state, told, state->what | (u64)flags << 16, offset);
	submit(record);
}

static __always_inline void end_state(struct thread_state *state)
{
	state->start_ns = 0;
	state->touched = 0;
	state->out_ns = 0;
}

/* Ends the open request of a thread: after it the thread has none. `at_exit`: from syscall_exit. */
static __always_inline void finish_request(struct thread_state *state, u64 end_ns, s64 result, u64 offset, u16 flags,
					bool at_exit)
{
	flags |= state->flags;
	if (!at_exit && !tally && state->op >= WIRE_OP_URING)
		touch(state); /* its record has a detail */
	if (measure_copies && WIRE_OP_COPIES(state->op))
		flags |= judge_copies(state, result);
	if (tally) {
		tally_request(state, end_ns, result);
	} else if (judge_requests && is_dropped(state, end_ns)) {
		/* as if it had never been */
	} else if (likely(!state->touched)) {
		write_request(state, end_ns, result, offset, flags, at_exit);
		state->start_ns = 0;
		return; /* out_ns is 0: who sets it touches the request */
	} else {
		write_detail(state, end_ns, result, offset, flags, at_exit, NULL);
	}
	end_state(state);
}

static __always_inline void close_request(struct thread_state *state, u64 end_ns, s64 result, u64 offset, u16 flags)
{
	finish_request(state, end_ns, result, offset, flags, false);
}

/* A page fault has no end event: it is closed by the thread's next event, and only then is it known
 * whether it was on a file and whether it was a major one. Its end is the last thing seen of it. */
static __always_inline void close_fault(struct thread_state *state, struct task_struct *task)
{
	if (!state->file_fault) {
		end_state(state);
		return;
	}
	u16 flags = WIRE_REQUEST_END_UNKNOWN;

	if (task_field(task, maj_flt) != state->major_before)
		flags |= WIRE_REQUEST_MAJOR;
	close_request(state, state->last_event_ns, 0, state->offset, flags);
}

static __always_inline void open_request(struct thread_state *state, u64 now, u16 op)
{
	state->what = op; /* no flags, and a descriptor by and by */
	state->touched = 0;
	state->to_file = 0;
	state->out_ns = 0;
	if (measure_copies) {
		state->copied = 0;
		state->copying = 0;
	}
	state->start_ns = now;
}

#endif /* IOHOPS_REQUEST_H */
