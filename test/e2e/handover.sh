#!/usr/bin/env bash
# Connections of relays outlive the processes that carry them: the link's (SIGTERM, twice), the
# gateway's under its supervisor, the supervisor's own under a service manager that keeps its sockets
# (FDSTORE), and neither a new certificate nor a new policy touches them. Idle ones, half-closed ones, a
# message cut in its middle, and bytes on their way both ways, compared at the end.
# usage: test/e2e/handover.sh [BINARY]   IDLE=N: how many that say nothing (1000)
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwh$$ spaces=""
. "$(dirname "$self")/lib.sh"

inside handover -n -m -p -f --mount-proc
needs handover openssl python3
workdir
ip link set lo up
for i in w h; do ip link add ${i}0 type veth peer name ${i}1 && ip link set ${i}0 up && ip link set ${i}1 up; done
mkdir "$dir/updates"
cat >"$dir/bw.yaml" <<Y
gateway: {name: gw.ward.example, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf, capture: packet, eve_file: eve.json}
segments: [{name: icu, ward: w0, hospital: h0}]
console: {on: no}
pki: {names: [gw.ward.example, 127.0.0.1]}
relays:
  - {name: idle, listen: "127.0.0.1:7001", connect: "127.0.0.1:6001", tls: in, verify: server, connections: 12000}
  - {name: old, listen: "127.0.0.1:7002", connect: "127.0.0.1:6001", tls: in, verify: server, tls12: yes}
  - {name: out, listen: "127.0.0.1:7003", connect: "127.0.0.1:6003", tls: out, from: [127.0.0.1], names: [lis.example]}
  - {name: hl7, listen: "127.0.0.1:7004", connect: "127.0.0.1:6001", tls: in, verify: server, app: hl7, allow: ["message_type=ORU^*"]}
Y
cd "$dir" || exit 1
timeout 200 python3 "$OLDPWD/test/e2e/handover.py" "$bw" "$dir" "${IDLE:-1000}"
