"""What is traced while its speed is measured. Each workload is held until the tracer is attached.

`hold()` gives the PID to attach to; `run()` lets it go and returns {"ns": of one call, "p99_ns": of calls timed one
by one or None, "calls": how many}. Loops (tools/bench/loop.cpp) live through the whole bench, programs are started for
each sample. `turn(ms)` is a short run(), of the same process where it can be: its "ns" is the lower quartile of single
calls or of small batches, which what else happens on the machine moves least; "mean_ns" tells all of them.
"""
import contextlib
import json
import os
import pathlib
import pwd
import re
import select
import shutil
import signal
import statistics
import subprocess
import time

from paired import lower_quartile

BUILD = pathlib.Path(os.environ.get("IOHOPS_BUILD", "build"))
PATIENCE = 120


class Failed(Exception):
    pass


def read_line(pipe, what):
    """One line from a pipe, with a limit to waiting."""
    if not select.select([pipe], [], [], PATIENCE)[0]:
        raise Failed(f"{what} said nothing for {PATIENCE} s")
    line = pipe.readline()
    if not line:
        raise Failed(f"{what} ended early")
    return line


class Loop:
    """One call, over and over, on a CPU of its own."""
    follow = False

    def __init__(self, name, folder, cpu, prefix=()):
        self.calls = {"pread": "pread64", "pread64k": "pread64", "write512": "pwrite64", "direct": "pread64",
                      "uring": "io_uring_enter", "fault": "", "tcp": "sendto,recvfrom", "getppid": "getppid"}[name]
        self.process = subprocess.Popen([*prefix, BUILD / "bench/loop", name, folder / f"file.{name}", str(cpu)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True, bufsize=1)
        _, pid, self.scheduling, self.title = read_line(self.process.stdout, "the loop").split(maxsplit=3)
        self.title = self.title.strip()
        self.pid = int(pid)

    def hold(self):
        return self.pid

    def run(self):
        self.process.stdin.write("go\n")
        sample = json.loads(read_line(self.process.stdout, "the loop"))
        return sample | {"ns": statistics.median(sample["ns"])}

    def turn(self, ms):
        self.process.stdin.write(f"turn {ms}\n")
        sample = json.loads(read_line(self.process.stdout, "the loop"))
        return sample | {"ns": sample["quartiles_ns"][0]}

    def end(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


class Bystander:
    """A loop that nobody traces, while an idle process is traced: what everybody else pays."""
    follow = False
    calls = ""

    def __init__(self, loop, idle):
        self.loop, self.idle = loop, idle
        self.title = loop.title
        self.scheduling = loop.scheduling

    def hold(self):
        return self.idle.pid

    def run(self):
        return self.loop.run()

    def turn(self, ms):
        return self.loop.turn(ms)

    def end(self):
        pass


class Program:
    """A program that others wrote, stopped before its exec until it may run."""
    follow = False
    calls = ""

    def __init__(self, title, command, measure, prepare=None, script=None):
        self.title, self.command, self.measure = title, list(map(str, command)), measure
        self.prepare, self.script = prepare, script
        self.process = None

    def hold(self):
        if self.prepare:
            self.prepare()
        self.process = subprocess.Popen(["sh", "-c", 'kill -STOP $$; exec "$@"', "sh", *self.command],
                                        stdin=open(self.script) if self.script else subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)
        return self.process.pid

    def run(self):
        begin = time.monotonic_ns()
        os.kill(self.process.pid, signal.SIGCONT)
        out, _ = self.process.communicate(timeout=PATIENCE)
        if self.process.returncode:
            raise Failed(f"{self.command[0]} ended with {self.process.returncode}")
        return self.measure(out, time.monotonic_ns() - begin)

    def turn(self, _):
        return self.run()  # as short as its command says

    def end(self):
        pass


def fio(folder, rw, ms=2000):
    # One process with four threads, so that one PID names all of it.
    command = ["fio", "--name=bench", f"--filename={folder / 'fio'}", f"--rw={rw}", "--bs=4k", "--size=64m", "--thread",
               "--numjobs=4", f"--runtime={ms}ms", "--time_based", "--ioengine=psync", "--group_reporting", "--invalidate=0",
               "--output-format=json"]

    def measure(out, _):
        side = json.loads(out[out.index("{"):])["jobs"][0]["read" if "read" in rw else "write"]
        return {"ns": 1e9 / side["iops"], "p99_ns": side["clat_ns"]["percentile"]["99.000000"],
                "calls": side["total_ios"]}

    def prepare():
        if not (folder / "fio").exists():
            subprocess.run(["fio", "--name=lay", f"--filename={folder / 'fio'}", "--rw=write", "--bs=1m", "--size=64m"],
                           stdout=subprocess.DEVNULL, check=True)

    return Program(f"fio {rw}, 4 KiB, 4 jobs", command, measure, prepare)


def sqlite(folder, inserts=20_000):
    database, script = folder / "sqlite.db", folder / "sqlite.sql"
    script.write_text("pragma journal_mode=wal; pragma synchronous=normal; create table t(a, b);\n" +
                      "".join(f"insert into t values({i}, 'row {i}');\n" for i in range(inserts)))

    def prepare():
        for path in folder.glob("sqlite.db*"):
            path.unlink()

    return Program("sqlite, single inserts (WAL)", ["sqlite3", database],
                   lambda out, ns: {"ns": ns / inserts, "p99_ns": None, "calls": inserts}, prepare, script)


class SqliteSession:
    """The same inserts by one process that lives on; a turn is many batches of them, each timed."""
    follow = False
    calls = ""
    title = "sqlite, single inserts (WAL), one process"
    BATCH = 100

    def __init__(self, folder):
        if not shutil.which("sqlite3") or not shutil.which("stdbuf"):
            raise Failed("sqlite3 or stdbuf is not installed")
        self.script = folder / "batch.sql"
        self.script.write_text("".join(f"insert into t values({i}, 'row {i}');\n" for i in range(self.BATCH)) +
                               "select 'done';\n")
        self.process = subprocess.Popen(["stdbuf", "-oL", "sqlite3", folder / "session.db"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)
        self._ask("pragma journal_mode=wal; pragma synchronous=normal; create table t(a, b); select 'done';")

    def _ask(self, line):
        self.process.stdin.write(line + "\n")
        while read_line(self.process.stdout, "sqlite3") != "done\n":
            pass

    def hold(self):
        return self.process.pid

    def turn(self, ms):
        times = []
        begin = before = time.monotonic_ns()
        while before - begin < ms * 1_000_000 or len(times) < 8:
            self._ask(f".read {self.script}")
            after = time.monotonic_ns()
            times.append((after - before) / self.BATCH)
            before = after
        return {"ns": lower_quartile(times), "mean_ns": statistics.fmean(times), "p99_ns": None,
                "calls": len(times) * self.BATCH}

    def end(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


class Pgbench:
    """pgbench -S, one client, over a server of its own; tracers get the postmaster and follow its children."""
    follow = True
    calls = ""
    title = "pgbench -S, one client"

    def __init__(self, folder):
        self.bin = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), default=None)
        if not self.bin or not shutil.which("pgbench"):
            raise Failed("PostgreSQL is not installed")
        self.pace = None  # transactions in a ms, when the first turn has told
        self.folder = folder / "pg"
        self.folder.mkdir()
        user = pwd.getpwnam("postgres")
        shutil.chown(self.folder, user.pw_uid, user.pw_gid)
        self.user = {"user": user.pw_uid, "group": user.pw_gid, "cwd": self.folder} if os.getuid() == 0 else {}
        self._run(self.bin / "initdb", "-D", self.folder / "data", "-A", "trust", "--no-sync")
        self.server = subprocess.Popen([self.bin / "postgres", "-D", self.folder / "data", "-k", self.folder, "-h", ""],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.user)
        until = time.monotonic() + PATIENCE
        while subprocess.run([self.bin / "pg_isready", "-q", "-h", self.folder], check=False).returncode:
            if time.monotonic() > until or self.server.poll() is not None:
                raise Failed("PostgreSQL did not start")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.server.wait(0.1)
        self._run("pgbench", "-h", self.folder, "-i", "-q", "postgres")

    def _run(self, *command):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **self.user)
        if done.returncode:
            raise Failed(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout

    def hold(self):
        return self.server.pid

    def _transactions(self, *how_many):
        """(what pgbench says, the sorted times of its transactions in ns, which it logs in us)."""
        for log in self.folder.glob("pgbench_log*"):
            log.unlink()
        out = self._run("pgbench", "-h", self.folder, "-S", "-n", "-c", "1", *how_many, "-l", "postgres")
        # transaction latency in microseconds is the third column
        return out, sorted(int(line.split()[2]) * 1000 for log in self.folder.glob("pgbench_log*")
                           for line in log.read_text().splitlines())

    def run(self):
        out, times = self._transactions("-T", "2")
        tps = float(re.search(r"tps = ([\d.]+)", out).group(1))
        return {"ns": 1e9 / tps, "p99_ns": times[len(times) * 99 // 100], "calls": len(times)}

    def turn(self, ms):
        """The server lives on; its client is a new one, whose shortest -T is a second."""
        if not self.pace:
            _, times = self._transactions("-t", "500")
            self.pace = 1e6 / statistics.fmean(times)
        _, times = self._transactions("-t", str(max(100, int(ms * self.pace))))
        return {"ns": lower_quartile(times), "mean_ns": statistics.fmean(times),
                "p99_ns": times[len(times) * 99 // 100], "calls": len(times)}

    def end(self):
        self.server.send_signal(signal.SIGINT)
        self.server.wait(PATIENCE)
