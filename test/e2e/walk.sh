#!/usr/bin/env bash
# Who is there, from the first start to the last door, in a ward like the demonstration's and
# through the API, with a passkey of a virtual authenticator in Chromium: a code from the
# terminal, enrolment, signing in without a name, a fresh factor, the pump's telnet port for the
# right workstation and not for the one beside it, cut on time; an emergency at the bedside
# while the hospital's port is unplugged; factors lost; the audit trail whole, and caught when it is edited,
# deleted from, reordered, added to and cut off.
# usage: test/e2e/walk.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bww$$
spaces="gw sw pump nurse hos ws beside"
. "$(dirname "$self")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "people end to end: needs root for network namespaces"
command -v chromium >/dev/null || skip_all "people end to end: no Chromium is installed"
workdir
server=
trap 'kill $server 2>/dev/null; cleanup' EXIT

pump=02:be:d0:00:01:14 nurse=02:be:d0:00:01:40 ws=02:be:d0:00:00:05 beside=02:be:d0:00:00:06
# manage NS BRIDGE NAME ADDRESS/LEN: a port of the gateway's own on that switch, which reaches who is there.
manage() {
	at "$1" ip link add "$3" type veth peer name "$3" netns "$id-gw"
	at "$1" ip link set "$3" master "$2" up
	at gw ip link set "$3" up
	at gw ip route add "$4" dev "$3"
}
wire() {
	make_ward pump nurse || return 1
	machine pump $pump 10.77.1.14/16
	machine nurse $nurse 10.77.1.40/16
	at sw bridge link set dev pump isolated on && at sw bridge link set dev nurse isolated on
	make_hall ws beside
	machine ws $ws 10.77.0.5/16
	machine beside $beside 10.77.0.6/16
	at gw ip addr add 10.99.0.1/32 dev lo
	manage hos hsw m0 10.77.0.0/24
	manage sw sw0 m1 10.77.1.0/24
	for ns in ws beside nurse; do at $ns ip route add 10.99.0.1 dev e0; done
	for ns in ws beside; do at $ns ip neigh replace 10.77.1.14 lladdr $pump dev e0 nud permanent; done
	for ns in ws beside; do at $ns ip neigh replace 10.99.0.1 lladdr "$(at gw cat /sys/class/net/m0/address)" dev e0 nud permanent; done
	at nurse ip neigh replace 10.99.0.1 lladdr "$(at gw cat /sys/class/net/m1/address)" dev e0 nud permanent
	at pump ip neigh replace 10.77.0.5 lladdr $ws dev e0 nud permanent
	for ns in pump nurse ws beside; do at $ns ethtool -K e0 tso off gso off gro off tx off >/dev/null 2>&1; done
}
wire || skip_all "people end to end: no network namespaces here"

cat >"$dir/bw.yaml" <<-Y
gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
console: {listen: ["10.99.0.1:8443"], names: [gw.test]}
segments:
  - {name: ward, ward: w0, hospital: h0, isolated: yes, mode: enforce, unknown_devices: block, binding: block}
devices:
  - name: pump-1
    segment: ward
    mac: "$pump"
    ip: [10.77.1.14]
    profile: infusion-pump
    services:
      - {name: telnet, ask: [administrator, clinical_engineer, vendor], alone: [administrator], minutes: 5}
  - {name: station-1, segment: ward, mac: "$nurse", ip: [10.77.1.40], profile: workstation}
Y
at pump python3 "$(dirname "$self")/session.py" serve 23 >"$dir/server" &
server=$!
start
[ "$(until_ms 20000 guarding)" -ge 0 ] || { not "the gateway does not guard"; tail -20 "$dir/log"; exit 1; }
walk() { at ws python3 "$(dirname "$self")/walk.py" "$bw" "$dir" "$id" "$@"; }
walk people || failed=1

# Somebody edits the trail while nothing runs, and puts it back as it should look.
kill -TERM "$parent"; wait "$parent" 2>/dev/null; parent=
check "stopped, the audit trail is whole" "$bw" audit verify -d "$dir/state"
"$bw" audit checkpoint -d "$dir/state" >"$dir/kept"
# tamper TEXT COMMAND [OPTION...]: on a copy of it.
tamper() {
	local text=$1 said; rm -rf "$dir/copy"; cp -a "$dir/state" "$dir/copy"
	(cd "$dir/copy" && eval "$2")
	said=$("$bw" audit verify -d "$dir/copy" "${@:3}" 2>&1) && not "$text is caught" || ok "$text is caught (${said##*$'\n'})"
}
g=$(grep -n grant.opened "$dir/state/audit.log" | head -1 | cut -d: -f1)
g=${g:-4}
tamper "an opened door with another name on it" "sed -i ${g}s/anna/hans/ audit.log"
tamper "an opened door taken out" "sed -i ${g}d audit.log"
tamper "an opened door and the entry behind it swapped" "sed -i '${g}{h;d};$((g + 1)){G}' audit.log"
tamper "an entry put in twice" "sed -i ${g}p audit.log"
tamper "the last two entries cut off" "head -n -2 audit.log >x && mv x audit.log"
tamper "all from the first door on cut off, its checkpoint too, by what was kept elsewhere" "head -n $((g - 1)) audit.log >x && mv x audit.log; rm audit.checkpoint" --against "$dir/kept"
n=$(grep -n grant.break_glass "$dir/state/audit.log" | head -1 | cut -d: -f1)
cp -a "$dir/state/audit.log" "$dir/audit.log"
sed -i "${n:-5}s/carla/nobody/" "$dir/state/audit.log"
said=$("$bw" audit verify -d "$dir/state" 2>&1) && not "an emergency with another name on it is caught" || ok "an emergency with another name on it is caught (${said##*$'\n'})"
start
[ "$(until_ms 20000 guarding)" -ge 0 ] || not "the gateway does not guard again"
until_ms 3000 has_event audit.broken >/dev/null
check "and said by the gateway that starts with it" has_event audit.broken
[ $failed = 0 ] || tail -20 "$dir/log"
exit $failed
