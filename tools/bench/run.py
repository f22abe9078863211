#!/usr/bin/env python3
"""What tracing costs, measured on this machine, beside the tools that people use today.

    make bench                                              everything, some 20 minutes
    make bench ARGS="--rounds 3 --only empty,record --workloads pread,getppid --json out.json"
    make bench ARGS="--markdown docs/performance.md"        the tables, with machine and date, into a file

Method. Noise on a machine drifts, so nothing is compared with what was measured long before: each traced sample stands
between two untraced ones of the same workload, the tracers take turns, and a sample whose two untraced neighbours
disagree by more than 15 % is taken again. The ratio is the traced figure over the mean of its neighbours'; printed are the
median of the rounds' ratios, and the smallest and largest of them. Loops have a CPU of their own, the tracer the others.

Tools that are not installed are left out; `tools/packages peers` installs them.

`of the floor`: what a tool adds to a call, over what an empty pair of tracepoints adds to it. `p99`: of calls that are
timed one by one, traced over untraced. `lost`: as the tool counts them, or calls for which it wrote no line.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile

import table
import tracers
from workloads import BUILD, Bystander, Failed, Loop, Pgbench, fio, sqlite

DISAGREEMENT = 0.15
TRIES = 4
LOOPS = ("pread", "pread64k", "write512", "direct", "uring", "fault", "tcp")


def bracketed(workload, start):
    """One traced sample between two untraced ones that agree. `start(pid)` gives the attached tracer."""
    def untraced():
        workload.hold()
        return workload.run()

    for _ in range(TRIES):
        before = untraced()
        pid = workload.hold()
        try:
            tracer = start(pid)
        except Failed:
            workload.run()  # it is held
            raise
        try:
            traced = workload.run()
            rss = tracer.rss()
        finally:
            facts = tracer.stop(workload, traced["calls"])
        after = untraced()
        if abs(after["ns"] - before["ns"]) <= DISAGREEMENT * min(before["ns"], after["ns"]):
            break
    else:
        facts["noisy"] = True
    return compared(traced, before, after) | facts | {"rss": rss, "calls": traced["calls"]}


def compared(traced, before, after):
    untraced = (before["ns"] + after["ns"]) / 2
    facts = {"ratio": traced["ns"] / untraced, "untraced_ns": untraced, "added_ns": traced["ns"] - untraced}
    if traced["p99_ns"]:
        facts["p99_ratio"] = traced["p99_ns"] / ((before["p99_ns"] + after["p99_ns"]) / 2)
    return facts


def wrapped(loop, name, spec, folder, cpu):
    """A tool that must start the program itself: its loop is another one, between samples of ours."""
    out = folder / "trace.wrapped"
    command = list(map(str, spec.command(loop, None, out)))
    before = loop.run()
    inner = Loop(name, folder, cpu, prefix=command)
    traced = inner.run()
    inner.end()
    after = loop.run()
    # Its processor time cannot be told from that of the program, its child.
    facts = {"cpu_ns": None, "bytes": out.stat().st_size,
             "lost": max(0, traced["calls"] - tracers.count_lines(out, spec.lines, loop.calls.split(",")))}
    out.unlink()
    return compared(traced, before, after) | facts | {"rss": None, "calls": traced["calls"]}


def progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:<78}\r", end="", file=sys.stderr, flush=True)


class Bench:
    def __init__(self, arguments, folder):
        self.rounds, self.folder = arguments.rounds, folder
        cpus = os.cpu_count()
        self.loop_cpu = cpus - 1
        self.other_cpus = set(range(cpus)) - {self.loop_cpu} or {0}
        self.known = {k: v for k, v in tracers.specs().items() if not arguments.only or k in arguments.only.split(",")}
        self.refused = {}  # tool -> its own words

    def measure(self, name, workload, only=None):
        """{tool: samples} of a workload; the tools take turns, in another order each round."""
        names = [k for k, spec in self.known.items() if (only is None or k in only) and k not in self.refused
                 and (not spec.needs_calls or workload.calls) and (not spec.device or name in ("direct", "fio-randwrite"))
                 and not (spec.wraps and not isinstance(workload, Loop))]
        results = {k: [] for k in names}
        for turn in range(self.rounds):
            shift = turn % max(1, len(names))
            for key in names[shift:] + names[:shift]:
                if key in self.refused:
                    continue
                progress(f"  {name}: round {turn + 1} of {self.rounds}: {key}")
                try:
                    results[key].append(self.sample(name, workload, key))
                except (Failed, FileNotFoundError) as failure:
                    self.refused[key] = "not installed" if isinstance(failure, FileNotFoundError) else str(failure)
        progress("")
        return {"title": workload.title, "tools": {k: v for k, v in results.items() if v}}

    def sample(self, name, workload, key):
        spec = self.known[key]
        if spec.wraps:
            return wrapped(workload, name, spec, self.folder, self.loop_cpu)
        return bracketed(workload, lambda pid: tracers.Tracer(spec, workload, pid, self.folder, self.other_cpus))

    def workloads(self, wanted):
        """(name, workload, which tools), made when it is its turn."""
        idle = Loop("getppid", self.folder, self.loop_cpu)
        for name in LOOPS:
            if name in wanted:
                loop = Loop(name, self.folder, self.loop_cpu)
                yield name, loop, None
                loop.end()
        for name in ("pread", "getppid"):
            if "others-" + name in wanted:
                loop = Loop(name, self.folder, self.loop_cpu)
                yield "others-" + name, Bystander(loop, idle), [k for k in self.known if k != "strace-bpf"]
                loop.end()
        idle.end()
        for name, make in (("fio-randread", lambda: fio(self.folder, "randread")),
                           ("fio-randwrite", lambda: fio(self.folder, "randwrite")),
                           ("sqlite", lambda: sqlite(self.folder)), ("pgbench", lambda: Pgbench(self.folder))):
            if name in wanted:
                try:
                    workload = make()
                except Failed as failure:
                    self.refused[name] = str(failure)
                    continue
                try:
                    yield name, workload, None
                finally:
                    workload.end()


ALL = (*LOOPS, "others-pread", "others-getppid", "fio-randread", "fio-randwrite", "sqlite", "pgbench")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help=f"tools, by name: {','.join(tracers.specs())}")
    parser.add_argument("--workloads", default=",".join(ALL), help="by name: %(default)s")
    parser.add_argument("--json", help="also write every sample to this file")
    parser.add_argument("--markdown", help="also write the tables to this file")
    arguments = parser.parse_args()
    unknown = set(arguments.workloads.split(",")) - set(ALL)
    if unknown:
        parser.error(f"no such workload: {', '.join(unknown)} (there are {', '.join(ALL)})")
    where = table.machine()
    print(where)
    # PostgreSQL runs as a user of its own, who must get to its folder.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="iohops-bench.") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        bench = Bench(arguments, folder)
        results = {}
        for key, workload, only in bench.workloads(arguments.workloads.split(",")):
            results[key] = bench.measure(key, workload, only)
            print(table.text(key, results[key], bench.known), flush=True)
    print(table.refusals(bench.refused, bench.known))
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=1))
    if arguments.markdown:
        pathlib.Path(arguments.markdown).write_text(table.markdown(where, results, bench.known, bench.refused))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"bench: {failure}")
