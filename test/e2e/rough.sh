#!/usr/bin/env bash
# A gateway between two bad wires, which lose, double and swap packets: long conversations arrive whole, and of
# the device that holds them nothing false is told. How long each took, it and a bridge in its place, is printed.
# usage: test/e2e/rough.sh [BINARY]   ROUGH="LOSS DOUBLED LATE": how bad, as shares of one
set -uo pipefail
self=$(dirname "$(realpath "$0")")
bw=$(realpath "${1:-build/bedwarden}")
id=bwr$$
spaces="gw mon hos"
. "$self/lib.sh"

what="bad wires"
[ "$(id -u)" = 0 ] || skip_all "$what: needs root for network namespaces"
[ -c /dev/net/tun ] || skip_all "$what: there is no /dev/net/tun"
needs "$what" python3 ethtool

policy() {
	cat <<-Y
	gateway: {name: rough, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
	segments:
	  - {name: icu, ward: w0, hospital: h0, mode: enforce}
	hosts:
	  - {name: lis-1, ip: [10.93.0.1], mac: "02:00:00:93:00:01", role: [lis]}
	devices:
	  - name: analyser-1
	    segment: icu
	    mac: "02:00:00:93:00:77"
	    ip: [10.93.0.77]
	    starts:
	      - {service: results, proto: tcp, port: [2575], peer: lis, app: hl7, allow: ["message_type=ORU^*"]}
	      - {service: registers, proto: tcp, port: [502], peer: lis, app: modbus, control: no}
	      - {service: topics, proto: tcp, port: [1883], peer: lis, app: mqtt, allow: ["publish.topic=ward/*"]}
	Y
}

# plug SPACE PORT MAC ADDRESS: a machine whose port is a bad wire's end.
plug() {
	at "$1" ip link add v0 type veth peer name "$2" netns "$id-gw"
	at "$1" ip link set v0 up
	at "$1" ethtool -K v0 tso off gso off gro off tx off >/dev/null 2>&1
	at gw ip link set "$2" up
	"$self/rough.py" wire "$id-$1" "$1" >"$dir/wire-$1" &
	disown # its end is not told
	until grep -qs up "$dir/wire-$1"; do sleep 0.05; done
	machine "$1" "$3" "$4"
}

# play NAME: into $dir/NAME
play() {
	rm -f "$dir/got" # or what the last one said is taken for this one's
	"$self/rough.py" serve "$id-hos" >"$dir/got" &
	until grep -qs up "$dir/got"; do sleep 0.05; done
	timeout 200 "$self/rough.py" talk "$id-mon" 10.93.0.1 >"$dir/$1"
	kill $!
	wait $!
	echo "# $1: $(sed -n 's/^took //p; /^broke/p' "$dir/$1" | paste -sd' ')"
	if ! grep -q ^broke "$dir/$1" && cmp -s <(grep '^[0-9]' "$dir/$1" | sort) <(grep '^[0-9]' "$dir/got" | sort); then
		ok "$1: all that was said arrived"
	else
		not "$1: not all that was said arrived"
	fi
}

workdir ""
make_spaces || skip_all "$what: no network namespaces here"
mkdir "$dir/bpf"
mount -t bpf bpf "$dir/bpf"
plug mon w0 02:00:00:93:00:77 10.93.0.77/24
plug hos h0 02:00:00:93:00:01 10.93.0.1/24

at gw ip link add b0 type bridge mcast_snooping 0
at gw ip link set w0 master b0
at gw ip link set h0 master b0
at gw ip link set b0 up
play bridge
at gw ip link del b0

policy >"$dir/bw.yaml"
start
[ "$(until_ms 15000 guarding)" -ge 0 ] || { tail -5 "$dir/log"; not "it guards"; exit 1; }
play gateway
kill "$parent" # with its last word
wait "$parent"
parent=
grep -oE '"(reason|event)":"(stream|hl7|mqtt|modbus|policy|binding|vitals)[^"]*"' "$dir/state/eve.json" | sort | uniq -c >"$dir/told"
if [ -s "$dir/told" ]; then
	not "something is told of the device: $(tr -s ' \n' ' ' <"$dir/told")"
else
	ok "nothing is told of the device but what it said"
fi
exit $failed
