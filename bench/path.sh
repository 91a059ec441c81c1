#!/usr/bin/env bash
# The packet's way through the gateway, against a plain Linux bridge between the
# same kind of namespaces, in one run: packets per second for `pass` and for
# `inspect`, latency at 1,000 packets/s, what a killed, stopped and restarted
# guard costs. Segmentation offloads are off on every port.
#
#   bench/path.sh [BUILD_DIR] [SECONDS]      as root; prints rows of a table
set -euo pipefail
build=$(realpath "${1:-build}")
cd "$(dirname "$0")/.." || exit 1
. bench/lib.sh
. test/e2e/lib.sh
seconds=${2:-2}
load=$build/bench/bench-load
id=bwp$$
spaces="c g s d b t"
workdir
trap 'set +e; cleanup' EXIT
make_spaces

# Up, without offloads; what stays on all the same is noted, for a row of its own.
quiet_port() { # NAMESPACE PORT
	local o left
	for o in tso gso gro tx; do
		at "$1" ethtool -K "$2" $o off >/dev/null 2>&1 || true
	done
	left=$(at "$1" ethtool -k "$2" 2>&1) || left="(ethtool cannot tell): on"
	left=$(sed -n 's/^\(tcp-segm.*\|generic-.*\|tx-checksumming\|(.*\): on.*/\1/p' <<<"$left" | paste -sd ' ')
	[ -z "$left" ] || echo "$1:$2 $left" >>"$dir/offloads"
	ip -n "$id-$1" link set "$2" up
}

# pair CLIENT MIDDLE SERVER: client's c0 - m0, m1 - server's s0
pair() {
	local n
	ip link add c0 netns "$id-$1" address 02:00:00:00:01:01 type veth peer name m0 netns "$id-$2"
	ip link add s0 netns "$id-$3" address 02:00:00:00:00:05 type veth peer name m1 netns "$id-$2"
	ip -n "$id-$1" addr add 10.1.1.1/16 dev c0
	ip -n "$id-$3" addr add 10.1.0.5/16 dev s0
	quiet_port "$1" c0; quiet_port "$3" s0; quiet_port "$2" m0; quiet_port "$2" m1
	for n in 5 6; do ip -n "$id-$1" neigh replace 10.1.0.$n lladdr 02:00:00:00:00:05 dev c0; done
	ip -n "$id-$3" neigh replace 10.1.1.1 lladdr 02:00:00:00:01:01 dev s0
}

# measure CLIENT SERVER PORT PPS SECONDS [CHECK]: the receiver's account
measure() {
	local out=$dir/recv.$3
	ip netns exec "$id-$2" "$load" recv "$3" "$5" >"$out" &
	local r=$!
	sleep 0.2
	at "$1" "$load" send 10.1.0.5 "$3" "$4" "$5" 64 >"$dir/send"
	sleep 0.1
	kill "$r" 2>/dev/null || true
	wait "$r" || true
	cat "$out"
}

# write_policy FAIL: with `closed` nothing passes that was not inspected, so that no count of
# inspected packets can flatter; with `open` nothing may be lost.
write_policy() {
	cat >"$dir/bedwarden.yaml" <<EOF
gateway: {name: bench, flows: 1100000, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf, capture: ${CAPTURE:-auto}}
segments:
  - {name: icu, ward: m0, hospital: m1}
hosts:
  - {name: central, ip: [10.1.0.5, 10.1.0.6], role: [central]}
devices:
  - name: client
    segment: icu
    mac: '02:00:00:00:01:01'
    ip: [10.1.1.1]
    fail: $1
    starts:
      - {service: passed, proto: udp, port: [5001], peer: central, action: pass}
      - {service: inspected, proto: udp, port: [5002], peer: central, action: inspect}
      - {service: many, proto: udp, port: [30000-30999], peer: central, action: inspect}
      - {service: unseen, proto: udp, port: [31000-31999], peer: central, action: pass}
EOF
}

start_gateway() {
	mkdir -p "$dir/bpf" "$dir/run" "$dir/state"
	mountpoint -q "$dir/bpf" || mount -t bpf bpf "$dir/bpf"
	nsenter --net="/run/netns/$id-g" "$build/bedwarden" run -c "$dir/bedwarden.yaml" >"$dir/log" 2>&1 &
	parent=$!
	for _ in $(seq 100); do
		grep -q 'guarding' "$dir/log" && return
		sleep 0.1
	done
	cat "$dir/log" >&2
	echo "path: the gateway did not come up" >&2
	exit 1
}

pair c g s
pair d b t
ip -n "$id-b" link add br0 type bridge
ip -n "$id-b" link set m0 master br0
ip -n "$id-b" link set m1 master br0
ip -n "$id-b" link set br0 up
write_policy closed
start_gateway

minus() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", a - b }'; }

[ ! -s "$dir/offloads" ] ||
	row "**the rows below are not comparable**: offloads that could not be switched off" "$(paste -sd ';' "$dir/offloads")" "none"

for _ in $(seq "${ROUNDS:-3}"); do
	measure d t 5000 0 "$seconds" | field pps >>"$dir/bridge"
	measure c s 5001 0 "$seconds" | field pps >>"$dir/pass"
	measure c s 5002 0 "$seconds" | field pps >>"$dir/inspect"
done
bridge=$(most "$dir/bridge") pass=$(most "$dir/pass") inspect=$(most "$dir/inspect")
row "packets/s through \`pass\`, against a plain Linux bridge ($bridge)" "$pass, $(ratio "$pass" "$bridge")x" ">= 0.95x"
row "packets/s through \`inspect\`, against the same bridge" "$inspect, $(ratio "$inspect" "$bridge")x" ">= 0.5x"

# A million conversations alive, against a thousand: the same packets in random order. What the
# guard spends on one, for the sender may be what is slow; the same through `pass`, for the kernel
# may be, and over the bridge, which has no memory of any. Nobody has 10.1.0.6: an answer that no
# port is there would be most of the work.
many() { # WAY CLIENT SERVER PORT FLOWS
	local r g from to
	at "$2" "$load" many 10.1.1.1 10.1.0.6 "$4" 100000 0 "$5" >/dev/null
	g=$(pids _guard)
	ip netns exec "$id-$3" "$load" recv any "$seconds" >"$dir/recv.many" &
	r=$!
	sleep 0.2
	from=$(awk '{ print $14 + $15 }' "/proc/$g/stat")
	at "$2" "$load" many 10.1.1.1 10.1.0.6 "$4" 0 "$seconds" "$5" >"$dir/send"
	to=$(awk '{ print $14 + $15 }' "/proc/$g/stat")
	sleep 0.1
	kill "$r" 2>/dev/null || true
	wait "$r" || true
	field pps "$dir/recv.many" >>"$dir/$1.$5"
	awk -v t="$((to - from))" -v n="$(field sent "$dir/send")" 'BEGIN { printf "%.0f\n", t * 1e7 / n }' >>"$dir/spent.$1.$5"
}
few_and_many() { # WAY CLIENT SERVER PORT
	local f
	for _ in $(seq "${ROUNDS:-3}"); do for f in 1000 1000000; do many "$@" $f; done; done
}
few_and_many many c s 30000
# Of a conversation's first sixteen packets more is read: who speaks, and what.
for _ in $(seq 17); do at c "$load" many 10.1.1.1 10.1.0.6 30000 0 0 1000000 >/dev/null; done
few_and_many known c s 30000
few_and_many unseen c s 31000
few_and_many bridged d t 30000
for way in "many, few packets of each so far" "known, all of them identified"; do
	w=${way%%,*}
	row "packets/s through \`inspect\` with 1 million flows alive${way#"$w"}, against 1,000 ($(most "$dir/$w.1000"))" \
		"$(most "$dir/$w.1000000"), $(ratio "$(most "$dir/$w.1000000")" "$(most "$dir/$w.1000")")x" ">= 0.90x"
	row "what the guard spends on each of them, against 1,000 flows ($(median "$dir/spent.$w.1000") ns)" \
		"$(median "$dir/spent.$w.1000000") ns, $(ratio "$(median "$dir/spent.$w.1000000")" "$(median "$dir/spent.$w.1000")")x" "<= 1.10x"
done
for way in "unseen \`pass\`, the kernel alone" "bridged the plain bridge: sender and receiver alone"; do
	w=${way%% *}
	row "the same through ${way#* } ($(most "$dir/$w.1000"))" \
		"$(most "$dir/$w.1000000"), $(ratio "$(most "$dir/$w.1000000")" "$(most "$dir/$w.1000")")x" "-"
done

for _ in $(seq "${ROUNDS:-3}"); do
	for way in "bridge d t 5000" "pass c s 5001" "inspect c s 5002"; do
		# shellcheck disable=SC2086
		set -- $way
		measure "$2" "$3" "$4" 1000 "$seconds" >"$dir/late"
		field us_median "$dir/late" >>"$dir/median.$1"
		field us_p99 "$dir/late" >>"$dir/p99.$1"
	done
done
bm=$(median "$dir/median.bridge") bq=$(median "$dir/p99.bridge")
for way in pass inspect; do
	m=$(median "$dir/median.$way") q=$(median "$dir/p99.$way")
	row "latency added by \`$way\` at 1,000 packets/s, median and p99 (bridge: $bm and $bq us)" \
		"$(minus "$m" "$bm") us and $(minus "$q" "$bq") us" "<= 30 us and <= 150 us"
done

class() { # FAIL: the device's from here on
	class=$1
	write_policy "$class"
	kill -HUP "$parent"
	sleep 1
}
trouble() { # NAME MUST COMMAND...
	local name=$1 must=$2 m lost
	shift 2
	measure c s 5002 5000 4 >"$dir/trouble" &
	m=$!
	sleep 1.5
	"$@"
	wait $m
	lost=$(field lost "$dir/trouble")
	row "$class-class device at 5,000 packets/s, $name" "$lost of $((lost + $(field received "$dir/trouble"))) lost, longest gap $(field gap_ms "$dir/trouble") ms" "$must"
}
kill_guard() { kill -9 "$(pids _guard)"; }
kill_keeper() { kill -9 "$(pids _keeper)"; }
stop_guard() { local g; g=$(pids _guard); kill -STOP "$g"; sleep 1.5; kill -CONT "$g"; }
reload() { kill -HUP "$parent"; }
kill_parent() { kill -9 "$parent"; wait "$parent" 2>/dev/null || true; start_gateway; }
replace_guard() { # by a policy that takes another one
	local g; g=$(pids _guard)
	sed -i 's/flows: [0-9]*/flows: 50000/' "$dir/bedwarden.yaml"
	kill -HUP "$parent"
	while [ "$(pids _guard)" = "$g" ] || [ -z "$(pids _guard)" ]; do sleep 0.02; done
}
restart() { kill "$parent"; wait "$parent" 2>/dev/null || true; start_gateway; }
class open
trouble undisturbed "0 lost" true
trouble "guard killed (-9)" "<= 64 lost" kill_guard
trouble "keeper killed (-9)" "0 lost" kill_keeper
trouble "parent killed (-9) and started anew" "<= 64 lost" kill_parent
trouble "guard stopped for 1.5 s" "keeps flowing" stop_guard
trouble "policy changed" "0 lost" reload
trouble "gateway restarted" "0 lost" restart
class closed
trouble undisturbed "0 lost" true
trouble "policy changed" "0 lost" reload
trouble "guard replaced for a policy" "0 lost" replace_guard
trouble "gateway restarted" "0 lost" restart
