// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The C library's streams (--stdio): the copy between the buffer of a FILE and the program, which no
 * system call shows. Uprobes on glibc's fread and fread_unlocked, and on _IO_file_xsputn, through which
 * fwrite, fputs and printf go (its counterpart for reading is not exported by every build).
 *
 * What goes past the buffer, straight between the program's memory and a system call that is made inside,
 * is not copied by the library: it is taken off (note_stream).
 *
 * Not seen: fgets, getline, getc, putc (they copy inline), other C libraries, static programs, languages
 * with buffers of their own.
 */
#define WITHOUT_CASTS
#include "descriptor.h"
#include "thread.h"

#define FILE_FILENO 112 /* struct _IO_FILE of glibc, 64 bits: an interface since 2.1 */

#if defined(__TARGET_ARCH_x86)
#define stream_argument(regs, x86, arm) ((regs)->x86)
#define stream_result(regs) ((regs)->ax)
#else
#define stream_argument(regs, x86, arm) ((regs)->regs[arm])
#define stream_result(regs) ((regs)->regs[0])
#endif

static __always_inline int begin_stream(u64 stream, u64 buffer, u64 unit, u64 count, u16 op)
{
	struct task_struct *task = current_task();
	struct thread_state *state;

	if (!is_traced(task_field(task, tgid)))
		return 0;
	state = find_thread(task_field(task, pid)) ?: add_thread(task);
	if (!state)
		return 0;
	state->stream_op = op;
	state->stream_fd = -1;
	bpf_probe_read_user(&state->stream_fd, sizeof(state->stream_fd), (void *)stream + FILE_FILENO);
	state->stream_buffer = buffer;
	state->stream_unit = unit;
	state->stream_bytes = unit * count;
	state->stream_past = 0;
	state->stream_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void emit_stream(struct thread_state *state, u32 file, s64 result)
{
	struct wire_request_detail *record;

	/* Nothing between the reservation and its test: the verifier of 5.10 loses track of the reference. */
	record = reserve(sizeof(*record), WIRE_REQUEST, bpf_ktime_get_ns(), WIRE_LOSS_RING_REQUEST);
	if (!record)
		return;
	__builtin_memset((void *)record + sizeof(struct wire_header), 0, sizeof(*record) - sizeof(struct wire_header));
	record->request.start_ns = state->stream_ns;
	record->request.tgid = state->tgid;
	record->request.tid = state->tid;
	record->request.result = result;
	record->request.offset = WIRE_UNKNOWN;
	record->request.requested = state->stream_bytes;
	record->request.buffer = state->stream_buffer;
	record->request.file = file;
	record->request.fd = state->stream_fd;
	record->request.op = state->stream_op;
	record->request.flags = WIRE_REQUEST_DETAIL;
	record->request.segments = 1;
	record->copied_bytes = result > state->stream_past ? result - state->stream_past : 0;
	record->to_fd = -1;
	submit(record);
}

static __always_inline int end_stream(struct pt_regs *regs)
{
	struct task_struct *task = current_task();
	struct thread_state *state;
	struct known_file *known;
	u32 file = 0, open_flags;

	if (!is_traced(task_field(task, tgid)))
		return 0;
	state = find_thread(task_field(task, pid));
	if (!state || !state->stream_ns)
		return 0;
	known = &state->known[state->stream_fd & (KNOWN_FILES - 1)];
	if (state->stream_fd >= 0 && know_file(state, known, task_files(task), state->stream_fd, &open_flags))
		file = known->alias;
	if (!tally)
		emit_stream(state, file, stream_result(regs) * state->stream_unit);
	state->stream_ns = 0;
	return 0;
}

SEC("?uprobe")
int stdio_read(struct pt_regs *regs)
{
	return begin_stream(stream_argument(regs, cx, 3), stream_argument(regs, di, 0),
			    stream_argument(regs, si, 1), stream_argument(regs, dx, 2), WIRE_OP_FREAD);
}

SEC("?uretprobe")
int stdio_read_end(struct pt_regs *regs)
{
	return end_stream(regs);
}

SEC("?uprobe")
int stdio_write(struct pt_regs *regs)
{
	return begin_stream(stream_argument(regs, di, 0), stream_argument(regs, si, 1), 1,
			    stream_argument(regs, dx, 2), WIRE_OP_FWRITE);
}

SEC("?uretprobe")
int stdio_write_end(struct pt_regs *regs)
{
	return end_stream(regs);
}
