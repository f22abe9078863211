"""What guest_stores did on xfs, btrfs, persistent memory and with lent memory, and what must be seen of it.

Sees the trace of one guest, and what the program said that lent memory; boots nothing."""
import json

import ledger
from traces import Expectations, copied, hops

MIB = ledger.MIB
DISKS = ("nvme,xfs", "nvme,btrfs")  # kind, name; 320 MiB, the least that xfs takes
IMAGE_MIB = 320
MEMMAP = "memmap=64M!896M"  # of 1024 MiB: what becomes /dev/pmem0


class Xfs(ledger.Case):
    pass


class Btrfs(ledger.Case):
    """No hooked function copies what is written; a direct write is buffered where there are checksums (6.14)."""

    def check_direct_read(self):
        """What is read into memory that was never touched may come through the page cache (7.3: dd's first block):
        btrfs_direct_read() must not fault a page in, and what it could not do after a second try is buffered."""
        self.equal(self.returned, MIB, "bytes returned")
        reads = [r for r in self.requests if r["moves_data"] and r["result"] > 0]
        buffered = [r for r in reads if r["path"] == "buffered"]
        self.equal({r["path"] for r in reads} - {"buffered"}, {"direct"}, "path")
        self.check(all(r["offset"] == 0 for r in buffered), "a read into memory that was touched was buffered")
        self.equal(self._copied_but_bounces(), sum(r["result"] for r in buffered), "CPU copies")
        self.equal(sum(r["dma_bytes"] for r in reads if r not in buffered), MIB - self._copied_but_bounces(), "direct DMA")
        self.equal(self.dma, sum(r["dma_bytes"] for r in self.requests), "bytes of the device")

    def check_direct_write(self):
        self.equal(self.returned, MIB, "bytes returned")
        buffered = self._copied_but_bounces()
        self.check(buffered in (0, MIB), f"{buffered} bytes copied: neither direct nor buffered")
        self.check_device(["fsync", "writeback"] if buffered else ["direct"], "page_cache" if buffered else "user", False)
        self.equal({r["path"] for r in self.requests if r["moves_data"] and r["result"] > 0},
                   {"buffered" if buffered else "direct"}, "path")

    @property
    def copies_are(self):
        return {"derived"} if self.name in ("direct_write", "synced_write") else {"measured"}


class Pmem(Expectations):
    def __init__(self, trace, name, way, evidence):
        super().__init__()
        self.name = name
        requests = [r for r in trace.requests(f"/mnt/pmem/{name}") if r["moves_data"]]
        mine = [r for r in requests if any(f"{h['from']}>{h['to']}" == way for h in r["hops"])]
        self.bytes, self.way = copied(mine), way
        self.seen = "+".join(sorted({h["evidence"] for h in hops(mine, "cpu_copy")})) or "-"
        self.equal(self.bytes, MIB, "bytes copied")
        self.equal(self.seen, evidence, "evidence")
        self.equal({(r["path"], r["cache"], r["dma_bytes"]) for r in mine}, {("memory", "none", 0)}, "path, cache, DMA")
        # ext4 has the driver fill new blocks with zeros.
        self.equal({t["dma"]["dma"] for t in trace.transfers(f"/mnt/pmem/{name}")} - {False}, set(), "DMA of the device")

    def columns(self):
        return self.name, self.way, f"{self.bytes >> 10}K", self.seen


class Lent(Expectations):
    def __init__(self, trace, said):
        super().__init__()
        sends = [r for r in trace.of["request"] if r["op"] == "sendto" and any(h["hop"] == "ref" for h in r["hops"])]
        copies = hops(sends, "cpu_copy")
        self.bytes, measured = sum(h["bytes"] for h in copies), sum(h["bytes"] for h in copies if h["evidence"] == "measured")
        self.seen = f"{measured >> 10}K measured"
        self.equal(said["copied"], said["calls"], "sends that the kernel says it copied after all")
        self.equal(self.bytes, said["sent"], "bytes copied")
        self.check(measured > 0, "no copy of lent memory was measured")

    def columns(self):
        return "MSG_ZEROCOPY", "user>socket", f"{self.bytes >> 10}K", self.seen


def cases(trace, version, said):
    """(group, Case) of all that guest_stores did."""
    observed = version >= ledger.DMA_EVENTS_SINCE
    for disk, kind in (("xfs", Xfs), ("btrfs", Btrfs)):
        for name in ledger.CASES:
            yield disk, kind(trace, disk, name, observed, False)
    yield "pmem", Pmem(trace, "data", "user>kernel", "measured")
    yield "pmem", Pmem(trace, "data", "kernel>user", "measured")
    yield "pmem", Pmem(trace, "hole", "kernel>user", "derived")
    yield "lent", Lent(trace, json.loads(said))
