"""top in a terminal: however it ends, the terminal is as it was. The settings are those of `stty -a`."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from lib import IOHOPS, PATIENCE, Skip, Workload, check, equal, sized, wait_exit, wait_until

try:
    import pyte
except ImportError:
    pyte = None


class Session:
    """A terminal, a session on it, and in it, as a shell with job control would have it, top in the foreground."""

    def __init__(self, *command, term="xterm-256color", columns=100, lines=30):
        if pyte is None:
            raise Skip("python3-pyte is not installed")
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        inherited, told = os.pipe()
        self.shell = os.fork()
        if self.shell == 0:
            os.setsid()
            os.close(self.master)
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            job = subprocess.Popen(command, stdin=self.slave, stdout=self.slave, stderr=self.slave, process_group=0,
                                   env={**os.environ, "TERM": term}, restore_signals=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGTTOU, signal.SIG_DFL))
            os.tcsetpgrp(self.slave, job.pid)
            os.write(told, b"%d\n" % job.pid)
            code = job.wait()
            os.tcsetpgrp(self.slave, os.getpgrp())
            os._exit(code if code >= 0 else 128 - code)
        os.close(told)
        self.pid = int(os.read(inherited, 20))
        os.close(inherited)

    def read(self, seconds=0.05):
        if select.select([self.master], [], [], seconds)[0]:
            data = os.read(self.master, 65536)
            self.raw += data
            self.stream.feed(data)
            return True
        return False

    def wait_for(self, what, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            check(time.monotonic() < end, f"gave up waiting until {what}:\n" + "\n".join(self.screen.display))
            self.read()

    def wait_for_text(self, text):
        self.wait_for(f"{text!r} appears", lambda: any(text in line for line in self.screen.display))

    def resize(self, columns, lines):
        self.screen.resize(lines, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))  # which signals, too

    def press(self, keys):
        os.write(self.master, keys)

    def state(self):
        with open(f"/proc/{self.pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0]

    def looks_as_before(self):
        while self.read(0):
            pass
        equal(termios.tcgetattr(self.slave), self.before, "terminal settings")
        switches = re.findall(rb"\x1b\[\?1049([hl])", self.raw)
        check(not switches or switches[-1] == b"l", "the other screen is still shown")
        cursor = re.findall(rb"\x1b\[\?(?:12;)?25([hl])", self.raw)
        check(not cursor or cursor[-1] == b"h", "the cursor is still hidden")

    def ended(self, expected):
        end = time.monotonic() + PATIENCE
        while True:
            pid, status = os.waitpid(self.shell, os.WNOHANG)
            if pid:
                break
            check(time.monotonic() < end, "top did not end:\n" + "\n".join(self.screen.display))
            self.read()
        code = os.waitstatus_to_exitcode(status)
        equal(code, expected, "how it ended")
        self.looks_as_before()
        os.close(self.master), os.close(self.slave)


def on_top(work, **terminal):
    session = Session(IOHOPS, "top", "-p", str(work.pid), "-i", "0.1", **terminal)
    session.wait_for_text(str(work.pid))
    return session


def running():
    work = Workload("forever", pause=100)
    work.go()
    return work


def end(work):
    equal(work.process.poll(), None, "the target's state")
    work.process.terminate()
    work.finish()


def test_every_way_to_end_it_leaves_the_terminal_as_it_was():
    work = running()
    ways = [(b"q", 0), (b"\x03", 0), (b"\x1c", 0), (signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGABRT, 128 + signal.SIGABRT),
            (signal.SIGSEGV, 128 + signal.SIGSEGV), (signal.SIGBUS, 128 + signal.SIGBUS)]
    for way, code in ways * sized(1, 20):
        session = on_top(work)
        session.press(way) if isinstance(way, bytes) else os.kill(session.pid, way)
        session.ended(code)
    end(work)


def test_it_can_be_put_aside_and_fetched_again():
    work = running()
    session = on_top(work)
    for _ in range(sized(2, 50)):
        session.press(b"\x1a")  # Ctrl-Z
        session.wait_for("it is stopped", lambda: session.state() == "T")
        session.looks_as_before()
        seen = len(session.raw)
        os.kill(session.pid, signal.SIGCONT)
        session.wait_for("it draws again", lambda: str(work.pid).encode() in session.raw[seen:])
        check(termios.tcgetattr(session.slave) != session.before, "keys are not taken as they come")
    session.press(b"q")
    session.ended(0)
    end(work)


def test_no_size_is_too_small_or_too_large():
    work = running()
    session = on_top(work)
    sizes = [(1, 1), (2, 1), (1, 100), (300, 1), (300, 100), (79, 23), (10, 3), (132, 43)]
    for columns, lines in sizes * sized(1, 50):
        seen = len(session.raw)
        session.resize(columns, lines)
        session.wait_for(f"it draws at {columns}x{lines}", lambda: len(session.raw) > seen)
    session.resize(100, 30)
    session.wait_for_text(str(work.pid))
    session.press(b"q")
    session.ended(0)
    end(work)


def test_a_terminal_that_can_nothing_gets_a_reason_and_stays_as_it_was():
    work = running()
    for term in ("dumb", "", "no-such-terminal"):
        session = Session(IOHOPS, "top", "-p", str(work.pid), term=term)
        session.ended(1)
        check(b"--batch" in session.raw, f"TERM={term}: what to do is not said: {session.raw}")
    end(work)


def test_a_terminal_that_goes_away_ends_it():
    work = running()
    session = on_top(work)
    os.close(session.slave)
    os.close(session.master)
    wait_until(lambda: not os.path.exists(f"/proc/{session.pid}"), "it is gone")
    os.waitpid(session.shell, 0)
    end(work)
