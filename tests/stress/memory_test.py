"""Memory stays within --max-mem and a tenth, whatever the trace holds; what was given up for that is counted."""
import json
import os
import subprocess

from lib import BUILD, IOHOPS, check, equal, sized

LIMIT = 64 << 20  # the least that is accepted: the tables are full soon


def replayed(kind, count, *options):
    """The summary of such a stream, replayed within the limit."""
    stream = subprocess.Popen([BUILD / "stress" / "streams", kind, str(count)], stdout=subprocess.PIPE)
    command = [IOHOPS, "replay", "-", "-o", "-", "-q", "--max-mem", str(LIMIT), *options]
    replay = subprocess.Popen(command, stdin=stream.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    stream.stdout.close()
    last = subprocess.Popen(["tail", "-n", "1"], stdin=replay.stdout, stdout=subprocess.PIPE)
    replay.stdout.close()
    said = replay.stderr.read()
    _, status, usage = os.wait4(replay.pid, 0)
    replay.returncode = os.waitstatus_to_exitcode(status)
    equal((replay.returncode, said, stream.wait()), (0, "", 0), "exit code and words of replay, exit code of the stream")
    peak = usage.ru_maxrss << 10
    print(f"{kind} {count} {options}: {peak >> 20} MiB at most")
    check(peak <= LIMIT * 1.1, f"{kind}: {peak >> 20} MiB at most, of {LIMIT >> 20} MiB and a tenth")
    summary = json.loads(last.communicate()[0])
    equal(summary["type"], "summary", "last record")
    return summary


def evicted(summary):
    return sum(summary["lost"]["by_cause"].get(cause, 0) for cause in ("evicted", "evicted_ranges"))


def test_requests_that_never_complete_are_given_up():
    count = sized(100_000, 10_000_000)
    summary = replayed("open", count)
    equal((summary["requests"], summary["partial_requests"]), (count, count), "requests, and of them not complete")
    check(0 < evicted(summary) < count, f"evicted: {evicted(summary)}, of {count}")


def test_files_are_forgotten_with_what_was_dirty():
    count = sized(100_000, 1_000_000)
    summary = replayed("files", count)
    equal((summary["requests"], summary["partial_requests"]), (count, 0), "requests, and of them not complete")
    pending = summary["writeback"]["pending_bytes"] // 4096
    check(pending > 0, "the latest files are still known")
    equal(evicted(summary) + pending, count, "ranges that were given up, or are still dirty")


def test_millions_of_dirty_ranges_on_as_many_files_as_a_tenth():
    count = sized(100_000, 10_000_000)
    summary = replayed("ranges", count)
    equal(summary["requests"], count, "requests")
    pending = summary["writeback"]["pending_bytes"] // 4096
    check(pending > 0, "the latest ranges are still known")
    check(evicted(summary) > 0, "nothing was given up: the tables are not full, and the test proves nothing")


def test_a_filter_forgets_too():
    count = sized(100_000, 1_000_000)
    summary = replayed("files", count, "--path", "/srv/folder/*1")
    equal(summary["requests"], count // 10, "requests that pass")


def test_a_day_of_forks():
    hours = sized(1, 24)
    summary = replayed("day", hours)
    equal((summary["requests"], summary["partial_requests"]), (hours * 3600 * 100, 0), "requests, and of them not complete")
    check(evicted(summary) > 0, "nothing was given up: the tables are not full, and the test proves nothing")
