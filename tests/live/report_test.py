"""report: a summary of a recording that a person reads, and the same figures as JSON."""
import json

from lib import TMP, check, equal, iohops, traced


def test_the_report_names_what_was_done():
    trace, oracle, _ = traced("fdatasync", count=30)
    done = iohops("report", trace.path)
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    for text in (str(oracle["pid"]), "data", "pwrite64", "fdatasync", "60"):
        check(text in done.stdout, f"{text!r} is missing in\n{done.stdout}")
    check("\x1b" not in done.stdout, "escape sequences without a terminal")
    check(max(map(len, done.stdout.splitlines())) <= 100, "lines are too long")


def test_the_json_report_is_the_summary():
    trace, _, _ = traced("hot_pread", count=30)
    done = iohops("report", "--format", "json", trace.path)
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    summary = json.loads(done.stdout)
    summary = summary.get("summary", summary)
    for key in ("requests", "bytes_returned", "mode_switches"):
        equal(summary[key], trace.summary[key], key)


def test_every_grouping_gives_a_table():
    trace, _, _ = traced("threads", count=10)
    for group in ("file", "process", "thread", "device", "op"):
        done = iohops("report", "--group-by", group, trace.path)
        equal(done.returncode, 0, f"exit code of --group-by {group} ({done.stderr})")


def test_a_recording_that_was_cut_short_is_still_reported():
    trace, _, _ = traced("hot_pread", count=200)
    lines = trace.path.read_bytes()
    cut = TMP / "cut.jsonl"
    cut.write_bytes(lines[: len(lines) // 2])
    done = iohops("report", cut)
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    check("cut short" in done.stdout + done.stderr or "truncated" in done.stdout + done.stderr
          or "incomplete" in done.stdout + done.stderr, f"nothing says that it was cut:\n{done.stdout}")


def test_damaged_input_is_refused_with_the_place():
    trace, _, _ = traced("hot_pread", count=20)
    lines = trace.path.read_bytes().splitlines(keepends=True)
    damaged = TMP / "damaged.jsonl"
    damaged.write_bytes(b"".join(lines[:5] + [b'{"type":"request", broken\n'] + lines[5:]))
    done = iohops("report", damaged)
    equal(done.returncode, 8, f"exit code ({done.stderr})")
    check("6" in done.stderr, f"the line is not named: {done.stderr}")
    equal(iohops("report", TMP / "none.jsonl").returncode, 1, "exit code for a missing file")


def test_explain_draws_what_a_request_waited_for():
    trace, _, _ = traced("fsync", count=5)
    sync = trace.ops("fsync")[2]
    done = iohops("explain", trace.path, sync["id"])
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    owned = [t for t in trace.transfers if any(o["request"] == sync["id"] for o in t["owners"])]
    check(owned, "the fsync wrote nothing")
    lines = done.stdout.splitlines()
    equal(sum("|" in line and "#" in line.split("|")[1] for line in lines), len(owned), "device work")
    equal(sum("off the CPU" in line for line in lines), sum(h["hop"] == "wait" for h in sync["hops"]), "waits")
    check(f"request {sync['id']}" in lines[0] and "fsync" in lines[0], lines[0])
    written = next(r["id"] for r in reversed(trace.requests) if r["op"] == "pwrite64" and r["start_ns"] < sync["start_ns"])
    check("its bill: file data 4.00 KiB" in done.stdout, done.stdout)
    check(f"had been written by {written} (4.00 KiB)" in done.stdout, f"{written} is not named:\n{done.stdout}")
    slowest = max(trace.requests, key=lambda r: r["duration_ns"])
    check(f"request {slowest['id']} " in iohops("explain", trace.path).stdout, "the slowest is another")
    equal(iohops("explain", trace.path, "1.1").returncode, 1, "exit code of a request that is not there")
    equal(iohops("explain", trace.path, "one").returncode, 2, "exit code of what is no request")
    equal(iohops("explain", "-").returncode, 2, "exit code without a file")
