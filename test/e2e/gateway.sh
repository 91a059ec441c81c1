#!/usr/bin/env bash
# A whole gateway between real ports, under 5,000 packets/s: its processes are
# killed, stopped and replaced, its policy is changed, its ports come and go.
# Counted at the receiver: what an open-class device lost, and what a
# closed-class one got through that it must not.
# usage: test/e2e/gateway.sh [BINARY]
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
load=$(realpath "$(dirname "$bw")/bench/bench-load")
id=bwr$$
spaces="gw sw open closed hos"
h0_options="numrxqueues 2 numtxqueues 2"
inside=${INSIDE:-} # set: we are the copy of us in an unprivileged user namespace

. "$(dirname "$self")/lib.sh"
. "$(dirname "$self")/load.sh"

[ "$(id -u)" = 0 ] || skip_all "the gateway end to end: needs root for network namespaces"
[ -x "$load" ] || skip_all "the gateway end to end: $load is not built"
[ -z "$inside" ] || own_names || exit 3
workdir "$inside"

killed() { # TEXT PID COMMAND-PATTERN
	stream 4
	sleep 1
	kill -9 "$2"
	ms=$(until_ms 5000 another "$2" "$3")
	again "kill -9 of $1" "$ms"
	verdict "kill -9 of $1" 64
}

# What the kernel says of a child: its user, capabilities, filters, and that it holds no file.
locked_in() { # COMMAND
	local p; p=$(pids "$1" | head -1) || return 1
	grep -q '^NoNewPrivs:.1' /proc/$p/status && grep -q '^Seccomp:.2' /proc/$p/status &&
		grep -Eq '^CapEff:.0+$' /proc/$p/status && grep -Eq '^CapBnd:.0+$' /proc/$p/status &&
		! grep -Eq '^Uid:.0' /proc/$p/status
}
maps_curl() { grep -q libcurl "/proc/$(pids "$1" | head -1)/maps"; }
holds_no_file() {
	local p; p=$(pids "$1" | head -1) || return 1
	! find "/proc/$p/fd" -mindepth 1 -printf '%l\n' | grep '^/' | grep -vE '^/dev/null|^/dev/pts|/log$'
}

gone() { # PIDS
	local p
	for p in $1; do [ ! -d /proc/$p ] || grep -q ') Z ' /proc/$p/stat 2>/dev/null || return 1; done
}

# The closed-class device's packets found no guard, or one that had fallen behind.
shut_out() { has_event floor.no_guard "$1" || has_event floor.overload "$1"; }

run_kills() {
	check "the guard is nobody, without capabilities, behind seccomp" locked_in _guard
	check "the keeper is nobody, without capabilities, behind seccomp" locked_in _keeper
	check "the guard holds no file" holds_no_file _guard
	fails "nor what transfers files in its memory" maps_curl _guard
	stream 2
	verdict "an undisturbed second" 0
	[ "$lost_closed" = 0 ] && ok "what the closed-class device may say arrives" ||
		not "what the closed-class device may say arrives ($lost_closed lost)"

	killed "the guard" "$(pids _guard | head -1)" _guard
	killed "the keeper" "$(pids _keeper)" _keeper

	stream 5
	sleep 1
	old="$(pids _guard) $(pids _keeper)"
	kill -9 "$parent"
	wait "$parent" 2>/dev/null
	soon "kill -9 of the parent: its children end by themselves" gone "$old"
	start
	ms=$(until_ms 5000 guarding)
	again "kill -9 of the parent" "$ms"
	verdict "kill -9 of the parent" 64
	soon "the deaths are events" has_event gateway.process_died guard
}

run_stopped() {
	stream 4
	sleep 1
	victim=$(pids _guard | head -1)
	kill -STOP "$victim"
	sleep 2
	kill -CONT "$victim"
	verdict "a guard stopped for two seconds" 64
	soon "the event says that vital signs went uninspected, and how many" \
		has_event floor.uninspected '"device":"monitor-1".*"count":[0-9]'
	soon "the event says that the closed-class device was shut out" \
		shut_out '"device":"pump-1"'

	stream 9
	sleep 0.5
	victim=$(pids _guard | head -1)
	kill -STOP "$victim"
	ms=$(until_ms 8000 another "$victim" _guard)
	within "$ms" 7900 && ok "a guard that stays stopped is replaced after $ms ms" ||
		not "a guard that stays stopped is replaced (it was not)"
	verdict "a guard that stays stopped" 64
}

# 16,000 messages from the monitor, each an event of some 700 bytes: more than the keeper's socket
# holds unread, and no more than may wait behind that.
chatter() {
	at open python3 -c '
import socket, struct, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(16000):
    name = b"".join(bytes([len(x)]) + x for x in (b"host%d" % i, b"a" * 60, b"b" * 60, b"c" * 60))
    s.sendto(struct.pack(">6H", i, 0x100, 1, 0, 0, 0) + name + b"\0\0\1\0\1", ("10.91.0.1", 5000))
    if i % 20 == 0: time.sleep(0.002)'
}
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; } # of processor time

# A keeper that takes nothing costs the guard no time, and loses nothing that finds room.
run_deaf_keeper() {
	local guard keeper ticks last
	if ! command -v python3 >/dev/null; then
		echo "skip - a keeper that does not read: no python3"
		return
	fi
	guard=$(pids _guard | head -1)
	keeper=$(pids _keeper)
	kill -STOP "$keeper"
	chatter
	sleep 0.3
	ticks=$(ticks "$guard")
	sleep 2
	ticks=$(($(ticks "$guard") - ticks))
	kill -CONT "$keeper"
	within "$ticks" $(($(getconf CLK_TCK) / 5)) &&
		ok "a keeper that does not read: the guard takes $ticks ticks in two seconds" ||
		not "a keeper that does not read: the guard takes $ticks ticks in two seconds"
	told() { grep -o '"host[0-9]*[.]a' "$dir/state/eve.json" | sort -u | wc -l; }
	all() { [ "$last" -gt 0 ] && [ "$(told)" = "$last" ] && return; last=$(told); sleep 0.3; return 1; }
	last=0
	until_ms 20000 all >/dev/null
	# The monitor is of the open class: a few may have gone by while the guard had no processor.
	[ "$last" -ge 15000 ] && ! has_event gateway.events_lost && ok "a keeper that reads again is told all" ||
		not "a keeper that reads again is told all ($last of 16000, $(events | grep -c events_lost) times some were lost)"
}

run_policy() {
	stream 4
	sleep 1
	before=$(status | grep -o '"generation":[0-9]*' | head -1)
	policy '  - {service: time, proto: udp, port: ["123"], peer: central}'
	check "policy apply" timeout 30 "$bw" policy apply -c "$dir/bw.yaml"
	after=$(status | grep -o '"generation":[0-9]*' | head -1)
	[ -n "$after" ] && [ "$before" != "$after" ] && ok "a new policy is in force ($before, $after)" ||
		not "a new policy is in force ($before, $after)"
	sleep 0.5
	kill -HUP "$parent"
	verdict "policy changed twice under load" 0
	nothing_lost "policy changed twice under load"
	"$bw" policy counters -c "$dir/bw.yaml" --device monitor-1 --json >"$dir/counters"
	check "each rule says what it counted since then" \
		grep -q '"device":"monitor-1"[^}]*"packets":[1-9][0-9]\{3,\},"bytes":[1-9]' "$dir/counters"
	"$bw" policy counters -c "$dir/bw.yaml" >"$dir/counters"
	check "and to a person, all devices' rules" \
		eval 'grep -q "^DEVICE.*PACKETS" "$dir/counters" && grep -q "^pump-1" "$dir/counters"'
	"$bw" policy counters -c "$dir/bw.yaml" --device nobody >"$dir/counters" 2>&1
	check "a device that is none is said" grep -q "no device 'nobody'" "$dir/counters"

	stream 4
	sleep 1
	victim=$(pids _guard | head -1)
	sed -i 's/bpf_dir:/flows: 50000, workers: 3, bpf_dir:/' "$dir/bw.yaml"
	kill -HUP "$parent"
	ms=$(until_ms 5000 another "$victim" _guard)
	again "a policy that takes other guards" "$ms"
	verdict "a policy that takes other guards" 0
	nothing_lost "a policy that takes other guards"
	soon "what takes effect at the next start is said" grep -q 'workers: 3 instead of 0 takes effect' "$dir/log"

	stream 3
	sleep 1
	echo 'devices: [{nonsense: 1}]' >>"$dir/bw.yaml"
	kill -HUP "$parent"
	soon "a wrong policy is refused with its place" has_event gateway.policy_refused 'bw.yaml:[0-9]'
	soon "status nags about the refused policy" says '"generation":[0-9].*has an error and is not in force\|has an error and is not in force.*"generation":[0-9]'
	policy ''
	verdict "a wrong policy" 0

	sed -i 's/bpf_dir:/flows: 300000, bpf_dir:/' "$dir/bw.yaml"
	stream 4
	sleep 1
	kill -TERM "$parent"
	wait "$parent"
	code=$?
	[ $code = 0 ] && ok "SIGTERM ends the gateway in order" || not "SIGTERM ends the gateway in order (code $code)"
	start
	until_ms 5000 guarding >/dev/null
	verdict "restart under load" 0
	nothing_lost "restart under load"
	rows=$(bpftool -j map show pinned "$dir/bpf/bedwarden/flows" | grep -o '"max_entries":[0-9]*')
	# In sets of 19 and one that holds none, seven to a block (bpf/flows.h).
	[ "$rows" = "\"max_entries\":$(((300000 * $(pids _guard | wc -l) / 19 + 2 + 6) / 7))" ] &&
		ok "the kernel remembers as many conversations as the guards ($rows)" ||
		not "the kernel remembers as many conversations as the guards ($rows)"
	soon "the floor kept it for the new guard" says '"held":{"packets":[1-9]'

	stream 10
	sleep 0.5
	kill -TERM "$parent"
	wait "$parent"
	sleep 5.5
	start
	until_ms 5000 guarding >/dev/null
	verdict "started again too late" 0
	[ "$lost_closed" -gt 100 ] && ok "started again too late: what waited for too long does not arrive any more" ||
		not "started again too late: what waited for too long does not arrive any more ($lost_closed lost)"
}

# Whoever asks for the policy again and again, and changes it meanwhile.
run_storm() {
	local held
	policy ''
	stream 4
	sleep 0.5
	held=$(find "/proc/$parent/fd" | wc -l)
	for i in {1..200}; do
		[ "$i" != 100 ] || policy '  - {service: last of all, proto: udp, port: ["123"], peer: central}'
		kill -HUP "$parent"
		sleep 0.01
	done
	verdict "asked 200 times for its policy" 0
	nothing_lost "asked 200 times for its policy"
	soon "asked 200 times for its policy: the last one is in force" eval '"$bw" policy counters -c "$dir/bw.yaml" | grep -q "last of all"'
	[ "$(find "/proc/$parent/fd" | wc -l)" -le "$held" ] && ok "asked 200 times for its policy: it holds what it held" ||
		not "asked 200 times for its policy: it held $held descriptors, now $(find "/proc/$parent/fd" | wc -l)"
}

run_ports() {
	at sw ip link set uplink down
	soon "a port that goes down is an event" has_event gateway.port_down '"in_iface":"w0"'
	soon "status knows of it" says 'port w0 has no link'
	at sw ip link set uplink up
	soon "its return is an event" has_event gateway.port_up '"in_iface":"w0"'
	stream 1
	verdict "after a port was down" 0

	at sw ip link del uplink
	soon "a port that vanishes is missing" says '"link":"missing"'
	links_pinned() { [ "$(find "$dir/bpf/bedwarden" -name 'link_*' | wc -l)" = "$1" ]; }
	soon "nothing of it stays pinned" links_pinned 1
	plug_uplink
	until_ms 15000 links_pinned 2 >/dev/null
	until_ms 15000 guarding >/dev/null
	stream 1
	verdict "after a port came back as another interface" 0
}

# Without any right outside: a user namespace of an ordinary user, back end `packet`.
run_unprivileged() {
	mkdir -p "$dir/user/bench" && cp "$bw" "$dir/user/" && cp "$load" "$dir/user/bench/" &&
		cp "$self" "$(dirname "$self")"/{lib,load}.sh "$dir/user/" && chown -R nobody "$dir/user"
	setpriv --reuid nobody --regid nogroup --clear-groups unshare -Urnmp --fork --kill-child \
		--mount-proc env INSIDE="$dir/user" PPS=2000 bash "$dir/user/gateway.sh" "$dir/user/bedwarden"
	case $? in
	0) ;;
	3) echo "skip - the gateway without rights: no unprivileged user namespaces here" ;;
	*) failed=1 ;;
	esac
}

run_inside() {
	check "without rights: back end packet, and status says why" \
		grep -q '"capture":"packet".*kernel.s floor is not in use' "$dir/status"
	stream 2
	verdict "without rights, an undisturbed second" 0
	victim=$(pids _guard)
	kill -9 "$victim"
	again "without rights, kill -9 of the guard" "$(until_ms 5000 another "$victim" _guard)"
	victim=$(pids _keeper)
	stream 3
	sleep 1
	kill -9 "$victim"
	again "without rights, kill -9 of the keeper" "$(until_ms 5000 another "$victim" _keeper)"
	verdict "without rights, kill -9 of the keeper" 0
	soon "without rights, deaths are events" has_event gateway.process_died
	kill -TERM "$parent"
	wait "$parent"
	check "without rights, SIGTERM ends the gateway in order" [ $? = 0 ]
}

wire || skip_all "the gateway end to end: no network namespaces here"
policy ''
start
ms=$(until_ms ${START_MS:-15000} guarding)
if [ "$ms" -lt 0 ]; then
	not "the gateway starts and answers"
	tail -20 "$dir/log"
	exit 1
fi
ok "${inside:+without rights, }the gateway starts and answers after $ms ms"
status >"$dir/status"
if [ "$inside" ]; then
	run_inside
else
	check "both ports have one queue, for conversations to meet in one guard" \
		[ "$(grep -o '"queues":1' "$dir/status" | wc -l)" = 2 ]
	check "no port takes VLAN tags off frames, or status says so" \
		[ "$(at gw ethtool -k w0 2>/dev/null | grep -c -m1 '^rx-vlan-\(offload\|stag-hw-parse\): on')" = \
		"$(grep -c 'port w0 takes VLAN tags off' "$dir/status")" ]
	check "status says what this switch hides" \
		grep -q 'traffic between devices on it is not seen' "$dir/status"
	if grep -q '"capture":"xdp"' "$dir/status"; then
		run_kills
		run_stopped
		run_deaf_keeper
		run_policy
		run_storm
		run_ports
	else
		echo "skip - kills, stops and changes under load: no floor in the kernel here"
	fi
	run_unprivileged
fi
[ $failed = 0 ] || tail -40 "$dir/log"
exit $failed
