# shellcheck shell=bash
# What tests of every door that speaks TLS or DTLS share: a gateway with console, EST, a relay, one that takes TLS 1.2
# and the sealed link, between two ports nobody uses; a device with a certificate; openssl, which
# offers anything. Sourced behind lib.sh, by a test with a `dir` and `id`.

# stage: the ports, and a server in the clear behind the relays; we are in `dir` from here on.
stage() {
	local i
	dir=$(mktemp -d "/tmp/$id.XXXX")
	chmod 755 "$dir"
	# shellcheck disable=SC2046 # words
	trap 'kill $(jobs -p) 2>/dev/null; wait 2>/dev/null; [ -n "${KEEP:-}" ] || rm -rf "$dir"' EXIT
	cd "$dir" || exit 1
	ip link set lo up
	for i in w h; do ip link add ${i}0 type veth peer name ${i}1 && ip link set ${i}0 up && ip link set ${i}1 up; done
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
}

policy() { # [OPTION]: of the gateway, behind a comma
	cat <<-Y
	gateway: {name: gw.ward.example, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf, capture: packet${1:-}}
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

has_authority() { "$bw" pki show -c bw.yaml >ca.pem 2>/dev/null && grep -q BEGIN ca.pem; }
is_open() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# open_doors [NAME=VALUE]...: the gateway of bw.yaml runs, with this in its environment, its pid in `gw`; a
# pump has a certificate; every port is open.
open_doors() {
	local p
	env "$@" "$bw" run -c bw.yaml >log 2>&1 &
	# shellcheck disable=SC2034 # the test's
	gw=$!
	until_ms 15000 has_authority >/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout pump.key -out pump.csr -subj /CN=pump 2>/dev/null
	"$bw" pki issue pump --profile device --csr pump.csr -o pump.pem -c bw.yaml >/dev/null
	for p in 8443 8085 6663 7009; do until_ms 10000 is_open $p >/dev/null; done
}

# hello PORT OPTION...: what the two agreed on, in `said`; fails where they did not.
hello() {
	timeout 5 openssl s_client -connect "127.0.0.1:$1" -CAfile ca.pem -cert pump.pem -key pump.key "${@:2}" </dev/null >said 2>&1
	grep -Eq '^(New|Reused), (TLSv|DTLS)' said && ! grep -q 'Cipher is (NONE)' said
}
# goes_on OPTION...: the link, as far as ServerHello; only a peer gets further.
goes_on() {
	timeout 2 openssl s_client -connect 127.0.0.1:4789 -CAfile ca.pem -cert pump.pem -key pump.key -state "$@" </dev/null >said 2>&1
	grep -q 'read server hello' said
}
