#!/usr/bin/env bash
# Every folder here with an input.pcap is a case: what `inspect` says of it must
# be expect.jsonl, byte by byte. Beside them may stand policy.yaml (-c), args
# (further options, a word each) and exit (the exit code, else 0).
# usage: test/pcap/run.sh BINARY [--accept] [CASE...]
# --accept writes expect.jsonl anew: read the difference before it is committed.
set -u
binary=$(realpath "$1")
shift
accept=
[ "${1:-}" != --accept ] || { accept=yes; shift; }
cd "$(dirname "$0")" || exit 1
cases=${*:-*/}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0
for case in $cases; do
	case=${case%/}
	[ -e "$case/input.pcap" ] || continue
	set -- inspect -r "$case/input.pcap" -o "$out/got"
	[ ! -e "$case/policy.yaml" ] || set -- "$@" -c "$case/policy.yaml"
	# shellcheck disable=SC2046
	[ ! -e "$case/args" ] || set -- "$@" $(cat "$case/args")
	want=$(cat "$case/exit" 2>/dev/null || echo 0)
	: >"$out/got"
	timeout 60 "$binary" "$@" 2>"$out/err"
	code=$?
	[ -z "$accept" ] || cp "$out/got" "$case/expect.jsonl"
	if [ "$code" = "$want" ] && diff "$case/expect.jsonl" "$out/got" >"$out/diff" &&
	   [ -s "$case/README.md" ]; then
		echo "ok - $case"
	else
		echo "not ok - $case"
		echo "exit code $code, wanted $want"
		head -20 "$out/err" "$out/diff" 2>/dev/null
		failed=1
	fi
done
exit $failed
