"""What live tests share: a workload behind its barrier, a recording, a trace and its invariants.

Nothing here computes what iohops should print from what iohops printed: the oracles are the
workload's own count, /proc/PID/io, the fault counters and the block device's statistics.
"""
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import time

IOHOPS = os.environ.get("IOHOPS", "build/iohops")
BUILD = pathlib.Path(os.environ.get("IOHOPS_BUILD", "build"))
TMP = pathlib.Path(os.environ.get("IOHOPS_TMP", "/var/tmp"))
# Seconds that any awaited condition may take.
PATIENCE = 30 * int(os.environ.get("IOHOPS_PATIENCE", 1))
READS = {"read", "pread64", "readv", "preadv", "preadv2"}
WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2"}
# What /proc/PID/io does not count, or counts on its own terms.
MESSAGES = {"sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg"}
MOVES = {"sendfile", "splice", "tee", "vmsplice", "copy_file_range"}
SYNCS = {"fsync", "fdatasync", "sync_file_range", "msync"}
PAGE = os.sysconf("SC_PAGESIZE")
# System call numbers, as /proc/PID/syscall prints them.
RT_SIGTIMEDWAIT, READ, EPOLL_WAITS = (128, 0, (232, 281)) if os.uname().machine == "x86_64" else (137, 63, (22,))


def dirtied(counted, wanted):
    """What the program dirtied or wrote past the cache, by /proc/PID/io. Whoever's turn it is checkpoints the
    journal, and has dirtied blocks of metadata then, too."""
    metadata = counted["write_bytes"] - wanted
    check(0 <= metadata < 65536, f"write_bytes of /proc/PID/io: {counted['write_bytes']}, expected {wanted}")


def sized(short, full):
    """How often, or how much: `short` in make check, `full` in make stress, or as many as its TIMES says."""
    if not os.environ.get("IOHOPS_STRESS"):
        return short
    return int(os.environ.get("TIMES") or full)


class Skip(Exception):
    """The test cannot run here; the text says what is missing."""


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")


def equal(got, expected, what):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected}, got {got}")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def wait_until(condition, what, patience=PATIENCE):
    """Polls for what nothing notifies of (a line in /proc). Gives the condition's value."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"gave up after {patience} s waiting until {what}")
        time.sleep(0.002)


def wait_exit(process, what="the process"):
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{what} did not end within {PATIENCE} s") from None


def proc_io(pid):
    """What the kernel counted for a process: /proc/PID/io, and how often its main thread slept."""
    with open(f"/proc/{pid}/io") as f:
        counted = {k: int(v) for k, v in (line.split(": ") for line in f)}
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    counted["sleeps"] = int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return counted


def difference(after, before):
    return {k: after[k] - before[k] for k in after}


def in_system_call(pid, number):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/syscall").read_text().split()[0] == str(number)
    return False


def disk_of(path):
    """(name, dev_t of the file system) of the disk below `path`, or a skip."""
    dev = os.stat(path).st_dev
    sysfs = pathlib.Path(f"/sys/dev/block/{os.major(dev)}:{os.minor(dev)}")
    if not sysfs.exists():
        raise Skip(f"no such device: {path} does not lie on a disk")
    folder = sysfs.resolve()
    if (folder / "partition").exists():
        folder = folder.parent
    return folder.name, dev


def disk_bytes(name):
    """Bytes (read, written) that a disk has completed since boot."""
    fields = pathlib.Path(f"/sys/block/{name}/stat").read_text().split()
    return int(fields[2]) * 512, int(fields[6]) * 512


class Workload:
    """build/workloads/io behind its barrier: ready, go(), wait_done(), finish()."""

    def __init__(self, mode, path=None, **options):
        self.path = pathlib.Path(path or TMP / "data")
        done, inherited = os.pipe()
        self._done = done
        arguments = [BUILD / "workloads/io", mode, self.path, "--barrier", "--done-fd", str(inherited)]
        for name, value in options.items():
            arguments += [f"--{name}", str(value)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        pass_fds=[inherited], text=True)
        os.close(inherited)
        self.pid = self.process.pid
        line = self.process.stdout.readline()
        if line != f"ready {self.pid}\n":
            raise AssertionError(f"{mode} did not get ready: {line!r} {self.process.stderr.read()}")
        # The write of that line is over when it waits for its signal: nothing is in flight.
        wait_until(lambda: in_system_call(self.pid, RT_SIGTIMEDWAIT), f"{mode} waits for its signal")

    def go(self):
        self.process.send_signal(signal.SIGUSR1)

    def wait_done(self, then=RT_SIGTIMEDWAIT, patience=PATIENCE):
        """The measured part is over, and the workload sleeps in the system call `then`."""
        if not select.select([self._done], [], [], patience)[0]:
            raise AssertionError(f"the workload was not done after {patience} s")
        os.read(self._done, 1)  # end of file: it closed its end
        wait_until(lambda: self.process.poll() is not None or in_system_call(self.pid, then),
                   f"the workload is in system call {then}")
        if self.process.returncode is not None:
            raise AssertionError(f"the workload ended with {self.process.returncode}: {self.process.stderr.read()}")

    def finish(self):
        """Lets it end; what it says that it did."""
        self.process.send_signal(signal.SIGUSR1)
        out, err = self.process.communicate(timeout=PATIENCE)
        if self.process.returncode != 0:
            raise AssertionError(f"the workload failed: {err}")
        return json.loads(out)


class Recording:
    """iohops record, from the moment at which it says that it traces."""

    def __init__(self, *arguments, output=None, armed=True, **popen):
        self.output = pathlib.Path(output or TMP / "trace.jsonl")
        self.process = subprocess.Popen(
            [IOHOPS, "record", "-o", self.output, *map(str, arguments)],
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **popen)
        self.said = b""
        if armed:
            self.wait_armed()

    def wait_armed(self):
        end = time.monotonic() + PATIENCE
        stderr = self.process.stderr.fileno()
        while not any(l.startswith(b"iohops: tracing") for l in self.said.splitlines()):
            left = end - time.monotonic()
            ready = select.select([stderr], [], [], max(0, left))[0]
            more = os.read(stderr, 65536) if ready else b""
            self.said += more
            if not more:
                raise AssertionError(f"iohops record did not begin to trace; it said: {self.text()}")

    def text(self):
        return self.said.decode(errors="replace")

    def wait(self, patience=PATIENCE):
        """Its exit code, and all that it said is in .said."""
        try:
            self.said += self.process.communicate(timeout=patience)[1]
        except subprocess.TimeoutExpired:
            raise AssertionError(f"iohops record did not end within {patience} s: {self.text()}") from None
        return self.process.returncode

    def stop(self, number=signal.SIGINT, patience=PATIENCE):
        self.process.send_signal(number)
        return self.wait(patience)

    def trace(self):
        """Stops it, wants exit 0, reads and validates what it wrote."""
        code = self.stop()
        equal(code, 0, f"exit code of record ({self.text()})")
        return Trace(self.output)


class Trace:
    """A recording as Python sees it: plain dictionaries, by type."""

    def __init__(self, path, validate=True):
        self.path = pathlib.Path(path)
        if validate:
            validate_output(self.path)
        self.records = read_records(self.path)
        self.header = self._one("header")
        self.summary = self._one("summary")
        for cause, count in self.summary["lost"]["by_cause"].items():
            print(f"{cause}: {count}")  # shown when the test fails; tests/run looks for completion_missed
        self.requests = self.of_type("request")
        self.transfers = self.of_type("transfer")
        self.effects = self.of_type("effect")
        self.files = {f["file"]: f for f in self.of_type("file")}
        if "thinned" not in self.header:
            self.check_invariants()

    def of_type(self, kind):
        return [r for r in self.records if r["type"] == kind]

    def _one(self, kind):
        found = self.of_type(kind)
        equal(len(found), 1, f"{kind} records in {self.path}")
        return found[0]

    @property
    def lost(self):
        return self.summary["lost"]["total"]

    def path_of(self, request):
        f = self.files.get(request.get("file"))
        return f["path"] if f else None

    def on(self, path):
        """The requests on one file."""
        return [r for r in self.requests if self.path_of(r) == str(path)]

    def ops(self, *names):
        return [r for r in self.requests if r["op"] in names]

    def hops(self, kind, requests=None):
        return [h for r in (self.requests if requests is None else requests)
                for h in r["hops"] if h["hop"] == kind]

    def copies(self, requests=None):
        """{(from, to): bytes} of the CPU copies."""
        sums = {}
        for h in self.hops("cpu_copy", requests):
            key = (h["from"], h["to"])
            sums[key] = sums.get(key, 0) + h["bytes"]
        return sums

    def check_invariants(self):
        """What must hold in every trace, whatever was traced."""
        ids = [r["id"] for r in self.requests]
        equal(len(set(ids)), len(ids), "distinct request ids")
        for r in self.requests:
            name = f"{r['op']} {r['id']}"
            check(r["duration_ns"] >= 0, f"{name}: a negative duration")
            if r["complete"]:
                copies = [h for h in r["hops"] if h["hop"] == "cpu_copy"]
                equal(r["cpu_copy_bytes"], sum(h["bytes"] for h in copies), f"{name}: cpu_copy_bytes")
                dma = [h for h in r["hops"] if h["hop"] == "dma"]
                equal(r["dma_bytes"], sum(h["bytes"] for h in dma), f"{name}: dma_bytes")
            for h in r["hops"]:
                check(h["at_ns"] <= h.get("end_ns", h["at_ns"]), f"{name}: a hop ends before it begins: {h}")
        for t in self.transfers:
            owned, data = sum(o["bytes"] for o in t["owners"]), t["op"] in ("read", "write", "transmit", "receive")
            equal(t["unattributed_bytes"], t["bytes"] - owned if data else 0, f"transfer {t['id']}: bytes without an owner")
            known = [t[k] for k in ("queue_ns", "issue_ns", "complete_ns") if t.get(k) is not None]
            equal(known, sorted(known), f"transfer {t['id']}: queued, issued, completed")
        total = {
            "requests": len(self.requests),
            "bytes_returned": sum(r.get("moved_bytes", max(0, r["result"]))
                                  for r in self.requests if r["moves_data"]),
            "mode_switches": sum(r["mode_switches"] for r in self.requests),
        }
        if self.header.get("light"):
            equal(self.summary["requests"], total["requests"], "summary.requests, against the records")
            return
        for key, value in total.items():
            equal(self.summary[key], value, f"summary.{key}, against the sum over the records")
        own = sum(h["bytes"] for h in self.hops("cpu_copy") if h["transfer"] is None)
        of_stages = sum(c["bytes"] for t in self.transfers for c in t.get("copies", []))
        equal(self.summary["cpu_copies"]["bytes"], own + of_stages, "summary.cpu_copies.bytes")
        self.check_stacks()

    def check_stacks(self):
        """A device below owes its owners to the one above."""
        by_id = {t["id"]: t for t in self.transfers}
        for t in self.transfers:
            for parent in t.get("parents", []):
                above = by_id.get(parent["transfer"])
                if above:
                    check(above["carried_on"], f"{above['id']} is not carried on, though {t['id']} does so")
                    names = {o["request"] for p in t["parents"] if p["transfer"] in by_id
                             for o in by_id[p["transfer"]]["owners"]}
                    check({o["request"] for o in t["owners"]} <= names, f"{t['id']} has owners that none above has")

    def returned(self, ops, pid=None):
        return sum(r["result"] for r in self.ops(*ops)
                   if r["result"] > 0 and (pid is None or r["pid"] == pid))

    def equals_kernel_count(self, pid, counted):
        """rchar and wchar count what system calls returned: equal, not close."""
        equal(self.lost, 0, "lost")
        equal(self.returned(READS, pid), counted["rchar"], "bytes read, against rchar of /proc/PID/io")
        equal(self.returned(WRITES, pid), counted["wchar"], "bytes written, against wchar of /proc/PID/io")

    def equals_program_count(self, oracle):
        """The same calls, with the same arguments and results, in the same order."""
        names = {c[0] for c in oracle["calls"]}
        seen = sorted((r for r in self.requests if r["op"] in names), key=lambda r: r["start_ns"])
        for op, said in oracle["ops"].items():
            of_op = [r for r in seen if r["op"] == op]
            equal(len(of_op), said["requests"], f"{op}: requests")
            equal(sum(1 for r in of_op if r["result"] < 0), said["errors"], f"{op}: errors")
            equal(sum(max(0, r["result"]) for r in of_op), said["returned"], f"{op}: bytes returned")
        for call, r in zip(oracle["calls"], seen):
            op, offset, requested, result = call
            got = [r["op"], r.get("offset"), r.get("requested"), r["result"]]
            want = [op, offset if offset >= 0 else got[1], requested if op not in SYNCS else got[2], result]
            equal(got, want, f"request {r['id']} [op, offset, requested, result]")


def read_records(path):
    path = str(path)
    if path.endswith(".zst"):
        text = subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
    else:
        text = pathlib.Path(path).read_bytes()
    if path.removesuffix(".zst").endswith(".json"):
        document = json.loads(text)
        return [document["header"], *document["records"], document["summary"]]
    return [json.loads(line) for line in text.splitlines()]


def streamed(path):
    """The records of a long JSON Lines recording, one at a time. What stands behind its last line break is left out."""
    with open(path, "rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield json.loads(line)


def validate_output(*paths):
    """Every output must satisfy the schema that iohops itself prints."""
    schema = BUILD / "schema.json"
    binary = pathlib.Path(IOHOPS)
    if not schema.exists() or schema.stat().st_mtime < binary.stat().st_mtime:
        text = subprocess.run([IOHOPS, "schema"], check=True, stdout=subprocess.PIPE).stdout
        fresh = schema.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(text)
        fresh.replace(schema)
    done = subprocess.run([sys.executable, "tests/schema/validate.py", schema, *paths],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    equal(done.returncode, 0, f"validation of {', '.join(map(str, paths))}:\n{done.stdout[-2000:]}\nexit code")


def iohops(*arguments, patience=PATIENCE, **popen):
    """Runs a subcommand to its end."""
    return subprocess.run([IOHOPS, *map(str, arguments)], stdin=subprocess.DEVNULL, timeout=patience,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", **popen)


def traced(mode, *filters, path=None, arguments=(), **options):
    """One workload, traced by its PID from before its measured part until after it.

    Gives (trace, what the workload says, what /proc/PID/io counted in between)."""
    work = Workload(mode, path=path, **options)
    recording = Recording("-p", work.pid, *arguments)
    before = proc_io(work.pid)
    work.go()
    work.wait_done()
    counted = difference(proc_io(work.pid), before)
    trace = recording.trace()
    oracle = work.finish()
    if not arguments:
        # The kernel adds what reaped children did to their parent's count.
        counted["rchar"] -= oracle["facts"].get("child_bytes", 0)
        trace.equals_kernel_count(work.pid, counted)
    return trace, oracle, counted


def record(*command, output="trace.jsonl", arguments=()):
    """Traces a command from its first instruction to its end; nothing may be lost."""
    out = TMP / output
    done = iohops("record", "-q", "-o", out, *arguments, "--", *map(str, command))
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    trace = Trace(out)
    equal(trace.lost, 0, "lost")
    return trace


def run(*command):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    equal(done.returncode, 0, f"{' '.join(map(str, command))}: {done.stderr} exit code")
    return done.stdout


@contextlib.contextmanager
def loop_device(size, direct=False):
    """A loop device of our own in the file loop.img: nobody else's I/O goes there."""
    need("losetup")
    image = TMP / "loop.img"
    with open(image, "wb") as f:
        os.posix_fallocate(f.fileno(), 0, size)
    done = subprocess.run(["losetup", "-f", "--show", f"--direct-io={'on' if direct else 'off'}", image],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Skip(f"no loop device to be had: {done.stderr.strip()}")
    device = pathlib.Path(done.stdout.strip())
    try:
        is_direct = pathlib.Path(f"/sys/block/{device.name}/loop/dio").read_text().strip() == "1"
        if is_direct != direct:
            raise Skip(f"the file system of {TMP} refuses direct I/O to loop devices")
        yield device
    finally:
        run("losetup", "-d", device)
        image.unlink()


MAKE_FILE_SYSTEM = {"ext4": ["-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0"], "xfs": ["-q", "-f"], "btrfs": ["-q", "-f"]}


@contextlib.contextmanager
def file_system(kind, device):
    """Made on the device and mounted; gives the folder."""
    need(f"mkfs.{kind}")
    run(f"mkfs.{kind}", *MAKE_FILE_SYSTEM[kind], device)
    folder = TMP / "mounted"
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", kind, device, folder], stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Skip(f"this kernel has no {kind}: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        run("umount", folder)
