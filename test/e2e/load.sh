# shellcheck shell=bash
# A ward under load, for tests that disturb its gateway: a monitor that may never fall silent, a
# pump that rather does, and the counting of what each lost or got through. Sourced after
# lib.sh, never run; the test sets `load`, the program that sends and counts.
pps=${PPS:-5000}

# A switch with two devices, the gateway, a hospital; nobody asks for an address.
wire() {
	local ns last
	make_ward open closed || return 1
	machine open 02:00:00:91:00:11 10.91.0.11/24
	machine closed 02:00:00:91:00:12 10.91.0.12/24
	machine hos 02:00:00:91:00:01 10.91.0.1/24
	for ns in open closed hos; do
		at $ns ethtool -K e0 tso off gso off gro off >/dev/null 2>&1
		for last in 1 11 12; do
			at $ns ip neigh replace 10.91.0.$last lladdr "02:00:00:91:00:$(printf %02d $last)" dev e0 nud permanent
		done
	done
}

# policy EXTRA-RULE: the site's file; the pump may talk to 5001 only.
policy() {
	mkdir -p "$dir/profiles"
	cat >"$dir/profiles/mon.yaml" <<-Y
	title: A monitor that must never fall silent
	kind: monitor
	fail: open
	source: [this test]
	starts:
	  - {service: vital signs, proto: udp, port: ["5000"], peer: central, action: inspect}
	$1
	Y
	cat >"$dir/profiles/pump.yaml" <<-Y
	title: A pump that rather falls silent
	kind: pump
	fail: closed
	source: [this test]
	starts:
	  - {service: pump data, proto: udp, port: ["5001"], peer: central, action: inspect}
	Y
	cat >"$dir/bw.yaml" <<-Y
	gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden, capture: ${capture:-auto}}
	segments:
	  - {name: icu, ward: w0, hospital: h0, isolated: no, mode: enforce, unknown_devices: block, binding: block}
	hosts:
	  - {name: central-1, ip: [10.91.0.1], role: [central]}
	devices:
	  - {name: monitor-1, segment: icu, mac: "02:00:00:91:00:11", ip: [10.91.0.11], profile: mon}
	  - {name: pump-1, segment: icu, mac: "02:00:00:91:00:12", ip: [10.91.0.12], profile: pump}
	Y
	[ -z "${updates:-}" ] || printf '%s\n' "$updates" >>"$dir/bw.yaml"
}

# stream SECONDS: vital signs from the monitor, pump data that may go, pump data that may not.
stream() {
	rm -f "$dir"/{sent,got,leak}.*
	at hos "$load" recv 5000 $(($1 + 20)) >"$dir/got.open" &
	r1=$!
	at hos "$load" recv 5001 $(($1 + 20)) >"$dir/got.closed" &
	r2=$!
	at hos "$load" recv 9999 $(($1 + 20)) >"$dir/got.forbidden" &
	r3=$!
	until_ms 10000 eval 'listens hos 5000 && listens hos 5001 && listens hos 9999' >/dev/null
	at open "$load" send 10.91.0.1 5000 "$pps" "$1" >"$dir/sent.open" &
	s1=$!
	at closed "$load" send 10.91.0.1 5001 500 "$1" >"$dir/sent.closed" &
	s2=$!
	at closed "$load" send 10.91.0.1 9999 500 "$1" >"$dir/sent.forbidden" &
	s3=$!
}
field() { grep -o "\"$2\":[0-9]*" "$dir/$1" 2>/dev/null | head -1 | cut -d: -f2; }
settle() {
	wait $s1 $s2 $s3
	until_ms 10000 calm hos >/dev/null
	ip netns pids "$id-hos" | xargs -r kill 2>/dev/null
	wait $r1 $r2 $r3 2>/dev/null
	lost=$(($(field sent.open sent) - $(field got.open received)))
	lost_closed=$(($(field sent.closed sent) - $(field got.closed received)))
	leaked=$(field got.forbidden received)
}
verdict() { # TEXT MOST-LOST
	settle
	if within "$lost" "$2"; then ok "$1: $lost of $(field sent.open sent) vital signs lost (at most $2)"
	else not "$1: $lost of $(field sent.open sent) vital signs lost (at most $2)"; fi
	if [ "$leaked" = 0 ]; then ok "$1: nothing forbidden got through for the closed-class device"
	else not "$1: $leaked forbidden packets got through for the closed-class device"; fi
}
# What may not pass uninspected is no less to arrive where one guard makes way for the next.
nothing_lost() { # TEXT
	if [ "$lost_closed" = 0 ]; then ok "$1: 0 of $(field sent.closed sent) packets of the closed-class device lost"
	else not "$1: $lost_closed of $(field sent.closed sent) packets of the closed-class device lost"; fi
}
