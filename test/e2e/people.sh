#!/usr/bin/env bash
# Who is there, behind a whole gateway: people added on the box are there after the keeper was
# killed and after another policy; the courier of SMS codes runs while the policy offers
# them, with no right left, and goes when it does not.
# usage: test/e2e/people.sh [BINARY]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwu$$
spaces="gw sw mon hos"
. test/e2e/lib.sh

[ "$(id -u)" = 0 ] || skip_all "people: needs root for network namespaces"

workdir
make_ward mon || skip_all "people: no network namespaces here"
machine mon 02:00:00:94:00:11 10.94.0.11/24
machine hos 02:00:00:94:00:01 10.94.0.1/24

policy() { # PEOPLE
	cat >"$dir/bw.yaml" <<-Y
	gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
	console: {on: no}
	$1
	segments:
	  - {name: icu, ward: w0, hospital: h0, isolated: no, mode: enforce}
	Y
}
user() { timeout 10 "$bw" user "$@" --socket "$dir/run/control" 2>&1; }
has_user() { user ls --json | grep -q "\"user\": \"$1\""; }
no_courier() { ! pids _courier >/dev/null; }
powerless() { # PID: not root, and no capability
	[ "$(awk '/^Uid:/ {print $2}' "/proc/$1/status")" != 0 ] &&
		[ "$(awk '/^CapEff:/ {print $2}' "/proc/$1/status")" = 0000000000000000 ] &&
		[ "$(awk '/^Seccomp:/ {print $2}' "/proc/$1/status")" = 2 ]
}

policy 'people: {sms: yes, sms_url: "http://10.94.0.1:13013/cgi-bin/sendsms"}'
start
[ "$(until_ms 15000 guarding)" != -1 ] || { not "the gateway starts"; tail "$dir/log"; exit 1; }
if ask status | grep -q 'user add'; then ok "status says how the first person comes in"; else not "status says how the first person comes in"; fi
if user add anna --first | grep -q '    ....-....-....-....'; then ok "and gives the code"; else not "and gives the code"; fi
check "the courier runs" pids _courier
courier=$(pids _courier | head -1)
check "with no right left" powerless "${courier:-none}"
kill -9 "$(pids _keeper | head -1)"
again "a killed keeper" "$(until_ms 5000 has_user anna)"

policy 'people: {sms: no, aal3: [administrator]}'
check "another policy comes into force" timeout 20 "$bw" policy apply -c "$dir/bw.yaml"
if [ "$(until_ms 5000 no_courier)" != -1 ]; then ok "where no SMS are offered there is no courier"; else not "where no SMS are offered there is no courier"; fi
if [ "$(until_ms 8000 has_user anna)" != -1 ]; then ok "who was added is still there"; else not "who was added is still there"; fi
says() { # TEXT WORDS: what applying it answers
	local answer
	answer=$(timeout 20 "$bw" policy apply -c "$dir/bw.yaml" 2>&1)
	if grep -q "$2" <<<"$answer"; then ok "$1"; else not "$1: $answer"; fi
}
policy 'people: {aal3: [emperor]}'
says "a role that is none is named" "'aal3' is 'emperor'"
policy 'people: {sms: yes, sms_url: "https://sms.example/send"}'
says "and a gateway that cannot be reached" "cannot be reached"
[ $failed = 0 ] || tail -20 "$dir/log"
exit $failed
