"""The paired turns of tools/bench: their arithmetic, and that drift and disturbed turns do not get into a figure. No
tracer runs here; the workload is a made-up one whose price is known."""
import os
import pathlib
import random
import statistics
import subprocess
import sys

from lib import TMP, check, equal

sys.path.insert(0, "tools/bench")
import paired
import samples
import table


class Made:
    """Costs 1000 ns, 50 more while traced, and 10 more with each sample; every eleventh is disturbed."""

    def __init__(self):
        self.taken, self.traced, self.noise = 0, False, random.Random(1)

    def hold(self):
        return 42

    def turn(self, ms):
        equal(ms, 150, "the length that is asked for")
        self.taken += 1
        ns = 1000 + 50 * self.traced + 10 * self.taken + self.noise.gauss(0, 2)
        ns += 5000 * (self.taken % 11 == 0)
        return {"ns": ns, "mean_ns": ns + 300, "p99_ns": None, "calls": 7}


class Tool:
    def __init__(self, workload, pid):
        equal(pid, 42, "whom it traces")
        self.workload = workload
        workload.traced = True

    def rss(self):
        return 4096

    def stop(self, workload, calls):
        workload.traced = False
        return {"bytes": 2 * calls}


def turns_of(workload, count):
    return [samples.turn(workload, lambda pid: Tool(workload, pid), 150) | {"round": i} for i in range(count)]


def test_the_median_s_error_is_that_of_its_spread():
    # Distances to 5: 4, 2, 0, 2, 95; their median is 2.
    middle, error, count = paired.estimate([100, 1, 5, 3, 7])
    equal((middle, count), (5, 5), "median and count")
    check(abs(error - 1.25 * 1.4826 * 2 / 5 ** 0.5) < 1e-9, f"error: {error}")
    equal(paired.estimate([]), None, "of no values")
    equal(paired.estimate([3])[1], float("inf"), "error of one value")


def test_the_error_is_how_far_medians_are_spread():
    noise = random.Random(2)
    made = [paired.estimate(noise.gauss(0, 10) for _ in range(30)) for _ in range(2000)]
    spread = statistics.pstdev(e.value for e in made)
    said = statistics.fmean(e.error for e in made)
    check(0.85 < said / spread < 1.15, f"the medians are spread by {spread:.2f}, {said:.2f} is said")


def test_drift_and_disturbed_turns_do_not_get_into_a_cost():
    found = turns_of(Made(), 40)
    added, error, count = paired.known(found, "added_ns")
    equal(count, 40, "turns")
    check(abs(added - 50) < 3 and 0 < error < 3, f"added: {added:.1f} ± {error:.1f} ns, 50 were")
    check(abs(paired.known(found, "mean_added_ns").value - 50) < 3, "added to the mean")
    equal(paired.known(found, "p99_ratio"), None, "of calls that were not timed")
    equal({(f["rss"], f["calls"], f["bytes"]) for f in found}, {(4096, 7, 14)}, "what the tool says")


def test_two_tools_are_compared_round_by_round():
    ours = [{"round": i, "added_ns": 1000 * i} for i in range(9)]
    theirs = [{"round": i, "added_ns": 1000 * i + 7} for i in range(1, 9)]
    equal(paired.difference(ours, theirs), (7, 0, 8), "what is common to a round")
    equal(paired.difference(ours, []), None, "without a round")


def test_the_quartile_of_a_coarse_clock_is_finer_than_its_ticks():
    equal(paired.lower_quartile([9, 1, 3, 2, 9, 9, 9, 9]), 2.5, "mean of the second and third of eight")
    equal(paired.lower_quartile([4]), 4, "of one")


def test_the_table_says_estimates_and_their_errors():
    tools = {"empty": turns_of(Made(), 40), "raw": turns_of(Made(), 40), "raw@x": turns_of(Made(), 40)}
    specs = {"empty": Label("floor"), "raw": Label("raw"), "raw@x": Label("raw of x")}
    text = table.text("pread", {"title": "reads", "paired": True, "tools": tools}, specs)
    header, *lines = text.splitlines()[2:]
    equal(header.split()[:3], ["tool", "slowdown", "added"], "columns")
    check("± " in lines[1] and " 1.0 " in lines[1] and " 40 " in lines[1], f"the row of a tool: {lines[1]}")
    equal(lines[3].strip(), "x against raw: +0.0 ± 0.0 ns a call, of 40 rounds", "the comparison")


class Label:
    def __init__(self, label):
        self.label = label


def test_a_bad_path_of_another_iohops_is_said():
    plain = TMP / "plain"
    plain.write_text("")
    for path, why in ((TMP / "none", "there is no such file"), (plain, "not a program"), (TMP, "not a program"),
                      (pathlib.Path("/bin/true"), "its --version does not say that it is iohops")):
        done = subprocess.run([sys.executable, "-B", "tools/bench/run.py", "--paired", "--only", "raw", "--against", path],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ)
        equal((done.returncode, done.stdout), (1, f"bench: --against {path}: {why}\n"), f"--against {path}")
