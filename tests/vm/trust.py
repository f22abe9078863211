"""What guest_trust did where nothing else runs: two capabilities, clocks that are set, a processor that goes, a sleep, a
locked kernel. And what must be seen of it. Sees what one guest printed; boots nothing."""
import re

from traces import Expectations

BLOCK = 4096
STEP_NS, SLEEP_NS = -3600 * 10**9, 5 * 10**9  # an hour on, two back; pm_test's wait


class Case(Expectations):
    def __init__(self, name, *seen):
        super().__init__()
        self.name, self.seen = name, seen

    def columns(self):
        return (self.name, *self.seen)


def status(lines):
    return next((int(line[5:]) for line in lines if re.fullmatch(r"exit \d+", line)), None)


def times(case, trace):
    """Nothing ends before it begins, or after the trace."""
    end = trace.summary["duration_ns"]
    for r in trace.of["request"]:
        late = r["start_ns"] + r["duration_ns"] - end
        case.check(late <= 0 and min(r["start_ns"], r["duration_ns"]) >= 0, f"request {r['id']} ends {late} ns after the trace")
    for t in trace.of.get("transfer", []):
        marks = [t[name] for name in ("queue_ns", "issue_ns", "complete_ns") if t.get(name) is not None]
        case.check(marks == sorted(marks) and all(0 <= at <= end for at in marks), f"transfer {t['id']}: {marks}")


def limited(printed, version):
    """Before 5.11 BPF's memory counts as locked memory, of which these had 64 KiB."""
    wanted = 0 if version >= (5, 11) else 4
    case = Case("64 KiB of memory", f"exit {wanted}")
    for what in ("record", "doctor"):
        lines = printed[f"trust limited {what}"]
        case.equal(status(lines), wanted, f"exit of {what}")
        case.check(wanted == 0 or any("ulimit -l unlimited" in line for line in lines), f"{what} names no remedy: {lines[:9]}")
    return case


def least(printed, trace):
    reads = [r for r in trace.requests("/mnt/nvme/hot_read") if r["result"] > 0]
    case = Case("record", f"{len(reads)} reads")
    case.equal(status(printed["trust least record"]), 0, "exit of record with CAP_BPF and CAP_PERFMON")
    case.equal(sum(r["result"] for r in reads), 1 << 20, "bytes read")
    case.equal([r["id"] for r in reads if not r["complete"]], [], "requests that are not complete")
    doctor = Case("doctor")
    doctor.equal(status(printed["trust least doctor"]), 0, "exit of doctor with CAP_BPF and CAP_PERFMON")
    return case, doctor


def clocks(printed, trace):
    lines = printed["trust clocks"]
    made = next((int(line[5:]) for line in lines if line.startswith("made ")), None)
    reads = [r for r in trace.requests("/mnt/nvme/data") if r["op"] == "preadv2"]
    stepped = trace.summary.get("clock_step_ns", 0)
    case = Case("clock set, CPU off", f"{len(reads)} reads", f"stepped {stepped / 1e9:.0f} s")
    case.equal(status(lines), 0, "exit of record")
    # Runs of programs that the kernel skipped, as the trace itself says, may have been theirs.
    hidden = trace.summary["lost"]["by_cause"].get("recursion", 0)
    case.check(made is not None and made - hidden <= len(reads) <= made, f"reads seen: {len(reads)}, of {made} made")
    case.equal({r["result"] for r in reads}, {BLOCK}, "results")
    case.check(abs(stepped - STEP_NS) < 10**9, f"the clock was set by {stepped} ns, not {STEP_NS}")
    case.equal(trace.summary.get("suspended_ns", 0), 0, "ns that it was suspended")
    times(case, trace)
    return case


def sleep(trace):
    # A chroot does not shorten what a path is for the rest of the machine.
    reads = [r for r in trace.requests("/mnt/own_root/data") if r["op"] == "read"]
    asleep = trace.summary.get("suspended_ns", 0)
    if len(reads) == 10 and not asleep:
        return Case("suspend", "10 reads", "not tried")
    case = Case("suspend", f"{len(reads)} reads", f"asleep {asleep / 1e9:.1f} s")
    case.equal(len(reads), 20, "reads seen")
    case.check(abs(asleep - SLEEP_NS) < SLEEP_NS / 5, f"suspended for {asleep} ns, not {SLEEP_NS}")
    times(case, trace)
    return case


def locked(printed, level):
    record, doctor = printed[f"trust {level} record"], printed[f"trust {level} doctor"]
    wanted = 0 if level == "integrity" else 3
    case = Case(f"lockdown={level}", f"exit {status(record)}")
    case.equal(status(record), wanted, "exit of record")
    case.equal(status(doctor), wanted, "exit of doctor")
    case.check(any(f"lockdown        {level}" in line for line in doctor), "doctor does not name the lockdown")
    if wanted:
        case.check("lockdown=integrity" in " ".join(record), f"record names no remedy: {record}")
    return case


def traces(printed):
    """(what, Trace): the lines that are records."""
    for what in ("least record", "clocks", "sleep"):
        yield what, [line for line in printed.get(f"trust {what}", []) if line.startswith("{")]


def cases(printed, found, version):
    """`found`: what -> Trace of those that were whole."""
    yield limited(printed, version)
    if "least record" in found:
        yield from least(printed, found["least record"])
    if "clocks" in found:
        yield clocks(printed, found["clocks"])
    if "sleep" in found:
        yield sleep(found["sleep"])
    for level in ("integrity", "confidentiality"):
        yield locked(printed, level)
