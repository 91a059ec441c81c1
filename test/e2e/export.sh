#!/usr/bin/env bash
# The audit trail on its way out of a running gateway, to rsyslog over TLS: what the policy
# says is in force at once, a collector that is away loses nothing, nor does a keeper, an
# exporter or a whole gateway that is killed; and it is in the EVE file, too.
# usage: test/e2e/export.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwx$$
spaces="gw sw mon hos"
. "$(dirname "$self")/lib.sh"

export PATH=$PATH:/usr/sbin
[ "$(id -u)" = 0 ] || skip_all "the audit trail's way out: needs root for network namespaces"
command -v rsyslogd >/dev/null || skip_all "the audit trail's way out: needs rsyslog"
ls /usr/lib/*/rsyslog/lmnsd_gtls.so >/dev/null 2>&1 || skip_all "the audit trail's way out: needs rsyslog-gnutls"
workdir
collector=
trap 'kill $collector 2>/dev/null; cleanup' EXIT
make_ward mon || skip_all "the audit trail's way out: no network namespaces here"
machine mon 02:00:00:96:00:11 10.96.0.11/24
at hos ip link add m0 type veth peer name m0 netns "$id-gw"
at hos ip addr add 10.98.0.30/24 dev m0 && at hos ip link set m0 up
at gw ip addr add 10.98.0.1/24 dev m0 && at gw ip link set m0 up
at hos ip link set e0 up

authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.pem" 2>/dev/null; }
signed() { # NAME AUTHORITY
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.csr" 2>/dev/null
	openssl x509 -req -in "$dir/$1.csr" -CA "$dir/$2.pem" -CAkey "$dir/$2.key" -CAcreateserial -days 2 -out "$dir/$1.pem" -extfile <(echo "subjectAltName=DNS:$1") 2>/dev/null
}
authority ca
authority other
signed logs.clinic.example ca
signed gateway ca
collect() {
	cat >"$dir/rsyslog.conf" <<-C
	global(workDirectory="$dir" maxMessageSize="64k" DefaultNetstreamDriver="gtls"
	  DefaultNetstreamDriverCAFile="$dir/ca.pem" DefaultNetstreamDriverCertFile="$dir/logs.clinic.example.pem" DefaultNetstreamDriverKeyFile="$dir/logs.clinic.example.key")
	module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name" PermittedPeer=["gateway"])
	template(name="all" type="string" string="%pri%\t%hostname%\t%msgid%\t%msg%\n")
	input(type="imtcp" port="6514" ruleset="keep")
	ruleset(name="keep") { action(type="omfile" file="$dir/got" template="all" asyncWriting="off" flushOnTXEnd="on") }
	C
	at hos rsyslogd -n -f "$dir/rsyslog.conf" -i "$dir/pid" >"$dir/rsyslog.log" 2>&1 &
	collector=$!
}
policy() { # EXPORT
	cat >"$dir/bw.yaml" <<-Y
	gateway: {name: ward-3, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
	console: {on: no}
	audit: {export: {server: 10.98.0.30, name: $1, ca: $dir/$2.pem, cert: $dir/gateway.pem, cert_key: $dir/gateway.key}}
	segments:
	  - {name: icu, ward: w0, hospital: h0, isolated: no, mode: enforce}
	Y
}
user() { timeout 10 "$bw" user "$@" --socket "$dir/run/control" >/dev/null 2>&1; }
# arrived NAME...: each is in what the collector has.
arrived() { for n; do grep -q "user.add.*$n" "$dir/got" 2>/dev/null || return 1; done; }
comes() { local text=$1; shift; if [ "$(until_ms 12000 arrived "$@")" -ge 0 ]; then ok "$text"; else not "$text"; fi; }
touch "$dir/got"; chmod 666 "$dir/got"

sed '/^audit:/d' <(policy x ca; cat "$dir/bw.yaml") >"$dir/none.yaml"; mv "$dir/none.yaml" "$dir/bw.yaml"
start
[ "$(until_ms 15000 guarding)" != -1 ] || { not "the gateway starts"; tail "$dir/log"; exit 1; }
user add anna --role viewer
if pids _exporter >/dev/null; then not "where nothing is to be sent there is no exporter"; else ok "where nothing is to be sent there is no exporter"; fi
collect
policy logs.clinic.example ca
check "a policy that wants it sent comes into force" timeout 20 "$bw" policy apply -c "$dir/bw.yaml"
comes "what had been noted before arrives" anna
grep -q $'^85\tward-3\tDICOM+RFC3881\t' "$dir/got" && ok "as RFC 5424 and PS3.15 A.6 say" || not "as RFC 5424 says: $(head -c 200 "$dir/got")"
powerless() { [ "$(awk '/^Uid:/ {print $2}' "/proc/$1/status")" != 0 ] && [ "$(awk '/^CapEff:/ {print $2}' "/proc/$1/status")" = 0000000000000000 ] && [ "$(awk '/^Seccomp:/ {print $2}' "/proc/$1/status")" = 2 ]; }
check "by a process without a right left" powerless "$(pids _exporter | head -1)"
user add ben --role viewer
comes "and what is noted now" ben

kill "$collector"; wait "$collector" 2>/dev/null
user add carla --role viewer
sleep 2
kill -9 "$(pids _exporter | head -1)"
user add dora --role viewer
kill -9 "$(pids _keeper | head -1)"
until_ms 5000 user ls >/dev/null
user add emil --role viewer
kill -9 "$parent"; wait "$parent" 2>/dev/null
ip netns pids "$id-gw" | xargs -r kill -9 2>/dev/null
start
until_ms 15000 guarding >/dev/null
user add fritz --role viewer
collect
comes "collector away, exporter, keeper and the whole gateway killed: nothing is lost" carla dora emil fritz
sleep 1.5
before=$(wc -l <"$dir/got")
sleep 1.5
[ "$(wc -l <"$dir/got")" = "$before" ] && ok "what has arrived is not sent again and again" || not "what has arrived is not sent again and again"
[ "$(cat "$dir"/state/audit.exported-10.98.0.30_6514)" -gt 5 ] && ok "how far it is stands on the disk" || not "how far it is stands on the disk"

# Who is not whom they should be.
policy logs.other.example ca
check "another name is expected" timeout 20 "$bw" policy apply -c "$dir/bw.yaml"
user add gustav --role viewer
sleep 2
if arrived gustav; then not "a collector of another name gets nothing"; else ok "a collector of another name gets nothing"; fi
grep -q "exporter: warning: the audit trail's collector" "$dir/log" && ok "and the log says why: $(grep -o "collector: .*" "$dir/log" | tail -1 | cut -c1-70)" || not "and the log says why"
policy logs.clinic.example other
timeout 20 "$bw" policy apply -c "$dir/bw.yaml" >/dev/null 2>&1
sleep 2
if arrived gustav; then not "one of another authority gets nothing"; else ok "one of another authority gets nothing"; fi
policy logs.clinic.example ca
timeout 20 "$bw" policy apply -c "$dir/bw.yaml" >/dev/null 2>&1
comes "the right one gets what the others did not" gustav
sed -i 's/server: 10.98.0.30/server: logs.clinic.example/' "$dir/bw.yaml"
said=$(timeout 20 "$bw" policy apply -c "$dir/bw.yaml" 2>&1)
grep -q "is no address" <<<"$said" && ok "a name where an address is needed is refused" || not "a name where an address is needed is refused: $said"

until_ms 3000 grep -q user.add "$dir/state/eve.json" >/dev/null
check "every act is an event in the EVE file, too" grep -q '"event_type":"audit".*"what":"user.add"' "$dir/state/eve.json"
[ $failed = 0 ] || tail -20 "$dir/log"
exit $failed
