"""What a trace must say of a megabyte through a network card and back (guest_net), against the payload and
the card's own counter. Sees what a guest printed; boots nothing."""
from traces import Expectations, hops, way

# Packets before the first write and after the close belong to no descriptor: the address question, the
# three-way handshake, the farewell.
BY_THE_WAY = 1024


class Case(Expectations):
    def __init__(self, name, op, hop, transfers, requests):
        super().__init__()
        self.name = name
        mine = [t for t in transfers if t["op"] == op]
        self.packets, self.bytes = len(mine), sum(t["bytes"] for t in mine)
        self.unattributed = sum(t["unattributed_bytes"] for t in mine)
        of_requests = sum(h["bytes"] for h in hops(requests, "dma") if way(h) == hop)
        self.equal(of_requests + self.unattributed, self.bytes, "bytes of the requests and of none")
        self.evidence = "+".join(sorted({t["dma"]["evidence"] for t in mine})) or "-"

    def columns(self):
        return (self.name, f"{self.packets} packets", f"{self.bytes} bytes", self.evidence, f"{self.unattributed} later")


class Copies(Expectations):
    def __init__(self, hop, payload, evidence, requests):
        super().__init__()
        mine = [h for h in hops(requests, "cpu_copy") if way(h) == hop]
        self.hop, self.seen = hop, "+".join(sorted({h["evidence"] for h in mine}))
        self.bytes = sum(h["bytes"] for h in mine)
        self.equal(self.bytes, payload, "bytes copied")
        self.equal(self.seen, evidence, "evidence")

    def columns(self):
        return (self.hop, "", f"{self.bytes} bytes", self.seen)


def cases(lines, trace):
    said = {name: int(value) for name, value in (line.split() for line in lines)}
    sockets = {f["file"] for f in trace.of["file"] if f["kind"] == "socket"}
    requests = [r for r in trace.of["request"] if r["file"] in sockets]
    transfers = [t for t in trace.of.get("transfer", []) if t["file"] in sockets]
    sent = Case("transmit", "transmit", "socket>nic", transfers, requests)
    sent.check(said["payload"] < sent.bytes <= said["transmitted"], f"{sent.bytes} bytes sent; {said}")
    sent.check(said["transmitted"] - sent.bytes <= BY_THE_WAY, f"{sent.bytes} bytes sent; {said}")
    yield sent
    got = Case("receive", "receive", "nic>socket", transfers, requests)
    got.equal(got.bytes, said["payload"], "bytes received")
    yield got
    yield Copies("user>socket", said["payload"], "derived", requests)
    yield Copies("socket>user", said["payload"], "measured", requests)
