#!/usr/bin/env bash
# With `bypass: on` the kernel lets a conversation pass that the guards can read nothing more of; it is
# counted whole all the same, its end is seen, and a new policy brings it back before a guard.
# usage: test/e2e/bypass.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwy$$
spaces="gw sw lab hos"
. "$(dirname "$self")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "what is bypassed, end to end: needs root for network namespaces"
command -v python3 >/dev/null || skip_all "what is bypassed, end to end: no python3"
workdir

policy() { # BYPASS MORE-RULES
	cat >"$dir/bw.yaml" <<-Y
	gateway: {name: e2e, bypass: $1, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
	segments:
	  - {name: icu, ward: w0, hospital: h0}
	hosts:
	  - {name: server-1, ip: [10.94.0.1], role: [server]}
	devices:
	  - name: lab-1
	    segment: icu
	    mac: "02:00:00:94:00:11"
	    ip: [10.94.0.11]
	    fail: closed
	    starts:
	      - {service: raw, proto: udp, port: [7000], peer: server, action: inspect}
	      - {service: raw, proto: tcp, port: [7000], peer: server, action: inspect}
	$2
	Y
}
# Sends back what it gets, by UDP and TCP.
echo_server() {
	at hos python3 -c '
import socket, threading
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("10.94.0.1", 7000))
    while True:
        data, peer = s.recvfrom(2048)
        s.sendto(data, peer)
threading.Thread(target=udp, daemon=True).start()
l = socket.create_server(("10.94.0.1", 7000))
while True:
    c, _ = l.accept()
    while True:
        data = c.recv(2048)
        if not data: break
        c.sendall(data)
    c.close()' &
}
# speak udp|tcp PORT SECONDS: noise, each answered before the next; how many times at the end.
speak() {
	at lab python3 -c '
import os, socket, sys, time
tcp = sys.argv[1] == "tcp"
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("10.94.0.11", int(sys.argv[2])))
s.settimeout(2)
s.connect(("10.94.0.1", 7000))
n, end = 0, time.time() + float(sys.argv[3])
while time.time() < end:
    s.send(b"\x93\xfe" + os.urandom(98)); n += 1
    got = 0
    while got < 100: got += len(s.recv(2048))
    time.sleep(0.002)
s.close()
print(n)' "$1" "$2" "$3"
}
flow_of() { # PORT: the conversation under way
	ask flows --json 2>/dev/null | tr -d '\n ' | sed 's/},{"timestamp/}\n{"timestamp/g' | grep "\"src_port\":$1,"
}
number() { grep -o "\"$1\":[0-9]*" | head -1 | grep -o '[0-9]*$'; }
total() { number pkts_toserver; } # the flow's: its object begins with them
counted_whole() { # PORT PACKETS
	[ "$(flow_of "$1" | total)" = "$2" ]
}
seen_by_guard() { status | grep -o '"received":[0-9]*' | head -1 | grep -o '[0-9]*$'; }

make_ward lab || skip_all "what is bypassed, end to end: no network namespaces here"
machine lab 02:00:00:94:00:11 10.94.0.11/24
machine hos 02:00:00:94:00:01 10.94.0.1/24
at gw ip link set w0 up
at gw ip link set h0 up
at lab ip neigh replace 10.94.0.1 lladdr 02:00:00:94:00:01 dev e0 nud permanent
at hos ip neigh replace 10.94.0.11 lladdr 02:00:00:94:00:11 dev e0 nud permanent
echo_server
policy on ""
start
ms=$(until_ms 20000 guarding)
within "$ms" 20000 || { not "the gateway guards"; tail -5 "$dir/log"; exit 1; }
grep -q '"capture":"xdp"' <<<"$(status)" || skip_all "what is bypassed, end to end: no XDP here"
sleep 0.5

# Twelve seconds: one bypass runs out, and is begun again.
sent=$(speak udp 40001 12)
check "all that was said was answered ($sent datagrams)" test "${sent:-0}" -gt 500
ms=$(until_ms 15000 counted_whole 40001 "$sent")
within "$ms" 15000 && ok "the conversation is counted whole, with what passed in the kernel" ||
	not "the conversation is counted whole ($(flow_of 40001 | total) of $sent)"
unseen=$(flow_of 40001 | grep -o '"bypassed":{[^}]*' | number pkts_toserver)
[ "${unseen:-0}" -gt $((sent / 2)) ] && ok "most of it passed without a guard ($unseen of $sent)" ||
	not "most of it passed without a guard (${unseen:-0} of $sent)"

# TCP: its end is seen, and ends the bypass at once.
sent=$(speak tcp 40002 4)
ended() { grep '"event_type":"flow"' "$dir/state/eve.json" | grep -q '"src_port":40002,.*"state":"closed"'; }
within "$(until_ms 20000 ended)" 20000 && ok "the end of a conversation that was bypassed is seen" ||
	not "the end of a conversation that was bypassed is seen"
event=$(grep '"event_type":"flow"' "$dir/state/eve.json" | grep '"src_port":40002,' | tail -1)
check "its event says that it was" grep -q '"bypassed":{"pkts_toserver":[1-9].*"bypass":"capture"' <<<"$event"
bytes=$(number bytes_toserver <<<"$event")
[ "${bytes:-0}" -ge $((sent * 166)) ] && ok "and how much there was of it ($bytes bytes of $sent messages)" ||
	not "and how much there was of it ($bytes bytes of $sent messages)"

# A new policy: a guard sees it again at once.
speak udp 40003 8 >"$dir/sent" &
speaker=$!
sleep 3
before=$(flow_of 40003 | total)
policy on "      - {service: more, proto: udp, port: [7001], peer: server}"
ask policy apply >/dev/null 2>&1 || timeout 10 "$bw" policy apply -c "$dir/bw.yaml" >/dev/null
soon "a new policy brings it back before a guard" eval '[ "$(flow_of 40003 | total)" -gt "${before:-0}" ]'
wait $speaker
check "and nothing of it is lost" test "$(cat "$dir/sent")" -gt 500

# Off, as it is where nothing is said: everything is seen.
policy off ""
timeout 10 "$bw" policy apply -c "$dir/bw.yaml" >/dev/null
within "$(until_ms 10000 guarding)" 10000 || not "the gateway guards with bypass: off"
sleep 1
sent=$(speak udp 40004 3)
ms=$(until_ms 5000 counted_whole 40004 "$sent")
flow_of 40004 | grep -q bypassed && not "off: everything is seen" || ok "off: everything is seen ($sent)"
[ $failed = 0 ] || tail -20 "$dir/log"
exit $failed
