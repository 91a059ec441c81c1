#!/usr/bin/env bash
# The README's "In front of a real device", word by word: the example as it is shipped watches a
# ward, `policy learn` proposes, the proposal rehearses, then it is enforced.
# usage: test/e2e/first.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwy1$$
spaces="gw sw pump hos"
. "$(dirname "$self")/lib.sh"

# The paths are those of an installed gateway, so they are this mount namespace's own.
unshare -m true 2>/dev/null || skip_all "the first day: no mount namespaces here"
inside "the first day" -m
own_names || skip_all "the first day: nothing may be mounted here"
workdir ""
mkdir -p /etc/bedwarden
mount -t tmpfs none /etc/bedwarden && mount -t tmpfs none /var/lib && mkdir -p /run/bedwarden /var/lib/bedwarden || exit 1
make_spaces || skip_all "the first day: no network namespaces here"
at sw ip link add name sw0 type bridge mcast_snooping 0
at sw ip link set sw0 up
at sw ip link add name pump type veth peer name e0 netns "$id-pump"
at sw ip link add name uplink type veth peer name eth1 netns "$id-gw"
at sw ip link set pump master sw0 up
at sw ip link set uplink master sw0 up
at hos ip link add e0 type veth peer name eth0 netns "$id-gw"
machine pump 00:03:b1:01:02:04 10.1.1.13/16
machine hos 02:00:00:01:00:08 10.1.0.8/16
yaml=/etc/bedwarden/bedwarden.yaml

# What the README says is what is done here.
says() { check "the README says: $1" grep -qF -- "$1" README.md; }
says "sudo cp /usr/share/doc/bedwarden/examples/bedwarden.yaml $yaml"
says "sudo bedwarden policy check $yaml"
says "sudo bedwarden policy learn -o proposal.yaml"
says "sudo bedwarden policy apply"
says "sudo bedwarden user add NAME --first"

cp packaging/bedwarden.yaml.example $yaml
check "the example is good" "$bw" policy check $yaml
ip netns exec "$id-gw" "$bw" supervise >>"$dir/log" 2>&1 &
parent=$!
ask() { local cmd=$1; shift; timeout 20 "$bw" "$cmd" "$@"; }
status() { timeout 2 "$bw" status --json 2>/dev/null | sed 's/^ *//; s/": /":/g' | tr -d '\n'; }
[ "$(until_ms 20000 guarding)" -ge 0 ] || { not "it guards"; tail -20 "$dir/log"; exit 1; }
ok "it guards"

at hos python3 -c '
import socket, threading
def serve(port):
    s = socket.create_server(("", port))
    while True:
        c, _ = s.accept(); c.sendall(c.recv(100)); c.close()
for p in (2575, 9999): threading.Thread(target=serve, args=(p,)).start()' &
# talks PORT: it gets through, there and back.
talks() { at pump timeout 3 python3 -c '
import socket, sys
s = socket.create_connection(("10.1.0.8", int(sys.argv[1])), 2); s.sendall(b"x"); sys.exit(not s.recv(9))' "$1" 2>/dev/null; }
soon "watched, the pump talks to its server" talks 2575
check "and to anything else" talks 9999
seen() { ask devices --json | grep -q '00:03:b1:01:02:04'; }
soon "'devices' has seen it" seen

ask policy learn -o "$dir/proposal.yaml" >"$dir/said" 2>&1
check "'policy learn' proposes the pump" grep -q '00:03:b1:01:02:04' "$dir/proposal.yaml"
check "the proposal is good" "$bw" policy check "$dir/proposal.yaml"
sed -E '/starts:/d; s/#.*//' "$dir/proposal.yaml" | grep -vE '^\s*$' >"$dir/read"
# A person has read it, and knows the pump.
cat >$yaml <<Y
gateway: {name: gateway-1}
segments:
  - {name: ward, ward: eth1, hospital: eth0, mode: simulate, unknown_devices: block, binding: block}
hosts:
  - {name: pump-server, ip: [10.1.0.8], role: [pumps]}
devices:
  - name: pump-1
    segment: ward
    mac: "00:03:b1:01:02:04"
    ip: [10.1.1.13]
    starts:
      - {service: reports, proto: tcp, port: [2575], peer: pumps}
Y
check "the policy is put in force, rehearsing" ask policy apply
check "rehearsed, what is allowed passes" talks 2575
check "and what is not allowed, too" talks 9999
would() { ask events --all --json | sed 's/": /":/g' | grep -q '"would":"drop"'; }
soon "'events' shows what would have been blocked" would
sed -i 's/mode: simulate/mode: enforce/' $yaml
check "the policy is put in force, enforcing" ask policy apply
check "enforced, what is allowed passes" talks 2575
if talks 9999; then not "and nothing else"; else ok "and nothing else"; fi
has() { ask events --all --json | sed 's/": /":/g' | grep -q '"reason":"policy.not_allowed"'; }
soon "'events' says why" has

ask user add anna --first >"$dir/said" 2>&1
check "the first administrator gets a code to begin with" grep -qE '[0-9a-z]+-[0-9a-z]+' "$dir/said"
page() { at gw curl -sk --max-time 5 https://localhost:8443/ | grep -qi '<html'; }
soon "the console is at https://localhost:8443" page
[ $failed = 0 ] || { tail -20 "$dir/log"; cat "$dir/said"; }
exit $failed
