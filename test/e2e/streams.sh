#!/usr/bin/env bash
# A gateway between a machine that forges its TCP by hand and this kernel's own: conversations that a bad
# network cuts, swaps, doubles and loses arrive whole; a message that no rule allows arrives in none of
# those that send two texts for the same bytes by everything a receiver may drop or take otherwise.
# usage: test/e2e/streams.sh [BINARY]   SEED=N COUNT=N: others, and more, of them
set -uo pipefail
self=$(dirname "$(realpath "$0")")
bw=$(realpath "${1:-build/bedwarden}")
id=bws$$
spaces="gw mon hos"
. "$self/lib.sh"

what="streams against a kernel's own TCP"
[ "$(id -u)" = 0 ] || skip_all "$what: needs root for network namespaces"
needs "$what" python3 ethtool
count=${COUNT:-150} seed=${SEED:-1}

policy() {
	cat <<-Y
	gateway: {name: streams, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
	segments:
	  - {name: icu, ward: w0, hospital: h0, mode: $1}
	hosts:
	  - {name: lis-1, ip: [10.93.0.1], mac: "02:00:00:93:00:01", role: [lis]}
	devices:
	  - name: analyser-1
	    segment: icu
	    mac: "02:00:00:93:00:77"
	    ip: [10.93.0.77]
	    starts: [{service: results, proto: tcp, port: [2575], peer: lis, app: hl7, allow: ["message_type=ORU^*"]}]
	Y
}

plug() {
	local space
	make_line || return 1
	machine mon 02:00:00:93:00:77
	machine hos 02:00:00:93:00:01 10.93.0.1/24
	at hos ip neigh add 10.93.0.77 lladdr 02:00:00:93:00:77 dev e0 nud permanent
	for space in mon hos; do at $space ethtool -K e0 tso off gso off gro off tx off >/dev/null 2>&1; done
	at gw ip link set w0 up
	at gw ip link set h0 up
}

# play MODE COUNT PORT: into $dir/heard
play() {
	policy "$1" >"$dir/bw.yaml"
	start
	[ "$(until_ms 15000 guarding)" -ge 0 ] || { tail -5 "$dir/log"; not "it guards"; exit 1; }
	SEED=$seed timeout 250 "$self/streams.py" "$id" "$2" "$3" >"$dir/heard" || not "$1: it was played to the end"
	kill "$parent"
	wait "$parent"
	parent=
	whole=$(sed -n 's/^whole //p' "$dir/heard") came=$(sed -n 's/^came //p' "$dir/heard")
	arrived=$(grep -c '^forged' "$dir/heard")
	if [ "$whole" = "$2" ]; then
		ok "$1: $2 conversations arrived whole, cut, swapped, doubled and lost (seed $seed)"
	else
		not "$1: ${whole:-none} of $2 harmless conversations arrived whole (seed $seed)"
		grep '^harmless' "$dir/heard" | head -10
	fi
}

workdir
plug || skip_all "$what: no network namespaces here"
play observe $((count / 5)) 10000
if [ "$arrived" -gt 0 ]; then
	ok "observe: forbidden messages arrive in $arrived of $((count / 5)) conversations, as this kernel reads them"
else
	not "observe: no forbidden message arrives, so that nothing is tried by them"
fi
play enforce "$count" 20000
if [ "$arrived" = 0 ]; then
	ok "enforce: none of the forbidden messages of $count conversations arrived, ${came:-0} allowed ones did"
else
	not "enforce: a forbidden message arrived in $arrived of $count conversations (seed $seed)"
	grep '^forged' "$dir/heard" | head -10
fi
check "enforce: what was stopped is told" grep -q '"reason":"stream.conflict","verdict":{"action":"drop"}' "$dir/state/eve.json"
exit $failed
