#!/usr/bin/env bash
# One floor, compiled twice (doc/adr/0001), and read from a file besides: some 900 frames that tell
# readers of headers apart, a part of them at random (SEED), in both directions through a gateway
# whose floor is the kernel's, through one whose floor is in user space, and out of a capture, as
# `inspect --inline` reads it. All let the very same frames through, and none changes more of one than
# what its datagram's pieces are told by.
# usage: test/e2e/twin.sh [BINARY]
set -uo pipefail
self=$(dirname "$(realpath "$0")")
bw=$(realpath "${1:-build/bedwarden}")
reader=$(dirname "$bw")/test/twin-read
id=bwt$$
spaces="gw mon hos"
. "$self/lib.sh"

what="one floor in three places"
[ "$(id -u)" = 0 ] || skip_all "$what: needs root for network namespaces"
needs "$what" python3 ethtool "$reader"
export SEED=${SEED:-1}

policy() { # BACK-END
	cat <<-Y
	gateway: {name: twin, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden, capture: $1}
	segments:
	  - {name: icu, ward: w0, hospital: h0, isolated: no, mode: ${mode:-enforce}, unknown_devices: block, binding: block}
	hosts:
	  - {name: central-1, ip: [10.92.0.1, "fd92::1"], mac: "02:00:00:92:00:01", role: [central, dhcp]}
	devices:
	  - name: monitor-1
	    segment: icu
	    mac: "02:00:00:92:00:11"
	    ip: [10.92.0.11, "fd92::11"]
	    fail: open
	    starts:
	      - {service: inspected, proto: udp, port: [5000], peer: any, action: inspect}
	      - {service: names, proto: udp, port: [53], peer: any, action: pass}
	      - {service: web, proto: tcp, port: [80], peer: central, action: inspect}
	      - {service: files, proto: tcp, port: [5001], peer: central, action: pass}
	      - {service: sigtran, proto: 132, peer: central, action: pass}
	      - {service: ping, proto: icmp, peer: central}
	    accepts:
	      - {service: polled, proto: udp, port: [5000], peer: any, action: inspect}
	      - {service: served, proto: tcp, port: [5001], peer: any, action: pass}
	Y
}

# The ports themselves: a switch between would have an opinion of its own on some frames.
plug() {
	local space
	make_line || return 1
	machine mon 02:00:00:92:00:11
	machine hos 02:00:00:92:00:01
	# A virtual port's other end keeps tags beside the frame, where no XDP program sees them.
	for space in mon hos; do
		at $space ethtool -K e0 tso off gso off gro off tx off txvlan off tx-vlan-stag-hw-insert off >/dev/null 2>&1
	done
}

# twin BACK-END: the numbers of those that arrive, into $out/BACK-END
twin() {
	workdir
	plug || return 1
	policy "$1" >"$dir/bw.yaml"
	start
	[ "$(until_ms 15000 guarding)" -ge 0 ] || { tail -5 "$dir/log"; return 1; }
	timeout 60 "$self/twin.py" play "$id" "$out/times" >"$out/heard" || return 1
	sort -n "$out/heard" >"$out/$1"
	cleanup
	wait 2>/dev/null
	parent=
}

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
dir=$out
policy packet >"$out/policy"
"$self/twin.py" write "$out/capture" && "$reader" "$out/capture" "$out/policy" >"$out/times" ||
	{ not "the capture is read"; exit 1; }
awk '{printf "%d\n", ($1 - 1764200000000000000) / 2600000 + 0.5}' "$out/times" | sort -n >"$out/file"
# What is only watched loses nothing, be it whole, broken or a piece that nobody can put together.
mode=observe policy packet >"$out/watched"
all=$("$self/twin.py" count)
passed=$("$reader" "$out/capture" "$out/watched" | wc -l)
if [ "$passed" = "$all" ]; then ok "watched, all $all frames pass"; else not "watched, $passed of $all frames pass"; fi
for back in xdp packet; do
	( twin $back ) || { rm -rf "$out"; skip_all "$what: no gateway with back end $back here"; }
done
n=$(wc -l <"$out/file")
for pair in "xdp packet" "xdp file"; do
	# shellcheck disable=SC2086 # two words
	set -- $pair
	if [ "$n" -gt 200 ] && diff "$out/$1" "$out/$2" >"$out/diff"; then
		ok "$1 and $2 let the same $n frames through (seed $SEED)"
	else
		not "$1 (<) and $2 (>) differ, $n frames (seed $SEED)"
		cut -c1-200 "$out/diff" | head -20
	fi
done
exit $failed
