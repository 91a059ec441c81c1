#!/usr/bin/env bash
# policy.sh [STAGE]: what a packet costs the engine, floor included, under a policy of
# 10,000 devices with ten rules each, against one of 10 devices. The same number of
# frames and conversations in one run, best of three.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
stage=${1:-build/bench/bench-stage}

field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" <<<"$2"; }
least() { printf '%s\n' "$@" | sort -g | head -1; }

small=() large=() applied=() resident=0
for _ in 1 2 3; do
	a=$("$stage" 10 20000 100000)
	b=$("$stage" 10000 20000 100000)
	small+=("$(field engine_ns "$a")") large+=("$(field engine_ns "$b")")
	applied+=("$(field compile_ms "$b")")
	resident=$(field resident_mb "$b")
done
awk -v a="$(least "${small[@]}")" -v b="$(least "${large[@]}")" -v t="$(least "${applied[@]}")" \
	-v m="$resident" 'BEGIN {
	printf "| 10,000 devices, 100,000 policy entries | %.2fx the cost per packet of 10 devices; policy compiled in %.0f ms; resident memory %d MB | <= 1.10x, < 1 s |\n", b / a, t, m }'
