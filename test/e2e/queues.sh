#!/usr/bin/env bash
# Ports with two receive queues on both sides of a sealed link. There is a guard for each where a port can
# be given a symmetric hash, and one for all where it cannot (veth refuses ETHTOOL_SRSSH) or by AF_PACKET. Either
# way 32 conversations lose no datagram and no order; each guard is killed in turn, nothing of a
# closed-class device is ever seen in the clear, and the next guard takes part in the link.
# usage: test/e2e/queues.sh [BINARY]      CAPTURE="packet xdp" by default
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.."
bw=$(realpath "${1:-build/bedwarden}")
id=bwq$$
spaces="dev a wire b srv"
. "$(dirname "$self")/lib.sh"
. "$(dirname "$self")/pair.sh"
pair "ports with two queues and a link" ethtool

cable() { # NS PORT NS2 PORT2, two queues at both ends
	at "$1" ip link add name "$2" numrxqueues 2 numtxqueues 2 type veth peer name "$4" numrxqueues 2 numtxqueues 2 netns "$id-$3" || return 1
	at "$1" ethtool -L "$2" rx 2 tx 2 2>/dev/null
	at "$3" ethtool -L "$4" rx 2 tx 2 2>/dev/null
	[ "$(at "$3" ethtool -l "$4" | grep -c '^RX:[[:space:]]*2')" = 2 ]
}
wire() {
	make_spaces || return 1
	at wire ip link add name br0 type bridge mcast_snooping 0; at wire ip link set br0 up
	cable dev e0 a w0 && cable srv e0 b w0 || skip_all "ports with two queues and a link: no ports with two queues here"
	cable wire p1 a h0; cable wire p2 b h0
	for i in p1 p2; do at wire ip link set $i master br0 up; done
	machine dev 02:00:00:97:00:12 10.97.0.12/24
	machine srv 02:00:00:97:00:02 10.97.0.2/24
	at a ip addr add 10.97.1.1/24 dev h0; at a ip link set h0 up
	at b ip addr add 10.97.1.2/24 dev h0; at b ip link set h0 up
	mkdir -p "$dir/bpf-a" "$dir/bpf-b"
	mount -t bpf bpf "$dir/bpf-a"; mount -t bpf bpf "$dir/bpf-b"
	for ns in dev srv; do at $ns ethtool -K e0 tx off tso off gso off gro off >/dev/null 2>&1; done
}
policy() { # a|b [with]
	local g=$1 link="" host="srv, ip: [10.97.0.2]" device="dev" n=12 verb=starts far=b
	[ $g = a ] || { host="dev, ip: [10.97.0.12]" device=srv n=2 verb=accepts far=a; }
	[ -z "${2:-}" ] || link="link: {listen: \"10.97.1.$([ $g = a ] && echo 1 || echo 2):4789\", ca: $dir/ca-$far.pem, dead_ms: 1500}
peers: [{name: gw-$far, address: \"10.97.1.$([ $g = a ] && echo 2 || echo 1):4789\", hosts: [${host%%,*}]}]"
	cat >"$dir/$g.yaml" <<-Y
	gateway: {name: gw-$g, state_dir: $dir/state-$g, run_dir: $dir/run-$g, bpf_dir: $dir/bpf-$g/bw, capture: $capture}
	console: {on: no}
	segments: [{name: seg, ward: w0, hospital: h0, isolated: no, mode: enforce, unknown_devices: block, binding: block}]
	$link
	hosts: [{name: $host, role: [far]}]
	devices:
	  - name: $device
	    segment: seg
	    mac: "02:00:00:97:00:$(printf %02d $n)"
	    ip: [10.97.0.$n]
	    fail: closed
	    $verb:
	      - {service: vital signs, proto: udp, port: ["5000"], peer: far}
	      - {service: ping, proto: icmp, port: ["8"], peer: far}
	Y
}
cat >"$dir/flows.py" <<'P'
# send SECONDS: 32 conversations, numbered. recv: what arrived, by conversation: how many, out of order.
import socket, sys, time, struct
FLOWS = 32
if sys.argv[1] == "send":
    socks = []
    for i in range(FLOWS):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("", 40000 + 7 * i))
        s.connect(("10.97.0.2", 5000))
        socks.append(s)
    end, n = time.monotonic() + float(sys.argv[2]), 0
    while time.monotonic() < end:
        for s in socks: s.send(struct.pack(">I", n) + bytes(200))
        n += 1
        time.sleep(0.01)
    print(n * FLOWS)
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    s.bind(("", 5000))
    s.settimeout(float(sys.argv[2]))
    last, got, bent = {}, 0, 0
    try:
        while True:
            d, at = s.recvfrom(2000)
            s.settimeout(2)
            n = struct.unpack(">I", d[:4])[0]
            got += 1
            bent += n <= last.get(at, -1)
            last[at] = n
    except TimeoutError: pass
    print(got, bent, len(last))
P
stream() { # SECONDS [COMMAND...]: meanwhile
	local s=$1; shift
	at srv python3 "$dir/flows.py" recv 8 >"$dir/got" & local r=$!
	sleep 0.5
	at dev python3 "$dir/flows.py" send "$s" >"$dir/sent" & local t=$!
	[ $# = 0 ] || { sleep 1; "$@"; }
	wait $t $r
	sent=$(cat "$dir/sent"); read -r got bent flows <"$dir/got"
}
guards() { pid_of "$1" guard; }
count() { guards "$1" | wc -l; }
guard_alive() { local s; s=$(state "$1" | grep -o '"guards":\[[^]]*') && [ "$(grep -o '"alive":true' <<<"$s" | wc -l)" = "$2" ]; }
# Somebody else does the work of the guard that was PID.
succeeded() { [ "$(count "$1")" = "$3" ] && ! guards "$1" | grep -qx "$2" && guard_alive "$1" "$3"; }
# dies G PID COUNT: how many ms nobody did, in `gap`.
dies() { kill -9 "$2"; gap=$(until_ms 8000 succeeded "$@"); }
one_has_reason() { grep -q 'cannot be given a symmetric hash: one receive queue and one guard' "$dir/log-$1"; }

whole() {
	acquaint policy
	if [ "$ms" -ge 0 ]; then ok "$capture: the link is up"; else not "$capture: the link is up"; tail -n 5 "$dir"/log-?; return; fi
	for g in a b; do
		if [ $capture = packet ]; then check "$capture: gw-$g: one guard, for AF_PACKET sees all queues" [ "$(count $g)" = 1 ]
		elif [ "$(count $g)" = 1 ]; then check "$capture: gw-$g: one guard for both queues, and says why" one_has_reason $g
		else check "$capture: gw-$g: a guard for each queue" [ "$(count $g)" = 2 ]; fi
	done
	listen "$dir/$capture.pcap"
	stream 3
	check "$capture: $flows conversations: none lost ($got of $sent), $bent out of order" [ "$got:$bent:$flows" = "$sent:0:32" ]
	for g in a b; do
		all=$(count $g)
		for n in $(seq "$all"); do
			p=$(guards $g | sed -n ${n}p)
			stream 3 dies $g "$p" "$all"
			check "$capture: kill -9 of guard $n in gw-$g: the next one is there after $gap ms" within "$gap" 8000
			# Who fails closed waits for nobody: what came meanwhile is gone, and no more than that.
			most=$((sent * (gap + 100) / 3000))
			check "$capture: $((sent - got)) of $sent were lost (at most $most), $bent out of order" [ "$((sent - got))" -le $most -a "$bent" = 0 -a "$flows" = 32 ]
		done
	done
	until_ms 8000 both_up >/dev/null
	sleep 0.5
	stream 3
	check "$capture: then again none lost ($got of $sent), $bent out of order" [ "$got:$bent:$flows" = "$sent:0:32" ]
	listened
	check "$capture: nothing of it was ever in the clear" [ "$(seen "$dir/$capture.pcap" "host 10.97.0.12 or host 10.97.0.2")" = 0 ]
	check "$capture: the listener saw the link" [ "$(seen "$dir/$capture.pcap" "udp port 4789")" -gt 1000 ]
	dismiss
}

wire || skip_all "ports with two queues and a link: no network namespaces here"
for capture in ${CAPTURE:-packet xdp}; do whole; done
exit $failed
