#!/usr/bin/env bash
# inspect.sh BEDWARDEN: `inspect -r` against a bare libpcap read of the same file, one
# core, best of five, alternating, in the program's own CPU time. The files are made in
# memory: a generated one without anything to parse; recorded conversations of real peers
# (test/pcap, demo), cloned and interleaved; the same where what is said is said fifty times before a
# conversation ends; the same of small packets alone.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
. bench/lib.sh
bw=${1:-build/bedwarden} capture=build/bench/bench-capture mix=build/bench/bench-mix
dir=$(mktemp -d /dev/shm/bedwarden-bench.XXXXXX)
trap 'rm -rf "$dir"' EXIT
TIMEFORMAT='%U %S'

# cpu COMMAND...: the least CPU time of five runs on one core, in ms.
cpu() {
	"$@" >/dev/null || return 1 # what fails is quick
	for _ in 1 2 3 4 5; do { time taskset -c 1 "$@" >/dev/null 2>&1; } 2>&1; done |
		awk '{ printf "%.0f\n", ($1 + $2) * 1000 }' | least
}

compare() { # NAME PACKETS MUST
	local read ours
	read=$(cpu "$capture" read "$dir/c.pcap")
	ours=$(cpu "$bw" inspect -r "$dir/c.pcap" -o /dev/null)
	row "\`inspect -r\`, $1" "$(ratio "$2" "${ours}e3") M packets/s, $(ratio "$ours" "$read")x the time of a bare libpcap read" "$3"
}

# How much memory it takes to have that many conversations open and to read nearly all of them.
memory() {
	local kb
	/usr/bin/time -o "$dir/kb" -f %M "$bw" inspect -r "$dir/c.pcap" -o "$dir/c.json" >/dev/null
	kb=$(tail -1 "$dir/kb")
	awk -v kb="$kb" '/"event_type":"flow"/ && /"reason":"shutdown"/ { open++; read += /"app_proto"/ } END {
		printf "| `inspect -r`, %d conversations open, %d of them being read | %.0f MiB | <= 200 MiB |\n", open, read, kb / 1024 }' \
		"$dir/c.json"
}

recorded() { # NAME=WEIGHT...: those captures that are there
	local one
	for one; do
		[ ! -e "test/pcap/${one%=*}/input.pcap" ] || echo "test/pcap/${one%=*}/input.pcap:${one#*=}"
	done
}

compare "500 MB, 20,000 conversations, nothing to parse" "$("$capture" make "$dir/c.pcap" 500 20000)" \
	">= 4 M packets/s or <= 1.5x"
# shellcheck disable=SC2046
packets=$("$mix" "$dir/c.pcap" 500 20000 demo/ward.pcapng:60 \
	$(recorded hl7=12 dicom-store=6 dicom-query=6 mqtt=12 tls=14 dns=14 http=6 modbus=4 snmp=4))
compare "500 MB of recorded conversations, every parser on" "$packets" ">= 2.5 M packets/s"
# shellcheck disable=SC2046
packets=$("$mix" -l 50 "$dir/c.pcap" 500 20000 demo/ward.pcapng:60 \
	$(recorded hl7=12:0:0 dicom-store=6:2:2t dicom-query=6:2:2t mqtt=12:2:1 tls=14:4:1t dns=14:0:0 \
		http=6:0:0 modbus=4:0:0 snmp=4:0:0))
compare "500 MB of conversations that go on, every parser on" "$packets" ">= 2.5 M packets/s"
# Some are over, or nothing we read, by the end: 100,000 are left.
# shellcheck disable=SC2046
"$mix" "$dir/c.pcap" 0 105500 demo/ward.pcapng:60 \
	$(recorded hl7=12 dicom-store=6 dicom-query=6 mqtt=12 tls=14 dns=14 http=6 modbus=4 snmp=4) >/dev/null
memory
rm "$dir/c.json"
# shellcheck disable=SC2046
packets=$("$mix" "$dir/c.pcap" 200 20000 $(recorded mqtt=4 dns=4 modbus=4 snmp=4 coap=2))
compare "small packets (60 to 200 bytes), every parser on" "$packets" ">= 4 M packets/s"
