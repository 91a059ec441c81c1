#!/usr/bin/env bash
# Two gateways with a sealed link between them: a ward behind one, servers behind the other, and a
# listener on the wire between, who sees nothing but the link. HL7, images and vital signs arrive
# byte for byte. Then the link's process is killed under load, on each back end: what an open-class
# device sends arrives, nothing of a closed-class one is ever seen in the clear.
# usage: test/e2e/link.sh [BINARY]      CAPTURE="packet xdp" by default
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
load=$(realpath "$(dirname "$bw")/bench/bench-load")
id=bwk$$
spaces="a b sw wire open closed srv vault"

. "$(dirname "$self")/lib.sh"
. "$(dirname "$self")/pair.sh"
[ -x "$load" ] || skip_all "the sealed link end to end: $load is not built"
pair "the sealed link end to end"

# plug NS NAME NS2 NAME2: a cable.
plug() { at "$1" ip link add name "$2" type veth peer name "$4" netns "$id-$3"; }

# open, closed – switch – a – wire – b – switch – srv, vault
wire() {
	make_spaces || return 1
	for ns in sw wire; do at $ns ip link add name br0 type bridge mcast_snooping 0; at $ns ip link set br0 up; done
	at b ip link add name sw1 type bridge mcast_snooping 0 && at b ip link set sw1 up
	plug sw p1 open e0; plug sw p2 closed e0; plug sw p3 a w0
	plug wire p1 a h0; plug wire p2 b h0
	plug b s1 srv e0; plug b s2 vault e0
	at b ip link add name s3 type veth peer name w0
	for i in p1 p2 p3; do at sw ip link set $i master br0 up; done
	for i in p1 p2; do at wire ip link set $i master br0 up; done
	for i in s1 s2 s3; do at b ip link set $i master sw1 up; done
	machine open 02:00:00:92:00:11 10.92.0.11/24
	machine closed 02:00:00:92:00:12 10.92.0.12/24
	machine srv 02:00:00:92:00:01 10.92.0.1/24
	machine vault 02:00:00:92:00:02 10.92.0.2/24
	at a ip addr add 10.92.1.1/24 dev h0; at a ip link set h0 up
	at b ip addr add 10.92.1.2/24 dev h0; at b ip link set h0 up
	mkdir -p "$dir/bpf-a" "$dir/bpf-b"
	mount -t bpf bpf "$dir/bpf-a"; mount -t bpf bpf "$dir/bpf-b"
}

# policy A|B [with]: the file of a gateway, with its peer or not yet.
policy() {
	local g=$1 link="" crypto=any
	[ $g = a ] || crypto=fips # which it has to agree on with one that is not so strict
	case $g in
	a) [ -z "${2:-}" ] || link="link: {listen: \"10.92.1.1:4789\", ca: $dir/ca-b.pem, dead_ms: 1000}
peers: [{name: gw-b, address: \"10.92.1.2:4789\", hosts: [srv, vault]}]" ;;
	b) [ -z "${2:-}" ] || link="link: {listen: \"10.92.1.2:4789\", ca: $dir/ca-a.pem, dead_ms: 1000}
peers: [{name: gw-a, address: \"10.92.1.1:4789\", hosts: [open, closed]}]" ;;
	esac
	{
		cat <<-Y
		gateway: {name: gw-$g, state_dir: $dir/state-$g, run_dir: $dir/run-$g, bpf_dir: $dir/bpf-$g/bw, capture: $capture, crypto: $crypto}
		console: {on: no}
		segments: [{name: seg, ward: w0, hospital: h0, isolated: no, mode: enforce, unknown_devices: block, binding: block}]
		$link
		Y
		if [ $g = a ]; then cat <<-Y
		hosts:
		  - {name: srv, ip: [10.92.0.1], role: [central]}
		  - {name: vault, ip: [10.92.0.2], role: [central]}
		devices:
		  - name: open
		    segment: seg
		    mac: "02:00:00:92:00:11"
		    ip: [10.92.0.11]
		    fail: open
		    starts: &all
		      - {service: vital signs, proto: udp, port: ["5000"], peer: central}
		      - {service: reports, proto: tcp, port: ["2575"], peer: central}
		      - {service: images, proto: tcp, port: ["104"], peer: central}
		      - {service: ping, proto: icmp, port: ["8"], peer: central}
		  - name: closed
		    segment: seg
		    mac: "02:00:00:92:00:12"
		    ip: [10.92.0.12]
		    fail: closed
		    starts:
		      - {service: vital signs, proto: udp, port: ["5000"], peer: central}
		      - {service: reports, proto: tcp, port: ["2575"], peer: central}
		      - {service: images, proto: tcp, port: ["104"], peer: central}
		      - {service: ping, proto: icmp, port: ["8"], peer: central}
		Y
		else cat <<-Y
		hosts:
		  - {name: open, ip: [10.92.0.11], role: [bed]}
		  - {name: closed, ip: [10.92.0.12], role: [bed]}
		devices:
		  - name: srv
		    segment: seg
		    mac: "02:00:00:92:00:01"
		    ip: [10.92.0.1]
		    fail: open
		    accepts:
		      - {service: vital signs, proto: udp, port: ["5000"], peer: bed}
		      - {service: reports, proto: tcp, port: ["2575"], peer: bed}
		      - {service: images, proto: tcp, port: ["104"], peer: bed}
		      - {service: ping, proto: icmp, port: ["8"], peer: bed}
		  - name: vault
		    segment: seg
		    mac: "02:00:00:92:00:02"
		    ip: [10.92.0.2]
		    fail: closed
		    accepts:
		      - {service: vital signs, proto: udp, port: ["5000"], peer: bed}
		      - {service: reports, proto: tcp, port: ["2575"], peer: bed}
		      - {service: ping, proto: icmp, port: ["8"], peer: bed}
		Y
		fi
	} | sed 's/ &all//' >"$dir/$g.yaml"
}

beside="not (udp port 4789) and not (arp and host 10.92.1.1) and not (arp and host 10.92.1.2)"
field() { grep -o "\"$2\":[0-9]*" "$dir/$1" 2>/dev/null | head -1 | cut -d: -f2; }

# stream SECONDS: datagrams of both devices.
stream() {
	at srv "$load" recv 5000 $(($1 + 20)) >"$dir/got.open" & r1=$!
	at vault "$load" recv 5000 $(($1 + 20)) >"$dir/got.closed" & r2=$!
	until_ms 10000 eval 'listens srv 5000 && listens vault 5000' >/dev/null
	at open "$load" send 10.92.0.1 5000 2000 "$1" >"$dir/sent.open" & s1=$!
	at closed "$load" send 10.92.0.2 5000 500 "$1" >"$dir/sent.closed" & s2=$!
}
settle() {
	wait $s1 $s2
	until_ms 10000 calm srv vault >/dev/null
	{ ip netns pids $id-srv; ip netns pids $id-vault; } 2>/dev/null | xargs -r kill 2>/dev/null
	wait $r1 $r2 2>/dev/null
	lost=$(($(field sent.open sent) - $(field got.open received)))
	lost_closed=$(($(field sent.closed sent) - $(field got.closed received)))
}
nothing_in_clear() { # TEXT FILE FILTER
	local n; n=$(seen "$2" "$beside and ($3)")
	if [ "$n" = 0 ]; then ok "$1"; else not "$1: $n frames beside the link"; tcpdump -nr "$2" "$beside and ($3)" 2>/dev/null | head -5; fi
}
clear_of_closed="host 10.92.0.12 or host 10.92.0.2"

# A policy that changes nothing of the link leaves it as it is.
policy_changes() {
	local downs
	downs=$(say a events --all --json | grep -c '"state": *"down"')
	stream 3
	sleep 1
	for g in a b; do
		sed -i 's/port: \["2575"\]/port: ["2575", "2576"]/' "$dir/$g.yaml"
		"$bw" policy apply -c "$dir/$g.yaml" >/dev/null
	done
	settle
	check "$capture: a policy changed on both sides: no datagram lost ($lost of $(field sent.open sent), $lost_closed of $(field sent.closed sent))" [ "$lost$lost_closed" = 00 ]
	check "$capture: and the link stayed up" [ "$(say a events --all --json | grep -c '"state": *"down"')" = "$downs" ]
}

guard_dies() {
	# A guard dies: the same promise.
	listen "$dir/guard.pcap"
	stream 3
	sleep 1
	kill -9 "$(pid_of a guard)"
	settle
	listened
	nothing_in_clear "$capture: kill -9 of a guard: nothing of the closed-class device in the clear" "$dir/guard.pcap" "$clear_of_closed"
	ms=$(until_ms 8000 pings closed 10.92.0.2)
	check "$capture: the next guard takes part in the link" [ "$ms" -ge 0 ]
}

# Ended in order and started again, as for a new release: what the peer cannot seal meanwhile goes by
# the floor, each device by its fail mode. By AF_PACKET there is none: nothing at all passes until
# there is a gateway again, which says when, and no more than that is lost.
starts_again() {
	local g=$1 p=parent_$1 from gone
	listen "$dir/again-$g.pcap"
	stream 4
	sleep 1
	from=$(now_ms)
	kill "${!p}"; wait "${!p}"
	run $g
	until_ms 15000 alive $g >/dev/null
	gone=$(($(now_ms) - from))
	settle
	listened
	if [ $capture != packet ]; then
		check "$capture: gw-$g ends and starts again: $lost of $(field sent.open sent) datagrams of the open-class device lost (at most 64)" within "$lost" 64
	elif within "$gone" 2500; then # the stream was longer than that
		check "$capture: gw-$g ends and starts again, $gone ms: $lost of $(field sent.open sent) datagrams of the open-class device lost (at most $((gone * 2 + 400)))" within "$lost" $((gone * 2 + 400))
	else
		echo "skip - $capture: gw-$g ends and starts again: this machine took $gone ms, longer than the stream"
	fi
	nothing_in_clear "$capture: gw-$g ends and starts again: nothing of the closed-class device in the clear" "$dir/again-$g.pcap" "$clear_of_closed"
	ms=$(until_ms 8000 both_up)
	check "$capture: the link is up again" [ "$ms" -ge 0 ]
	check "$capture: and carries both devices" bash -c "$(declare -f at pings); id=$id; pings open 10.92.0.1 && pings closed 10.92.0.2"
}

# Another release takes over, by the supervisor: keys and socket are left to it, the floor keeps
# what is to be sealed. Nothing is lost of either device, and nothing is in the clear.
changes_release() {
	local g=$1 p=parent_$1 took
	kill "${!p}"; wait "${!p}" 2>/dev/null
	mkdir -p "$dir/place-$g/releases/9.9/bin"
	cp "$bw" "$dir/place-$g/releases/9.9/bin/bedwarden"
	ln -sfn releases/9.9 "$dir/place-$g/current"
	at $g "$bw" supervise -c "$dir/$g.yaml" --updates "$dir/place-$g" >>"$dir/log-$g" 2>&1 &
	eval "parent_$g=$!"
	ms=$(until_ms 25000 runs_release $g 9.9)
	check "$capture: gw-$g runs a release under its supervisor" [ "$ms" -ge 0 ]
	for each in a b; do
		sed -i 's/dead_ms: 1000/dead_ms: 3500/' "$dir/$each.yaml"
		"$bw" policy apply -c "$dir/$each.yaml" >/dev/null
	done
	until_ms 15000 both_up >/dev/null
	sleep 1
	listen "$dir/release-$g.pcap"
	stream 10
	sleep 1
	timeout 20 "$bw" update rollback --socket "$dir/run-$g/control" >/dev/null 2>&1 || not "$capture: gw-$g: update rollback"
	took=$(until_ms 15000 runs_release $g "")
	settle
	listened
	if within "$took" 3000; then
		check "$capture: gw-$g changes its release in $took ms: no datagram lost ($lost of $(field sent.open sent) of the open-class device, $lost_closed of $(field sent.closed sent))" [ "$lost$lost_closed" = 00 ]
		nothing_in_clear "$capture: gw-$g changes its release: nothing in the clear, of either device" "$dir/release-$g.pcap" "ip or arp or ip6"
	else
		echo "skip - $capture: gw-$g changes its release: this machine took $took ms, and a peer is waited for 3.5 s ($lost and $lost_closed lost)"
		nothing_in_clear "$capture: gw-$g changes its release: nothing of the closed-class device in the clear" "$dir/release-$g.pcap" "$clear_of_closed"
	fi
	ms=$(until_ms 8000 both_up)
	check "$capture: the link is up again" [ "$ms" -ge 0 ]
}
runs_release() { state $1 2>/dev/null | grep -q "\"release\":\"$2\""; }

whole() {
	local most ns
	# Under XDP a frame that stands for many would be too long for a guard; on a cable there is none.
	for ns in open closed srv vault; do
		at $ns ethtool -K e0 tso $1 gso $1 gro $1 >/dev/null 2>&1
	done
	: >"$dir/ca-a.pem"; : >"$dir/ca-b.pem"
	policy a; policy b
	run a; run b
	local ms; ms=$(until_ms 10000 alive a); [ "$ms" -ge 0 ] && ms=$(until_ms 10000 alive b)
	[ "$ms" -ge 0 ] || { not "$capture: both gateways run"; tail -n 5 "$dir"/log-?; return; }
	# An authority is made when it is needed: with the first peer. Each then trusts the other's.
	policy a with; policy b with
	for g in a b; do "$bw" policy apply -c "$dir/$g.yaml" >/dev/null; done
	for g in a b; do until_ms 10000 authority $g >/dev/null; done
	for g in a b; do "$bw" policy apply -c "$dir/$g.yaml" >/dev/null; done
	ms=$(until_ms 25000 both_up)
	if [ "$ms" -ge 0 ]; then ok "$capture: the link is up on both sides, $ms ms after the policy"; else not "$capture: the link is up on both sides"; tail -n 5 "$dir"/log-?; for g in a b; do say $g events --all --json | grep '"seal"' | tail -n 5; done; return; fi

	check "$capture: with crypto: fips a link is of approved algorithms" bash -c "$(declare -f state say); bw=$bw; dir=$dir; state b | grep -q '\"crypto\":{\"mode\":\"fips\"' && state b | grep -q '\"cipher\":\"ECDHE-ECDSA-AES...-GCM'"

	listen "$dir/quiet.pcap"
	check "$capture: a ping goes there and back" at open ping -c 2 -W 2 10.92.0.1
	check "$capture: of a closed-class device, too" at closed ping -c 2 -W 2 10.92.0.2
	printf '\x0bMSH|^~\\&|MON|ICU|LIS|HOSP|20261126||ORU^R01|1|P|2.5\rPID|1||SECRET-PATIENT\rOBX|1|NM|HR||72\r\x1c\r' >"$dir/hl7"
	head -c 3000000 /dev/urandom >"$dir/image"
	arrives "$capture: HL7 arrives byte for byte" open 10.92.0.1 2575 srv "$dir/hl7"
	arrives "$capture: HL7 of a closed-class device" closed 10.92.0.2 2575 vault "$dir/hl7"
	arrives "$capture: an image of 3 MB" open 10.92.0.1 104 srv "$dir/image"
	stream 2; settle
	check "$capture: no datagram lost ($lost of $(field sent.open sent), $lost_closed of $(field sent.closed sent))" [ "$lost$lost_closed" = 00 ]
	at closed "$load" send 10.92.0.2 5001 10 1 >/dev/null
	listened
	nothing_in_clear "$capture: the listener sees the link and nothing else" "$dir/quiet.pcap" "ip or arp or ip6"
	check "$capture: it does see the link" [ "$(seen "$dir/quiet.pcap" "udp port 4789")" -gt 1000 ]
	check "$capture: no word of it is readable" bash -c "! grep -qa SECRET-PATIENT '$dir/quiet.pcap'"
	check "$capture: what policy forbids does not pass by the link" told a '"reason":"policy.not_allowed"'
	check "$capture: an event says the link is up" soon told a '"state":"up"'
	check "$capture: status counts per device" bash -c "$(declare -f state say); bw=$bw; dir=$dir; state a | grep -q '\"device\":\"closed\",\"frames\":'"

	policy_changes

	# Beside the link.
	listen "$dir/beside.pcap"
	at wire ip addr add 10.92.0.66/24 dev br0 2>/dev/null
	at wire python3 - <<-P
	import socket
	m=lambda n: bytes((2,0,0,0x92,0,n))
	s=socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("p2",0))
	import struct
	def udp(src,dst,smac,dmac):
	    pay=b"forged-vitals"
	    l4=struct.pack(">HHHH",5000,5000,8+len(pay),0)+pay
	    ip=struct.pack(">BBHHHBBH4s4s",0x45,0,20+len(l4),1,0,64,17,0,socket.inet_aton(src),socket.inet_aton(dst))
	    c=sum(struct.unpack(">10H",ip)); c=(c&0xffff)+(c>>16); c=(c&0xffff)+(c>>16)
	    ip=ip[:10]+struct.pack(">H",~c&0xffff)+ip[12:]
	    return dmac+smac+b"\x08\0"+ip+l4
	for _ in range(3):
	    s.send(udp("10.92.0.12","10.92.0.2",m(0x12),m(2)))
	P
	check "$capture: what is injected beside the link is dropped (seal.in_clear)" soon told b '"reason":"seal.in_clear"'
	listened

	# kill -9 of the link's process under load, near and far.
	# What comes meanwhile waits for the next one, which has its keys.
	for g in a b; do
		most=64
		listen "$dir/kill-$g.pcap"
		stream 4
		sleep 1
		kill -9 "$(pid_of $g link)"
		settle
		listened
		check "$capture: kill -9 of the link in gw-$g: $lost of $(field sent.open sent) datagrams of the open-class device lost (at most $most)" within "$lost" $most
		nothing_in_clear "$capture: kill -9 of the link in gw-$g: nothing of the closed-class device in the clear" "$dir/kill-$g.pcap" "$clear_of_closed"
		check "$capture: and the closed-class device is heard again ($lost_closed of $(field sent.closed sent) lost)" [ "$lost_closed" -lt "$(field sent.closed sent)" ]
		ms=$(until_ms 8000 both_up)
		check "$capture: the link is up again" [ "$ms" -ge 0 ]
	done

	# The far gateway dies as a whole: fail modes, for as long as it takes.
	kill -STOP "$(pid_of b link)"
	until_ms 10000 eval '! up a' >/dev/null
	listen "$dir/down.pcap"
	at open "$load" send 10.92.0.1 5000 200 1 >/dev/null
	at closed "$load" send 10.92.0.2 5000 200 1 >/dev/null
	listened
	check "$capture: peer down: the open-class device goes on in the clear" [ "$(seen "$dir/down.pcap" "udp port 5000 and host 10.92.0.11")" -gt 100 ]
	nothing_in_clear "$capture: peer down: of the closed-class device nothing" "$dir/down.pcap" "$clear_of_closed"
	check "$capture: an event says so for the open one (seal.clear)" soon told a '"reason":"seal.clear"'
	check "$capture: and for the closed one (seal.down)" soon told a '"reason":"seal.down"'
	kill -CONT "$(pid_of b link)"
	ms=$(until_ms 8000 both_up)
	check "$capture: the link comes back by itself" [ "$ms" -ge 0 ]
	check "$capture: and carries again" at closed ping -c 3 -W 2 10.92.0.2

	guard_dies
	for g in a b; do starts_again $g; done
	if [ $capture = packet ]; then
		echo "skip - $capture: a change of release loses nothing: without the kernel's floor nobody keeps what comes meanwhile"
	else
		for g in a b; do changes_release $g; done
	fi
	for g in a b; do p=parent_$g; kill "${!p}"; wait "${!p}" 2>/dev/null; done
	if [ -n "${KEEP:-}" ]; then for g in a b; do cp -r "$dir/state-$g" "$dir/kept-$g-$capture"; done; fi
	rm -rf "$dir"/state-? "$dir"/run-?
	rm -rf "$dir"/bpf-?/bw 2>/dev/null
}

wire || skip_all "the sealed link end to end: no network namespaces here"
for capture in ${CAPTURE:-packet xdp}; do
	if [ $capture = xdp ]; then whole off; else whole on; fi
	[ -z "${KEEP:-}" ] || cp "$dir"/log-a "$dir/log-a.$capture"
done
exit $failed
