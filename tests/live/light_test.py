"""--light: what devices did is known to the byte, and what system calls did is not claimed."""
import json
import os
import sys

from lib import TMP, Recording, Trace, Workload, check, difference, equal, iohops, proc_io, record

SIZE = 4 << 20
UNKNOWN = ("bytes_requested", "bytes_returned", "mode_switches", "context_switches", "cpu_copies", "page_cache",
           "writeback", "wait_ns", "on_cpu_ns", "per_byte", "switches_per_mib", "by_file", "flows", "syncs")


def light(mode, before_end=None, **options):
    """A workload's measured part: (trace, what it says, what /proc/PID/io counted)."""
    work = Workload(mode, **options)
    recording = Recording("-p", work.pid, "--light")
    before = proc_io(work.pid)
    work.go()
    work.wait_done()
    counted = difference(proc_io(work.pid), before)
    if before_end:
        before_end()
    trace = recording.trace()
    oracle = work.finish()
    equal(trace.lost, 0, "lost")
    claims_nothing_of_system_calls(trace)
    return trace, oracle, counted


def claims_nothing_of_system_calls(trace):
    equal(trace.header["light"], True, "light in the header")
    check("sys_enter" not in trace.header["hooks"]["attached"], "sys_enter is attached")
    check("sys_exit" not in trace.header["hooks"]["attached"], "sys_exit is attached")
    equal({r["op"] for r in trace.requests} - {"page_fault"}, set(), "requests that are no page faults")
    equal([k for k in UNKNOWN if trace.summary[k] is not None], [], "figures of system calls")
    equal(trace.effects, [e for e in trace.effects if e["requests"]], "effects of nobody")


def queued(trace, op, pid):
    return sum(q["bytes"] for t in trace.transfers if t["op"] == op for q in t.get("queued_by", []) if q["pid"] == pid)


def of_data(trace, op):
    names = {i for i, f in trace.files.items() if f["path"] == str(TMP / "data")}
    return [t for t in trace.transfers if t["op"] == op and t["file"] in names]


def test_direct_reads_are_those_of_the_kernels_count_and_of_the_thread():
    trace, oracle, counted = light("direct_read", size=SIZE, block=65536, count=64)
    equal(queued(trace, "read", oracle["pid"]), counted["read_bytes"], "bytes queued, against read_bytes")
    equal({t["cause"] for t in trace.transfers if t["op"] == "read"}, {"direct"}, "causes")
    names = {p["pid"]: p["comm"] for p in trace.of_type("process")}
    check(oracle["pid"] in names, f"the process has no name: {names}")


def test_cold_reads_name_their_file_and_do_not_tell_readahead():
    trace, oracle, counted = light("cold_sequential", size=SIZE)
    reads = of_data(trace, "read")
    equal(queued(trace, "read", oracle["pid"]), counted["read_bytes"], "bytes queued, against read_bytes")
    equal(sum(t["bytes"] for t in reads), SIZE, "bytes of the file")
    check({t["cause"] for t in reads} <= {"unknown", "read"}, f"causes: { {t['cause'] for t in reads} }")


def test_a_sync_is_not_told_from_other_writes_of_the_thread():
    trace, oracle, _ = light("fsync", count=25)
    writes = of_data(trace, "write")
    equal(sum(t["bytes"] for t in writes), 25 * 4096, "bytes of the file")
    equal({t["cause"] for t in writes}, {"unknown"}, "causes")
    check(queued(trace, "write", oracle["pid"]) >= 25 * 4096, "bytes that the thread queued")


def test_what_the_kernel_writes_back_later_is_nobodys_but_of_the_file():
    trace, oracle, _ = light("buffered_write", before_end=os.sync)
    writes = of_data(trace, "write")
    equal(sum(t["bytes"] for t in writes), sum(o["returned"] for o in oracle["ops"].values()), "bytes of the file")
    equal([t for t in writes if t.get("queued_by")], [], "transfers that a process queued")


def test_cold_page_faults_are_requests_as_ever():
    trace, oracle, counted = light("mmap_cold")
    faults = trace.on(TMP / "data")
    owned = sum(o["bytes"] for t in trace.transfers if t["op"] == "read" for o in t["owners"])
    equal(owned + queued(trace, "read", oracle["pid"]), counted["read_bytes"], "bytes fetched, against read_bytes")
    equal(owned, sum(r["dma_bytes"] for r in faults), "bytes of the faults")
    equal(sum(r["major_fault"] for r in faults), oracle["facts"]["major_faults"], "major faults, against getrusage")


FAULT_THEN_READ = """
import mmap, os, sys
path, times = sys.argv[1], 32
f = os.open(path, os.O_RDONLY)
cached = mmap.mmap(f, times * 65536, prot=mmap.PROT_READ)
sum(cached[i] for i in range(0, times * 65536, 4096))
cached.close()
d = os.open(path, os.O_RDONLY | os.O_DIRECT)
buffer = mmap.mmap(-1, 65536)
buffer.write(b"x" * 65536)
for i in range(times):
    touched = mmap.mmap(f, 4096, offset=i * 65536, prot=mmap.PROT_READ)
    touched[0]  # a fault, which nothing ends ...
    os.preadv(d, [buffer], i * 65536)  # ... before the device works for a system call
    touched.close()
"""


def test_a_fault_that_is_over_is_not_charged_with_what_a_system_call_does():
    data = TMP / "data"
    data.write_bytes(os.urandom(32 * 65536))
    with open(data) as f:
        os.fsync(f.fileno())
    trace = record(sys.executable, "-c", FAULT_THEN_READ, data, arguments=("--light",))
    claims_nothing_of_system_calls(trace)
    faults = trace.on(TMP / "data")
    check(len(faults) >= 32, f"{len(faults)} faults on the file: the test proves nothing")
    equal(sum(r["dma_bytes"] for r in faults), 0, "device bytes of faults on cached pages")
    equal([r["id"] for r in faults if r["off_cpu_ns"] or r["major_fault"]], [], "faults that waited")
    direct = [t for t in trace.transfers if t["cause"] == "direct"]
    equal(sum(q["bytes"] for t in direct for q in t["queued_by"]), 32 * 65536, "bytes of the direct reads")


def test_report_shows_who_queued_what_and_diff_refuses():
    trace, oracle, _ = light("direct_read", size=SIZE, block=65536, count=64)
    page = iohops("report", trace.path).stdout
    for words in ("system calls were not traced", "WHO QUEUED IT", f"({oracle['pid']})", "WHOSE PAGES", "4.00 MiB"):
        check(words in page, f"{words!r} is not in the report: {page}")
    for words in ("switches each", "--CPU-->", "no requests"):
        check(words not in page, f"{words!r} is in the report: {page}")
    said = json.loads(iohops("report", "--format", "json", trace.path).stdout)
    equal(said, trace.summary, "the summary that report makes")
    compared = iohops("diff", trace.path, trace.path)
    equal(compared.returncode, 2, "exit of diff")
    check("--light" in compared.stderr, compared.stderr)


def test_a_raw_recording_gives_the_same():
    work = Workload("direct_read", size=SIZE, block=65536, count=64)
    recording = Recording("-p", work.pid, "--light", "--raw", TMP / "light.raw")
    work.go()
    work.wait_done()
    trace = recording.trace()
    work.finish()
    equal(iohops("replay", "-q", TMP / "light.raw", "-o", TMP / "again.jsonl").returncode, 0, "exit of replay")
    equal(Trace(TMP / "again.jsonl").records, trace.records, "what replay makes of it")
