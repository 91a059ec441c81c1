#!/usr/bin/env bash
# The audit trail on its way to a collector: DICOM audit messages over syslog TLS,
# to rsyslog, which is not there, comes, goes away and comes back; who is not whom
# they should be gets nothing; nothing is lost.
# usage: test/audit.sh [BINARY]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
failed=0
ok() { echo "ok - $*"; }
not() { echo "not ok - $*"; failed=1; }
skip_all() { echo "skip - $*"; exit 0; }
export PATH=$PATH:/usr/sbin
command -v rsyslogd >/dev/null || skip_all "the audit trail's export: needs rsyslog"
ls /usr/lib/*/rsyslog/lmnsd_gtls.so >/dev/null 2>&1 || skip_all "the audit trail's export: needs rsyslog-gnutls"
command -v xmllint >/dev/null || skip_all "the audit trail's export: needs xmllint"
dir=$(mktemp -d /tmp/bw-audit.XXXX)
collector=
exporter=
trap 'kill $collector $exporter 2>/dev/null; rm -rf "$dir"' EXIT
port=$((20000 + $$ % 12000)) # below those that clients get

# Two authorities, of which the second is nobody's.
authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.pem" 2>/dev/null; }
signed() { # NAME AUTHORITY
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.csr" 2>/dev/null
	openssl x509 -req -in "$dir/$1.csr" -CA "$dir/$2.pem" -CAkey "$dir/$2.key" -CAcreateserial -days 2 -out "$dir/$1.pem" \
		-extfile <(echo "subjectAltName=DNS:localhost,DNS:$1,IP:127.0.0.1") 2>/dev/null
}
authority ca
authority other
signed collector ca
signed gateway ca
signed stranger other

# entries COUNT: so many more, chained as keep/audit.h says.
entries() {
	python3 - "$dir/state/audit.log" "$1" <<-'P'
	import hashlib, json, sys
	path, count = sys.argv[1], int(sys.argv[2])
	try: lines = open(path).read().splitlines()
	except FileNotFoundError: lines = []
	last = bytes.fromhex(lines[-1][:64]) if lines else bytes(32)
	acts = ["grant.opened", "grant.closed", "policy.apply", "auth.finish", "user.add", "gateway.start", "grant.break_glass"]
	with open(path, "a") as f:
	    for i in range(len(lines) + 1, len(lines) + count + 1):
	        row = json.dumps({"seq": i, "time": "2026-11-26T04:%02d:%02d.000000+0000" % (i // 60 % 60, i % 60), "who": "anna <&\">", "as": "session",
	            "role": "administrator", "source": "10.1.0.5", "what": acts[i % len(acts)], "object": "device:pump-%d" % i, "outcome": 0,
	            "text": "näher & <weiter>"}, ensure_ascii=False)
	        last = hashlib.sha256(last + row.encode()).digest()
	        f.write(last.hex() + " " + row + "\n")
	P
}
collect() {
	cat >"$dir/rsyslog.conf" <<-C
	global(workDirectory="$dir" maxMessageSize="64k" DefaultNetstreamDriver="gtls"
	  DefaultNetstreamDriverCAFile="$dir/ca.pem" DefaultNetstreamDriverCertFile="$dir/collector.pem" DefaultNetstreamDriverKeyFile="$dir/collector.key")
	module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name" PermittedPeer=["gateway"])
	template(name="all" type="string" string="%pri%\t%hostname%\t%app-name%\t%msgid%\t%msg%\n")
	input(type="imtcp" port="$port" ruleset="keep")
	ruleset(name="keep") { action(type="omfile" file="$dir/got" template="all" asyncWriting="off" flushOnTXEnd="on") }
	C
	rsyslogd -n -f "$dir/rsyslog.conf" -i "$dir/pid" >"$dir/rsyslog.log" 2>&1 &
	collector=$!
	for _ in $(seq 100); do (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return; sleep 0.05; done
}
stop() { kill "$collector"; wait "$collector" 2>/dev/null; collector=; }
export_once() { timeout 20 "$bw" audit export -d "$dir/state" --to "localhost:$port" --ca "$dir/ca.pem" --cert "$dir/gateway.pem" --cert-key "$dir/gateway.key" --once >"$dir/said" 2>&1; }
got() { grep -c 'DICOM+RFC3881' "$dir/got" 2>/dev/null || true; }
# has_all N: every entry up to N has arrived at least once.
has_all() { local n; n=$(grep -o 'ParticipantObjectID="device:pump-[0-9]*"' "$dir/got" | sort -u | wc -l); [ "$n" = "$1" ]; }
wait_all() { local n=$1; for _ in $(seq 200); do has_all "$n" && return 0; sleep 0.05; done; return 1; }

mkdir "$dir/state"
entries 5
for key in $(printf '+1%.0s' {1..32}) $(printf '01%.0s' {1..31})0; do
	case $("$bw" audit verify -d "$dir/state" --key "$key" 2>&1) in
	*"64 hexadecimal digits"*) ok "a key is nothing but 64 hexadecimal digits" ;;
	*) not "$key is taken for a key" ;;
	esac
done
export_once && not "without a collector: said" || ok "without a collector: $(cut -c1-70 "$dir/said")"
collect
export_once && wait_all 5 && ok "five entries arrive" || not "five entries arrive: $(cat "$dir/said") $(cat "$dir/rsyslog.log")"
grep -q $'^85\tbedwarden\tbedwarden\tDICOM+RFC3881\t' "$dir/got" && ok "as RFC 5424 and PS3.15 A.6 say" || not "as RFC 5424 says: $(head -c 200 "$dir/got")"
bad=0
cut -f5 "$dir/got" | sed 's/^ *\xef\xbb\xbf//' | while read -r line; do printf '%s' "$line" | xmllint --noout - || exit 1; done || bad=1
[ $bad = 0 ] && ok "every message is XML" || not "every message is XML"
grep -q 'EventID csd-code="110113" codeSystemName="DCM" originalText="Security Alert"' "$dir/got" && grep -q 'csd-code="110140"' "$dir/got" && ok "in DICOM's codes" || not "in DICOM's codes"
grep -q 'UserID="anna &lt;&amp;&quot;&gt;"' "$dir/got" && ok "with who did it" || not "with who did it"
before=$(got)
export_once; sleep 0.3
[ "$(got)" = "$before" ] && ok "what has arrived is not sent again" || not "what has arrived is not sent again"

# Who is not whom they should be.
entries 2
timeout 20 "$bw" audit export -d "$dir/state" --to "localhost:$port" --ca "$dir/other.pem" --cert "$dir/gateway.pem" --cert-key "$dir/gateway.key" --once >"$dir/said" 2>&1 &&
	not "a collector of another authority gets nothing" || ok "a collector of another authority gets nothing: $(cut -c1-80 "$dir/said")"
timeout 20 "$bw" audit export -d "$dir/state" --to "localhost:$port" --ca "$dir/ca.pem" --cert "$dir/stranger.pem" --cert-key "$dir/stranger.key" --once >"$dir/said" 2>&1 &&
	not "a collector that turns us away is noticed" || ok "a collector that turns us away is noticed: $(cut -c1-80 "$dir/said")"
timeout 20 "$bw" audit export -d "$dir/state" --to "localhost:$port" --ca "$dir/ca.pem" --once >"$dir/said" 2>&1 &&
	not "so it is without a certificate" || ok "so it is without a certificate: $(cut -c1-80 "$dir/said")"
export_once && wait_all 7 && ok "and nothing of that was lost" || not "and nothing of that was lost: $(cat "$dir/said")"

# The collector goes away while there is something to send, and comes back.
"$bw" audit export -d "$dir/state" --to "localhost:$port" --ca "$dir/ca.pem" --cert "$dir/gateway.pem" --cert-key "$dir/gateway.key" >"$dir/said" 2>&1 &
exporter=$!
sleep 0.5
stop
entries 100
sleep 1.5
collect
wait_all 107 && ok "the collector comes back: nothing is lost" || not "the collector comes back: nothing is lost ($(got) messages; $(tail -1 "$dir/said"))"
entries 300 && kill -9 "$exporter"; wait "$exporter" 2>/dev/null
export_once && wait_all 407 && ok "the sender is killed: nothing is lost" || not "the sender is killed: nothing is lost ($(got) messages; $(tail -1 "$dir/said"))"
exporter=

# Put back as it was.
head -n 50 "$dir/state/audit.log" >"$dir/x"; mv "$dir/x" "$dir/state/audit.log"
export_once && not "a trail that has become shorter is noticed" || grep -q "put back" "$dir/said" && ok "a trail that has become shorter is noticed"
exit $failed
