#!/bin/sh
# Without capabilities: exit 4, which ones are missing, and the line that gives them to this very file.
set -eu
[ "$(id -u)" = 0 ] || { echo "only root can give privileges up here"; exit 77; }
cd "$IOHOPS_TMP"
chmod 755 .
cp "$IOHOPS" "it's iohops" # a path that the shell must have quoted
out=$IOHOPS_TMP/out
unprivileged() { setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all "$@"; }

for arguments in "record -a -o -" "top -b -n 1"; do
	status=0
	unprivileged "./it's iohops" $arguments >"$out" 2>&1 || status=$?
	[ "$status" = 4 ] || { echo "$arguments: exit $status"; cat "$out"; exit 1; }
	grep -q "this needs CAP_BPF and CAP_PERFMON, you have neither" "$out"
	grep -qF "sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep '$(pwd -P)/it'\\''s iohops'" "$out"
done

# One of them: only the other is named.
status=0
setpriv --inh-caps -all,+perfmon --ambient-caps -all,+perfmon --reuid 65534 --regid 65534 --clear-groups \
	"./it's iohops" record -a -o - >"$out" 2>&1 || status=$?
[ "$status" = 4 ]
grep -q "you do not have CAP_BPF" "$out"

# doctor still tells what the kernel would allow.
status=0
unprivileged "./it's iohops" doctor >"$out" || status=$?
[ "$status" = 4 ]
grep -q "you may not trace" "$out"
grep -q "setcap cap_bpf" "$out"
grep -q "page cache" "$out"

# What needs no privilege works without.
unprivileged "./it's iohops" schema | grep -q '"header"'
