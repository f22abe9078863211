"""Mapped files, each page touched once, and what must be seen of the faults: how many, by load or by store,
what they loaded and what they copied. The workload says it too, with the kernel's own count of its faults.

Of interest where a software event stands in for the tracepoint of faults (arm64): it does not say what kind
of access it was, so each instruction has been decoded."""
import json

from traces import Expectations, Trace, copied

MODES = ("mmap_cached", "mmap_cold", "mmap_private_write", "mmap_private_rewrite")
FILEMAP_EVENTS_SINCE = (6, 12)  # before, only faults that load pages are told from those on no file
TOUCHED = 4096  # one byte of so many


class Case(Expectations):
    def __init__(self, mode, said, trace):
        super().__init__()
        self.mode, self.facts = mode, json.loads(said)["facts"]
        rewrite = mode == "mmap_private_rewrite"
        self.faults = [r for r in trace.requests(f"/mnt/virtio-blk/{mode}") if r["op"] == "page_fault"]
        if rewrite:  # after loads, which map several pages each
            self.faults = [r for r in self.faults if r["write_fault"]]
        stores = mode.startswith("mmap_private")
        bytes_touched = self.facts["touched_pages"] * TOUCHED
        counted = self.facts["minor_faults"] + self.facts["major_faults"]
        self.check(0 < len(self.faults) <= counted, f"{len(self.faults)} faults seen, the kernel counted {counted}")
        self.equal(sum(r["major_fault"] for r in self.faults), self.facts["major_faults"], "major faults")
        self.equal({r["write_fault"] for r in self.faults}, {stores}, "are they stores")
        self.equal(copied(self.faults, "page_cache>user"), bytes_touched if stores else 0, "bytes copied on write")
        if rewrite:
            self.equal(self.facts["own_bytes"], bytes_touched, "bytes copied, as /proc/PID/smaps says")
            self.equal({h["evidence"] for r in self.faults for h in r["hops"]}, {"observed"}, "evidence")
        if stores:
            self.equal(len(self.faults), bytes_touched // trace.header["page_size"], "faults, one a page")
        loaded = sum(r["miss_bytes"] + r["readahead_bytes"] for r in self.faults)
        self.equal(loaded, bytes_touched if mode == "mmap_cold" else 0, "bytes loaded")
        self.equal(trace.summary["lost"]["total"] - trace.summary["lost"]["by_cause"].get("recursion", 0), 0, "lost")

    def columns(self):
        return self.mode, f"{len(self.faults)} faults"


def cases(parts, version):
    for mode in MODES:
        if version < FILEMAP_EVENTS_SINCE and mode != "mmap_private_rewrite":
            continue
        said = next(line for line in parts[f"faults {mode}"] if line.startswith("{"))
        yield Case(mode, said, Trace(parts[f"trace {mode}"]))
