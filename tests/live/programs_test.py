"""Real programs: dd, cp, sqlite3, fio, Python, a PostgreSQL backend."""
import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys
import tempfile

from lib import (PATIENCE, TMP, Recording, Skip, Trace, check, difference, disk_of, equal, EPOLL_WAITS,
                 in_system_call, iohops, need, proc_io, wait_exit, wait_until)


def traced_command(*command, arguments=(), **popen):
    """Records a command from its first instruction; gives the trace and what the command said."""
    output = TMP / "command.jsonl"
    done = iohops("record", "-q", "-o", output, *arguments, "--", *command, **popen)
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    trace = Trace(output)
    equal(trace.lost, 0, "lost")
    return trace, done


def dd(*operands):
    need("dd")
    trace, done = traced_command("dd", *operands)
    said = re.search(r"^(\d+) bytes", done.stderr, re.M)
    check(said, f"dd did not say how much it copied: {done.stderr}")
    return trace, int(said.group(1))


def random_file(name, size):
    path = TMP / name
    path.write_bytes(os.urandom(size))
    fd = os.open(path, os.O_RDONLY)
    os.fdatasync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    return path


def test_dd_buffered_copies_each_byte_twice():
    source = random_file("source", 4 << 20)
    trace, copied = dd(f"if={source}", f"of={TMP}/copy", "bs=64k")
    equal(copied, 4 << 20, "bytes that dd copied")
    equal(trace.copies(trace.on(source)), {("page_cache", "user"): copied}, "copies on the way in")
    equal(trace.copies(trace.on(TMP / "copy")), {("user", "page_cache"): copied}, "copies on the way out")
    equal((TMP / "copy").read_bytes(), source.read_bytes(), "the copy")


def test_dd_direct_copies_nothing_by_cpu():
    source = random_file("source", 4 << 20)
    trace, copied = dd(f"if={source}", "of=/dev/null", "bs=1M", "iflag=direct")
    reads = [r for r in trace.on(source) if r["result"] > 0]
    equal([len(reads), sum(r["result"] for r in reads)], [4, copied], "reads")
    equal(trace.copies(reads), {}, "CPU copies")
    fetched = sum(o["bytes"] for t in trace.transfers for o in t["owners"]
                  if o["request"] in {r["id"] for r in reads})
    equal(fetched, copied, "bytes from the device")


def test_dd_direct_of_a_sparse_file_copies_nothing_and_is_told_nothing():
    kind = subprocess.run(["stat", "-fc", "%T", TMP], stdout=subprocess.PIPE, text=True).stdout.strip()
    if kind not in ("ext2/ext3", "xfs"):
        raise Skip(f"on {kind} a direct read can use the page cache unseen")
    source = random_file("sparse", 1 << 20)
    os.truncate(source, 8 << 20)
    trace, copied = dd(f"if={source}", "of=/dev/null", "bs=64k", "iflag=direct")
    equal(copied, 8 << 20, "bytes that dd copied")
    reads = trace.on(source)
    equal(trace.copies(reads), {}, "CPU copies")
    equal({r["path"] for r in reads if r["result"] > 0}, {"direct"}, "path")
    equal(sum(r["dma_bytes"] for r in reads), 1 << 20, "DMA bytes: those that are no hole")
    equal([a for a in trace.summary["advice"] if str(source) in a["title"]], [], "advice")


def test_what_is_appended_by_pwrite_is_not_absorbed():
    log = TMP / "log"
    trace, _ = traced_command(sys.executable, "-c", f"""
import os
fd = os.open({str(log)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for _ in range(16):
    os.pwrite(fd, bytes(4096), 0)
os.fsync(fd)
""")
    equal(log.stat().st_size, 16 * 4096, "size of the file: pwrite appends")
    writes = [r for r in trace.on(log) if r["op"] == "pwrite64"]
    equal([r["offset"] for r in writes], [None] * 16, "offsets: not known")
    equal(trace.summary["writeback"]["absorbed_bytes"], 0, "absorbed")


def test_dd_dsync_waits_for_the_device_in_each_write():
    trace, copied = dd("if=/dev/zero", f"of={TMP}/synced", "bs=16k", "count=16", "oflag=dsync")
    writes = trace.on(TMP / "synced")
    equal([len(writes), sum(r["result"] for r in writes)], [16, copied], "writes")
    for r in writes:
        owned = sum(o["bytes"] for t in trace.transfers for o in t["owners"] if o["request"] == r["id"])
        check(owned >= 16384, f"{r['id']} wrote {owned} bytes")


def test_cp_reads_and_writes_every_byte_once():
    source = random_file("source", 1 << 20)
    # --sparse=always makes it read and write; otherwise it asks the kernel to copy.
    trace, _ = traced_command("cp", "--sparse=always", source, TMP / "copy")
    equal(sum(r["result"] for r in trace.on(source)), 1 << 20, "bytes read")
    equal(sum(r["result"] for r in trace.on(TMP / "copy")), 1 << 20, "bytes written")


def test_sqlite_does_the_calls_that_strace_counts():
    need("sqlite3", "strace")
    statements = ("create table t(a integer primary key, b text);"
                  "begin; insert into t(b) values('one'); insert into t(b) values('two'); commit;"
                  "begin; update t set b = 'three' where a = 1; commit;")
    calls = ["read", "write", "pread64", "pwrite64", "fdatasync", "fsync"]
    counted = TMP / "strace.txt"
    subprocess.run(["strace", "-f", "-c", "-o", counted, "-e", f"trace={','.join(calls)}", "sqlite3",
                    TMP / "counted.db", statements], check=True, stdin=subprocess.DEVNULL)
    expected = {}
    for line in counted.read_text().splitlines():
        fields = line.split()
        if fields and fields[-1] in calls:
            expected[fields[-1]] = int(fields[3])
    trace, _ = traced_command("sqlite3", TMP / "traced.db", statements)
    got = {op: len(trace.ops(op)) for op in expected}
    equal(got, expected, "calls, against strace")
    on_disk = [r for r in trace.requests if (trace.path_of(r) or "").startswith(str(TMP / "traced.db"))]
    equal(sum(r["result"] for r in on_disk if r["op"] == "pwrite64" and r["result"] > 0),
          sum(r["cpu_copy_bytes"] for r in on_disk if r["op"] == "pwrite64"), "bytes written and copied")


def fio(direct):
    need("fio")
    data = random_file("fio.data", 8 << 20)
    trace, done = traced_command(
        "fio", "--name=t", f"--filename={data}", "--ioengine=psync", "--rw=randread", "--bs=4k", "--size=8M",
        "--io_size=2M", "--thread=1", f"--direct={direct}", "--output-format=json", "--randseed=1",
        "--allow_file_create=0", arguments=["-f"], cwd=TMP)
    job = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]["read"]
    reads = [r for r in trace.on(data) if r["op"] == "pread64"]
    equal(len(reads), job["total_ios"], "requests, against fio")
    equal(sum(r["result"] for r in reads), job["io_bytes"], "bytes, against fio")
    return trace, reads, job


def test_fio_buffered_random_reads_are_counted_exactly():
    trace, reads, job = fio(direct=0)
    equal(trace.copies(reads), {("page_cache", "user"): job["io_bytes"]}, "CPU copies")


def test_fio_direct_random_reads_are_counted_exactly():
    trace, reads, job = fio(direct=1)
    equal(trace.copies(reads), {}, "CPU copies")
    owned = sum(o["bytes"] for t in trace.transfers if t["op"] == "read" for o in t["owners"])
    check(owned >= job["io_bytes"], f"{owned} bytes from the device for {job['io_bytes']}")


PYTHON_TARGET = """
import os, signal, sys
fd = os.open(sys.argv[1], os.O_RDWR)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
print("ready", flush=True)
signal.sigwait({signal.SIGUSR1})
got = sum(len(os.pread(fd, 10000, i * 10000)) for i in range(50))
put = sum(os.pwrite(fd, b"x" * 777, i * 5000) for i in range(30))
os.fsync(fd)
os.close(int(sys.argv[2]))
signal.sigwait({signal.SIGUSR1})
print(got, put)
"""


def test_a_python_program_attached_while_it_runs():
    data = random_file("python.data", 1 << 20)
    done, inherited = os.pipe()
    target = subprocess.Popen([sys.executable, "-c", PYTHON_TARGET, data, str(inherited)],
                              stdout=subprocess.PIPE, pass_fds=[inherited], text=True)
    os.close(inherited)
    equal(target.stdout.readline(), "ready\n", "what the program said")
    recording = Recording("-p", target.pid)
    before = proc_io(target.pid)
    target.send_signal(10)
    os.read(done, 1)
    counted = difference(proc_io(target.pid), before)
    trace = recording.trace()
    target.send_signal(10)
    got, put = map(int, target.communicate(timeout=PATIENCE)[0].split())
    trace.equals_kernel_count(target.pid, counted)
    equal(sum(r["result"] for r in trace.on(data) if r["op"] == "pread64"), got, "bytes read")
    equal(sum(r["result"] for r in trace.on(data) if r["op"] == "pwrite64"), put, "bytes written")
    equal(len(trace.ops("fsync")), 1, "fsync")


def postgres_programs():
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    folder = folders[-1] if folders else None
    if not folder or not shutil.which("psql") or not shutil.which("runuser"):
        raise Skip("postgresql is not installed")
    try:
        return folder, pwd.getpwnam("postgres")
    except KeyError:
        raise Skip("postgresql is not installed (no user postgres)") from None


@contextlib.contextmanager
def postgres():
    """A server of its own, in a folder of its own, on a Unix socket there; ended by its PID."""
    programs, user = postgres_programs()
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="iohops-pg.") as folder:
        os.chown(folder, user.pw_uid, user.pw_gid)
        run = ["runuser", "-u", "postgres", "--"]
        subprocess.run([*run, programs / "initdb", "-D", f"{folder}/data", "-A", "trust"], check=True,
                       stdout=subprocess.DEVNULL, cwd=folder)
        with open(f"{folder}/log", "wb") as log:
            server = subprocess.Popen([*run, programs / "postgres", "-D", f"{folder}/data", "-k", folder, "-h", "",
                                       "-c", "shared_buffers=1MB", "-c", "autovacuum=off"],
                                      cwd=folder, stdout=log, stderr=log)
        pid_file = pathlib.Path(folder, "data/postmaster.pid")
        try:
            wait_until(lambda: server.poll() is not None or
                       (pid_file.exists() and "ready" in pid_file.read_text()), "the server accepts connections")
            check(server.poll() is None, pathlib.Path(folder, "log").read_text())
            subprocess.run([*run, programs / "pgbench", "-h", folder, "-i", "-q", "-s", "1", "postgres"], check=True,
                           stderr=subprocess.DEVNULL, cwd=folder)
            yield run, folder, programs
        finally:
            os.kill(int(pid_file.read_text().split()[0]), 2)  # fast shutdown
            wait_exit(server, "the PostgreSQL server")


class Session:
    """One psql connection: run() returns when the server has answered, so the backend is idle."""

    def __init__(self, run, folder):
        self.psql = subprocess.Popen([*run, "psql", "-h", folder, "-qAtX", "postgres"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True, cwd=folder)

    def run(self, sql):
        self.psql.stdin.write(f"{sql}\n\\echo end\n")
        self.psql.stdin.flush()
        lines = iter(self.psql.stdout.readline, "end\n")
        return [line.rstrip("\n") for line in lines]

    def end(self):
        self.psql.stdin.close()
        wait_exit(self.psql, "psql")


def idle(pid):
    """The backend waits for its client."""
    return any(in_system_call(pid, number) for number in EPOLL_WAITS)


def child_names(pid):
    """Command line by PID of the children that have not ended."""
    names = {}
    for child in subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True).stdout.split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            names[int(child)] = pathlib.Path(f"/proc/{child}/cmdline").read_text().rstrip("\0")
    return names


def test_a_postgresql_backend_under_load_is_traced_by_its_pid():
    with postgres() as (run, folder, programs):
        session = Session(run, folder)
        backend = int(session.run("select pg_backend_pid();")[0])
        load = subprocess.Popen([*run, programs / "pgbench", "-h", folder, "-n", "-c", "2", "-T", "600", "postgres"],
                                cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: idle(backend), "the backend is idle")
            recording = Recording("-p", backend)
            before = proc_io(backend)
            for i in range(40):
                session.run(f"""begin;
                    update pgbench_accounts set abalance = abalance + 1 where aid = {1 + i * 2000};
                    insert into pgbench_history(tid, bid, aid, delta, mtime) values (1, 1, {i}, 1, now()); end;""")
            rows = session.run("select count(*), sum(abalance) from pgbench_accounts;")[0]
            wait_until(lambda: idle(backend), "the backend is idle")
            counted = difference(proc_io(backend), before)
            trace = recording.trace()
        finally:
            for pid in child_names(load.pid):
                os.kill(pid, 2)  # pgbench itself, below runuser
            wait_exit(load, "pgbench")
            session.end()
    check(rows.startswith("100000|"), f"the table holds {rows}")
    equal({r["pid"] for r in trace.requests}, {backend}, "processes")
    trace.equals_kernel_count(backend, counted)
    syncs = trace.ops("fdatasync")
    check(any("pg_wal" in (trace.path_of(r) or "") for r in syncs) or not syncs, "fdatasync on no log file")
    check(any("/base/" in (trace.path_of(r) or "") for r in trace.ops("pread64")), "no table was read")
    check(any("pg_wal" in (trace.path_of(r) or "") for r in trace.ops("pwrite64")), "no log was written")
    disk, _ = disk_of("/var/tmp")
    check(any(d["name"] == disk for d in trace.header["devices"]), f"{disk} is not among the devices")


def test_a_postgresql_checkpoint_and_the_log_are_paid_by_who_wrote_them():
    with postgres() as (run, folder, programs):
        session = Session(run, folder)
        backend = int(session.run("select pg_backend_pid();")[0])
        server = int(pathlib.Path(folder, "data/postmaster.pid").read_text().split()[0])
        # Those that stay: the backend that filled the tables may be about to end.
        names = {pid: name for pid, name in child_names(server).items() if "[local]" not in name or pid == backend}
        checkpointer = next(pid for pid, name in names.items() if "checkpointer" in name)
        recording = Recording("-f", "-p", ",".join(map(str, [server, *names])))
        subprocess.run([*run, programs / "pgbench", "-h", folder, "-n", "-c", "2", "-t", "150", "postgres"], cwd=folder,
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        session.run("checkpoint;")
        trace = recording.trace()
        session.end()
    equal(trace.lost, 0, "lost")
    files = {f["file"]: f["path"] for f in trace.files.values()}
    pid_of = {r["id"]: r["pid"] for r in trace.requests}

    def bytes_by_pid(part):
        sums = {}
        for t in trace.transfers:
            if t["op"] == "write" and part in files.get(t["file"], ""):
                for owner in t["owners"]:
                    pid = pid_of[owner["request"]]
                    sums[pid] = sums.get(pid, 0) + owner["bytes"]
        return sums
    log, tables = bytes_by_pid("/pg_wal/"), bytes_by_pid("/base/")
    backends = set(log) - set(names)
    check(len(backends) >= 2, f"the log was synced by {log}, of them are no backends {names}")
    # The longer it takes, the more the background writer does.
    writers = {pid for pid, name in names.items() if "background writer" in name} | {checkpointer}
    by_writers = sum(bytes_written for pid, bytes_written in tables.items() if pid in writers)
    check(tables.get(checkpointer, 0) > 0 and by_writers > 0.9 * sum(tables.values()), f"tables were written by {tables}")
    dma = trace.summary["dma"]["bytes"]
    unattributed = trace.summary["unattributed"]
    check(unattributed["bytes"] < 0.02 * dma, f"of {dma} bytes: {unattributed}")
    equal(trace.summary["syncs"]["requests"], len(trace.ops("fdatasync", "fsync", "sync_file_range")), "syncs")
