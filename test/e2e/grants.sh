#!/usr/bin/env bash
# Grants between real ports: a pump's service ports open for the workstation that
# was let in and for nobody beside it, stay open while the gateway's processes are
# killed, and shut on time: by order, by the clock, and by the kernel alone when
# nothing of the gateway is left. Then the audit trail of all that: whole, and
# caught out when somebody edits, removes, reorders or cuts it.
# usage: test/e2e/grants.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
py=$(realpath test/e2e/session.py)
id=bwg$$
spaces="gw sw pump hos ws beside"
. "$(dirname "$self")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "grants end to end: needs root for network namespaces"
workdir
server=
trap 'kill $server 2>/dev/null; cleanup' EXIT

wire() {
	make_ward pump || return 1
	machine pump 02:00:00:93:00:11 10.93.0.11/24
	make_hall ws beside
	machine ws 02:00:00:93:00:05 10.93.0.5/24
	machine beside 02:00:00:93:00:06 10.93.0.6/24
	for ns in ws beside; do
		at $ns ip neigh replace 10.93.0.11 lladdr 02:00:00:93:00:11 dev e0 nud permanent
	done
	at pump ip neigh replace 10.93.0.5 lladdr 02:00:00:93:00:05 dev e0 nud permanent
	for ns in pump ws beside; do at $ns ethtool -K e0 tso off gso off gro off tx off >/dev/null 2>&1; done
}
cat >"$dir/bw.yaml" <<Y
gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden, capture: ${capture:-auto}, evidence: on}
segments:
  - {name: icu, ward: w0, hospital: h0}
devices:
  - name: pump-1
    segment: icu
    mac: "02:00:00:93:00:11"
    ip: [10.93.0.11]
    fail: open
    services:
      - {name: telnet, alone: [administrator], minutes: 5}
      - {name: ssh, alone: [administrator]}
      - {name: vnc}
      - {name: web, alone: [administrator], record: yes}
Y

gate() { timeout 10 "$bw" "$@" --socket "$dir/run/control"; }
member() { grep -o "\"$1\": *\"\?[^,\"}]*" | head -1 | sed 's/.*: *"\?//'; }
# request|break-glass SERVICE: its number.
let_in() { gate grants "$1" pump-1 "$2" --ip 10.93.0.5 --mac 02:00:00:93:00:05 --minutes 1 --reason "end to end" --json | member id; }
fast() { # TEXT MS
	if within "$2" "${limit:-200}"; then ok "$1 after $2 ms"; else not "$1 after $2 ms (at most ${limit:-200})"; fi
}
field() { member "$2" <"$dir/$1"; }
# A second person, by sudo.
other() { SUDO_USER=ben timeout 10 "$bw" "$@" --socket "$dir/run/control"; }

wire || skip_all "grants end to end: no namespaces here"
at pump python3 "$py" serve 22 23 80 5900 >"$dir/server" &
server=$!
start
until_ms 15000 guarding >/dev/null
guarding || { not "the gateway guards"; cat "$dir/log"; exit 1; }

check "before, the port is shut" bash -c "! ip netns exec $id-ws python3 $py try 10.93.0.11 23"
grep -q '"service":"vnc"' <(gate grants services --json) && ok "what can be asked for is listed" || not "what can be asked for is listed"

# Opened: how long from the order until the first packet is through.
at ws python3 "$py" open 10.93.0.11 23 90 >"$dir/telnet" &
telnet=$!
# session STATE PORT: the workstation has one that is so far.
session() { [ -n "$(at ws ss -tnH state "$1" "( dport = :$2 )")" ]; }
until_ms 5000 session syn-sent 23 >/dev/null
t0=$(now_ms)
a=$(let_in request telnet)
told=$(now_ms)
opened=$t0
until_ms 5000 session established 23 >/dev/null
check "the right workstation is in" bash -c "ip netns exec $id-ws python3 $py try 10.93.0.11 23"
check "the one beside it is not: another address" bash -c "! ip netns exec $id-beside python3 $py try 10.93.0.11 23"
at pump python3 "$py" syns 02:00:00:93:00:06 23 2 >"$dir/syns" &
syns=$!
listens() { [ -n "$(at pump ss -0H)" ]; }
until_ms 5000 listens >/dev/null
at beside ip addr add 10.93.0.5/32 dev e0
at beside python3 -c '
import socket
s = socket.socket(); s.settimeout(1); s.bind(("10.93.0.5", 0))
try: s.connect(("10.93.0.11", 23))
except OSError: pass'
at beside ip addr del 10.93.0.5/32 dev e0
wait $syns
[ "$(cat "$dir/syns")" = 0 ] && ok "nor is it with the other's address" || not "nor is it with the other's address: $(cat "$dir/syns") packets came through"

# Approved by a second person; ended by order.
c=$(let_in request vnc)
out=$(gate grants approve "$c" 2>&1) && not "nobody approves their own request" || ok "nobody approves their own request (${out##*; })"
at ws python3 "$py" open 10.93.0.11 5900 20 >"$dir/vnc" &
vnc=$!
until_ms 5000 session syn-sent 5900 >/dev/null
t1=$(now_ms)
if other grants approve "$c" >/dev/null 2>"$dir/err"; then
	t2=$(now_ms)
	until_ms 5000 session established 5900 >/dev/null
	sleep 0.1 # for a few lines
	t3=$(now_ms)
	gate grants revoke "$c" >/dev/null
	t4=$(now_ms)
	wait $vnc
	limit=$((200 + t2 - t1)) fast "approved: the first packet was through, $((t2 - t1)) ms of it the command," $(($(field vnc connected_ms) - t1))
	# One comes every 5 ms: the last may have come just before the word was given.
	cut=$(($(field vnc last_ms) - t3))
	limit=$((200 + t4 - t3)) fast "revoked: the last packet was through, $((t4 - t3)) ms of it the command," $((cut < 0 && cut > -20 ? 0 : cut))
	[ "$(field vnc reset)" = true ] && ok "revoked: the workstation is reset" || not "revoked: the workstation is reset"
	soon "revoked: the pump is reset" grep -q '"port": 5900' "$dir/server"
else
	not "a second person approves: $(cat "$dir/err")"
	gate grants revoke "$c" >/dev/null 2>&1
	wait $vnc
fi

sleep 3 # so much later than the first one its minute ends
let_in request ssh >/dev/null
ssh_opened=$(now_ms)
at ws python3 "$py" open 10.93.0.11 22 64 >"$dir/ssh" &
ssh=$!

# Whatever dies, who is in stays in.
# moving [PORT]: the pump's words are acknowledged.
moving() { local x y; x=$(at pump ss -tniH state established sport = :${1:-23} | grep -o 'bytes_acked:[0-9]*' | head -1); sleep 1; y=$(at pump ss -tniH state established sport = :${1:-23} | grep -o 'bytes_acked:[0-9]*' | head -1); [ "$x" ] && [ "$x" != "$y" ]; }
check "the session goes on" moving
old=$(pids _guard | head -1); kill -9 "$old"
check "a guard is killed: the session goes on" moving
until_ms 5000 another "$old" _guard >/dev/null
old=$(pids _keeper); kill -9 "$old"
check "the keeper is killed: the session goes on" moving
until_ms 5000 another "$old" _keeper >/dev/null
check "and it still knows who is in" grep -q "\"id\":$a\b" <(gate grants --json)
xdp() { grep -q '"capture":"xdp"' <(status); }
xdp && floor=yes || floor=
kill -9 "$parent"; wait "$parent" 2>/dev/null
if [ $floor ]; then check "the parent is killed: the session goes on" moving
else echo "skip - the parent is killed: without the kernel's floor nothing is forwarded then"; fi
start
until_ms 10000 guarding >/dev/null
check "started again: the session goes on" moving
check "and the grant is known" grep -q "\"id\":$a\b" <(gate grants --json)

# Break-glass, seen by everybody.
e=$(let_in break-glass web)
check "an emergency opens at once" bash -c "ip netns exec $id-ws python3 $py try 10.93.0.11 80"
grep -q EMERGENCY <(gate status) && ok "an emergency shows in status" || not "an emergency shows in status"
until_ms 3000 has_event grant.break_glass >/dev/null
check "and as an event" has_event grant.break_glass
gate grants revoke "$e" >/dev/null
kept() { grep -q '"message":"evidence was sealed"' <(events); }
until_ms 20000 kept >/dev/null
check "its packets are sealed as evidence" kept
check "and nags until it is reviewed" grep -q "grants review $e" <(gate status)
other grants review "$e" --reason "it was needed" >/dev/null
check "reviewed, it does not" bash -c "! grep -q 'grants review $e' <(timeout 10 $bw status --socket $dir/run/control)"

# The end, mid-session.
wait $telnet
end=$((opened + 60000))
at_end=$(($(field telnet last_ms) - end))
[ "$at_end" -le $((200 + told - opened)) ] && [ "$at_end" -ge -300 ] && ok "its time was over: cut ${at_end} ms from the minute's end" || not "its time was over: cut ${at_end} ms from the minute's end"
[ "$(field telnet reset)" = true ] && ok "its time was over: the workstation is reset" || not "its time was over: the workstation is reset"
soon "its time was over: the pump is reset" grep -q '"port": 23' "$dir/server"
check "over is over" bash -c "! ip netns exec $id-ws python3 $py try 10.93.0.11 23"

# Nothing is left but the kernel's floor.
if [ $floor ]; then
	ip netns pids $id-gw | xargs -r kill -9
	wait "$parent" 2>/dev/null
	parent=
	left=$((ssh_opened + 60000 - $(now_ms)))
	[ "$left" -gt 500 ] && ok "everything is killed, $left ms before the end" || not "everything is killed before the end ($left ms)"
	check "everything is killed: an open-class device's session goes on" moving 22
	wait $ssh
	at_end=$(($(field ssh last_ms) - ssh_opened - 60000))
	[ "$at_end" -ge -700 ] && [ "$at_end" -le 100 ] && ok "the kernel alone shuts the door on time, $at_end ms from the minute's end" || not "the kernel alone shuts the door on time, $at_end ms from the minute's end"
	check "and lets nobody in" bash -c "! ip netns exec $id-ws python3 $py try 10.93.0.11 22"
else
	echo "skip - the kernel's own end: capture is not xdp here"
	kill -9 "$parent"; wait "$parent" 2>/dev/null; parent=
fi

# The trail.
verify() { "$bw" audit verify -d "$1" "${@:2}"; }
check "the audit trail is whole" verify "$dir/state"
grep -q grant.opened <("$bw" audit ls -d "$dir/state" --json) && ok "the grants are in it" || not "the grants are in it"
"$bw" audit checkpoint -d "$dir/state" >"$dir/kept"
tamper() { # TEXT COMMAND: on a copy
	rm -rf "$dir/copy"; cp -a "$dir/state" "$dir/copy"
	(cd "$dir/copy" && eval "$2")
	verify "$dir/copy" ${3:-} >"$dir/said" 2>&1 && not "$1 is caught" || ok "$1 is caught: $(tail -1 "$dir/said" | cut -c1-90)"
}
tamper "an edit" "sed -i '4s/root/eve0/' audit.log"
tamper "an entry removed" "sed -i 4d audit.log"
tamper "two entries swapped" "sed -i '4{h;d};5{G}' audit.log"
tamper "the end cut off" "head -n -2 audit.log >x && mv x audit.log"
tamper "all of it put back older" "head -n 5 audit.log >x && mv x audit.log; rm audit.checkpoint" "--against $dir/kept"
exit $failed
