"""The arithmetic of `--paired`: what many noisy differences agree on, and how well. Pure: numbers in, numbers out.

A turn gives one difference, traced minus the mean of the two untraced samples around it: drift that is slower than a turn
cancels in it. The median of the turns' differences is not moved by the turns that something else disturbed, as long as
those are fewer than half, and its error is taken from the median distance to it, for the same reason.
"""
import math
import statistics
from typing import NamedTuple

SIGMA_PER_MAD = 1.4826  # of a normal distribution: 1 / the 75th percentile of the standard one
MEDIAN_PER_MEAN = 1.25  # the median's standard error over the mean's: sqrt(pi / 2)


class Estimate(NamedTuple):
    value: float
    error: float  # one standard error; infinite when there is one value only
    count: int


def estimate(values):
    """Median and robust standard error of independent values; None of none."""
    values = list(values)
    if not values:
        return None
    middle = statistics.median(values)
    deviation = SIGMA_PER_MAD * statistics.median(abs(v - middle) for v in values)
    error = MEDIAN_PER_MEAN * deviation / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return Estimate(middle, error, len(values))


def lower_quartile(times):
    """The mean of the times that rank from 1/8 to 3/8: the quartile of times that were read from a coarse clock."""
    times = sorted(times)
    first, last = len(times) // 8, max(len(times) // 8 + 1, len(times) * 3 // 8)
    return statistics.fmean(times[first:last])


def compared(traced, before, after):
    """One turn's figures from its three samples, each {"ns", "mean_ns", "p99_ns"} of a call; None where not known."""
    facts = {}
    for key, name in (("ns", ""), ("mean_ns", "mean_"), ("p99_ns", "p99_")):
        if traced.get(key) is None:
            continue
        untraced = (before[key] + after[key]) / 2
        facts |= {name + "ratio": traced[key] / untraced, name + "added_ns": traced[key] - untraced,
                  name + "untraced_ns": untraced}
    return facts


def known(samples, key):
    return estimate(s[key] for s in samples if s.get(key) is not None)


def difference(ours, theirs, key="added_ns"):
    """How much more theirs is, from the rounds that have both: what disturbed a whole round cancels. None without one."""
    of_round = {s["round"]: s[key] for s in ours}
    return estimate(s[key] - of_round[s["round"]] for s in theirs if s["round"] in of_round)
