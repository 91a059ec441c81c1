#!/usr/bin/env bash
# Firmware comes to the devices of a running gateway: by an agent that calls it over mutual TLS, and by
# HTTP; the first wave is updated, a pump that delivers waits until it does not, what is
# bad goes back by itself; approved, stopped and taken back by people; RAUC itself on a device of two slots, where
# it can be had; who may not call does not get in; the updater is killed on the way.
# usage: test/e2e/rollout.sh [BINARY]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
agent=$(realpath "$(dirname "$bw")/agent/bedwarden-agent")
pump=$(realpath test/e2e/pump.py)
slotted=$(realpath test/agent/slotted.py)
id=bwro$$
spaces="gw sw p1 p2 p3 hos"
. test/e2e/lib.sh

[ "$(id -u)" = 0 ] || skip_all "rollouts: need root for network namespaces"
[ -x "$agent" ] || skip_all "rollouts: $agent is not built"
for tool in jq openssl python3; do command -v $tool >/dev/null || skip_all "rollouts: need $tool"; done
workdir

# The gateway's third port is in the hospital's network, where its own address is.
wire() {
	local ns last
	make_ward p1 p2 p3 || return 1
	at hos ip link add br0 type bridge mcast_snooping 0
	at hos ip link add m1 type veth peer name m0 netns "$id-gw"
	for ns in e0 m1; do at hos ip link set $ns master br0; at hos ip link set $ns up; done
	at hos ip link set br0 address 02:00:00:94:00:01
	at hos ip addr add 10.94.0.1/24 dev br0
	at hos ip link set br0 up
	at gw ip link set m0 address 02:00:00:94:00:02
	at gw ip addr add 10.94.0.2/24 dev m0
	at gw ip link set m0 up
	machine p1 02:00:00:94:00:11 10.94.0.11/24
	machine p2 02:00:00:94:00:12 10.94.0.12/24
	machine p3 02:00:00:94:00:14 10.94.0.14/24
	for ns in p1:e0 p2:e0 p3:e0 hos:br0 gw:m0; do
		at ${ns%:*} ethtool -K ${ns#*:} tso off gso off gro off tx off >/dev/null 2>&1
		for last in 1 2 11 12 14; do
			at ${ns%:*} ip neigh replace 10.94.0.$last lladdr "02:00:00:94:00:$(printf %02d $last)" dev ${ns#*:} nud permanent
		done
	done
}
update() { timeout 60 "$bw" update "$@" --socket "$dir/run/control"; }
state() { update status --json 2>/dev/null; }
# is FILTER: of what status tells.
is() { state | jq -e "$1" >/dev/null 2>&1; }
device() { is ".rollouts[] | select(.id==\"$1\").devices[] | select(.name==\"$2\") | $3"; }
step() { device "$1" "$2" ".step==\"$3\""; }
rolled() { is ".rollouts[] | select(.id==\"$1\") | .state==\"$2\""; }
soon() { [ "$(until_ms "$@")" -ge 0 ]; }
version() { cat "$dir/$1/current/VERSION" 2>/dev/null; }
runs() { [ "$(version "$1")" = "$2" ]; }
repo() { (cd "$dir" && "$bw" repo "$@") >>"$dir/repo.log" 2>&1; }
publish() { repo sign R && repo publish R; }
# firmware MODEL VERSION WORD...: made, offered.
firmware() {
	local model=$1 v=$2; shift 2
	python3 "$pump" pack "$dir/$model-$v" "$v" "$@"
	repo add R "$model-$v" --name "acme/$model-$v" \
		--custom '{"kind":"firmware","vendor":"Acme","model":"'"$model"'","version":"'"$v"'"}'
}
certificate() { # NAME
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/$1.key" -out "$dir/$1.csr" -subj "/CN=$1" 2>/dev/null
	"$bw" pki issue "$1" --profile device --csr "$dir/$1.csr" -c "$dir/bw.yaml" 2>/dev/null | sed -n '/BEGIN/,$p' >"$dir/$1.pem"
}
# agent_conf NAME: of an agent that calls as NAME.
agent_conf() {
	cat >"$dir/$1.conf" <<-C
	server = 10.94.0.2
	name = gw.ward.example
	ca = $dir/ca.pem
	certificate = $dir/$1.pem
	key = $dir/$1.key
	vendor = Acme
	model = pump
	hardware = r2
	state = $dir/agent-$1
	folder = $dir/p1
	health = /usr/bin/test ! -e $dir/p1/current/sick
	poll = 1
	trial = 300
	C
}
# A device with slot a, version 1.0, that delivers 12 ml/h.
device_folder() {
	mkdir -p "$dir/$1/a"
	echo 1.0 >"$dir/$1/a/VERSION"
	ln -s a "$dir/$1/current"
	echo "$2" >"$dir/$1/rate"
}

wire || skip_all "rollouts: no network namespaces here"
device_folder p1 0
device_folder p2 12
repo init R --plain && publish
cp "$dir/R/public/metadata/1.root.json" "$dir/root.json"
at gw python3 -m http.server --bind 127.0.0.1 --directory "$dir/R/public" 8099 >/dev/null 2>&1 &
at hos python3 "$pump" listen &
mkdir "$dir/place"
cat >"$dir/bw.yaml" <<Y
gateway: {name: gw.ward.example, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden, capture: ${capture:-auto}}
console: {on: no}
pki: {names: [gw.ward.example]}
updates:
  mirrors: ["http://127.0.0.1:8099"]
  root: $dir/root.json
  dir: $dir/place
  agents: "10.94.0.2:8086"
  rollout: {few: 1, parallel: 2, pause_minutes: 0, install_seconds: 12, watch_seconds: 5, patient_seconds: 5}
segments:
  - {name: icu, ward: w0, hospital: h0, mode: enforce}
hosts:
  - {name: central-1, ip: [10.94.0.1], role: [central]}
  - {name: gateway, ip: [10.94.0.2], role: [gateway]}
devices:
  - name: pump-1
    segment: icu
    mac: "02:00:00:94:00:11"
    ip: [10.94.0.11]
    vendor: Acme
    model: pump
    version: "1.0"
    starts:
      - {service: rates, proto: tcp, port: [2575], peer: central, app: hl7}
      - {service: firmware, proto: tcp, port: [8086], peer: gateway}
    update: {driver: agent}
  - name: pump-2
    segment: icu
    mac: "02:00:00:94:00:12"
    ip: [10.94.0.12]
    vendor: Acme
    model: pump
    version: "1.0"
    starts: [{service: rates, proto: tcp, port: [2575], peer: central, app: hl7}]
    accepts: [{service: firmware, proto: tcp, port: [80], peer: gateway}]
    update: {driver: push, url: "http://10.94.0.12/firmware", then: "http://10.94.0.12/restart"}
  - name: pump-3
    segment: icu
    mac: "02:00:00:94:00:14"
    ip: [10.94.0.14]
    vendor: Acme
    model: slotted
    version: "1.0"
    starts:
      - {service: rates, proto: tcp, port: [2575], peer: central, app: hl7}
      - {service: firmware, proto: tcp, port: [8086], peer: gateway}
    update: {driver: agent}
  - name: scale-1
    segment: icu
    mac: "02:00:00:94:00:13"
    ip: [10.94.0.13]
    vendor: Acme
    model: scale
    version: "1.0"
    starts: [{service: weights, proto: tcp, port: [2575], peer: central, action: pass}]
    update: {driver: person}
Y
# --- the policy says it in words
words=$("$bw" policy check "$dir/bw.yaml" 2>&1)
check "policy check: who fetches firmware, and where" grep -q "fetched by an agent on it, which calls at 10.94.0.2:8086" <<<"$words"
check "policy check: what is on trust" grep -q 'the last hop, to the device, is on trust' <<<"$words"
check "policy check: the waves" grep -q 'one device first, then 1, then the rest' <<<"$words"
sed 's/driver: push, url: "[^"]*"/driver: push/; s/driver: agent/driver: agnet/; s/patient_seconds: 5/patient_seconds: 1/' "$dir/bw.yaml" >"$dir/bad.yaml"
words=$("$bw" policy check "$dir/bad.yaml" 2>&1)
check "policy check: a wrong driver, with its place" grep -q "^$dir/bad.yaml:26:22: .*did you mean 'agent'" <<<"$words"
sed 's/driver: push, url: "[^"]*"/driver: push/' "$dir/bw.yaml" >"$dir/bad.yaml"
check "policy check: a push without address, with its place" grep -q "^$dir/bad.yaml:36:13: driver push needs url" <("$bw" policy check "$dir/bad.yaml" 2>&1)

start
ms=$(until_ms 15000 guarding)
[ "$ms" -ge 0 ] && ok "the gateway starts after $ms ms" || { not "the gateway starts"; tail -20 "$dir/log"; exit 1; }
until_ms 5000 "$bw" pki show -c "$dir/bw.yaml" >/dev/null 2>&1
"$bw" pki show -c "$dir/bw.yaml" >"$dir/ca.pem" 2>/dev/null
for name in pump-1 pump-9; do certificate $name; agent_conf $name; done
for p in p1 p2; do at $p python3 "$pump" deliver "$dir/$p" 10.94.0.1 & done
at p2 python3 "$pump" take "$dir/p2" 80 &
call() { at p1 "$agent" -c "$dir/$1.conf" >>"$dir/agent.log" 2>&1 & }
call pump-1
first=$!

# --- proposed
firmware pump 1.0
firmware pump 2.0
firmware scale 1.5
publish
update check >/dev/null || not "update check"
check "a rollout is proposed to both pumps" soon 15000 is '.rollouts[] | select(.id=="pump-2.0") | .state=="proposed" and (.devices|length)==2'
[ $failed = 0 ] || { state; tail -20 "$dir/log" "$dir/agent.log"; exit 1; }
check "and another to the scale" soon 5000 rolled scale-1.5 proposed
check "an event asks for a person's word" soon 5000 has_event update.waiting pump-2.0
check "the agent's own word of its version counts" is '.devices[] | select(.device=="pump-1") | .version=="1.0" and .source=="agent" and .healthy'
sleep 3
check "nothing happens without that word" runs p1 1.0

# --- kept in the gateway's vault
kept() { timeout 20 "$bw" vault ls "$dir/state/vault" --class firmware --json 2>/dev/null | jq -e "$1" >/dev/null 2>&1; }
from_vault() { timeout 20 "$bw" vault get "$dir/state/vault" "$1" 2>/dev/null; }
check "each is in the vault, of class firmware" soon 10000 kept 'map(.name) | contains(["firmware/acme/pump-2.0", "firmware/acme/scale-1.5"])'
check "kept for six years" kept 'map((.until[0:4] | tonumber) - (.put[0:4] | tonumber)) | all(. == 6)'
from_vault firmware/acme/scale-1.5 | cmp -s - "$dir/scale-1.5" && ok "a person takes it from there, as it was published" || not "a person takes it from there, as it was published"
timeout 20 "$bw" vault shred "$dir/state/vault" firmware/acme/scale-1.5 2>"$dir/shred.err" && not "it is not destroyed before its time" || check "it is not destroyed before its time" grep -q 'kept longer' "$dir/shred.err"
grep -rqsaF "pump-2.0" "$dir/state/vault" && not "nothing in the vault's files says what it is" || ok "nothing in the vault's files says what it is"

# --- a first wave, a patient
check "it is approved" update approve pump-2.0 --reason "tried on the bench"
check "the first wave's pump is updated, by its agent" soon 30000 step pump-2.0 pump-1 done
check "and runs it" runs p1 2.0
check "the second waits: it delivers to a patient" soon 10000 device pump-2.0 pump-2 '.step=="waiting" and (.why|test("on a patient"))'
check "which an event says" soon 5000 has_event update.device_waits 'pump-2.*on a patient'
check "and status for people" grep -q 'pump-2 (push): waiting, it is on a patient' <(update status)
kill -9 "$(pids _updater)"
check "the updater is killed, and there again" soon 10000 another 0 _updater
sleep 3
check "the pump on a patient still waits" runs p2 1.0
echo 0 >"$dir/p2/rate"
check "when it delivers no more it is updated, by pushing" soon 30000 runs p2 2.0
check "the rollout is done" soon 20000 rolled pump-2.0 done
check "that the last hop was on trust is said" soon 5000 has_event update.on_trust pump-2

# --- what is bad
firmware pump 3.0 sick
publish
update check >/dev/null
check "a release that is not well is proposed" soon 15000 rolled pump-3.0 proposed
update approve pump-3.0 >/dev/null
check "its first pump is taken back by itself" soon 45000 step pump-3.0 pump-1 undone
check "to what it had" soon 5000 runs p1 2.0
check "the rollout stops" soon 10000 rolled pump-3.0 stopped
check "an event says so, and why" has_event update.device_back 'not well'
check "the second pump never had it" runs p2 2.0
firmware pump 3.1 mute
publish
update check >/dev/null
check "one that falls silent is proposed" soon 15000 rolled pump-3.1 proposed
update approve pump-3.1 >/dev/null
check "what the gateway does not hear talk is taken back, healthy or not in its own words" soon 60000 step pump-3.1 pump-1 undone
check "to what it had" soon 5000 runs p1 2.0

# --- people
firmware pump 4.0
publish
update check >/dev/null
check "a good one is proposed again" soon 15000 rolled pump-4.0 proposed
update hold --reason "ward round" >/dev/null
update approve pump-4.0 >/dev/null
check "while updates are held no device is begun with" soon 10000 device pump-4.0 pump-1 '.step=="waiting" and (.why|test("ward round"))'
update release >/dev/null
check "released, it goes on to the end" soon 60000 rolled pump-4.0 done
check "rollback: every device goes back" update rollback pump-4.0 --reason "a nurse asks for it"
check "the one that was pushed to" soon 30000 runs p2 2.0
check "and the one with an agent" soon 30000 runs p1 2.0
check "which ends it" soon 20000 rolled pump-4.0 stopped
check "what makes no sense is refused" grep -q 'approved before' <(update approve pump-4.0 2>&1)
update approve scale-1.5 >/dev/null
check "a person is waited for" soon 10000 step scale-1.5 scale-1 sending
check "and says that it is done" update done scale-1.5 scale-1 --reason "by USB"
check "which ends that rollout" soon 20000 rolled scale-1.5 done
check "the audit trail has who approved what" grep -q 'update.approve.*pump-2.0' <(timeout 5 "$bw" audit ls --what update.approve --json -c "$dir/bw.yaml" 2>/dev/null)

# --- RAUC
# slotted VERSION [ill]: a bundle that its maker signed, offered.
slotted() {
	(cd "$dir/p3" && "$slotted" bundle "$dir/slotted-$1" "$@")
	repo add R "slotted-$1" --name "acme/slotted-$1" \
		--custom '{"kind":"firmware","vendor":"Acme","model":"slotted","version":"'"$1"'"}'
	publish
	update check >/dev/null
	soon 15000 rolled "slotted-$1" proposed && update approve "slotted-$1" >/dev/null
}
boots() { [ "$(cat "$dir/p3/run/slot" 2>/dev/null) $(cat "$dir/p3/run/version")" = "$1 $2" ]; }
holds() { cmp -s "$dir/p3/slot-$1" "$dir/p3/in-$2"; }
# image VERSION: what its bundle has in it, to compare with.
image() { (cd test/agent && python3 -c 'import slotted, sys; sys.stdout.buffer.write(slotted.image(sys.argv[1]))' "$1") >"$dir/p3/in-$1"; }
mkdir -p "$dir/p3/current"
echo 0 >"$dir/p3/rate"
(cd "$dir/p3" && "$slotted" makers)
why=$(cd "$dir/p3" && "$slotted" ready)
if [ "$why" ]; then
	echo "skip - rollouts: RAUC: $why"
else
	certificate pump-3
	printf '%s\n' "server = 10.94.0.2" "name = gw.ward.example" "ca = $dir/ca.pem" "certificate = $dir/pump-3.pem" \
		"key = $dir/pump-3.key" "vendor = Acme" "model = slotted" >"$dir/p3/gateway"
	image 1.0; image 2.0
	at p3 python3 "$pump" deliver "$dir/p3" 10.94.0.1 &
	(cd "$dir/p3" && exec ip netns exec "$id-p3" "$slotted" run "$agent" gateway) >>"$dir/agent.log" 2>&1 &
	device=$!
	check "RAUC: a device of two slots starts the first" soon 10000 boots a 1.0
	slotted 2.0
	check "RAUC: a bundle of its maker's is installed and kept" soon 60000 rolled slotted-2.0 done
	check "RAUC: it runs from the other slot" soon 60000 boots b 2.0
	check "RAUC: which holds what was signed, and the first what it held" eval 'holds b 2.0 && holds a 1.0'
	check "RAUC: its boot loader has both for good" [ "$(cat "$dir/p3/boot/a") $(cat "$dir/p3/boot/b")" = "good good" ]
	slotted 3.0 ill
	check "RAUC: one that is not well goes back by itself" soon 60000 step slotted-3.0 pump-3 undone
	check "RAUC: the slot before runs" soon 60000 boots b 2.0
	check "RAUC: and that rollout stops" soon 60000 rolled slotted-3.0 stopped
	check "RAUC: which holds what it held" holds b 2.0
	[ $failed = 0 ] || tail -30 "$dir/p3/log"
	kill "$device"
	wait "$device" 2>/dev/null
fi

# --- a stick
pids=$(at gw ss -Hltnp 'sport = 8099' | grep -o 'pid=[0-9]*' | sort -u | cut -d= -f2)
kill $pids
firmware pump 5.0
publish
repo bundle R -o stick.bundle
check "a stick is imported" timeout 30 "$bw" update import "$dir/stick.bundle" -c "$dir/bw.yaml"
check "the firmware that it brought is proposed, though no mirror has told of it" soon 20000 rolled pump-5.0 proposed
check "and it is in the vault, too" soon 10000 kept 'map(.name) | contains(["firmware/acme/pump-5.0"])'
update approve pump-5.0 >/dev/null
for _ in 1 2 3 4 5; do # at moments of their own choosing
	sleep $((1 + RANDOM % 3)).$((RANDOM % 10))
	kill -9 "$(pids _updater)" 2>/dev/null
done
kill -9 "$(pids _keeper)"
check "and comes to the pumps, though updater and keeper are killed on the way" soon 90000 rolled pump-5.0 done
check "which run it" runs p1 5.0
check "the report says what was on trust" grep -q 'the last hop was on trust' <("$bw" report csf --json -c "$dir/bw.yaml" --socket "$dir/run/control" 2>/dev/null)

# --- who may not
kill "$first"
wait "$first" 2>/dev/null
call pump-9
stranger=$!
check "a certificate of ours for no device gets no firmware" soon 15000 grep -q "an agent called as 'pump-9'" "$dir/log"
kill "$stranger"
at hos timeout 5 openssl s_client -connect 10.94.0.2:8086 </dev/null >/dev/null 2>&1
check "without a certificate nobody is let in" soon 5000 has_event relay.no_certificate agents
[ $failed = 0 ] || { tail -60 "$dir/log"; tail -20 "$dir/agent.log"; state | jq -c '.rollouts[]'; }
exit $failed
