#!/usr/bin/env python3
"""What tracing costs, measured on this machine, beside the tools that people use today.

    make bench                                              everything, some 20 minutes
    make bench ARGS="--rounds 3 --only empty,record --workloads pread,getppid --json out.json"
    make bench ARGS="--markdown docs/performance.md"        the tables, with machine and date, into a file

Method. Noise on a machine drifts, so nothing is compared with what was measured long before: each traced sample stands
between two untraced ones of the same workload, the tracers take turns, and a sample whose two untraced neighbours
disagree by more than 15 % is taken again. The ratio is the traced figure over the mean of its neighbours'; printed are the
median of the rounds' ratios, and the smallest and largest of them. Loops have a CPU of their own, the tracer the others.

    make bench ARGS="--paired --workloads direct,pread --only nothing,empty,record,raw,top"
    make bench ARGS="--paired --workloads direct --only raw --against ../other/build/iohops"

Paired, for small costs on a machine where others work. Many short turns instead of few long rounds, each of them an
untraced, a traced and an untraced sample of the same process, none taken again. A sample is the lower quartile of the
times of single calls or small batches, so it holds what most calls pay: what few pay (a wakeup, a full buffer) is in
`added, mean` only, whose error is larger. Printed are medians of the turns' ratios and differences with one standard
error (1.25 * 1.4826 * MAD / sqrt(turns)); of two errors a difference may be chance. `nothing` is a row for the method
itself: a tool that traces nothing must cost nothing. sqlite then is one process that lives on, pgbench and fio are short
runs, of which fio's figure is a mean.

`--against` adds rows for another iohops, in either way of measuring, and a line that says how much more it costs.

Tools that are not installed are left out; `tools/packages peers` installs them.

`of the floor`: what a tool adds to a call, over what an empty pair of tracepoints adds to it. `p99`: of calls that are
timed one by one, traced over untraced. `lost`: as the tool counts them, or calls for which it wrote no line.
"""
import argparse
import json
import os
import pathlib
import shlex
import sys
import tempfile

import samples
import table
import tracers
from workloads import Bystander, Failed, Loop, Pgbench, SqliteSession, fio, sqlite

ROUNDS, TURNS, TURN_MS = 5, 30, 150
LOOPS = ("pread", "pread64k", "write512", "direct", "uring", "fault", "tcp")


def progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:<78}\r", end="", file=sys.stderr, flush=True)


class Bench:
    def __init__(self, arguments, folder, known):
        self.paired, self.turn_ms, self.folder = arguments.paired, arguments.turn_ms, folder
        self.rounds = arguments.rounds or (TURNS if self.paired else ROUNDS)
        cpus = os.cpu_count()
        self.loop_cpu = cpus - 1
        self.other_cpus = set(range(cpus)) - {self.loop_cpu} or {0}
        self.known = known
        self.refused = {}  # tool -> its own words

    def measure(self, name, workload, only=None):
        """{tool: samples} of a workload; the tools take turns, in another order each round."""
        names = [k for k, spec in self.known.items() if (only is None or k in only) and k not in self.refused
                 and (not spec.needs_calls or workload.calls) and (not spec.device or name in ("direct", "fio-randwrite"))
                 and not (spec.wraps and (self.paired or not isinstance(workload, Loop)))]
        results = {k: [] for k in names}
        for turn in range(self.rounds):
            shift = turn % max(1, len(names))
            for key in names[shift:] + names[:shift]:
                if key in self.refused:
                    continue
                progress(f"  {name}: round {turn + 1} of {self.rounds}: {key}")
                try:
                    results[key].append(self.sample(name, workload, key) | {"round": turn})
                except (Failed, FileNotFoundError) as failure:
                    self.refused[key] = "not installed" if isinstance(failure, FileNotFoundError) else str(failure)
        progress("")
        return {"title": workload.title, "paired": self.paired, "tools": {k: v for k, v in results.items() if v}}

    def sample(self, name, workload, key):
        spec = self.known[key]
        if spec.wraps:
            return samples.wrapped(workload, name, spec, self.folder, self.loop_cpu)

        def start(pid):
            return tracers.Tracer(spec, workload, pid, self.folder, self.other_cpus)

        return samples.turn(workload, start, self.turn_ms) if self.paired else samples.bracketed(workload, start)

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
        ms = (self.turn_ms,) if self.paired else ()
        for name, make in (("fio-randread", lambda: fio(self.folder, "randread", *ms)),
                           ("fio-randwrite", lambda: fio(self.folder, "randwrite", *ms)),
                           ("sqlite", lambda: SqliteSession(self.folder) if self.paired else sqlite(self.folder)),
                           ("pgbench", lambda: Pgbench(self.folder))):
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


def chosen(arguments):
    """The tools that are asked for, and after each mode of iohops the same of the others."""
    all_specs = tracers.specs()
    only = arguments.only.split(",") if arguments.only else [k for k in all_specs if arguments.paired or k != "nothing"]
    if unknown := set(only) - set(all_specs):
        raise Failed(f"no such tool: {', '.join(sorted(unknown))} (there are {', '.join(all_specs)})")
    modes = [k for k in only if k in tracers.MODES]
    if arguments.against and not modes:
        raise Failed(f"--against needs a mode of iohops in --only: {', '.join(tracers.MODES)}")
    others = [tracers.against(path, modes) for path in arguments.against]
    known = {}
    for key in (k for k in all_specs if k in only):
        known |= {key: all_specs[key]}
        known |= {k: spec for other in others for k, spec in other.items() if k.partition("@")[0] == key}
    return known


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=positive,
                        help=f"samples of each tool (default: {ROUNDS}, {TURNS} if --paired)")
    parser.add_argument("--paired", action="store_true",
                        help="many short turns, medians of paired differences with their errors: for small costs")
    parser.add_argument("--turn-ms", type=positive, default=TURN_MS,
                        help="length of each of the three samples of a paired turn (default: %(default)s)")
    parser.add_argument("--only", help=f"tools, by name: {','.join(tracers.specs())}")
    parser.add_argument("--against", metavar="PATH", action="append", default=[],
                        help="another iohops, as more rows; may be repeated")
    parser.add_argument("--workloads", default=",".join(ALL), help="by name: %(default)s")
    parser.add_argument("--json", help="also write every sample to this file")
    parser.add_argument("--markdown", help="also write the tables to this file")
    arguments = parser.parse_args()
    unknown = set(arguments.workloads.split(",")) - set(ALL)
    if unknown:
        parser.error(f"no such workload: {', '.join(unknown)} (there are {', '.join(ALL)})")
    return arguments


def positive(text):
    if (value := int(text)) < 1:
        raise ValueError
    return value


def main():
    arguments = parse()
    known = chosen(arguments)
    where = table.machine()
    print(where)
    # PostgreSQL runs as a user of its own, who must get to its folder.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="iohops-bench.") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        bench = Bench(arguments, folder, known)
        results = {}
        for key, workload, only in bench.workloads(arguments.workloads.split(",")):
            results[key] = bench.measure(key, workload, only)
            print(table.text(key, results[key], bench.known), flush=True)
    print(table.refusals(bench.refused, bench.known))
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=1))
    if arguments.markdown:
        pathlib.Path(arguments.markdown).write_text(table.markdown(where, results, bench.known, bench.refused,
                                                                 shlex.join(sys.argv[1:])))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"bench: {failure}")
