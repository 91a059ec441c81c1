#!/usr/bin/env bash
# flows.sh [STAGE]: what a packet costs the engine while a million conversations are
# alive, against a thousand. The same number of frames in the same random order, in
# one run, best of three: with the kernel's verdict (as behind XDP), and with the floor
# in user space, which keeps a table of its own.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
stage=${1:-build/bench/bench-stage}

field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" <<<"$2"; }
least() { printf '%s\n' "$@" | sort -g | head -1; }

few_judged=() few=() many_judged=() many=() resident=0
for _ in 1 2 3; do
	a=$("$stage" 16 1000 1000000)
	b=$("$stage" 16 1000000 1000000)
	few_judged+=("$(field engine_judged_ns "$a")") few+=("$(field engine_ns "$a")")
	many_judged+=("$(field engine_judged_ns "$b")") many+=("$(field engine_ns "$b")")
	resident=$(($(field resident_mb "$b") - $(field resident_mb "$a")))
done
awk -v a="$(least "${few_judged[@]}")" -v b="$(least "${many_judged[@]}")" \
	-v c="$(least "${few[@]}")" -v d="$(least "${many[@]}")" -v m="$resident" 'BEGIN {
	printf "| 1 million flows alive | %.2fx the cost per packet of 1,000 flows (%.2fx with the floor in user space); they take %d MB of resident memory | <= 1.10x |\n", b / a, d / c, m }'
