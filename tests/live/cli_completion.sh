#!/bin/bash
# The bash completion, asked as bash would ask it; the others at least parse.
set -eu
cd "$IOHOPS_TMP"
"$IOHOPS" completion bash >bash.sh
. ./bash.sh
compopt() { :; } # it fails where no completion is going on
complete -p iohops | grep -q _iohops
touch some-trace.jsonl
offers() { # EXPECTED WORDS...: what is offered for the last of them
	local want=$1
	shift
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_iohops
	[ "${COMPREPLY[*]}" = "$want" ] || { echo "$*: offered '${COMPREPLY[*]}', not '$want'"; exit 1; }
}
offers "record report replay" iohops re
offers "--min-latency --min-bytes" iohops record --mi
offers "auto always" iohops record --color a
offers "fsync fdatasync fread fwrite" iohops top --op f
offers "some-trace.jsonl" iohops report some
offers "offcpu" iohops top --sort o
offers "bash" iohops completion b
offers "$$" iohops record -p $$
offers "" iohops record --min-latency 1
if command -v zsh >/dev/null; then "$IOHOPS" completion zsh >z && zsh -n z; fi
if command -v fish >/dev/null; then "$IOHOPS" completion fish >f && fish -n f; fi
"$IOHOPS" completion zsh | grep -q '^#compdef iohops'
"$IOHOPS" completion fish | grep -q '__fish_seen_subcommand_from record.*-l min-latency'
