"""The tables of the bench, for a terminal and for a document."""
import os
import pathlib
import re
import statistics
import time

import paired


def machine():
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"Linux {os.uname().release}, {os.cpu_count()} CPUs ({model}), {time.strftime('%Y-%m-%d')}"


def middle(samples, key):
    known = [s[key] for s in samples if s.get(key) is not None]
    return statistics.median(known) if known else None


COLUMNS = ("tool", "slowdown", "spread", "added", "of the floor", "p99", "lost", "collector", "output", "RSS")
PAIRED = ("tool", "slowdown", "added", "of the floor", "added, mean", "p99", "turns", "lost", "output", "RSS")


def rows(result, specs):
    """One list of texts a tool, in the order of COLUMNS."""
    floor = middle(result["tools"].get("empty", []), "added_ns")
    for key, samples in result["tools"].items():
        ratios = sorted(s["ratio"] for s in samples)
        added = middle(samples, "added_ns")
        p99 = middle(samples, "p99_ratio")
        cpu = [s["cpu_ns"] for s in samples if s["cpu_ns"] is not None]
        lost, output, rss = kept(samples)
        yield [specs[key].label + (" (noisy)" if any(s.get("noisy") for s in samples) else ""),
               f"{statistics.median(ratios):.2f}x", f"{ratios[0]:.2f}..{ratios[-1]:.2f}", nanoseconds(added),
               of_floor(key, added, floor), f"{p99:.2f}x" if p99 else "-", lost,
               f"{sum(cpu) / calls(samples):,.0f} ns/call" if cpu and key != "empty" else "-", output, rss]


def paired_rows(result, specs):
    """The same in the order of PAIRED: estimates with their errors. What a collector takes is left out: in a turn, it
    is mostly what ending it takes."""
    tools = result["tools"]
    floor = paired.known(tools.get("empty", []), "added_ns")
    # A multiple of what may be nothing says nothing.
    floor = floor.value if floor and floor.value > 4 * floor.error else None
    for key, samples in tools.items():
        lost, output, rss = kept(samples)
        yield [specs[key].label, times(paired.known(samples, "ratio")), span(paired.known(samples, "added_ns")),
               of_floor(key, middle(samples, "added_ns"), floor), span(paired.known(samples, "mean_added_ns")),
               times(paired.known(samples, "p99_ratio"), 2), str(len(samples)), lost, output, rss]


def calls(samples):
    return sum(s.get("requests") or s["calls"] for s in samples)


def kept(samples):
    """What a tool lost, wrote and held."""
    lost = [s["lost"] for s in samples if s.get("lost") is not None]
    written = [s["bytes"] for s in samples if s.get("bytes")]
    rss = middle(samples, "rss")
    return (f"{sum(lost):,}" if lost else "-", f"{sum(written) / calls(samples):,.0f} B/call" if written else "-",
            f"{rss / 2**20:.0f} MiB" if rss else "-")


def of_floor(key, added, floor):
    return f"{added / floor:.1f}" if floor and floor > 20 and key not in ("nothing", "empty") else "-"


def times(estimate, digits=3):
    return f"{estimate.value:.{digits}f}x ± {estimate.error:.{digits}f}" if estimate else "-"


def span(estimate):
    if not estimate:
        return "-"
    if abs(estimate.value) >= 10_000:
        return f"{estimate.value / 1000:+,.2f} ± {estimate.error / 1000:,.2f} us"
    digits = 1 if abs(estimate.value) < 1000 and estimate.error < 10 else 0
    return f"{estimate.value:+,.{digits}f} ± {estimate.error:,.{digits}f} ns"


def layout(result):
    return (PAIRED, paired_rows) if result.get("paired") else (COLUMNS, rows)


def versus(result, specs):
    """A line for each mode of another iohops: what it adds beyond this one, if there are rounds enough for an error."""
    tools = result["tools"]
    for key, samples in tools.items():
        mode, _, path = key.partition("@")
        more = paired.difference(tools.get(mode, []), samples) if path else None
        if more and more.count > 1:
            yield f"{path} against {specs[mode].label}: {span(more)} a call, of {more.count} rounds"


def nanoseconds(value):
    return f"{value / 1000:,.1f} us" if abs(value) >= 10_000 else f"{value:,.0f} ns"


def untraced(result):
    times = [s["untraced_ns"] for samples in result["tools"].values() for s in samples]
    return nanoseconds(statistics.median(times)) if times else "-"


def heading(key, result):
    who = "another process, not traced: " if key.startswith("others-") else ""
    return f"{who}{result['title']}: {untraced(result)} untraced"


def text(key, result, specs):
    columns, of_tools = layout(result)
    lines = [columns, *of_tools(result, specs)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    out = ["", heading(key, result)]
    for line in lines:
        out.append("  " + f"{line[0]:<{widths[0]}}" + "".join(f"  {c:>{w}}" for c, w in zip(line[1:], widths[1:])))
    return "\n".join(out + ["  " + line for line in versus(result, specs)])


def refusals(refused, specs):
    lines = [f"  {specs[k].label if k in specs else k}: {printable(why)}" for k, why in refused.items()]
    return "\nDid not run here:\n" + "\n".join(lines) if lines else ""


def printable(words):
    return re.sub(r"[^ -~]", "?", words)


def markdown(where, results, specs, refused, arguments):
    out = ["# What tracing costs", "",
           f"Made by `make bench ARGS=\"{arguments}\"`; `tools/bench/run.py` says how it is measured and what",
           "the columns mean. Ratios carry over to other machines better than nanoseconds do.", "", where, ""]
    for key, result in results.items():
        columns, of_tools = layout(result)
        out += [f"## {heading(key, result)}", "", "| " + " | ".join(columns) + " |",
                "|---|" + "---:|" * (len(columns) - 1)]
        out += ["| " + " | ".join(row) + " |" for row in of_tools(result, specs)] + [""]
        out += [f"- {line}" for line in versus(result, specs)] + [""] * any(versus(result, specs))
    if refused:
        out += ["## Did not run here", ""]
        out += [f"- {specs[k].label if k in specs else k}: {printable(why)}" for k, why in refused.items()] + [""]
    return "\n".join(out)
