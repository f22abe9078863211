"""The tables of the bench, for a terminal and for a document."""
import os
import pathlib
import re
import statistics
import time


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


def rows(result, specs):
    """One list of texts a tool, in the order of COLUMNS."""
    floor = middle(result["tools"].get("empty", []), "added_ns")
    for key, samples in result["tools"].items():
        ratios = sorted(s["ratio"] for s in samples)
        added = middle(samples, "added_ns")
        calls = sum(s.get("requests") or s["calls"] for s in samples)
        lost = [s["lost"] for s in samples if s.get("lost") is not None]
        written = [s["bytes"] for s in samples if s.get("bytes")]
        p99, rss = middle(samples, "p99_ratio"), middle(samples, "rss")
        cpu = [s["cpu_ns"] for s in samples if s["cpu_ns"] is not None]
        yield [specs[key].label + (" (noisy)" if any(s.get("noisy") for s in samples) else ""),
               f"{statistics.median(ratios):.2f}x", f"{ratios[0]:.2f}..{ratios[-1]:.2f}", nanoseconds(added),
               f"{added / floor:.1f}" if floor and floor > 20 and key != "empty" else "-",
               f"{p99:.2f}x" if p99 else "-", f"{sum(lost):,}" if lost else "-",
               f"{sum(cpu) / calls:,.0f} ns/call" if cpu and key != "empty" else "-",
               f"{sum(written) / calls:,.0f} B/call" if written else "-",
               f"{rss / 2**20:.0f} MiB" if rss else "-"]


def nanoseconds(value):
    return f"{value / 1000:,.1f} us" if abs(value) >= 10_000 else f"{value:,.0f} ns"


def untraced(result):
    times = [s["untraced_ns"] for samples in result["tools"].values() for s in samples]
    return nanoseconds(statistics.median(times)) if times else "-"


def heading(key, result):
    who = "another process, not traced: " if key.startswith("others-") else ""
    return f"{who}{result['title']}: {untraced(result)} untraced"


def text(key, result, specs):
    lines = [COLUMNS, *rows(result, specs)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    out = ["", heading(key, result)]
    for line in lines:
        out.append("  " + f"{line[0]:<{widths[0]}}" + "".join(f"  {c:>{w}}" for c, w in zip(line[1:], widths[1:])))
    return "\n".join(out)


def refusals(refused, specs):
    lines = [f"  {specs[k].label if k in specs else k}: {printable(why)}" for k, why in refused.items()]
    return "\nDid not run here:\n" + "\n".join(lines) if lines else ""


def printable(words):
    return re.sub(r"[^ -~]", "?", words)


def markdown(where, results, specs, refused):
    out = ["# What tracing costs", "",
           "Made by `make bench ARGS=\"--markdown docs/performance.md\"`; `tools/bench/run.py` says how it is measured and what",
           "the columns mean. Ratios carry over to other machines better than nanoseconds do.", "", where, ""]
    for key, result in results.items():
        out += [f"## {heading(key, result)}", "", "| " + " | ".join(COLUMNS) + " |",
                "|---|" + "---:|" * (len(COLUMNS) - 1)]
        out += ["| " + " | ".join(row) + " |" for row in rows(result, specs)] + [""]
    if refused:
        out += ["## Did not run here", ""]
        out += [f"- {specs[k].label if k in specs else k}: {printable(why)}" for k, why in refused.items()] + [""]
    return "\n".join(out)
