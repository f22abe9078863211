"""What `iohops lab` found in a guest: every path that this kernel has must agree with the textbook."""
import json

from traces import Expectations


class Case(Expectations):
    def __init__(self, path):
        super().__init__()
        self.path = path
        if "skipped" not in path:
            self.check(path["agrees"], f"differs from the textbook: {path}")

    def columns(self):
        if "skipped" in self.path:
            return self.path["name"], self.path["skipped"]
        return (self.path["name"], f"{self.path['cpu_copies_per_byte']:.2f} copies", f"{self.path['dma_per_byte']:.2f} DMA",
                f"{self.path['switches_per_round']:.2f} switches")


class NoLab(Expectations):
    def __init__(self, lines):
        super().__init__()
        self.check(False, "\n".join(["no JSON:", *lines[-15:]]))

    def columns(self):
        return ("lab",)


def cases(lines):
    """LINES: what the lab printed; its messages may stand before and after the JSON. The cases, and what was
    lost by cause."""
    text = "\n".join(lines)
    try:
        found, _ = json.JSONDecoder().raw_decode(text[text.index("{"):])
    except ValueError:
        return [NoLab(lines)], {}
    return [Case(path) for path in found["paths"]], found["lost"]
