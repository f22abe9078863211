"""Files read through mappings: the requests are page faults."""
from lib import PAGE, TMP, check, equal, traced


def faults_on_file(trace):
    return [r for r in trace.on(TMP / "data") if r["op"] == "page_fault"]


def within_kernel_count(trace, oracle):
    facts = oracle["facts"]
    all_faults = facts["minor_faults"] + facts["major_faults"]
    seen = len(trace.ops("page_fault"))
    check(seen <= all_faults, f"{seen} page faults traced, the kernel counted {all_faults}")


def test_cached_pages_are_mapped_and_not_copied():
    trace, oracle, _ = traced("mmap_cached")
    within_kernel_count(trace, oracle)
    faults = faults_on_file(trace)
    # Fault-around maps up to 16 pages at a time; it leaves out those that somebody has locked.
    check(len(faults) >= 16, f"{len(faults)} faults for 256 pages")
    for r in faults:
        equal([r["path"], r["submit"], r["cache"], r["cpu_copies"], r["mode_switches"], r["major_fault"]],
              ["mapped", "page_fault", "hit", 0, 2, False], f"ledger of {r['id']}")
        equal([h["hop"] for h in r["hops"] if h["hop"] != "wait"], ["map"], f"hops of {r['id']}")


def test_cold_pages_come_from_the_device_and_are_not_copied():
    trace, oracle, counted = traced("mmap_cold")
    within_kernel_count(trace, oracle)
    faults = faults_on_file(trace)
    equal(sum(r["major_fault"] for r in faults), oracle["facts"]["major_faults"],
          "major faults, against getrusage")
    equal(trace.copies(faults), {}, "CPU copies")
    owned = sum(o["bytes"] for t in trace.transfers if t["op"] == "read" for o in t["owners"])
    equal(owned, counted["read_bytes"], "bytes fetched, against read_bytes of /proc/PID/io")
    equal(sum(r["miss_bytes"] + r["readahead_bytes"] for r in faults),
          oracle["facts"]["resident_pages"] * PAGE, "missed bytes and readahead, against mincore")


def test_a_store_into_a_private_mapping_copies_the_page():
    trace, oracle, _ = traced("mmap_private_write")
    within_kernel_count(trace, oracle)
    faults = faults_on_file(trace)
    equal(len(faults), oracle["facts"]["touched_pages"], "faults, one a page")
    equal(trace.copies(faults), {("page_cache", "user"): len(faults) * PAGE}, "CPU copies")
    equal({r["write_fault"] for r in faults}, {True}, "store faults")


def test_a_store_to_a_page_that_was_mapped_to_be_read_copies_it_and_a_childs_store_does_not():
    trace, oracle, _ = traced("mmap_private_rewrite", arguments=("-f",))
    facts = oracle["facts"]
    equal(facts["own_bytes_before"], 0, "the process's own bytes in the mapping before")
    faults = faults_on_file(trace)
    equal(trace.copies(faults), {("page_cache", "user"): facts["own_bytes"]},
          "CPU copies, against the Anonymous of /proc/PID/smaps")
    equal({h["evidence"] for r in faults for h in r["hops"]}, {"observed"}, "evidence")
    equal({(r["pid"], r["write_fault"], r["cache"]) for r in faults}, {(oracle["pid"], True, "hit")},
          "stores of the parent to cached pages")
    equal(sorted(r["offset"] for r in faults), list(range(0, facts["own_bytes"], PAGE)), "the pages")


def test_a_store_to_a_page_that_was_mapped_to_be_read_is_what_is_written_later():
    trace, oracle, _ = traced("mmap_shared_rewrite")
    within_kernel_count(trace, oracle)
    size = oracle["facts"]["touched_pages"] * PAGE
    stores = faults_on_file(trace)
    equal({r["write_fault"] for r in stores}, {True}, "store faults")
    equal(trace.copies(stores), {}, "CPU copies")
    equal(sum(r["dirtied_bytes"] for r in stores), 2 * size, "made dirty by them")
    ids = {r["id"] for r in stores}
    written = sum(s["bytes"] for e in trace.effects for s in e["requests"] if s["request"] in ids)
    equal(written, 2 * size, "written to the device for them")
