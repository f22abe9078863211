"""What becomes of a recording: forms, files, filters, replay. How it is cut short: tests/stress."""
import collections
import json
import os
import stat

from lib import TMP, Recording, Trace, Workload, check, equal, iohops, need, read_records, traced, validate_output


def record(output, *arguments, mode="hot_pread", **options):
    """Records one small workload into `output`; gives the recording, stopped by SIGINT."""
    work = Workload(mode, **options)
    recording = Recording("-p", work.pid, *arguments, output=output)
    work.go()
    work.wait_done()
    code = recording.stop()
    work.finish()
    equal(code, 0, f"exit code of record ({recording.text()})")
    return recording


def replay_gives_what_was_recorded(mode, **options):
    """Records live and raw at once, replays, compares; gives the trace and the size of the raw recording."""
    raw, live, again = TMP / "t.raw", TMP / "live.jsonl", TMP / "again.jsonl"
    record(live, "--raw", raw, mode=mode, **options)
    done = iohops("replay", raw, "-o", again)
    equal(done.returncode, 0, f"exit code of replay ({done.stderr})")
    a, b = Trace(live), Trace(again)
    equal(len(b.records), len(a.records), "records")
    for x, y in zip(a.records, b.records):
        if x["type"] not in ("header", "summary"):
            equal(y, x, "replayed record")
    for key in a.summary:
        if key != "overhead":
            equal(b.summary[key], a.summary[key], f"summary.{key}")
    return a, raw.stat().st_size


def test_replaying_the_raw_recording_gives_the_live_records():
    replay_gives_what_was_recorded("fdatasync", count=50)


def test_cached_reads_take_few_bytes_of_a_raw_recording():
    trace, size = replay_gives_what_was_recorded("hot_pread", count=5000)
    equal(trace.summary["lost"]["total"], 0, "lost")
    equal(len(trace.ops("pread64")), 5000, "requests")
    check(all(r["result"] == r["requested"] for r in trace.ops("pread64")), "results")
    check(size / 5000 <= 16, f"{size / 5000} bytes a request, with the header")


TALK = """
import socket
one, other = socket.socketpair()
for _ in range(2000):
    one.send(b"q" * 60), other.recv(8192), other.send(b"a" * 40), one.recv(8192)
"""


def test_a_conversation_takes_few_bytes_of_a_raw_recording():
    """What is sent and received on one descriptor in turn is told in short on either side."""
    raw, out = TMP / "t.raw", TMP / "t.jsonl"
    done = iohops("record", "--raw", raw, "-o", out, "--", "/usr/bin/python3", "-c", TALK)
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    trace = Trace(out)
    equal(trace.lost, 0, "lost")
    for op in ("sendto", "recvfrom"):
        results = collections.Counter(r["result"] for r in trace.ops(op) if trace.files[r["file"]]["socket"] == "unix_stream")
        equal(results, {60: 2000, 40: 2000}, f"results of {op}")
    check(raw.stat().st_size / 8000 <= 24, f"{raw.stat().st_size / 8000} bytes a request, with all that Python reads")


def test_a_cut_raw_recording_can_be_replayed_to_its_last_record():
    raw = TMP / "t.raw"
    record(TMP / "live.jsonl", "--raw", raw, count=5000)
    whole = raw.read_bytes()
    cut = TMP / "cut.raw"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    done = iohops("replay", cut, "-o", TMP / "cut.jsonl")
    equal(done.returncode, 0, f"exit code of replay ({done.stderr})")
    requests = [r for r in read_records(TMP / "cut.jsonl") if r["type"] == "request"]
    check(500 < len(requests) < 5000, f"{len(requests)} of 5000 requests in two thirds of the recording")


def test_every_form_holds_the_same_kind_of_trace():
    need("zstd")
    for name in ("t.json", "t.jsonl", "t.json.zst", "t.jsonl.zst"):
        record(TMP / name, count=30)
        trace = Trace(TMP / name)
        equal(len(trace.ops("pread64")), 30, f"requests in {name}")


def test_an_unknown_suffix_is_refused_before_tracing():
    done = iohops("record", "-o", TMP / "t.xml", "--", "true")
    equal(done.returncode, 2, f"exit code ({done.stderr})")
    check(".jsonl" in done.stderr, f"the refusal does not say what would do: {done.stderr}")


def test_standard_output_gets_json_lines_and_nothing_else():
    done = iohops("record", "-o", "-", "--", "cat", "/etc/hostname")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    # The command writes to the same standard output: its line stands among the records.
    lines = [l for l in done.stdout.splitlines() if l.startswith("{")]
    kinds = [json.loads(l)["type"] for l in lines]
    equal([kinds[0], kinds[-1]], ["header", "summary"], "first and last record")


def test_a_duration_ends_the_recording_by_itself():
    work = Workload("forever", pause=200)
    work.go()
    recording = Recording("-p", work.pid, "-d", "300ms")
    equal(recording.wait(), 0, f"exit code ({recording.text()})")
    trace = Trace(recording.output)
    check(0.29e9 < trace.summary["duration_ns"] < 3e9, f"it took {trace.summary['duration_ns']} ns")
    equal(trace.summary.get("stop_reason"), "duration", "why it stopped")
    equal(work.process.poll(), None, "the target's state")
    work.process.terminate()
    check(work.finish()["facts"]["requests"] > 0, "the target did not run")


def test_a_recording_is_for_its_owner_only():
    recording = record(TMP / "t.jsonl", count=5)
    equal(stat.S_IMODE(recording.output.stat().st_mode), 0o600, "mode")


def test_an_older_recording_is_kept_beside():
    output = TMP / "t.jsonl"
    output.write_text("older\n")
    record(output, count=5)
    equal((TMP / "t.jsonl.old").read_text(), "older\n", "the older recording")
    Trace(output)


def test_a_symlink_is_not_followed():
    victim, link = TMP / "victim", TMP / "t.jsonl"
    victim.write_text("precious\n")
    link.symlink_to(victim)
    done = iohops("record", "-o", link, "--", "true")
    equal(done.returncode, 6, f"exit code ({done.stderr})")
    equal(victim.read_text(), "precious\n", "the file behind the link")


def test_the_file_that_it_writes_is_not_traced():
    """Everything is traced: its own writes would feed themselves."""
    recording = Recording("-a", "-d", "500ms")
    equal(recording.wait(), 0, f"exit code ({recording.text()})")
    trace = Trace(recording.output, validate=False)
    equal(trace.on(recording.output), [], "requests on the trace itself")
    equal([r for r in trace.requests if r["pid"] == recording.process.pid], [], "requests of iohops")


def test_filters_keep_what_they_name():
    output = TMP / "t.jsonl"
    record(output, "--op", "fdatasync", mode="fdatasync", count=20)
    trace = Trace(output)
    equal({r["op"] for r in trace.requests}, {"fdatasync"}, "operations")
    equal(len(trace.requests), 20, "requests")
    record(output, "--min-bytes", "8K", mode="fdatasync", count=20)
    equal(Trace(output).ops("pwrite64"), [], "writes of 4 KiB")
    record(output, "--path", "/no/such/*", count=20)
    equal(Trace(output).requests, [], "requests on other files")


def test_hostile_names_reach_no_terminal_and_stay_exact_in_json():
    name = b"\x1b[2J\xff\xfe evil\n\xe2\x80\xae.dat"
    path = bytes(TMP) + b"/" + name
    trace, _, _ = traced("hot_pread", path=os.fsdecode(path), count=5)
    import base64
    hostile = [f for f in trace.files.values() if "evil" in f["path"]]
    equal(len(hostile), 1, "files with that name")
    equal(base64.b64decode(hostile[0]["path_b64"]), path, "its raw bytes")
    report = iohops("report", trace.path)
    equal(report.returncode, 0, f"exit code of report ({report.stderr})")
    check("evil" in report.stdout, "the report does not name the file")
    check("\x1b[2J" not in report.stdout and "\u202e" not in report.stdout, "an escape sequence came through")
    validate_output(trace.path)
