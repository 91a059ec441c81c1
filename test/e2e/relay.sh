#!/usr/bin/env bash
# A gateway that relays between the clear and TLS, and an authority that machines enrol
# with, on one machine's loopback, against real peers in both roles: openssl, stunnel,
# DCMTK, mosquitto, an MLLP client, curl as an EST client; then those who must not get in.
# usage: test/e2e/relay.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
hellos=$(realpath test/e2e/hellos.py)
id=bwr$$ spaces="" as=relay
. "$(dirname "$self")/lib.sh"

inside "relay end to end" -n -m -p -f --mount-proc
needs "relay end to end" openssl python3 curl
has() { command -v "$1" >/dev/null || { echo "skip - relay: $2: $1 is not there"; return 1; }; }
workdir
trap 'kill $(jobs -p) 2>/dev/null; wait 2>/dev/null; cleanup' EXIT
# listening PORT...: somebody does, at each of them.
listens() { local p; for p; do [ -n "$(ss -ltnH "( sport = :$p )")" ] || return 1; done; }
listening() { until_ms 10000 listens "$@" >/dev/null; }
ip link set lo up
for i in w h; do ip link add ${i}0 type veth peer name ${i}1 && ip link set ${i}0 up && ip link set ${i}1 up; done

cat >"$dir/bw.yaml" <<Y
gateway: {name: gw.ward.example, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf, capture: packet, eve_file: eve.json}
segments: [{name: icu, ward: w0, hospital: h0}]
console: {on: no}
pki: {names: [gw.ward.example, 127.0.0.1], est: "127.0.0.1:8085"}
hosts: [{name: lis, ip: [127.0.0.1]}]
relays:
  - {name: hl7-out, listen: "127.0.0.1:2575", connect: "lis:6661", tls: out, from: [127.0.0.1], names: [lis.example],
     app: hl7, allow: ["message_type=ORU^*"]}
  - {name: hl7-in, listen: "127.0.0.1:6663", connect: "127.0.0.1:6664", tls: in, app: hl7}
  - {name: dicom-out, listen: "127.0.0.1:1104", connect: "127.0.0.1:2762", tls: out, from: [127.0.0.1], names: [lis.example], tls12: yes}
  - {name: dicom-in, listen: "127.0.0.1:2763", connect: "127.0.0.1:1105", tls: in, tls12: yes}
  - {name: mqtt-out, listen: "127.0.0.1:1884", connect: "127.0.0.1:8883", tls: out, from: [127.0.0.1], names: [lis.example]}
  - {name: mqtt-in, listen: "127.0.0.1:8884", connect: "127.0.0.1:1883", tls: in}
  - {name: named, listen: "127.0.0.1:7001", connect: "127.0.0.1:6664", tls: in, names: [pump-1]}
  - {name: pinned, listen: "127.0.0.1:7002", connect: "127.0.0.1:6661", tls: out, from: [127.0.0.1], ca: none, pin: [PIN]}
  - {name: foreign, listen: "127.0.0.1:7003", connect: "127.0.0.1:6664", tls: in, ca: $dir/hospital.pem}
  - {name: late, listen: "127.0.0.1:7004", connect: "127.0.0.1:6664", tls: in, ca: $dir/hospital.pem, fail: open}
  - {name: proxied, listen: "127.0.0.1:7005", connect: "127.0.0.1:6665", tls: in, proxy: both}
  - {name: wrong-server, listen: "127.0.0.1:7006", connect: "127.0.0.1:6661", tls: out, from: [127.0.0.1], names: [other.example]}
  - {name: barred, listen: "127.0.0.1:7007", connect: "127.0.0.1:6664", tls: out, from: [10.9.9.9]}
  - {name: old, listen: "127.0.0.1:7009", connect: "127.0.0.1:6664", tls: in, tls12: yes}
  - {name: syslog-out, listen: "127.0.0.1:1514", connect: "127.0.0.1:6514", tls: out, from: [127.0.0.1], names: [lis.example]}
  - {name: syslog-in, listen: "127.0.0.1:6515", connect: "127.0.0.1:1515", tls: in}
  - {name: s-out, listen: "127.0.0.1:7011", connect: "127.0.0.1:6671", tls: out, from: [127.0.0.1], names: [lis.example]}
  - {name: slow, listen: "127.0.0.1:7012", connect: "127.0.0.1:6666", tls: out, from: [127.0.0.1], names: [lis.example]}
  - {name: slow-in, listen: "127.0.0.1:7013", connect: "127.0.0.1:6667", tls: in, verify: server}
  - {name: crowd, listen: "127.0.0.1:7014", connect: "127.0.0.1:6668", tls: in, verify: server, connections: 12000}
  - {name: to-nginx, listen: "127.0.0.1:7015", connect: "127.0.0.1:6669", tls: out, from: [127.0.0.1], names: [lis.example], proxy: out}
  - {name: behind, listen: "127.0.0.1:7016", connect: "127.0.0.1:6672", tls: in, proxy: both}
  - {name: taken, listen: "127.0.0.1:7017", connect: "127.0.0.1:6664", tls: in, verify: server}
  - {name: oneway, listen: "127.0.0.1:7008", connect: "127.0.0.1:6664", tls: in, verify: server}
Y
cd "$dir" || exit 1

# --- a hospital's own authority, beforehand -----------------------------------
ec() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "$@" 2>/dev/null; }
ec -x509 -keyout hospital.key -out hospital.pem -subj "/CN=hospital" -days 30
foreign() { # NAME EXTENSIONS OPTIONS...: signed by the hospital
	local name=$1 ext=$2
	shift 2
	ec -keyout "$name.key" -out "$name.csr" -subj "/CN=$name"
	openssl x509 -req -in "$name.csr" -CA hospital.pem -CAkey hospital.key -out "$name.pem" "$@" \
		-extfile <(printf '%s\n' "$ext") 2>/dev/null
}
client=extendedKeyUsage=clientAuth
foreign good $client -days 2
foreign server-only extendedKeyUsage=serverAuth -days 2
ec -keyout lis.key -out lis.csr -subj "/CN=lis.example"
pin=sha256/$(openssl req -in lis.csr -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64)
sed -i "s|PIN|\"$pin\"|" bw.yaml
# A certificate that is over, or not yet begun: openssl ca takes dates.
mkdir ca && : >ca/index.txt && echo 01 >ca/serial
cat >ca/conf <<C
[ca]
default_ca=d
[d]
database=$dir/ca/index.txt
serial=$dir/ca/serial
new_certs_dir=$dir/ca
certificate=$dir/hospital.pem
private_key=$dir/hospital.key
default_md=sha256
policy=p
default_crl_days=5
[p]
commonName=supplied
[e]
extendedKeyUsage=clientAuth
C
dated() { # NAME FROM TO
	ec -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
	openssl ca -batch -config ca/conf -in "$1.csr" -out "$1.pem" -startdate "$2" -enddate "$3" -extensions e -notext >/dev/null 2>&1
}
dated over 20200101000000Z 20210101000000Z
dated early 20900101000000Z 20910101000000Z
dated revoked 20200101000000Z 20900101000000Z
openssl ca -batch -config ca/conf -revoke revoked.pem >/dev/null 2>&1
openssl ca -batch -config ca/conf -gencrl >>hospital.pem 2>/dev/null

contexts() { cat /proc/sys/fs/aio-nr 2>/dev/null || echo 0; }
python3 -c 'import socket, time; s = socket.create_server(("127.0.0.1", 7017)); time.sleep(3600)' &
until_ms 10000 listens 7017 >/dev/null
before=$(contexts)
"$bw" run -c bw.yaml >log 2>&1 &
gw=$!
pki() { "$bw" pki "$@" -c bw.yaml; }
shown() { pki show >/dev/null 2>&1; }
until_ms 10000 shown >/dev/null
pki show >ca.pem 2>/dev/null
check "an authority is made when it is needed" grep -q BEGIN ca.pem
pki issue lis.example --profile server --csr lis.csr -o lis.pem
check "a server's certificate is issued for its request" openssl verify -CAfile ca.pem lis.pem
sed -i '/BEGIN/,$!d' lis.pem

# --- EST (RFC 7030) with curl and openssl -------------------------------------
est=https://127.0.0.1:8085/.well-known/est
ask() { curl -sS --max-time 10 --cacert ca.pem "$@"; }
certs() { openssl base64 -d -A | openssl pkcs7 -inform DER -print_certs; }
ask $est/cacerts | certs >est-ca.pem 2>/dev/null
check "EST cacerts gives the authority" diff <(openssl x509 -in est-ca.pem -outform DER) <(openssl x509 -in ca.pem -outform DER)
ec -keyout pump-1.key -out pump-1.csr -subj "/CN=pump-1" -addext subjectAltName=DNS:pump-1
openssl req -in pump-1.csr -outform DER | openssl base64 >pump-1.b64
enrol() { # CODE FILE [OPTIONS]
	ask -u "x:$1" -H 'Content-Type: application/pkcs10' --data-binary @"$2" "${@:3}" $est/simpleenroll
}
status() { enrol "$@" -o /dev/null -w '%{http_code}'; }
code=$(pki code pump-1 2>/dev/null)
check "a code is made" grep -Eq '^[A-Z2-9]{4}-[A-Z2-9]{4}-[A-Z2-9]{4}$' <<<"$code"
check "a wrong code is refused (401)" [ "$(status AAAA-BBBB-CCCC pump-1.b64)" = 401 ]
check "no code is refused (401)" [ "$(ask -o /dev/null -w '%{http_code}' -H 'Content-Type: application/pkcs10' --data-binary @pump-1.b64 $est/simpleenroll)" = 401 ]
ec -keyout evil.key -out evil.csr -subj "/CN=pump-1" -addext subjectAltName=DNS:lis.example
openssl req -in evil.csr -outform DER | openssl base64 >evil.b64
check "another's name in a request is refused (403)" [ "$(status "$code" evil.b64)" = 403 ]
openssl req -newkey rsa:1024 -nodes -keyout weak.key -out weak.csr -subj /CN=pump-1 2>/dev/null
openssl req -in weak.csr -outform DER | openssl base64 >weak.b64
check "a weak key is refused (400)" [ "$(status "$code" weak.b64)" = 400 ]
head -c 40000 /dev/urandom | openssl base64 >huge.b64
check "a huge request is refused (413)" [ "$(status "$code" huge.b64)" = 413 ]
check "and who sends all of it before listening hears that (413)" python3 -c "
import socket, ssl
s = ssl.create_default_context(cafile='ca.pem').wrap_socket(socket.create_connection(('127.0.0.1', 8085)), server_hostname='127.0.0.1')
s.sendall(b'POST /.well-known/est/simpleenroll HTTP/1.1\r\nContent-Length: 900000\r\n\r\n' + bytes(900000))
assert b' 413 ' in s.recv(100)"
check "a request of another kind is refused (415)" [ "$(ask -u "x:$code" -o /dev/null -w '%{http_code}' --data-binary @pump-1.b64 $est/simpleenroll)" = 415 ]
check "another path is not there (404)" [ "$(ask -o /dev/null -w '%{http_code}' $est/csrattrs)" = 404 ]
enrol "$code" pump-1.b64 | certs >pump-1.pem 2>/dev/null
check "EST simpleenroll gives a certificate for a code" openssl verify -CAfile ca.pem pump-1.pem
check "a code is good once" [ "$(status "$code" pump-1.b64)" = 403 ]
again() { ask "$@" -H 'Content-Type: application/pkcs10' --data-binary @pump-1.b64 $est/simplereenroll; }
again --cert pump-1.pem --key pump-1.key | certs >pump-1b.pem 2>/dev/null
check "EST simplereenroll gives the next by the present one" openssl verify -CAfile ca.pem pump-1b.pem
check "and another serial" [ "$(openssl x509 -in pump-1.pem -noout -serial)" != "$(openssl x509 -in pump-1b.pem -noout -serial)" ]
check "without a certificate there is no next (401)" [ "$(again -o /dev/null -w '%{http_code}')" = 401 ]
fails "EST does not take a foreign certificate" again -f --cert good.pem --key good.key

# One machine's crowd keeps no other one waiting.
python3 - <<'P' &
import socket, time
held = []
for _ in range(300):
    s = socket.socket()
    s.bind(("127.0.9.9", 0))
    s.connect(("127.0.0.1", 8085))
    held.append(s)
open("crowded", "w")
time.sleep(60)
P
crowd=$!
until_ms 10000 test -e crowded >/dev/null
check "with 300 connections of one machine another one is served" [ "$(ask -m 3 $est/cacerts | certs 2>/dev/null | grep -c BEGIN)" = 1 ]
kill $crowd
wait $crowd 2>/dev/null

# --- clear servers ---------------------------------------------------------------
cat >servers.py <<'P'
import socket, threading
def serve(port, fn):
    s = socket.create_server(("127.0.0.1", port), backlog=64)
    def run():
        while True: threading.Thread(target=fn, args=(s.accept()[0],), daemon=True).start()
    threading.Thread(target=run, daemon=True).start()
def mllp(c):
    data = b""
    while True:
        d = c.recv(65536)
        if not d: break
        data += d
        while b"\x1c\r" in data:
            m, data = data.split(b"\x1c\r", 1)
            open("received", "ab").write(m + b"\n")
            i = m.split(b"|")[9]
            c.sendall(b"\x0bMSH|^~\\&|LIS|H|A|W|20260101||ACK|" + i + b"|P|2.5\rMSA|AA|" + i + b"\r\x1c\r")
    c.sendall(b"\x0bMSH|^~\\&|LIS|H|A|W|20260101||ACK|bye|P|2.5\rMSA|AA|bye\r\x1c\r")
    c.close()
def head(c):
    h = c.recv(16)
    n = int.from_bytes(h[14:16], "big")
    a = c.recv(n)
    ok = h[:12] == b"\r\n\r\n\0\r\nQUIT\n" and h[12:14] == b"\x21\x11" and a[:4] == bytes([10, 1, 2, 3])
    c.sendall(b"proxied" if ok else b"wrong")
    c.close()
serve(6662, mllp)
serve(6664, mllp)
serve(6665, head)
threading.Event().wait()
P
python3 servers.py &
cat >send.py <<'P'
import socket, ssl, sys
port, kind = int(sys.argv[1]), sys.argv[2]
c = socket.create_connection(("127.0.0.1", port), 5)
c.settimeout(5)
if len(sys.argv) > 3:
    ctx = ssl.create_default_context(cafile="ca.pem")
    ctx.load_cert_chain(sys.argv[3] + ".pem", sys.argv[3] + ".key")
    c = ctx.wrap_socket(c, server_hostname="gw.ward.example")
m = ("MSH|^~\\&|A|W|LIS|H|20260101||%s|c1|P|2.5\rPID|1||X\rOBX|1|NM|1^HR||72\r" % kind).encode()
c.sendall(b"\x0b" + m + b"\x1c\r")
got = c.recv(65536)
sys.exit(0 if b"MSA|AA|c1" in got else 1)
P
listening 6662 6664 6665
has stunnel "stunnel as TLS server" && {
	printf 'foreground=yes\npid=\n[hl7]\naccept=127.0.0.1:6661\nconnect=127.0.0.1:6662\ncert=lis.pem\nkey=lis.key\nCAfile=ca.pem\nverifyChain=yes\n' >stunnel.conf
	stunnel stunnel.conf >stunnel.log 2>&1 &
	listening 6661
	check "MLLP in the clear reaches stunnel by TLS, and its answer comes back" python3 send.py 2575 ORU^R01
	check "what arrived is what was sent" grep -aq 'OBX|1|NM|1^HR||72' received
	fails "a message that is not allowed does not pass" python3 send.py 2575 ADT^A01
	fails "and never goes on whole" grep -aq ADT received
	check "a pinned key will do without an authority" python3 send.py 7002 ORU^R01
	fails "a server of another name is not spoken to" python3 send.py 7006 ORU^R01
}
fails "who may not use a relay is not let in" python3 send.py 7007 ORU^R01

# --- TLS where it listens ------------------------------------------------------------
check "an MLLP client by TLS 1.3, with its certificate" python3 send.py 6663 ORU^R01 pump-1
cp pump-1.key pump-1b.key
check "old and new certificate overlap" python3 send.py 6663 ORU^R01 pump-1b
check "a name that is asked for is there" python3 send.py 7001 ORU^R01 pump-1
fails "a valid certificate of another name is refused" python3 send.py 7001 ORU^R01 lis
fails "one of another authority is refused" python3 send.py 6663 ORU^R01 good
check "a hospital's own authority is believed where it is named" python3 send.py 7003 ORU^R01 good
for who in server-only over early revoked pump-1; do
	fails "$who: not where the hospital's authority decides" python3 send.py 7003 ORU^R01 $who
done
check "fail mode open: one that is over still counts" python3 send.py 7004 ORU^R01 over
fails "but not one that was revoked" python3 send.py 7004 ORU^R01 revoked
sclient() { timeout 5 openssl s_client -connect "127.0.0.1:$1" -CAfile ca.pem "${@:2}" </dev/null; }
sclient_quiet() { (cat; sleep 1) | timeout 5 openssl s_client -quiet -connect 127.0.0.1:6515 -CAfile ca.pem -cert pump-1.pem -key pump-1.key >/dev/null 2>&1; }
with="-cert pump-1.pem -key pump-1.key -verify_return_error -verify_hostname gw.ward.example"
# shellcheck disable=SC2086
check "openssl s_client verifies the gateway" sclient 6663 $with
for v in ssl3 tls1 tls1_1 tls1_2; do
	# shellcheck disable=SC2086
	fails "$v is refused" sclient 6663 $with -$v -cipher 'DEFAULT@SECLEVEL=0'
done
# shellcheck disable=SC2086
check "TLS 1.2 where it is asked for, with ECDHE and an AEAD" sclient 7009 $with -tls1_2
for c in AES128-SHA AES128-GCM-SHA256 ECDHE-ECDSA-AES128-SHA256 DHE-RSA-AES128-GCM-SHA256 NULL-SHA256; do
	# shellcheck disable=SC2086
	fails "but not $c" sclient 7009 $with -tls1_2 -cipher "$c@SECLEVEL=0"
done
# shellcheck disable=SC2086
fails "renegotiation is refused" grep -q 'RENEGOTIATING' <(printf 'R\n' | timeout 3 openssl s_client -connect 127.0.0.1:7009 -CAfile ca.pem $with -tls1_2 2>&1 | grep -A3 RENEGOTIATING | grep 'verify return')
# shellcheck disable=SC2086
fails "no ticket is given" grep -q 'Session-ID-ctx\|TLS session ticket:' <(sclient 6663 $with 2>/dev/null)
# Every listener, by hellos that no library would send.
for at in 2763:12 6515:13 6663:13 7001:13 7003:13 7004:13 7008:13 7009:12 7013:13 7014:13 8085:13 8884:13; do
	wrong=$(timeout 20 python3 "$hellos" "${at%:*}" "${at#*:}" 2>&1) && [ -z "$wrong" ] && ok "port ${at%:*}: nothing old or weak is answered" ||
		not "port ${at%:*}: $wrong"
done
fails "no certificate, no connection" python3 - <<'P'
import socket, ssl
ctx = ssl.create_default_context(cafile="ca.pem")
c = ctx.wrap_socket(socket.create_connection(("127.0.0.1", 6663)), server_hostname="gw.ward.example")
c.settimeout(5)
c.sendall(b"\x0bMSH|^~\\&|A|W|LIS|H|20260101||ORU^R01|c1|P|2.5\r\x1c\r")
assert c.recv(100)
P
check "verify: server asks no certificate" timeout 5 python3 - <<'P'
import socket, ssl
ctx = ssl.create_default_context(cafile="ca.pem")
c = ctx.wrap_socket(socket.create_connection(("127.0.0.1", 7008)), server_hostname="gw.ward.example")
c.sendall(b"\x0bMSH|^~\\&|A|W|LIS|H|20260101||ORU^R01|c1|P|2.5\r\x1c\r")
assert b"c1" in c.recv(1000)
P
check "a direction that ended leaves the other open" timeout 5 python3 - <<'P'
import socket, ssl
raw = socket.create_connection(("127.0.0.1", 6663))
ctx = ssl.create_default_context(cafile="ca.pem")
ctx.load_cert_chain("pump-1.pem", "pump-1.key")
i, o = ssl.MemoryBIO(), ssl.MemoryBIO()
t = ctx.wrap_bio(i, o, server_hostname="gw.ward.example")
def pump(fn, *a):
    while True:
        try:
            r = fn(*a)
            raw.sendall(o.read())
            return r
        except ssl.SSLWantReadError:
            raw.sendall(o.read())
            d = raw.recv(65536)
            i.write(d) if d else i.write_eof()
pump(t.do_handshake)
try: t.unwrap()
except ssl.SSLWantReadError: pass
raw.sendall(o.read())
raw.shutdown(socket.SHUT_WR)
d = b""
while True:
    x = raw.recv(65536)
    if not x: break
    d += x
# The farewell of the server behind the relay, as a record: more than an alert.
assert len(d) > 60, len(d)
P
check "the PROXY header is taken in and passed on" timeout 5 python3 - <<'P'
import socket, ssl
ctx = ssl.create_default_context(cafile="ca.pem")
ctx.load_cert_chain("pump-1.pem", "pump-1.key")
raw = socket.create_connection(("127.0.0.1", 7005))
raw.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([10, 1, 2, 3, 10, 1, 2, 4, 0x12, 0x34, 0x56, 0x78]))
c = ctx.wrap_socket(raw, server_hostname="gw.ward.example")
assert c.recv(100) == b"proxied"
P
fails "and who sends none is refused" sclient 7005
has haproxy "the PROXY header from HAProxy" && {
	cat >haproxy.conf <<-H
		defaults
		    mode tcp
		    timeout connect 5s
		    timeout client 5s
		    timeout server 5s
		listen front
		    bind 127.0.0.1:6673
		    server relay 127.0.0.1:7016 send-proxy-v2
	H
	haproxy -f haproxy.conf >haproxy.log 2>&1 &
	listening 6673
	check "HAProxy in front of a relay: its PROXY header is read, and who is behind both is told the device's address" timeout 5 python3 - <<'P'
import socket, ssl
far = socket.create_server(("127.0.0.1", 6672))
ctx = ssl.create_default_context(cafile="ca.pem")
ctx.load_cert_chain("pump-1.pem", "pump-1.key")
raw = socket.create_connection(("127.0.0.1", 6673), source_address=("127.0.0.9", 0))
c = ctx.wrap_socket(raw, server_hostname="gw.ward.example")
c.sendall(b"x")
s, h = far.accept()[0], b""
while len(h) < 29: h += s.recv(100)
assert h[:14] == b"\r\n\r\n\0\r\nQUIT\n\x21\x11" and h[16:20] == bytes([127, 0, 0, 9]) and h[28:] == b"x", h
assert int.from_bytes(h[24:26], "big") == c.getsockname()[1], h
P
	soon "and so are events" grep -q '127.0.0.9' state/eve.json
}
stream=/usr/lib/nginx/modules/ngx_stream_module.so
if [ -x "$(command -v nginx)" ] && [ -e $stream ]; then
	cat >nginx.conf <<-N
		load_module $stream; pid $dir/nginx.pid; error_log $dir/nginx.log; events {}
		stream { server {
			listen 127.0.0.1:6669 ssl proxy_protocol;
			ssl_certificate $dir/lis.pem; ssl_certificate_key $dir/lis.key;
			ssl_client_certificate $dir/ca.pem; ssl_verify_client on; ssl_protocols TLSv1.3;
			return "\$proxy_protocol_addr \$proxy_protocol_port \$ssl_protocol \$ssl_client_verify";
		} }
	N
	nginx -c "$dir/nginx.conf" >nginx.out 2>&1
	check "nginx, which asks for the PROXY header, is told the device's address" timeout 5 python3 - <<'P'
import socket
c = socket.create_connection(("127.0.0.1", 7015))
d = b""
while x := c.recv(1000):
    d += x
want = "127.0.0.1 %d TLSv1.3 SUCCESS" % c.getsockname()[1]
assert d.decode() == want, (d, want)
P
	kill "$(cat nginx.pid 2>/dev/null)" 2>/dev/null
else
	echo "skip - relay: the PROXY header at nginx: its stream module is not there"
fi

# --- DCMTK ------------------------------------------------------------------------------
has storescu "DCMTK" && has dcmdump "DCMTK" && {
	mkdir in-clear in-tls
	printf '(0008,0016) UI =SecondaryCaptureImageStorage\n(0008,0018) UI [1.2.3.4]\n(0010,0020) LO [X]\n' >x.dump
	dump2dcm x.dump x.dcm >/dev/null 2>&1
	storescp -od in-clear 1105 >/dev/null 2>&1 &
	storescp +tls lis.key lis.pem +cf ca.pem -od in-tls 2762 >scp.log 2>&1 &
	listening 1105 2762
	check "DCMTK in the clear reaches DCMTK by TLS" storescu 127.0.0.1 1104 x.dcm
	check "the object is there" test -n "$(ls in-tls)"
	check "DCMTK by TLS reaches DCMTK in the clear" storescu +tls pump-1.key pump-1.pem +cf ca.pem 127.0.0.1 2763 x.dcm
	check "the object is there, too" test -n "$(ls in-clear)"
}
# --- mosquitto ----------------------------------------------------------------------------
has mosquitto "MQTT" && has mosquitto_pub "MQTT" && {
	printf 'per_listener_settings true\nlistener 8883 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\nallow_anonymous true\nlistener 1883 127.0.0.1\nallow_anonymous true\n' \
		"$dir/ca.pem" "$dir/lis.pem" "$dir/lis.key" >mq.conf
	chmod 644 ./*.key
	mosquitto -v -c mq.conf >mq.log 2>&1 &
	listening 8883 1883
	timeout 8 mosquitto_sub -h 127.0.0.1 -p 1883 -t ward/# -C 2 >mq.out &
	sub=$!
	until_ms 5000 grep -q 'Sending SUBACK' mq.log >/dev/null
	check "mosquitto_pub in the clear reaches a broker by TLS" mosquitto_pub -h 127.0.0.1 -p 1884 -t ward/a -m one -q 1
	check "mosquitto_pub by TLS reaches a broker in the clear" mosquitto_pub -h 127.0.0.1 -p 8884 --cafile ca.pem --cert pump-1.pem --key pump-1.key --insecure -t ward/b -m two -q 1
	wait $sub
	check "both messages arrived" [ "$(sort mq.out | tr '\n' ' ')" = "one two " ]
}

# --- openssl s_server, at whom a clear client arrives -----------------------------------------
openssl s_server -accept 127.0.0.1:6671 -cert lis.pem -key lis.key -CAfile ca.pem -Verify 2 -verify_return_error -tls1_3 -rev -quiet >/dev/null 2>&1 &
listening 6671
check "a clear client reaches openssl s_server, which asks for our certificate" timeout 5 python3 - <<'P'
import socket
c = socket.create_connection(("127.0.0.1", 7011))
c.sendall(b"drawer\n")
assert c.recv(100) == b"reward\n"
P
check "a byte out of band (RFC 6093) is no stop: what stands on both its sides goes on" timeout 9 python3 - <<'P'
import socket
for _ in range(50):
    c = socket.create_connection(("127.0.0.1", 7011))
    c.sendall(b"dra")
    c.send(b"!", socket.MSG_OOB)
    c.sendall(b"wer\n")
    d = b""
    while not d.endswith(b"\n"): d += c.recv(100)
    assert d == b"reward\n", d
    c.close()
P
check "what is said together with the end, before the far side was reached, arrives whole" timeout 20 python3 - <<'P'
import socket, ssl
ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
ctx.load_cert_chain("lis.pem", "lis.key")
ctx.load_verify_locations("ca.pem")
ctx.verify_mode = ssl.CERT_REQUIRED
for n in list(range(1, 40)) + [1 << 20]:
    far = socket.create_server(("127.0.0.1", 6666))
    c = socket.create_connection(("127.0.0.1", 7012))
    c.sendall(bytes(n))
    c.shutdown(socket.SHUT_WR)
    peer = ctx.wrap_socket(far.accept()[0], server_side=True)
    far.close()
    d = b""
    while x := peer.recv(1 << 16): d += x
    assert d == bytes(n), (n, len(d))
P
# --- rsyslog, both ways ------------------------------------------------------------------------
has rsyslogd "syslog" && ls /usr/lib/*/rsyslog/lmnsd_gtls.so >/dev/null 2>&1 && {
	cat >syslog.conf <<C
global(workDirectory="$dir" DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="$dir/ca.pem"
  DefaultNetstreamDriverCertFile="$dir/lis.pem" DefaultNetstreamDriverKeyFile="$dir/lis.key")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name" PermittedPeer=["gw.ward.example"])
module(load="imptcp")
template(name="plain" type="string" string="%app-name% %msg%\n")
ruleset(name="keep") { action(type="omfile" file="$dir/syslog.out" template="plain") }
input(type="imtcp" port="6514" address="127.0.0.1" ruleset="keep")
input(type="imptcp" port="1515" address="127.0.0.1" ruleset="keep")
C
	rsyslogd -n -f syslog.conf -i "$dir/syslog.pid" >syslog.log 2>&1 &
	listening 6514 1515
	logger -T -n 127.0.0.1 -P 1514 --rfc5424=notime -t pump-clear one
	printf '<13>1 - ward pump-tls - - - two\n' | sclient_quiet
	soon "syslog in the clear reaches rsyslog by TLS" grep -qs '^pump-clear.*one' syslog.out
	soon "syslog by TLS reaches rsyslog in the clear" grep -qs '^pump-tls.*two' syslog.out
}
# --- the slow ----------------------------------------------------------------------------------
cat >slow.py <<'P'
# An end that does not read holds up the other; the gateway keeps little; nothing is lost.
import hashlib, socket, ssl, sys, threading, time
kind, link = sys.argv[1], sys.argv[2]
size = 48 << 20
block = bytes(range(256)) * 256
def memory():
    return int(next(l for l in open("/proc/%s/status" % link) if l.startswith("VmRSS")).split()[1])
if kind == "out":  # we are clear, the far side is TLS and slow
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain("lis.pem", "lis.key")
    ctx.load_verify_locations("ca.pem")
    ctx.verify_mode = ssl.CERT_REQUIRED
    far = socket.create_server(("127.0.0.1", 6666))
    c = socket.create_connection(("127.0.0.1", 7012))
    peer, _ = far.accept()
    peer = ctx.wrap_socket(peer, server_side=True)
else:  # we are TLS, the far side is clear and slow
    far = socket.create_server(("127.0.0.1", 6667))
    ctx = ssl.create_default_context(cafile="ca.pem")
    c = ctx.wrap_socket(socket.create_connection(("127.0.0.1", 7013)), server_hostname="gw.ward.example")
    peer, _ = far.accept()
sent = 0
def send():
    global sent
    while sent < size:
        c.sendall(block)
        sent += len(block)
    if kind == "out": c.shutdown(socket.SHUT_WR)
    else: c.unwrap()
before = memory()
t = threading.Thread(target=send, daemon=True)
t.start()
last = -1
while last != sent:  # until it is held up
    last = sent
    time.sleep(0.7)
held, used = sent, memory() - before
h, n = hashlib.sha256(), 0
while n < size:
    d = peer.recv(1 << 16)
    if not d: break
    h.update(d)
    n += len(d)
want = hashlib.sha256(block * (size // len(block))).digest()
print("held up at", held, "the link took", used, "KiB;", n, "arrived")
sys.exit(not (held < size and used < 16384 and n == size and h.digest() == want))
P
link=$(pgrep -f '_link' | head -1)
check "a slow TLS server holds its clear client up, and nothing is lost" timeout 30 python3 slow.py out "$link"
check "a slow clear server holds its TLS client up, and nothing is lost" timeout 30 python3 slow.py in "$link"
# --- many that say nothing. IDLE=9900 takes what a limit of 20000 descriptors allows ------------
cat >idle.py <<'P'
import os, resource, select, socket, ssl, sys
count, link = int(sys.argv[1]), sys.argv[2]
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
far = socket.create_server(("127.0.0.1", 6668), backlog=1024)
if os.fork() == 0:
    peers, watch = {}, select.epoll()
    watch.register(far, select.EPOLLIN)
    while True:
        for fd, _ in watch.poll():
            if fd == far.fileno():
                c = far.accept()[0]
                peers[c.fileno()] = c
                watch.register(c, select.EPOLLIN)
                continue
            d = peers[fd].recv(100)
            if d: peers[fd].sendall(d)
            else: watch.unregister(fd); peers.pop(fd).close()
far.close()
def memory():
    return int(next(l for l in open("/proc/%s/status" % link) if l.startswith("VmRSS")).split()[1])
ctx = ssl.create_default_context(cafile="ca.pem")
before, all = memory(), []
for i in range(count):
    all.append(ctx.wrap_socket(socket.create_connection(("127.0.0.1", 7014)), server_hostname="gw.ward.example"))
each = (memory() - before) / count
for i in range(0, count, 7):  # any of them still speaks
    all[i].sendall(b"x")
    assert all[i].recv(10) == b"x"
print(count, "stand,", each, "KiB each")
os.kill(0, 15)
P
IDLE=${IDLE:-1000}
idle=$(timeout 120 setsid python3 idle.py "$IDLE" "$link")
check "$IDLE that say nothing stand, and each still speaks: ${idle:-none}" test -n "$idle"
cat >chorus.py <<'P'
# 90 speak while the link stands still: it finds all of them at once, and sends what they say by one call.
import os, signal, socket, ssl, sys, threading
link = int(sys.argv[1])
far = socket.create_server(("127.0.0.1", 6668), backlog=128)
def echo():
    while True:
        c = far.accept()[0]
        def run(c=c):
            while d := c.recv(65536): c.sendall(d)
        threading.Thread(target=run, daemon=True).start()
threading.Thread(target=echo, daemon=True).start()
ctx = ssl.create_default_context(cafile="ca.pem")
all = [ctx.wrap_socket(socket.create_connection(("127.0.0.1", 7014)), server_hostname="gw.ward.example") for _ in range(90)]
for k in range(5):
    say = [bytes([i + k]) * (1 + 61 * i) for i in range(90)]
    os.kill(link, signal.SIGSTOP)
    for i in range(90): all[i].sendall(say[i])
    os.kill(link, signal.SIGCONT)
    for i in range(90):
        got = b""
        while len(got) < len(say[i]): got += all[i].recv(65536)
        assert got == say[i], (k, i)
P
check "90 that speak at once are each answered" timeout 20 python3 chorus.py "$link"
check "by the same link" [ "$(pgrep -f '_link' | head -1)" = "$link" ]
[ "$(contexts)" -gt "$before" ] || echo "skip - relay: what they said was sent one by one: no asynchronous calls in this kernel, or another had them before"
cat >told.py <<'P'
import json
r = {x["name"]: x for x in json.load(open("status.json"))["relays"]}
assert r["crowd"]["accepted"] >= 1000 and r["crowd"]["tls"] == "in" and r["crowd"]["ready"], r["crowd"]
assert r["hl7-out"]["messages"] >= 2 and r["hl7-out"]["connect"] == "127.0.0.1:6661", r["hl7-out"]
assert r["slow"]["bytes"] >= 48 << 20, r["slow"]
P
told() { "$bw" status --json -c bw.yaml >status.json && python3 told.py 2>/dev/null; }
soon "status tells of each relay" told # the link does so once a second
check "and for people, too" grep -q 'crowd (TLS in):' <("$bw" status -c bw.yaml)

# --- those who do not finish, and crowds ---------------------------------------------------
cat >crowd.py <<'P'
import socket, time, subprocess, sys
silent = [socket.create_connection(("127.0.0.1", 6663)) for _ in range(200)]
for s in silent[:100]: s.sendall(b"\x16\x03\x01\x02\x00\x01")      # half a ClientHello
for s in silent[100:150]: s.sendall(b"GET / HTTP/1.0\r\n\r\n")
sys.exit(subprocess.run(["python3", "send.py", "6663", "ORU^R01", "pump-1"]).returncode)
P
check "200 that never finish keep nobody out" python3 crowd.py
# --- revoking ---------------------------------------------------------------------------------
check "a certificate is revoked" pki revoke pump-1
turned_away() { ! python3 send.py 6663 ORU^R01 pump-1 2>/dev/null; }
soon "and is not believed any longer" turned_away
check "the list says so" grep -q "Serial Number" <(pki crl | openssl crl -noout -text)
serial() { sclient 7008 -verify_return_error 2>/dev/null | openssl x509 -noout -serial 2>/dev/null; }
was=$(serial)
another_one() { local now; now=$(serial) && [ "$now" != "$was" ]; }
check "the gateway's own certificate is renewed on demand" pki renew
soon "and used at once" another_one
# --- a hospital's own certificate for the gateway ---------------------------------------------
pki request gw.ward.example --san gw.ward.example --san 127.0.0.1 -o gw.csr
openssl x509 -req -in gw.csr -CA hospital.pem -CAkey hospital.key -days 2 -out gw.pem \
	-extfile <(printf 'subjectAltName=DNS:gw.ward.example\nextendedKeyUsage=serverAuth,clientAuth\n') 2>/dev/null
check "a certificate of the hospital's is installed" pki install gw.pem
hospitals() { sclient 7008 2>/dev/null | grep "issuer=CN = hospital" >/dev/null; }
soon "and shown from then on" hospitals
reminded() { "$bw" events --all --json -c bw.yaml | grep "runs out in less than 7 days; have its authority sign" >/dev/null; }
soon "an event says that it runs out in less than 7 days, and what to do" reminded
fails "one for another key is not" pki install good.pem
openssl ca -batch -config ca/conf -in gw.csr -out gw-over.pem -startdate 20200101000000Z -enddate 20210101000000Z -extensions e -notext >/dev/null 2>&1
has_run_out() { grep "has run out" < <(pki install gw-over.pem 2>&1); }
check "one that has run out is not" has_run_out
check "and what is in force stays" hospitals
check "and taken back" pki install --remove
# --- processes ---------------------------------------------------------------------------------
link=$(pgrep -f '_link' | head -1)
check "the link is not root" test "$(stat -c %u "/proc/$link")" != 0
kill -9 "$link"
back() { [ "$(pgrep -f "$1" | head -1)" != "$2" ] && sclient 7008 -verify_return_error >/dev/null 2>&1; }
soon "a link that was killed is back, its listeners stood" back _link "$link"
keeper=$(pgrep -f _keeper | head -1)
kill -9 "$keeper"
soon "a keeper that was killed is back, and signs" back _keeper "$keeper"
kill $gw
wait $gw
reason() { grep -q "\"reason\":\"$1\"" state/eve.json && ok "the event $1" || not "the event $1"; }
for r in relay.certificate_untrusted relay.certificate_expired relay.certificate_not_yet_valid relay.certificate_revoked \
	relay.certificate_wrong_name relay.certificate_wrong_usage relay.no_certificate relay.tls_refused relay.proxy_header \
	relay.source_not_allowed relay.cannot_listen policy.message_not_allowed pki.certificate_issued pki.certificate_revoked pki.request_refused pki.certificate_expires; do
	reason $r
done
check "nothing secret in an event" bash -c '! grep -q "$1" state/eve.json' _ "$code"
[ $failed = 0 ] || { tail -20 log; tail -5 stunnel.log scp.log mq.log 2>/dev/null; }
exit $failed
