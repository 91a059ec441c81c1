#!/usr/bin/env bash
# flows.sh [STAGE]: what a packet costs the engine while a million conversations are
# alive, against a thousand. The same number of frames in the same random order, in
# one run, best of three: with the kernel's verdict (as behind XDP), and with the floor
# in user space, which keeps a table of its own.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
. bench/lib.sh
stage=${1:-build/bench/bench-stage}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

for _ in 1 2 3; do
	"$stage" 16 1000 1000000 >>"$dir/few"
	"$stage" 16 1000000 1000000 >>"$dir/many"
done
best() { field "$1" "$dir/$2" | least; }
more() { ratio "$(best "$1" many)" "$(best "$1" few)"; }
row "1 million flows alive" "$(more engine_judged_ns)x the cost per packet of 1,000 flows ($(more engine_ns)x with the floor in user space); they take $(($(best resident_mb many) - $(best resident_mb few))) MB of resident memory" "<= 1.10x"
