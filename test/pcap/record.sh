#!/usr/bin/env bash
# Records the cases that real programs made: a switch with a device and a
# stranger on the ward's side, a bridge where the gateway stands, a server on the
# hospital's side. What a case holds came in by the bridge's two ports, one pcapng
# interface each, named as policy.yaml names them (eth1 ward, eth0 hospital).
# A recording differs every time: afterwards `run.sh BINARY --accept CASE`.
# Of Debian, for the services of an office network: openssl gnutls-bin nginx-light curl dnsmasq-base bind9-dnsutils nsd ldnsutils faketime
# openssh-server sshpass dropbear-bin inetutils-telnet inetutils-telnetd vsftpd tftpd-hpa tftp-hpa samba smbclient xrdp rdesktop
# slapd ldap-utils dovecot-imapd dovecot-pop3d exim4-daemon-light mariadb-server rlpr
# xvfb tigervnc-standalone-server tigervnc-viewer tigervnc-tools vncsnapshot sip-tester bsdutils socat
# usage: test/pcap/record.sh [CASE...]      needs root; tools: the programs below
set -eu
cd "$(dirname "$0")" || exit 1
p=bwrec-$$
work=$(mktemp -d)
nodes="dev evil sw gw srv"
on() { local n=$1; shift; ip netns exec "$p-$n" "$@"; }
# try COMMAND...: one that may be refused or cut off: what was said until then is the recording.
try() { "$@" >/dev/null 2>&1 || true; }

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
	local dumps= waited=0
	mkdir -p "$case"
	for port in eth1 eth0; do
		on gw tcpdump -Z root -q -i $port -Q in --immediate-mode -U -B 65536 -s "${snap:-0}" \
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
	./make.py merge "$case/input.pcap" $waited eth1 "$work/eth1" eth0 "$work/eth0"
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

make_icmp_unreachable() { echo hello | try on dev socat -t 0.3 - UDP4:10.9.0.5:9; }

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
	try on dev storescu -aet CT1 -aec ARCHIVE 10.9.0.5 104 "$work/img.dcm"
}

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

# As HAPI has it: a message as the body of a POST; beside it FHIR, by another port.
make_hl7_http() {
	local post="curl -s -S -o /dev/null --data-binary" n=0
	later srv ./hl7_http_server.py 10.9.0.5 8080
	later srv ./hl7_http_server.py 10.9.0.5 8090
	for type in ORU^R01^ORU_R01 ADT^A08^ADT_A39 ORM^O01^ORM_O01; do
		hl7_text $type $((++n)) >"$work/$n.hl7"
		try on dev timeout 5 $post @"$work/$n.hl7" -H 'Content-Type: application/hl7-v2; charset=UTF-8' http://10.9.0.5:8080/oru
	done
	cat "$work"/[13].hl7 >"$work/4.hl7"
	try on dev timeout 5 $post @"$work/4.hl7" -H 'Content-Type: application/hl7-v2' http://10.9.0.5:8080/oru
	try on dev timeout 5 $post @"$work/1.hl7" -H 'Content-Type: text/plain' http://10.9.0.5:8080/oru
	{ cat "$work/1.hl7"; printf 'OBX|2|ED|DOC||^^^Base64^'; head -c 70000 /dev/zero | tr '\0' A; printf '|||\r'; } >"$work/5.hl7"
	try on dev timeout 5 $post @"$work/5.hl7" -H 'Content-Type: application/hl7-v2' http://10.9.0.5:8080/oru
	try on dev timeout 5 curl -s -o /dev/null -H 'Accept: application/fhir+json' 'http://10.9.0.5:8090/fhir/Observation?code=8867-4'
	try on dev timeout 5 $post '{"resourceType":"Observation","status":"final"}' -H 'Content-Type: application/fhir+json' http://10.9.0.5:8090/fhir/Observation
	try on dev timeout 5 $post '{"resourceType":"Bundle","type":"message"}' -H 'Content-Type: application/fhir+json' 'http://10.9.0.5:8090/fhir/$process-message'
}

# A result and an order in the words of whoever carries them.
make_hl7_inside() {
	local post="timeout 5 curl -s -S -o /dev/null" to=http://10.9.0.5:8080/in type
	later srv ./hl7_http_server.py 10.9.0.5 8080
	for type in ORU^R01^ORU_R01 RGV^O15^RGV_O15; do
		hl7_text $type 1 >"$work/1.hl7"
		try on dev $post -F "note=none" -F "message=@$work/1.hl7;type=text/plain" $to
		try on dev $post -F "message=@$work/1.hl7;encoder=base64" $to
		try on dev $post --data-urlencode "message@$work/1.hl7" $to
		jq -Rsc '{resourceType: "Binary", data: @base64}' "$work/1.hl7" >"$work/binary"
		try on dev $post -H 'Content-Type: application/fhir+json' --data-binary "@$work/binary" $to
		jq -Rsc '{hl7: .}' "$work/1.hl7" >"$work/json"
		try on dev $post -H 'Content-Type: application/json' -H 'Transfer-Encoding: chunked' --data-binary "@$work/json" $to
		jq -Rr '"<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><CommunicatePCDData>" + @html
			+ "</CommunicatePCDData></s:Body></s:Envelope>"' -s "$work/1.hl7" >"$work/soap"
		try on dev $post -H 'Content-Type: text/xml' --data-binary "@$work/soap" $to
	done
}

# Its messages in every service, see there.
. ./dicom.sh

make_mqtt() {
	printf 'listener 1883 10.9.0.5\nallow_anonymous true\n' >"$work/mosquitto.conf"
	later srv mosquitto -c "$work/mosquitto.conf"
	on dev mosquitto_pub -h 10.9.0.5 -i fridge-1 -t fridge/1/celsius -m 4.2
}

make_mqtt5() {
	printf 'user root\nlistener 1883 10.9.0.5\npassword_file %s/passwords\n' "$work" >"$work/mosquitto.conf"
	mosquitto_passwd -b -c "$work/passwords" ward secret
	later srv mosquitto -c "$work/mosquitto.conf"
	login="-V 5 -h 10.9.0.5 -u ward -P secret"
	later dev mosquitto_sub $login -i pump-3 -t 'pump/3/+' -t 'ward/#' -q 1 -c -x 60 \
		--will-topic ward/pump-3 --will-payload gone --will-retain -W 6
	on srv mosquitto_pub $login -i nurse -q 2 -t pump/3/set -m 'rate=5' -D publish content-type text/plain
	printf 'a\nb\nc\n' | on dev mosquitto_pub $login -l -t ward/alerts -D publish topic-alias 1
	try on dev mosquitto_pub -V 5 -h 10.9.0.5 -u ward -P guess -t x -m y
	on dev mosquitto_pub -V 31 -h 10.9.0.5 -u ward -P secret -i old-3 -q 1 -r -t ward/temp -m 36.6
	sleep 6
}

# Python3-paho-mqtt; its messages are cut into frames anew, and pinged in between.
make_mqtt_websocket() {
	printf 'user root\nlistener 1883 127.0.0.1\nlistener 9001 10.9.0.5\nprotocol websockets\nallow_anonymous true\n' >"$work/mosquitto.conf"
	later srv mosquitto -c "$work/mosquitto.conf"
	later dev "$PWD/peer.py" mqtt-websocket-pump 10.9.0.5
	on srv "$PWD/peer.py" mqtt-websocket-nurse 10.9.0.5
	on dev "$PWD/peer.py" websocket-fragments 10.9.0.5
	sleep 2
}

make_modbus() {
	later dev "$PWD/peer.py" modbus-device 10.9.1.12
	on srv "$PWD/peer.py" modbus-client 10.9.1.12
	on srv mbpoll -m tcp -a 1 -r 3 -c 4 -1 10.9.1.12 >/dev/null
	on srv mbpoll -m tcp -a 1 -r 3 10.9.1.12 42 >/dev/null
}

make_snmp() {
	printf 'agentAddress udp:10.9.1.12:161\nrocommunity public\nrwcommunity ward7x\nrwuser nurse\ncreateUser nurse SHA authsecret1 AES privsecret1\nsysLocation bed 12\n' >"$work/snmpd.conf"
	later dev env SNMP_PERSISTENT_DIR="$work/snmp" snmpd -f -Lo -C -c "$work/snmpd.conf"
	export SNMP_PERSISTENT_DIR="$work/snmpc"
	v3="-u nurse -a SHA -A authsecret1 -x AES -X privsecret1"
	on srv snmpget -v1 -c public 10.9.1.12 1.3.6.1.2.1.1.5.0 1.3.6.1.2.1.1.6.0 >/dev/null
	try on srv snmpget -v1 -c public 10.9.1.12 1.3.6.1.2.1.99
	on srv snmpbulkwalk -v2c -c ward7x 10.9.1.12 1.3.6.1.2.1.1.9 >/dev/null
	try on srv snmpset -v2c -c ward7x 10.9.1.12 1.3.6.1.2.1.1.4.0 s nobody
	on srv snmpget -v3 $v3 -l authPriv 10.9.1.12 1.3.6.1.2.1.1.5.0 >/dev/null
	try on srv snmpset -v3 $v3 -l authNoPriv 10.9.1.12 1.3.6.1.2.1.1.4.0 s nobody
	on dev snmptrap -v1 -c ward7x 10.9.0.5 1.3.6.1.4.1.8072 10.9.1.12 2 0 100 >/dev/null
	on dev snmptrap -v2c -c ward7x 10.9.0.5 100 1.3.6.1.6.3.1.1.5.1 >/dev/null
}

make_snmp3() {
	printf 'agentAddress udp:10.9.1.12:161\nrouser open noauth\ncreateUser open\nrouser reader auth\ncreateUser reader MD5 authsecret1\nrwuser nurse priv\ncreateUser nurse SHA-512 authsecret1 AES privsecret1\nrouser old priv\ncreateUser old SHA authsecret1 DES privsecret1\n' >"$work/snmpd.conf"
	later dev env SNMP_PERSISTENT_DIR="$work/snmp" snmpd -f -Lo -C -c "$work/snmpd.conf"
	export SNMP_PERSISTENT_DIR="$work/snmpc"
	on srv snmpget -v3 -u open -l noAuthNoPriv 10.9.1.12 1.3.6.1.2.1.1.5.0 >/dev/null
	on srv snmpget -v3 -u reader -l authNoPriv -a MD5 -A authsecret1 10.9.1.12 1.3.6.1.2.1.1.5.0 >/dev/null
	on srv snmpget -v3 -u nurse -l authPriv -a SHA-512 -A authsecret1 -x AES -X privsecret1 10.9.1.12 1.3.6.1.2.1.1.5.0 >/dev/null
	on srv snmpget -v3 -u old -l authPriv -a SHA -A authsecret1 -x DES -X privsecret1 10.9.1.12 1.3.6.1.2.1.1.5.0 >/dev/null
	try on srv snmpget -v3 -t 1 -r 0 -u nurse -l authPriv -a SHA-512 -A wrongsecret -x AES -X privsecret1 10.9.1.12 1.3.6.1.2.1.1.5.0
	try on srv snmpget -v3 -t 1 -r 0 -u nobody -l noAuthNoPriv 10.9.1.12 1.3.6.1.2.1.1.5.0
	try on srv snmpbulkget -v3 -n ward -u reader -l authNoPriv -a MD5 -A authsecret1 10.9.1.12 1.3.6.1.2.1.1
}

make_astm() {
	later srv "$PWD/peer.py" astm-host 10.9.0.5
	on dev "$PWD/peer.py" astm-analyzer 10.9.0.5
}

make_poct1a() {
	later srv "$PWD/peer.py" poct1a-reviewer 10.9.0.5
	on dev "$PWD/peer.py" poct1a-device 10.9.0.5
}

make_coap() {
	later dev coap-server-notls -A 10.9.1.12 -d 10
	url=coap://10.9.1.12
	on srv coap-client-notls -m get $url/.well-known/core >/dev/null
	on srv coap-client-notls -m get $url/ >/dev/null
	on srv coap-client-notls -m get -N $url/time?ticks >/dev/null
	on srv coap-client-notls -m put -e 1700000000 $url/time >/dev/null
	head -c 3000 /dev/zero | tr '\0' x >"$work/body"
	on srv coap-client-notls -m put -b 512 -f "$work/body" $url/example_data >/dev/null
	on srv coap-client-notls -m get -b 512 $url/example_data >/dev/null
	on srv coap-client-notls -m delete $url/time >/dev/null
	on srv coap-client-notls -m get -s 3 -B 5 $url/time >/dev/null
}

make_coap_tcp() {
	later dev coap-server-notls -A 10.9.1.12 -d 10
	url=coap+tcp://10.9.1.12
	on srv coap-client-notls -m get $url/.well-known/core >/dev/null
	on srv coap-client-notls -m get "$url/time?ticks" >/dev/null
	head -c 9000 /dev/zero | tr '\0' x >"$work/body"
	on srv coap-client-notls -m put -f "$work/body" $url/example_data >/dev/null
	on srv coap-client-notls -m get $url/example_data >/dev/null
	on srv coap-client-notls -m get -s 2 -B 4 $url/time >/dev/null
}

make_snmp_tcp() {
	printf 'agentAddress tcp:10.9.1.12:161\nrwcommunity ward7x\nrwuser nurse\ncreateUser nurse SHA authsecret1 AES privsecret1\n' >"$work/snmpd.conf"
	later dev env SNMP_PERSISTENT_DIR="$work/snmp" snmpd -f -Lo -C -c "$work/snmpd.conf"
	export SNMP_PERSISTENT_DIR="$work/snmpc"
	on srv snmpbulkwalk -v2c -c ward7x tcp:10.9.1.12 1.3.6.1.2.1.1.9 >/dev/null
	try on srv snmpset -v2c -c ward7x tcp:10.9.1.12 1.3.6.1.2.1.1.4.0 s nobody
	on srv snmpget -v3 -u nurse -a SHA -A authsecret1 -x AES -X privsecret1 -l authPriv tcp:10.9.1.12 1.3.6.1.2.1.1.5.0 >/dev/null
}

make_bacnet() {
	later dev "$PWD/peer.py" bacnet-device 10.9.1.12
	on srv "$PWD/peer.py" bacnet-client 10.9.1.12
}

make_sdc() {
	later srv wsdd -4 -i eth -D -o -v
	try on dev timeout -s INT 4 wsdd -4 -i eth -n MONITOR -U 00000000-0000-0000-0000-00000000000c
	later dev "$PWD/peer.py" sdc-provider 10.9.1.12
	on srv "$PWD/peer.py" sdc-consumer 10.9.1.12
}

make_telnet() {
	later dev socat TCP4-LISTEN:23,fork,reuseaddr SYSTEM:"printf 'pump login: '; sleep 1"
	(sleep 0.5; echo root) | try on evil timeout 2 telnet 10.9.1.12
	(sleep 0.5; echo root) | try on srv timeout 2 telnet 10.9.1.12
}

# key CASE OPTIONS...: a key and a certificate of its own, $work/CASE.{key,crt}
key() {
	local name=$1
	shift
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/$name.key" -out "$work/$name.crt" -days 365 \
		"$@" 2>/dev/null
}

# hello OPTIONS...: a TLS client that says nothing and goes
hello() { echo | try on dev timeout 5 openssl s_client -quiet -connect "$@"; }

make_tls() {
	key srv -subj '/C=DE/O=Clinic/CN=archive.clinic.example'
	key dev -subj '/O=Clinic/OU=Devices/CN=pump-7'
	later srv openssl s_server -accept 10.9.0.5:443 -cert "$work/srv.crt" -key "$work/srv.key" -alpn http/1.1 -verify 1 -www
	later srv openssl s_server -accept 10.9.0.5:8443 -cert "$work/srv.crt" -key "$work/srv.key" -tls1 -cipher ALL:@SECLEVEL=0 -www
	later srv openssl s_server -accept 10.9.0.5:9443 -cert "$work/srv.crt" -key "$work/srv.key" -groups P-384 -www
	hello 10.9.0.5:443 -servername archive.clinic.example -alpn h2,http/1.1 -tls1_2 -cert "$work/dev.crt" -key "$work/dev.key"
	hello 10.9.0.5:443 -servername archive.clinic.example -alpn h2,http/1.1
	hello 10.9.0.5:443 -tls1_2 -split_send_frag 512 -sess_out "$work/session"
	hello 10.9.0.5:443 -tls1_2 -sess_in "$work/session"
	hello 10.9.0.5:8443 -tls1 -cipher ALL:@SECLEVEL=0
	hello 10.9.0.5:9443 -groups X25519:P-384
}

make_dtls() {
	key srv -subj '/O=Clinic/CN=gateway.clinic.example'
	later srv sh -c "sleep 20 | openssl s_server -dtls -accept 10.9.0.5:5684 -cert '$work/srv.crt' -key '$work/srv.key' -listen"
	hello 10.9.0.5:5684 -dtls1_2 -servername gateway.clinic.example -mtu 1400
}

make_dtls_gnutls() {
	key srv -subj '/O=Clinic/CN=gateway.clinic.example' -addext subjectAltName=DNS:gateway.clinic.example
	later srv sh -c "sleep 20 | gnutls-serv -q --udp -p 5684 --x509certfile '$work/srv.crt' --x509keyfile '$work/srv.key' --disable-client-cert"
	(echo reading; sleep 1) | try on dev timeout 5 gnutls-cli --udp --insecure -p 5684 --sni-hostname gateway.clinic.example \
		--priority 'NORMAL:-VERS-ALL:+VERS-DTLS1.2' 10.9.0.5
}

# Either end's hello and certificate are in pieces of some hundred bytes.
make_dtls_fragments() {
	key srv -subj '/O=Clinic/CN=gateway.clinic.example' -addext subjectAltName=DNS:gateway.clinic.example
	later srv sh -c "sleep 20 | gnutls-serv -q --udp -p 5684 --mtu 400 --x509certfile '$work/srv.crt' --x509keyfile '$work/srv.key' --disable-client-cert"
	(echo reading; sleep 1) | try on dev timeout 5 gnutls-cli --udp --insecure --mtu 200 -p 5684 --sni-hostname gateway.clinic.example \
		--priority 'NORMAL:-VERS-ALL:+VERS-DTLS1.2' 10.9.0.5
}

make_coaps() {
	key dev -subj '/O=Clinic/CN=sensor-9'
	later dev coap-server-openssl -A 10.9.1.12 -k ward-secret -c "$work/dev.crt" -j "$work/dev.key" -n
	try on srv coap-client-openssl -u nurse -k ward-secret -m get coaps://10.9.1.12/
}

# signed CASE BY OPTIONS...: a key of CASE, its certificate signed by BY; the time's may be set by `at`.
signed() {
	local name=$1 by=$2 algorithm=$3 subject=$4 more=$5
	openssl genpkey -algorithm ${algorithm%%:*} ${algorithm##"${algorithm%%:*}"} -out "$work/$name.key" 2>/dev/null
	openssl req -new -key "$work/$name.key" -subj "$subject" -out "$work/$name.csr"
	printf '%b' "$more" >"$work/$name.ext"
	${at:+faketime "$at"} openssl x509 -req -in "$work/$name.csr" -CA "$work/$by.crt" -CAkey "$work/$by.key" \
		-CAcreateserial -days 365 -extfile "$work/$name.ext" -out "$work/$name.crt" 2>/dev/null
}

make_certificates() {
	local port=4430 c
	key root -subj '/O=Clinic/CN=Clinic root'
	openssl genpkey -algorithm ED25519 -out "$work/own.key"
	openssl req -x509 -new -key "$work/own.key" -subj '/CN=pump-8' -days 3650 -out "$work/own.crt"
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$work/middle.key" 2>/dev/null
	openssl req -new -key "$work/middle.key" -subj '/O=Clinic/CN=Clinic issuing' -out "$work/middle.csr"
	printf 'basicConstraints=critical,CA:TRUE' >"$work/middle.ext"
	openssl x509 -req -in "$work/middle.csr" -CA "$work/root.crt" -CAkey "$work/root.key" -CAcreateserial -days 365 \
		-extfile "$work/middle.ext" -out "$work/middle.crt" 2>/dev/null
	at='2020-01-01' signed old root RSA /CN=old.clinic.example subjectAltName=DNS:old.clinic.example
	signed any middle ED25519 '/O=Clinic/CN=*.clinic.example' 'subjectAltName=DNS:*.clinic.example,DNS:clinic.example'
	signed number middle RSA-PSS '/' 'subjectAltName=critical,IP:10.9.0.5,IP:fd00:9::5'
	at='2035-01-01' signed later root RSA /CN=early.clinic.example subjectAltName=DNS:early.clinic.example
	for c in old own any number later; do
		port=$((port + 1))
		later srv openssl s_server -accept 10.9.0.5:$port -cert "$work/$c.crt" -key "$work/$c.key" -cert_chain "$work/middle.crt" -www
		hello 10.9.0.5:$port -tls1_2 -servername $c.clinic.example
	done
	hello 10.9.0.5:4433 -tls1_3 -servername ward.clinic.example
}

make_tls_hybrid() {
	key srv -subj '/CN=archive.clinic.example' -addext subjectAltName=DNS:archive.clinic.example
	later srv openssl s_server -accept 10.9.0.5:443 -cert "$work/srv.crt" -key "$work/srv.key" -alpn http/1.1 -www
	try on dev timeout 15 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$work/chromium" --ignore-certificate-errors \
		--host-resolver-rules='MAP archive.clinic.example 10.9.0.5' --dump-dom https://archive.clinic.example/
}

make_http_talk() {
	mkdir -p "$work/www" "$work/log"
	seq 1 2000 >"$work/www/list.txt"
	printf 'daemon off; pid %s/nginx.pid; error_log %s/nginx.err; events {}\nhttp { access_log off; client_body_temp_path %s/b; proxy_temp_path %s/p; fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s; gzip on; gzip_types text/plain; server { listen 80; root %s/www; location /put { return 204; } location /go { return 302 /list.txt; } location /api { return 200 done; } } }\n' \
		"$work" "$work" "$work" "$work" "$work" "$work" "$work" "$work" >"$work/nginx.conf"
	chmod -R a+rX "$work"
	later srv nginx -c "$work/nginx.conf"
	on dev curl -s -o /dev/null http://10.9.0.5/list.txt 'http://10.9.0.5/go?patient=Doe' http://10.9.0.5/none
	on dev curl -s -o /dev/null --compressed http://10.9.0.5/list.txt
	on dev curl -s -o /dev/null -I http://10.9.0.5/list.txt
	on dev curl -s -o /dev/null -T "$work/www/list.txt" http://10.9.0.5/put
	seq 1 9000 | on dev curl -s -o /dev/null -H 'Transfer-Encoding: chunked' -H 'Expect:' --data-binary @- http://10.9.0.5/api
	on dev curl -s -o /dev/null -u admin:admin -A 'Infusion Pump/2.1' http://10.9.0.5/api
	printf 'GET /api HTTP/1.1\r\nHost: one\r\n\r\nHEAD /list.txt HTTP/1.1\r\nHost: two\r\n\r\nGET /api HTTP/1.1\r\nHost: three\r\nConnection: close\r\n\r\n' |
		on dev socat -t 2 - TCP4:10.9.0.5:80 >/dev/null
	printf 'POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n' |
		on dev socat -t 2 - TCP4:10.9.0.5:80 >/dev/null
}

make_dns() {
	later srv dnsmasq -k -C /dev/null --no-resolv --no-hosts --listen-address=10.9.0.5 --bind-interfaces --pid-file= \
		--host-record=archive.clinic.example,10.9.0.8,fd00:9::8 --cname=pacs.clinic.example,archive.clinic.example \
		--txt-record=clinic.example,"v=ward one" --mx-host=clinic.example,mail.clinic.example,10 \
		--srv-host=_dicom._tcp.clinic.example,archive.clinic.example,104 --local=/example/
	for q in 'archive.clinic.example A' 'archive.clinic.example AAAA' 'pacs.clinic.example A' 'clinic.example TXT' \
		'clinic.example MX' '_dicom._tcp.clinic.example SRV' 'none.clinic.example A' '-x 10.9.0.8' \
		'+tcp archive.clinic.example A'; do
		# shellcheck disable=SC2086
		on dev dig +tries=1 +time=2 @10.9.0.5 $q >/dev/null
	done
}

make_dns_records() {
	mkdir -p "$work/nsd"
	cat >"$work/nsd/clinic.example" <<-END
		\$ORIGIN clinic.example.
		\$TTL 300
		@ SOA ns.clinic.example. hostmaster.clinic.example. 2026012801 7200 3600 1209600 300
		@ NS ns
		ns A 10.9.0.5
		archive A 10.9.0.8
		@ CAA 0 issue "ca.clinic.example"
		@ CAA 128 iodef "mailto:it@clinic.example"
		www HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=10.9.0.8 ipv6hint=fd00:9::8
		www HTTPS 2 archive.clinic.example. mandatory=alpn alpn=h2 no-default-alpn
		_dns SVCB 0 archive.clinic.example.
		@ NAPTR 10 100 "S" "SIP+D2U" "" _sip._udp.clinic.example.
		@ NAPTR 20 100 "U" "E2U+sip" "!^.*\$!sip:ward@clinic.example!" .
		_sip._udp SRV 10 60 5060 archive
		host SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789
		_443._tcp.www TLSA 3 1 1 8cb0fc6c527506a053f4f14c8464bebbd6dede2738d11468dd953d7d6a3021f1
		host HINFO "PUMP" "RTOS"
		www2 DNAME other.example.
		link URI 10 1 "https://www.clinic.example/"
	END
	(cd "$work/nsd" && k=$(ldns-keygen -a ECDSAP256SHA256 -k clinic.example) && ldns-signzone -n clinic.example "$k" &&
		ldns-key2ds -n "$k.key" >ds && cat ds >>clinic.example && ldns-signzone -n clinic.example "$k") >/dev/null
	printf 'server:\n ip-address: 10.9.0.5\n username: ""\n zonesdir: %s/nsd\n pidfile: ""\n database: ""\n xfrdfile: %s/nsd/x\n xfrdir: %s/nsd\n zonelistfile: %s/nsd/l\nremote-control:\n control-enable: no\nzone:\n name: clinic.example\n zonefile: clinic.example.signed\n provide-xfr: 10.9.1.12 NOKEY\n' \
		"$work" "$work" "$work" "$work" >"$work/nsd/conf"
	later srv nsd -d -c "$work/nsd/conf"
	for q in 'clinic.example SOA' 'clinic.example CAA' 'www.clinic.example HTTPS' '_dns.clinic.example SVCB' 'clinic.example NAPTR' \
		'_sip._udp.clinic.example SRV' 'host.clinic.example SSHFP' '_443._tcp.www.clinic.example TLSA' 'host.clinic.example HINFO' \
		'a.www2.clinic.example DNAME' 'link.clinic.example URI' '+dnssec clinic.example DNSKEY' '+dnssec archive.clinic.example A' \
		'+dnssec none.clinic.example A' '+tcp clinic.example AXFR'; do
		# shellcheck disable=SC2086
		on dev dig +tries=1 +time=2 @10.9.0.5 $q >/dev/null
	done
	# Several questions before the first answer (RFC 7766 §6.2.1.1).
	on dev mdig @10.9.0.5 +vc archive.clinic.example ns.clinic.example host.clinic.example >/dev/null
}

make_ssh() {
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$work/host"
	later srv /usr/sbin/sshd -D -e -f /dev/null -h "$work/host" -p 22 -o UsePAM=no -o PidFile=none -o PasswordAuthentication=yes
	for i in 1 2; do
		try on dev sshpass -p "guess$i" ssh -F /dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
			-o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1 service@10.9.0.5 true
	done
	printf '#!/bin/sh\necho guess-%%s "$(date +%%N)"\n' >"$work/ask"
	chmod +x "$work/ask"
	DISPLAY=:9 SSH_ASKPASS="$work/ask" SSH_ASKPASS_REQUIRE=force try on dev ssh -F /dev/null -o StrictHostKeyChecking=no \
		-o UserKnownHostsFile=/dev/null -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=5 service@10.9.0.5 true
}

# Logins to OpenSSH on the server and to Dropbear on the device: by keys, by passwords, by several programs.
# Neither server may see the accounts that are here: passwd and shadow of the mount that `ip netns exec` made.
make_ssh_logins() {
	local o='-F /dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes' keys= i words
	mkdir -p /run/sshd "$work/home"
	for i in host me 1 2 3 4 5; do ssh-keygen -q -t ed25519 -N '' -f "$work/$i"; done
	for i in 1 2 3 4 5; do keys="$keys -i $work/$i"; done
	dropbearkey -t ed25519 -f "$work/dropbear" >/dev/null 2>&1
	(cat /etc/passwd; echo "nurse:x:0:0::$work/home:/bin/sh") >"$work/passwd"
	(cat /etc/shadow; echo "nurse:$(openssl passwd -6 right):19000:0:99999:7:::") >"$work/shadow"
	printf '#!/bin/sh\nmount --bind %s/passwd /etc/passwd\nmount --bind %s/shadow /etc/shadow\nexec "$@"\n' "$work" "$work" >"$work/as"
	printf '#!/bin/sh\nread -r w <"$WORDS"; sed -i 1d "$WORDS"; echo "$w"\n' >"$work/ask"
	chmod +x "$work/as" "$work/ask"
	later srv "$work/as" /usr/sbin/sshd -D -e -f /dev/null -h "$work/host" -p 22 -o UsePAM=no -o PidFile=none -o PermitRootLogin=yes \
		-o StrictModes=no -o AuthorizedKeysFile="$work/me.pub" -o MaxAuthTries=8 -o UseDNS=no
	later dev "$work/as" dropbear -F -E -p 10.9.1.12:22 -r "$work/dropbear"
	# shellcheck disable=SC2086
	try on dev ssh $o $keys -i "$work/me" nurse@10.9.0.5 true
	for words in 'dev 10.9.0.5 a bb much-longer-than-others right' 'dev 10.9.0.5 a bb ccc dddd' 'srv 10.9.1.12 a bb right'; do
		# shellcheck disable=SC2086
		set -- $words
		printf '%s\n' "${@:3}" >"$work/words"
		# shellcheck disable=SC2086
		WORDS=$work/words DISPLAY=:9 SSH_ASKPASS="$work/ask" SSH_ASKPASS_REQUIRE=force try on "$1" ssh $o -o PubkeyAuthentication=no \
			-o NumberOfPasswordPrompts=$(($# - 2)) nurse@"$2" 'sleep 0.2; id; sleep 0.2; id; sleep 0.2; id; sleep 0.2; id'
	done
	DROPBEAR_PASSWORD=wrong try on dev dbclient -y -y nurse@10.9.0.5 true
	try on dev curl -sk -o /dev/null -u nurse:wrong sftp://10.9.0.5/
}

# A login as small devices have it: one password opens it, three wrong ones end it.
make_telnet_login() {
	printf '#!/bin/sh\nprintf "infusion pump\\r\\n"\nfor n in 1 2 3; do printf "pump login: "; read -r u; printf "Password: "; stty -echo; read -r p; stty echo; echo; [ "$p" = admin ] && { printf "Welcome\\r\\n# "; read -r c; exit; }; sleep 0.3; echo "Login incorrect"; done\n' >"$work/login"
	chmod -R a+rx "$work"
	later dev systemd-socket-activate --inetd -a -l 10.9.1.12:23 /usr/sbin/telnetd -E "$work/login"
	for words in 'root:toor admin:admin' 'service:wrong'; do
		{ sleep 1; for w in $words; do echo "${w%:*}"; sleep 0.5; echo "${w#*:}"; sleep 1; done; } |
			try on srv timeout 8 inetutils-telnet 10.9.1.12
	done
}

make_ftp() {
	mkdir -p "$work/ftp/in" "$work/empty"
	seq 1 500 >"$work/ftp/export.csv"
	chmod -R a+rwX "$work/ftp/in"
	chmod a+rX "$work" "$work/ftp"
	printf 'listen=YES\nbackground=NO\nanonymous_enable=YES\nlocal_enable=YES\nwrite_enable=YES\nanon_upload_enable=YES\nanon_root=%s/ftp\nsecure_chroot_dir=%s/empty\npam_service_name=other\nseccomp_sandbox=NO\npasv_min_port=20000\npasv_max_port=20100\n' "$work" "$work" >"$work/vsftpd.conf"
	later srv vsftpd "$work/vsftpd.conf"
	on dev curl -s -o /dev/null ftp://10.9.0.5/export.csv
	on dev curl -s -o /dev/null -P - ftp://10.9.0.5/export.csv
	try on dev curl -s -T "$work/ftp/export.csv" ftp://10.9.0.5/in/up.csv
	try on dev curl -s -o /dev/null -u admin:admin ftp://10.9.0.5/
}

# A directory asked by a name, by nobody and by a wrong password, and behind StartTLS.
make_ldap() {
	mkdir -p "$work/ldap"
	key srv -subj '/CN=10.9.0.5' -addext subjectAltName=IP:10.9.0.5
	cat >"$work/slapd.conf" <<-END
		include /etc/ldap/schema/core.schema
		modulepath /usr/lib/ldap
		moduleload back_mdb
		pidfile $work/slapd.pid
		TLSCertificateFile $work/srv.crt
		TLSCertificateKeyFile $work/srv.key
		database mdb
		directory $work/ldap
		suffix "o=ward"
		rootdn "cn=admin,o=ward"
		rootpw 1234
	END
	later srv slapd -d 0 -f "$work/slapd.conf" -h ldap://10.9.0.5
	printf 'dn: o=ward\nobjectClass: organization\no: ward\n\ndn: cn=pump-7,o=ward\nobjectClass: device\ncn: pump-7\n' |
		on dev ldapadd -x -H ldap://10.9.0.5 -D cn=admin,o=ward -w 1234 >/dev/null
	on dev ldapsearch -x -H ldap://10.9.0.5 -D cn=admin,o=ward -w 1234 -b o=ward >/dev/null
	on dev ldapsearch -x -H ldap://10.9.0.5 -b '' -s base >/dev/null
	on dev ldapsearch -x -H ldap://10.9.0.5 -b o=ward >/dev/null
	try on dev ldapsearch -x -H ldap://10.9.0.5 -D cn=admin,o=ward -w guess -b o=ward
	on dev ldapdelete -x -H ldap://10.9.0.5 -D cn=admin,o=ward -w 1234 cn=pump-7,o=ward
	LDAPTLS_CACERT=$work/srv.crt on dev ldapsearch -ZZ -x -H ldap://10.9.0.5 -D cn=admin,o=ward -w 1234 -b o=ward >/dev/null
}

# Mail fetched and sent, by logins of every kind that curl has, in clear text and behind STARTTLS.
make_mail() {
	key srv -subj '/CN=10.9.0.5' -addext subjectAltName=IP:10.9.0.5
	mkdir -p "$work/run" "$work/mail/new" "$work/mail/cur" "$work/mail/tmp" "$work/exim"
	cat >"$work/dovecot.conf" <<-END
		base_dir = $work/run
		log_path = /dev/null
		protocols = imap pop3
		listen = 10.9.0.5
		ssl = yes
		ssl_cert = <$work/srv.crt
		ssl_key = <$work/srv.key
		disable_plaintext_auth = no
		auth_mechanisms = plain login cram-md5
		first_valid_uid = 0
		mail_location = maildir:$work/mail
		passdb {
		  driver = static
		  args = password=1234
		}
		userdb {
		  driver = static
		  args = uid=1000 gid=1000 home=$work/mail
		}
	END
	printf 'Subject: battery\n\nlow\n' >"$work/mail/new/1.a"
	chown -R 1000:1000 "$work/mail"
	chmod a+rx "$work" "$work/srv.key"
	later srv dovecot -F -c "$work/dovecot.conf"
	cat >"$work/exim.conf" <<-END
		primary_hostname = mail.ward.example
		exim_user = nobody
		exim_group = nogroup
		spool_directory = $work/exim
		log_file_path = $work/exim/%slog
		pid_file_path = $work/exim/pid
		keep_environment =
		local_interfaces = 10.9.0.5
		daemon_smtp_ports = 25 : 587
		tls_advertise_hosts = *
		tls_certificate = $work/srv.crt
		tls_privatekey = $work/srv.key
		queue_only
		acl_smtp_rcpt = accept
		acl_smtp_data = accept
		begin routers
		hold:
		  driver = accept
		  transport = hold
		begin transports
		hold:
		  driver = appendfile
		  file = /dev/null
		begin authenticators
		plain:
		  driver = plaintext
		  public_name = PLAIN
		  server_prompts = :
		  server_condition = \${if and{{eq{\$auth2}{admin}}{eq{\$auth3}{1234}}}}
		  server_set_id = \$auth2
		login:
		  driver = plaintext
		  public_name = LOGIN
		  server_prompts = <| Username: | Password:
		  server_condition = \${if and{{eq{\$auth1}{admin}}{eq{\$auth2}{1234}}}}
		  server_set_id = \$auth1
	END
	chown -R nobody:nogroup "$work/exim"
	later srv exim4 -bdf -C "$work/exim.conf"
	sleep 1
	printf 'Subject: battery\n\nlow\n' >"$work/letter"
	for url in pop3://10.9.0.5/1 'imap://10.9.0.5/INBOX;UID=1'; do
		try on dev curl -s -u admin:1234 "$url"
		try on dev curl -s -u admin:1234 --login-options AUTH=LOGIN "$url"
		try on dev curl -s -u admin:1234 --login-options AUTH=CRAM-MD5 "$url"
		try on dev curl -s -u nurse:guess "$url"
		try on dev curl -s -u admin:1234 --ssl-reqd --cacert "$work/srv.crt" "$url"
	done
	printf 'a1 LOGIN admin 1234\r\na2 LOGOUT\r\n' | try on dev socat -t 2 - TCP4:10.9.0.5:143
	printf 'USER admin\r\nPASS 1234\r\nQUIT\r\n' | try on dev socat -t 2 - TCP4:10.9.0.5:110
	for options in '' '--login-options AUTH=LOGIN -u admin:1234' '--login-options AUTH=PLAIN -u admin:1234' \
		'--login-options AUTH=PLAIN -u admin:guess' "--ssl-reqd --cacert $work/srv.crt -u admin:1234"; do
		# shellcheck disable=SC2086
		try on dev curl -s $options --mail-from pump-7@ward.example --mail-rcpt desk@ward.example -T "$work/letter" smtp://10.9.0.5:587
	done
}

# Logins to PostgreSQL by each of its ways, and to MariaDB, in clear text and behind TLS.
make_database() {
	local pg=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
	key srv -subj '/CN=10.9.0.5' -addext subjectAltName=IP:10.9.0.5
	mkdir -p "$work/pg" "$work/my"
	chown -R nobody "$work/pg" "$work/my" "$work/srv.key"
	chmod a+rx "$work"
	chmod 600 "$work/srv.key"
	runuser -u nobody -- "$pg/initdb" -D "$work/pg/d" -U lis --auth=trust >/dev/null
	printf 'host all open all trust\nhost all clear all password\nhost all old all md5\nhost all lis all scram-sha-256\nlocal all all trust\n' >"$work/pg/d/pg_hba.conf"
	printf "listen_addresses='10.9.0.5'\nunix_socket_directories='%s/pg'\nssl=on\nssl_cert_file='%s/srv.crt'\nssl_key_file='%s/srv.key'\n" \
		"$work" "$work" "$work" >>"$work/pg/d/postgresql.conf"
	later srv runuser -u nobody -- "$pg/postgres" -D "$work/pg/d"
	sleep 2
	on srv psql -q -h "$work/pg" -U lis postgres -c "alter role lis password 'secret'; create role open login; create role clear login password 'secret'; set password_encryption = md5; create role old login password 'secret'"
	for who in open clear old lis; do
		PGPASSWORD=secret on dev psql -q "host=10.9.0.5 user=$who dbname=postgres sslmode=disable gssencmode=disable" -c 'select 1' >/dev/null
	done
	PGPASSWORD=guess try on dev psql "host=10.9.0.5 user=lis dbname=postgres sslmode=disable" -c 'select 1'
	PGPASSWORD=secret on dev psql -q "host=10.9.0.5 user=clear dbname=postgres sslmode=require" -c 'select 1' >/dev/null
	mariadb-install-db --no-defaults --user=nobody --datadir="$work/my" --auth-root-authentication-method=normal >/dev/null 2>&1
	later srv mariadbd --no-defaults --user=nobody --datadir="$work/my" --bind-address=10.9.0.5 --socket="$work/my/s" --pid-file="$work/my/p" \
		--ssl-cert="$work/srv.crt" --ssl-key="$work/srv.key"
	sleep 3
	on srv mariadb --no-defaults -S "$work/my/s" -u root -e "create user lis@'%' identified by 'secret'"
	try on dev mariadb --no-defaults --skip-ssl -h 10.9.0.5 -u lis -psecret -e 'select 1'
	try on dev mariadb --no-defaults --skip-ssl -h 10.9.0.5 -u lis -pguess -e 'select 1'
	try on dev mariadb --no-defaults --ssl -h 10.9.0.5 -u lis -psecret -e 'select 1'
}

# TLS 1.2, which hides no certificate, behind a few words of other protocols: one long expired, and others signed by themselves.
make_starttls() {
	key root -subj '/O=Clinic/CN=Clinic root'
	at='2020-01-01' signed old root RSA /CN=old.clinic.example subjectAltName=DNS:old.clinic.example
	key srv -subj '/CN=archive.clinic.example'
	mkdir -p "$work/empty" "$work/ldap"
	chmod -R a+rX "$work"
	cat "$work/old.crt" "$work/old.key" >"$work/old.pem"
	printf 'listen=YES\nbackground=NO\nlocal_enable=YES\nsecure_chroot_dir=%s/empty\npam_service_name=other\nseccomp_sandbox=NO\nssl_enable=YES\nrsa_cert_file=%s/old.pem\n' \
		"$work" "$work" >"$work/vsftpd.conf"
	later srv vsftpd "$work/vsftpd.conf"
	printf 'include /etc/ldap/schema/core.schema\npidfile %s/slapd.pid\nTLSCertificateFile %s/srv.crt\nTLSCertificateKeyFile %s/srv.key\n' \
		"$work" "$work" "$work" >"$work/slapd.conf"
	later srv slapd -d 0 -f "$work/slapd.conf" -h ldap://10.9.0.5
	printf '[Globals]\nport=tcp://10.9.0.5:3389\ncertificate=%s/srv.crt\nkey_file=%s/srv.key\nsecurity_layer=tls\nssl_protocols=TLSv1.2\nfork=false\n[Logging]\nLogFile=%s/xrdp.log\n[Xorg]\nname=x\nlib=libxup.so\n' \
		"$work" "$work" "$work" >"$work/xrdp.ini"
	later srv xrdp --nodaemon -c "$work/xrdp.ini"
	later srv Xtigervnc :5 -interface 10.9.0.5 -rfbport 5900 -SecurityTypes X509None -X509Cert "$work/srv.crt" -X509Key "$work/srv.key" \
		-GnuTLSPriority NORMAL:-VERS-TLS1.3 -geometry 320x200
	later dev Xvfb :77 -nolisten tcp
	hello 10.9.0.5:21 -starttls ftp -tls1_2 -servername old.clinic.example
	hello 10.9.0.5:389 -starttls ldap -tls1_2 -servername archive.clinic.example
	DISPLAY=:77 try on dev timeout 4 rdesktop -u service 10.9.0.5 </dev/null
	DISPLAY=:77 try on dev timeout 4 xtigervncviewer -SecurityTypes X509None 10.9.0.5:0
}

# A job by LPD, to a server that takes everything, and one as it is.
make_print() {
	later srv python3 -c 'import socketserver
class Lpd(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            self.wfile.write(b"\0")
            if line[0] in (2, 3) and line[1:2].isdigit():
                self.rfile.read(int(line[1:].split()[0]) + 1)
                self.wfile.write(b"\0")
socketserver.ThreadingTCPServer(("10.9.0.5", 515), Lpd).serve_forever()'
	later srv socat -u TCP4-LISTEN:9100,fork OPEN:/dev/null
	printf 'bed 12\n' >"$work/job"
	try on dev rlpr -H 10.9.0.5 -P lp "$work/job"
	printf '\033%%-12345X@PJL ENTER LANGUAGE=PCL\r\n\033Ebed 12\014\033E\033%%-12345X' | on dev socat -u - TCP4:10.9.0.5:9100
	printf '^XA^FO50,50^FDbed 12^FS^XZ' | on dev socat -u - TCP4:10.9.0.5:9100
}

make_tftp() {
	mkdir -p "$work/tftp"
	seq 1 500 >"$work/tftp/firmware.bin"
	: >"$work/tftp/config.txt"
	chmod -R a+rwX "$work/tftp" "$work"
	later srv /usr/sbin/in.tftpd -L -a 10.9.0.5:69 -s "$work/tftp"
	(cd "$work" && on dev tftp 10.9.0.5 -m octet -c get firmware.bin && on dev tftp 10.9.0.5 -m octet -c put firmware.bin config.txt &&
		try on dev tftp 10.9.0.5 -m netascii -c get missing)
}

make_smb() {
	mkdir -p "$work/share" "$work/samba"
	seq 1 3000 >"$work/share/results.txt"
	chmod -R a+rwX "$work"
	printf '[global]\nworkgroup=CLINIC\nserver role=standalone server\nmap to guest=Bad User\nserver min protocol=NT1\nsmb ports=445\nlog level=0\nprivate dir=%s/samba\nlock directory=%s/samba\nstate directory=%s/samba\ncache directory=%s/samba\npid directory=%s/samba\nncalrpc dir=%s/samba/n\nlog file=%s/samba/log\ninterfaces=10.9.0.5\nbind interfaces only=yes\ndisable spoolss=yes\n[results]\npath=%s/share\nguest ok=yes\nread only=no\n' \
		"$work" "$work" "$work" "$work" "$work" "$work" "$work" "$work" >"$work/smb.conf"
	later srv smbd -F -s "$work/smb.conf"
	sleep 1
	for m in SMB3 SMB2_02 NT1; do
		try on dev smbclient -s /dev/null -N -m $m --option='client min protocol=NT1' //10.9.0.5/results \
			-c 'get results.txt /dev/null; put /etc/hostname new.txt; rename new.txt old.txt; del old.txt'
	done
	try on dev smbclient -s /dev/null -N -L 10.9.0.5
	try on dev smbclient -s /dev/null -U admin%wrong //10.9.0.5/results -c ls
}

# What SMB 1 does by paths: with and without Samba's extensions for Unix, and as LAN Manager's clients did.
make_smb1_paths() {
	mkdir -p "$work/share" "$work/samba"
	seq 1 30 >"$work/share/results.txt"
	chmod -R a+rwX "$work"
	printf '[global]\nworkgroup=CLINIC\nserver role=standalone server\nmap to guest=Bad User\nserver min protocol=LANMAN1\nsmb1 unix extensions=yes\nsmb ports=445\nlog level=0\nprivate dir=%s/samba\nlock directory=%s/samba\nstate directory=%s/samba\ncache directory=%s/samba\npid directory=%s/samba\nncalrpc dir=%s/samba/n\nlog file=%s/samba/log\ninterfaces=10.9.0.5\nbind interfaces only=yes\ndisable spoolss=yes\n[results]\npath=%s/share\nguest ok=yes\nread only=no\n' \
		"$work" "$work" "$work" "$work" "$work" "$work" "$work" "$work" >"$work/smb.conf"
	later srv smbd -F -s "$work/smb.conf"
	sleep 1
	for m in NT1 LANMAN2; do
		try on dev smbclient -s /dev/null -N -m $m --option='client min protocol=LANMAN1' //10.9.0.5/results \
			-c 'ls; allinfo results.txt; mkdir ward; hardlink results.txt ward\more.txt; rename ward\more.txt ward\less.txt; utimes results.txt -1 -1 -1 2026:01:02-03:04:05; get none.txt; del ward\less.txt; rmdir ward'
	done
	try on dev smbclient -s /dev/null -N -m NT1 --option='client min protocol=NT1' //10.9.0.5/results \
		-c 'posix; posix_mkdir bed 0755; posix_open bed/12.txt O_CREAT 0644; symlink bed/12.txt bed/now; stat bed/now; chmod 0600 bed/12.txt; posix_unlink bed/now; posix_unlink bed/12.txt; posix_rmdir bed'
}

# Nothing but negotiation and login is to be read of it.
make_smb3_sealed() {
	mkdir -p "$work/share" "$work/samba"
	seq 1 3000 >"$work/share/results.txt"
	chmod -R a+rwX "$work"
	printf '[global]\nworkgroup=CLINIC\nserver role=standalone server\nmap to guest=never\nsmb encrypt=required\nsmb ports=445\nlog level=0\npassdb backend=smbpasswd:%s/passwd\nprivate dir=%s/samba\nlock directory=%s/samba\nstate directory=%s/samba\ncache directory=%s/samba\npid directory=%s/samba\nncalrpc dir=%s/samba/n\nlog file=%s/samba/log\ninterfaces=10.9.0.5\nbind interfaces only=yes\ndisable spoolss=yes\n[results]\npath=%s/share\nread only=no\n' \
		"$work" "$work" "$work" "$work" "$work" "$work" "$work" "$work" "$work" >"$work/smb.conf"
	printf 'wardsecret\nwardsecret\n' | smbpasswd -c "$work/smb.conf" -s -a root >/dev/null
	later srv smbd -F -s "$work/smb.conf"
	sleep 1
	try on dev smbclient -s /dev/null -U root%wardsecret -m SMB3 //10.9.0.5/results \
		-c 'get results.txt /dev/null; put /etc/hostname new.txt; del new.txt'
	try on dev smbclient -s /dev/null -U root%wardsecret -m SMB2_02 //10.9.0.5/results -c ls
}

make_rdp() {
	key srv -subj '/CN=workstation'
	printf '[Globals]\nport=tcp://10.9.0.5:3389\ncrypt_level=high\ncertificate=%s/srv.crt\nkey_file=%s/srv.key\nsecurity_layer=negotiate\nfork=false\n[Logging]\nLogFile=%s/xrdp.log\nLogLevel=INFO\n[Xorg]\nname=x\nlib=libxup.so\nusername=ask\npassword=ask\nip=127.0.0.1\nport=-1\ncode=20\n' \
		"$work" "$work" "$work" >"$work/xrdp.ini"
	later srv xrdp --nodaemon -c "$work/xrdp.ini"
	on dev Xvfb :77 -nolisten tcp >/dev/null 2>&1 &
	sleep 1
	DISPLAY=:77 try on dev timeout 4 rdesktop -u service 10.9.0.5 </dev/null
	DISPLAY=:77 try on dev timeout 4 rdesktop -4 -u service 10.9.0.5 </dev/null
}

make_vnc() {
	echo 'wardpass' | vncpasswd -f >"$work/vnc"
	echo 'wrongone' | vncpasswd -f >"$work/vnc2"
	later srv Xtigervnc :5 -interface 10.9.0.5 -rfbport 5900 -SecurityTypes VncAuth -PasswordFile "$work/vnc" -geometry 320x200
	later srv Xtigervnc :6 -interface 10.9.0.5 -rfbport 5901 -SecurityTypes None -geometry 320x200
	try on dev timeout 5 vncsnapshot -passwd "$work/vnc" -quiet 10.9.0.5:0 "$work/a.jpg"
	try on dev timeout 5 vncsnapshot -passwd "$work/vnc2" -quiet 10.9.0.5:0 "$work/b.jpg"
	try on dev timeout 5 vncsnapshot -quiet 10.9.0.5:1 "$work/c.jpg"
}

make_sip() {
	later srv sipp -sn uas -i 10.9.0.5 -p 5060 -bg
	try on dev timeout 15 sipp -sn uac -i 10.9.1.12 -p 5060 -s nurse-station-3 -m 2 -r 5 -d 200 10.9.0.5:5060
	try on srv timeout 10 sipp -sn uas -i 10.9.0.5 -p 5070 -t t1 -bg
	try on dev timeout 10 sipp -sn uac -i 10.9.1.12 -s bed-7 -m 1 -d 200 -t t1 10.9.0.5:5070
}

make_syslog() {
	later srv socat -u UDP4-RECVFROM:514,fork OPEN:/dev/null
	later srv socat -u TCP4-LISTEN:601,fork,reuseaddr OPEN:/dev/null
	on dev logger -n 10.9.0.5 -P 514 -d --rfc3164 -p local0.warn -t pump 'battery low, bed 7'
	on dev logger -n 10.9.0.5 -P 514 -d --rfc5424=notq -p auth.crit -t pump --id=77 'door opened'
	on dev logger -n 10.9.0.5 -P 601 -T --octet-count --rfc5424 -p daemon.info -t monitor 'started'
	printf '<165>Nov 25 10:00:00 pump-7 infusion[12]: rate set\n<30>Nov 25 10:00:01 pump-7 infusion[12]: done\n' |
		on dev socat -t 1 - TCP4:10.9.0.5:601
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
	try on srv udhcpc -q -n -t 2 -T 1 -i eth -s /bin/true
}

# Two servers, each of which would have traffic sent its own way.
make_second_dhcp() {
	make_dhcp
	printf 'start 10.9.1.200\nend 10.9.1.210\ninterface eth\nlease_file %s/leases2\npidfile %s/pid2\noption subnet 255.255.0.0\noption router 10.9.1.66\noption dns 10.9.1.66\n' "$work" "$work" >"$work/evil.conf"
	touch "$work/leases2"
	later evil udhcpd -f "$work/evil.conf"
	for i in 1 2; do try on dev udhcpc -q -n -t 3 -T 1 -i eth -s /bin/true; sleep 3; done
}

# lead6 NODE NETWORK::: advertises itself as IPv6's way out and gives addresses, of names, too, by DHCPv6.
lead6() {
	on "$1" ip addr add "$2"1/64 dev eth nodad
	later "$1" dnsmasq -k -i eth --bind-interfaces --port=0 -u root -C /dev/null --dhcp-leasefile="$work/leases-$1" -x "$work/pid-$1" --enable-ra \
		--dhcp-range="$2"100,"$2"200,64,1h --dhcp-option="option6:dns-server,[${2}53]"
}

# Two of these, each of which would have traffic go its own way.
make_second_router() {
	for n in dev evil srv; do on $n sysctl -qw net.ipv6.conf.eth.disable_ipv6=0; done
	sleep 2
	lead6 dev fd00:9::
	for i in 1 2; do
		try on srv timeout 10 dhclient -6 -1 -sf /bin/true -lf "$work/leases6.$i" -pf "$work/pid6" eth
		[ $i = 2 ] || { lead6 evil fd00:66::; kill "$(cat "$work/pid-dev")"; sleep 1; }
	done
	for n in dev evil srv; do on $n sysctl -qw net.ipv6.conf.eth.disable_ipv6=1; done
}

# Machines ask for a router and a server by IPv6, and nobody answers; an hour later somebody does, as mitm6 would.
make_first_router() {
	for n in dev evil srv; do on $n sysctl -qw net.ipv6.conf.eth.disable_ipv6=0; done
	sleep 2
	try on dev timeout 15 dhclient -6 -1 -sf /bin/true -lf "$work/leases6" -pf "$work/pid6" eth
	waited=$(date +%s%N)
	lead6 srv fd00:66::
	try on dev timeout 10 dhclient -6 -1 -sf /bin/true -lf "$work/leases6" -pf "$work/pid6" eth
	for n in dev evil srv; do on $n sysctl -qw net.ipv6.conf.eth.disable_ipv6=1; done
}

# A server of Windows' names that answers for its own, and a machine that answers for everybody's.
make_names_poisoned() {
	mkdir -p "$work/samba"
	printf '[global]\nworkgroup=CLINIC\nnetbios name=ARCHIVE\ninterfaces=10.9.0.5/16\nbind interfaces only=yes\nlog level=0\nprivate dir=%s/samba\nlock directory=%s/samba\nstate directory=%s/samba\ncache directory=%s/samba\npid directory=%s/samba\nncalrpc dir=%s/samba/n\nlog file=%s/samba/log\n' \
		"$work" "$work" "$work" "$work" "$work" "$work" "$work" >"$work/smb.conf"
	later srv nmbd -F -s "$work/smb.conf"
	sleep 2
	for n in ARCHIVE CLINIC#1b CLINIC __SAMBA__; do try on dev nmblookup -s /dev/null -B 10.9.255.255 "$n"; done
	later evil ./poison.py answer 10.9.1.66
	on srv ip route add 224.0.0.0/4 dev eth
	for n in WPAD FILES PRINTER; do try on srv nmblookup -s /dev/null -B 10.9.255.255 "$n"; done
	try on srv ./poison.py ask wpad scanner pacs files mail
}

make_port_scan() { on srv nmap -n -Pn -sS -F --max-retries 0 -T4 10.9.1.12 >/dev/null; }
make_port_scan_policy() { on evil nmap -n -Pn -sS -F --max-retries 0 -T4 10.9.0.5 >/dev/null; }

make_sweep() {
	on evil ip addr add 10.9.1.67/16 dev eth
	for i in $(seq 1 30); do on srv ip addr add 10.9.2.$i/16 dev eth; done
	on evil nmap -n -Pn -sS -p445 --max-retries 0 -T4 10.9.2.1-30 >/dev/null
}

cases="http udp-echo icmp-unreachable ping-fragments ipv6 dicom dicom-store dicom-query dicom-worklist dicom-print dicom-orthanc dicom-services
	dicom-hostile hl7 hl7-forbidden hl7-http hl7-inside mqtt telnet dhcp rogue-dhcp second-dhcp names-poisoned port-scan port-scan-policy sweep"
cases="$cases tls dtls http-talk dns ssh telnet-login ftp tftp ldap mail database starttls print smb rdp vnc sip syslog"
cases="$cases mqtt5 mqtt-websocket modbus snmp astm poct1a coap bacnet sdc"
cases="$cases dns-records certificates tls-hybrid dtls-gnutls dtls-fragments coaps coap-tcp snmp3 snmp-tcp smb3-sealed smb1-paths second-router first-router"
build
# shellcheck disable=SC2086 # words
[ $# != 0 ] || set -- $cases
for case; do record "$case"; done
