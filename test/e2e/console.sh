#!/usr/bin/env bash
# The console of a whole gateway, from a management network: its certificate is
# the one that the box names, sessions outlive its processes, a policy changes and a
# conflict shows, and what a device tries is seen a moment later.
# usage: test/e2e/console.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwc$$
spaces="gw sw pump hos adm"

. "$(dirname "$self")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "the console end to end: needs root for network namespaces"
workdir

wire() {
	make_ward pump || return 1
	machine pump 02:00:00:95:00:11 10.95.0.11/24
	machine hos 02:00:00:95:00:01 10.95.0.1/24
	at pump ip neigh replace 10.95.0.1 lladdr 02:00:00:95:00:01 dev e0 nud permanent
	at adm ip link add e0 type veth peer name m0 netns "$id-gw"
	machine adm 02:00:00:95:00:05 10.99.0.5/24
	at gw ip addr add 10.99.0.1/24 dev m0
	at gw ip link set m0 up
}
wire || skip_all "the console end to end: no network namespaces here"

mkdir -p "$dir/profiles"
cat >"$dir/profiles/pump.yaml" <<-Y
title: A pump
kind: pump
fail: closed
source: [this test]
starts:
  - {service: pump data, proto: udp, port: ["5001"], peer: central}
Y
cat >"$dir/bw.yaml" <<-Y
gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
console: {listen: ["10.99.0.1:8443"], names: [gw.test]}
updates: {root: $dir/root.json, dir: $dir/updates}
segments:
  - {name: icu, ward: w0, hospital: h0, isolated: no, mode: enforce, unknown_devices: block, binding: block}
hosts:
  - {name: central-1, ip: [10.95.0.1], role: [central]}
devices:
  - name: pump-1
    segment: icu
    mac: "02:00:00:95:00:11"
    ip: [10.95.0.11]
    profile: pump
    services:
      - {name: telnet, alone: [administrator], minutes: 5}
Y
start
[ "$(until_ms 20000 guarding)" -ge 0 ] || { not "the gateway does not guard"; tail -20 "$dir/log"; exit 1; }

# page: does the console answer?
page() { at adm curl -ks -m 2 --resolve gw.test:8443:10.99.0.1 -o /dev/null -w '%{http_code}' https://gw.test:8443/ | grep -q 200; }
check "the page is there" page
[ "$(until_ms 5000 page)" -ge 0 ] || { tail -20 "$dir/log"; exit 1; }
print=$(at adm openssl s_client -connect 10.99.0.1:8443 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256 | cut -d= -f2)
said=$(ask status | sed -n "s/.*certificate's SHA-256: //p")
check "its certificate is the one that 'bedwarden status' names" [ "$print" = "$said" ]
check "and the log" grep -q "$print" "$dir/log"
check "it runs as nobody special" sh -c "[ \$(stat -c %u /proc/$(pids _console)) != 0 ]"
check "and without a capability" grep -q '^CapEff:	0000000000000000$' "/proc/$(pids _console)/status"

# part PYTHON-PART...: asks as a person would, from the management network.
part() { at adm python3 "$(dirname "$self")/console.py" "$dir" "$@"; }
part enrol || failed=1
try() { at pump python3 -c 'import socket,time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(20): s.sendto(b"x", ("10.95.0.1", 6000 + i)); time.sleep(.1)' & }
# From the ward: by another way to the same address.
at pump ip route add 10.99.0.1 dev e0
at pump ip neigh replace 10.99.0.1 lladdr "$(at gw cat /sys/class/net/w0/address)" dev e0 nud permanent
at gw ip route add 10.95.0.11 dev w0
at gw ip neigh replace 10.95.0.11 lladdr 02:00:00:95:00:11 dev w0 nud permanent
at gw sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.w0.rp_filter=0
from_ward() { at pump curl -ks -m 3 -o /dev/null https://10.99.0.1:8443/; }
if from_ward; then not "nobody comes in from the ward"; else ok "nobody comes in from the ward"; fi
# Who looks on sees what comes from then on.
part live &
looking=$!
until [ -e "$dir/looking" ] || ! kill -0 $looking 2>/dev/null; do sleep 0.1; done
try
wait $looking || failed=1
part policy || failed=1
# A stick's bundle, by the API; and what else the command line would do there.
repo() { (cd "$dir" && "$bw" repo "$@") >>"$dir/repo.log" 2>&1; }
printf 'title: Extra\nkind: extra\nfail: open\nsource: [this test]\n' >"$dir/extra.yaml"
repo init R --plain && repo add R extra.yaml --name profiles/extra.yaml && repo sign R && repo publish R && repo bundle R -o stick
cp "$dir/R/public/metadata/1.root.json" "$dir/root.json"
printf '\n\r\r\ncapture' | "$bw" vault put "$dir/state/vault" --class evidence --name evidence/x.pcapng - >>"$dir/log" 2>&1
part errands || failed=1

# The hospital's machine is a workstation, too: it reaches the console by a port of its own.
at hos ip link add m0 type veth peer name m1 netns "$id-gw"
at hos ip link set m0 address 02:00:00:95:00:01
at hos ip link set m0 up
at gw ip link set m1 up
at gw ip route add 10.95.0.1 dev m1
at gw sysctl -qw net.ipv4.conf.m1.rp_filter=0 net.ipv4.conf.all.rp_filter=0
at hos ip route add 10.99.0.1 dev m0 src 10.95.0.1
at hos ip addr add 10.95.0.2/24 dev e0 # somebody beside it
at hos ip neigh replace 10.95.0.11 lladdr 02:00:00:95:00:11 dev e0 nud permanent
at pump python3 -c 'import socket
s = socket.create_server(("10.95.0.11", 23)); n = []
while True: n.append(s.accept()[0]); n[-1].sendall(b"login: ")' &
disown
at hos python3 "$(dirname "$self")/console.py" "$dir" door || failed=1

console=$(pids _console)
kill -9 "$console"
again "kill -9 console" "$(until_ms 3000 eval '[ "$(pids _console)" != "'"$console"'" ] && page')"
print=$(at adm openssl s_client -connect 10.99.0.1:8443 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256 | cut -d= -f2)
check "the new one has the same certificate" [ "$print" = "$said" ]
part session || failed=1
if "$bw" pki init --socket "$dir/run/control" >"$dir/root.pem" 2>>"$dir/log" && grep -q BEGIN "$dir/root.pem"; then
	kill -9 "$(pids _console)" # it would ask within a minute, too
	trusted() { at adm curl -s -m 2 --cacert "$dir/root.pem" --resolve gw.test:8443:10.99.0.1 -o /dev/null https://gw.test:8443/; }
	check "the gateway's own authority vouches for its console" [ "$(until_ms 5000 trusted)" -ge 0 ]
else
	not "no authority was made"
fi
keeper=$(pids _keeper)
kill -9 "$keeper"
good() { part session >"$dir/session" 2>&1; }
ms=$(until_ms 5000 good)
if within "$ms" 3000; then ok "kill -9 keeper: the session is good again after $ms ms"; else not "kill -9 keeper: no session after $ms ms"; fi
sed -i 's/^console:.*/console: {on: no}/' "$dir/bw.yaml"
kill -HUP "$parent"
gone() { ! page && [ -z "$(pids _console)" ]; }
check "on: no takes it away" [ "$(until_ms 5000 gone)" -ge 0 ]
exit $failed
