"""More than the collector can take: what is lost is counted, said, and no figure claims to be whole that may not be."""
import os
import re
import select
import signal

from lib import Recording, Trace, Workload, check, equal, sized, streamed


def stopped(work, ring, *arguments, until):
    """Records the workload with the collector stopped from its first request until `until` returns."""
    recording = Recording("-p", work.pid, "--op", "pread64", "--ring", ring, *arguments)
    recording.process.send_signal(signal.SIGSTOP)
    work.go()
    until()
    recording.process.send_signal(signal.SIGCONT)
    return recording


def on_one_cpu(count):
    """Its records meet one ring only, so that what that ring has to hold is the same in every run."""
    work = Workload("hot_pread", count=count)
    os.sched_setaffinity(work.pid, {min(os.sched_getaffinity(0))})
    return work


def test_a_collector_that_is_stopped_under_full_load_counts_what_it_lost():
    seconds = sized(1, 3)
    work = Workload("forever")
    # A time that no condition names: that is the test.
    recording = stopped(work, 4096, "--max-lost", "0", until=lambda: select.select([], [], [], seconds))
    select.select([], [], [], 0.2)
    work.process.terminate()
    work.wait_done()
    equal(recording.stop(patience=300), 7, f"exit code ({recording.text()})")
    made = work.finish()["facts"]["requests"]
    seen, partial, losses, summary, results = 0, 0, 0, None, set()
    for record in streamed(recording.output):
        if record["type"] == "request":
            seen += 1
            partial += not record["complete"]
            results.add(record["result"])
        losses += record["count"] if record["type"] == "loss" else 0
        summary = record
    lost = summary["lost"]["by_cause"]["ring_request"]
    check(lost > 0, "a ring of 4096 bytes held everything")
    equal(seen + lost, made, "requests seen and lost, of those made")
    equal(summary["lost"]["total"], losses, "loss records, against the summary")
    equal(summary["partial_requests"], partial, "requests that the loss may have hit")
    equal(results, {4096}, "results of those that are there")


def test_the_ring_that_it_asks_for_loses_nothing():
    count = sized(50_000, 1_000_000)
    work = on_one_cpu(count)
    recording = stopped(work, 65536, until=work.wait_done)
    equal(recording.stop(patience=300), 0, f"exit code ({recording.text()})")
    work.finish()
    advice = re.search(r"had to hold [\d.]+ \w+: iohops record --ring (\d+[KM])", recording.text())
    check(advice, f"no ring is named: {recording.text()}")
    work = on_one_cpu(count)
    recording = stopped(work, advice.group(1), until=work.wait_done)
    equal(recording.stop(patience=300), 0, f"exit code ({recording.text()})")
    work.finish()
    *_, summary = streamed(recording.output)
    equal((summary["lost"]["total"], summary["requests"]), (0, count), f"lost and seen, with {advice.group(0)}")


def test_rings_that_hold_more_than_is_put_in_order_at_a_time_lose_nothing():
    """They are emptied in turns then: of the least --max-mem, less waits in memory than they hold."""
    count = sized(200_000, 1_000_000)
    work = on_one_cpu(count)
    recording = stopped(work, "128M", "--max-mem", "64M", until=work.wait_done)
    equal(recording.stop(patience=300), 0, f"exit code ({recording.text()})")
    work.finish()
    *_, summary = streamed(recording.output)
    equal((summary["lost"]["total"], summary["requests"]), (0, count), "lost and seen")


def test_what_lost_its_device_work_does_not_claim_to_be_whole():
    """Cold reads through a ring that holds a few records: block requests and waits are lost, too."""
    block, count = 16384, 256
    work = Workload("cold_random", size=block * count, block=block, count=count)
    recording = Recording("-p", work.pid, "--ring", 4096)
    recording.process.send_signal(signal.SIGSTOP)
    work.go()
    work.wait_done()
    recording.process.send_signal(signal.SIGCONT)
    equal(recording.stop(), 0, f"exit code ({recording.text()})")
    trace = Trace(recording.output)
    oracle = work.finish()
    equal(oracle["facts"]["resident_pages"], block * count // 4096, "pages that were read")
    reads = trace.ops("pread64")
    check(trace.lost > 0, "nothing was lost")
    equal(len(reads) + trace.summary["lost"]["by_cause"]["ring_request"] >= count, True, "reads seen and lost")
    for r in reads:
        whole = r["dma_bytes"] == block and r["cache"] == "miss" and r["file"] is not None
        check(whole or not r["complete"], f"{r['id']} claims to be whole: {r}")
