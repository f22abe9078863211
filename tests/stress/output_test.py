"""Outputs that fail: exit 6 with the reason and how much was written, what was written can be read, the target goes on."""
import collections
import contextlib
import fcntl
import json
import os
import pathlib
import re
import resource
import subprocess
import tempfile

from lib import (IOHOPS, TMP, Recording, Skip, Workload, check, equal, file_system, iohops, loop_device, sized, wait_exit,
                 wait_until)


@contextlib.contextmanager
def small_disk(size):
    with tempfile.TemporaryDirectory(dir=TMP) as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], stderr=subprocess.PIPE).returncode:
            raise Skip("this kernel refuses to mount a tmpfs")
        try:
            yield pathlib.Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def failing(reason, *arguments, count=5000, **popen):
    """A recording whose output fails; what it said, after the target has done all that it wanted."""
    work = Workload("hot_pread", count=count)
    recording = Recording("-p", work.pid, *arguments, **popen)
    work.go()
    work.wait_done()
    recording.process.send_signal(2)
    equal(recording.wait(patience=120), 6, f"exit code ({recording.text()})")
    equal(work.finish()["ops"]["pread64"]["returned"], count * 4096, "bytes that the target got")
    check(re.search(reason, recording.text()), f"not said: {reason}: {recording.text()}")
    return recording


def readable(path):
    """Its whole lines are records, and report says that it was cut short."""
    lines = [l for l in path.read_bytes().splitlines(keepends=True) if l.endswith(b"\n")]
    records = [json.loads(l) for l in lines]
    equal(records[0]["type"], "header", "first record")
    check(records[-1]["type"] != "summary", "a summary, although the output failed")
    report = iohops("report", path)
    equal(report.returncode, 0, f"exit code of report ({report.stderr})")
    check("cut short" in report.stdout, "report does not say that it was cut short")
    return [r for r in records if r["type"] == "request"]


def test_a_full_device_is_told():
    with open("/dev/full", "w") as full:
        failing(r"stdout: No space left on device after 0 bytes", output="-", stdout=full)


def test_a_full_file_system_keeps_what_fitted():
    with small_disk("256k") as folder:
        recording = failing(r"t\.jsonl: No space left on device after 262,144 bytes", output=folder / "t.jsonl")
        check(len(readable(recording.output)) > 100, "hardly a request could be read")


def test_a_limit_of_the_file_size_is_no_death():
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    recording = failing(r"File too large after 100,000 bytes; .*ulimit -f", preexec_fn=limit)
    check(len(readable(recording.output)) > 50, "hardly a request could be read")


def test_a_command_has_the_limits_that_it_was_started_with():
    """Ignored here, SIGXFSZ and SIGPIPE end the command as they always do."""
    done = iohops("record", "-o", TMP / "t.jsonl", "--", "sh", "-c", "grep SigIgn /proc/self/status")
    bits = int(re.search(r"SigIgn:\s*([0-9a-f]+)", done.stdout).group(1), 16)
    equal(bits & (1 << 12 | 1 << 24), 0, "SIGPIPE and SIGXFSZ among the ignored signals of a command")


def test_a_file_in_a_folder_that_cannot_be_written_is_refused():
    with small_disk("64k") as folder:
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        done = iohops("record", "-o", folder / "t.jsonl", "--", "true")
        equal(done.returncode, 6, f"exit code ({done.stderr})")
        check("Read-only file system" in done.stderr, f"the reason is missing: {done.stderr}")


def test_a_reader_that_has_seen_enough_is_no_reason_to_say_anything():
    work = Workload("forever")
    work.go()
    recorder = subprocess.Popen(f"exec {IOHOPS} record -q -p {work.pid} -o - | head -n 1", shell=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = recorder.communicate(timeout=60)
    equal((json.loads(out)["type"], err), ("header", b""), "what came through, what was said")
    equal(work.process.poll(), None, "the target's state")
    work.process.terminate()
    work.finish()


def open_files(pid):
    """[(name, bytes)] of its descriptors."""
    found = []
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            found.append((os.readlink(fd), fd.stat().st_size))
    return found


def memory_of(pid):
    return int(re.search(r"VmHWM:\s*(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) << 10


def test_a_slow_reader_costs_disk_and_no_memory():
    count, fifo = sized(300_000, 10_000_000), TMP / "t.jsonl"
    os.mkfifo(fifo)
    work = Workload("forever")
    recorder = subprocess.Popen([IOHOPS, "record", "-q", "-p", str(work.pid), "-o", fifo], stderr=subprocess.PIPE,
                                env={**os.environ, "TMPDIR": str(TMP)})
    with open(fifo, "rb") as reader:
        reader.readline()  # the header: it traces
        work.go()
        waiting = wait_until(lambda: (b := sum(b for name, b in open_files(recorder.pid) if "(deleted)" in name)) > count * 80 and b,
                             "the spool has grown", patience=sized(60, 600))
        work.process.terminate()
        work.wait_done()
        recorder.send_signal(2)
        used = memory_of(recorder.pid)
        check(used < 128 << 20, f"{used >> 20} MiB of memory for {waiting >> 20} MiB that wait to be read")
        seen, last = 0, b""
        for line in reader:
            seen, last = seen + line.startswith(b'{"type":"request"'), line
    equal(wait_exit(recorder), 0, f"exit code ({recorder.stderr.read()})")
    summary = json.loads(last)
    equal(summary["type"], "summary", "last record")
    made = work.finish()["facts"]["requests"]
    on_pread = summary["by_op"]["pread64"]["requests"]
    equal(on_pread + summary["lost"]["by_cause"].get("ring_request", 0), made, "requests seen and lost, of those made")
    equal(summary["requests"], seen, "requests that came through the pipe")


@contextlib.contextmanager
def frozen(folder):
    """Who writes to its file system sleeps until the end of this."""
    FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
    fd = os.open(folder, os.O_RDONLY)
    fcntl.ioctl(fd, FIFREEZE, 0)
    try:
        yield
    finally:
        fcntl.ioctl(fd, FITHAW, 0)
        os.close(fd)


@contextlib.contextmanager
def ending(process):
    """A failing test leaves no process behind that keeps a mounted folder busy."""
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_a_disk_that_stands_still_costs_no_request():
    """What the spool's file does not take waits in memory, and the rings are drained."""
    count, fifo = 1_000_000, TMP / "t.jsonl"  # 24 bytes each: three times what the spool's memory and a ring hold
    os.mkfifo(fifo)
    work = Workload("hot_pread", count=count)
    with loop_device(64 << 20) as device, file_system("ext4", device) as folder:
        recorder = subprocess.Popen([IOHOPS, "record", "-q", "-p", str(work.pid), "-o", fifo], stderr=subprocess.PIPE,
                                    env={**os.environ, "TMPDIR": str(folder)})
        with ending(recorder), open(fifo, "rb") as reader:
            reader.readline()  # the header: it traces
            with frozen(folder):
                work.go()
                work.wait_done()
                recorder.send_signal(2)
                wait_until(lambda: not any("bpf_link" in name for name, _ in open_files(recorder.pid)), "it has let go of the target")
            last = collections.deque(reader, maxlen=1)[0]
            equal(wait_exit(recorder), 0, f"exit code ({recorder.stderr.read()})")
    summary = json.loads(last)
    work.finish()
    equal(summary["lost"]["total"], 0, "lost")
    equal(summary["by_op"]["pread64"]["requests"], count, "requests")


def test_a_spool_that_cannot_grow_ends_the_recording_with_what_it_holds():
    fifo = TMP / "t.jsonl"
    os.mkfifo(fifo)
    work = Workload("forever")
    with small_disk("2m") as folder:
        recorder = subprocess.Popen([IOHOPS, "record", "-q", "-p", str(work.pid), "-o", fifo], stderr=subprocess.PIPE,
                                    env={**os.environ, "TMPDIR": str(folder)})
        with open(fifo, "rb") as reader:
            reader.readline()
            work.go()
            wait_until(lambda: not any("bpf_link" in name for name, _ in open_files(recorder.pid)), "it has let go of the target")
            kinds = [json.loads(line)["type"] for line in reader]
        equal(wait_exit(recorder), 6, "exit code")
        said = recorder.stderr.read().decode()
    check("No space left on device" in said and "TMPDIR" in said, f"the reason is missing: {said}")
    check(kinds.count("request") > 50_000 and "summary" not in kinds, f"{kinds.count('request')} requests, last {kinds[-1]}")
    equal(work.process.poll(), None, "the target's state")
    work.process.terminate()
    work.finish()
