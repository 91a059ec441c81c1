#!/usr/bin/env bash
# Every door of the gateway that speaks TLS or DTLS, tried the way scanners try them: console, EST,
# a relay, a relay that takes TLS 1.2, the sealed link. What is refused, what is agreed on, what is
# shown. All by openssl, which offers anything; then by nmap's own list of suites.
# usage: test/e2e/doors.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwo$$
as=doors
. "$(dirname "$self")/lib.sh"
. "$(dirname "$self")/tls.sh"

inside doors -n -m -p -f --mount-proc
needs doors openssl python3
stage
policy >bw.yaml
open_doors

# takes PORT OPTION ITEM...: those of the list that it takes, one at a time.
takes() {
	local port=$1 option=$2 one; shift 2
	for one; do
		hello "$port" $more "$option" "$one" && printf '%s ' "$one"
	done
}
only() { # TEXT TAKEN PATTERN: something, and nothing that the pattern does not know
	local odd; odd=$(tr ' ' '\n' <<<"$2" | grep -vE "^($3)?$" | tr '\n' ' ')
	if [ -n "$2" ] && [ -z "$odd" ]; then ok "$1: $2"; else not "$1: takes '$2'"; fi
}

suites13="TLS_AES_256_GCM_SHA384 TLS_AES_128_GCM_SHA256 TLS_CHACHA20_POLY1305_SHA256 TLS_AES_128_CCM_SHA256 TLS_AES_128_CCM_8_SHA256"
groups="X25519 P-256 P-384 P-521 X448 secp224r1 prime192v1 secp256k1 sect283k1 ffdhe2048 ffdhe8192"
weak=$(openssl ciphers -s -tls1_2 'ALL:COMPLEMENTOFALL:@SECLEVEL=0' | tr ':' '\n' | grep -v '^TLS_')
for door in console:8443 EST:8085 relay:6663 old-relay:7009; do
	name=${door%:*} port=${door#*:} more=
	check "$name: TLS 1.3 is spoken" hello $port -tls1_3
	grep -q 'Peer signature type: ECDSA' said && grep -q 'Compression: NONE' said && grep -q 'Early data was not sent' said
	check "$name: signed by ECDSA, not compressed" [ $? = 0 ]
	for v in ssl3 tls1 tls1_1; do fails "$name: $v is refused" hello $port -$v -cipher 'ALL:@SECLEVEL=0'; done
	[ $name = old-relay ] || fails "$name: TLS 1.2 is refused" hello $port -tls1_2 -cipher 'ALL:COMPLEMENTOFALL:@SECLEVEL=0'
	more=-tls1_3
	only "$name: suites of TLS 1.3" "$(takes $port -ciphersuites $suites13)" 'TLS_(AES_256_GCM_SHA384|AES_128_GCM_SHA256|CHACHA20_POLY1305_SHA256)'
	only "$name: groups" "$(takes $port -groups $groups)" 'X25519|P-(256|384)'
	fails "$name: SHA-1 signs nothing" hello $port -tls1_3 -sigalgs RSA+SHA1:ECDSA+SHA1
	(sleep 0.4) | timeout 5 openssl s_client -connect 127.0.0.1:$port -CAfile ca.pem -cert pump.pem -key pump.key -tls1_3 >said 2>&1
	fails "$name: no ticket, and nothing to resume by" grep -Eq 'TLS session ticket:|Max Early Data: [1-9]' said
	# What it shows.
	openssl s_client -connect 127.0.0.1:$port </dev/null 2>/dev/null | openssl x509 >shown.pem 2>/dev/null
	openssl x509 -in shown.pem -noout -text >shown
	check "$name: the certificate is of P-256 and SHA-256, and names it in subjectAltName" \
		bash -c "grep -q 'ASN1 OID: prime256v1' shown && grep -q 'ecdsa-with-SHA256' shown && grep -q 'Subject Alternative Name' shown && grep -q 'TLS Web Server Auth' shown"
	check "$name: in its time, for at most 398 days, of no authority" \
		bash -c "openssl x509 -in shown.pem -noout -checkend 86400 && ! openssl x509 -in shown.pem -noout -checkend $((398 * 86400)) && ! grep -q 'CA:TRUE' shown"
	check "$name: who speaks in the clear is not answered in the clear" python3 - $port <<-'P'
	import socket, sys
	s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
	s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	got = b""
	try:
	    while True:
	        d = s.recv(4096)
	        if not d: break
	        got += d
	except OSError: pass
	assert not got or (got[0] == 21 and len(got) <= 14), got
	P
done

# Where TLS 1.2 is taken: every suite that openssl has.
more=-tls1_2
taken=$(for c in $weak; do hello 7009 -tls1_2 -cipher "$c:@SECLEVEL=0" && printf '%s ' "$c"; done)
only "old-relay: of $(wc -w <<<"$weak") suites of TLS 1.2" "$taken" 'ECDHE-ECDSA-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)'
fails "old-relay: a client that fell back is told so (RFC 7507)" hello 7009 -tls1_2 -fallback_scsv
grep -q 'inappropriate fallback' said
check "old-relay: in those words" [ $? = 0 ]
hello 7009 -tls1_2
check "old-relay: renegotiation is the secure one (RFC 5746), the master secret the extended one (RFC 7627)" \
	bash -c "grep -q 'Secure Renegotiation IS supported' said && grep -q 'Extended master secret: yes' said"
(printf 'R\n'; sleep 1) | timeout 4 openssl s_client -connect 127.0.0.1:7009 -CAfile ca.pem -cert pump.pem -key pump.key -tls1_2 >said 2>&1
check "old-relay: and refused" grep -Eq 'no renegotiation|RENEGOTIATING' said
fails "old-relay: none takes place" grep -q 'verify return:1.*RENEG' <(tr '\n' ' ' <said | sed 's/.*RENEGOTIATING/RENEG/; s/^\(RENEG.*\)verify return:1/verify return:1 RENEG/')
hello 7009 -tls1_2 -sess_out sess; hello 7009 -tls1_2 -sess_in sess
fails "old-relay: nothing is resumed" grep -q '^Reused' said

# The link, by DTLS: whether it goes on to ServerHello is the question.
check "link: DTLS 1.2 is spoken" goes_on -dtls1_2
check "link: behind a cookie" grep -qi 'hello verify request' said
check "link: and asks for a certificate" grep -q 'read server certificate request' said
fails "link: DTLS 1.0 is refused" goes_on -dtls1 -cipher 'ALL:@SECLEVEL=0'
# One at a time would wait for each that is not answered: what it must not take is offered together.
bad=$(printf '%s\n' $weak | grep -vE '^ECDHE-ECDSA-(AES(128|256)-GCM|CHACHA20)' | paste -sd:)
fails "link: none of $(tr ':' '\n' <<<"$bad" | wc -l) other suites" goes_on -dtls1_2 -cipher "$bad:@SECLEVEL=0"
for c in ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-CHACHA20-POLY1305; do
	check "link: $c" goes_on -dtls1_2 -cipher $c
done
fails "link: a client that SHA-1 is enough for gets nothing" goes_on -dtls1_2 -sigalgs ECDSA+SHA1:RSA+SHA1
goes_on -dtls1_2
fails "link: a certificate that is no peer's is not taken" grep -q 'negotiation finished' said

# nmap has its own list of suites and its own mind on them.
if command -v nmap >/dev/null && [ -f /usr/share/nmap/scripts/ssl-enum-ciphers.nse ]; then
	nmap -n -Pn -p 8443,8085,6663,7009 --script ssl-enum-ciphers 127.0.0.1 >nmap 2>&1
	check "nmap finds nothing below TLS 1.2" bash -c "! grep -qE 'SSLv|TLSv1\.[01]' nmap"
	check "nmap finds TLS 1.2 at the old relay alone, and grades all of it A" \
		bash -c "[ \$(grep -c 'TLSv1.2:' nmap) = 1 ] && grep -q 'least strength: A' nmap && ! grep -qE ' - [B-F]\$' nmap"
	fails "nmap warns of nothing" grep -q 'warnings:' nmap
else
	echo "skip - doors: nmap's list of suites: nmap is not there"
fi
[ $failed = 0 ] || tail -20 log
exit $failed
