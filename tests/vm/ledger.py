"""The known I/O of guest_work on each disk, and what must be seen of it: bytes, cause, evidence.

Sees the trace of one guest; knows nothing of QEMU and boots nothing."""
from traces import Expectations, copied, hops, way

MIB = 1 << 20
MAPPED = 256 << 10
CASES = ("direct_read", "direct_write", "cold_read", "hot_read", "synced_write", "mapped")
# Kind of disk -> whether its driver maps through the kernel's DMA layer.
DISKS = {"nvme": True, "ahci": True, "virtio-blk": False, "virtio-blk-dma": True, "virtio-scsi": False}
DMA_EVENTS_SINCE = (6, 12)
IOMMU_EVENTS_SINCE = (6, 1)  # 5.10's driver of Intel's does not map by iommu_map
# The evidence that copies between page cache and user must have, on every kernel: None shows what there
# is and demands nothing.
COPIES_ARE = "measured"


class Case(Expectations):
    copies_are = {COPIES_ARE}

    def __init__(self, trace, disk, name, observed, bounced):
        super().__init__()
        self.name, self.observed, self.bounced = name, observed, bounced
        path = f"/mnt/{disk}/{name}"
        self.requests = trace.requests(path)
        self.transfers = trace.transfers(path)
        # The other direction of a mapped workload is its preparation: writing the file.
        if name == "mapped":
            self.requests = [r for r in self.requests if r["op"] == "page_fault"]
            self.transfers = [t for t in self.transfers if t["op"] == "read"]
        self.returned = sum(r["result"] for r in self.requests if r["moves_data"] and r["result"] > 0)
        self.dma = sum(t["bytes"] for t in self.transfers)
        self.mapped = sum(t["dma"]["mapped_bytes"] for t in self.transfers)
        self.evidence = "+".join(sorted({t["dma"]["evidence"] for t in self.transfers})) or "-"
        self.causes = "+".join(sorted({t["cause"] for t in self.transfers})) or "-"
        own = [h for h in hops(self.requests, "cpu_copy") if "bounce" not in way(h)]
        self.copies = "+".join(sorted({h["evidence"] for h in own})) or "-"
        getattr(self, "check_" + name)()
        if COPIES_ARE and own:
            self.check(self.copies in self.copies_are, f"evidence of the copies: {self.copies}, not of {self.copies_are}")

    def check_device(self, causes, memory, read):
        """The device moved the file once, and what the DMA layer said of it."""
        self.equal(self.dma, MIB if self.name != "mapped" else MAPPED, "bytes of the device")
        self.equal(self.evidence, "observed" if self.observed else "derived", "evidence")
        self.equal(self.mapped, self.dma if self.observed else 0, "bytes mapped for DMA")
        self.check(set(self.causes.split("+")) <= set(causes), f"cause: {self.causes}, not of {causes}")
        bounces = self.dma if self.bounced else 0
        self.equal(sum(t["dma"]["bounced_bytes"] for t in self.transfers), bounces, "bytes bounced")
        # swiotlb copies in when it maps, for both directions (by kprobes on its copying function: these
        # kernels all do), and out after a read.
        if self.name in ("direct_read", "direct_write", "cold_read"):
            back = bounces if read else 0
            self.equal(copied(self.requests, f"{memory}>bounce"), bounces, "copied to the bounce buffer")
            self.equal(copied(self.requests, f"bounce>{memory}"), back, "copied from the bounce buffer")
            known = {h["evidence"] for h in hops(self.requests, "cpu_copy") if "bounce" in way(h)}
            self.equal(known, {"measured"} if bounces else set(), "evidence of the copies through it")

    def check_direct_read(self):
        self.equal(self.returned, MIB, "bytes returned")
        self.equal(sum(r["dma_bytes"] for r in self.requests), MIB, "DMA of the requests")
        self.equal({r["path"] for r in self.requests if r["result"] > 0 and r["moves_data"]}, {"direct"}, "path")
        self.equal(self._copied_but_bounces(), 0, "CPU copies")
        self.check_device(["direct"], "user", True)

    def check_direct_write(self):
        self.equal(self.returned, MIB, "bytes returned")
        self.equal(self._copied_but_bounces(), 0, "CPU copies")
        self.check_device(["direct"], "user", False)

    def check_cold_read(self):
        self.equal(self.returned, MIB, "bytes returned")
        self.equal(copied(self.requests, "page_cache>user"), MIB, "copied to the user")
        self.check_device(["read", "readahead"], "page_cache", True)

    def check_hot_read(self):
        self.equal(self.returned, MIB, "bytes returned")
        self.equal(copied(self.requests, "page_cache>user"), MIB, "copied to the user")
        self.equal(self.dma, 0, "bytes of the device")

    def check_synced_write(self):
        self.equal(self.returned, MIB, "bytes returned")
        self.equal(copied(self.requests, "user>page_cache"), MIB, "copied to the page cache")
        self.check_device(["fsync", "writeback"], "page_cache", False)

    def check_mapped(self):
        self.check(self.requests, "no page fault was seen")
        self.equal(self._copied_but_bounces(), 0, "CPU copies")
        self.check_device(["read", "readahead"], "page_cache", True)

    def _copied_but_bounces(self):
        return sum(h["bytes"] for h in hops(self.requests, "cpu_copy") if "bounce" not in way(h))

    def columns(self):
        kib = lambda b: f"{b >> 10}K" if b else "-"
        return (self.name, self.causes, kib(self.dma), self.evidence, kib(self.mapped),
                kib(copied(self.requests)), self.copies)


def cases(trace, version, setup):
    """(disk, Case) of everything that guest_work did."""
    events = version >= (IOMMU_EVENTS_SINCE if setup == "iommu" else DMA_EVENTS_SINCE)
    for disk, maps in DISKS.items():
        for name in CASES:
            yield disk, Case(trace, disk, name, maps and events, maps and setup == "swiotlb")
