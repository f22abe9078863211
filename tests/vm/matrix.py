"""The matrix of kernels and machines: fetches, boots, and judges what each guest printed.

A cell is SERIES[:SETUP[:PARTS]]: 6.1, 6.12:swiotlb, newest:iommu, 6.1:plain:object,ledger. Kernels come from Debian (fetch,
prepare) and stay in the cache. Every guest gets the same disks behind different drivers; what is done on
them and what must be seen is in ledger.py, faults.py, copies.py, net.py, odd.py, stack.py, stores.py, trust.py and lab.py. Tells a Tally;
prints no sum.
"""
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import time

import copies
import faults
import lab
import ledger
import net
import odd
import stack
import stores
import trust
from traces import Trace

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "iohops-vm"
ROOT = HERE.parent.parent
# By the machine that the programs are built for. The short matrix is part of every CI run: what the oldest
# and the newest kernel both show is not asked of those between them.
SHORT = {"x86_64": ("newest", "5.10", "6.12:plain:object,ledger,copies,net,stack", "6.1:plain:object,ledger,copies,lab",
                    "6.12:swiotlb", "newest:iommu"),
         "aarch64": ("arm64-6.12",)}
SETUPS = {"plain": [], "swiotlb": ["--append", "swiotlb=force"], "iommu": ["--iommu"]}
# The verifier, the copies and the disks of odd.py do not depend on how memory is mapped for DMA.
PARTS = {"plain": "object,ledger,faults,copies,net,odd,stack,lab,trust", "swiotlb": "ledger", "iommu": "ledger"}
ALSO_IN_ALL = {"plain": ",stores"}
ARM64_PARTS = "object,ledger,faults"
TRIES = 3  # of a guest whose kernel hid something and said so
TRIES_LATE = 2  # of one that ran out of time
SECONDS = 400  # for a guest: the longest takes 180 where it has a processor to itself
TRIES_FAILED = 2  # of one where something else failed: emulated time is uneven
OUT_OF_TIME = 124  # boot's status
WIDTHS = (20, 15, 20, 21, 13, 12, 10, 10, 0)


def all_cells():
    listed = subprocess.run([HERE / "fetch", "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [f"{series}:{setup}:{PARTS[setup]}{ALSO_IN_ALL.get(setup, '')}"
            for series in listed.split() for setup in SETUPS]


def version(series):
    return tuple(map(int, series.rpartition("-")[2].split(".")))


class Cell:
    """One kernel in one machine, and how its cases went."""

    def __init__(self, build, series, setup, parts=""):
        self.build, self.series, self.setup = build, series, setup
        self.label = f"{series} {setup}"
        self.kernel = (CACHE / "kernel" / series / "version").read_text().strip()
        self.parts = parts or (ARM64_PARTS if series.startswith("arm64") else PARTS[setup])
        self.rows = []  # (outcome, group, columns, what is wrong, part)
        self.part = ""  # the one that is judged
        self.broken = {}  # the parts in which something failed, in order; "": nobody knows in which
        self.skipped = 0  # runs of programs that the kernel skipped, as the traces themselves say
        self.late = False

    def tell(self, wrong, group, *columns):
        if wrong:
            self.broken[self.part] = True
        self.rows.append(("failed" if wrong else "passed", group, columns, list(wrong), self.part))

    def boot(self, image):
        command = [HERE / "boot", self.series, "--timeout", str(SECONDS), "--modules", "ext4", *SETUPS[self.setup]]
        for kind in ledger.DISKS:
            command += ["--disk", f"{kind},{kind},{image}"]
        if "net" in self.parts:
            command += ["--wire"]
        for part, disks in (("odd", odd.DISKS), ("stack", stack.DISKS)):
            for disk in disks.values() if part in self.parts else ():
                command += ["--disk", disk]
        for disk in stores.DISKS if "stores" in self.parts else ():
            command += ["--disk", f"{disk},{large_blank()}"]
        if "stores" in self.parts:
            command += ["--append", stores.MEMMAP]
        vmlinux = CACHE / "kernel" / self.series / "vmlinux"
        command += ["--", HERE / "guest_test", self.build, vmlinux, self.parts, *ledger.DISKS]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=ROOT)
        (self.build / "vm" / f"{self.series}.{self.setup}.out").write_text(done.stdout + done.stderr)
        return done

    def judge(self, done):
        printed = sections(done.stdout)
        self.late = done.returncode == OUT_OF_TIME
        if done.returncode or "end" not in printed:
            self.tell((done.stdout[-1500:] + done.stderr[-3000:]).splitlines()[-40:] or ["no output"], "boot")
        for self.part in self.parts.split(","):
            if self.part in printed:
                getattr(self, f"judge_{self.part}")(printed)

    def judge_ledger(self, printed):
        trace = self.trace("ledger", printed["ledger"])
        for disk, case in ledger.cases(trace, version(self.series), self.setup) if trace else ():
            self.tell(case.wrong, disk, *case.columns())

    def judge_faults(self, printed):
        for case in faults.cases(printed, version(self.series)):
            self.tell(case.wrong, "faults", *case.columns())

    def judge_copies(self, printed):
        trace = self.trace("copies", printed.get("copies trace", []))
        for case in copies.cases(printed["copies"], trace) if trace else ():
            self.tell(case.wrong, "kprobes", *case.columns())

    def judge_lab(self, printed):
        cases, lost = lab.cases(printed["lab"])
        self.skipped += lost.get("recursion", 0)
        for case in cases:
            self.tell(case.wrong, "lab", *case.columns())

    def judge_net(self, printed):
        trace = self.trace("net", printed.get("net trace", []))
        for case in net.cases(printed["net"], trace) if trace else ():
            self.tell(case.wrong, "network", *case.columns())

    def judge_odd(self, printed):
        trace = self.trace("odd disks", printed["odd"])
        disks = dict(line.split() for line in printed["odd disks"])
        for disk, case in odd.cases(trace, disks) if trace else ():
            self.tell(case.wrong, disk, *case.columns())

    def judge_stack(self, printed):
        trace = self.trace("stack", printed["stack"])
        for case in stack.cases(trace, version(self.series)) if trace else ():
            self.tell(case.wrong, "stack", *case.columns())

    def judge_stores(self, printed):
        trace = self.trace("stores", printed["stores"])
        for group, case in stores.cases(trace, version(self.series), "".join(printed["lent"])) if trace else ():
            self.tell(case.wrong, group, *case.columns())

    def judge_trust(self, printed):
        found = {what: self.trace(what, lines) for what, lines in trust.traces(printed)}
        for case in trust.cases(printed, {what: trace for what, trace in found.items() if trace}, version(self.series)):
            self.tell(case.wrong, "trust", *case.columns())

    def judge_object(self, printed):
        """The loader's own verdicts: a refused program is a failure, an absent tracepoint is not."""
        lines = printed["object"]
        for i, line in enumerate(lines):
            if line.startswith("@ failed"):
                self.tell(lines[i + 1 : i + 12] or [line], "verifier", line[9:])
        loaded = sum(line.startswith("@ passed") for line in lines)
        self.tell([] if loaded else lines[-10:] or ["no program"], "verifier", f"{loaded} programs")

    def trace(self, what, lines):
        """The trace, if there is one; what it has lost. Runs that the kernel skipped are told but no failure by
        themselves: since 7.x a program on a system call can be preempted, under emulation it is, and meanwhile
        no other task of that CPU gets it."""
        try:
            trace = Trace(lines)
        except (KeyError, ValueError) as error:
            self.tell([f"no whole trace: {error!r}", *lines[-20:]], "trace", what)
            return None
        lost = trace.summary["lost"]
        skipped = lost["by_cause"].get("recursion", 0)
        self.skipped += skipped
        others = lost["total"] - skipped
        self.tell([str(lost["by_cause"])] if others else [], "trace", what, "nothing lost" if not others else
                  f"{others} lost", f"{skipped} skipped" if skipped else "")
        return trace

    def hampered(self):
        """It failed, and the kernel had kept something from every tracer, or the machine was too slow: that
        proves nothing."""
        return (self.skipped or self.late) and self.failed()

    def failed(self):
        return [" ".join((group, *columns[:1])) for outcome, group, columns, *_ in self.rows if outcome == "failed"]

    def why_again(self):
        return self.why_hampered() if self.hampered() else "failed: " + ", ".join(self.failed())

    def excuse(self, tries):
        """What failed in the last try of a hampered guest is told and not held against it, but for what the verifier
        refuses, which has nothing to do with it."""
        why = f"{self.why_hampered()} in each of {tries} tries, which proves nothing"
        self.rows = [(outcome, group, columns, wrong, part) if outcome != "failed" or group == "verifier" else
                     ("skipped", group, columns, [*wrong, why], part)
                     for outcome, group, columns, wrong, part in self.rows]

    def why_hampered(self):
        return "it ran out of time" if self.late else f"the kernel skipped {self.skipped} runs of programs"

    def report(self, tally, verbose):
        groups = {}
        for outcome, group, columns, wrong, _ in self.rows:
            if verbose or wrong:
                cells = (self.label, group, *columns)
                tally.add(outcome, "".join(f"{c:{w}} " for c, w in zip(cells, WIDTHS)).rstrip(), "\n".join(wrong))
            else:
                groups[group] = groups.get(group, 0) + 1
        for group, passed in groups.items():
            tally.many(passed, f"{self.label}: {group}")

    def keep(self):
        """For support: what was seen, as data."""
        (self.build / "vm" / f"{self.series}.{self.setup}.json").write_text(json.dumps(
            {"series": self.series, "setup": self.setup, "kernel": self.kernel,
             "rows": [[outcome, group, columns] for outcome, group, columns, *_ in self.rows]}))


def sections(output):
    """`= NAME` lines divide what the guest printed."""
    parts, name = {}, None
    for line in output.splitlines():
        if line.startswith("= "):
            name = line[2:]
            parts[name] = []
        elif name is not None:
            parts[name].append(line)
    return parts


def make_disk():
    """One ext4 image with the files of guest_work; each guest writes to a throw-away copy."""
    image = CACHE / "disk-1.ext4"
    if image.exists():
        return image
    tree = CACHE / "disk.tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for case in ledger.CASES[:-1]:
        (tree / case).write_bytes(os.urandom(ledger.MIB))
    unfinished = image.with_suffix(".new")
    with open(unfinished, "wb") as disk:
        disk.truncate(64 * ledger.MIB)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-d", tree, unfinished], check=True)
    shutil.rmtree(tree)
    unfinished.rename(image)
    return image


def large_blank():
    """Zeros; each guest writes to a throw-away copy."""
    image = CACHE / f"blank-{stores.IMAGE_MIB}"
    with open(image, "ab") as blank:
        blank.truncate(stores.IMAGE_MIB << 20)
    return image


def strip_programs(build):
    """Without debug information: a guest reads them through 9p."""
    for program in ("iohops", "object/load"):
        source, copy = build / program, build / "vm" / pathlib.Path(program).name
        if not copy.exists() or copy.stat().st_mtime < source.stat().st_mtime:
            copy.parent.mkdir(exist_ok=True)
            subprocess.run([os.environ.get("STRIP", "strip"), "-o", copy, source], check=True)


def missing_programs():
    """What the matrix needs and cannot be had, with the line that fixes it, or None."""
    done = subprocess.run([ROOT / "tools" / "packages", "vm"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    return None if done.returncode == 0 else "; ".join(line.strip() for line in done.stdout.splitlines()[:3])


def have(wanted):
    """The series that `wanted` stands for, fetched and prepared, or None."""
    fetched = subprocess.run([HERE / "fetch", wanted], stdout=subprocess.PIPE, text=True)
    if fetched.returncode:
        return None
    series = fetched.stdout.strip()
    subprocess.run([HERE / "prepare", series], check=True)
    return series


def short():
    return SHORT.get(os.uname().machine, ())


def fetch():
    """All that the short matrix needs, so that it need not wait for it later. Whether it worked."""
    series = dict.fromkeys(cell.partition(":")[0] for cell in short())
    return not missing_programs() and all([have(wanted) for wanted in series])


def run_cell(build, series, setup, parts, image):
    """The cell after its last try, and how long it took. Only the parts in which something failed are tried again."""
    began = time.monotonic()
    kept = []
    for attempt in range(TRIES):
        cell = Cell(build, series, setup, parts)
        cell.judge(cell.boot(image))
        if not cell.hampered() and (attempt + 1 >= TRIES_FAILED or not cell.failed()):
            break
        print(f"  ...  {cell.label}, try {attempt + 1}: {cell.why_again()}", flush=True)
        if attempt + 1 == (TRIES_LATE if cell.late else TRIES):
            cell.excuse(attempt + 1)
            break
        if "" not in cell.broken:
            kept += [row for row in cell.rows if row[-1] not in cell.broken]
            parts = ",".join(cell.broken)
    cell.rows = kept + cell.rows
    return cell, time.monotonic() - began


def run(tally, build, cells=(), verbose=True):
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    cells = cells or short()
    missing = missing_programs()
    if missing or not cells:
        tally.add("skipped", "vm", missing or f"no kernels are known for {os.uname().machine}")
        return
    strip_programs(build)
    CACHE.mkdir(parents=True, exist_ok=True)
    image = make_disk()
    # A guest is emulated by one thread: as many at once as there are processors.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        begun = []
        for wanted in cells:
            name, setup, parts = (wanted.split(":") + ["", ""])[:3]
            series = have(name)
            if series:
                begun.append(pool.submit(run_cell, build, series, setup or "plain", parts, image))
            else:
                tally.add("skipped", f"vm: {wanted}", f"kernel {name} cannot be had; where Debian's mirror can be "
                          f"reached: tests/vm/fetch {name}")
        for cell, seconds in (future.result() for future in begun):
            cell.report(tally, verbose)
            cell.keep()
            print(f"       {cell.kernel}, {cell.setup}: {seconds:.0f} s", flush=True)
