"""top: plain rows for scripts, and the screen of a person in a terminal of our own. How it ends: tests/stress."""
import re
import subprocess
import time

from lib import IOHOPS, Workload, check, equal, iohops
from terminal import Terminal

def running():
    work = Workload("forever")
    work.go()
    return work


def end(work):
    work.process.terminate()
    return work.finish()


def test_batch_prints_rows_of_the_target_for_each_iteration():
    work = running()
    done = iohops("top", "-p", work.pid, "--batch", "-n", "3", "-i", "0.4")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    end(work)
    rows = [l for l in done.stdout.splitlines() if re.match(rf"\s*{work.pid}\s", l)]
    equal(len(rows), 3, f"rows of the target in\n{done.stdout}\n")
    for row in rows:
        check(" io " in f"{row} ", f"no name of the process in {row!r}")
    check("\x1b" not in done.stdout, "escape sequences in batch output")


def test_batch_figures_agree_with_the_program():
    """Requests a second between what the slowest and fastest second could be."""
    work = running()
    begin = time.monotonic()
    done = iohops("top", "-p", work.pid, "--batch", "-n", "2", "-i", "1")
    elapsed = time.monotonic() - begin
    said = end(work)["facts"]["requests"]
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    rates = []
    for row in done.stdout.splitlines():
        found = re.match(rf"\s*{work.pid}\s+\S+\s+([\d.,]+)\s*([kMG]?)", row)
        if found:
            unit = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}[found.group(2)]
            rates.append(float(found.group(1).replace(",", "")) * unit)
    check(rates, f"no rate in\n{done.stdout}")
    # Each second it shows is part of the time that the program ran.
    check(max(rates) < said / 1.0, f"{max(rates)} requests in a second, {said} in all ({elapsed:.1f} s)")
    check(min(rates) > 1000, f"only {min(rates)} requests a second shown")


# Forty cached reads, of which few are timed where there are so many, and one that waits for a tenth of a millisecond.
MOSTLY_CACHED = """
import os, sys, time
ask, answer = os.pipe(), os.pipe()
if os.fork() == 0:
    os.close(ask[1]); os.close(answer[0])
    while os.read(ask[0], 1):
        time.sleep(1e-4)
        try: os.write(answer[1], b"x")
        except OSError: break
    os._exit(0)
file = os.open(sys.executable, os.O_RDONLY)
print("ready", flush=True)
while True:
    for _ in range(40): os.pread(file, 512, 0)
    os.write(ask[1], b"x")
    os.read(answer[0], 1)
"""


def nanoseconds(text):
    number, unit = re.fullmatch(r"([\d.,]+)(ns|us|ms|s)", text).groups()
    return float(number.replace(",", "")) * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[unit]


def test_no_slow_request_is_missed_where_few_are_timed():
    program = subprocess.Popen(["/usr/bin/python3", "-c", MOSTLY_CACHED], stdout=subprocess.PIPE, text=True)
    program.stdout.readline()
    done = iohops("top", "-p", program.pid, "--batch", "-n", "1", "-i", "1")
    program.kill()
    program.communicate()
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    row = next(line.split() for line in done.stdout.splitlines() if line.split()[:1] == [str(program.pid)])
    p50, p99, off_cpu = nanoseconds(row[7]), nanoseconds(row[8]), float(row[9])
    check(p50 < 50e3, f"half of them are cached: {row}")
    check(p99 > 100e3, f"more than one in a hundred waits: {row}")
    check(50 < off_cpu < 100, f"and most of the time is spent so: {row}")


def test_top_without_a_terminal_is_batch():
    work = running()
    done = iohops("top", "-p", work.pid, "-n", "1", "-i", "0.2")
    end(work)
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    check(str(work.pid) in done.stdout, f"the target is missing in\n{done.stdout}")


def test_the_screen_shows_the_target_and_q_restores_the_terminal():
    work = running()
    terminal = Terminal(IOHOPS, "top", "-p", work.pid, "-i", "0.2")
    terminal.wait_for(str(work.pid))
    terminal.wait_for("iohops")
    terminal.press("?")
    terminal.wait_for("filter")
    terminal.press("\x1b")
    terminal.wait_for(str(work.pid))
    terminal.press("q")
    terminal.is_as_before()
    equal(terminal.process.returncode, 0, "exit code")
    end(work)


def test_enter_opens_the_files_of_a_process():
    work = running()
    terminal = Terminal(IOHOPS, "top", "-p", work.pid, "-i", "0.2")
    terminal.wait_for(str(work.pid))
    terminal.press("\r")
    terminal.wait_for("data")
    terminal.press("q")
    terminal.is_as_before()
    end(work)
