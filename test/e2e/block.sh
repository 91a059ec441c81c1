#!/usr/bin/env bash
# What a guard cuts off stays cut off in the kernel: a device that reads by SNMP tries to
# set something; nothing more of that conversation arrives, not while its guard is gone
# and not when another one guards. Other conversations of the device go on.
# usage: test/e2e/block.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwb$$
spaces="gw sw ana hos"
. "$(dirname "$self")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "a blocked conversation, end to end: needs root for network namespaces"
workdir

policy() {
	cat >"$dir/bw.yaml" <<-Y
	gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
	segments:
	  - {name: icu, ward: w0, hospital: h0}
	hosts:
	  - {name: lab-1, ip: [10.93.0.1], role: [lab]}
	devices:
	  - name: reader-1
	    segment: icu
	    mac: "02:00:00:93:00:11"
	    ip: [10.93.0.11]
	    fail: open
	    starts: [{service: readings, proto: udp, port: [161], peer: lab, app: snmp, control: no}]
	Y
}
listen() {
	at hos python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.93.0.1", 161))
out = open(sys.argv[1], "a", buffering=1)
while True:
    data, peer = s.recvfrom(2048)
    out.write("%d %02x\n" % (peer[1], data[13]))' "$dir/heard" &
}
# say PORT a0|a3 TIMES: SNMPv2c, from that port: a0 asks, a3 sets.
say() {
	at ana python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.93.0.11", int(sys.argv[1])))
for i in range(int(sys.argv[3])):
    s.sendto(bytes.fromhex("302602010104067075626c6963" + sys.argv[2] +
        "19020400000001020100020100300b300906052b060102010500"), ("10.93.0.1", 161))
    time.sleep(0.02)' "$1" "$2" "$3"
	sleep 0.2
}
heard() { grep -c "^$1 $2" "$dir/heard"; }

make_ward ana || skip_all "a blocked conversation, end to end: no network namespaces here"
machine ana 02:00:00:93:00:11 10.93.0.11/24
machine hos 02:00:00:93:00:01 10.93.0.1/24
at gw ip link set w0 up
at gw ip link set h0 up
at ana ip neigh replace 10.93.0.1 lladdr 02:00:00:93:00:01 dev e0 nud permanent
at hos ip neigh replace 10.93.0.11 lladdr 02:00:00:93:00:11 dev e0 nud permanent
: >"$dir/heard"
listen
policy
start
ms=$(until_ms 20000 guarding)
within "$ms" 20000 || { not "the gateway guards"; tail -5 "$dir/log"; exit 1; }
grep -q '"capture":"xdp"' <<<"$(status)" || skip_all "a blocked conversation, end to end: no XDP here"
say 40161 a0 3
check "what only asks arrives" test "$(heard 40161 a0)" = 3
say 40161 a3 3
check "what sets something does not" test "$(heard 40161 a3)" = 0
say 40161 a0 10
check "nor anything of that conversation any more" test "$(heard 40161 a0)" = 3
was=$(pids _guard)
kill -9 "$was"
say 40161 a0 10
check "not while nobody guards" test "$(heard 40161 a0)" = 3

ms=$(until_ms 10000 another "$was" _guard)
within "$ms" 10000 || not "guarded again"
say 40161 a0 10
check "and not under a new guard" test "$(heard 40161 a0)" = 3
say 40162 a0 3
check "another conversation of the device goes on" test "$(heard 40162 a0)" = 3
exit $failed
