"""io_uring and libaio under fio: as many requests as fio counts, their bytes once, whoever worked on them."""
import collections
import json
import subprocess

from lib import TMP, Skip, Trace, equal, check, iohops, need

SIZE, BLOCK = 8 << 20, 16384
ISSUED = (4 << 20) // BLOCK


def fio(engine, *options, ops):
    """fio's own count, and the trace of it: `ops` are the requests that it makes."""
    need("fio")
    data = TMP / "fio.data"
    if not data.exists():
        data.write_bytes(bytes(SIZE))
        subprocess.run(["sync", data], check=True)
    job = ["fio", "--name=job", f"--filename={data}", f"--size={SIZE}", f"--io_size={ISSUED * BLOCK}", "--rw=randread",
           f"--bs={BLOCK}", "--invalidate=1", "--thread", f"--ioengine={engine}", "--output-format=json", *options]
    probe = subprocess.run(job, capture_output=True, text=True)
    if probe.returncode:
        raise Skip(f"no such device: fio cannot use {engine} here: {probe.stderr.splitlines()[:1]}")
    done = iohops("record", "-o", TMP / "trace.jsonl", "--", *job, f"--output={TMP}/fio.json")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    said = json.loads((TMP / "fio.json").read_text())["jobs"][0]["read"]
    trace = Trace(TMP / "trace.jsonl")
    reads = [r for r in trace.ops(*ops) if trace.path_of(r) == str(data)]
    equal(trace.lost, 0, "lost")
    equal(len(reads), said["total_ios"], "requests, against fio")
    equal(sum(r["result"] for r in reads), said["io_bytes"], "bytes, against fio")
    equal({(r["mode_switches"], r["complete"], r.get("ended")) for r in reads}, {(0, True, None)}, "requests")
    return trace, reads


def figures(reads):
    return {(r["path"], r["cache"], r["cpu_copy_bytes"], r["dma_bytes"]) for r in reads}


def test_direct_reads_of_io_uring_move_by_dma_and_share_their_calls():
    trace, reads = fio("io_uring", "--direct=1", "--iodepth=32", "--iodepth_batch=8",
                       "--iodepth_batch_complete_min=8", ops=["io_uring.read"])
    equal(figures(reads), {("direct", "bypass", 0, BLOCK)}, "path, cache, copied, DMA")
    calls = {r["id"]: r for r in trace.ops("io_uring_enter")}
    for r in reads:
        call = calls[r["ring"]["batch"]]
        check(call["start_ns"] <= r["start_ns"] <= call["start_ns"] + call["duration_ns"], f"{r['id']}: not in its call")
    batches = [sum(r["ring"]["batch"] == call for r in reads) for call in calls]
    equal(sum(batches), len(reads), "requests with a call")
    switches = sum(r["mode_switches"] for r in calls.values())
    check(switches < len(reads), f"{switches} mode switches for {len(reads)} requests: less than one each")
    waits = [h["reason"] for h in trace.hops("wait", calls.values())]
    check("other" in waits, "somebody waited for completions")
    equal({"device", "page_lock"} & set(waits), set(), "and not for a page or a device of its own")


def test_fixed_buffers_and_files_are_told_apart():
    _, reads = fio("io_uring", "--direct=1", "--iodepth=8", "--fixedbufs", "--registerfiles", ops=["io_uring.read_fixed"])
    equal(figures(reads), {("direct", "bypass", 0, BLOCK)}, "path, cache, copied, DMA")
    equal({tuple(r["ring"]["flags"]) for r in reads}, {("fixed_file",)}, "flags")


def test_a_polling_thread_needs_no_calls():
    _, reads = fio("io_uring", "--direct=1", "--iodepth=4", "--sqthread_poll", ops=["io_uring.read"])
    equal({(r["ring"]["batch"], tuple(r["ring"]["run_by"])) for r in reads}, {(None, ("poller",))}, "who submitted, who worked")
    equal(figures(reads), {("direct", "bypass", 0, BLOCK)}, "path, cache, copied, DMA")


def test_the_thread_pool_works_for_the_request():
    _, reads = fio("io_uring", "--direct=0", "--force_async=1", "--iodepth=4", ops=["io_uring.read"])
    check(all("worker" in r["ring"]["run_by"] for r in reads), "the thread pool worked on each")
    equal({(r["path"], r["cache"], r["cpu_copy_bytes"]) for r in reads}, {("buffered", "miss", BLOCK)}, "path, cache, copied")
    equal(sum(r["miss_bytes"] for r in reads), ISSUED * BLOCK, "missed")


def test_buffered_reads_of_io_uring_copy_once():
    _, reads = fio("io_uring", "--direct=0", "--iodepth=4", ops=["io_uring.read"])
    equal({(r["path"], r["cpu_copy_bytes"]) for r in reads}, {("buffered", BLOCK)}, "path, copied")
    equal(sum(r["dma_bytes"] for r in reads), ISSUED * BLOCK, "DMA")


def test_cached_reads_in_batches_are_each_told_right():
    trace, reads = fio("io_uring", "--direct=0", "--invalidate=0", "--pre_read=1", "--iodepth=16", "--iodepth_batch=8",
                       "--iodepth_batch_complete_min=8", "--rw=read", "--bsrange=512-8192", "--bs_unaligned=0",
                       "--size=4M", ops=["io_uring.read"])
    equal({(r["path"], r["cache"], r["cpu_copy_bytes"] - r["result"], r["requested"] - r["result"]) for r in reads},
          {("buffered", "hit", 0, 0)}, "path, cache, copied, short by")
    check(len({r["result"] for r in reads}) > 4, "they differ in size")
    at = 0
    for r in sorted(reads, key=lambda r: r["offset"]):
        equal(r["offset"], at % (4 << 20), "offset: where the one before ends")
        at += r["result"]
    calls = {r["id"]: r for r in trace.ops("io_uring_enter")}
    for r in reads:
        call = calls[r["ring"]["batch"]]
        check(call["start_ns"] <= r["start_ns"] <= call["start_ns"] + call["duration_ns"], f"{r['id']}: not in its call")
        equal((r["ring"]["run_by"], r["tid"]), (["submitter"], call["tid"]), "who worked on it")


def test_each_completion_of_a_receive_names_its_descriptor():
    done = iohops("record", "-q", "-o", TMP / "trace.jsonl", "--", "/usr/bin/python3", "tests/workloads/shots.py", "5")
    if "no such device" in done.stderr or "io_uring_setup" in done.stderr:
        raise Skip(f"no such device: {done.stderr}")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    shots = [r for r in Trace(TMP / "trace.jsonl").ops("io_uring.recv") if r["result"] == 100]
    equal([(r["fd"], r["cpu_copy_bytes"], r["path"]) for r in shots], [(int(done.stdout), 100, "socket")] * 5,
          "descriptor, copied, path")


def test_libaio_in_batches():
    trace, reads = fio("libaio", "--direct=1", "--iodepth=8", "--iodepth_batch=4", "--iodepth_batch_complete_max=8",
                       ops=["aio.pread"])
    # Which of a batch the device works for is told by iomap_dio_rw_begin (6.5 and later).
    told = any("iomap_dio_rw_begin" in hook for hook in trace.header["hooks"]["attached"])
    equal(figures(reads), {("direct", "bypass", 0, BLOCK if told else 0)}, "path, cache, copied, DMA")
    submitted = {r["id"]: r["result"] for r in trace.ops("io_submit")}
    for call, count in submitted.items():
        equal(sum(r["ring"]["batch"] == call for r in reads), count, f"requests of {call}")


def test_buffered_libaio_is_done_within_its_call():
    _, reads = fio("libaio", "--direct=0", "--iodepth=4", ops=["aio.pread"])
    equal({(r["path"], r["cache"], r["cpu_copy_bytes"], r["dma_bytes"]) for r in reads},
          {("buffered", "miss", BLOCK, BLOCK)}, "path, cache, copied, DMA")


def waiting(pipes, each, rounds, programs=1):
    """Reads that wait on pipes, all of them at the same time, in so many programs. Gives the trace, and how often each
    (pipe, bytes) must be in it."""
    program = f"/usr/bin/python3 tests/workloads/waiting.py {pipes} {each} {rounds}"
    done = iohops("record", "-q", "-f", "-o", TMP / "trace.jsonl", "--", "sh", "-c", f"{program} & " * programs + "wait")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    if "io_uring_setup" in done.stderr:
        raise Skip(f"no such device: {done.stderr}")
    said = [json.loads(line) for line in done.stdout.splitlines()]
    equal(len(said), programs, f"programs that came to their end ({done.stderr})")
    return Trace(TMP / "trace.jsonl"), {(name, i + 1): each * rounds for names in said for i, name in enumerate(names)}


def told(trace):
    """The same of the trace: where the file, the length and the result agree, each is the right one's."""
    reads = trace.ops("io_uring.read")
    equal({(r["result"] - r["requested"], r["cpu_copy_bytes"] - r["result"], r["dma_bytes"]) for r in reads}, {(0, 0, 0)},
          "result over requested, copied over result, DMA")
    return collections.Counter((trace.path_of(r), r["result"]) for r in reads)


def test_a_thousand_requests_in_flight_are_all_told_apart():
    trace, expected = waiting(20, 60, 3)
    equal(trace.lost, 0, "lost")
    equal(told(trace), expected, "reads of each pipe")


def test_more_requests_in_flight_than_there_are_places():
    trace, expected = waiting(60, 200, 1)
    equal(trace.lost, 0, "lost")
    equal(told(trace), expected, "reads of each pipe")


def test_requests_for_which_there_is_no_room_count_as_lost():
    trace, expected = waiting(90, 200, 1)
    seen, lost = told(trace), trace.summary["lost"]["by_cause"]
    equal(set(lost), {"rings_full"}, "causes of loss")
    equal(sum(seen.values()) + lost["rings_full"], sum(expected.values()), "reads that were seen or lost")
    check(all(seen[key] <= expected[key] for key in seen), "reads of each pipe")


def test_two_programs_with_a_thousand_in_flight_each():
    trace, expected = waiting(20, 60, 2, programs=2)
    equal(trace.lost, 0, "lost")
    equal(told(trace), expected, "reads of each pipe")
    equal({len({r["pid"] for r in trace.ops("io_uring.read") if trace.path_of(r) == name}) for name, _ in expected}, {1},
          "programs that read a pipe")


def test_a_thousand_direct_reads_at_a_time():
    _, reads = fio("io_uring", "--direct=1", "--bs=4096", "--iodepth=1024", "--iodepth_batch=1024", ops=["io_uring.read"])
    equal({(r["path"], r["cache"], r["cpu_copy_bytes"], r["dma_bytes"]) for r in reads}, {("direct", "bypass", 0, 4096)},
          "path, cache, copied, DMA")


def test_the_largest_batch_of_libaio():
    trace, reads = fio("libaio", "--direct=1", "--bs=4096", "--iodepth=256", "--iodepth_batch=256",
                       "--iodepth_batch_complete_max=256", ops=["aio.pread"])
    equal({(r["path"], r["cache"], r["cpu_copy_bytes"]) for r in reads}, {("direct", "bypass", 0)}, "path, cache, copied")
    check(max(r["result"] for r in trace.ops("io_submit")) > 64, "a batch of more than 64")
