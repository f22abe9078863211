"""Recordings that do not list every request: what they count is what a full one counts."""
import json

from lib import TMP, Recording, Trace, Workload, check, equal, iohops

ONE_OF = 10


def raw_recording():
    """Hits and misses, buffered and direct, reads and writes."""
    work = Workload("tour", size=1 << 20)
    recording = Recording("-p", work.pid, "--raw", TMP / "trace.raw")
    work.go()
    work.wait_done()
    work.finish()
    equal(recording.wait(), 0, f"exit code ({recording.text()})")
    return TMP / "trace.raw"


def replayed(raw, *options):
    output = TMP / "thin.jsonl"
    done = iohops("replay", "-q", raw, "-o", output, *options)
    equal((done.returncode, done.stderr), (0, ""), f"replay {options}")
    return Trace(output)


def served_at_once(r):
    return (r["cache"] == "hit" and r["complete"] and (r["result"] or 0) >= 0 and r["off_cpu_ns"] == 0 and r["dma_bytes"] == 0
            and r["dirtied_bytes"] == 0)


def counts_what_is_counted_of(thin, full):
    left_out = thin.summary.pop("requests_left_out", 0)
    equal(left_out, len(full.requests) - len(thin.requests), "requests that are not listed")
    equal(thin.summary, full.summary, "the summary")
    listed = {r["id"]: r for r in full.requests}
    for request in thin.requests:
        equal(request, listed[request["id"]], "a request that is listed")
    return left_out


def test_misses_and_what_devices_did_are_listed():
    raw = raw_recording()
    full, thin = replayed(raw), replayed(raw, "--detail", "misses")
    equal(thin.header["thinned"], "misses", "what the header says")
    check(counts_what_is_counted_of(thin, full) > 100, "hardly any hit was left out: the test proves nothing")
    equal([r["id"] for r in thin.requests], [r["id"] for r in full.requests if not served_at_once(r)], "requests that are listed")
    equal([t["id"] for t in thin.transfers], [t["id"] for t in full.transfers], "transfers")


def test_a_sample_lists_about_one_of_so_many_and_counts_all():
    raw = raw_recording()
    full, thin = replayed(raw), replayed(raw, "--sample", f"1/{ONE_OF}")
    equal(thin.header["thinned"], f"1/{ONE_OF}", "what the header says")
    counts_what_is_counted_of(thin, full)
    expected = len(full.requests) / ONE_OF
    check(expected / 2 < len(thin.requests) < expected * 2, f"{len(thin.requests)} of {len(full.requests)} requests are listed")
    ids = {r["id"] for r in thin.requests}
    for transfer in thin.transfers:
        owners = [o["request"] for o in transfer["owners"]]
        check(not owners or ids & set(owners), f"no owner of {transfer['id']} is listed: {owners}")
    again = replayed(raw, "--sample", f"1/{ONE_OF}")
    equal([r["id"] for r in again.requests], [r["id"] for r in thin.requests], "the same sample, again")


def test_report_and_diff_say_it_and_count_all():
    raw = raw_recording()
    full = replayed(raw)
    path = TMP / "sampled.jsonl"
    equal(iohops("replay", "-q", raw, "-o", path, "--sample", "1/100").returncode, 0, "exit of replay")
    said = json.loads(iohops("report", "--format", "json", path).stdout)
    said.pop("requests_left_out")
    equal(said, full.summary, "the summary that report makes")
    page = iohops("report", path).stdout
    check("are listed (1/100)" in page and f"{len(full.requests):,} requests" in page, page)
    compared = iohops("diff", path, path)
    equal(compared.returncode, 0, f"exit of diff ({compared.stderr})")


def test_one_of_one_is_all():
    raw = raw_recording()
    full, thin = replayed(raw), replayed(raw, "--sample", "1/1", "--detail", "all")
    check("thinned" not in thin.header, "the header says that something is not listed")
    equal(counts_what_is_counted_of(thin, full), 0, "requests that are not listed")


def test_what_is_no_sample_is_refused():
    for sample in ("0", "10", "1/0", "2/3", "1/", "1/x", "1/-1", "1/99999999999999999999"):
        done = iohops("record", "--sample", sample, "-a")
        equal(done.returncode, 2, f"exit with --sample {sample}")
        check("as in --sample 1/100" in done.stderr, done.stderr)
    done = iohops("record", "--sample", "1/2", "--raw", TMP / "x.raw", "-a")
    equal((done.returncode, "iohops replay" in done.stderr), (2, True), "exit with --raw")
