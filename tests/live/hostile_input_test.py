"""Input that nobody recorded: each command refuses it with exit 8 and a place, at once, in little memory."""
import os
import subprocess

from lib import IOHOPS, TMP, Recording, Workload, check, equal

MIB = 1 << 20
MEMORY = 128 * MIB  # far less than the input
SECONDS = 60


def refused(command, stdin=None, place="line "):
    """Exit 8, with one message that names what it is about."""
    process = subprocess.Popen([IOHOPS, *map(str, command)], stdin=stdin or subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    equal(process.returncode, 8, f"exit of {command}: {said!r}")
    check(said.startswith(b"iohops: ") and place.encode() in said, f"{command}: {said!r}")
    check(usage.ru_maxrss * 1024 < MEMORY, f"{command}: {usage.ru_maxrss >> 10} MiB")
    check(usage.ru_utime + usage.ru_stime < SECONDS, f"{command}: {usage.ru_utime} s")


def filled(path, *pieces):
    """The file, of (bytes, how often) each; not held in memory, as a child's peak begins with what its parent had."""
    with open(path, "wb") as file:
        for text, times in pieces:
            most = max(1, MIB // max(1, len(text)))
            for at in range(0, times, most):
                file.write(text * min(most, times - at))
    return path


def lines_of_a_recording():
    work = Workload("hot_pread", count=3)
    recording = Recording("-p", work.pid)
    work.go()
    work.wait_done()
    work.finish()
    equal(recording.wait(), 0, f"exit code ({recording.text()})")
    return recording.output.read_bytes().splitlines(keepends=True)


def of_json(path):
    for command in (["report", path], ["report", "--format", "json", path], ["explain", path], ["diff", path, path]):
        yield command


def test_deep_long_and_empty_lines_are_refused():
    header, *others = lines_of_a_recording()
    depth, begin = 2 * MIB, (header, 1)
    hostile = {
        "deep": (begin, (b'{"type":"request","id":', 1), (b"[", depth), (b"]", depth), (b"}\n", 1)),
        "deep objects": (begin, (b'{"a":', MIB), (b"1", 1), (b"}", MIB), (b"\n", 1)),
        "deep from the start": ((b"[", depth), (b"\n", 1)),
        "long": (begin, (b'{"type":"', 1), (b"x", 9 * MIB), (b'"}\n', 1)),
        "endless": (begin, (b'{"type":"', 1), (b"x", 300 * MIB)),
        "zeros": ((b"\0", 300 * MIB),),
        "no UTF-8": (begin, (b'{"type":"\xff\xfe"}\n', 1)),
        "half a record": (begin, (others[0][: len(others[0]) // 2] + b"\n", 1)),
    }
    for what, pieces in hostile.items():
        path = filled(TMP / "hostile.jsonl", *pieces)
        for command in of_json(path):
            print(what, command[0])
            refused(command)


def test_a_recording_without_records_is_refused():
    path = TMP / "empty.jsonl"
    for pieces in ((), ((b"\n", MIB),), ((b" \t\r\n", 1),)):
        filled(path, *pieces)
        for command in of_json(path):
            refused(command, place="no header")


def test_what_grows_when_it_is_unpacked_is_refused():
    """300 MiB of zeros in a few kilobytes."""
    path = TMP / "bomb.jsonl.zst"
    with open(path, "wb") as packed:
        zstd = subprocess.Popen(["zstd", "-q", "-19", "-c"], stdin=subprocess.PIPE, stdout=packed)
        for _ in range(300):
            zstd.stdin.write(bytes(MIB))
        zstd.stdin.close()
        equal(zstd.wait(), 0, "exit of zstd")
    for command in of_json(path):
        refused(command)
    refused(["replay", path, "-o", TMP / "replayed.jsonl"], place="byte 0")


def test_raw_recordings_that_lie_are_refused():
    work = Workload("hot_pread", count=1000)
    recording = Recording("-p", work.pid, "--raw", TMP / "trace.raw")
    work.go()
    work.wait_done()
    work.finish()
    equal(recording.wait(), 0, f"exit code ({recording.text()})")
    whole = (TMP / "trace.raw").read_bytes()
    path = TMP / "lying.raw"
    half = len(whole) // 2
    for what, pieces in (("the start", ((b"\0", 1), (whole[1:], 1))), ("the middle", ((whole[:half], 1), (b"\xff", 4096), (whole[half:], 1))),
                         ("all but the start", ((whole[:8], 1), (b"\xff", 64 * MIB)))):
        filled(path, *pieces)
        print(what)
        refused(["replay", path, "-o", TMP / "replayed.jsonl"], place="byte ")
