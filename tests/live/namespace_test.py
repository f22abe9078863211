"""Targets in PID, mount and cgroup namespaces: numbers of both sides, and paths as the target sees them."""
import os
import pathlib
import subprocess

from lib import PATIENCE, TMP, Recording, Skip, Trace, check, equal, wait_until

# What the innermost process does, in its own words: it says its numbers and waits, then it reads.
PROGRAM = """
import os, sys
print(os.getpid(), flush=True)
sys.stdin.readline()
with open(sys.argv[1], "rb", buffering=0) as f:
    while f.read(4096):
        pass
"""


def can_nest():
    probe = subprocess.run(["unshare", "-pmf", "--mount-proc", "unshare", "-pmf", "--mount-proc", "true"],
                           stderr=subprocess.PIPE, text=True)
    if probe.returncode:
        raise Skip(f"this kernel refuses nested namespaces: {probe.stderr.strip()}")


def innermost(pid):
    """The last of the only children below a process, by this namespace's numbers."""
    while True:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if len(children) != 1:
            return pid
        pid = int(children[0])


class Nested:
    """PROGRAM on `path`, two PID and mount namespaces down, behind `setup` (a shell line in the innermost)."""

    def __init__(self, path, setup="true", words=()):
        inner = ["sh", "-c", setup + ' && exec "$@"', "sh", "/usr/bin/python3", "-c", PROGRAM, str(path)]
        nest = ["unshare", "-pmf", "--mount-proc"]
        self.process = subprocess.Popen([*words, *nest, *nest, *inner], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.inner_pid = int(self.process.stdout.readline())
        self.pid = innermost(self.process.pid)
        numbers = pathlib.Path(f"/proc/{self.pid}/status").read_text().split("NSpid:")[1].splitlines()[0].split()
        equal((len(numbers), int(numbers[-1])), (3, self.inner_pid), "PID namespaces of the target")

    def finish(self):
        self.process.communicate("go\n", timeout=PATIENCE)
        equal(self.process.returncode, 0, "exit code of the target")


def reads_of(trace, path):
    return [r for r in trace.on(path) if r["op"] == "read"]


def traced(nested):
    recording = Recording("-p", nested.pid)
    nested.finish()
    equal(recording.wait(), 0, f"exit code of record ({recording.text()})")
    return Trace(recording.output)


def test_a_target_two_pid_namespaces_down_has_both_its_numbers():
    can_nest()
    data = TMP / "data"
    data.write_bytes(bytes(40960))
    nested = Nested(data)
    trace = traced(nested)
    process = [p for p in trace.of_type("process") if p["pid"] == nested.pid]
    check(process, f"no process {nested.pid} in the trace")
    equal({p["ns_pid"] for p in process}, {nested.inner_pid}, "its number in its own namespace")
    reads = reads_of(trace, data)
    equal([r["result"] for r in reads], [4096] * 10 + [0], "its reads")
    equal({(r["pid"], r["tid"]) for r in reads}, {(nested.pid, nested.pid)}, "its numbers in the records")


def test_children_in_a_namespace_of_their_own_are_followed():
    can_nest()
    data = TMP / "data"
    data.write_bytes(bytes(8192))
    recording = Recording("-f", "--", "unshare", "-pf", "--mount-proc", "sh", "-c", f"cat {data} {data} >/dev/null; true", armed=False)
    equal(recording.wait(), 0, f"exit code of record ({recording.text()})")
    trace = Trace(recording.output)
    by = {p["pid"]: p for p in trace.of_type("process")}
    readers = {r["pid"] for r in trace.on(data)}
    equal(len(readers), 1, "processes that read the file")
    cat = by[readers.pop()]
    shell = by[cat["parent"]]
    equal((cat["comm"], cat["ns_pid"], shell["ns_pid"]), ("cat", 2, 1), "cat and its shell, in their namespace")
    check(cat["pid"] != 2, "and here they have other numbers")


def test_a_path_is_that_of_the_mount_namespace():
    """A bind mount, a tmpfs and a file system root that only the target has: its names count."""
    can_nest()
    folder = TMP / "outside"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "data").write_bytes(bytes(8192))
    # /mnt exists everywhere; what is mounted there is seen by the target alone.
    nested = Nested("/mnt/there/deep/data", f"mount -t tmpfs none /mnt && mkdir /mnt/there && mount --bind {folder} /mnt/there")
    trace = traced(nested)
    equal(len(reads_of(trace, "/mnt/there/deep/data")), 3, "reads by the target's name for the file")
    equal(reads_of(trace, folder / "deep" / "data"), [], "reads by the name that it has here")
    check(not pathlib.Path("/mnt/there").exists(), "the mount is the target's alone")


def test_a_path_in_a_container_begins_at_its_root():
    can_nest()
    root = TMP / "root"
    for name in ("usr", "lib", "lib64", "bin", "proc", "old"):
        (root / name).mkdir(parents=True)
    (root / "data").write_bytes(bytes(8192))
    binds = " && ".join(f"mount --rbind /{name} {root}/{name}" for name in ("usr", "lib", "lib64", "bin") if os.path.exists(f"/{name}"))
    # As container runtimes do: the folder becomes a mount, the mount becomes the root.
    pivot = (f"mount --make-rprivate / && mount --bind {root} {root} && {binds} && mount -t proc proc {root}/proc && "
             f"cd {root} && pivot_root . old && umount -l /old")
    trace = traced(Nested("/data", pivot))
    equal(len(reads_of(trace, "/data")), 3, "reads of /data")


def test_a_target_in_a_cgroup_of_its_own_is_traced_like_others():
    can_nest()
    root = next((p for p in (pathlib.Path("/sys/fs/cgroup"), pathlib.Path("/sys/fs/cgroup/unified"))
                 if (p / "cgroup.procs").exists()), None)
    if root is None:
        raise Skip("cgroup v2 is not mounted: this kernel has none, or its host hides it")
    group = root / f"iohops-test-{os.getpid()}"
    group.mkdir()
    try:
        data = TMP / "data"
        data.write_bytes(bytes(8192))
        nested = Nested(data, words=["sh", "-c", f"echo $$ >{group}/cgroup.procs && exec unshare -C \"$@\"", "sh"])
        check(f"/{group.name}" in pathlib.Path(f"/proc/{nested.pid}/cgroup").read_text(), "the target is in the group")
        trace = traced(nested)
        equal(len(reads_of(trace, data)), 3, "its reads")
        equal({p["ns_pid"] for p in trace.of_type("process") if p["pid"] == nested.pid}, {nested.inner_pid}, "its number")
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "the group is empty")
        group.rmdir()
