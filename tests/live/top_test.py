"""top: plain rows for scripts, and the screen of a person in a terminal of our own. How it ends: tests/stress."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from lib import IOHOPS, PATIENCE, Skip, Workload, check, equal, iohops, wait_exit

try:
    import pyte
except ImportError:
    pyte = None


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


def test_top_without_a_terminal_is_batch():
    work = running()
    done = iohops("top", "-p", work.pid, "-n", "1", "-i", "0.2")
    end(work)
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    check(str(work.pid) in done.stdout, f"the target is missing in\n{done.stdout}")


class Terminal:
    """A terminal of our own around a program, drawn by pyte."""

    def __init__(self, *command, columns=100, lines=30):
        if pyte is None:
            raise Skip("python3-pyte is not installed")
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        # A terminal that the test owns too: its settings must be as before when the program is gone.
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.settings = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(list(map(str, command)), stdin=self.slave, stdout=self.slave,
                                        stderr=subprocess.PIPE, start_new_session=True,
                                        env={**os.environ, "TERM": "xterm-256color"})

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            data = os.read(self.master, 65536)
            self.raw += data
            self.stream.feed(data)

    def wait_for(self, text):
        end_at = time.monotonic() + PATIENCE
        while not any(text in line for line in self.screen.display):
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}: "
                                     f"{self.process.stderr.read().decode(errors='replace')}")
            if time.monotonic() > end_at:
                raise AssertionError(f"{text!r} did not appear:\n" + "\n".join(self.screen.display))
            self.read(0.1)

    def press(self, keys):
        os.write(self.master, keys.encode())

    def is_as_before(self):
        wait_exit(self.process, "top")
        while select.select([self.master], [], [], 0)[0]:
            self.read(0)
        equal(termios.tcgetattr(self.slave), self.settings, "terminal settings")
        switches = re.findall(rb"\x1b\[\?1049([hl])", self.raw)
        check(not switches or switches[-1] == b"l", "the other screen is still shown")
        cursor = re.findall(rb"\x1b\[(?:\?12;|\?)25([hl])|\x1b\[\?12l\x1b\[\?25h", self.raw)
        check(not cursor or cursor[-1] != b"l", "the cursor is still hidden")


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
