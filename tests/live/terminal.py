"""A terminal of our own, and what a program shows there. Knows nothing of iohops."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from lib import PATIENCE, Skip, check, equal, wait_exit

try:
    import pyte
except ImportError:
    pyte = None


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
