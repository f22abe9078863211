"""Counts how tests went and prints it: a line each, the full output of what failed, every reason for a
skip, and last of all `N passed, N failed, N skipped`. Knows nothing of how tests are run."""

# In CI a test may be skipped for want of these, and for nothing else.
EXCUSES = ("not installed", "this kernel", "no such device", "refuses", "cannot be had", "could not install",
           "proves nothing")


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []
        self.strict = False

    def add(self, outcome, name, detail="", seconds=None):
        if outcome == "skipped" and self.strict and not any(e in detail for e in EXCUSES):
            outcome, detail = "failed", f"skipped, although it could have run: {detail}"
        if outcome == "passed":
            self.passed += 1
        else:
            getattr(self, outcome).append((name, detail))
        took = f"  {seconds:.1f} s" if seconds is not None and seconds >= 1 else ""
        reason = f"  ({detail.strip().splitlines()[-1]})" if detail.strip() and outcome == "skipped" else ""
        mark = {"passed": "ok  ", "failed": "FAIL", "skipped": "skip"}[outcome]
        print(f"  {mark} {name}{took}{reason}", flush=True)
        if outcome == "failed":
            print("".join(f"       {line}\n" for line in detail.rstrip().splitlines()), end="", flush=True)

    def take_over(self, line):
        """A line that another tally printed counts here. False: it is none."""
        mark, _, name = line.strip().partition(" ")
        if not line.startswith("  ") or mark not in ("ok", "FAIL", "skip"):
            return False
        print(line, end="", flush=True)
        if mark == "ok":
            self.passed += 1
        else:
            (self.failed if mark == "FAIL" else self.skipped).append((name.strip(), ""))
        return True

    def many(self, passed, label):
        self.passed += passed
        print(f"  ok   {label}: {passed} tests", flush=True)

    def end(self):
        for name, _ in self.failed:
            print(f"failed: {name}")
        print(f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped", flush=True)
        return 1 if self.failed else 0
