#!/usr/bin/env bash
# Evidence between real ports: a web request where only HL7 may be said, and a
# connection that nobody allowed, leave files that tshark reads; then no more
# than may be kept, and a disk that is nearly full.
# usage: test/e2e/evidence.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.."
bw=$(realpath "${1:-build/bedwarden}")
id=bwe$$
spaces="gw sw ana hos"
. "$(dirname "$self")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "evidence end to end: needs root for network namespaces"
command -v tshark >/dev/null || skip_all "evidence end to end: needs tshark"
workdir
shopt -s nullglob

# policy EVIDENCE
policy() {
	cat >"$dir/bw.yaml" <<-Y
	gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden, $1}
	segments:
	  - {name: icu, ward: w0, hospital: h0}
	hosts:
	  - {name: lab-1, ip: [10.92.0.1], role: [lab]}
	devices:
	  - name: analyser-1
	    segment: icu
	    mac: "02:00:00:92:00:11"
	    ip: [10.92.0.11]
	    starts: [{service: results, proto: tcp, port: [2575], peer: lab, app: hl7}]
	Y
}
listen() {
	at hos python3 -c '
import socket, threading
s = socket.create_server(("10.92.0.1", 2575))
def take(c):
    try:
        while c.recv(4096): pass
    except OSError: pass
while True: threading.Thread(target=take, args=(s.accept()[0],), daemon=True).start()' &
}
# say PORT TEXT: whether anything came back does not matter.
say() {
	at ana timeout 3 python3 -c '
import socket, sys, time
try:
    c = socket.create_connection(("10.92.0.1", int(sys.argv[1])), 1)
    c.sendall(sys.argv[2].encode())
    time.sleep(1)
except OSError: pass' "$1" "$2"
}
# files PATTERN: of evidence whose comments say so.
files() {
	local f
	for f in "$dir"/state/evidence/*.pcapng; do
		tshark -r "$f" -Tfields -e frame.comment 2>/dev/null | grep -q -- "$1" && echo "$f"
	done
}
has_file() { [ -n "$(files "$1")" ]; }
open_ports() { at gw ip link set w0 up && at gw ip link set h0 up; }
stop() { kill "$parent"; wait "$parent" 2>/dev/null; parent=; }

make_ward ana || skip_all "evidence end to end: no network namespaces here"
machine ana 02:00:00:92:00:11 10.92.0.11/24
machine hos 02:00:00:92:00:01 10.92.0.1/24
open_ports
at ana ip neigh replace 10.92.0.1 lladdr 02:00:00:92:00:01 dev e0 nud permanent
at hos ip neigh replace 10.92.0.11 lladdr 02:00:00:92:00:11 dev e0 nud permanent
listen

policy "evidence: on"
start
ms=$(until_ms 20000 guarding)
within "$ms" 20000 || { not "the gateway guards"; tail -5 "$dir/log"; exit 1; }
say 2575 "GET / HTTP/1.0

"
say 23 "root"
ms=$(until_ms 25000 has_file policy.wrong_protocol)
if within "$ms" 25000; then ok "a conversation that was blocked left evidence"
else not "a conversation that was blocked left evidence"; ls -la "$dir/state" "$dir/state/evidence"; tail -5 "$dir/log"; fi
file=$(files policy.wrong_protocol | head -1)
check "the handshake before it is there" \
	test "$(tshark -r "$file" -Y tcp.flags.syn==1 2>/dev/null | wc -l)" -ge 2
check "what was said is there, and what became of it" sh -c \
	"tshark -r '$file' -Y 'frame contains \"GET /\"' -Tfields -e frame.comment -e frame.interface_name | grep -q 'dropped: policy.wrong_protocol.*w0'"
check "capinfos finds nothing wrong" capinfos "$file"
check "it is the keeper's alone" test "$(stat -c %a "$file")" = 600
flow=${file##*-}
check "its name ends in the conversation's id" sh -c \
	"timeout 5 '$bw' events --all --json --socket '$dir/run/control' | grep -q '\"flow_id\": *${flow%.pcapng},'"
check "an event says where it is" sh -c \
	"timeout 5 '$bw' events --all --json --socket '$dir/run/control' | grep -q '\"file\": *\"${file##*/}\"'"
ms=$(until_ms 25000 has_file policy.not_allowed)
if within "$ms" 25000; then ok "a connection that nobody allowed left evidence"
else not "a connection that nobody allowed left evidence"; fi
say 2575 "GET / HTTP/1.0

"
stop
check "what was begun is written when the gateway ends" test "$(files policy.wrong_protocol | wc -l)" = 2

policy "evidence: off"
before=$(ls "$dir/state/evidence" | wc -l)
start
until_ms 20000 guarding >/dev/null
say 2575 "GET / HTTP/1.0

"
check "turned off, the reason is told all the same" has_event policy.wrong_protocol
stop
check "and nothing is kept" test "$(ls "$dir/state/evidence" | wc -l)" = "$before"

# 40 MB are less than what evidence leaves to others.
mkdir -p "$dir/small" && mount -t tmpfs -o size=40m none "$dir/small" && chmod 755 "$dir/small"
policy "evidence: on, state_dir: $dir/small/state"
sed -i "s|state_dir: $dir/state, ||" "$dir/bw.yaml"
start
until_ms 20000 guarding >/dev/null
say 2575 "GET / HTTP/1.0

"
ms=$(until_ms 25000 has_event gateway.evidence_lost)
if within "$ms" 25000; then ok "a disk that is nearly full: told, and not filled"
else not "a disk that is nearly full: told, and not filled"; tail -5 "$dir/log"; fi
check "events go on" has_event policy.wrong_protocol
check "and the gateway guards" guarding
stop
umount "$dir/small"
exit $failed
