"""Names that others chose: no byte of theirs drives a terminal or breaks a format, and all of them can be had back."""
import base64
import json
import os
import re
import select
import signal
import subprocess
import sys

from lib import IOHOPS, TMP, Recording, check, equal
from terminal import Terminal

# Every byte that a file name can have, then what each decoder and terminal has its weakness for.
NAMES = [
    bytes(b for b in range(1, 128) if b != ord("/")),
    bytes(range(128, 256)),
    b"\x1b[2J\x1b]52;c;cm0gLXJmIC8=\x07\x1b]8;;http:evil\x1b\\here",
    "\u202egpj.exe\u2066\u2069\u200f\u061c\ufeff".encode(),
    b"cut \xe2\x82 \xc0\xaf \xed\xa0\x80 \xf5\x80\x80\x80",
    b"two\nlines\r\tand\x9b31m",
    b"</script><script>alert(1)</script>&amp;",
    b"=cmd('/c calc')!A1,\"quoted\";'",
    b"\xf0\x9f\x92\xa9" * 50,
    b"n" * 255,
]
COMM = b"\x1b[1A\xff\n\x9b=\xe2\x80\xae"  # 15 bytes at most

# Sets its name to the first argument (hex), then writes each file whose path (hex) stands on a line of stdin, and says so.
PROGRAM = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]), 0, 0, 0)
print("ready", flush=True)
for line in sys.stdin:
    folders, name = os.path.split(bytes.fromhex(line))
    os.chdir("/")
    for part in folders.split(b"/")[1:]:
        os.path.isdir(part) or os.mkdir(part)
        os.chdir(part)
    fd = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(fd, bytes(4096), 0)
    os.pread(fd, 4096, 0)
    os.close(fd)
print("done", flush=True)
sys.stdin.readline()
"""


def deep_path():
    """Longer than a path may be that is handed to a system call: a folder has no such limit."""
    return os.fsencode(TMP) + b"/deep" + b"".join(b"/\x1b[%02d" % i + b"d" * 200 for i in range(22)) + b"/leaf\x07"


def paths():
    return [os.fsencode(TMP) + b"/" + name for name in NAMES] + [deep_path()]


class Hostile:
    """A process with a hostile name, that waits before it works, and afterwards."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM, COMM.hex()], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        equal(self.process.stdout.readline(), b"ready\n", "what the program says")
        self.pid = self.process.pid

    def begin(self, files):
        self.process.stdin.write(b"".join(path.hex().encode() + b"\n" for path in files))
        self.process.stdin.flush()

    def work(self, files):
        self.begin(files)
        self.process.stdin.close()
        equal(self.process.stdout.readline(), b"done\n", "what the program says")


def control_bytes(text, allowed=b"\n"):
    """Positions of raw control characters: C0, DEL, C1 as UTF-8, bidi controls, and what is no UTF-8 at all."""
    decoded = text.decode("utf-8", "surrogateescape")
    bad = [c for c in decoded if (ord(c) < 32 or 127 <= ord(c) < 160 or 0xdc80 <= ord(c) <= 0xdcff
                                  or c in "\u061c\u200e\u200f\u2028\u2029\ufeff" or "\u202a" <= c <= "\u202e"
                                  or "\u2066" <= c <= "\u2069") and c.encode("utf-8", "surrogateescape") not in
           [bytes([b]) for b in allowed]]
    return bad


def printable(what, text):
    check(not control_bytes(text), f"{what}: raw {control_bytes(text)[:5]!r} in\n{text[:3000]!r}")


def iohops(*arguments):
    """Its exit code and every byte that it said."""
    done = subprocess.run([IOHOPS, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, cwd=TMP)
    return done.returncode, done.stdout


def raw(record, key):
    return base64.b64decode(record[f"{key}_b64"]) if f"{key}_b64" in record else record[key].encode()


def recorded():
    """(path of a recording of all of it, what was said meanwhile)"""
    hostile = Hostile()
    recording = Recording("-p", hostile.pid)
    hostile.work(paths())
    hostile.process.wait(20)
    equal(recording.wait(), 0, f"exit code ({recording.text()})")
    return recording.output, recording.said


def test_a_recording_has_every_byte_and_no_raw_one():
    output, said = recorded()
    printable("what record says", said)
    text = output.read_bytes()
    printable("the JSON", text)
    records = [json.loads(line) for line in text.splitlines()]
    names = {raw(record, "path"): record for record in records if record["type"] == "file"}
    for path in paths()[:-1]:
        check(path in names, f"{path!r} is not among the files")
    deep = [name for name in names if name.endswith(b"/leaf\x07")]
    equal(len(deep), 1, "files at the end of the deep path")
    check(names[deep[0]]["path_partial"] and deep_path().endswith(deep[0]), "the deep path is its end, and says so")
    comms = {raw(record, "comm") for record in records if record["type"] == "request"}
    equal(comms, {COMM}, "names of the process in its requests")
    done = [r for r in records if r["type"] == "request" and r["op"] in ("pwrite64", "pread64") and r["result"] == 4096]
    equal(len(done), 2 * len(paths()), "requests")
    slowest = max((r for r in records if r["type"] == "request"), key=lambda r: r["duration_ns"])["id"]
    bad = TMP / os.fsdecode(b"\x1b]0;x\x07\xff.jsonl")
    bad.write_bytes(text)
    for command in (("report", bad), ("report", "--group-by", "process", "--top", 100, bad), ("report", "--format", "json", bad),
                    ("explain", bad, slowest), ("explain", bad, "--slowest", 20), ("diff", bad, bad),
                    ("diff", "--format", "json", bad, bad)):
        code, said = iohops(*command)
        equal(code, 0, f"exit code of {command} ({said})")
        printable(f"{command[0]}", said)


def test_messages_name_what_they_cannot_use():
    ugly = os.fsdecode(b"\x1b[31m\xff\n\x9b")
    damaged = TMP / (ugly + ".jsonl")
    damaged.write_bytes(b'{"type": "\x1b[2J"}\n')
    for command in (("report", ugly), ("report", damaged), ("explain", damaged), ("diff", damaged, damaged), ("replay", damaged, "-o", "-"),
                    ("record", "-o", f"{ugly}/x", "--", "true"), ("record", "--", f"./{ugly}"), ("record", "-p", ugly),
                    ("record", f"--{ugly}"), (ugly,), ("record", "--op", ugly, "-a"), ("record", "--dev", ugly, "-a"),
                    ("record", "--ring", ugly, "-a"), ("record", "--max-mem", ugly, "-a"), ("top", "--sort", ugly, "-a"),
                    ("record", "-o", str(TMP / ugly / ugly), "-d", "1ms", "-a")):
        code, said = iohops(*command)
        check(code != 0, f"{command}: exit code 0")
        check(said.startswith(b"iohops: "), f"{command}: nothing was said: {said!r}")
        printable(f"{command}", said)


def test_top_shows_none_of_it_raw():
    hostile = Hostile()
    top = subprocess.Popen([IOHOPS, "top", "-p", str(hostile.pid), "--batch", "-i", "0.2", "-n", "40"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = b""
    while b"\n" not in said:  # its first rows: it is attached
        check(select.select([top.stdout], [], [], 20)[0], "top says nothing")
        said += os.read(top.stdout.fileno(), 65536)
    hostile.work(paths())
    shown = b"\\x1b[1A\\xff"
    while shown not in said and select.select([top.stdout], [], [], 20)[0]:
        more = os.read(top.stdout.fileno(), 65536)
        if not more:
            break
        said += more
    top.send_signal(signal.SIGINT)
    rest, words = top.communicate(timeout=20)
    hostile.process.wait(20)
    check(shown in said, f"the process is not shown by its escaped name:\n{said!r}")
    printable("top", said + rest + words)


def test_the_screen_of_top_is_driven_by_none_of_it():
    hostile = Hostile()
    terminal = Terminal(IOHOPS, "top", "-p", hostile.pid, "-i", "0.2", columns=200, lines=40)
    terminal.wait_for("no requests yet")
    hostile.begin(paths())
    terminal.wait_for("\\x1b[1A\\xff")
    terminal.press("\r")
    terminal.wait_for("\\x1b[2J\\x1b]52")
    terminal.press("q")
    terminal.is_as_before()
    hostile.process.stdin.close()
    hostile.process.wait(20)
    text = terminal.raw.decode()  # which is UTF-8, in whole characters
    # The terminal's own sequences are CSI, two or three letters of its keypad and character sets, and ESC 7, 8.
    others = re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|\([A-Z0-9]|[=>78])|[\r\n\t\b\x0f]", "", text).encode()
    check(not control_bytes(others), f"raw {control_bytes(others)[:5]!r} on the screen")
    for sequence in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]", text):
        check(sequence != "\x1b[1A", "the cursor went where the name of the process sends it")
