#!/bin/sh
# A process that is not there, or is no process to trace: exit 5 and what it is instead.
set -eu
out=$IOHOPS_TMP/out
refused() { # EXIT PATTERN ARGUMENTS...
	want=$1 pattern=$2
	shift 2
	status=0
	"$IOHOPS" "$@" >"$out" 2>&1 || status=$?
	[ "$status" = "$want" ] && grep -q "$pattern" "$out" && return
	echo "iohops $*: exit $status, not $want with \"$pattern\":"
	cat "$out"
	exit 1
}
cd "$IOHOPS_TMP"

sh -c 'exit 0' &
dead=$!
wait "$dead"
refused 5 "no process $dead (it ended, or lives in another PID namespace: pgrep -a NAME)" record -p "$dead"
refused 5 "no process $dead" top -b -n 1 -p "$dead"
[ ! -e trace.jsonl ] # refused before an output was made

# A thread id names its process. The threads live until the FIFO is closed.
mkfifo life tid
python3 -c '
import threading
life = open("life")
thread = threading.Thread(target=life.read)
thread.start()
print(thread.native_id, file=open("tid", "w"))
thread.join()' &
python=$!
exec 3>life
read -r thread <tid
refused 5 "$thread is a thread of process $python: use -p $python" record -p "$thread"
exec 3>&-
wait "$python"

if [ "$(cat /proc/2/comm)" = kthreadd ]; then
	refused 5 "kernel thread" record -p 2
fi

# Its parent, which has become another program, never fetches its status.
sh -c 'sleep 0.2 & echo $! >zombie; exec sleep 60' &
parent=$!
until [ -s zombie ] && grep -q ' Z ' "/proc/$(cat zombie)/stat"; do sleep 0.01; done
refused 5 "$(cat zombie) has ended already" record -p "$(cat zombie)"
kill $parent

status=0
sh -c 'exec "$IOHOPS" record -p $$' >"$out" 2>&1 || status=$?
[ "$status" = 2 ] && grep -q "is this iohops: it never traces itself" "$out"

# Twice the same is once.
"$IOHOPS" record -q -p "$$,$$" -d 10ms -o twice.jsonl
[ "$(head -n 1 twice.jsonl | grep -o "\"pid\":$$" | wc -l)" = 1 ]
