#!/usr/bin/env bash
# One floor, compiled twice (doc/adr/0001): 198 frames that tell readers of headers apart, in
# both directions through a gateway whose floor is the kernel's and through one whose floor is in
# user space. Both must let the very same frames through, and neither may change one.
# usage: test/e2e/twin.sh [BINARY]
set -uo pipefail
self=$(dirname "$(realpath "$0")")
bw=$(realpath "${1:-build/bedwarden}")
id=bwt$$
spaces="gw sw mon hos"
. "$self/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "one floor in two places: needs root for network namespaces"
command -v python3 ethtool >/dev/null || skip_all "one floor in two places: no python3 or no ethtool"

# twin BACK-END: what arrives, into $out/BACK-END.{ward,hospital}
twin() {
	local ns port hear
	workdir
	make_ward mon || return 1
	machine mon 02:00:00:92:00:11
	machine hos 02:00:00:92:00:01
	# A virtual port's other end keeps tags beside the frame, where no XDP program sees them.
	for port in "mon e0" "hos e0" "sw mon" "sw uplink"; do
		# shellcheck disable=SC2086 # two words
		at ${port% *} ethtool -K ${port#* } tso off gso off gro off tx off txvlan off tx-vlan-stag-hw-insert off >/dev/null 2>&1
	done
	cat >"$dir/bw.yaml" <<-Y
	gateway: {name: twin, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden, capture: $1}
	segments:
	  - {name: icu, ward: w0, hospital: h0, isolated: no, mode: enforce, unknown_devices: block, binding: block}
	hosts:
	  - {name: central-1, ip: [10.92.0.1], mac: "02:00:00:92:00:01", role: [central]}
	devices:
	  - name: monitor-1
	    segment: icu
	    mac: "02:00:00:92:00:11"
	    ip: [10.92.0.11]
	    fail: open
	    starts:
	      - {service: inspected, proto: udp, port: [5000], peer: any, action: inspect}
	      - {service: web, proto: tcp, port: [80], peer: central, action: pass}
	    accepts:
	      - {service: polled, proto: udp, port: [5000], peer: any, action: inspect}
	Y
	start
	[ "$(until_ms 15000 guarding)" -ge 0 ] || { tail -5 "$dir/log"; return 1; }
	at hos "$self/twin.py" hear e0 9 >"$out/$1.hospital" 2>"$dir/ready.hos" &
	hear=$!
	at mon "$self/twin.py" hear e0 9 >"$out/$1.ward" 2>"$dir/ready.mon" &
	for ns in hos mon; do until_ms 3000 grep -q ready "$dir/ready.$ns" >/dev/null; done
	at mon "$self/twin.py" send e0 ward
	sleep 0.3
	at hos "$self/twin.py" send e0 hospital
	wait "$hear" $!
	cleanup
	wait 2>/dev/null
	parent=
}

out=$(mktemp -d)
for back in xdp packet; do
	( twin $back ) || { rm -rf "$out"; skip_all "one floor in two places: no gateway with back end $back here"; }
done
for side in hospital ward; do
	n=$(wc -l <"$out/xdp.$side")
	: >"$out/diff"
	if [ "$n" -gt 20 ] && diff "$out/xdp.$side" "$out/packet.$side" >"$out/diff"; then
		ok "towards the $side the floor in the kernel and the one in user space let the same $n frames through"
	else
		not "towards the $side the floor in the kernel (<) and the one in user space (>) differ, $n frames"
		cut -c1-200 "$out/diff" | head -20
	fi
done
rm -rf "$out"
exit $failed
