#!/usr/bin/env bash
# Processes of a gateway that hang: hung.py, in namespaces of their own.
# usage: test/e2e/hung.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
[ "$(id -u)" = 0 ] || { echo "skip - hung: needs root for a network namespace"; exit 0; }
if [ -z "${HUNG_INSIDE:-}" ]; then
	HUNG_INSIDE=1 exec unshare -n -m -p -f --mount-proc "$self" "$bw"
fi
dir=$(mktemp -d /tmp/bwhung.XXXX)
chmod 755 "$dir"
trap 'rm -rf "$dir"' EXIT
ip link set lo up
for i in w0 w1 h0 h1; do ip link add $i type veth peer name p$i && ip link set $i up && ip link set p$i up; done
python3 test/e2e/hung.py "$bw" "$dir"
