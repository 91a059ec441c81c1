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
id=bwf$$
as=fips
. "$(dirname "$self")/lib.sh"
. "$(dirname "$self")/tls.sh"

inside fips -n -m -p -f --mount-proc
needs fips openssl python3
stage

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
	for c in ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-ECDSA-AES128-GCM-SHA256; do check "$1: link: $c" goes_on -dtls1_2 -cipher $c; done
	fails "$1: link: ChaCha20-Poly1305 is refused" goes_on -dtls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305
	fails "$1: link: X25519 is refused" goes_on -dtls1_2 -groups X25519
}

round() { # NAME MODULE DIRECTORY: whether it is to be used
	local has=$2
	local env
	env="env BEDWARDEN_CRYPTO=$([ $has = true ] && echo module || echo fips) OPENSSL_MODULES=${3:-/nowhere}"
	rm -rf state run ca.pem pump.* age.key
	policy ", crypto: fips" >bw.yaml
	env ${3:+"OPENSSL_MODULES=$3"} "$bw" policy check bw.yaml >checked 2>&1
	if [ $has = true ]; then
		fails "$1: policy check has nothing to say of a module" grep -q 'no validated module' checked
	else
		check "$1: policy check says that no module is there" grep -q 'crypto: fips: no validated module' checked
	fi
	open_doors ${3:+"OPENSSL_MODULES=$3"}
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
