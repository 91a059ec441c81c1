#!/usr/bin/env bash
# The sealed link as hospitals have it: the ward in one network, the servers in another and a router
# between; IPv6 inside and outside; a gateway whose address changes. Images go by DCMTK. A listener at the router sees the link and nothing else.
# usage: test/e2e/routed.sh [BINARY]      CAPTURE="packet xdp" by default
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwy$$
spaces="ct a road b pacs"
. "$(dirname "$self")/lib.sh"
. "$(dirname "$self")/pair.sh"
pair "the sealed link through a router" storescu storescp dump2dcm dcmdump

cable() { at "$1" ip link add name "$2" type veth peer name "$4" netns "$id-$3"; } # NS PORT NS2 PORT2
# address NS PORT IPV4 IPV6
address() {
	at "$1" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=0" "net.ipv6.conf.$2.accept_ra=0" "net.ipv6.conf.$2.router_solicitations=0"
	at "$1" ip addr replace "$3/24" dev "$2"
	at "$1" ip addr replace "$4/64" dev "$2" nodad
	at "$1" ip link set "$2" up
}
# ct – a – road – b – pacs: 10.94.1.0/24 and fd94:1::/64 on the left, 10.94.2.0/24 and
# fd94:2::/64 on the right.
wire() {
	make_spaces || return 1
	cable ct e0 a w0; cable a h0 road left; cable road right b h0; cable b w0 pacs e0
	at ct ip link set e0 address 02:00:00:94:00:11
	at pacs ip link set e0 address 02:00:00:94:00:21
	address ct e0 10.94.1.11 fd94:1::11; address pacs e0 10.94.2.21 fd94:2::21
	# And a network that both are in: ARP and ND go by the link.
	address ct e0 10.94.3.11 fd94:3::11; address pacs e0 10.94.3.21 fd94:3::21
	address a h0 10.94.1.1 fd94:1::1; address b h0 10.94.2.1 fd94:2::1
	address road left 10.94.1.254 fd94:1::fe; address road right 10.94.2.254 fd94:2::fe
	at road sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	for ns in ct a; do at $ns ip route add default via 10.94.1.254; at $ns ip route add default via fd94:1::fe; done
	for ns in pacs b; do at $ns ip route add default via 10.94.2.254; at $ns ip route add default via fd94:2::fe; done
	for ns in ct pacs; do at $ns ethtool -K e0 tx off tso off gso off gro off >/dev/null 2>&1; done
	mkdir -p "$dir/bpf-a" "$dir/bpf-b"
	mount -t bpf bpf "$dir/bpf-a"; mount -t bpf bpf "$dir/bpf-b"
}

# policy A|B [with]: `own_a`, `own_b` are where they listen, `to_a`, `to_b` where the other one calls.
policy() {
	local g=$1 own=own_$1 other=b device="ct, mac: \"02:00:00:94:00:11\", ip: [10.94.1.11, 10.94.3.11, \"fd94:1::11\", \"fd94:3::11\"], starts"
	local host="pacs, ip: [10.94.2.21, 10.94.3.21, \"fd94:2::21\", \"fd94:3::21\"], role: [far]" link=""
	if [ "$g" = b ]; then
		other=a device="pacs, mac: \"02:00:00:94:00:21\", ip: [10.94.2.21, 10.94.3.21, \"fd94:2::21\", \"fd94:3::21\"], accepts"
		host="ct, ip: [10.94.1.11, 10.94.3.11, \"fd94:1::11\", \"fd94:3::11\"], role: [far]"
	fi
	local to=to_$other
	[ -z "${2:-}" ] || link="link: {listen: \"${!own}\", ca: $dir/ca-$other.pem, dead_ms: 1500}
peers: [{name: gw-$other, address: \"${!to}\", hosts: [${host%%,*}]}]"
	cat >"$dir/$g.yaml" <<-Y
	gateway: {name: gw-$g, state_dir: $dir/state-$g, run_dir: $dir/run-$g, bpf_dir: $dir/bpf-$g/bw, capture: $capture}
	console: {on: no}
	segments: [{name: seg, ward: w0, hospital: h0, isolated: no, mode: enforce, unknown_devices: block, binding: block}]
	$link
	hosts: [{name: $host}]
	devices:
	  - name: ${device%, *}
	    segment: seg
	    fail: closed
	    ${device##*, }:
	      - {service: images, proto: tcp, port: [104], peer: far, app: dicom}
	      - {service: reports, proto: tcp, port: [2575], peer: far, app: hl7}
	      - {service: files, proto: tcp, port: ["4000-4100"], peer: far}
	      - {service: ping, proto: icmp, port: [8], peer: far}
	      - {service: ping, proto: icmpv6, port: [128], peer: far}
	Y
	sed -i 's/^  - name: \([a-z]*\), \(mac: [^,]*\), \(ip: .*\)$/  - name: \1\n    \2\n    \3/' "$dir/$g.yaml"
}

# image NAME: an object of 512 KiB with a patient's name in it.
image() {
	{
		printf '(0008,0016) UI =SecondaryCaptureImageStorage\n(0008,0018) UI [1.2.3.%d]\n(0010,0010) PN [SECRET^PATIENT]\n(0010,0020) LO [S-1]\n' "$1"
		printf '(0028,0002) US 1\n(0028,0010) US 512\n(0028,0011) US 512\n(0028,0100) US 16\n(7fe0,0010) OW ='
		printf '%s\n' "$dir/pixels"
	} >"$dir/$1.dump"
	head -c 524288 /dev/urandom >"$dir/pixels"
	dump2dcm "$dir/$1.dump" "$dir/$1.dcm" >/dev/null 2>&1
}
pixels() { dcmdump -q +L +R 1024 +P PixelData +P PatientName "$1" 2>/dev/null; }
images() { # TEXT
	local n=0 i
	rm -rf "$dir/in"; mkdir "$dir/in"
	ip netns exec "$id-pacs" storescp -dhl -od "$dir/in" -aet ARCHIVE 104 >"$dir/scp.log" 2>&1 &
	local scp=$!
	sleep 0.5
	at ct timeout 20 storescu -aet CT1 -aec ARCHIVE 10.94.2.21 104 "$dir"/[12].dcm >"$dir/scu.log" 2>&1
	for i in 1 2; do
		pixels "$dir/$i.dcm" >"$dir/sent" && pixels "$dir"/in/*.1.2.3.$i >"$dir/got" && [ -s "$dir/sent" ] &&
			cmp -s "$dir/sent" "$dir/got" && n=$((n + 1))
	done
	kill $scp; wait $scp 2>/dev/null
	if [ $n = 2 ]; then ok "$1"; else not "$1: $n of 2"; tail -n 3 "$dir/scu.log"; fi
}
plumbing="udp port 4789 or arp or igmp or icmp6 or (ip6 and ip6[6] == 0)"
listened_to() { # TEXT FILE: the link, and plumbing; no ping is plumbing
	local n; n=$(seen "$2" "not ($plumbing) or (icmp6 and (ip6[40] == 128 or ip6[40] == 129))")
	check "$1: the listener sees the link and nothing else ($n frames besides)" [ "$n" = 0 ]
	[ "$n" = 0 ] || tcpdump -nr "$2" "not ($plumbing) or (icmp6 and (ip6[40] == 128 or ip6[40] == 129))" 2>/dev/null | head -4
	check "$1: and no name" bash -c "! grep -qa 'SECRET.PATIENT' '$2'"
	check "$1: but much of the link" [ "$(seen "$2" "udp port 4789")" -gt 300 ]
}

# Hands on what a sends, from one port, and after a word on its standard input from another.
cat >"$dir/mover.py" <<'P'
import select, socket, sys
near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); near.bind(("10.94.1.254", 4790))
far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); far.bind(("10.94.2.254", 6001))
at, old = None, []
while True:
    for s in select.select([near, far, sys.stdin], [], [])[0]:
        if s is sys.stdin:
            if not sys.stdin.readline(): sys.exit()
            old.append(far)  # stays open, and nobody hears it any longer
            far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); far.bind(("10.94.2.254", 6002))
        elif s is near:
            d, at = near.recvfrom(65536)
            far.sendto(d, ("10.94.2.1", 4789))
        else:
            d = far.recv(65536)
            if at: near.sendto(d, at)
P

# both_apply [first]: a policy that is another one, on both; up again by it, or something has to be done first.
both_apply() {
	local g
	for g in a b; do policy $g with; "$bw" policy apply -c "$dir/$g.yaml" >"$dir/apply" 2>&1 || cat "$dir/apply"; done
	[ "${1:-}" ] || { sleep 0.5; ms=$(until_ms 15000 both_up); }
}
# On a guarded port the kernel speaks IPv6 only where the link does: until then it has no address there.
both_apply_six() {
	both_apply first
	sleep 0.3
	address a h0 10.94.1.1 fd94:1::1; address b h0 10.94.2.1 fd94:2::1
	at a ip -6 route replace default via fd94:1::fe; at b ip -6 route replace default via fd94:2::fe
	ms=$(until_ms 15000 both_up)
}

whole() {
	local mover
	own_a=10.94.1.1:4789 own_b=10.94.2.1:4789 to_a=10.94.1.1:4789 to_b=10.94.2.1:4789
	acquaint policy
	[ "$ms" -ge 0 ] || { not "$capture: the link is up through a router"; tail -n 5 "$dir"/log-?; return; }
	ok "$capture: the link is up through a router, $ms ms after the policy"
	listen "$dir/routed.pcap" road left
	check "$capture: a ping goes to another network and back" at ct ping -c 3 -W 2 10.94.2.21
	check "$capture: by IPv6, too" at ct ping -6 -c 3 -W 2 fd94:2::21
	check "$capture: and in a network that has an end at both" at ct ping -c 3 -W 2 10.94.3.21
	check "$capture: of IPv6" at ct ping -6 -c 3 -W 2 fd94:3::21
	images "$capture: DCMTK's images arrive"
	for i in 1 2 3 4 5 6; do arrives "$capture: a file of its own conversation, by IPv$((i % 2 * 2 + 4))" ct "$([ $((i % 2)) = 1 ] && echo fd94:2::21 || echo 10.94.2.21)" 400$i pacs "$dir/pixels"; done
	listened
	listened_to "$capture: through a router" "$dir/routed.pcap"

	own_a="[fd94:1::1]:4789" own_b="[fd94:2::1]:4789" to_a=$own_a to_b=$own_b
	both_apply_six
	check "$capture: the link goes by IPv6 after $ms ms" [ "$ms" -ge 0 ]
	[ "$ms" -ge 0 ] || for g in a b; do say $g events --all --json | grep '"seal"' | tail -n 4; done
	listen "$dir/six.pcap" road right
	check "$capture: a ping by it" at ct ping -c 3 -W 2 10.94.2.21
	check "$capture: a ping of IPv6 by it" at ct ping -6 -c 3 -W 2 fd94:2::21
	images "$capture: DCMTK's images arrive by it"
	listened
	listened_to "$capture: by IPv6" "$dir/six.pcap"
	check "$capture: it is IPv6 that the listener sees" [ "$(seen "$dir/six.pcap" "ip6 and udp port 4789")" -gt 300 ]

	# a calls, from wherever it is; b does not know where.
	# shellcheck disable=SC2034 # policy reads them by name
	own_a=10.94.1.1:4789 own_b=10.94.2.1:4789 to_a="" to_b=10.94.1.254:4790
	mkfifo "$dir/move" 2>/dev/null
	at road python3 "$dir/mover.py" <"$dir/move" >>"$dir/mover.log" 2>&1 &
	mover=$!
	exec 7>"$dir/move"
	both_apply
	check "$capture: a gateway that is not known by its address is heard after $ms ms" [ "$ms" -ge 0 ]
	at ct ping -i 0.05 -c 100 -W 1 10.94.2.21 >"$dir/ping" 2>&1 &
	sleep 1
	echo >&7
	wait $!
	lost=$(sed -n 's/.*received, \([0-9]*\)% packet loss.*/\1/p' "$dir/ping")
	check "$capture: it moves in mid-conversation, and of 100 pings $lost % are lost (at most 10)" within "${lost:-100}" 10
	check "$capture: an event says that it moved" soon told b '"state":"moved"'
	check "$capture: status has the new address" bash -c "$(declare -f say state); bw=$bw; dir=$dir; state b | grep -q '10.94.2.254:6002'"
	images "$capture: DCMTK's images arrive after that"
	exec 7>&-
	wait $mover 2>/dev/null
	dismiss
}

wire || skip_all "the sealed link through a router: no network namespaces here"
image 1; image 2
for capture in ${CAPTURE:-packet xdp}; do whole; done
[ $failed = 0 ] || tail -n 5 "$dir"/log-?
exit $failed
