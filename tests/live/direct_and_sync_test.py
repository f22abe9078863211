"""Direct I/O, and writes that are made durable inside or after the request."""
from lib import TMP, check, dirtied, disk_of, equal, traced


def dma_of(trace, requests):
    disk, _ = disk_of(TMP)
    if not any(d["name"] == disk and d["dma"] for d in trace.header["devices"]):
        return None
    sums = {}
    for h in trace.hops("dma", requests):
        key = (h["from"], h["to"])
        sums[key] = sums.get(key, 0) + h["bytes"]
    return sums


def device_bytes(trace, op):
    return sum(o["bytes"] for t in trace.transfers if t["op"] == op for o in t["owners"])


def effect_bytes(trace, ids):
    """What the device wrote later, or in a sync, on behalf of these requests."""
    return sum(s["bytes"] for e in trace.effects for s in e["requests"] if s["request"] in ids)


def test_a_direct_read_moves_bytes_by_dma_alone():
    trace, oracle, counted = traced("direct_read", size=4 << 20, block=65536, count=64)
    trace.equals_program_count(oracle)
    reads = trace.on(TMP / "data")
    for r in reads:
        equal([r["path"], r["cache"], r["cpu_copies"]], ["direct", "bypass", 0], f"ledger of {r['id']}")
    equal(device_bytes(trace, "read"), counted["read_bytes"], "bytes fetched, against read_bytes")
    equal(counted["read_bytes"], 64 * 65536, "read_bytes of /proc/PID/io")
    check(dma_of(trace, reads) in (None, {("device", "user"): 64 * 65536}), f"DMA: {dma_of(trace, reads)}")


def test_a_direct_write_moves_bytes_by_dma_alone():
    trace, oracle, counted = traced("direct_write", size=4 << 20, block=65536, count=64)
    trace.equals_program_count(oracle)
    writes = trace.on(TMP / "data")
    for r in writes:
        equal([r["path"], r["cache"], r["cpu_copies"]], ["direct", "bypass", 0], f"ledger of {r['id']}")
    dirtied(counted, 64 * 65536)
    check(dma_of(trace, writes) in (None, {("user", "device"): 64 * 65536}), f"DMA: {dma_of(trace, writes)}")


def test_large_direct_requests_are_split_and_every_part_counts_once():
    trace, oracle, counted = traced("direct_read", size=16 << 20, block=8 << 20, count=2)
    trace.equals_program_count(oracle)
    equal(device_bytes(trace, "read"), counted["read_bytes"], "bytes fetched, against read_bytes")
    check(len(trace.transfers) >= 2, "fewer transfers than requests")


def test_an_o_dsync_write_writes_to_the_device_before_it_returns():
    trace, oracle, _ = traced("dsync_write", count=20)
    trace.equals_program_count(oracle)
    writes = trace.on(TMP / "data")
    equal(trace.copies(writes), {("user", "page_cache"): 20 * 4096}, "CPU copies")
    for r in writes:
        started = [t for t in trace.transfers if any(o["request"] == r["id"] for o in t["owners"])]
        check(sum(t["bytes"] for t in started) >= 4096, f"{r['id']} wrote nothing before it returned")
        for t in started:
            check(t["queue_ns"] >= r["start_ns"], f"{t['id']} was queued before {r['id']} began")


def each_sync_writes_what_was_dirty(mode, op):
    trace, oracle, _ = traced(mode, count=25)
    trace.equals_program_count(oracle)
    writes = trace.ops("pwrite64")
    equal(len(trace.ops(op)), 25, f"requests of {op}")
    equal(effect_bytes(trace, {r["id"] for r in writes}), 25 * 4096, "bytes written for the writes")
    for r in trace.ops(op):
        equal(r["cpu_copies"], 0, f"copies of {r['id']}")
        owned = sum(o["bytes"] for t in trace.transfers for o in t["owners"] if o["request"] == r["id"])
        check(owned >= 4096, f"{op} {r['id']} wrote {owned} bytes")
    return trace


def test_each_fsync_writes_the_dirty_page_of_the_write_before_it():
    each_sync_writes_what_was_dirty("fsync", "fsync")


def test_each_fdatasync_writes_the_dirty_page_of_the_write_before_it():
    trace = each_sync_writes_what_was_dirty("fdatasync", "fdatasync")
    waited = [r for r in trace.ops("fdatasync") if r["off_cpu_ns"] > 0]
    check(len(waited) >= 20, f"only {len(waited)} of 25 fdatasync waited")


def test_each_sync_file_range_writes_its_range():
    each_sync_writes_what_was_dirty("sync_file_range", "sync_file_range")


def test_msync_is_traced_with_its_range():
    trace, oracle, _ = traced("msync", count=10)
    trace.equals_program_count(oracle)
    equal({r["requested"] for r in trace.ops("msync")}, {4096}, "requested")
    for r in trace.ops("msync"):
        owned = sum(o["bytes"] for t in trace.transfers for o in t["owners"] if o["request"] == r["id"])
        check(owned >= 4096, f"msync {r['id']} wrote {owned} bytes")


def test_bytes_overwritten_before_they_were_written_are_absorbed():
    trace, oracle, _ = traced("overwrite_then_sync", count=10)
    trace.equals_program_count(oracle)
    equal(trace.summary["writeback"]["absorbed_bytes"], 9 * 4096, "absorbed")
    equal(effect_bytes(trace, {r["id"] for r in trace.ops("pwrite64")}), 4096, "bytes written for the writes")
    equal(trace.summary["writeback"]["pending_bytes"], 0, "pending")


def test_what_is_still_dirty_at_the_end_is_pending():
    trace, _, _ = traced("buffered_write", count=30)
    written = effect_bytes(trace, {r["id"] for r in trace.ops("write")})
    equal(trace.summary["writeback"]["pending_bytes"] + written, 30 * 4096, "pending and written")
