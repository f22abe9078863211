"""What is traced ends as it does untraced, whatever it is doing, however often it is attached to."""
import os
import pathlib
import signal
import subprocess

from lib import (TMP, Recording, Skip, Trace, Workload, check, equal, iohops, need, sized, traced, wait_exit, wait_until)

UNSAID = ("minor_faults", "major_faults")  # tracing takes no page, but faults are the memory's business


def said(oracle):
    facts = {k: v for k, v in oracle["facts"].items() if k not in UNSAID}
    return {"ops": oracle["ops"], "calls": oracle["calls"], "facts": facts}


def untraced(mode, **options):
    work = Workload(mode, **options)
    work.go()
    work.wait_done()
    return said(work.finish())


def state_of(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_it_is_attached_to_and_left_again_and_again():
    """The target copies a file over and over, and checks what arrives. Our descriptors are what we hold."""
    source, copy = TMP / "source", TMP / "copy"
    source.write_bytes(os.urandom(1 << 20))
    script = f'while :; do cat "{source}" >"{copy}" || exit 9; cmp -s "{source}" "{copy}" || exit 8; done'
    target = subprocess.Popen(["sh", "-c", f"trap 'exit 0' TERM; {script}"])
    held = len(os.listdir(f"/proc/{target.pid}/fd"))
    for _ in range(sized(4, 1000)):
        done = iohops("record", "-f", "-p", target.pid, "-d", "20ms", "-o", TMP / "t.jsonl", "-q")
        equal((done.returncode, done.stderr), (0, ""), "exit code and messages of record")
    equal(target.poll(), None, "the target's state: 8, 9: its copy was not its source")
    # More for a moment, while it redirects; one that was left in it would stay.
    wait_until(lambda: len(os.listdir(f"/proc/{target.pid}/fd")) <= held + 1, "the target holds no more descriptors than before")
    target.terminate()
    equal(wait_exit(target, "the target"), 0, "exit code of the target")


def test_it_may_be_stopped_all_the_time():
    work = Workload("hot_pread", count=50)
    work.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: state_of(work.pid) == "T", "it is stopped")
    recording = Recording("-p", work.pid)
    equal(state_of(work.pid), "T", "its state while it is traced")
    work.go()
    trace = recording.trace()
    equal([trace.requests, state_of(work.pid)], [[], "T"], "requests, and its state afterwards")
    work.process.send_signal(signal.SIGCONT)
    work.wait_done()
    equal(said(work.finish()), untraced("hot_pread", count=50), "what it says that it did")


def test_a_parent_in_vfork_is_traced_with_its_children():
    trace, oracle, _ = traced("vfork", count=20, threads=30, arguments=["-f"])
    equal(said(oracle), untraced("vfork", count=20, threads=30), "what it says that it did")
    reads = trace.on(TMP / "data")
    equal(len([r for r in reads if r["pid"] == oracle["pid"]]), 20, "requests of the parent")
    equal(len([r for r in reads if r["pid"] != oracle["pid"]]), oracle["facts"]["child_requests"], "of the children")


def test_a_thread_that_is_not_the_first_may_exec():
    trace, oracle, _ = traced("thread_exec", count=40, arguments=["-v"])
    equal(said(oracle), untraced("thread_exec", count=40), "what it says that it did")
    reads = trace.on(TMP / "data")
    equal(len(reads), oracle["facts"]["before_exec"] + 40, "requests before and after")
    equal({r["tid"] for r in reads}, {oracle["pid"]}, "threads: the one that calls exec becomes the first")


def test_threads_that_come_and_go_are_all_seen():
    count = sized(300, 100_000)
    trace, oracle, _ = traced("brief_threads", count=1, threads=count, arguments=["-v"])
    equal((len(trace.on(TMP / "data")), trace.lost), (count, 0), "requests seen and lost")
    equal(oracle["ops"]["pread64"]["requests"], count, "requests made")


def test_thousands_of_threads_at_a_time():
    count = sized(1000, 5000)
    trace, oracle, _ = traced("threads", count=2, threads=count)
    equal(len({r["tid"] for r in trace.on(TMP / "data")}), count, "threads with requests")


def test_short_children_are_followed_and_forgotten():
    """More of them than there is room for at a time, and than there are process ids."""
    count = sized(300, 40_000)
    script = f'i=0; while [ $i -lt {count} ]; do ( read -r x </etc/hostname ); i=$((i + 1)); done'
    done = iohops("record", "-o", TMP / "t.jsonl", "--op", "read", "--path", "/etc/hostname", "--", "sh", "-c", script,
                  patience=sized(60, 600))
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    trace = Trace(TMP / "t.jsonl")
    equal(trace.lost, 0, "lost")
    first = [r["pid"] for r in trace.on("/etc/hostname") if r["offset"] == 0]
    equal(len(first), count, "children that read its first byte")
    check(len(set(first)) > count / 2, "ids are not used again at once")


def test_a_debugger_may_trace_it_at_the_same_time():
    need("strace")
    work = Workload("hot_pread", count=200)
    log = TMP / "strace.log"
    strace = subprocess.Popen(["strace", "-f", "-e", "trace=pread64", "-o", log, "-p", str(work.pid)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    check(b"attached" in strace.stderr.readline(), "strace did not attach")
    recording = Recording("-p", work.pid)
    work.go()
    work.wait_done()
    trace = recording.trace()
    oracle = work.finish()
    wait_exit(strace)
    trace.equals_program_count(oracle)
    equal(log.read_text().count("pread64("), 200, "calls that strace saw")


def test_calls_of_32_bit_programs_are_counted_as_lost():
    work = Workload("compat", count=50) if os.uname().machine == "x86_64" else None
    if not work:
        raise Skip("this kernel has no int $0x80")
    recording = Recording("-p", work.pid)
    work.go()
    try:
        work.wait_done()
    except AssertionError:
        if work.process.poll() == -signal.SIGSEGV:
            raise Skip("this kernel runs no 32-bit system calls") from None
        raise
    trace = recording.trace()
    oracle = work.finish()
    equal(oracle["facts"]["compat_bytes"], 5000, "bytes written by them")
    equal(trace.summary["lost"]["by_cause"].get("compat"), 50, "calls counted as lost")
    trace.equals_program_count(oracle)


def in_frozen_file_system(folder, work_in):
    """work_in(mount point, freeze, thaw) on an ext4 of our own: a write to a frozen one sleeps uninterruptibly."""
    need("fsfreeze", "mkfs.ext4")
    image = TMP / "image"
    with open(image, "wb") as f:
        f.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, folder], stderr=subprocess.PIPE).returncode:
        raise Skip("this kernel refuses to mount an image")
    try:
        work_in(folder)
    finally:
        subprocess.run(["fsfreeze", "-u", folder], stderr=subprocess.PIPE)
        subprocess.run(["umount", folder], check=True)


def test_a_target_in_uninterruptible_sleep_is_neither_woken_nor_waited_for():
    folder = TMP / "mount"
    folder.mkdir()

    def frozen(folder):
        work = Workload("buffered_write", path=folder / "data", count=10)
        subprocess.run(["fsfreeze", "-f", folder], check=True)
        work.go()
        wait_until(lambda: state_of(work.pid) == "D", "it sleeps in its first write")
        before = Recording("-p", work.pid)  # attached to in the middle of a request
        equal(before.stop(), 0, f"exit code ({before.text()})")
        equal(state_of(work.pid), "D", "its state after it was traced")
        recording = Recording("-p", work.pid)
        subprocess.run(["fsfreeze", "-u", folder], check=True)
        work.wait_done()
        trace = recording.trace()
        oracle = work.finish()
        equal(oracle["ops"]["write"]["returned"], 10 * 4096, "bytes written")
        # The first write had begun before: nobody saw that.
        equal(len(trace.ops("write")), 9, "requests that began while it was traced")

    in_frozen_file_system(folder, frozen)
