"""Stacked devices: what a loop device, with its file system on top, does on the disk below, and for whom."""
import os

from lib import (TMP, check, equal, file_system, loop_device, need, record)

SIZE = 8 << 20
WRITE = """
import os
fd = os.open({path!r}, os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b"x" * {size}, 0)
os.fsync(fd)
"""
READ = """
import os
fd = os.open({path!r}, os.O_RDONLY)
for at in range(0, {size}, 65536):
    os.pread(fd, 65536, at)
"""


def on(trace, device):
    ids = {d["id"] for d in trace.header["devices"] if d["name"] == device.name}
    return [t for t in trace.transfers if t["device"] in ids]


def below(trace, above):
    ids = {t["id"] for t in above}
    return [t for t in trace.transfers if any(p["transfer"] in ids for p in t.get("parents", []))]


def carried(above, under):
    """Bytes of the transfers above that those below carry on; these can be merged with others."""
    ids = {t["id"] for t in above}
    return sum(p["bytes"] for t in under for p in t["parents"] if p["transfer"] in ids)


def data(transfers, op):
    return sum(t["bytes"] for t in transfers if t["op"] == op)


def copies(transfers):
    sums = {}
    for t in transfers:
        for c in t.get("copies", []):
            sums[c["from"], c["to"]] = sums.get((c["from"], c["to"]), 0) + c["bytes"]
    return sums


def drop_caches_of(*paths):
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def stacked(direct, kind="ext4"):
    """One file written and synced, then read again cold: (trace of the writer, of the reader, the device)."""
    need("losetup", f"mkfs.{kind}")
    with loop_device(64 << 20, direct) as device, file_system(kind, device) as folder:
        path = str(folder / "data")
        written = record("python3", "-c", WRITE.format(path=path, size=SIZE), output="written.jsonl")
        drop_caches_of(path, TMP / "loop.img")
        read = record("python3", "-c", READ.format(path=path, size=SIZE), output="read.jsonl")
    return written, read, device


def of_path(trace, transfers, path):
    return [t for t in transfers if (trace.path_of(t) or "").endswith(path)]


def test_a_direct_loop_device_moves_each_byte_once_below():
    written, read, device = stacked(direct=True)
    for trace, op in ((written, "write"), (read, "read")):
        above = of_path(trace, on(trace, device), "/data")
        equal(data(above, op), SIZE, f"bytes of the file that the loop device {op}s")
        check(all(t["carried_on"] for t in above), "carried on")
        equal(copies(above), {}, "copies between the two")
        under = below(trace, above)
        equal(carried(above, under), SIZE, "bytes on the disk below")
        equal({p["evidence"] for t in under for p in t["parents"]}, {"observed"}, "evidence")
        check(all(t["dma"]["dma"] for t in under), "the disk moves by DMA")
        equal(sum(t["unattributed_bytes"] for t in under), 0, "without an owner")
    reads = [r for r in read.requests if r["op"] == "pread64" and r["result"] == 65536]
    equal(sum(r["dma_bytes"] for r in reads), SIZE, "DMA of the reads")
    sync = written.ops("fsync")[0]
    check(sync["dma_bytes"] >= SIZE, f"DMA of the sync: {sync['dma_bytes']}")


def test_a_buffered_loop_device_copies_each_byte_once_more():
    written, read, device = stacked(direct=False)
    above = of_path(read, on(read, device), "/data")
    equal(copies(above), {("page_cache", "page_cache"): SIZE}, "copies by the loop driver, reading")
    under = [t for t in read.transfers if read.path_of(t) == str(TMP / "loop.img") and t["op"] == "read"]
    reads = [r for r in read.requests if r["op"] == "pread64" and r["result"] == 65536]
    names = {r["id"] for r in reads}
    check(data(under, "read") >= SIZE, "bytes read from the disk below")
    equal({o["request"] for t in under for o in t["owners"]} - names, set(), "who they were read for")
    equal(sum(t["unattributed_bytes"] for t in under), 0, "for nobody")
    equal(read.copies(reads), {("page_cache", "user"): SIZE, ("page_cache", "page_cache"): SIZE}, "copies of the reads")

    above = of_path(written, on(written, device), "/data")
    equal(copies(above), {("page_cache", "page_cache"): SIZE}, "copies by the loop driver, writing")
    under = [t for t in written.transfers if written.path_of(t) == str(TMP / "loop.img") and t["op"] == "write"]
    sync = written.ops("fsync")[0]
    owned = sum(o["bytes"] for t in under for o in t["owners"] if o["request"] == sync["id"])
    check(owned >= SIZE, f"bytes below that are the sync's: {owned}")
    check(data(under, "write") < 1.1 * SIZE, f"bytes on the disk below: {data(under, 'write')}")
    reasons = {e["reason"] for e in written.effects if written.path_of(e) == str(TMP / "loop.img")}
    check("the loop device that lies in this file was flushed" in reasons, f"reasons: {reasons}")
