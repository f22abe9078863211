"""What --max-lost allows, and that recorders do not take requests from each other. More in tests/stress."""
import os
import signal

from lib import TMP, Recording, Skip, Trace, Workload, check, equal


def test_a_loss_within_the_limit_is_no_failure():
    work = Workload("hot_pread", count=10_000)
    recording = Recording("-p", work.pid, "--ring", "4096", "--max-lost", "100%")
    recording.process.send_signal(signal.SIGSTOP)
    work.go()
    work.wait_done()
    recording.process.send_signal(signal.SIGCONT)
    equal(recording.stop(), 0, f"exit code ({recording.text()})")
    work.finish()
    check(Trace(recording.output).lost > 0, "nothing was lost")


def test_what_finds_no_room_in_a_ring_of_words_goes_into_the_ring_buffer_as_short():
    if os.uname().machine != "x86_64":
        raise Skip("only x86 has rings of words")
    # 8 KiB of words hold 340 of them, and 64 KiB of ring buffer 1,170 of 56 bytes; of records in full 620.
    work = Workload("hot_pread", count=1_400)
    recording = Recording("-p", work.pid, "--ring", "64K")
    recording.process.send_signal(signal.SIGSTOP)
    work.go()
    work.wait_done()
    recording.process.send_signal(signal.SIGCONT)
    trace = recording.trace()
    work.finish()
    equal(len(trace.ops("pread64")), 1_400, "requests")
    equal(trace.lost, 0, "lost")


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
