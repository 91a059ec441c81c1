#!/usr/bin/env bash
# The capture back ends between real ports: `packet` as a bare wire, as root and
# in an unprivileged user namespace, with partial checksums, large segments and
# VLAN tags. (`xdp` needs a floor above it: gateway.sh and bench/path.sh.)
# usage: test/e2e/capture.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
bw=$(realpath "${1:-build/bedwarden}")
bench=$(dirname "$bw")/bench
id=bwc$$
failed=0
ok() { echo "ok - $*"; }
not() { echo "not ok - $*"; failed=1; }
check() { local text=$1; shift; if "$@" >/dev/null 2>&1; then ok "$text"; else not "$text"; fi; }

if [ "${INSIDE:-}" != yes ]; then
	[ "$(id -u)" = 0 ] || { echo "skip - capture back ends: needs root for network namespaces"; exit 0; }
	[ -x "$bench/bench-wire" ] || { echo "skip - capture back ends: bench-wire is not built"; exit 0; }
fi

tmp=$(mktemp -d)
wire=
cleanup() {
	[ -z "$wire" ] || { kill "$wire"; wait "$wire"; } 2>/dev/null
	for n in c g s; do ip netns del $id-$n 2>/dev/null; done
	rm -rf "$tmp"
}
trap cleanup EXIT
at() { local n=$1; shift; ip netns exec "$id-$n" "$@"; }

if [ "${INSIDE:-}" = yes ]; then mount -t tmpfs none /run && mkdir /run/netns || exit 3; fi
for n in c g s; do
	ip netns add $id-$n && at $n ip link set lo up
	at $n sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
done
at g ip link add m0 type veth peer name c0 netns $id-c
at g ip link add m1 type veth peer name s0 netns $id-s
at c ip addr add 10.9.0.1/24 dev c0
at s ip addr add 10.9.0.2/24 dev s0
vlan=yes # the kernel may have no 802.1Q
at c ip link add link c0 name v0 type vlan id 7 2>/dev/null &&
	at s ip link add link s0 name v0 type vlan id 7 2>/dev/null || vlan=
at c ip link set c0 up; at s ip link set s0 up; at g ip link set m0 up; at g ip link set m1 up
if [ $vlan ]; then
	at c ip addr add 10.8.0.1/24 dev v0; at c ip link set v0 up
	at s ip addr add 10.8.0.2/24 dev v0; at s ip link set v0 up
fi

ip netns exec "$id-g" "$bench/bench-wire" packet m0 m1 >"$tmp/wire" &
wire=$!
for _ in $(seq 50); do grep -qs ready "$tmp/wire" && break; sleep 0.1; done
who=root; [ "${INSIDE:-}" = yes ] && who="an unprivileged user namespace"
check "packet as $who: frames go both ways" at c ping -c 3 -i 0.2 -W 1 10.9.0.2
if [ $vlan ]; then
	check "packet as $who: a VLAN tag is put back" at c ping -c 3 -i 0.2 -W 1 10.8.0.2
else
	echo "skip - packet as $who: a VLAN tag is put back: this kernel has no 802.1Q"
fi
ip netns exec "$id-s" "$bench/bench-load" recv 5000 2 >"$tmp/recv" &
recv=$!
sleep 0.3
at c "$bench/bench-load" send 10.9.0.2 5000 5000 1 >/dev/null
wait $recv
check "packet as $who: 5,000 packets/s, partial checksums finished, none lost" \
	grep -q '"received":[1-9][0-9]*,"lost":0,"twice":0' "$tmp/recv"
if command -v python3 >/dev/null; then
	ip netns exec "$id-s" timeout 20 python3 -c '
import socket, hashlib
l = socket.create_server(("10.9.0.2", 6000)); c = l.accept()[0]; h = hashlib.sha256()
while (b := c.recv(65536)): h.update(b)
print(h.hexdigest())' >"$tmp/got" &
	got=$!
	sleep 0.5
	head -c 8000000 /dev/urandom >"$tmp/blob"
	at c timeout 15 python3 -c '
import socket, sys
c = socket.create_connection(("10.9.0.2", 6000)); c.sendall(open(sys.argv[1], "rb").read())' "$tmp/blob"
	wait $got
	check "packet as $who: 8 MB of TCP in large segments arrive as sent" \
		grep -q "$(sha256sum <"$tmp/blob" | cut -d' ' -f1)" "$tmp/got"
else
	echo "skip - packet as $who: TCP in large segments: no python3"
fi
kill $wire; wait $wire; wire=
check "packet as $who: everything received was sent" \
	grep -q '"dropped":0,"lost_receive":[0-9]*,"lost_send":0' "$tmp/wire"
sed -n 's/^{/# {/p' "$tmp/wire"

if [ "${INSIDE:-}" != yes ]; then
	if unshare -Urnm true 2>/dev/null; then
		INSIDE=yes unshare -Urnm --propagation private "$self" "$bw" || failed=1
	else
		echo "skip - packet in an unprivileged user namespace: the kernel allows none"
	fi
fi
exit $failed
