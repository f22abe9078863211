#!/bin/sh
# Outputs that cannot be written: exit 6, and what stood there is untouched.
set -eu
out=$IOHOPS_TMP/out
cd "$IOHOPS_TMP"
refused() { # PATTERN ARGUMENTS...
	pattern=$1
	shift
	status=0
	"$IOHOPS" "$@" >"$out" 2>&1 || status=$?
	[ "$status" = 6 ] && grep -q "$pattern" "$out" && return
	echo "iohops $*: exit $status, not 6 with \"$pattern\":"
	cat "$out"
	exit 1
}
refused "nowhere/x.jsonl" record -o nowhere/x.jsonl -- true
echo precious >file
ln -s file link.jsonl
refused "link.jsonl" record -o link.jsonl -- true
[ "$(cat file)" = precious ]
status=0
"$IOHOPS" schema >/dev/full 2>"$out" || status=$?
[ "$status" = 6 ]
grep -q "No space left" "$out"

# A reader that has seen enough is no reason to say anything.
"$IOHOPS" schema 2>"$out" | head -c 1 >/dev/null
[ ! -s "$out" ]
