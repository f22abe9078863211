"""One sample of what tracing costs: a traced run of a workload between untraced ones. run.py says why."""
import paired
import tracers
from workloads import Failed, Loop

DISAGREEMENT = 0.15
TRIES = 4


def untraced(workload, run):
    workload.hold()
    return run()


def traced(workload, run, start):
    """(what `run` says, what the tool says of itself) while it is traced. `start(pid)` gives the attached tracer."""
    pid = workload.hold()
    try:
        tracer = start(pid)
    except Failed:
        run()  # it is held
        raise
    calls = 0
    try:
        said = run()
        calls, rss = said["calls"], tracer.rss()
    finally:
        facts = tracer.stop(workload, calls)
    return said, facts | {"rss": rss, "calls": calls}


def bracketed(workload, start):
    """A long one, taken again until its two untraced neighbours agree."""
    for _ in range(TRIES):
        before = untraced(workload, workload.run)
        said, facts = traced(workload, workload.run, start)
        after = untraced(workload, workload.run)
        if abs(after["ns"] - before["ns"]) <= DISAGREEMENT * min(before["ns"], after["ns"]):
            break
    else:
        facts["noisy"] = True
    return compared(said, before, after) | facts


def turn(workload, start, ms):
    """A short one, one of many: nothing is taken again, for a choice by its outcome would be a bias."""
    def run():
        return workload.turn(ms)

    before = untraced(workload, run)
    said, facts = traced(workload, run, start)
    return paired.compared(said, before, untraced(workload, run)) | facts


def compared(said, before, after):
    neighbours = (before["ns"] + after["ns"]) / 2
    facts = {"ratio": said["ns"] / neighbours, "untraced_ns": neighbours, "added_ns": said["ns"] - neighbours}
    if said["p99_ns"]:
        facts["p99_ratio"] = said["p99_ns"] / ((before["p99_ns"] + after["p99_ns"]) / 2)
    return facts


def wrapped(loop, name, spec, folder, cpu):
    """A tool that must start the program itself: its loop is another one, between samples of ours."""
    out = folder / "trace.wrapped"
    command = list(map(str, spec.command(loop, None, out)))
    before = loop.run()
    inner = Loop(name, folder, cpu, prefix=command)
    said = inner.run()
    inner.end()
    after = loop.run()
    # Its processor time cannot be told from that of the program, its child.
    facts = {"cpu_ns": None, "bytes": out.stat().st_size,
             "lost": max(0, said["calls"] - tracers.count_lines(out, spec.lines, loop.calls.split(",")))}
    out.unlink()
    return compared(said, before, after) | facts | {"rss": None, "calls": said["calls"]}
