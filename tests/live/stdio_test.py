"""The C library's streams: what they copy in user space, beside the system calls that they make."""
from lib import TMP, Skip, Trace, check, equal, iohops


def test_streams_copy_what_does_not_go_past_their_buffer():
    path, out = TMP / "streams", TMP / "trace.jsonl"
    done = iohops("record", "--stdio", "-o", out, "--", "/usr/bin/python3", "tests/workloads/streams.py", path)
    if "--stdio:" in done.stderr:
        raise Skip(f"cannot run here: {done.stderr.splitlines()[0]}")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    trace = Trace(out)
    written, read = map(int, done.stdout.split())
    equal(trace.lost, 0, "lost")
    on = trace.on(path)
    for op, system, total in (("fwrite", "write", written), ("fread", "read", read)):
        calls = [r for r in on if r["op"] == op]
        equal(sum(r["result"] for r in calls), total, f"bytes of {op}")
        equal({(r["submit"], r["mode_switches"]) for r in calls}, {("stdio", 0)}, f"{op}: submitted by, switches")
        # Whole buffers and more go straight from or to the program: those calls name other sizes than the buffer's.
        beside = sum(r["result"] for r in on if r["op"] == system and r["requested"] > 4096)
        check(beside > 0, f"{system}: nothing went past the buffer")
        equal(sum(r["cpu_copy_bytes"] for r in calls), total - beside, f"copied by {op}")


def test_without_the_option_nothing_of_it_is_hooked():
    out = TMP / "trace.jsonl"
    iohops("record", "-o", out, "--", "/usr/bin/python3", "tests/workloads/streams.py", TMP / "streams")
    trace = Trace(out)
    equal(trace.ops("fread", "fwrite"), [], "requests of streams")
    check(not [h for h in trace.header["hooks"]["attached"] if "fread" in h], "hooks")
