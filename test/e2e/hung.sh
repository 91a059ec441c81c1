#!/usr/bin/env bash
# Processes of a gateway that hang: hung.py, in namespaces of their own.
# usage: test/e2e/hung.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwhung$$ spaces=""
. "$(dirname "$self")/lib.sh"

inside hung -n -m -p -f --mount-proc
needs hung python3
workdir
ip link set lo up
for i in w0 w1 h0 h1; do ip link add $i type veth peer name p$i && ip link set $i up && ip link set p$i up; done
python3 test/e2e/hung.py "$bw" "$dir"
