#!/usr/bin/env python3
"""What tracing costs, measured on this machine.

    make bench                      all variants
    make bench ARGS="--rounds 3 --only record,empty --json out.json"

Method. Noise on a machine drifts, so nothing is compared with what was measured long before: each
traced sample stands between two untraced ones of the same loop, the variants take turns, and a
sample whose two untraced neighbours disagree by more than 15 % is taken again. The ratio is the
traced median over the mean of its neighbours' medians; what is printed is the median of the rounds'
ratios, and the smallest and largest of them. The loop has a CPU of its own, the tracer the others.

What is measured: a loop of 4 KiB preads of one cached page, traced (what the target pays), and loops
of pread and getppid while another, idle process is traced (what everybody else pays).
"""
import argparse
import contextlib
import json
import os
import pathlib
import select
import signal
import statistics
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(os.environ.get("IOHOPS_BUILD", "build"))
IOHOPS = BUILD / "iohops"
PATIENCE = 60
DISAGREEMENT = 0.15
TRIES = 4


class Failed(Exception):
    pass


def read_line(pipe, what):
    """One line from a pipe, with a limit to waiting."""
    if not select.select([pipe], [], [], PATIENCE)[0]:
        raise Failed(f"{what} said nothing for {PATIENCE} s")
    line = pipe.readline()
    if not line:
        raise Failed(f"{what} ended early")
    return line


def cpu_ns(pid):
    """CPU time of all threads of a process so far."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total


class Loop:
    def __init__(self, mode, folder, cpu):
        self.process = subprocess.Popen([BUILD / "bench/loop", mode, folder / f"page.{mode}", str(cpu)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        _, pid, self.scheduling = read_line(self.process.stdout, "the loop").split()
        self.pid = int(pid)

    def sample(self):
        """Median nanoseconds of one call."""
        self.process.stdin.write("go\n")
        return statistics.median(map(float, read_line(self.process.stdout, "the loop").split()))

    def end(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


class Tracer:
    """A tracer that is attached when the constructor returns. `facts` after stop()."""

    def __init__(self, command, attached, stdin=None, output=None, cpus=None):
        self.facts = {}
        self.output = output
        place = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
        self.process = subprocess.Popen(list(map(str, command)), stdin=stdin or subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=place)
        pipe = getattr(self.process, attached[0])
        while attached[1] not in (line := read_line(pipe, command[0])):
            if not line:
                raise Failed(f"{command[0]} did not attach")
        self.cpu_at_start = cpu_ns(self.process.pid)

    def stop(self):
        if self.process.stdin:
            self.process.stdin.close()
        else:
            self.process.send_signal(signal.SIGINT)
        # The rest of what it says must be read, or it blocks on a full pipe.
        self.process.stdin = None
        _, err = self.process.communicate(timeout=PATIENCE)
        usage = resource_of_children()
        if self.process.returncode not in (0, -signal.SIGINT, 130):
            raise Failed(f"{self.process.args[0]} ended with {self.process.returncode}: {err}")
        self.facts["cpu_ns"] = usage["cpu_ns"] - self.cpu_at_start
        if self.output:
            with open(self.output, "rb") as f:
                f.seek(max(0, os.path.getsize(self.output) - 4_000_000))
                summary = json.loads(f.read().splitlines()[-1])
            self.facts |= {"requests": summary["requests"], "lost": summary["lost"]["total"],
                           "bytes": os.path.getsize(self.output)}
            os.unlink(self.output)
        return self.facts


_children = {"cpu_ns": 0}


def resource_of_children():
    """CPU time of the child that was reaped since the last call."""
    import resource
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    now = int((usage.ru_utime + usage.ru_stime) * 1e9)
    before, _children["cpu_ns"] = _children["cpu_ns"], now
    return {"cpu_ns": now - before}


def variants(folder, cpus):
    out = folder / "trace.jsonl"
    return {
        "empty": lambda pid: Tracer([BUILD / "bench/empty"], ("stdout", "attached"), stdin=subprocess.PIPE, cpus=cpus),
        "record": lambda pid: Tracer([IOHOPS, "record", "-p", pid, "-o", out], ("stderr", "iohops: tracing"),
                                     output=out, cpus=cpus),
        "top": lambda pid: Tracer([IOHOPS, "top", "-p", pid, "--batch", "-i", "0.1"], ("stdout", "\n"), cpus=cpus),
        "strace": lambda pid: Tracer(["strace", "-f", "-o", "/dev/null", "-e", "trace=pread64,getppid", "-p", pid],
                                     ("stderr", "attached"), cpus=cpus),
    }


LABELS = {"empty": "empty pair of tracepoints", "record": "iohops record, JSON Lines", "top": "iohops top --batch",
          "strace": "strace -e pread64"}


def bracketed(loop, start, pid):
    """One traced sample between two untraced ones that agree."""
    for _ in range(TRIES):
        before = loop.sample()
        tracer = start(pid)
        rss = None
        try:
            traced = loop.sample()
            with contextlib.suppress(OSError, StopIteration):
                status = pathlib.Path(f"/proc/{tracer.process.pid}/status").read_text()
                rss = int(next(l for l in status.splitlines() if l.startswith("VmRSS")).split()[1]) * 1024
        finally:
            facts = tracer.stop()
        after = loop.sample()
        if abs(after - before) <= DISAGREEMENT * min(before, after):
            break
    else:
        facts["noisy"] = True
    untraced = (before + after) / 2
    return {**facts, "ratio": traced / untraced, "untraced_ns": untraced, "added_ns": traced - untraced, "rss": rss}


def progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:<70}\r", end="", file=sys.stderr, flush=True)


def measure(cases, rounds):
    """cases: [(label, loop, start, pid)]; takes turns, in another order each round."""
    results = {label: [] for label, *_ in cases}
    for turn in range(rounds):
        shift = turn % len(cases)
        for label, loop, start, pid in cases[shift:] + cases[:shift]:
            results[label].append(bracketed(loop, start, pid))
            progress(f"  round {turn + 1} of {rounds}: {label}")
    progress("")
    return results


def middle(samples, key):
    known = [s[key] for s in samples if s.get(key) is not None]
    return statistics.median(known) if known else None


def show(title, results):
    print(f"\n{title}")
    print(f"  {'':30} {'ratio':>7}  {'spread':>13}  {'added':>9}  {'lost':>7}  {'collector':>12}  {'RSS':>8}")
    for label, samples in results.items():
        ratios = sorted(s["ratio"] for s in samples)
        lost = [s["lost"] for s in samples if "lost" in s]
        requests = sum(s.get("requests", 0) for s in samples)
        cost = sum(s["cpu_ns"] for s in samples if s.get("requests")) / requests if requests > 1000 else None
        rss = middle(samples, "rss")
        print(f"  {label:30} {statistics.median(ratios):>6.2f}x  {ratios[0]:>5.2f} ..{ratios[-1]:>5.2f}"
              f"  {middle(samples, 'added_ns'):>6.0f} ns  {sum(lost) if lost else '-':>7}"
              f"  {f'{cost:.0f} ns/req' if cost else '-':>12}  {f'{rss / 2**20:.0f} MiB' if rss else '-':>8}"
              f"{'  noisy' if any(s.get('noisy') for s in samples) else ''}")
    print(f"  untraced: {statistics.median(s['untraced_ns'] for r in results.values() for s in r):.0f} ns a call")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="empty,record,top,strace", help="variants, by name")
    parser.add_argument("--json", help="also write every sample to this file")
    arguments = parser.parse_args()
    cpus = os.cpu_count()
    loop_cpu = cpus - 1
    others = set(range(cpus)) - {loop_cpu} or {0}
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench.") as name:
        folder = pathlib.Path(name)
        known = {k: v for k, v in variants(folder, others).items() if k in arguments.only.split(",")}
        pread, getppid = Loop("pread", folder, loop_cpu), Loop("getppid", folder, loop_cpu)
        idle = Loop("getppid", folder, loop_cpu)
        print(f"Linux {os.uname().release}, {cpus} CPUs, loop on CPU {loop_cpu} ({pread.scheduling}), "
              f"{arguments.rounds} rounds")
        target = measure([(LABELS[k], pread, v, pread.pid) for k, v in known.items()], arguments.rounds)
        show("The traced process: 4 KiB pread of a cached page", target)
        tax = [k for k in known if k in ("empty", "record", "top")]
        others_pread = measure([(LABELS[k], pread, known[k], idle.pid) for k in tax], arguments.rounds)
        show("Another process, not traced: the same pread", others_pread)
        others_getppid = measure([(LABELS[k], getppid, known[k], idle.pid) for k in tax], arguments.rounds)
        show("Another process, not traced: getppid", others_getppid)
        for loop in (pread, getppid, idle):
            loop.end()
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(
            {"target": target, "untraced_pread": others_pread, "untraced_getppid": others_getppid}, indent=1))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"bench: {failure}")
