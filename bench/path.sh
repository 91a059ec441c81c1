#!/usr/bin/env bash
# The packet's way through the gateway, against a plain Linux bridge between the
# same kind of namespaces, in one run: packets per second for `pass` and for
# `inspect`, latency at 1,000 packets/s, what a killed, stopped and restarted
# guard costs. Segmentation offloads are off on every port.
#
#   bench/path.sh [BUILD_DIR] [SECONDS]      as root; prints rows of a table
set -euo pipefail
build=$(realpath "${1:-build}")
seconds=${2:-2}
load=$build/bench/bench-load
tmp=$(mktemp -d)
chmod 755 "$tmp" # the keeper is not root
p=bwp$$ # prefix of namespaces
run_pid=

cleanup() {
	[ -z "$run_pid" ] || { kill "$run_pid" 2>/dev/null; wait "$run_pid" 2>/dev/null || true; }
	for n in c g s d b t; do ip netns del "$p-$n" 2>/dev/null || true; done
	umount "$tmp/bpf" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT

# Up, without offloads; what stays on all the same is noted, for a row of its own.
quiet_port() { # NAMESPACE PORT
	local o left
	for o in tso gso gro tx; do
		ip netns exec "$1" ethtool -K "$2" $o off >/dev/null 2>&1 || true
	done
	left=$(ip netns exec "$1" ethtool -k "$2" 2>&1) || left="(ethtool cannot tell): on"
	left=$(sed -n 's/^\(tcp-segm.*\|generic-.*\|tx-checksumming\|(.*\): on.*/\1/p' <<<"$left" | paste -sd ' ')
	[ -z "$left" ] || echo "${1#"$p-"}:$2 $left" >>"$tmp/offloads"
	ip -n "$1" link set "$2" up
}

# pair CLIENT MIDDLE SERVER: client's c0 - m0, m1 - server's s0
pair() {
	local n
	for n in "$@"; do
		ip netns add "$n"
		ip netns exec "$n" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
		ip -n "$n" link set lo up
	done
	ip link add c0 netns "$1" address 02:00:00:00:01:01 type veth peer name m0 netns "$2"
	ip link add s0 netns "$3" address 02:00:00:00:00:05 type veth peer name m1 netns "$2"
	ip -n "$1" addr add 10.1.1.1/16 dev c0
	ip -n "$3" addr add 10.1.0.5/16 dev s0
	quiet_port "$1" c0; quiet_port "$3" s0; quiet_port "$2" m0; quiet_port "$2" m1
	for n in 5 6; do ip -n "$1" neigh replace 10.1.0.$n lladdr 02:00:00:00:00:05 dev c0; done
	ip -n "$3" neigh replace 10.1.1.1 lladdr 02:00:00:00:01:01 dev s0
}

field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" <<<"$2"; }

# measure CLIENT SERVER PORT PPS SECONDS [CHECK]: the receiver's account
measure() {
	local out=$tmp/recv.$3
	ip netns exec "$2" "$load" recv "$3" "$5" >"$out" &
	local r=$!
	sleep 0.2
	ip netns exec "$1" "$load" send 10.1.0.5 "$3" "$4" "$5" 64 >"$tmp/send"
	sleep 0.1
	kill "$r" 2>/dev/null || true
	wait "$r" || true
	cat "$out"
}

# write_policy FAIL: with `closed` nothing passes that was not inspected, so that no count of
# inspected packets can flatter; with `open` nothing may be lost.
write_policy() {
	cat >"$tmp/bedwarden.yaml" <<EOF
gateway: {name: bench, flows: 1100000, state_dir: $tmp/state, run_dir: $tmp/run, bpf_dir: $tmp/bpf, capture: ${CAPTURE:-auto}}
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
	mkdir -p "$tmp/bpf" "$tmp/run" "$tmp/state"
	mountpoint -q "$tmp/bpf" || mount -t bpf bpf "$tmp/bpf"
	nsenter --net="/run/netns/$p-g" "$build/bedwarden" run -c "$tmp/bedwarden.yaml" >"$tmp/log" 2>&1 &
	run_pid=$!
	for _ in $(seq 100); do
		grep -q 'guarding' "$tmp/log" && return
		sleep 0.1
	done
	cat "$tmp/log" >&2
	echo "path: the gateway did not come up" >&2
	exit 1
}

guard_pid() { pgrep -P "$run_pid" -f _guard; }

pair "$p-c" "$p-g" "$p-s"
pair "$p-d" "$p-b" "$p-t"
ip -n "$p-b" link add br0 type bridge
ip -n "$p-b" link set m0 master br0
ip -n "$p-b" link set m1 master br0
ip -n "$p-b" link set br0 up
write_policy closed
start_gateway

best() { sort -g | tail -1; }
median() { sort -g | sed -n "$(((${ROUNDS:-3} + 1) / 2))p"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }'; }
minus() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", a - b }'; }

row() { printf '| %s | %s | %s |\n' "$@"; }

[ ! -s "$tmp/offloads" ] ||
	row "**the rows below are not comparable**: offloads that could not be switched off" "$(paste -sd ';' "$tmp/offloads")" "none"

for _ in $(seq "${ROUNDS:-3}"); do
	field pps "$(measure "$p-d" "$p-t" 5000 0 "$seconds")" >>"$tmp/bridge"
	field pps "$(measure "$p-c" "$p-s" 5001 0 "$seconds")" >>"$tmp/pass"
	field pps "$(measure "$p-c" "$p-s" 5002 0 "$seconds")" >>"$tmp/inspect"
done
bridge=$(best <"$tmp/bridge") pass=$(best <"$tmp/pass") inspect=$(best <"$tmp/inspect")
row "packets/s through \`pass\`, against a plain Linux bridge ($bridge)" "$pass, $(ratio "$pass" "$bridge")x" ">= 0.95x"
row "packets/s through \`inspect\`, against the same bridge" "$inspect, $(ratio "$inspect" "$bridge")x" ">= 0.5x"

# A million conversations alive, against a thousand: the same packets in random order. What the
# guard spends on one, for the sender may be what is slow; the same through `pass`, for the kernel
# may be, and over the bridge, which has no memory of any. Nobody has 10.1.0.6: an answer that no
# port is there would be most of the work.
many() { # WAY CLIENT SERVER PORT FLOWS
	local r g from to
	ip netns exec "$2" "$load" many 10.1.1.1 10.1.0.6 "$4" 100000 0 "$5" >/dev/null
	g=$(guard_pid)
	ip netns exec "$3" "$load" recv any "$seconds" >"$tmp/recv.many" &
	r=$!
	sleep 0.2
	from=$(awk '{ print $14 + $15 }' "/proc/$g/stat")
	ip netns exec "$2" "$load" many 10.1.1.1 10.1.0.6 "$4" 0 "$seconds" "$5" >"$tmp/send"
	to=$(awk '{ print $14 + $15 }' "/proc/$g/stat")
	sleep 0.1
	kill "$r" 2>/dev/null || true
	wait "$r" || true
	field pps "$(cat "$tmp/recv.many")" >>"$tmp/$1.$5"
	awk -v t="$((to - from))" -v n="$(field sent "$(cat "$tmp/send")")" 'BEGIN { printf "%.0f\n", t * 1e7 / n }' >>"$tmp/spent.$1.$5"
}
few_and_many() { # WAY CLIENT SERVER PORT
	local f
	for _ in $(seq "${ROUNDS:-3}"); do for f in 1000 1000000; do many "$@" $f; done; done
}
few_and_many many "$p-c" "$p-s" 30000
# Of a conversation's first sixteen packets more is read: who speaks, and what.
for _ in $(seq 17); do ip netns exec "$p-c" "$load" many 10.1.1.1 10.1.0.6 30000 0 0 1000000 >/dev/null; done
few_and_many known "$p-c" "$p-s" 30000
few_and_many unseen "$p-c" "$p-s" 31000
few_and_many bridged "$p-d" "$p-t" 30000
for way in "many, few packets of each so far" "known, all of them identified"; do
	w=${way%%,*}
	row "packets/s through \`inspect\` with 1 million flows alive${way#"$w"}, against 1,000 ($(best <"$tmp/$w.1000"))" \
		"$(best <"$tmp/$w.1000000"), $(ratio "$(best <"$tmp/$w.1000000")" "$(best <"$tmp/$w.1000")")x" ">= 0.90x"
	row "what the guard spends on each of them, against 1,000 flows ($(median <"$tmp/spent.$w.1000") ns)" \
		"$(median <"$tmp/spent.$w.1000000") ns, $(ratio "$(median <"$tmp/spent.$w.1000000")" "$(median <"$tmp/spent.$w.1000")")x" "<= 1.10x"
done
for way in "unseen \`pass\`, the kernel alone" "bridged the plain bridge: sender and receiver alone"; do
	w=${way%% *}
	row "the same through ${way#* } ($(best <"$tmp/$w.1000"))" \
		"$(best <"$tmp/$w.1000000"), $(ratio "$(best <"$tmp/$w.1000000")" "$(best <"$tmp/$w.1000")")x" "-"
done

for _ in $(seq "${ROUNDS:-3}"); do
	for way in "bridge $p-d $p-t 5000" "pass $p-c $p-s 5001" "inspect $p-c $p-s 5002"; do
		# shellcheck disable=SC2086
		set -- $way
		r=$(measure "$2" "$3" "$4" 1000 "$seconds")
		field us_median "$r" >>"$tmp/median.$1"
		field us_p99 "$r" >>"$tmp/p99.$1"
	done
done
bm=$(median <"$tmp/median.bridge") bq=$(median <"$tmp/p99.bridge")
for way in pass inspect; do
	m=$(median <"$tmp/median.$way") q=$(median <"$tmp/p99.$way")
	row "latency added by \`$way\` at 1,000 packets/s, median and p99 (bridge: $bm and $bq us)" \
		"$(minus "$m" "$bm") us and $(minus "$q" "$bq") us" "<= 30 us and <= 150 us"
done

class() { # FAIL: the device's from here on
	class=$1
	write_policy "$class"
	kill -HUP "$run_pid"
	sleep 1
}
trouble() { # NAME MUST COMMAND...
	local name=$1 must=$2 m r
	shift 2
	measure "$p-c" "$p-s" 5002 5000 4 >"$tmp/trouble" &
	m=$!
	sleep 1.5
	"$@"
	wait $m
	r=$(cat "$tmp/trouble")
	row "$class-class device at 5,000 packets/s, $name" "$(field lost "$r") of $(($(field lost "$r") + $(field received "$r"))) lost, longest gap $(field gap_ms "$r") ms" "$must"
}
kill_guard() { kill -9 "$(guard_pid)"; }
kill_keeper() { kill -9 "$(pgrep -P "$run_pid" -f _keeper)"; }
stop_guard() { local g; g=$(guard_pid); kill -STOP "$g"; sleep 1.5; kill -CONT "$g"; }
reload() { kill -HUP "$run_pid"; }
kill_parent() { kill -9 "$run_pid"; wait "$run_pid" 2>/dev/null || true; start_gateway; }
replace_guard() { # by a policy that takes another one
	local g; g=$(guard_pid)
	sed -i 's/flows: [0-9]*/flows: 50000/' "$tmp/bedwarden.yaml"
	kill -HUP "$run_pid"
	while [ "$(guard_pid)" = "$g" ] || [ -z "$(guard_pid)" ]; do sleep 0.02; done
}
restart() { kill "$run_pid"; wait "$run_pid" 2>/dev/null || true; start_gateway; }
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
