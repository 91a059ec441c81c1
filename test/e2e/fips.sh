#!/usr/bin/env bash
# `crypto: fips` at every door that speaks TLS or DTLS, console, EST, relay, a relay that takes TLS
# 1.2, the sealed link: what is approved is agreed on, what is not is refused. Without a
# module, as Debian is; with a loadable one that stands in for it (test/fips_stand_in.c); with a file of
# its name that is none. What is missing is said by `policy check` and `status`.
# usage: test/e2e/fips.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
hellos=$(realpath test/e2e/hellos.py)
stand_in=$(dirname "$bw")/test/fips.so
ok() { echo "ok - fips: $*"; }
not() { echo "not ok - fips: $*"; failed=1; }
check() { local text=$1; shift; if "$@" >/dev/null 2>&1; then ok "$text"; else not "$text"; fi; }
fails() { local text=$1; shift; if "$@" >/dev/null 2>&1; then not "$text"; else ok "$text"; fi; }
failed=0
[ "$(id -u)" = 0 ] || { echo "skip - fips: needs root for a network namespace"; exit 0; }
if [ -z "${FIPS_INSIDE:-}" ]; then
	FIPS_INSIDE=1 exec unshare -n -m -p -f --mount-proc "$self" "$bw"
fi
for p in openssl python3; do command -v $p >/dev/null || { echo "skip - fips: $p is not there"; exit 0; }; done

dir=$(mktemp -d /tmp/bwf.XXXX)
chmod 755 "$dir"
trap 'kill $(jobs -p) 2>/dev/null; wait 2>/dev/null; [ -n "${KEEP:-}" ] || rm -rf "$dir"' EXIT
ip link set lo up
for i in w h; do ip link add ${i}0 type veth peer name ${i}1 && ip link set ${i}0 up && ip link set ${i}1 up; done
cd "$dir" || exit 1
python3 -c '
import socket, threading
s = socket.create_server(("127.0.0.1", 6664), backlog=64)
def echo(c):
    while True:
        d = c.recv(100)
        if not d: break
        c.sendall(d)
    c.close()
while True: threading.Thread(target=echo, args=(s.accept()[0],), daemon=True).start()' 2>/dev/null &

policy() {
	cat <<-Y
	gateway: {name: gw.ward.example, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf, capture: packet, crypto: fips}
	segments: [{name: icu, ward: w0, hospital: h0}]
	console: {listen: ["127.0.0.1:8443"]}
	pki: {names: [gw.ward.example, 127.0.0.1], est: "127.0.0.1:8085"}
	link: {listen: "127.0.0.1:4789"}
	peers: [{name: other, hosts: [far]}]
	hosts: [{name: far, ip: [10.9.9.9]}]
	relays:
	  - {name: strict, listen: "127.0.0.1:6663", connect: "127.0.0.1:6664", tls: in}
	  - {name: old, listen: "127.0.0.1:7009", connect: "127.0.0.1:6664", tls: in, tls12: yes}
	Y
}
hello() { # PORT OPTION...: fails where the two agree on nothing
	timeout 5 openssl s_client -connect "127.0.0.1:$1" -CAfile ca.pem -cert pump.pem -key pump.key "${@:2}" </dev/null >said 2>&1
	grep -Eq '^(New|Reused), (TLSv|DTLS)' said && ! grep -q 'Cipher is (NONE)' said
}
goes_on() { # the link, as far as ServerHello: only a peer gets further
	timeout 2 openssl s_client -connect 127.0.0.1:4789 -CAfile ca.pem -cert pump.pem -key pump.key -state -dtls1_2 "$@" </dev/null >said 2>&1
	grep -q 'read server hello' said
}
state() { "$bw" status --json -c bw.yaml 2>/dev/null | tr -d ' \n'; }
echoes() { [ "$( (printf 'drawer\n'; sleep 0.7) | timeout 5 openssl s_client -quiet -connect 127.0.0.1:$1 -CAfile ca.pem -cert pump.pem -key pump.key "${@:2}" 2>/dev/null)" = drawer ]; }

doors() { # NAME
	local door name port c
	for door in console:8443 EST:8085 relay:6663 old-relay:7009; do
		name="$1: ${door%:*}" port=${door#*:}
		for c in TLS_AES_256_GCM_SHA384 TLS_AES_128_GCM_SHA256; do check "$name: $c" hello $port -tls1_3 -ciphersuites $c; done
		for c in P-256 P-384; do check "$name: $c" hello $port -tls1_3 -groups $c; done
		fails "$name: ChaCha20-Poly1305 is refused" hello $port -tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256
		fails "$name: X25519 and X448 are refused" hello $port -tls1_3 -groups X25519:X448
		[ $port = 7009 ] || fails "$name: TLS 1.2 is refused" hello $port -tls1_2
		wrong=$(timeout 20 python3 "$hellos" "$port" "$([ $port = 7009 ] && echo 12 || echo 13)" 2>&1) && [ -z "$wrong" ] &&
			ok "$name: nothing old or weak is answered" || not "$name: $wrong"
	done
	check "$1: old-relay: TLS 1.2 with ECDHE and AES-GCM" hello 7009 -tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384
	fails "$1: old-relay: nothing else of TLS 1.2" hello 7009 -tls1_2 -cipher 'ALL:COMPLEMENTOFALL:!AESGCM:@SECLEVEL=0'
	check "$1: a relay carries, TLS 1.3" echoes 6663
	check "$1: a relay carries, TLS 1.2" echoes 7009 -tls1_2
	for c in ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-ECDSA-AES128-GCM-SHA256; do check "$1: link: $c" goes_on -cipher $c; done
	fails "$1: link: ChaCha20-Poly1305 is refused" goes_on -cipher ECDHE-ECDSA-CHACHA20-POLY1305
	fails "$1: link: X25519 is refused" goes_on -groups X25519
}

round() { # NAME MODULE DIRECTORY: whether it is to be used
	local has=$2
	local env
	env="env BEDWARDEN_CRYPTO=$([ $has = true ] && echo module || echo fips) OPENSSL_MODULES=${3:-/nowhere}"
	[ -z "${3:-}" ] || export OPENSSL_MODULES=$3
	rm -rf state run ca.pem pump.* age.key
	policy >bw.yaml
	"$bw" policy check bw.yaml >checked 2>&1
	if [ $has = true ]; then
		fails "$1: policy check has nothing to say of a module" grep -q 'no validated module' checked
	else
		check "$1: policy check says that no module is there" grep -q 'crypto: fips: no validated module' checked
	fi
	"$bw" run -c bw.yaml >log 2>&1 &
	gw=$!
	unset OPENSSL_MODULES
	for _ in $(seq 150); do "$bw" pki show -c bw.yaml >ca.pem 2>/dev/null && grep -q BEGIN ca.pem && break; sleep 0.1; done
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout pump.key -out pump.csr -subj /CN=pump 2>/dev/null
	"$bw" pki issue pump --profile device --csr pump.csr -o pump.pem -c bw.yaml >/dev/null
	for p in 8443 8085 6663 7009; do
		for _ in $(seq 100); do (: </dev/tcp/127.0.0.1/$p) 2>/dev/null && break; sleep 0.1; done
	done
	state >status
	check "$1: status says mode and module" grep -q "\"crypto\":{\"mode\":\"fips\",\"validated_module\":$has}" status
	if [ $has = true ]; then
		fails "$1: and nags of nothing" grep -q 'novalidatedmodule' status
	else
		check "$1: and nags" grep -q 'novalidatedmodule' status
	fi
	for role in keeper link console; do
		pid=$(pgrep -P $gw -f "bedwarden _$role" | head -1)
		if [ $has = true ]; then check "$1: $role has it loaded" grep -q '/fips.so' "/proc/${pid:-0}/maps"; fi
	done
	# Formats that leave no choice stay readable.
	check "$1: age files are written and read" bash -c 'set -o pipefail; '"$env"' "$0" keygen -o '"$dir"'/age.key 2>/dev/null; echo text | '"$env"' "$0" seal -R <("$0" keygen -y '"$dir"'/age.key) | '"$env"' "$0" open -i '"$dir"'/age.key | grep -q text' "$bw"
	doors "$1"
	kill $gw; wait $gw
	[ $failed = 0 ] || tail -20 log
}

round "no module" false
if [ -f "$stand_in" ]; then
	mkdir stand-in; cp "$stand_in" stand-in/; chmod 755 stand-in stand-in/fips.so
	round "a module" true "$dir/stand-in"
else
	echo "skip - fips: with a module: $stand_in is not built"
fi
legacy=$(find /usr/lib -path '*/ossl-modules/legacy.so' 2>/dev/null | head -1)
if [ -n "$legacy" ]; then
	mkdir other; cp "$legacy" other/fips.so
	round "another library by its name" false "$dir/other"
else
	echo "skip - fips: another library: no legacy.so"
fi
exit $failed
