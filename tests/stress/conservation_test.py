"""What is seen and what is lost, by cause, add up to what was issued: exactly."""
import json
import subprocess

from lib import TMP, Recording, Skip, Workload, equal, iohops, need, sized, streamed

# Causes each of whose losses is one request that is not in the trace.
REQUESTS = ("ring_request", "threads_full", "rings_full", "recursion", "evicted")


def conserved(path, op, issued, data):
    """One pass over the recording, which may be too long for memory."""
    files, seen, requests, summary = set(), 0, 0, None
    for record in streamed(path):
        if record["type"] == "file" and record["path"] == str(data):
            files.add(record["file"])
        elif record["type"] == "request":
            requests += 1
            seen += record["op"] == op and record.get("file") in files and record.get("ended") is None
        elif record["type"] == "summary":
            summary = record
    lost = summary["lost"]["by_cause"]
    equal(seen + sum(lost.get(cause, 0) for cause in REQUESTS), issued, f"{op}: seen and lost ({lost}), of those issued")
    equal(summary["requests"], requests, "requests of the summary, against the records")


def runs(mode, op, count, **options):
    for _ in range(sized(1, 20)):
        work = Workload(mode, count=count, **options)
        recording = Recording("-p", work.pid)
        work.go()
        work.wait_done(patience=600)
        equal(recording.stop(patience=600), 0, f"exit code ({recording.text()})")
        said = work.finish()["ops"][op]
        equal((said["requests"], said["errors"]), (count, 0), "what the program did")
        conserved(recording.output, op, count, work.path)


def test_every_write_is_seen_or_counted_as_lost():
    runs("buffered_write", "write", sized(200_000, 1_000_000), block=16)


def test_every_direct_read_is_seen_or_counted_as_lost():
    runs("direct_read", "pread64", sized(5000, 1_000_000), size=8 << 20)


def test_every_request_of_a_deep_ring_is_seen_or_counted_as_lost():
    need("fio")
    count, data = sized(5000, 1_000_000), TMP / "fio.data"
    data.write_bytes(bytes(8 << 20))
    job = ["fio", "--name=job", f"--filename={data}", "--size=8M", f"--io_size={count * 4096}", "--rw=randread", "--bs=4k",
           "--norandommap", "--thread", "--ioengine=io_uring", "--direct=1", "--iodepth=256", "--output-format=json"]
    probe = subprocess.run([*job, "--io_size=4k"], capture_output=True, text=True)
    if probe.returncode:
        raise Skip(f"no such device: fio cannot use io_uring here: {probe.stderr.splitlines()[:1]}")
    for _ in range(sized(1, 20)):
        done = iohops("record", "-o", TMP / "trace.jsonl", "--", *job, f"--output={TMP}/fio.json", patience=600)
        equal(done.returncode, 0, f"exit code ({done.stderr})")
        said = json.loads((TMP / "fio.json").read_text())["jobs"][0]["read"]
        equal(said["total_ios"], count, "what fio did")
        conserved(TMP / "trace.jsonl", "io_uring.read", count, data)
