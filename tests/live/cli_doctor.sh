#!/bin/sh
# doctor leaves nothing behind, and its JSON says what its page says.
set -eu
cd "$IOHOPS_TMP"
status=0
"$IOHOPS" doctor --json >doctor.json || status=$?
python3 - "$status" <<'PYTHON'
import json, sys
d = json.load(open("doctor.json"))
assert d["exit_code"] == int(sys.argv[1]) and d["possible"] == (d["exit_code"] == 0), d["exit_code"]
assert d["exit_code"] in (0, 3, 4)
assert all(h["available"] or h["reason"] for h in d["hooks"])
assert all(h["effect"] for h in d["hooks"])
if d["possible"]:
    assert d["trial"]["done"] and d["error"] is None
    assert {"mode_switches", "cpu_copies", "dma", "page_cache"} <= set(d["evidence"])
else:
    assert d["error"] and d["fixes"]
import os
names = {x["name"] for x in d["devices"]}
assert names == set(os.listdir("/sys/class/block")), names
PYTHON
"$IOHOPS" doctor --hooks >doctor.txt || true
python3 - <<'PYTHON'
import json
page = open("doctor.txt").read()
assert "\x1b" not in page  # no colour into a file
for hook in json.load(open("doctor.json"))["hooks"]:
    assert (hook["hook"] or hook["program"]) in page, hook
PYTHON
"$IOHOPS" doctor --color always | grep -q "$(printf '\033')"
