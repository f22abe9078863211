"""Ends at any moment, of iohops and of what it traces: a recording is valid to its last line, nothing stays attached."""
import json
import os
import pathlib
import random
import select
import signal
import subprocess

from lib import (IOHOPS, TMP, Recording, Trace, Workload, check, equal, need, read_records, sized, wait_exit, wait_until)

CATCHABLE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def forever():
    work = Workload("forever", pause=100)
    work.go()
    return work


def is_alive(work):
    equal(work.process.poll(), None, "the target's state")
    work.process.terminate()
    work.finish()


def lines_of(path):
    """Whole lines; what stands behind the last line break was being written."""
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def ids(kind):
    listed = subprocess.run(["bpftool", "-j", kind, "list"], stdout=subprocess.PIPE, text=True).stdout
    return {o["id"]: o for o in json.loads(listed or "[]")}


def of_process(pid):
    """{prog, map, link: ids} that a process holds, by /proc/PID/fdinfo: others trace on this machine, too."""
    found = {"prog": set(), "map": set(), "link": set()}
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = info.read_text()
        except OSError:
            continue
        for kind, ids_of in found.items():
            key = f"{kind}_id:\t"
            # A link names its program, too.
            if key in text and (kind == "link" or "link_id:" not in text):
                ids_of.add(int(text.split(key)[1].split()[0]))
    return found


def test_every_signal_that_can_be_caught_leaves_a_whole_recording():
    """From the first moment at which it has its signals to the last: while it loads, while it traces."""
    work, chance = forever(), random.Random(20260)
    for attempt in range(sized(8, 250)):
        number = CATCHABLE[attempt % len(CATCHABLE)]
        early = attempt % 3 == 2
        recording = Recording("-p", work.pid, output=TMP / "caught.jsonl", armed=not early)
        # Moments that no condition names: that is the test.
        select.select([], [], [], chance.random() * (0.8 if early else 0.05))
        code = recording.stop(number)
        if code == -number and early:
            continue  # it had not taken its signals over
        equal(code, 0, f"exit code after signal {number} ({recording.text()})")
        kinds = [r["type"] for r in read_records(recording.output)]
        equal([kinds[0], kinds[-1]], ["header", "summary"], "first and last record")
    is_alive(work)


def test_a_kill_leaves_whole_lines_and_nothing_attached():
    need("bpftool")
    work, chance = forever(), random.Random(9)
    for attempt in range(sized(4, 250)):
        recording = Recording("-p", work.pid, "--raw", TMP / f"killed.raw")
        own = of_process(recording.process.pid)
        check(own["prog"] and own["map"] and own["link"], f"it holds no programs: {own}")
        select.select([], [], [], chance.random() * 0.1)
        recording.process.kill()
        wait_exit(recording.process)
        wait_until(lambda: not any(own[kind] & set(ids(kind)) for kind in own), "its programs, maps and links are gone")
        kinds = [r["type"] for r in lines_of(recording.output)]
        check("summary" not in kinds, "a summary after a kill")
        check(not kinds or kinds[0] == "header", f"first record: {kinds[:1]}")
    is_alive(work)


def test_a_second_interrupt_does_not_wait_for_a_reader_that_sleeps():
    fifo = TMP / "t.jsonl"
    os.mkfifo(fifo)
    work = Workload("forever")
    work.go()
    recorder = subprocess.Popen([IOHOPS, "record", "-p", str(work.pid), "-o", fifo], stderr=subprocess.PIPE)
    with open(fifo, "rb") as reader:
        reader.readline()  # and never again
        wait_until(lambda: b"pipe_write" in pathlib.Path(f"/proc/{recorder.pid}/task/{threads(recorder.pid)[-1]}/wchan")
                   .read_bytes(), "its writer waits for the reader")
        recorder.send_signal(signal.SIGINT)
        wait_until(lambda: not of_process(recorder.pid)["link"], "it is detached")
        equal(recorder.poll(), None, "its state after the first interrupt")
        recorder.send_signal(signal.SIGINT)
        equal(wait_exit(recorder), -signal.SIGINT, "how it ended")
    is_alive(work)


def threads(pid):
    return sorted(map(int, os.listdir(f"/proc/{pid}/task")))


def test_a_target_that_dies_while_it_is_attached_to_ends_the_recording():
    chance = random.Random(3)
    for _ in range(sized(3, 100)):
        work = forever()
        recording = Recording("-p", work.pid, armed=False)
        select.select([], [], [], chance.random() * 0.8)
        work.process.kill()
        wait_exit(work.process, "the target")
        code = recording.wait()
        if code == 5:
            continue  # it was gone before it was looked at
        equal(code, 0, f"exit code ({recording.text()})")
        equal(Trace(recording.output).summary["stop_reason"], "target_exit", "why it stopped")


def reborn(pid):
    """A process with a number that another one had, which reads a file."""
    pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
    child = subprocess.Popen(["head", "-c", "1", "/etc/hostname"], stdout=subprocess.DEVNULL)
    child.wait()
    return child.pid == pid


def test_a_process_that_gets_a_number_again_is_not_traced():
    works = [Workload("hot_pread", path=TMP / name, count=20) for name in ("a", "b")]
    recording = Recording("-p", ",".join(str(w.pid) for w in works))
    for work in works:
        work.go()
    for work in works:
        work.wait_done()
    gone = works[0].pid
    works[0].finish()
    wait_until(lambda: reborn(gone), "its number is given away again")
    trace = recording.trace()
    works[1].finish()
    equal({r["comm"] for r in trace.requests}, {"io"}, "who made requests")
    equal([r for r in trace.requests if trace.path_of(r) == "/etc/hostname"], [], "requests of the other process")
