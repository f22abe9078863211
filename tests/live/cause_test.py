"""Cause and effect: who pays for what devices do later, and what follows from a trace."""
import json
import os

from lib import TMP, Trace, check, equal, iohops, need, traced


def record(*command):
    out = TMP / "trace.jsonl"
    done = iohops("record", "-q", "-o", out, "--", *map(str, command))
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    trace = Trace(out)
    equal(trace.lost, 0, "lost")
    return trace


def cold_file(name, size):
    path = TMP / name
    path.write_bytes(os.urandom(size))
    drop(path)
    return path


def drop(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def unattributed_share(trace):
    dma = trace.summary["dma"]["bytes"]
    return trace.summary["unattributed"]["bytes"] / dma if dma else 0


def test_a_copy_and_its_writeback_belong_to_the_copier():
    need("cp", "sync")
    size = 32 << 20
    source = cold_file("source", size)
    trace = record("sh", "-c", f"cp --sparse=always {source} {TMP}/copy; sync {TMP}/copy")
    written = [t for t in trace.transfers if t["op"] == "write" and trace.path_of(t) == str(TMP / "copy")]
    equal(sum(t["bytes"] for t in written), size, "bytes that reached the device")
    equal(sum(t["unattributed_bytes"] for t in written), 0, "of them without an owner")
    writers = {r["id"]: r["result"] for r in trace.on(TMP / "copy") if r["op"] == "write"}
    by_writer = {}
    for e in trace.effects:
        for share in e["requests"]:
            if share["request"] in writers:
                by_writer[share["request"]] = by_writer.get(share["request"], 0) + share["bytes"]
    equal(by_writer, writers, "each write's bytes, written once")
    reasons = {e["reason"] for e in trace.effects if e["cause"] in ("writeback", "fsync")}
    check(reasons <= {"a sync request asked for it", "a sync of the whole file system"}, f"reasons: {reasons}")
    check(unattributed_share(trace) < 0.02, f"unattributed: {trace.summary['unattributed']}")


def test_a_flusher_says_why_it_writes():
    trace = record("sh", "-c", f"dd if=/dev/zero of={TMP}/data bs=1M count=4 2>/dev/null; sync")
    written = [e for e in trace.effects if trace.path_of(e) == str(TMP / "data")]
    equal(sum(e["bytes"] for e in written), 4 << 20, "bytes written later")
    # A flusher that was at work already can have taken some of it.
    by_sync = sum(e["bytes"] for e in written if e["reason"] == "a sync of the whole file system")
    check(by_sync > 0, f"reasons: {[e['reason'] for e in written]}")


def test_bytes_that_are_overwritten_ten_times_are_written_once():
    size = 1 << 20
    trace = record("python3", "-c", f"""
import os
fd = os.open("{TMP}/data", os.O_RDWR | os.O_CREAT)
for i in range(10):
    os.pwrite(fd, b"x" * {size}, 0)
os.fsync(fd)""")
    equal(trace.summary["writeback"]["absorbed_bytes"], 9 * size, "absorbed")
    written = [t for t in trace.transfers if t["op"] == "write" and trace.path_of(t) == str(TMP / "data")]
    equal(sum(t["bytes"] for t in written), size, "bytes that reached the device")
    last = [r["id"] for r in trace.on(TMP / "data") if r["op"] == "pwrite64"][-1]
    equal({s["request"] for e in trace.effects if e["cause"] == "fsync" for s in e["requests"]}, {last}, "whose they were")


def test_two_processes_that_write_one_file_pay_for_their_own_halves():
    half = 1 << 20
    trace = record("python3", "-c", f"""
import os
fd = os.open("{TMP}/data", os.O_RDWR | os.O_CREAT)
if os.fork() == 0:
    os.pwrite(fd, b"c" * {half}, {half})
    os._exit(0)
os.wait()
os.pwrite(fd, b"p" * {half}, 0)
os.fsync(fd)""")
    writers = {r["id"]: r["pid"] for r in trace.on(TMP / "data") if r["op"] == "pwrite64"}
    equal(len(set(writers.values())), 2, "processes that wrote")
    owned = {}
    for e in trace.effects:
        for s in e["requests"]:
            if s["request"] in writers:
                pid = writers[s["request"]]
                owned[pid] = owned.get(pid, 0) + s["bytes"]
    equal(sorted(owned.values()), [half, half], "bytes written for each")


def test_what_is_read_ahead_is_credited_to_who_caused_it():
    path = cold_file("data", 1 << 20)
    trace = record("python3", "-c", f"""
import os
fd = os.open("{path}", os.O_RDONLY)
for at in range(0, {1 << 20}, 16384):
    os.pread(fd, 16384, at)""")
    reads = [r for r in trace.on(path) if r["op"] == "pread64"]
    credited = sum(s["bytes"] for r in reads for s in r.get("readahead_of", []))
    ahead = sum(r["readahead_bytes"] for r in reads)
    equal(credited, ahead, "all that was read ahead has been used")
    equal(sum(r["miss_bytes"] for r in reads) + credited, 1 << 20, "missed, or read ahead by an earlier one")
    by_id = {r["id"]: r for r in reads}
    for r in reads:
        for s in r.get("readahead_of", []):
            check(by_id[s["request"]]["start_ns"] < r["start_ns"], f"{r['id']} uses what a later request read ahead")
    trigger = next(r for r in reads if r["readahead_bytes"] > 0)
    check("of its readahead served" in iohops("explain", trace.path, trigger["id"]).stdout, "explain does not say it")


def test_readahead_that_nobody_uses_is_told():
    path = cold_file("data", 32 << 20)
    trace = record("python3", "-c", f"""
import os
fd = os.open("{path}", os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
for at in range(0, {16 << 20}, {1 << 20}):
    os.pread(fd, 65536, at)
    os.pread(fd, 65536, at + 65536)""")
    reads = [r for r in trace.on(path) if r["op"] == "pread64"]
    ahead = sum(r["readahead_bytes"] for r in reads)
    used = sum(s["bytes"] for r in reads for s in r.get("readahead_of", []))
    check(ahead - used > 1 << 20, f"the kernel read only {ahead} bytes ahead, {used} of them used")
    check(trace.summary["page_cache"]["readahead_unused_bytes"] >= ahead - used, "unused bytes in the summary")
    advice = [a for a in trace.summary["advice"] if a["id"] == "unused-readahead"]
    check(advice and str(path) in advice[0]["title"], f"advice: {trace.summary['advice']}")


def test_the_bill_of_syncs():
    trace, _, _ = traced("fsync", count=40)
    bill = trace.summary["syncs"]
    syncs = trace.ops("fsync")
    equal(bill["requests"], len(syncs), "requests")
    equal(bill["duration_ns"], sum(r["duration_ns"] for r in syncs), "duration")
    for member, cause in (("data_bytes", "fsync"), ("journal_bytes", "journal")):
        owned = sum(o["bytes"] for t in trace.transfers if t["cause"] == cause for o in t["owners"])
        equal(bill[member], owned, f"{member}, against the transfers")
    equal(bill["data_bytes"], 40 * 4096, "a page for each sync")
    waits = {}
    for h in trace.hops("wait", syncs):
        waits[h["reason"]] = waits.get(h["reason"], 0) + h["end_ns"] - h["at_ns"]
    equal({k: v for k, v in bill["wait_ns"].items() if v}, waits, "waits")
    text = iohops("report", trace.path).stdout
    check("WHAT SYNCS COST" in text, text)


def test_advice_is_silent_where_nothing_is_wrong():
    path = TMP / "data"
    path.write_bytes(os.urandom(4 << 20))
    trace = record("dd", f"if={path}", "of=/dev/null", "bs=1M")
    equal(trace.summary["advice"], [], "advice")
    check("ADVICE" not in iohops("report", trace.path).stdout, "the report advises all the same")


def test_small_reads_are_advised_against_with_what_larger_ones_cost():
    path = TMP / "data"
    path.write_bytes(os.urandom(1 << 20))
    command = ["dd", f"if={path}", "of=/dev/null"]
    small = record(*command, "bs=512")
    advice = [a for a in small.summary["advice"] if a["id"] == "small-requests"]
    equal(len(advice), 1, f"advice: {small.summary['advice']}")
    small.path.rename(TMP / "small.jsonl")
    large = record(*command, "bs=64k")

    def switches(trace):
        return sum(r["mode_switches"] for r in trace.on(path) if r["op"] == "read")
    saved = switches(small) - switches(large)
    predicted = advice[0]["saves"]["mode_switches"]
    check(abs(predicted - saved) <= predicted / 10, f"predicted {predicted}, saved {saved}")
    done = iohops("diff", TMP / "small.jsonl", large.path, "--format", "json")
    equal(done.returncode, 0, f"exit code of diff ({done.stderr})")
    by_op = json.loads(done.stdout)["by_op"]["read"]["requests"]
    equal([by_op["before"], by_op["after"]], [len(small.ops("read")), len(large.ops("read"))], "reads, in the diff")


def test_diff_refuses_what_it_cannot_compare():
    trace, _, _ = traced("hot_pread", count=5)
    check("before:" in iohops("diff", trace.path, trace.path).stdout, "no table")
    equal(iohops("diff", trace.path).returncode, 2, "exit code with one recording")
    equal(iohops("diff", "-", "-").returncode, 2, "exit code with stdin twice")
    equal(iohops("diff", trace.path, TMP / "none").returncode, 1, "exit code for a missing file")
    damaged = TMP / "damaged.jsonl"
    damaged.write_text("no trace\n")
    equal(iohops("diff", trace.path, damaged).returncode, 8, "exit code for damage")
