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
spaces="c g s"
. "$(dirname "$self")/lib.sh"

if [ "${INSIDE:-}" != yes ]; then
	[ "$(id -u)" = 0 ] || skip_all "capture back ends: needs root for network namespaces"
	[ -x "$bench/bench-wire" ] || skip_all "capture back ends: bench-wire is not built"
else
	own_names || exit 3
fi
workdir
make_spaces || exit 1
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

ip netns exec "$id-g" "$bench/bench-wire" packet m0 m1 >"$dir/wire" &
parent=$!
for _ in $(seq 50); do grep -qs ready "$dir/wire" && break; sleep 0.1; done
who=root; [ "${INSIDE:-}" = yes ] && who="an unprivileged user namespace"
check "packet as $who: frames go both ways" at c ping -c 3 -i 0.2 -W 1 10.9.0.2
if [ $vlan ]; then
	check "packet as $who: a VLAN tag is put back" at c ping -c 3 -i 0.2 -W 1 10.8.0.2
else
	echo "skip - packet as $who: a VLAN tag is put back: this kernel has no 802.1Q"
fi
ip netns exec "$id-s" "$bench/bench-load" recv 5000 2 >"$dir/recv" &
recv=$!
sleep 0.3
at c "$bench/bench-load" send 10.9.0.2 5000 5000 1 >/dev/null
wait $recv
check "packet as $who: 5,000 packets/s, partial checksums finished, none lost" \
	grep -q '"received":[1-9][0-9]*,"lost":0,"twice":0' "$dir/recv"
if command -v python3 >/dev/null; then
	ip netns exec "$id-s" timeout 20 python3 -c '
import socket, hashlib
l = socket.create_server(("10.9.0.2", 6000)); c = l.accept()[0]; h = hashlib.sha256()
while (b := c.recv(65536)): h.update(b)
print(h.hexdigest())' >"$dir/got" &
	got=$!
	sleep 0.5
	head -c 8000000 /dev/urandom >"$dir/blob"
	at c timeout 15 python3 -c '
import socket, sys
c = socket.create_connection(("10.9.0.2", 6000)); c.sendall(open(sys.argv[1], "rb").read())' "$dir/blob"
	wait $got
	check "packet as $who: 8 MB of TCP in large segments arrive as sent" \
		grep -q "$(sha256sum <"$dir/blob" | cut -d' ' -f1)" "$dir/got"
else
	echo "skip - packet as $who: TCP in large segments: no python3"
fi
kill $parent; wait $parent; parent=
check "packet as $who: everything received was sent" \
	grep -q '"dropped":0,"lost_receive":[0-9]*,"lost_send":0' "$dir/wire"
sed -n 's/^{/# {/p' "$dir/wire"

if [ "${INSIDE:-}" != yes ]; then
	if unshare -Urnm true 2>/dev/null; then
		INSIDE=yes unshare -Urnm --propagation private "$self" "$bw" || failed=1
	else
		echo "skip - packet in an unprivileged user namespace: the kernel allows none"
	fi
fi
exit $failed
