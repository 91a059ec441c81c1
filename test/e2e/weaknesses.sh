#!/usr/bin/env bash
# What a machine should not do at all, by real peers behind a real gateway: nginx in clear text with a login that
# everybody knows, snmpd with the usual community, OpenSSL with TLS 1.1 and with certificates that have run out, are
# not valid yet or vouch for themselves. `devices` must show each, once an event must say what to do about it; a
# login that is tried and refused shows nothing.
# usage: test/e2e/weaknesses.sh [BINARY]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bww$$
spaces="gw sw mon str hos"
. test/e2e/lib.sh

[ "$(id -u)" = 0 ] || skip_all "weaknesses: needs root for network namespaces"
needs weaknesses nginx snmpd snmpget openssl curl

workdir
make_ward mon str || skip_all "weaknesses: no network namespaces here"
machine mon 00:09:fb:92:00:11 10.92.0.11/24
machine str 00:09:fb:92:00:12 10.92.0.12/24
machine hos 02:00:00:92:00:01 10.92.0.1/24

cat >"$dir/bw.yaml" <<Y
gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
segments:
  - {name: icu, ward: w0, hospital: h0, isolated: no, mode: observe}
hosts:
  - {name: desk-1, ip: [10.92.0.1], role: [desk]}
devices:
  - {name: pump-1, segment: icu, mac: "00:09:fb:92:00:11", ip: [10.92.0.11]}
  - {name: pump-2, segment: icu, mac: "00:09:fb:92:00:12", ip: [10.92.0.12]}
Y
start
[ "$(until_ms 15000 guarding)" != -1 ] || { not "the gateway starts"; tail "$dir/log"; exit 1; }

# certificate NAME START END: of its own, valid between these.
certificate() {
	local at=$dir/$1
	mkdir "$at"
	: >"$at/index"
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$at/key" -out "$at/csr" -subj "/CN=$1" 2>/dev/null
	openssl ca -batch -selfsign -config <(printf '%s\n' '[ca]' 'default_ca=a' '[a]' "database=$at/index" "new_certs_dir=$at" \
		"rand_serial=yes" default_md=sha256 policy=p '[p]' 'commonName=supplied') -keyfile "$at/key" -in "$at/csr" \
		-startdate "$2" -enddate "$3" -notext -out "$at/crt" 2>"$at/log" || not "a certificate is made"
}
certificate old 20200101000000Z 20210101000000Z
certificate early 20400101000000Z 20410101000000Z
certificate own 20200101000000Z 20400101000000Z
serve() { # PORT NAME OPTION...
	at mon openssl s_server -accept "10.92.0.11:$1" -key "$dir/$2/key" -cert "$dir/$2/crt" -www "${@:3}" >/dev/null 2>&1 &
}
serve 8441 own -tls1_1 -cipher DEFAULT@SECLEVEL=0
serve 8442 old -tls1_2
serve 8443 early -tls1_2
serve 8444 own -tls1_2

printf 'admin:%s\n' "$(openssl passwd -apr1 admin)" >"$dir/users"
printf 'admin:%s\n' "$(openssl passwd -apr1 "$RANDOM$RANDOM")" >"$dir/others"
web() { # NS ADDRESS USERS
	cat >"$dir/$1.conf" <<-N
	error_log $dir/$1.log; pid $dir/$1.pid; daemon off; user root;
	events { }
	http { access_log off; client_body_temp_path $dir/$1.b; proxy_temp_path $dir/$1.p; fastcgi_temp_path $dir/$1.f;
	  uwsgi_temp_path $dir/$1.u; scgi_temp_path $dir/$1.s;
	  server { listen $2:80; root $dir; auth_basic ward; auth_basic_user_file $3; location / { return 204; }
	    location /set { try_files /bw.yaml =404; } } }
	N
	at "$1" nginx -c "$dir/$1.conf" >/dev/null 2>&1 &
}
web mon 10.92.0.11 "$dir/users"
web str 10.92.0.12 "$dir/others"
printf 'rocommunity public\nagentaddress udp:10.92.0.11:161\n' >"$dir/snmpd.conf"
at mon snmpd -f -C -c "$dir/snmpd.conf" -p "$dir/snmpd.pid" >/dev/null 2>&1 &

answers() { at hos timeout 2 bash -c ": </dev/tcp/$1/$2" 2>/dev/null; }
for p in 8441 8442 8443 8444 80; do within "$(until_ms 8000 answers 10.92.0.11 $p)" 8000 || not "port $p answers"; done
until_ms 8000 answers 10.92.0.12 80 >/dev/null
for p in 8442 8443 8444; do at hos timeout 5 openssl s_client -connect 10.92.0.11:$p -tls1_2 </dev/null >/dev/null 2>&1; done
at hos timeout 5 openssl s_client -connect 10.92.0.11:8441 -tls1_1 -cipher DEFAULT@SECLEVEL=0 </dev/null >/dev/null 2>&1
[ "$(at hos curl -s -m 5 -o /dev/null -w '%{http_code}' -u admin:admin http://10.92.0.11/set)" = 200 ] || not "nginx lets admin in"
[ "$(at hos curl -s -m 5 -o /dev/null -w '%{http_code}' -u admin:admin http://10.92.0.12/set)" = 401 ] || not "the other nginx does not"
at hos snmpget -v2c -c public -t 2 10.92.0.11 1.3.6.1.2.1.1.3.0 >/dev/null 2>&1 || not "snmpd answers"

# weak DEVICE WEAKNESS: the column says so.
weak() { ask devices --json --device "$1" 2>/dev/null | tr -s ' \n' ' ' | grep -o '"weaknesses": *\[[^]]*\]' | grep -qF "\"$2\""; }
advised() { has_event "$1" '"event_type":"exposure".*"advice":"[A-Z]'; }
while IFS='|' read -r weakness reason; do
	soon "pump-1: $weakness, in the column" weak pump-1 "$weakness"
	soon "pump-1: $weakness, with what to do" advised "$reason"
done <<-W
	http|cleartext.http
	password in clear text|cleartext.password
	default login|login.default
	default snmp community|login.snmp_community
	snmp 1 or 2|cleartext.snmp
	tls below 1.2|tls.old_version
	expired certificate|tls.expired
	certificate not valid yet|tls.not_valid_yet
	self-signed certificate|tls.self_signed
W
soon "pump-2: http" weak pump-2 http
fails "pump-2: a login that it refused is none" weak pump-2 "default login"
if ask devices 2>/dev/null | grep pump-1 | grep -q "default login"; then ok "the table for people says so, too"; else not "the table for people says so, too"; ask devices; fi
[ $failed = 0 ] || { ask devices --json --device pump-1; tail -20 "$dir/log"; }
exit $failed
