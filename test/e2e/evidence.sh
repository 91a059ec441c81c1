#!/usr/bin/env bash
# Evidence between real ports: a web request where only HL7 may be said, and a
# connection that nobody allowed, leave captures in the vault that tshark reads;
# the same with the keys locked; and a disk that is nearly full.
# usage: test/e2e/evidence.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwe$$
spaces="gw sw ana hos"
. "$(dirname "$self")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "evidence end to end: needs root for network namespaces"
command -v jq >/dev/null || skip_all "evidence end to end: needs jq"
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
vault() { local verb=$1; shift; timeout 20 "$bw" vault "$verb" "$dir/state/vault" "$@"; }
# files PATTERN: of evidence in the vault whose comments say so, taken out to look at.
files() {
	local f
	mkdir -p "$dir/out"
	vault get --class evidence -C "$dir/out" >/dev/null 2>&1
	for f in "$dir"/out/evidence/*.pcapng; do
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
else not "a conversation that was blocked left evidence"; ls -la "$dir/state" "$dir/state/vault"; tail -5 "$dir/log"; fi
file=$(files policy.wrong_protocol | head -1)
check "the handshake before it is there" \
	test "$(tshark -r "$file" -Y tcp.flags.syn==1 2>/dev/null | wc -l)" -ge 2
check "what was said is there, and what became of it" sh -c \
	"tshark -r '$file' -Y 'frame contains \"GET /\"' -Tfields -e frame.comment -e frame.interface_name | grep -q 'dropped: policy.wrong_protocol.*w0'"
check "capinfos finds nothing wrong" capinfos "$file"
check "it never rested unsealed" test -z "$(ls "$dir/state/evidence")"
check "and what was said stands in no file of the gateway's" sh -c "! grep -raqF 'GET / HTTP/1.0' '$dir/state' '$dir/run'"
check "the vault's files are the keeper's" test "$(find "$dir/state/vault" ! -user "$(stat -c %U "$dir/state")" | wc -l)" = 0
check "status says that it is sealed" sh -c "timeout 5 '$bw' status --json --socket '$dir/run/control' | grep -q '\"evidence\": *\"sealed\"'"
flow=${file##*-}
check "its name ends in the conversation's id" sh -c \
	"timeout 5 '$bw' events --all --json --socket '$dir/run/control' | grep -q '\"flow_id\": *${flow%.pcapng},'"
check "an event says where it is" sh -c \
	"timeout 5 '$bw' events --all --json --socket '$dir/run/control' | grep -q '\"file\": *\"evidence/${file##*/}\"'"
check "a person reads it there, too" sh -c \
	"timeout 5 '$bw' events --all --socket '$dir/run/control' | grep -q 'evidence/${file##*/}'"
check "the vault is read and written beside the gateway" sh -c \
	"'$bw' vault put '$dir/state/vault' '$dir/bw.yaml' && '$bw' vault fsck '$dir/state/vault' --content"
ms=$(until_ms 25000 has_file policy.not_allowed)
if within "$ms" 25000; then ok "a connection that nobody allowed left evidence"
else not "a connection that nobody allowed left evidence"; fi
say 2575 "GET / HTTP/1.0

"
stop
check "what was begun is written when the gateway ends" test "$(files policy.wrong_protocol | wc -l)" = 2

# Without its key the vault stays closed: files as ever, and said so; with it they move in.
mv "$dir/state/vault/trial.key" "$dir/"
start
until_ms 20000 guarding >/dev/null
say 2575 "GET /without HTTP/1.0

"
plain() { [ -n "$(ls "$dir/state/evidence")" ]; }
ms=$(until_ms 25000 plain)
if within "$ms" 25000; then ok "with its keys locked the gateway keeps evidence as files"
else not "with its keys locked the gateway keeps evidence as files"; tail -5 "$dir/log"; fi
check "which are the keeper's alone" test "$(stat -c %a "$dir"/state/evidence/*.pcapng | sort -u)" = 600
check "and says so" sh -c "timeout 5 '$bw' status --socket '$dir/run/control' | grep -q 'unsealed'"
stop
mv "$dir/trial.key" "$dir/state/vault/"
start
until_ms 20000 guarding >/dev/null
sealed() { ! plain; }
ms=$(until_ms 10000 sealed)
if within "$ms" 10000; then ok "unlocked again, the vault takes the files in"
else not "unlocked again, the vault takes the files in"; tail -5 "$dir/log"; fi
files without >/dev/null
check "all of them" grep -qaF 'GET /without' -r "$dir/out/evidence"
stop

policy "evidence: off"
before=$(vault ls --class evidence --json | jq length)
start
until_ms 20000 guarding >/dev/null
say 2575 "GET / HTTP/1.0

"
check "turned off, the reason is told all the same" has_event policy.wrong_protocol
stop
check "and nothing is kept" test "$(vault ls --class evidence --json | jq length)" = "$before"

# 40 MB are less than what evidence leaves to others.
mkdir -p "$dir/small" && mount -t tmpfs -o size=40m none "$dir/small" && chmod 755 "$dir/small"
policy "evidence: on, state_dir: $dir/small/state"
sed -i "s|state_dir: $dir/state, ||" "$dir/bw.yaml"
start
until_ms 20000 guarding >/dev/null
say 2575 "GET / HTTP/1.0

"
ms=$(until_ms 25000 has_event gateway.vault_stuck)
if within "$ms" 25000; then ok "a disk that is nearly full: told, and not filled"
else not "a disk that is nearly full: told, and not filled"; tail -5 "$dir/log"; fi
mount -o remount,size=400m "$dir/small"
ms=$(until_ms 10000 has_event gateway.vault_freed)
if within "$ms" 10000; then ok "with room again, what waited is sealed"
else not "with room again, what waited is sealed"; fi
check "and said to be" sh -c "timeout 5 '$bw' events --all --socket '$dir/run/control' | grep -q 'evidence was sealed'"
check "events go on" has_event policy.wrong_protocol
check "and the gateway guards" guarding
stop
umount "$dir/small"
exit $failed
