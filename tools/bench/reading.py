#!/usr/bin/env python3
"""What a recording of a hot loop costs the collector to write, and how fast and small the commands are that read it.

    make bench ARGS=--help && tools/bench/reading.py [MIB]     as root; recordings of at least MIB (1024) in TMPDIR

`user` and `system`: processor time of the whole command by getrusage, start-up included, for each request. Output to /dev/null tells
what is iohops' own work; what a file takes on top is the kernel's copy of 640 bytes a request into its page cache."""
import os
import pathlib
import re
import select
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("IOHOPS_BUILD", "build"))
PATIENCE = 120


def used_by(process):
    """Waits for a command; (its exit code, its rusage)."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage


class Loop:
    """4 KiB preads of a cached page, as many as are asked for in batches."""

    def __init__(self, folder):
        (folder / "page").write_bytes(os.urandom(1 << 20))
        self.process = subprocess.Popen([BUILD / "bench/loop", "pread", folder / "page", "1"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def batch(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            sys.exit("reading.py: the loop does not answer")
        self.process.stdout.readline()

    def end(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


def record(folder, enough, *arguments):
    """Records until enough(seconds) says so; (requests, lost records, rusage)."""
    loop = Loop(folder)
    tracer = subprocess.Popen([BUILD / "iohops", "record", *arguments, "-p", str(loop.process.pid)],
                              stderr=subprocess.PIPE, text=True)
    said = tracer.stderr.readline()
    begun = time.monotonic()
    while not enough(time.monotonic() - begun) and tracer.poll() is None:
        loop.batch()
    loop.end()  # and with it the recording
    said += tracer.stderr.read()
    code, usage = used_by(tracer)
    counted = re.search(r"([\d,]+) requests.*?, ([\d,]+) lost", said)
    if code not in (0, 7) or not counted:
        sys.exit(f"reading.py: iohops record {' '.join(map(str, arguments))}: exit {code}\n{said}")
    requests, lost = (int(number.replace(",", "")) for number in counted.groups())
    return requests, lost, usage


def read(*arguments):
    """(seconds, rusage) of a command that reads a recording."""
    begun = time.monotonic()
    code, usage = used_by(subprocess.Popen([BUILD / "iohops", *arguments], stdout=subprocess.DEVNULL))
    if code != 0:
        sys.exit(f"reading.py: iohops {' '.join(map(str, arguments))}: exit {code}")
    return time.monotonic() - begun, usage


def writing(folder, mib):
    """Prints what recording costs; leaves trace.jsonl and trace.raw."""
    lines, raw = folder / "trace.jsonl", folder / "trace.raw"
    four = lambda seconds: seconds >= 4
    large = lambda seconds: lines.exists() and lines.stat().st_size >= mib << 20
    print(f"{'record':<34}{'requests':>12}{'user ns':>10}{'system ns':>11}{'bytes':>8}{'lost':>9}")
    for enough, arguments, out in ((four, ("--detail", "misses", "-o", "/dev/null"), None),
                                   (four, ("-o", "/dev/null"), None),
                                   (four, ("--raw", raw), raw),
                                   (large, ("-o", lines), lines)):
        requests, lost, usage = record(folder, enough, *arguments)
        size = f"{out.stat().st_size / requests:.0f}" if out else "-"
        label = " ".join(a.name if isinstance(a, pathlib.Path) else a for a in arguments)
        print(f"{label:<34}{requests:>12,}{usage.ru_utime / requests * 1e9:>10.0f}{usage.ru_stime / requests * 1e9:>11.0f}"
              f"{size:>8}{lost:>9,}", flush=True)
    return lines, raw


def main():
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    with tempfile.TemporaryDirectory(prefix="iohops-reading.") as name:
        folder = pathlib.Path(name)
        lines, raw = writing(folder, mib)
        packed = folder / "trace.jsonl.zst"
        subprocess.run(["zstd", "-q", "-1", lines, "-o", packed], check=True)
        print(f"\n{'':<34}{'MiB':>8}{'seconds':>9}{'user':>8}{'system':>8}{'resident MiB':>14}")
        for arguments, file in ((("report", lines), lines), (("report", packed), packed),
                                (("diff", lines, lines), lines), (("replay", raw, "-o", "/dev/null"), raw)):
            seconds, usage = read(*arguments)
            label = " ".join(a.name if isinstance(a, pathlib.Path) else a for a in arguments)
            print(f"{label:<34}{file.stat().st_size / 2**20:>8.0f}{seconds:>9.2f}{usage.ru_utime:>8.2f}{usage.ru_stime:>8.2f}"
                  f"{usage.ru_maxrss / 1024:>14.1f}", flush=True)


if __name__ == "__main__":
    main()
