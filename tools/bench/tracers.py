"""Who traces: iohops in its modes, the floor, and the tools that people use today, each at its best.

A tool that cannot run on this kernel, or that is not installed, is said to be so with its own words.
"""
import contextlib
import json
import os
import pathlib
import re
import resource
import select
import signal
import subprocess
import time

from workloads import BUILD, PATIENCE, Failed

IOHOPS = BUILD / "iohops"
QUIET_POLLS = 4  # a tool that does not say that it has attached has when its descriptors stay as they are
POLL_S = 0.05


def bpftrace_line(calls):
    """One line a request: the cheapest that a bpftrace script can do with an entry and a return."""
    names = calls.split(",")
    enter = ",".join(f"tracepoint:syscalls:sys_enter_{n}" for n in names)
    leave = ",".join(f"tracepoint:syscalls:sys_exit_{n}" for n in names)
    return (f"{enter} /pid == $1/ {{ @s[tid] = nsecs; @fd[tid] = args->fd; }} {leave} /@s[tid]/ "
            '{ printf("%d %d %d %d\\n", tid, @fd[tid], args->ret, nsecs - @s[tid]); delete(@s[tid]); }')


def bpftrace_histogram(calls):
    names = calls.split(",")
    enter = ",".join(f"tracepoint:syscalls:sys_enter_{n}" for n in names)
    leave = ",".join(f"tracepoint:syscalls:sys_exit_{n}" for n in names)
    return (f"{enter} /pid == $1/ {{ @s[tid] = nsecs; }} {leave} /@s[tid]/ "
            "{ @us = hist(nsecs - @s[tid]); delete(@s[tid]); }")


class Spec:
    """How to run a tool. `says` is what it prints when it has attached (None: see QUIET_POLLS); `lines`: it writes a
    line a request, which begins with a number or names the call, so that what is missing can be counted; `summary`:
    its last line counts them; `wraps`: it must start the program itself; `until_eof`: of its standard input."""

    def __init__(self, label, command, says=None, lines="", wraps=False, needs_calls=False, device=False, summary=False,
                 until_eof=False):
        self.label, self.command, self.says, self.lines = label, command, says, lines
        self.wraps, self.needs_calls, self.device = wraps, needs_calls, device
        self.summary, self.until_eof = summary, until_eof


FLOOR_SAYS, IOHOPS_SAYS = ("stdout", "attached"), ("stderr", "iohops: tracing")
MODES = {  # of iohops: label, arguments, what it says when it traces, whether a summary ends its output
    "record": ("iohops record, JSON Lines", "record -o {out}", IOHOPS_SAYS, True),
    "raw": ("iohops record --raw", "record --raw {out}", IOHOPS_SAYS, False),
    "misses": ("iohops record --detail misses", "record --detail misses -o {out}", IOHOPS_SAYS, True),
    "light": ("iohops record --light", "record --light -o {out}", IOHOPS_SAYS, True),
    "top": ("iohops top --batch", "top --batch -i 0.1", ("stdout", "\n"), False),
}


def iohops(mode, binary=IOHOPS, note=""):
    label, arguments, says, summary = MODES[mode]
    return Spec(label + note, lambda w, pid, out: [
        binary, *(a.format(out=out) for a in arguments.split()), "-p", pid, *(["-f"] if w.follow else [])],
        says, summary=summary)


def against(path, modes):
    """Rows of another iohops, in the same modes; Failed if that is not one."""
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        raise Failed(f"--against {path}: {'not a program' if os.path.exists(path) else 'there is no such file'}")
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run([os.path.abspath(path), "--version"], capture_output=True, text=True, errors="replace",
                              timeout=PATIENCE, check=True).stdout
        if "iohops" in said:
            return {f"{mode}@{path}": iohops(mode, os.path.abspath(path), f" of {path}") for mode in modes}
    raise Failed(f"--against {path}: its --version does not say that it is iohops")


def specs():
    table = {
        "nothing": Spec("nothing, as a check", lambda w, pid, out: ["sh", "-c", "echo attached; exec cat"], FLOOR_SAYS,
                        until_eof=True),
        "empty": Spec("empty pair of tracepoints", lambda w, pid, out: [BUILD / "bench/empty"], FLOOR_SAYS,
                      until_eof=True),
        **{mode: iohops(mode) for mode in MODES},
        "strace": Spec("strace -e trace=CALL", lambda w, pid, out: [
            "strace", "-f", "-o", out, "-e", "trace=" + w.calls, "-p", pid], ("stderr", "attached"), "name",
            needs_calls=True),
        "strace-bpf": Spec("strace --seccomp-bpf", lambda w, pid, out: [
            "strace", "-f", "--seccomp-bpf", "-o", out, "-e", "trace=" + w.calls], lines="name", wraps=True,
            needs_calls=True),
        "perf": Spec("perf trace -e CALL", lambda w, pid, out: [
            "perf", "trace", "-o", out, "-e", w.calls, "-p", pid], lines="name", needs_calls=True),
        "bpftrace": Spec("bpftrace, a line a request", lambda w, pid, out: [
            "bpftrace", "-o", out, "-e", bpftrace_line(w.calls), pid], lines="number", needs_calls=True),
        "bpftrace-hist": Spec("bpftrace, a histogram", lambda w, pid, out: [
            "bpftrace", "-o", out, "-e", bpftrace_histogram(w.calls), pid], needs_calls=True),
        "trace-cmd": Spec("trace-cmd -e raw_syscalls", lambda w, pid, out: [
            "trace-cmd", "record", "-q", "-e", "raw_syscalls", "-P", pid, "-o", out], ("stdout", "Hit Ctrl")),
        "syscount": Spec("libbpf-tools syscount -L", lambda w, pid, out: ["syscount", "-L", "-p", pid]),
        "filetop": Spec("libbpf-tools filetop", lambda w, pid, out: ["filetop", "-C", "-p", pid, "1"]),
        "cachestat": Spec("libbpf-tools cachestat", lambda w, pid, out: ["cachestat", "1"]),
        "biosnoop": Spec("libbpf-tools biosnoop", lambda w, pid, out: ["biosnoop"], device=True),
        "biolatency": Spec("libbpf-tools biolatency", lambda w, pid, out: ["biolatency"], device=True),
        "blktrace": Spec("blktrace", lambda w, pid, out: ["blktrace", "-d", device_of(out), "-o", "-"], device=True),
        "sysdig": Spec("sysdig --modern-bpf", lambda w, pid, out: [
            "sysdig", "--modern-bpf", "-w", out, f"proc.pid={pid}"]),
    }
    return table


def device_of(path):
    """The block device under a file."""
    dev = os.stat(path.parent).st_dev
    return "/dev/" + os.path.basename(os.readlink(f"/sys/dev/block/{os.major(dev)}:{os.minor(dev)}"))


def cpu_ns(pid):
    """CPU time of all threads of a process so far."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total


class Tracer:
    """A tool that is attached when the constructor returns."""

    def __init__(self, spec, workload, pid, folder, cpus):
        self.spec, self.out = spec, folder / "trace.jsonl"
        self.out.unlink(missing_ok=True)
        command = list(map(str, spec.command(workload, pid, self.out)))
        self.log = open(folder / "log", "w+")
        pipes = {"stdout": self.log, "stderr": self.log}
        if spec.says:
            pipes[spec.says[0]] = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, **pipes, text=True,
                                        preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        self._await_attached()
        self.cpu_at_start = cpu_ns(self.process.pid)

    def _await_attached(self):
        if self.spec.says:
            pipe = getattr(self.process, self.spec.says[0])
            line = " "
            while line and self.spec.says[1] not in line:
                if not select.select([pipe], [], [], PATIENCE)[0]:
                    self._refuse("it did not attach")
                line = pipe.readline()
                self.log.write(line)
            if line:
                return
        seen, quiet = None, 0
        until = time.monotonic() + PATIENCE
        while quiet < QUIET_POLLS:
            if self.process.poll() is not None or time.monotonic() > until:
                self._refuse("it did not attach")
            time.sleep(POLL_S)  # its descriptors are all that there is to look at
            now = self._descriptors()
            quiet = quiet + 1 if now and now == seen else 0
            seen = now

    def _descriptors(self):
        """Those that a tracer holds: perf events, BPF programs and links, the ring of ftrace."""
        found = set()
        with contextlib.suppress(OSError):
            for fd in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    target = os.readlink(fd)
                    if re.search(r"perf_event|bpf|trace_pipe_raw|scap", target):
                        found.add((fd.name, target))
        return found

    def _refuse(self, otherwise):
        self.process.kill()
        self.process.wait()
        self.log.flush()
        self.log.seek(0)
        lines = [l.strip() for l in self.log.read().splitlines() if l.strip()]
        raise Failed(lines[-1][:100] if lines else otherwise)

    def rss(self):
        with contextlib.suppress(OSError, StopIteration):
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
            return int(next(l for l in status.splitlines() if l.startswith("VmRSS")).split()[1]) * 1024
        return None

    def stop(self, workload, calls):
        """Ends it, and what it made of `calls` calls: cpu_ns, bytes, requests and lost where they are known."""
        before = resource_of_children()
        self.process.stdin.close()
        self.process.stdin = None
        if not self.spec.until_eof:
            self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=PATIENCE)
        facts = {"cpu_ns": resource_of_children() - before - self.cpu_at_start}
        if self.out.exists():
            facts["bytes"] = self.out.stat().st_size
            if self.spec.summary:
                facts |= self._summary()
            elif self.spec.lines:
                facts["lost"] = max(0, calls - count_lines(self.out, self.spec.lines, workload.calls.split(",")))
            self.out.unlink()
        self.log.close()
        return facts

    def _summary(self):
        with open(self.out, "rb") as f:
            f.seek(max(0, self.out.stat().st_size - 4_000_000))
            summary = json.loads(f.read().splitlines()[-1])
        return {"requests": summary["requests"], "lost": summary["lost"]["total"]}


def count_lines(path, how, names):
    with open(path, errors="replace") as f:
        if how == "number":
            return sum(1 for line in f if line[:1].isdigit())
        return sum(1 for line in f if any(n in line for n in names))


def resource_of_children():
    """CPU time of all children that were reaped so far, ns."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((usage.ru_utime + usage.ru_stime) * 1e9)
