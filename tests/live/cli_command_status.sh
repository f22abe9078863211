#!/bin/bash
# With -- CMD the caller sees the command's own end: its code, its signal, or why it never ran.
set -eu
cd "$IOHOPS_TMP"
"$IOHOPS" doctor >/dev/null || { echo "this host refuses BPF"; exit 77; }
ends() { # EXPECTED ARGUMENTS...
	local want=$1 status=0
	shift
	"$IOHOPS" record -q -o t.jsonl -- "$@" || status=$?
	[ "$status" = "$want" ] || { echo "$*: exit $status, not $want"; exit 1; }
}
ends 0 true
ends 7 sh -c 'exit 7'
ends 143 sh -c 'kill -TERM $$'
tail -n 1 t.jsonl | grep -q '"type":"summary"' # also when it died by a signal
ends 127 iohops-no-such-command 2>/dev/null
printf 'x' >plain
ends 126 ./plain 2>/dev/null
printf '#!/no/such/interpreter\n' >orphan
chmod 700 orphan
ends 127 ./orphan 2>/dev/null

# What cannot start leaves the last recording alone.
ends 0 true
before=$(stat -c %i t.jsonl)
ends 127 iohops-no-such-command 2>/dev/null
[ "$(stat -c %i t.jsonl)" = "$before" ]

# It has our standard streams and its own arguments.
[ "$(echo in | "$IOHOPS" record -q -o t.jsonl -- sh -c 'cat; printf "%s|" "$@"' sh -o '' '--' 'a b')" = "in
-o||--|a b|" ]
