"""Messages, zero copy and multiplexing: the ledger against what a program says that it moved."""
import collections
import json
import os

from lib import MESSAGES, MOVES, TMP, Trace, equal, iohops

COPIES = {("page_cache", "page_cache"), ("pipe", "page_cache"), ("user", "socket"), ("socket", "user")}


def traced_moves():
    os.makedirs(TMP / "moves", exist_ok=True)
    out = TMP / "trace.jsonl"
    done = iohops("record", "-o", out, "--", "/usr/bin/python3", "tests/workloads/moves.py", TMP / "moves")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    return Trace(out), json.loads(done.stdout)


def test_every_move_is_in_the_ledger_with_its_copies():
    trace, said = traced_moves()
    equal(trace.lost, 0, "lost")
    want, got = collections.Counter(), collections.Counter()
    for op, source, target, moved in said:
        kind = "cpu_copy" if (source, target) in COPIES else "ref"
        if source != "nothing":
            want[op, kind, source, target] += moved
    for r in trace.ops(*MESSAGES, *MOVES):
        for hop in r["hops"]:
            if hop["hop"] in ("cpu_copy", "ref"):
                got[r["op"], hop["hop"], hop["from"], hop["to"]] += hop["bytes"]
    equal(dict(got), dict(want), "bytes by operation, hop, from, to")
    equal({r["path"] for r in trace.ops("sendfile") if r["cpu_copies"] == 0}, {"zero_copy"}, "path of sendfile")
    equal(sum(h["device"] is not None for r in trace.ops(*MESSAGES) for h in r["hops"]), 0, "DMA over loopback")
    equal({trace.files[r["file"]]["socket"] for r in trace.ops("sendto")}, {"tcp", "udp"}, "sockets")


def test_waits_for_readiness_are_requests_without_data():
    trace, _ = traced_moves()
    waits = trace.ops("epoll_wait", "epoll_pwait", "select", "pselect6")
    equal({(r["op"], r["result"], r["mode_switches"]) for r in waits},
          {("epoll_wait", 1, 2), ("pselect6", 1, 2)}, "waits")
    equal({trace.path_of(r) for r in trace.ops("epoll_wait")}, {"anon_inode:[eventpoll]"}, "what is waited on")
    equal({r["moves_data"] for r in waits}, {False}, "moves_data")
