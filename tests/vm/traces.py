"""Reads a trace that a guest printed (JSON Lines) and finds what belongs to a file. Judges nothing."""
import json


class Trace:
    def __init__(self, lines):
        self.of = {}
        for line in lines:
            record = json.loads(line)
            self.of.setdefault(record["type"], []).append(record)
        self.header = self.of["header"][0]
        self.summary = self.of["summary"][0]
        self.files = {f["file"]: f for f in self.of.get("file", [])}

    def _of_file(self, kind, path):
        return [r for r in self.of.get(kind, []) if r.get("file") and self.files[r["file"]]["path"] == path]

    def requests(self, path):
        return self._of_file("request", path)

    def transfers(self, path):
        return [t for t in self._of_file("transfer", path) if t["bytes"] > 0]


def hops(requests, kind):
    return [h for r in requests for h in r["hops"] if h["hop"] == kind]


def way(hop):
    return f"{hop['from']}>{hop['to']}"


def copied(requests, wanted=None):
    """Bytes that the processor copied; `wanted`: only from>to."""
    return sum(h["bytes"] for h in hops(requests, "cpu_copy") if wanted in (None, way(h)))


class Expectations:
    """What a case must show, and in `wrong` where it does not."""

    def __init__(self):
        self.wrong = []

    def equal(self, seen, expected, what):
        if seen != expected:
            self.wrong.append(f"{what}: {seen}, not {expected}")

    def check(self, condition, what):
        if not condition:
            self.wrong.append(what)
