#!/bin/bash
# The kernel's floor on real packets: a ward behind a switch that isolates its
# ports (a Linux bridge), a gateway with the floor and no guard, a hospital.
#
#   pump 10.77.1.11 ─┐                 ┌── server 10.77.1.5 (role server)
#   lab  10.77.1.12 ─┼─ switch ── gw ──┤
#   evil (no device) ┘                 └── other  10.77.1.9 (no role)
#
# gate_tool stands in for the daemon. Prints ok / not ok / skip lines; 1 if any failed.
set -u
tool=${GATE_TOOL:-$(dirname "$0")/../../build/test/gate-tool}
p=bwfl$$
tmp=$(mktemp -d /tmp/bedwarden-floor.XXXXXX)
dir=$tmp/bpf/floor
failed=0

ok() { echo "ok - $1"; }
fail() { echo "not ok - $1"; failed=1; }
check() { # text, command...
	local text=$1
	shift
	if "$@" >"$tmp/out" 2>&1; then ok "$text"; else
		fail "$text"
		sed 's/^/# /' "$tmp/out" | head -5
	fi
}
refuse() {
	local text=$1
	shift
	if "$@" >"$tmp/out" 2>&1; then fail "$text"; else ok "$text"; fi
}
cleanup() {
	[ -d "$dir" ] && ip netns exec ${p}g "$tool" remove "$dir" 2>/dev/null
	[ -n "${holder:-}" ] && kill -9 "$holder" 2>/dev/null
	for n in g sw pump lab evil server other; do
		ip netns pids $p$n 2>/dev/null | xargs -r kill -9 2>/dev/null
		ip netns del $p$n 2>/dev/null
	done
	mountpoint -q "$tmp/bpf" && umount "$tmp/bpf"
	rm -rf "$tmp"
}
skip_all() {
	echo "skip - the kernel's floor end to end: $1"
	exit 0
}

[ "$(id -u)" = 0 ] || skip_all "needs root"
[ -x "$tool" ] || skip_all "$tool is not built"
command -v python3 >/dev/null || skip_all "needs python3"
trap cleanup EXIT
mkdir -p "$tmp/bpf" "$tmp/profiles"
mount -t bpf bpf "$tmp/bpf" 2>/dev/null || skip_all "no bpffs may be mounted"
ip netns add ${p}g 2>/dev/null || skip_all "no network namespaces"

# ---- the wards and the wires ----
for n in sw pump lab evil server other; do ip netns add $p$n; done
wire() { # ns dev mac ns dev mac
	ip link add name $2 netns $p$1 address $3 type veth peer name $5 netns $p$4 address $6
	for e in "$1 $2" "$4 $5"; do
		set -- $e
		ip netns exec $p$1 sysctl -qw net.ipv6.conf.$2.accept_dad=0 2>/dev/null
		ip netns exec $p$1 ethtool -K $2 tso off gso off gro off tx off >/dev/null 2>&1
		ip -n $p$1 link set dev $2 up
	done
}
wire sw s0 02:77:00:00:ff:01 g ward0 02:77:00:00:ff:02
wire pump eth0 02:77:00:00:00:11 sw s1 02:77:00:00:ff:11
wire lab eth0 02:77:00:00:00:12 sw s2 02:77:00:00:ff:12
wire evil eth0 02:77:00:00:00:66 sw s3 02:77:00:00:ff:13
wire g hosp0 02:77:00:00:ff:03 other h0 02:77:00:00:ff:04
wire server eth0 02:77:00:00:00:05 other h1 02:77:00:00:ff:05
ip -n ${p}sw link add name br0 type bridge
ip -n ${p}sw link set dev br0 up
for i in 0 1 2 3; do ip -n ${p}sw link set dev s$i master br0; done
for i in 1 2 3; do ip -n ${p}sw link set dev s$i type bridge_slave isolated on; done
ip -n ${p}other link add name br0 type bridge
ip -n ${p}other link set dev br0 address 02:77:00:00:00:09
for i in 0 1; do ip -n ${p}other link set dev h$i master br0; done
ip -n ${p}other link set dev br0 up
ip -n ${p}g link set dev ward0 promisc on
ip -n ${p}g link set dev hosp0 promisc on
addr() { # ns dev last
	ip -n $p$1 addr add 10.77.1.$3/24 dev $2
	ip -n $p$1 addr add fd77::$3/64 dev $2 nodad
	ip -n $p$1 link set dev lo up
}
addr pump eth0 11
addr lab eth0 12
addr evil eth0 66
addr server eth0 5
addr other br0 9

# ---- the policy ----
cat >"$tmp/profiles/test-pump.yaml" <<'Y'
title: Test pump
kind: pump
fail: open
source: ["none"]
starts:
  - {service: reports, proto: tcp, port: [9000], peer: server, action: pass}
  - {service: numbers, proto: udp, port: [9001], peer: server, action: pass}
  - {service: watched, proto: udp, port: [9002], peer: server, action: inspect}
  - {service: to the lab, proto: udp, port: [9100], peer: lab, action: pass}
  - {service: ping, proto: icmp, port: [8], peer: server, action: pass}
  - {service: ping6, proto: icmpv6, port: [128], peer: server, action: pass}
  - {service: ping the lab, proto: icmp, port: [8], peer: lab, action: pass}
  - {service: ping the lab, proto: icmpv6, port: [128], peer: lab, action: pass}
accepts:
  - {service: setup, proto: tcp, port: [9050], peer: server, action: pass}
Y
sed 's/fail: open/fail: closed/; s/Test pump/Test lab/' "$tmp/profiles/test-pump.yaml" |
	sed '/accepts:/,$d' >"$tmp/profiles/test-lab.yaml"
cat >>"$tmp/profiles/test-lab.yaml" <<'Y'
accepts:
  - {service: from the pump, proto: udp, port: [9100], peer: pump, action: pass}
  - {service: ping, proto: icmp, port: [8], peer: pump, action: pass}
  - {service: ping, proto: icmpv6, port: [128], peer: pump, action: pass}
Y
sed -i '/peer: lab/d' "$tmp/profiles/test-lab.yaml"
cat >"$tmp/ward.yaml" <<Y
gateway: {name: test, bpf_dir: $dir}
segments:
  - {name: icu, ward: ward0, hospital: hosp0, isolated: yes, mode: enforce, unknown_devices: block, binding: block}
hosts:
  - {name: server-1, ip: [10.77.1.5, "fd77::5"], role: [server]}
devices:
  - {name: pump, segment: icu, mac: "02:77:00:00:00:11", ip: [10.77.1.11, "fd77::11"], profile: test-pump}
  - {name: lab, segment: icu, mac: "02:77:00:00:00:12", ip: [10.77.1.12, "fd77::12"], profile: test-lab}
Y
sed '/peer: lab\|proto: tcp, port: \[9000\]/d' "$tmp/profiles/test-pump.yaml" >"$tmp/narrow-pump"

# ---- helpers in the namespaces ----
cat >"$tmp/net.py" <<'PY'
import socket, sys, time, struct
what, a = sys.argv[1], sys.argv[2:]
def family(ip): return socket.AF_INET6 if ':' in ip else socket.AF_INET
if what == 'echo':            # proto port: answers for ever
    if a[0] == 'udp':
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(('::', int(a[1])))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)  # what is lost is not to be lost here
        while True:
            d, who = s.recvfrom(65535); s.sendto(d, who)
    s = socket.create_server(('::', int(a[1])), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        c, _ = s.accept()
        while d := c.recv(65536): c.sendall(d)
        c.close()
if what == 'ask':             # proto ip port [source port]: 0 if it was answered
    s = socket.socket(family(a[1]), socket.SOCK_STREAM if a[0] == 'tcp' else socket.SOCK_DGRAM)
    s.settimeout(1)
    if len(a) > 3: s.bind(('', int(a[3])))
    try:
        s.connect((a[1], int(a[2]))); s.send(b'x' * 900)
        sys.exit(0 if s.recv(2000) else 1)
    except OSError: sys.exit(1)
if what == 'stream':          # ip port packets_per_s seconds: how many came back
    s = socket.socket(family(a[0]), socket.SOCK_DGRAM); s.connect((a[0], int(a[1]))); s.setblocking(False)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    n = int(a[2]) * int(a[3]); sent = got = 0; start = time.monotonic()
    while time.monotonic() < start + int(a[3]) + 1:
        while sent < n and sent < (time.monotonic() - start) * int(a[2]):
            try: s.send(struct.pack('>I', sent) + b'v' * 200); sent += 1
            except BlockingIOError: break
            except OSError: sent += 1
        try:
            while True: s.recv(2000); got += 1
        except (BlockingIOError, OSError): pass
        if got == n: break
        time.sleep(0.0005)
    print(sent - got)
if what == 'arp':             # dev op sender_mac sender_ip target_ip
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind((a[0], 0))
    mac = bytes.fromhex(a[2].replace(':', ''))
    src = s.getsockname()[4]
    s.send(b'\xff' * 6 + src + struct.pack('>HHHBBH', 0x806, 1, 0x800, 6, 4, int(a[1])) + mac +
           socket.inet_aton(a[3]) + b'\0' * 6 + socket.inet_aton(a[4]))
PY
in_() { local n=$1; shift; ip netns exec $p$n "$@"; }
py() { local n=$1; shift; ip netns exec $p$n python3 "$tmp/net.py" "$@"; }
gt() { ip netns exec ${p}g "$tool" "$@"; }
total() { gt totals "$dir" | sed -n "s/^$1=//p"; }
reason() { gt reasons "$dir" | sed -n "s/^$1=//p"; }

for s in "server tcp 9000" "server udp 9001" "server udp 9002" "server udp 9009" "server tcp 445" \
	"other udp 9001" "pump tcp 9050" "pump tcp 23" "lab udp 9100" "lab udp 445"; do
	set -- $s
	py $1 echo $2 $3 2>/dev/null &
	disown
done
sleep 0.7

# ---- before and after ----
refuse "nothing crosses the two ports before there is a floor" in_ pump ping -c1 -W1 10.77.1.5
# Nobody answered that, and the next question would wait for the end of it.
in_ pump ip neigh flush all 2>/dev/null
ip netns exec ${p}g "$tool" hold "$dir" "$tmp/ward.yaml" 1 2>"$tmp/hold" &
for i in $(seq 100); do [ -e "$dir/link_$(in_ g cat /sys/class/net/hosp0/ifindex)" ] && break; sleep 0.1; done
sleep 0.2
holder=$(ip netns pids ${p}g | head -1)
if [ -z "$holder" ] || ! grep -q applied "$tmp/hold"; then
	grep -q "may not load" "$tmp/hold" && skip_all "BPF is not permitted"
	fail "the floor loads"
	sed 's/^/# /' "$tmp/hold"
	exit 1
fi
ok "the floor loads and attaches ($(gt mode "$dir" ward0)): $(cat "$tmp/hold")"

# ---- pass ----
check "an allowed TCP service passes" py pump ask tcp 10.77.1.5 9000
check "an allowed UDP service passes" py pump ask udp 10.77.1.5 9001
check "the same over IPv6" py pump ask udp fd77::5 9001
check "a service of the device that is allowed from the hospital passes" py server ask tcp 10.77.1.11 9050
check "an allowed ping passes" in_ pump ping -c1 -W1 10.77.1.5
check "fragments follow their first" in_ pump ping -c1 -W1 -s 4000 10.77.1.5
check "fragments follow their first over IPv6" in_ pump ping -c1 -W1 -s 4000 fd77::5
check "an ICMP error about a known conversation comes back" in_ pump python3 - <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
s.connect(('10.77.1.5', 9001)); s.send(b'x'); s.recv(99)
PY

# ---- drop ----
refuse "a service that no rule names is dropped" py pump ask udp 10.77.1.5 9009
refuse "a worm's port is dropped" py pump ask tcp 10.77.1.5 445
refuse "the right service at the wrong peer is dropped" py pump ask udp 10.77.1.9 9001
refuse "telnet from the hospital to the pump is dropped" py server ask tcp 10.77.1.11 23
refuse "a host without the role does not reach the device's service" py other ask tcp 10.77.1.11 9050
[ "$(reason policy.not_allowed)" -ge 1 ] && [ "$(reason policy.peer_not_allowed)" -ge 1 ] &&
	[ "$(reason policy.inbound_not_allowed)" -ge 1 ] && ok "each with its reason" || fail "each with its reason"
gt samples "$dir" 1 >"$tmp/samples"
grep -q policy.not_allowed "$tmp/samples" && ok "blocked packets are told" || fail "blocked packets are told"

# ---- binding ----
refuse "an unregistered machine gets nowhere" in_ evil ping -c1 -W1 10.77.1.5
in_ evil ip addr add 10.77.1.11/32 dev eth0
refuse "nor with a stolen address" in_ evil ping -c1 -W1 -I 10.77.1.11 10.77.1.5
in_ evil ip addr del 10.77.1.11/32 dev eth0
in_ pump ip addr add 10.77.1.99/24 dev eth0
refuse "nor a device with an address that is not its own" in_ pump ping -c1 -W1 -I 10.77.1.99 10.77.1.5
in_ pump ip addr del 10.77.1.99/24 dev eth0
in_ server ip neigh flush all
in_ server ip neigh replace 10.77.1.11 lladdr 02:77:00:00:00:11 dev eth0 nud stale
py evil arp eth0 2 02:77:00:00:00:66 10.77.1.11 10.77.1.5
py pump arp eth0 1 02:77:00:00:00:11 10.77.1.5 10.77.1.5
in_ other ip neigh flush all
sleep 0.2
in_ server ip neigh show 10.77.1.11 | grep -q 00:66 && fail "ARP spoofing is stopped" || ok "ARP spoofing is stopped"
[ "$(reason binding.arp_spoof)" -ge 2 ] && ok "gratuitous ARP for a host's address too" ||
	fail "gratuitous ARP for a host's address too"
[ "$(reason binding.unknown_device)" -ge 1 ] && [ "$(reason binding.ip_unlisted)" -ge 1 ] &&
	ok "bindings with their reasons" || fail "bindings with their reasons"

# ---- neighbours ----
check "device to device through the gateway, ARP answered" py pump ask udp 10.77.1.12 9100
in_ pump ip neigh show 10.77.1.12 | grep -q 02:77:00:00:ff:02 &&
	ok "the neighbour's address is the port's" || fail "the neighbour's address is the port's"
check "the same over IPv6, ND answered" in_ pump ping -c1 -W1 fd77::12
in_ pump ip neigh show fd77::12 | grep -q 02:77:00:00:ff:02 &&
	ok "the neighbour's IPv6 address is the port's" || fail "the neighbour's IPv6 address is the port's"
refuse "under the same policy" py pump ask udp 10.77.1.12 445
refuse "in one direction only" in_ lab ping -c1 -W1 10.77.1.11
[ "$(reason policy.device_to_device)" -ge 1 ] && ok "with its reason" || fail "with its reason"

# ---- fail modes: no guard is there ----
check "an open device's inspected traffic passes without a guard" py pump ask udp 10.77.1.5 9002
refuse "a closed device's does not" py lab ask udp 10.77.1.5 9002
check "but its uninspected does" py lab ask udp 10.77.1.5 9001
[ "$(total uninspected)" -ge 2 ] && [ "$(total failed)" -ge 1 ] && ok "both are counted" || fail "both are counted"

# ---- a guard's word ----
check "a conversation that nobody blocked passes" py pump ask udp 10.77.1.5 9001 4444
gt block "$dir" 17 10.77.1.11 4444 10.77.1.5 9001
refuse "blocked, it is dropped" py pump ask udp 10.77.1.5 9001 4444
check "and no other is" py pump ask udp 10.77.1.5 9001 4445

# ---- under load ----
py pump stream 10.77.1.5 9001 2000 4 >"$tmp/lost" &
load=$!
sleep 0.5
gt swap "$dir" "$tmp/ward.yaml" 2 6 2>"$tmp/swap" || { fail "policies and programs swap"; cat "$tmp/swap"; }
wait $load
[ "$(cat "$tmp/lost")" = 0 ] && ok "6 policies and programs swapped under 2000 packets/s: none lost" ||
	fail "6 policies and programs swapped under 2000 packets/s: $(cat "$tmp/lost") lost"
refuse "blocked stays blocked across policies and programs" py pump ask udp 10.77.1.5 9001 4444

# ---- a narrower policy cuts what it no longer allows, now ----
cp "$tmp/narrow-pump" "$tmp/profiles/test-pump.yaml"
gt apply "$dir" "$tmp/ward.yaml" 20 2>/dev/null
refuse "a service that the new policy no longer names is dropped" py pump ask tcp 10.77.1.5 9000
check "what it still names passes" py pump ask udp 10.77.1.5 9001

# ---- the floor stands alone ----
kill -9 "$holder"
holder=
check "with its process killed, the allowed passes" py pump ask udp 10.77.1.5 9001
refuse "and the rest does not" py pump ask udp 10.77.1.5 9009
refuse "nor strangers" in_ evil ping -c1 -W1 10.77.1.5
gt remove "$dir"
refuse "removed, nothing crosses" in_ pump ping -c1 -W1 10.77.1.5
[ -e "$dir" ] && fail "and nothing stays pinned" || ok "and nothing stays pinned"

exit $failed
