#!/usr/bin/env bash
# Workstations that show a certificate: a role that may sign in from such ones alone, a session that stays
# with the one it began at, a pump's port that opens for none but them. By curl, with certificates
# by an authority of the hospital's, a stranger's, and one that has run out.
# usage: test/e2e/certificate.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwx$$
spaces="gw sw pump hos"
. "$(dirname "$self")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "certificates end to end: needs root for network namespaces"
workdir

wire() {
	make_ward pump || return 1
	machine pump 02:00:00:95:00:14 10.95.1.14/16
	at hos ip link add name ws type bridge mcast_snooping 0
	at hos ip link set ws address 02:00:00:95:00:05
	at hos ip link set e0 master ws up
	at hos ip addr add 10.95.0.5/16 dev ws
	at hos ip link set ws up
	at gw ip addr add 10.99.1.1/32 dev lo
	at hos ip link add m0 type veth peer name m0 netns "$id-gw"
	at hos ip link set m0 master ws up
	at gw ip link set m0 up
	at gw ip route add 10.95.0.0/24 dev m0
	at hos ip route add 10.99.1.1 dev ws
	at hos ip neigh replace 10.95.1.14 lladdr 02:00:00:95:00:14 dev ws nud permanent
	at hos ip neigh replace 10.99.1.1 lladdr "$(at gw cat /sys/class/net/m0/address)" dev ws nud permanent
	at pump ip neigh replace 10.95.0.5 lladdr 02:00:00:95:00:05 dev e0 nud permanent
	for ns in pump hos; do at $ns ethtool -K e0 tso off gso off gro off tx off >/dev/null 2>&1; done
	at hos ethtool -K ws tx off >/dev/null 2>&1
}
# issue NAME AUTHORITY [DAYS]
issue() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/O=Clinic/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.csr" 2>/dev/null &&
		openssl x509 -req -in "$dir/$1.csr" -CA "$dir/$2.pem" -CAkey "$dir/$2.key" -CAcreateserial -out "$dir/$1.pem" ${3:-} ${4:--days} ${5:-2} 2>/dev/null
}
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/O=$2/CN=$2" -days 3 -keyout "$dir/$1.key" -out "$dir/$1.pem" 2>/dev/null
}
authority clinic "Clinic"
authority foreign "Clinic" # by the same name
issue ws clinic && issue other clinic && issue stranger foreign || skip_all "certificates end to end: openssl makes none"
faketime '2020-01-01' openssl x509 -req -in <(openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /O=Clinic/CN=expired -keyout "$dir/expired.key" 2>/dev/null) \
	-CA "$dir/clinic.pem" -CAkey "$dir/clinic.key" -CAcreateserial -out "$dir/expired.pem" -days 2 2>/dev/null

cat >"$dir/bw.yaml" <<-Y
gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
console: {listen: ["10.99.1.1:8443"], names: [gw.test], client_ca: $dir/clinic.pem}
people: {certificate: [administrator]}
segments:
  - {name: icu, ward: w0, hospital: h0}
devices:
  - name: pump-1
    segment: icu
    mac: "02:00:00:95:00:14"
    ip: [10.95.1.14]
    services:
      - {name: telnet, alone: [administrator, clinical_engineer], certificate: yes}
Y
wire || skip_all "certificates end to end: no namespaces here"
at pump python3 "$(dirname "$self")/session.py" serve 23 >/dev/null &
start
[ "$(until_ms 20000 guarding)" -ge 0 ] || { not "the gateway does not guard"; tail -20 "$dir/log"; exit 1; }
up() { at hos curl -sk -o /dev/null --max-time 2 https://10.99.1.1:8443/; }
until_ms 10000 up >/dev/null
at hos python3 "$(dirname "$self")/certificate.py" "$bw" "$dir" "$id" || failed=1
[ $failed = 0 ] || tail -20 "$dir/log"
exit $failed
