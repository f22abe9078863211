"""Nothing is lost without being counted: requests recorded and requests lost add up to those made."""
import signal

from lib import TMP, Recording, Trace, Workload, check, equal


def overloaded(*arguments, count=100_000):
    """A ring of the smallest size and a recorder that is stopped while the target runs."""
    work = Workload("hot_pread", count=count)
    recording = Recording("-p", work.pid, "--ring", "4096", *arguments)
    recording.process.send_signal(signal.SIGSTOP)
    work.go()
    work.wait_done()
    recording.process.send_signal(signal.SIGCONT)
    code = recording.stop()
    return recording, code, work.finish()


def test_what_does_not_fit_the_ring_is_counted_exactly():
    recording, code, oracle = overloaded()
    equal(code, 0, f"exit code ({recording.text()})")
    trace = Trace(recording.output)
    lost = trace.summary["lost"]["by_cause"].get("ring_request", 0)
    check(lost > 0, "a ring of 4096 bytes held everything")
    # Page faults of the workload are requests too, and as many as the kernel counted at most.
    faults = oracle["facts"]["minor_faults"] + oracle["facts"]["major_faults"]
    check(faults < 100, f"{faults} page faults blur the count")
    seen = len(trace.requests) + lost
    check(100_000 <= seen <= 100_000 + faults, f"{seen} requests recorded and lost, 100,000 and up to {faults} made")
    equal(sum(r["count"] for r in trace.of_type("loss") if r["cause"] == "ring_request"), lost,
          "loss records, against the summary")
    check(str(lost)[:3] in recording.text().replace(",", ""), f"the loss is not said: {recording.text()}")


def test_a_loss_beyond_the_limit_is_an_exit_code():
    recording, code, _ = overloaded("--max-lost", "0")
    equal(code, 7, f"exit code ({recording.text()})")
    equal(Trace(recording.output).summary["lost"]["total"] > 0, True, "lost")
    recording, code, _ = overloaded("--max-lost", "100%")
    equal(code, 0, f"exit code ({recording.text()})")


def test_two_recorders_see_the_same_requests():
    work = Workload("hot_pread", count=500)
    recordings = [Recording("-p", work.pid, output=TMP / f"{i}.jsonl") for i in range(2)]
    work.go()
    work.wait_done()
    first, second = (r.trace() for r in recordings)
    work.finish()

    def seen(trace):
        return [(r["op"], r["tid"], r["offset"], r["result"]) for r in trace.ops("pread64")]
    equal(seen(second), seen(first), "requests of the two")
    equal(len(seen(first)), 500, "requests")
