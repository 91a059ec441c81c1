#!/usr/bin/env bash
# Who is who, behind a real gateway: a registered monitor, and a stranger with a
# monitor's network card, whose every packet is refused. `devices` must name
# maker, likely profile with its reasons, and whom each talks to; `policy learn`
# must propose the stranger.
# usage: test/e2e/devices.sh [BINARY]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwi$$
spaces="gw sw mon str hos"
. test/e2e/lib.sh

[ "$(id -u)" = 0 ] || skip_all "devices: needs root for network namespaces"
command -v python3 >/dev/null || skip_all "devices: needs python3"
[ -r /usr/share/ieee-data/oui.txt ] || skip_all "devices: needs ieee-data"

workdir
make_ward mon str || skip_all "devices: no network namespaces here"
machine mon 00:09:fb:92:00:11 10.92.0.11/24
machine str 00:09:fb:92:00:66
machine hos 02:00:00:92:00:01 10.92.0.1/24

cat >"$dir/bw.yaml" <<Y
gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
segments:
  - {name: icu, ward: w0, hospital: h0, isolated: no, mode: enforce, unknown_devices: block, binding: block}
hosts:
  - {name: central-1, ip: [10.92.0.1], role: [central]}
devices:
  - {name: monitor-1, segment: icu, mac: "00:09:fb:92:00:11", ip: [10.92.0.11], profile: philips-intellivue}
Y
start
[ "$(until_ms 15000 guarding)" != -1 ] || { not "the gateway starts"; tail "$dir/log"; exit 1; }

# The stranger asks for an address, then talks as a monitor does, to a server and to its own kind.
cat >"$dir/stranger.py" <<'P'
import socket, struct, sys
mac = bytes.fromhex('0009fb920066')
def checksum(b):
    s = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    while s >> 16: s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff
def send(dst_mac, src, dst, sport, dport, payload):
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 28 + len(payload), 1, 0, 64, 17, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))
    head = head[:10] + struct.pack('!H', checksum(head)) + head[12:]
    udp = struct.pack('!HHHH', sport, dport, 8 + len(payload), 0)
    s.send(dst_mac + mac + b'\x08\x00' + head + udp + payload)
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('e0', 0))
dhcp = (struct.pack('!BBBBIHH', 1, 1, 6, 0, 0x1234, 0, 0x8000) + bytes(16) + mac + bytes(202) +
        b'\x63\x82\x53\x63\x35\x01\x01' + b'\x3c\x0fPhilips Monitor' + b'\x0c\x09MX800-bed' +
        b'\x37\x04\x01\x03\x06\x2a\xff')
send(b'\xff' * 6, '0.0.0.0', '255.255.255.255', 68, 67, dhcp)
for _ in range(3):
    send(bytes.fromhex('020000920001'), '10.92.0.66', '10.92.0.1', 24105, 24105, b'vital signs')
P
at mon ping -c 2 -i 0.2 -W 1 10.92.0.1 >/dev/null 2>&1
at mon bash -c 'for i in 1 2 3; do echo wave >/dev/udp/10.92.0.1/24105; done' 2>/dev/null
at str python3 "$dir/stranger.py" || not "the stranger sends"

# has NAME-OR-MAC PATTERN...: one object of `devices`, on one line.
has() {
	local who=$1 row pattern; shift
	row=$(ask devices --json --device "$who" 2>/dev/null | tr -s ' \n' ' ' | sed 's/": /":/g; s/\[ /[/g; s/ \]/]/g')
	for pattern; do grep -qF -- "$pattern" <<<"$row" || return 1; done
}
wait_for() { # TEXT WHO PATTERN...
	local text=$1; shift
	for _ in $(seq 80); do has "$@" && { ok "$text"; return; }; sleep 0.1; done
	not "$text"
	ask devices --json --device "$1"
}
str=00:09:fb:92:00:66
wait_for "a registered device: its maker, profile and mode" monitor-1 '"registered":true' '"seen":true' \
	'"vendor":"Philips Patient Monitoring"' '"profile":"philips-intellivue"' '"mode":"enforce"' '"first":"20' '"last":"20'
wait_for "a registered device: whom it talks to" monitor-1 '"peers":["10.92.0.1"]'
wait_for "a stranger: its maker, and what it called itself" $str '"registered":false' \
	'"vendor":"Philips Patient Monitoring"' '"hostname":"MX800-bed"' '"dhcp_class":"Philips Monitor"'
wait_for "a stranger: its likely profile, with the reasons" $str '"likely_profile":"philips-intellivue"' \
	'its network card was made by Philips Patient Monitoring' 'it answers on udp/24105'
wait_for "a stranger: its address, and whom it talks to although it may not" $str '"10.92.0.66"' '"10.92.0.1"'
ask devices >"$dir/table" 2>&1
if grep monitor-1 "$dir/table" | grep -q "Philips Patient Monitoring" &&
   grep MX800-bed "$dir/table" | grep -q "looks like philips-intellivue"; then
	ok "the table for people says so, too"
else
	not "the table for people says so, too"
	cat "$dir/table"
fi
check "the stranger is an event" has_event binding.new_device
if timeout 10 "$bw" policy learn -c "$dir/bw.yaml" >"$dir/proposal" 2>"$dir/learn" &&
   grep -q "$str" "$dir/proposal" && grep -A12 -B12 "$str" "$dir/proposal" | grep -q philips-intellivue; then
	ok "policy learn proposes the stranger, as a monitor"
else
	not "policy learn proposes the stranger, as a monitor"
	cat "$dir/learn" "$dir/proposal"
fi

# A guard that is killed knows makers and profiles again.
victim=$(pids _guard | head -1)
kill -9 "$victim"
again "kill -9 of the guard" "$(until_ms 5000 another "$victim" _guard)"
[ $failed = 0 ] || tail -20 "$dir/log"
exit $failed
