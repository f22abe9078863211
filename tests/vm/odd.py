"""Disks that fail, are slow or are built oddly (guest_odd), and what a trace must say of each: bytes are
conserved, a request ends exactly once, an error keeps its number, what is asked twice moves once.

Sees the trace of one guest; boots nothing. The disks are QEMU's, as `boot --disk` takes them, and the
kernel's scsi_debug."""
from traces import Expectations, hops

EIO, EINVAL, ENODATA = 5, 22, 61
KIB = 1 << 10
LATENCY_US = 5000
DISKS = {
    "fails": "virtio-blk,fails,blank,fail=2048",
    "fails-once": "nvme,fails-once,blank,fail_once=2048",
    "gives-up": "nvme,gives-up,blank,fail=2048",
    "slow": f"nvme,slow,blank,latency={LATENCY_US}",
    "big-blocks": "virtio-blk,big-blocks,blank,block=4096",
}
LARGEST = 64 * KIB  # max_sectors_kb of big-blocks


class Case(Expectations):
    """One read: what it returned, and the transfers that moved it."""

    def __init__(self, trace, path, name, offset, size, result):
        super().__init__()
        self.name = name
        reads = [r for r in trace.requests(path) if r["op"] == "read" and r["offset"] == offset]
        self.read = reads[0] if len(reads) == 1 else None
        self.transfers = []
        if not self.read:
            self.wrong.append(f"{len(reads)} reads at {offset} of {path}, not 1")
            return
        self.transfers = [t for t in trace.of.get("transfer", [])
                          if any(o["request"] == self.read["id"] for o in t["owners"])]
        self.equal(self.read["requested"], size, "bytes asked for")
        self.equal(self.read["result"], result, "result")
        self.equal(self.read["complete"], True, "complete")
        self.equal(sum(o["bytes"] for t in self.transfers for o in t["owners"]), self.bytes, "bytes owned")
        if self.bytes:
            covered = sorted((t["sector"] * 512, t["sector"] * 512 + t["bytes"]) for t in self.transfers)
            joined = all(a[1] == b[0] for a, b in zip(covered, covered[1:]))
            self.check(joined and covered[0][0] == offset and covered[-1][1] - offset == self.bytes,
                       f"the transfers do not cover the read once: {covered}")
        has_dma = all(t["dma"]["dma"] for t in self.transfers)
        self.equal(self.read["dma_bytes"], self.bytes if has_dma else 0, "DMA bytes of the request")
        mapped = sum(t["dma"]["mapped_bytes"] for t in self.transfers)
        self.check(mapped in (0, self.bytes), f"bytes mapped for DMA: {mapped}, not 0 or {self.bytes}")

    @property
    def bytes(self):
        return sum(t["bytes"] for t in self.transfers)

    def requeues(self):
        return sum(t["requeues"] for t in self.transfers)

    def errors(self):
        return [t["error"] for t in self.transfers]

    def columns(self):
        return (self.name, f"{len(self.transfers)} transfers", f"{self.bytes >> 10}K",
                f"{self.requeues()} requeues", f"error {min(self.errors(), default=0)}")


def fine(trace, path):
    case = Case(trace, path, "neighbour_of_a_fault", 0, 4 * KIB, 4 * KIB)
    case.equal(case.errors(), [0], "errors of the transfers")
    return case


def failing(trace, path):
    case = Case(trace, path, "fault", 256 * 4 * KIB, 4 * KIB, -EIO)
    case.equal(case.errors(), [-EIO], "errors of the transfers")
    return case


def retried(trace, path):
    case = Case(trace, path, "fault_retried", 1024 * KIB, 64 * KIB, 64 * KIB)
    case.equal(case.errors(), [0], "errors of the transfers")
    case.equal(case.bytes, 64 * KIB, "bytes of the device")
    case.equal(case.requeues(), 1, "requeues")
    return case


def given_up(trace, path):
    case = Case(trace, path, "fault_until_given_up", 1024 * KIB, 64 * KIB, -ENODATA)
    case.equal(case.errors(), [-ENODATA], "errors of the transfers")
    case.equal(case.requeues(), 5, "requeues")  # nvme_max_retries
    return case


def slow(trace, path, block):
    """The latency stands in the transfer, in the request, and in its wait for the device."""
    case = Case(trace, path, f"slow_{block}", block * 4 * KIB, 4 * KIB, 4 * KIB)
    if case.wrong:
        return case
    at_device = sum(t["complete_ns"] - t["issue_ns"] for t in case.transfers)
    # What follows the issue and precedes the sleep is not waited for: a tenth of the latency, emulated.
    waited = sum(h["end_ns"] - h["at_ns"] for h in hops([case.read], "wait") if h["reason"] == "device")
    case.check(at_device >= LATENCY_US * 1000, f"at the device: {at_device} ns")
    case.check(case.read["duration_ns"] >= at_device, f"duration: {case.read['duration_ns']} ns")
    case.check(waited >= LATENCY_US * 500, f"waited for the device: {waited} of {at_device} ns")
    case.check(waited <= case.read["duration_ns"], f"waited for the device: {waited} ns, longer than it took")
    return case


def half_a_block(trace, path):
    case = Case(trace, path, "half_a_block", 512, 512, -EINVAL)
    case.equal(len(case.transfers), 0, "transfers")
    return case


def split(trace, path):
    # dd skips a block of 4 MiB first.
    case = Case(trace, path, "split", 4096 * KIB, 4096 * KIB, 4096 * KIB)
    case.check(max(t["bytes"] for t in case.transfers) <= LARGEST, f"a part of more than {LARGEST} bytes")
    case.check(len(case.transfers) >= 4096 * KIB // LARGEST, f"only {len(case.transfers)} transfers")
    case.equal(case.bytes, 4096 * KIB, "bytes of the device")
    return case


def short(trace, path):
    """One of the two came in halves: a partial completion, then the rest."""
    both = [Case(trace, path, f"partial_{n}", n * 64 * KIB, 64 * KIB, 64 * KIB) for n in (0, 1)]
    halves = [c for c in both if len(c.transfers) == 2]
    for case in both:
        case.equal(case.bytes, 64 * KIB, "bytes of the device")
        case.equal(set(case.errors()), {0}, "errors of the transfers")
        case.equal(len(halves), 1, "reads that came in two halves")
    return both


def unreadable(trace, path):
    case = Case(trace, path, "sectors_unreadable", 36 * 64 * KIB, 64 * KIB, -ENODATA)
    case.equal(min(case.errors(), default=0), -ENODATA, "error")
    return case


def cases(trace, disks):
    """(disk, Case) of all that guest_odd did; `disks`: name -> path of the device."""
    yield "fails", fine(trace, disks["fails"])
    yield "fails", failing(trace, disks["fails"])
    yield "fails-once", retried(trace, disks["fails-once"])
    yield "gives-up", given_up(trace, disks["gives-up"])
    for block in range(4):
        yield "slow", slow(trace, disks["slow"], block)
    yield "big-blocks", half_a_block(trace, disks["big-blocks"])
    yield "big-blocks", split(trace, disks["big-blocks"])
    for case in short(trace, disks.get("scsi-debug")):
        yield "scsi-debug", case
    yield "scsi-debug", unreadable(trace, disks.get("scsi-debug"))
