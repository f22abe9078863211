"""The bytes that the kernel's own probes counted (guest_copies), against those of the trace: equal, not close.

Sees what a guest printed; boots nothing."""
from traces import Expectations

# What guest_copies calls a direction, and what the trace calls it.
DIRECTIONS = {"to_user": "page_cache>user", "from_user": "user>page_cache"}


class Case(Expectations):
    def __init__(self, name, probed, hits, said):
        super().__init__()
        self.name, self.probed, self.hits, self.said = name, probed, hits, said
        self.check(probed > 0, "the probes saw nothing")
        self.equal(said["bytes"] if said else 0, probed, "bytes copied")

    def columns(self):
        said = self.said or {"count": 0, "bytes": 0}
        return self.name, f"{self.hits} copies", f"{self.probed >> 10}K", f"{said['count']} traced", f"{said['bytes'] >> 10}K"


def cases(lines, trace):
    counted = {way: (int(total), int(hits)) for way, total, hits in (line.split() for line in lines)}
    by_hop = trace.summary["cpu_copies"]["by_hop"]
    for way, hop in DIRECTIONS.items():
        total, hits = counted.get(way, (0, 0))
        case = Case(hop, total, hits, by_hop.get(hop))
        for trouble in ("lost", "missed"):
            case.equal(counted[trouble][0], 0, f"{trouble} by the probes")
        yield case
