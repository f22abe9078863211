"""Stacked devices (guest_stack): dm-linear, dm-crypt, dm-thin, and md's raid1 on two dm-linear. What dd reads and writes
there with O_DIRECT is moved once by each disk at the bottom, for the very request, and what a driver copies is named.

Sees the trace of one guest; boots nothing."""
from traces import Expectations, hops

SIZE = 64 << 10
DISKS = {"leg-a": "nvme,leg-a,blank", "leg-b": "virtio-blk,leg-b,blank"}
# device -> (disks that take a write, bytes copied for a byte written, the first kernel that ties it wholly)
DEVICES = {
    "/dev/mapper/linear": (1, 0, (5, 10)),
    "/dev/mapper/crypted": (1, 1, (5, 18)),
    "/dev/mapper/thin": (1, 0, (5, 18)),
    "/dev/md0": (2, 0, (5, 10)),
}


class Case(Expectations):
    """The two requests of one dd on one device."""

    def __init__(self, trace, path, op, disks, copies):
        super().__init__()
        self.name, self.op = path.rpartition("/")[2], op
        requests = [r for r in trace.requests(path) if r["op"] == op and r["result"] == SIZE]
        self.equal(len(requests), 2, "requests of 64 KiB")
        self.ids = {r["id"] for r in requests}
        by_id = {t["id"]: t for t in trace.of.get("transfer", [])}
        above = [t for t in by_id.values() if not t.get("parents") and self.owned(t)]
        bottom = [t for t in by_id.values() if t["dma"]["dma"] and self.owned(t)]
        self.depth = max((self.depth_of(t, by_id) for t in bottom), default=0)
        self.equal(sum(map(self.owned, above)), 2 * SIZE, "bytes at the top")
        self.check(all(t.get("carried_on") for t in above), "the top is not carried on")
        self.equal(sum(map(self.owned, bottom)), 2 * SIZE * disks, "bytes at the bottom")
        self.equal(sum(r["dma_bytes"] for r in requests), 2 * SIZE * disks, "DMA bytes of the requests")
        copied = sum(h["bytes"] for h in hops(requests, "cpu_copy"))
        self.equal(copied, 2 * SIZE * copies, "bytes copied by the driver")
        for r in requests:
            self.equal(r["complete"], True, "complete")
        self.bytes = sum(map(self.owned, bottom))

    def owned(self, transfer):
        return sum(o["bytes"] for o in transfer["owners"] if o["request"] in self.ids)

    def depth_of(self, transfer, by_id):
        parents = [by_id[p["transfer"]] for p in transfer.get("parents", []) if p["transfer"] in by_id]
        return 1 + max((self.depth_of(p, by_id) for p in parents), default=0)

    def columns(self):
        return (f"{self.name} {self.op}", f"{self.depth} devices deep", f"{self.bytes >> 10}K at the bottom")


def cases(trace, version):
    for path, (disks, copies, since) in DEVICES.items():
        if version < since:
            continue
        yield Case(trace, path, "write", disks, copies)
        yield Case(trace, path, "read", 1, 0)
