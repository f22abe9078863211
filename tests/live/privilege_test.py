"""Privileges: as few as will do, none while tracing, and a refusal that doctor agrees with."""
import json
import os
import pathlib
import platform
import select
import shutil
import subprocess

from lib import IOHOPS, PATIENCE, TMP, Recording, Skip, Trace, Workload, check, difference, equal, iohops, need, proc_io

NOBODY = 65534
CAP_BPF = 1 << 39
LEAST = "+bpf,+perfmon"


def as_nobody(capabilities):
    """The words in front of a command that give it another user's identity and just these capabilities."""
    if os.geteuid() != 0:
        raise Skip("only root can give privileges up")
    need("setpriv")
    bounds = ["--bounding-set", "-all," + capabilities] if capabilities else ["--bounding-set", "-all"]
    keep = ["--inh-caps", "-all," + capabilities, "--ambient-caps", "-all," + capabilities] if capabilities else []
    return ["setpriv", *keep, *bounds, "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]


def anybodys_copy():
    """iohops where every user may run it."""
    os.chmod(TMP, 0o777)
    copy = TMP / "iohops-copy"
    if not copy.exists():
        shutil.copy(IOHOPS, copy)
        copy.chmod(0o755)
    return copy


def capabilities_of(pid):
    """What each thread of a process holds, by name of the set."""
    held = []
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        lines = dict(line.split(":\t") for line in (thread / "status").read_text().splitlines() if ":\t" in line)
        held.append({name: int(lines[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
                    | {"NoNewPrivs": int(lines["NoNewPrivs"])})
    return held


def kernel_before(major, minor):
    return tuple(int(n) for n in platform.release().split("-")[0].split(".")[:2]) < (major, minor)


def holds_nothing(pid, threads):
    if "IOHOPS_SANITIZED" in os.environ:
        return  # a sanitizer's own thread keeps what the program was started with
    # Older kernels may ask for CAP_BPF at every look into a map.
    allowed = {0, CAP_BPF} if kernel_before(5, 19) else {0}
    held = capabilities_of(pid)
    equal(len(held), threads, "threads")
    for sets in held:
        equal(sets.pop("NoNewPrivs"), 1, "no new privileges")
        check(set(sets.values()) <= allowed, f"capabilities while tracing: {sets}")


def record_as(words, *arguments, binary=IOHOPS):
    """A Recording behind other words; they exec, so its PID is iohops's own."""
    recording = Recording.__new__(Recording)
    recording.output = TMP / "trace.jsonl"
    recording.said = b""
    recording.process = subprocess.Popen([*words, binary, "record", "-o", recording.output, *map(str, arguments)],
                                         stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    recording.wait_armed()
    return recording


def exactly_traced(words, binary, arguments=()):
    work = Workload("hot_pread", count=200)
    recording = record_as(words, "-p", work.pid, *arguments, binary=binary)
    holds_nothing(recording.process.pid, threads=2)
    before = proc_io(work.pid)
    work.go()
    work.wait_done()
    counted = difference(proc_io(work.pid), before)
    trace = recording.trace()
    trace.equals_program_count(work.finish())
    trace.equals_kernel_count(work.pid, counted)
    return trace


def test_root_holds_no_capability_while_it_records():
    exactly_traced([], IOHOPS)


def test_two_capabilities_are_enough_and_go_away():
    trace = exactly_traced(as_nobody(LEAST), anybodys_copy())
    equal(os.stat(trace.path).st_uid, NOBODY, "owner of the recording")
    with_all = iohops("doctor", "--json")
    least = subprocess.run([*as_nobody(LEAST), anybodys_copy(), "doctor", "--json"], stdout=subprocess.PIPE, text=True)
    equal(least.returncode, 0, "doctor with two capabilities")
    # Frame numbers, by which DMA is observed on some machines, are for CAP_SYS_ADMIN alone.
    grades = [{name: grade["evidence"] for name, grade in json.loads(text)["evidence"].items() if name != "dma"}
              for text in (with_all.stdout, least.stdout)]
    equal(grades[1], grades[0], "evidence with two capabilities, and with all")


def test_capabilities_of_the_file_do_for_tracing_and_for_nothing_else():
    need("setcap")
    copy = anybodys_copy()
    if subprocess.run(["setcap", "cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep", copy]).returncode:
        raise Skip("this file system refuses capabilities of files")
    user = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
    exactly_traced(user, copy)
    secret = TMP / "secret"
    secret.mkdir(mode=0o700)
    (TMP / "trace.jsonl").rename(secret / "trace.jsonl")
    os.chmod(secret / "trace.jsonl", 0o600)
    os.chown(secret / "trace.jsonl", 0, 0)
    for command in (["report", secret / "trace.jsonl"], ["record", "-a", "-d", "1ms", "-o", secret / "new.jsonl"]):
        done = subprocess.run([*user, copy, *command], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        check(done.returncode in (1, 6) and "Permission denied" in done.stderr, f"{command}: {done}")
    equal([f.name for f in secret.iterdir()], ["trace.jsonl"], "files in a closed folder")


def test_top_holds_no_capability_while_it_shows():
    work = Workload("hot_pread", count=10)
    top = subprocess.Popen([IOHOPS, "top", "--batch", "-i", "0.2", "-p", str(work.pid)], stdout=subprocess.PIPE)
    check(select.select([top.stdout], [], [], PATIENCE)[0], "top showed nothing")
    holds_nothing(top.pid, threads=1)
    top.terminate()
    top.communicate(timeout=PATIENCE)
    work.go()
    work.wait_done()
    work.finish()


def test_a_recording_by_sudo_belongs_to_the_user_and_is_written_to_its_end():
    if os.geteuid() != 0:
        raise Skip("only root can do as sudo does")
    home = TMP / "home"
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY, NOBODY)
    behind_sudo = os.environ | {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY), "TMPDIR": str(home)}
    work = Workload("hot_pread", count=200)
    recording = Recording("-p", work.pid, output=home / "trace.jsonl.zst", env=behind_sudo)
    holds_nothing(recording.process.pid, threads=2)
    work.go()
    work.wait_done()
    trace = recording.trace()
    trace.equals_program_count(work.finish())
    facts = os.stat(trace.path)
    equal((facts.st_uid, facts.st_gid, facts.st_mode & 0o777), (NOBODY, NOBODY, 0o600), "owner and mode")
    equal([f.name for f in home.iterdir()], ["trace.jsonl.zst"], "files left behind")


def in_other_places():
    """(what is odd there, words in front of a command, the exit code that record must give)"""
    yield "only CAP_BPF", as_nobody("+bpf"), 4
    yield "only CAP_PERFMON", as_nobody("+perfmon"), 4
    yield "no capability", as_nobody(""), 4
    need("unshare")
    lockdown = "mount -t tmpfs none /sys/kernel/security && echo 'none integrity [confidentiality]' " \
               ">/sys/kernel/security/lockdown && exec \"$@\""
    # Said of a kernel that does not do it: what counts is what the kernel does.
    yield "a false lockdown", ["unshare", "-m", "sh", "-c", lockdown, "sh"], 0
    yield "a PID namespace", ["unshare", "-pf", "--mount-proc"], 0
    if subprocess.run(["unshare", "-Ur", "true"], stderr=subprocess.DEVNULL).returncode == 0:
        yield "a user namespace", ["unshare", "-Ur"], 4
    if not pathlib.Path(f"/boot/vmlinux-{platform.release()}").exists():
        yield "no type information", ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /sys/kernel/btf && exec \"$@\"", "sh"], 3


def test_doctor_and_record_agree_wherever_they_are():
    copy = anybodys_copy()
    for what, words, code in in_other_places():
        done = [subprocess.run([*words, copy, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                for command in (["record", "-q", "-a", "-d", "1ms", "-o", "-"], ["doctor", "--json"])]
        equal([d.returncode for d in done], [code, code], f"exit of record and doctor with {what}: {done[0].stderr}")
        diagnosis = json.loads(done[1].stdout)
        equal(diagnosis["possible"], code == 0, f"doctor's verdict with {what}")
        if code == 0:
            continue
        check(diagnosis["fixes"], f"doctor names no remedy with {what}")
        if code == 4 and what != "a user namespace":
            check("setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep" in done[0].stderr, f"record with {what}: {done[0].stderr}")
