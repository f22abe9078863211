#!/usr/bin/env python3
"""How soon iohops traces after it was started, and how much memory it holds then.

    tools/bench/startup.py [ROUNDS]     as root; traces this Python's own child, which sleeps

`ready`: from exec to the line that says so, which follows arming by less than a millisecond. `cpu`: what that took of a
processor, until the end of the (empty) recording. `resident` is without the ring buffers' pages, which the kernel counts as
the process's own: they are its --ring for each CPU."""
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import time

BUILD = pathlib.Path(os.environ.get("IOHOPS_BUILD", "build"))


def ring_kib(pid):
    """Resident pages of mapped ring buffers."""
    text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    return sum(int(kib) for kib in re.findall(r"anon_inode:bpf-map\n(?:.*\n)*?Rss:\s+(\d+) kB", text))


def start(target):
    """(ms until ready, ms of CPU, KiB resident without rings, KiB of rings) of one recording."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    tracer = subprocess.Popen([BUILD / "iohops", "record", "-p", str(target), "-d", "50ms", "-o", "/dev/null"],
                              stderr=subprocess.PIPE, text=True)
    for line in tracer.stderr:
        if "tracing" in line:
            break
    ready = time.monotonic() - begun
    rss = int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{tracer.pid}/status").read_text())[1])
    rings = ring_kib(tracer.pid)
    tracer.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return ready * 1e3, cpu * 1e3, rss - rings, rings


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    target = subprocess.Popen(["sleep", "1000"])
    try:
        ready, cpu, rss, rings = zip(*(start(target.pid) for _ in range(rounds)))
    finally:
        target.kill()
        target.wait()
    print(f"ready  {statistics.median(ready):.0f} ms   {min(ready):.0f} .. {max(ready):.0f}   ({rounds} starts)")
    print(f"cpu  {statistics.median(cpu):.0f} ms   {min(cpu):.0f} .. {max(cpu):.0f}")
    print(f"resident  {max(rss) / 1024:.1f} MiB, and {max(rings) / 1024:.1f} MiB of ring buffers")


if __name__ == "__main__":
    main()
