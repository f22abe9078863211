#!/bin/sh
# --copies: what is demanded and cannot be had is refused with the reason; auto and derived always work.
set -eu
cd "$IOHOPS_TMP"
figure() { # FILE: the evidence of CPU copies, as its header says
	python3 -c 'import json, sys; print(json.loads(open(sys.argv[1]).readline())["evidence"]["cpu_copies"]["grade"])' "$1"
}
"$IOHOPS" record -q --copies derived -o derived.jsonl -- true
[ "$(figure derived.jsonl)" = derived ] || { echo "derived was asked for"; exit 1; }
"$IOHOPS" record -q -o auto.jsonl -- true
for hooks in fexit kprobe; do
	status=0
	"$IOHOPS" record -q --copies $hooks -o $hooks.jsonl -- true 2>said || status=$?
	case $status in
	0) [ "$(figure $hooks.jsonl)" = measured ] ;;
	3) grep -q -e '--copies' said && grep -q 'copies auto' said ;;
	*) false ;;
	esac || { echo "--copies $hooks: status $status"; cat said; exit 1; }
done
if grep -q fexit said && [ "$(figure auto.jsonl)" = measured ]; then echo "auto should be derived here"; exit 1; fi
