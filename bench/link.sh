#!/usr/bin/env bash
# link.sh [BUILD]: the sealed link against wireguard-go, as Debian packages it, in turns in one run:
# two gateways between two hosts, in namespaces, a program on each gateway, the one on processor 0,
# the other on 1. CPU is that of the program itself (schedstat of its threads). COALESCE is
# link.coalesce_us; 0: each frame is taken at once. As root.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
. bench/lib.sh
. test/e2e/lib.sh
build=$(realpath "${1:-build}")
seconds=${SECONDS_EACH:-4}
needs_tools link "wireguard-go, wireguard-tools, iperf3" wireguard-go wg iperf3
load=$build/bench/bench-load
id=bwl$$
spaces="a ga gb b"
pids=()
workdir
trap 'set +e; cleanup; rm -f /var/run/wireguard/wg$$*.sock' EXIT
make_spaces
# Two ports each: one host's segment is 10.9.0 across the link; by routing it is 10.9.1 and 10.9.2.
ip link add d0 netns "$id-a" address 02:00:00:00:09:01 type veth peer name g0 netns "$id-ga"
ip link add w0 netns "$id-ga" type veth peer name w0 netns "$id-gb"
ip link add g0 netns "$id-gb" type veth peer name d0 netns "$id-b" address 02:00:00:00:09:02
ip -n "$id-ga" addr add 192.0.2.1/24 dev w0
ip -n "$id-gb" addr add 192.0.2.2/24 dev w0
for n in ga gb; do ip -n "$id-$n" link set w0 up; ip -n "$id-$n" link set g0 up; done
for n in a b; do ip -n "$id-$n" link set d0 up; done
ip -n "$id-a" addr add 10.9.0.1/24 dev d0
ip -n "$id-b" addr add 10.9.0.2/24 dev d0
ip -n "$id-a" addr add 10.9.1.2/24 dev d0
ip -n "$id-b" addr add 10.9.2.2/24 dev d0
ip -n "$id-ga" addr add 10.9.1.1/24 dev g0
ip -n "$id-gb" addr add 10.9.2.1/24 dev g0
ip -n "$id-a" route add 10.9.2.0/24 via 10.9.1.1 src 10.9.1.2
ip -n "$id-b" route add 10.9.1.0/24 via 10.9.2.1 src 10.9.2.2
for n in ga gb; do at $n sysctl -qw net.ipv4.ip_forward=1; done

cd "$dir" || exit 1
authority
certificate a.example
certificate b.example
for n in a b; do (umask 077; wg genkey >$n.wg); done

start_ours() {
	ip netns exec "$id-ga" taskset -c 0 "$build/bench/bench-link" g0 192.0.2.1:4754 192.0.2.2:4754 a.example b.example a.example.pem a.example.key ca.pem "${COALESCE:-800}" >ours.a 2>ours.log & pids=($!)
	ip netns exec "$id-gb" taskset -c 1 "$build/bench/bench-link" g0 192.0.2.2:4754 - b.example a.example b.example.pem b.example.key ca.pem "${COALESCE:-800}" >ours.b 2>&1 & pids+=($!)
	to=10.9.0.2
}
start_wireguard() {
	LOG_LEVEL=error WG_PROCESS_FOREGROUND=1 ip netns exec "$id-ga" taskset -c 0 wireguard-go -f wg$$a >wg.log 2>&1 & pids=($!)
	LOG_LEVEL=error WG_PROCESS_FOREGROUND=1 ip netns exec "$id-gb" taskset -c 1 wireguard-go -f wg$$b >>wg.log 2>&1 & pids+=($!)
	for _ in $(seq 50); do [ -S /var/run/wireguard/wg$$a.sock ] && [ -S /var/run/wireguard/wg$$b.sock ] && break; sleep 0.1; done
	at ga wg set wg$$a private-key a.wg listen-port 4755 peer "$(wg pubkey <b.wg)" endpoint 192.0.2.2:4755 allowed-ips 10.9.2.0/24
	at gb wg set wg$$b private-key b.wg listen-port 4755 peer "$(wg pubkey <a.wg)" endpoint 192.0.2.1:4755 allowed-ips 10.9.1.0/24
	ip -n "$id-ga" link set wg$$a up mtu 1420
	ip -n "$id-gb" link set wg$$b up mtu 1420
	ip -n "$id-ga" route add 10.9.2.2 dev wg$$a
	ip -n "$id-gb" route add 10.9.1.2 dev wg$$b
	to=10.9.2.2
}
stop() {
	kill "${pids[@]}" 2>/dev/null || true
	wait "${pids[@]}" 2>/dev/null || true
	pids=()
}
# stream PPS SIZE: CPU of the dearer side for each datagram that arrived, in ns, and the share that did not
stream() {
	local before_a before_b sent got
	ip netns exec "$id-b" "$load" recv 7000 "$seconds" >recv.out & local r=$!
	sleep 0.3
	before_a=$(spent "${pids[0]}") before_b=$(spent "${pids[1]}")
	at a "$load" send "$to" 7000 "$1" "$seconds" "$2" >send.out
	sleep 0.3
	kill $r 2>/dev/null || true
	wait $r || true
	cost_a=$(($(spent "${pids[0]}") - before_a)) cost_b=$(($(spent "${pids[1]}") - before_b))
	[ -z "${VERBOSE:-}" ] || cat recv.out send.out >&2
	sent=$(field sent send.out) got=$(field received recv.out)
	awk -v a=$cost_a -v b=$cost_b -v s="$sent" -v g="${got:-0}" 'BEGIN { n = g ? g : 1; a /= n; b /= n; printf "%.0f %.6f\n", (a > b ? a : b), 1 - g / s }'
}
tcp() {
	ip netns exec "$id-b" iperf3 -s -1 >/dev/null & local s=$!
	sleep 0.3
	at a iperf3 -c "$to" -t "$seconds" -J >tcp.json || true
	wait $s || true
	python3 -c 'import json; print("%.0f" % (json.load(open("tcp.json"))["end"]["sum_received"]["bits_per_second"] / 1e6))'
}
for _ in $(seq "${ROUNDS:-2}"); do
	for who in wireguard ours; do
		start_$who
		for _ in $(seq 100); do at a ping -c1 -W0.2 $to >/dev/null 2>&1 && break; sleep 0.1; done
		stream 62500 300 >>$who.full
		stream 10000 300 >>$who.some
		field us_median recv.out >>$who.gathered
		stream 1000 300 >>$who.few
		field us_median recv.out >>$who.latency
		tcp >>$who.tcp
		stop
	done
	[ -z "${VERBOSE:-}" ] || cat ours.log ours.a ours.b >&2
done
lost() { column "$1.full" 2 | least | awk '{ printf "%.3f %%", $1 * 100 }'; }
rival() { against "link: $1" wireguard-go "${@:2}"; } # WHAT OURS THEIRS PER UNIT MUST
rival "300-byte datagrams, 150 Mbit/s, CPU of each that arrives" "$(column ours.full 1 | least)" "$(column wireguard.full 1 | least)" 1000 us "-"
row "link: 150 Mbit/s of 300-byte datagrams, lost, against wireguard-go ($(lost wireguard))" "$(lost ours)" none
rival "300-byte datagrams, 10,000 a second, CPU each, dearer side" "$(column ours.some 1 | least)" "$(column wireguard.some 1 | least)" 1000 us "<= 0.25x"
rival "their median latency, frames being gathered" "$(least ours.gathered)" "$(least wireguard.gathered)" 1 us "-"
rival "one TCP stream" "$(most ours.tcp)" "$(most wireguard.tcp)" 1 Mbit/s ">= 4x"
rival "median latency at 1,000 a second" "$(least ours.latency)" "$(least wireguard.latency)" 1 us "<= 0.5x"
