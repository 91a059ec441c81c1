#!/usr/bin/env bash
# policy.sh [STAGE]: what a packet costs the engine, floor included, under a policy of
# 10,000 devices with ten rules each, against one of 10 devices. The same number of
# frames and conversations in one run, best of three.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
. bench/lib.sh
stage=${1:-build/bench/bench-stage}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

for _ in 1 2 3; do
	"$stage" 10 20000 100000 >>"$dir/small"
	"$stage" 10000 20000 100000 >>"$dir/large"
done
best() { field "$1" "$dir/$2" | least; }
row "10,000 devices, 100,000 policy entries" "$(ratio "$(best engine_ns large)" "$(best engine_ns small)")x the cost per packet of 10 devices; policy compiled in $(best compile_ms large) ms; resident memory $(best resident_mb large) MB" "<= 1.10x, < 1 s"
