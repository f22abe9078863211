"""Threads, children, exec, signals, and targets that end while they are traced."""
import collections
import contextlib
import os
import signal
import subprocess
import sys

from lib import (READ, IOHOPS, TMP, Recording, Trace, Workload, check, difference, equal, iohops, proc_io,
                 record, traced, wait_exit)


def test_threads_that_exist_and_threads_to_come_are_traced():
    trace, oracle, _ = traced("threads", count=100)
    reads = trace.on(TMP / "data")
    by_thread = {}
    for r in reads:
        by_thread[r["tid"]] = by_thread.get(r["tid"], 0) + 1
    equal(sorted(by_thread.values()), [100] * oracle["facts"]["threads"], "requests of each thread")
    equal({r["pid"] for r in reads}, {oracle["pid"]}, "processes")


def test_children_are_not_traced_without_follow():
    trace, oracle, _ = traced("fork", count=20, threads=4)
    equal(len(trace.on(TMP / "data")), 20, "requests of the parent")
    equal({r["pid"] for r in trace.requests}, {oracle["pid"]}, "processes")


def test_follow_traces_children_from_their_first_request():
    trace, oracle, _ = traced("fork", count=20, threads=4, arguments=["-f"])
    equal(trace.lost, 0, "lost")
    of_children = [r for r in trace.on(TMP / "data") if r["pid"] != oracle["pid"]]
    equal(len(of_children), oracle["facts"]["child_requests"], "requests of children")
    equal(sum(r["result"] for r in of_children), oracle["facts"]["child_bytes"], "bytes of children")
    children = {r["pid"] for r in of_children}
    equal(len(children), oracle["facts"]["children"], "children")
    parents = {p["pid"]: p["parent"] for p in trace.of_type("process")}
    equal({parents.get(c) for c in children}, {oracle["pid"]}, "their parent")


READER = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
while True:
    os.pread(fd, 1, 0)
"""


@contextlib.contextmanager
def readers_on_all_cpus():
    readers = [subprocess.Popen([sys.executable, "-c", READER, IOHOPS], preexec_fn=lambda cpu=cpu: os.sched_setaffinity(0, {cpu}))
               for cpu in os.sched_getaffinity(0)]
    try:
        yield {reader.pid for reader in readers}
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()


def test_who_gets_the_cpu_after_a_traced_process_is_not_taken_for_it():
    """In some sandboxes the first process is one for which no program runs, not even when it gives the CPU away."""
    with readers_on_all_cpus() as readers:
        done = iohops("record", "-o", TMP / "t.jsonl", "-p", "1", "-d", "3s")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    trace = Trace(TMP / "t.jsonl")
    equal({r["pid"] for r in trace.requests} & readers, set(), "readers among the traced processes")
    equal(trace.lost, 0, "lost")


# Three children whose ids differ by the number of slots that threads have: two find theirs taken.
SAME_SLOT = """
import os, sys, time
SLOTS, CHILDREN = 16384, 3
def fork_as(pid):
    for _ in range(100):  # others fork, too
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:
            last.write(str(pid - 1))
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)  # until all are there
            if os.getpid() == pid:
                fd = os.open(sys.argv[1], os.O_RDONLY)
                for i in range(100):
                    os.pread(fd, 1, i)
            os._exit(0)
        os.close(read)
        if child == pid:
            return child, write
        os.close(write)
        os.waitpid(child, 0)
    sys.exit(f"no process can have the id {pid}")
first = next(p for p in range(301, SLOTS) if not any(os.path.exists(f"/proc/{p + i * SLOTS}") for i in range(CHILDREN)))
children = [fork_as(first + i * SLOTS) for i in range(CHILDREN)]
for _, write in children:
    os.close(write)
sys.exit(sum(os.waitpid(child, 0)[1] for child, _ in children))
"""


def test_threads_that_share_a_slot_are_all_traced():
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as most:
        before = most.read()
    with open("/proc/sys/kernel/pid_max", "w", encoding="ascii") as most:
        most.write(str(max(int(before), 1 << 16)))
    try:
        trace = record(sys.executable, "-c", SAME_SLOT, IOHOPS)
    finally:
        with open("/proc/sys/kernel/pid_max", "w", encoding="ascii") as most:
            most.write(before)
    reads = collections.Counter(r["tid"] for r in trace.on(IOHOPS) if r["op"] == "pread64")
    equal(sorted(reads.values()), [100] * 3, "requests of each child")
    equal(len({tid % 16384 for tid in reads}), 1, "slots")
    equal(trace.lost, 0, "lost")


def test_an_interrupted_read_is_one_request_that_failed():
    trace, oracle, _ = traced("interrupted_read", count=10)
    trace.equals_program_count(oracle)
    equal({r["result"] for r in trace.ops("read")}, {-4}, "results")
    equal({r.get("error") for r in trace.ops("read")}, {"EINTR"}, "errors")


def test_tracing_goes_on_after_an_exec():
    work = Workload("exec", count=50)
    with_old_name = Recording("-p", work.pid)
    work.go()
    work.wait_done()
    trace = with_old_name.trace()
    oracle = work.finish()
    equal(trace.lost, 0, "lost")
    on_file = [r for r in trace.on(TMP / "data") if r["op"] == "pread64"]
    equal(len(on_file), oracle["facts"]["before_exec"] + oracle["ops"]["pread64"]["requests"], "requests")
    equal({r["comm"] for r in on_file}, {"io", "exe"}, "names of the process")


def test_a_target_killed_in_the_middle_of_a_read_ends_the_recording():
    work = Workload("stuck_read", count=30)
    recording = Recording("-p", work.pid)
    work.go()
    work.wait_done(then=READ)
    work.process.kill()
    wait_exit(work.process, "the killed target")
    equal(recording.wait(), 0, f"exit code of record ({recording.text()})")
    trace = Trace(recording.output)
    # A fatal signal interrupts the call first, and only then ends the thread.
    stuck = trace.ops("read")
    equal([(r["result"], r.get("error")) for r in stuck], [(-4, "EINTR")], "how the read ended")
    equal(len(trace.ops("pread64")), 30, "requests before it")
    equal(trace.summary.get("stop_reason"), "target_exit", "why the recording stopped")


def test_two_targets_are_told_apart():
    works = [Workload("hot_pread", path=TMP / name, count=count) for name, count in (("a", 40), ("b", 70))]
    before = [proc_io(w.pid) for w in works]
    recording = Recording("-p", f"{works[0].pid},{works[1].pid}")
    for w in works:
        w.go()
    for w in works:
        w.wait_done()
    counted = [difference(proc_io(w.pid), b) for w, b in zip(works, before)]
    trace = recording.trace()
    for w, c in zip(works, counted):
        trace.equals_kernel_count(w.pid, c)
        w.finish()
    equal({len(trace.on(TMP / "a")), len(trace.on(TMP / "b"))}, {40, 70}, "requests of each")


def test_another_process_on_the_same_file_is_not_traced():
    traced_one = Workload("hot_pread", count=30)
    other = Workload("forever", path=TMP / "other")
    recording = Recording("-p", traced_one.pid)
    other.go()
    traced_one.go()
    traced_one.wait_done()
    trace = recording.trace()
    equal({r["pid"] for r in trace.requests}, {traced_one.pid}, "processes")
    other.process.terminate()
    check(other.finish()["facts"]["requests"] > 0, "the other process did nothing")
    traced_one.finish()


def test_the_status_of_a_command_is_handed_on():
    for command, status in ((["true"], 0), (["sh", "-c", "exit 7"], 7), (["/no/such/program"], 127),
                            ([TMP], 126)):
        done = iohops("record", "-o", TMP / "command.jsonl", "--", *command)
        equal(done.returncode, status, f"status of {command} ({done.stderr})")


def test_a_command_ended_by_a_signal_says_so():
    done = iohops("record", "-o", TMP / "command.jsonl", "--", "sh", "-c", "kill -TERM $$")
    check(done.returncode in (128 + signal.SIGTERM, -signal.SIGTERM),
          f"{IOHOPS} ended with {done.returncode}: {done.stderr}")
