"""Buffered reads and writes: hits, misses, readahead, holes, short reads, read-modify-write."""
from lib import PAGE, TMP, check, dirtied, disk_bytes, disk_of, equal, traced


def has_dma(trace, name):
    return any(d["name"] == name and d["dma"] for d in trace.header["devices"])


def test_a_hit_is_one_copy_and_two_mode_switches():
    trace, oracle, _ = traced("hot_pread", count=500)
    trace.equals_program_count(oracle)
    for r in trace.on(TMP / "data"):
        got = [r["path"], r["cache"], r["miss_bytes"], r["mode_switches"], r["cpu_copies"],
               r["cpu_copy_bytes"], r["dma_bytes"]]
        equal(got, ["buffered", "hit", 0, 2, 1, 4096, 0], f"ledger of {r['id']}")
    equal(trace.copies(), {("page_cache", "user"): 500 * 4096}, "CPU copies")


def test_sequential_misses_add_up_to_what_the_page_cache_gained():
    disk, _ = disk_of(TMP)
    read_before = disk_bytes(disk)[0]
    trace, oracle, counted = traced("cold_sequential", size=4 << 20, block=16384)
    read_by_disk = disk_bytes(disk)[0] - read_before
    trace.equals_program_count(oracle)
    reads = trace.on(TMP / "data")
    equal(trace.copies(reads), {("page_cache", "user"): 4 << 20}, "CPU copies")
    gained = oracle["facts"]["resident_pages"] * PAGE
    equal(sum(r["miss_bytes"] + r["readahead_bytes"] for r in reads), gained,
          "missed bytes and readahead, against the pages that mincore sees")
    check(sum(r["cache"] in ("miss", "mixed") for r in reads) >= 1, "no read was a miss")
    check(sum(r["cache"] == "hit" for r in reads) > len(reads) / 2, "readahead served no read")
    owned = sum(o["bytes"] for t in trace.transfers if t["op"] == "read" for o in t["owners"])
    equal(owned, counted["read_bytes"], "bytes that its transfers fetched, against read_bytes of /proc/PID/io")
    check(read_by_disk >= owned, f"{disk} read {read_by_disk} bytes in all, the trace says {owned}")
    if has_dma(trace, disk):
        equal(sum(r["dma_bytes"] for r in reads), counted["read_bytes"], "DMA bytes, against read_bytes")


def test_each_random_miss_fetches_its_block_and_waits_for_the_device():
    trace, oracle, counted = traced("cold_random", size=8 << 20, count=100)
    trace.equals_program_count(oracle)
    reads = trace.on(TMP / "data")
    disk, _ = disk_of(TMP)
    for r in reads:
        equal([r["cache"], r["miss_bytes"], r["readahead_bytes"]], ["miss", 4096, 0], f"cache of {r['id']}")
        if has_dma(trace, disk):
            equal([(h["from"], h["to"], h["bytes"]) for h in r["hops"] if h["hop"] == "dma"],
                  [("device", "page_cache", 4096)], f"DMA of {r['id']}")
    equal(oracle["facts"]["resident_pages"], 100, "pages that the workload found in the cache")
    equal(counted["read_bytes"], 100 * 4096, "read_bytes of /proc/PID/io")
    # A device that answers before the reader has gone to sleep leaves no wait; every other miss has one.
    # The one sleep besides is that in which the workload waits for its signal.
    sleeps = sum(r["context_switches"]["voluntary"] for r in reads)
    equal(sleeps, counted["sleeps"] - 1, "voluntary context switches, against /proc/PID/status")
    waits = [h["reason"] for h in trace.hops("wait", reads)]
    equal(waits.count("device"), sleeps, f"waits for the device, of {waits}")
    for r in reads:
        waited = sum(h["end_ns"] - h["at_ns"] for h in r["hops"] if h["hop"] == "wait")
        check(waited <= r["duration_ns"], f"{r['id']} waited longer than it took")


def test_a_hole_copies_zeros_and_fetches_nothing():
    trace, oracle, counted = traced("hole", size=1 << 20, block=65536)
    trace.equals_program_count(oracle)
    reads = trace.on(TMP / "data")
    equal(trace.copies(reads), {("page_cache", "user"): 1 << 20}, "CPU copies")
    equal([sum(r["dma_bytes"] for r in reads), counted["read_bytes"]], [0, 0], "DMA bytes, read_bytes")


def test_short_empty_and_failing_requests_copy_what_they_return():
    trace, oracle, _ = traced("edges")
    trace.equals_program_count(oracle)
    by_result = {r["result"]: r for r in trace.ops("pread64", "pwrite64")}
    for r in trace.ops("pread64", "pwrite64"):
        equal(r["cpu_copy_bytes"], max(0, r["result"]), f"bytes copied by {r['id']}")
        equal(r["cpu_copies"], int(r["result"] > 0), f"copies of {r['id']}")
    equal(by_result[-9].get("error"), "EBADF", "name of result -9")
    equal(by_result[-14].get("error"), "EFAULT", "name of result -14")


def test_a_buffered_write_copies_once_and_dirties_pages():
    trace, oracle, counted = traced("buffered_write", count=100)
    trace.equals_program_count(oracle)
    writes = trace.on(TMP / "data")
    equal(len(writes), 100, "writes to the file")
    equal(trace.copies(writes), {("user", "page_cache"): 100 * 4096}, "CPU copies")
    equal([r["offset"] for r in writes], [i * 4096 for i in range(100)], "offsets")
    dirtied(counted, sum(r["dirtied_bytes"] for r in writes))


def test_appends_are_placed_at_the_end_of_the_file():
    trace, oracle, _ = traced("append", size=1 << 20, block=1000, count=50)
    trace.equals_program_count(oracle)
    equal([r["offset"] for r in trace.on(TMP / "data")], [(1 << 20) + i * 1000 for i in range(50)], "offsets")


def test_a_small_write_to_an_uncached_page_reads_it_first():
    trace, oracle, counted = traced("read_modify_write", size=4 << 20, count=20)
    trace.equals_program_count(oracle)
    writes = trace.on(TMP / "data")
    equal(trace.copies(writes), {("user", "page_cache"): 20 * 100}, "CPU copies")
    equal(counted["read_bytes"], 20 * PAGE, "read_bytes of /proc/PID/io")
    fetched = [t for t in trace.transfers if t["op"] == "read" and t["owners"]]
    equal(sum(o["bytes"] for t in fetched for o in t["owners"]), counted["read_bytes"], "bytes fetched")
    equal({t["cause"] for t in fetched}, {"read_modify_write"}, "causes")


def test_vectored_requests_count_all_their_segments():
    trace, oracle, _ = traced("vectored", count=40)
    trace.equals_program_count(oracle)
    equal(trace.copies(), {("page_cache", "user"): 2 * 40 * 4096, ("user", "page_cache"): 40 * 4096}, "copies")
