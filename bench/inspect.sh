#!/usr/bin/env bash
# inspect.sh BEDWARDEN: `inspect -r` against a bare libpcap read of the same file, one
# core, best of five, alternating. The file is made in memory: 500 MB, a ward's mix.
set -euo pipefail
cd "$(dirname "$0")/.."
bw=${1:-build/bedwarden} tool=build/bench/bench-capture
dir=$(mktemp -d /dev/shm/bedwarden-bench.XXXXXX)
trap 'rm -rf "$dir"' EXIT

best() { # COMMAND...: the shortest wall time of five runs, in ms, of COMMAND on one core
	local best=999999 t0 t1
	for _ in 1 2 3 4 5; do
		t0=$(date +%s%N)
		taskset -c 1 "$@" >/dev/null
		t1=$(((${EPOCHREALTIME/./} * 1000 - t0) / 1000000))
		[ $t1 -lt $best ] && best=$t1
	done
	echo "$best"
}

measure() { # NAME FLOWS MB
	local packets read ours
	packets=$("$tool" make "$dir/c.pcap" "$3" "$2")
	read=$(best "$tool" read "$dir/c.pcap")
	ours=$(best "$bw" inspect -r "$dir/c.pcap" -o /dev/null)
	awk -v n="$1" -v p="$packets" -v r="$read" -v o="$ours" 'BEGIN {
		printf "| `inspect -r`, %s | %.2f M packets/s, %.2fx the time of a bare libpcap read | >= 4 M packets/s or <= 1.5x |\n", n, p / o / 1000, o / r }'
}

measure "500 MB, 20,000 conversations" 20000 500
