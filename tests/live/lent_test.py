"""MSG_ZEROCOPY: what the kernel's own notifications say, against the ledger."""
import contextlib
import json
import subprocess

from lib import TMP, Skip, Trace, check, equal, iohops, need, wait_exit

PROGRAM = ("/usr/bin/python3", "tests/workloads/lent.py")


@contextlib.contextmanager
def receiver(address, *prefix):
    process = subprocess.Popen([*prefix, *PROGRAM, "serve", address], stdout=subprocess.PIPE, text=True)
    try:
        port = process.stdout.readline().strip()
        check(port, "the receiver did not start")
        yield port
    finally:
        process.kill()
        wait_exit(process, "the receiver")


def agrees_with_the_kernel(address, port, evidence):
    out = TMP / "trace.jsonl"
    done = iohops("record", "-q", "-o", out, "--", *PROGRAM, address, port)
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    said, trace = json.loads(done.stdout), Trace(out)
    equal(trace.lost, 0, "lost")
    sends = [r for r in trace.ops("sendto") if r["result"] > 0]
    equal((len(sends), sum(r["result"] for r in sends)), (said["calls"], said["sent"]), "sends")
    equal({h["bytes"] for r in sends for h in r["hops"] if h["hop"] == "ref"}, {r["result"] for r in sends}, "lent")
    equal(said["copied"], said["calls"], "sends that the kernel says it copied after all")
    equal(trace.copies(sends), {("user", "socket"): said["sent"]}, "copied")
    seen = {h["evidence"] for h in trace.hops("cpu_copy", sends)}
    check(seen <= {"measured", evidence}, f"evidence: {seen}")
    if trace.header["evidence"]["cpu_copies"]["grade"] == "measured":
        check("measured" in seen, "where functions are hooked, copies that were made within the call are measured")


def test_over_loopback_it_is_copied_after_all():
    with receiver("127.0.0.1") as port:
        agrees_with_the_kernel("127.0.0.1", port, "derived")


def test_through_a_veth_it_is_copied_after_all():
    need("ip")
    near, far = "10.217.34.1", "10.217.34.2"

    def ip(*arguments):
        return subprocess.run(["ip", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        if ip("netns", "add", "iohops-far").returncode:
            raise Skip("this kernel, or whoever runs it, makes no network namespace")
        made = ip("link", "add", "iohops-near", "type", "veth", "peer", "name", "far", "netns", "iohops-far")
        if made.returncode:
            raise Skip(f"this kernel has no veth: {made.stdout.strip()}")
        for line in (f"addr add {near}/24 dev iohops-near", "link set iohops-near up",
                     f"-n iohops-far addr add {far}/24 dev far", "-n iohops-far link set far up"):
            equal(ip(*line.split()).returncode, 0, line)
        with receiver(far, "ip", "netns", "exec", "iohops-far") as port:
            agrees_with_the_kernel(far, port, "inferred")
    finally:
        ip("link", "del", "iohops-near")
        ip("netns", "del", "iohops-far")
