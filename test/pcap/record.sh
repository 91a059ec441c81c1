#!/usr/bin/env bash
# Records the cases that real programs made: a switch with a device and a
# stranger on the ward's side, a bridge where the gateway stands, a server on the
# hospital's side. What a case holds came in by the bridge's two ports, one pcapng
# interface each, named as policy.yaml names them (eth1 ward, eth0 hospital).
# A recording differs every time: afterwards `run.sh BINARY --accept CASE`.
# usage: test/pcap/record.sh [CASE...]      needs root; tools: the programs below
set -eu
cd "$(dirname "$0")"
p=bwrec-$$
work=$(mktemp -d)
nodes="dev evil sw gw srv"
on() { local n=$1; shift; ip netns exec "$p-$n" "$@"; }

clean() {
	for n in $nodes; do
		ip netns pids "$p-$n" 2>/dev/null | xargs -r kill 2>/dev/null || true
		ip netns del "$p-$n" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap clean EXIT

# link A PORT B PORT
link() {
	ip link add name "$2" netns "$p-$1" type veth peer name "$4" netns "$p-$3"
	for end in "$1 $2" "$3 $4"; do
		set -- $end
		on "$1" ethtool -K "$2" tx off rx off tso off gso off gro off >/dev/null
		on "$1" ip link set "$2" up
	done
}

bridge() {
	local n=$1
	shift
	on "$n" ip link add br0 type bridge mcast_snooping 0
	for port; do on "$n" ip link set "$port" master br0; done
	on "$n" ip link set br0 up
}

build() {
	for n in $nodes; do
		ip netns add "$p-$n"
		on "$n" sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.all.disable_ipv6=1
		on "$n" ip link set lo up
	done
	link dev eth sw p1
	link evil eth sw p2
	link sw p3 gw eth1
	link gw eth0 srv eth
	bridge sw p1 p2 p3
	bridge gw eth1 eth0
	on dev ip link set eth address 00:09:fb:01:02:03
	on evil ip link set eth address 02:00:00:00:00:66
	on srv ip link set eth address 02:00:00:00:00:05
	on dev ip addr add 10.9.1.12/16 brd + dev eth
	on evil ip addr add 10.9.1.66/16 brd + dev eth
	on srv ip addr add 10.9.0.5/16 brd + dev eth
	on srv sysctl -qw net.ipv4.icmp_ratelimit=0
}

# record CASE: runs make_CASE while both ports are recorded.
record() {
	local case=$1
	local dumps=
	mkdir -p "$case"
	for port in eth1 eth0; do
		on gw tcpdump -Z root -q -i $port -Q in --immediate-mode -U -s "${snap:-0}" \
			--time-stamp-precision=nano -w "$work/$port" 2>"$work/$port.log" &
		dumps="$dumps $!"
	done
	until grep -q listening "$work/eth1.log" && grep -q listening "$work/eth0.log"; do
		sleep 0.1
	done
	rm -rf "$work/said" "$case"/*.log
	"make_${case//-/_}"
	[ ! -d "$work/said" ] || find "$work/said" -type f -size +0 -exec cp {} "$case/" \;
	sleep 0.5
	ip netns pids "$p-gw" | xargs -r kill -INT
	wait $dumps || true
	./make.py merge "$case/input.pcap" eth1 "$work/eth1" eth0 "$work/eth0"
	on dev ip neigh flush dev eth; on srv ip neigh flush dev eth
	for n in dev evil srv; do ip netns pids "$p-$n" | xargs -r kill 2>/dev/null || true; done
}

later() { local n=$1; shift; on "$n" "$@" >/dev/null 2>&1 & sleep 1; }

make_http() {
	later srv python3 -m http.server -d . 80
	on dev curl -s -o /dev/null http://10.9.0.5/run.sh
}

make_udp_echo() {
	later srv socat UDP4-LISTEN:7000,fork EXEC:cat
	for i in 1 2 3; do echo "reading $i" | on dev socat -t 0.3 - UDP4:10.9.0.5:7000,sourceport=7001; done
}

make_icmp_unreachable() { echo hello | on dev socat -t 0.3 - UDP4:10.9.0.5:9 || true; }

make_ping_fragments() { on dev ping -q -c 2 -i 0.2 -s 4000 10.9.0.5 >/dev/null; }

make_ipv6() {
	for n in dev srv; do on $n sysctl -qw net.ipv6.conf.eth.disable_ipv6=0; done
	on dev ip addr add fd00:9::12/64 dev eth nodad
	on srv ip addr add fd00:9::5/64 dev eth nodad
	later srv python3 -m http.server --bind :: -d . 80
	on dev ping -q -c 2 -i 0.2 fd00:9::5 >/dev/null
	on dev ping -q -c 1 -s 3000 fd00:9::5 >/dev/null
	on dev curl -s -o /dev/null 'http://[fd00:9::5]/run.sh'
	for n in dev srv; do on $n sysctl -qw net.ipv6.conf.eth.disable_ipv6=1; done
}

make_dicom() {
	mkdir -p "$work/in"
	later srv storescp -od "$work/in" 104
	on dev echoscu -aet CT1 -aec ARCHIVE 10.9.0.5 104
	printf '(0008,0016) UI [1.2.840.10008.5.1.4.1.1.7]\n(0008,0018) UI [1.2.3.4]\n(0010,0020) LO [1]\n(0028,0010) US 1\n' >"$work/img.dump"
	dump2dcm "$work/img.dump" "$work/img.dcm" 2>/dev/null
	on dev storescu -aet CT1 -aec ARCHIVE 10.9.0.5 104 "$work/img.dcm" || true
}

<<<<<<< HEAD
# hl7_text TYPE ID: a message as a file holds it.
hl7_text() {
	printf 'MSH|^~\\&|ANALYSER-1|LAB|LIS|MAIN|20260131120000||%s|%s|P|2.5.1\r' "$1" "$2"
	printf 'PID|1||100%s||TEST^PATIENT\rOBR|1|||GLU\rOBX|1|NM|2339-0^GLUCOSE^LN||98|mg/dL|70-105|N|||F\r' "$2"
}

make_hl7() {
	later srv /usr/bin/python3 hl7_server.py 10.9.0.5 2575
	for i in 1 2; do hl7_text ORU^R01^ORU_R01 $i >"$work/$i.hl7"; on dev mllp_send -q -p 2575 -f "$work/$i.hl7" --loose 10.9.0.5; done
	{ hl7_text ORU^R01 3; head -c 20000 /dev/zero | tr '\0' 'A' | sed 's/^/OBX|2|ED|DOC^REPORT||/'; printf '\r'; } >"$work/3.hl7"
	on dev mllp_send -q -p 2575 -f "$work/3.hl7" --loose 10.9.0.5
}

make_hl7_forbidden() {
	later srv /usr/bin/python3 hl7_server.py 10.9.0.5 2575
	hl7_text ORU^R01^ORU_R01 1 >"$work/1.hl7"
	hl7_text ORM^O01^ORM_O01 2 >"$work/2.hl7"
	for i in 1 2; do on dev mllp_send -q -p 2575 -f "$work/$i.hl7" --loose 10.9.0.5; done
}
=======
# Its messages in every service, see there.
. ./dicom.sh
>>>>>>> 7b95176 (Record DICOM peers and compare with tshark and DCMTK's logs)

make_mqtt() {
	printf 'listener 1883 10.9.0.5\nallow_anonymous true\n' >"$work/mosquitto.conf"
	later srv mosquitto -c "$work/mosquitto.conf"
	on dev mosquitto_pub -h 10.9.0.5 -i fridge-1 -t fridge/1/celsius -m 4.2
}

make_telnet() {
	later dev socat TCP4-LISTEN:23,fork,reuseaddr SYSTEM:"printf 'pump login: '; sleep 1"
	(sleep 0.5; echo root) | on evil timeout 2 telnet 10.9.1.12 >/dev/null 2>&1 || true
	(sleep 0.5; echo root) | on srv timeout 2 telnet 10.9.1.12 >/dev/null 2>&1 || true
}

make_dhcp() {
	printf 'start 10.9.1.100\nend 10.9.1.110\ninterface eth\nlease_file %s/leases\npidfile %s/pid\noption subnet 255.255.0.0\noption router 10.9.0.1\noption dns 10.9.0.2\noption lease 3600\n' "$work" "$work" >"$work/udhcpd.conf"
	touch "$work/leases"
	later srv udhcpd -f "$work/udhcpd.conf"
	on dev udhcpc -q -n -i eth -s /bin/true -x hostname:monitor-12 >/dev/null 2>&1
}

make_rogue_dhcp() {
	printf 'start 10.9.1.200\nend 10.9.1.210\ninterface eth\nlease_file %s/leases2\npidfile %s/pid2\noption router 10.9.1.66\n' "$work" "$work" >"$work/udhcpd.conf"
	touch "$work/leases2"
	later evil udhcpd -f "$work/udhcpd.conf"
	on srv udhcpc -q -n -t 2 -T 1 -i eth -s /bin/true >/dev/null 2>&1 || true
}

make_port_scan() { on srv nmap -n -Pn -sS -F --max-retries 0 -T4 10.9.1.12 >/dev/null; }
make_port_scan_policy() { on evil nmap -n -Pn -sS -F --max-retries 0 -T4 10.9.0.5 >/dev/null; }

make_sweep() {
	on evil ip addr add 10.9.1.67/16 dev eth
	for i in $(seq 1 30); do on srv ip addr add 10.9.2.$i/16 dev eth; done
	on evil nmap -n -Pn -sS -p445 --max-retries 0 -T4 10.9.2.1-30 >/dev/null
}

<<<<<<< HEAD
cases="http udp-echo icmp-unreachable ping-fragments ipv6 dicom hl7 hl7-forbidden mqtt telnet dhcp rogue-dhcp port-scan port-scan-policy sweep"
=======
cases="http udp-echo icmp-unreachable ping-fragments ipv6 dicom dicom-store dicom-query dicom-worklist dicom-print dicom-orthanc mqtt telnet dhcp rogue-dhcp port-scan port-scan-policy sweep"
>>>>>>> 7b95176 (Record DICOM peers and compare with tshark and DCMTK's logs)
build
for case in ${*:-$cases}; do record "$case"; done
