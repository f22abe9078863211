"""Filters save the work, not only the output: what they exclude leaves no record in the rings."""
from lib import TMP, Recording, Trace, Workload, check, equal

COUNT = 20000


def recorded(*filters, count=COUNT):
    work = Workload("hot_pread", count=count)
    recording = Recording("-p", work.pid, *filters)
    work.go()
    work.wait_done()
    work.finish()
    recording.wait()
    return Trace(recording.output)


def test_operations_that_nobody_wants_are_not_traced():
    trace = recorded("--op", "fsync")
    equal(len(trace.requests), 0, "requests")
    check(trace.summary["overhead"]["events"] < 100, f"{trace.summary['overhead']['events']} records for {COUNT} reads")
    check("page_fault_user" not in trace.header["hooks"]["attached"], "page faults are not hooked")


def test_small_and_short_requests_leave_no_record():
    for option, value in (("--min-bytes", "8K"), ("--min-latency", "10s")):
        trace = recorded(option, value)
        equal(len(trace.ops("pread64")), 0, f"requests with {option} {value}")
        check(trace.summary["overhead"]["events"] < COUNT / 10,
              f"{option}: {trace.summary['overhead']['events']} records for {COUNT} reads")
        equal(trace.lost, 0, "lost")


def test_files_that_a_path_excludes_are_dropped_once_they_are_known():
    count = 200000
    trace = recorded("--path", "/nowhere/*", count=count)
    equal(len(trace.requests), 0, "requests")
    check(trace.summary["overhead"]["events"] < count / 2,
          f"{trace.summary['overhead']['events']} records for {count} reads")
    trace = recorded("--path", f"{TMP}/*", count=500)
    equal(len(trace.ops("pread64")), 500, "requests on the file that is wanted")


def test_other_devices_leave_no_record():
    trace = recorded("--dev", "loop7")
    equal(len(trace.requests), 0, "requests")
    check(trace.summary["overhead"]["events"] < COUNT / 10, f"{trace.summary['overhead']['events']} records")
