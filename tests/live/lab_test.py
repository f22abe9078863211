"""The lab on this kernel: every path agrees with the textbook, counted by programs that check what arrives."""
import json
import os
import signal
import subprocess

from lib import IOHOPS, TMP, check, disk_of, equal, iohops, wait_until



def lab(*arguments):
    done = iohops("lab", "--json", "--dir", TMP, *arguments)
    check(done.stdout, f"no output: {done.stderr}")
    found = json.loads(done.stdout)
    missed = found["lost"].get("completion_missed", 0)
    if missed:  # tests/run reads this
        print(f"completion_missed: {missed}")
    return done, {p["name"]: p for p in found["paths"]}


def test_every_path_agrees_with_the_textbook():
    disk_of(TMP)
    done, paths = lab()
    differ = {name: p for name, p in paths.items() if "skipped" not in p and not p["agrees"]}
    equal(differ, {}, "paths that differ")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    check(len([p for p in paths.values() if "skipped" not in p]) >= 25, f"paths that ran: {sorted(paths)}")
    classic, zero = paths["read-write-cold"], paths["sendfile"]
    equal(classic["cpu_copy_bytes"], 2 * classic["bytes"], "the classic copies each byte twice")
    equal(classic["mode_switches"], 4 * classic["rounds"], "four mode switches a round")
    check(classic["dma_bytes"] >= classic["bytes"], "and each byte comes from the disk once")
    equal(zero["cpu_copy_bytes"], 0, "sendfile copies nothing")


def test_advice_comes_true():
    done = iohops("lab", "--advice", "--json", "--dir", TMP)
    proofs = {p["advice"]: p for p in json.loads(done.stdout)["proofs"]}
    equal(set(proofs), {"relay", "small-requests", "sync-storm"}, "advice that was put to the test")
    equal([p for p in proofs.values() if not p["came_true"]], [], "what did not come true")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    # 4 MiB by read and write, 64 KiB at a time: two copies and two of four mode switches are saved.
    equal(proofs["relay"]["saved"], {"cpu_copy_bytes": 2 * 4 << 20, "mode_switches": 128}, "saved by sendfile")
    equal(proofs["sync-storm"]["saved"]["mode_switches"], 126, "63 of 64 syncs")


def test_some_paths_by_name():
    done, paths = lab("sendfile", "read-hot")
    equal(list(paths), ["sendfile", "read-hot"], "in the order in which they were asked for")
    equal(done.returncode, 0, "exit code")
    done = iohops("lab", "sendfle")
    equal(done.returncode, 2, "exit code of a wrong name")
    check("did you mean sendfile?" in done.stderr, done.stderr)
    names = [line.split()[0] for line in iohops("lab", "--list").stdout.splitlines()]
    check(set(paths) < set(names), "the list")


def test_where_no_file_can_be_made_it_says_so():
    done = iohops("lab", "--dir", "/proc", "read-hot")
    check(done.returncode in (1, 2) and "/proc" in done.stderr + done.stdout, f"{done.returncode} {done.stderr}{done.stdout}")
    done = iohops("lab", "--dir", TMP / "nowhere", "read-hot")
    equal(done.returncode, 2, "exit code of a folder that does not exist")


def test_it_can_be_interrupted_and_leaves_nothing():
    before = set(os.listdir(TMP))
    process = subprocess.Popen([IOHOPS, "lab", "--dir", TMP], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    child = wait_until(lambda: open(children).read().split(), "the lab has its child")[0]
    wait_until(lambda: open(f"/proc/{child}/task/{child}/children").read().split(), "a program runs")
    process.send_signal(signal.SIGINT)
    equal(process.wait(30), 130, "exit code")
    check(not os.path.exists(f"/proc/{child}"), "its child is gone")
    equal(set(os.listdir(TMP)) - before, set(), "files that it left")
