#!/bin/sh
# Hosts that cannot trace, made with namespaces: without type information, in a PID namespace of its
# own, in a user namespace. Each refusal names what is missing and what to do.
set -eu
out=$IOHOPS_TMP/out
cd "$IOHOPS_TMP"
[ "$(id -u)" = 0 ] && unshare -mp -f true || { echo "namespaces need root"; exit 77; }
refused() { # EXIT PATTERN COMMAND...
	want=$1 pattern=$2
	shift 2
	status=0
	"$@" >"$out" 2>&1 || status=$?
	[ "$status" = "$want" ] && grep -q -e "$pattern" "$out" && return
	echo "$*: exit $status, not $want with \"$pattern\":"
	cat "$out"
	exit 1
}
without_btf() { unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && exec "$@"' sh "$@"; }

if [ -e /sys/kernel/btf/vmlinux ] && ! ls /boot/vmlinux-"$(uname -r)" >/dev/null 2>&1; then
	refused 3 CONFIG_DEBUG_INFO_BTF=y without_btf "$IOHOPS" record -a -o -
	refused 3 CONFIG_DEBUG_INFO_BTF=y without_btf "$IOHOPS" doctor
	refused 3 '"btf": false' without_btf "$IOHOPS" doctor --json
fi
refused 5 -pid=host unshare -pf --mount-proc "$IOHOPS" record -p 1 -o -
refused 5 -pid=host unshare -pf --mount-proc "$IOHOPS" record -o - -- true
if unshare -Ur true 2>/dev/null; then
	refused 4 "user namespace" unshare -Ur "$IOHOPS" record -a -o -
	refused 4 "user namespace" unshare -Ur "$IOHOPS" doctor
fi
