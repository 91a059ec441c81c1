#!/usr/bin/env bash
# real.sh BEDWARDEN: captures that others made, where the folder with them is
# there: each is read to its end or refused with one line, nothing crashes, every
# event is a JSON object, and the last one is "stats".
bw=$(realpath "$1")
cd "$(dirname "$0")/../.." || exit 1
data=${BEDWARDEN_DATA:-../shared/data}/pcap
[ -d "$data" ] || { echo "skip - captures of others: no folder $data"; exit 0; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

judge() { # FILE OPTIONS...: one run, judged
	local file=$1 code
	shift
	timeout 60 "$bw" inspect -r "$file" -o "$tmp/out" "$@" 2>"$tmp/err"
	code=$?
	[ $code = 0 ] || { [ $code = 1 ] && [ "$(wc -l <"$tmp/err")" = 1 ]; } || return 1
	jq -es 'all(type == "object") and .[-1].event_type == "stats"' "$tmp/out" >/dev/null
}

for file in "$data"/*/*; do
	case $file in *.gz) gunzip -c "$file" >"$tmp/in" && in=$tmp/in ;; *) in=$file ;; esac
	if judge "$in" && judge "$in" --inline -c test/pcap/real.yaml; then
		echo "ok - ${file#"$data"/}"
	else
		echo "not ok - ${file#"$data"/}"
		head -5 "$tmp/err"
		failed=1
	fi
done
exit $failed
