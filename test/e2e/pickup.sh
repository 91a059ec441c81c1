#!/usr/bin/env bash
# The guard is killed amid conversations that a rule holds to messages: the next one picks each of them up,
# asks its receiver how far it is, and none of them ends or waits for long.
# usage: test/e2e/pickup.sh [BINARY]
set -uo pipefail
self=$(dirname "$(realpath "$0")")
bw=$(realpath "${1:-build/bedwarden}")
id=bwp$$
spaces="gw mon hos"
. "$self/lib.sh"

what="conversations picked up"
[ "$(id -u)" = 0 ] || skip_all "$what: needs root for network namespaces"
needs "$what" python3 ethtool

plug() {
	local space
	make_line || return 1
	machine mon 02:00:00:94:00:77 10.94.0.77/24
	machine hos 02:00:00:94:00:01 10.94.0.1/24
	for space in mon hos; do at $space ethtool -K e0 tso off gso off gro off tx off >/dev/null 2>&1; done
	at gw ip link set w0 up
	at gw ip link set h0 up
}

workdir
plug || skip_all "$what: no network namespaces here"
cat >"$dir/bw.yaml" <<-Y
gateway: {name: pickup, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
segments:
  - {name: icu, ward: w0, hospital: h0, mode: enforce}
hosts:
  - {name: lis-1, ip: [10.94.0.1], mac: "02:00:00:94:00:01", role: [lis]}
devices:
  - name: analyser-1
    segment: icu
    mac: "02:00:00:94:00:77"
    ip: [10.94.0.77]
    fail: open
    starts: [{service: results, proto: tcp, port: [2575], peer: lis, app: hl7, allow: ["message_type=ORU^*"]}]
Y
start
[ "$(until_ms 15000 guarding)" -ge 0 ] || { tail -5 "$dir/log"; not "it guards"; exit 1; }
at hos "$self/pickup.py" server >>"$dir/log" 2>&1 &
soon "somebody listens" at mon bash -c 'exec 3<>/dev/tcp/10.94.0.1/2575'

at mon "$self/pickup.py" client 8 >"$dir/heard" &
client=$!
sleep 2
victim=$(pids _guard | head -1)
kill -9 "$victim"
[ "$(until_ms 5000 another "$victim" _guard)" -ge 0 ] || not "another guard takes over"
wait "$client"
read -r _ slowest _ answers _ broken <"$dir/heard"
echo "# $(cat "$dir/heard")"
if [ "$broken" = 0 ] && [ "$answers" -gt 100 ]; then
	ok "every conversation outlived the guard ($answers answers)"
else
	not "$broken of 8 conversations did not outlive the guard ($answers answers)"
fi
if within "$slowest" 2000; then ok "the slowest answer came after $slowest ms"; else not "the slowest answer came after $slowest ms (at most 2000)"; fi
soon "that they were picked up is told" has_event stream.picked_up

in_force() { status | grep -q "\"generation\":$1[,}]"; }
# A device that fails closed: what the guard died amid does not arrive, and what was between two messages goes on.
sed -i 's/fail: open/fail: closed/' "$dir/bw.yaml"
kill -HUP "$parent"
soon "the device fails closed" in_force 2
mkfifo "$dir/go"
at mon "$self/pickup.py" amid <"$dir/go" >"$dir/amid" 2>>"$dir/log" &
client=$!
exec 7>"$dir/go"
soon "half an order went on" grep -q half "$dir/amid"
victim=$(pids _guard | head -1)
kill -9 "$victim"
[ "$(until_ms 5000 another "$victim" _guard)" -ge 0 ] || not "another guard takes over again"
echo >&7
exec 7>&-
if wait "$client" && grep -qx reset "$dir/amid"; then
	ok "the rest of an order did not arrive, and results went on"
else
	not "of an order and of results: $(tail -1 "$dir/amid"); $(tail -1 "$dir/log")"
fi
exit $failed
