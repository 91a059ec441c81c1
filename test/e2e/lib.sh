# shellcheck shell=bash
# What the end-to-end tests share: how they speak and clean up, and a whole
# gateway between a ward behind a switch and a hospital. Sourced, never run.
#
# The test sets `id`, the prefix of its namespaces, and `spaces`, all of them;
# `bw`, the program, before it starts one; `h0_options`, if the hospital's port
# is to be a special one. workdir sets `dir`, start `parent`.
failed=0
parent=

ok() { echo "ok - ${as:+$as: }$*"; } # `as`: what every line begins with
# shellcheck disable=SC2034 # the test's exit code
not() { echo "not ok - ${as:+$as: }$*"; failed=1; }
# check TEXT CONDITION...: a command that must succeed.
check() { local text=$1; shift; if "$@" >/dev/null 2>&1; then ok "$text"; else not "$text"; fi; }
fails() { local text=$1; shift; if "$@" >/dev/null 2>&1; then not "$text"; else ok "$text"; fi; } # one that must not
# skip_all TEXT: the whole test, and why.
skip_all() { echo "skip - $*"; exit 0; }
# needs WHAT TOOL...: the test is skipped where one of them is not there.
needs() { local what=$1 p; shift; for p; do command -v "$p" >/dev/null || skip_all "$what: $p is not there"; done; }
# inside WHAT OPTION...: in namespaces of our own, as unshare(1) has it, we begin anew.
inside() {
	local what=$1; shift
	[ "$(id -u)" = 0 ] || skip_all "$what: needs root for namespaces"
	[ -n "${E2E_INSIDE:-}" ] || E2E_INSIDE=1 exec unshare "$@" "$self" "$bw"
}
within() { [ "$1" -ge 0 ] && [ "$1" -le "$2" ]; }

at() { local ns=$1; shift; ip netns exec "$id-$ns" "$@"; }

# workdir [GIVEN]: a directory that is there already and stays, or a new one.
# From here on, what the test makes goes when it does. KEEP=yes keeps the files.
workdir() {
	given=${1:-}
	dir=${given:-$(mktemp -d "/tmp/$id.XXXX")}
	[ "$given" ] || chmod 755 "$dir" # the keeper is not root
	trap cleanup EXIT
	trap 'exit 1' INT TERM
}
cleanup() {
	local ns
	[ -z "$parent" ] || { kill -9 "$parent"; wait "$parent"; } 2>/dev/null
	for ns in $spaces; do
		ip netns pids "$id-$ns" 2>/dev/null | xargs -r kill -9 2>/dev/null
		ip netns del "$id-$ns" 2>/dev/null
	done
	umount "$dir/bpf" 2>/dev/null
	[ -n "${KEEP:-}$given" ] || rm -rf "$dir"
}

# Namespaces without IPv6, which would chatter; fails where there may be none.
make_spaces() {
	local ns
	for ns in $spaces; do
		ip netns add "$id-$ns" || return 1
		at "$ns" ip link set lo up
		at "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
	done
}
# A private namespace for mounts has no names of its own to find namespaces by.
own_names() { mount -t tmpfs none /run && mkdir /run/netns; }

plug_uplink() {
	at sw ip link add name uplink type veth peer name w0 netns "$id-gw"
	at sw ip link set uplink master sw0 up
}
# make_ward DEVICE...: devices on a switch, `gw` with its ports w0 and h0, `hos`.
make_ward() {
	local ns
	make_spaces || return 1
	at sw ip link add name sw0 type bridge mcast_snooping 0
	at sw ip link set sw0 up
	for ns; do
		at sw ip link add name "$ns" type veth peer name e0 netns "$id-$ns"
		at sw ip link set "$ns" master sw0 up
	done
	plug_uplink
	# shellcheck disable=SC2086 # words
	at hos ip link add e0 type veth peer name h0 netns "$id-gw" ${h0_options:-}
	mkdir "$dir/bpf"
	[ "$given" ] || mount -t bpf bpf "$dir/bpf"
}
# make_hall MACHINE...: machines beside each other on the hospital's side, where `hos` is their switch.
make_hall() {
	local ns
	at hos ip link add name hsw type bridge mcast_snooping 0
	at hos ip link set e0 master hsw
	at hos ip link set e0 up
	at hos ip link set hsw up
	for ns; do
		at hos ip link add name "$ns" type veth peer name e0 netns "$id-$ns"
		at hos ip link set "$ns" master hsw up
	done
}
# make_line: `mon` and `hos` at the ports w0 and h0 of `gw`, without a switch between.
make_line() {
	make_spaces || return 1
	at mon ip link add e0 type veth peer name w0 netns "$id-gw"
	at hos ip link add e0 type veth peer name h0 netns "$id-gw"
	mkdir "$dir/bpf"
	mount -t bpf bpf "$dir/bpf"
}
# machine NS MAC [ADDRESS/LEN]: its only port.
machine() {
	at "$1" ip link set e0 address "$2"
	[ -z "${3:-}" ] || at "$1" ip addr add "$3" dev e0
	at "$1" ip link set e0 up
}

start() {
	ip netns exec "$id-gw" "$bw" run -c "$dir/bw.yaml" >>"$dir/log" 2>&1 &
	parent=$!
}
# ask COMMAND [OPTION]...: the gateway's own word.
ask() { local cmd=$1; shift; timeout 5 "$bw" "$cmd" "$@" --socket "$dir/run/control"; }
# JSON on one line, without the spaces that indent it.
status() {
	timeout 2 "$bw" status --json --socket "$dir/run/control" 2>/dev/null | sed 's/^ *//; s/": /":/g' | tr -d '\n'
}
events() { ask events --all --json 2>/dev/null | sed 's/": /":/g'; }
# has_event REASON [PATTERN]: of that reason alone; all there are may be thousands.
has_event() { ask events --all --json --reason "$1" 2>/dev/null | sed 's/": /":/g' | grep -- "${2:-"\"reason\":\"$1\""}" >/dev/null; }
# pids COMMAND: of children, from the kernel: works with the keeper dead.
pids() { pgrep -P "$parent" -f "bedwarden $1"; }
guarding() {
	local guards
	guards=$(status | grep -o '"guards":\[[^]]*') &&
		grep -q '"alive":true' <<<"$guards" && ! grep -q '"alive":false' <<<"$guards"
}
# another PID COMMAND: somebody else does its work.
another() { local p; p=$(pids "$2") && [ "$p" != "$1" ] && guarding; }

now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }
# until_ms MS COMMAND...: how many ms it took to succeed, or -1. Past a second it is asked less often: that costs
# the processor more than most of what is waited for.
until_ms() {
	local limit=$1 from took=0; from=$(now_ms); shift
	while ! "$@"; do
		took=$(($(now_ms) - from))
		[ $took -lt "$limit" ] || { echo -1; return; }
		if [ $took -lt 2000 ]; then sleep 0.05; else sleep 0.2; fi
	done
	echo $(($(now_ms) - from))
}
# soon TEXT COMMAND...: a check of what comes about by itself, however busy the machine is.
soon() {
	local text=$1; shift
	if within "$(until_ms 15000 "$@")" 15000; then ok "$text"; else not "$text"; fi
}
# listens NS PORT: somebody takes datagrams there.
listens() { at "$1" ss -Huln "sport = :$2" | grep -q .; }
# calm NS...: for half a second nothing has arrived there, and all that had was taken.
calm() {
	local was; was=$(arrived "$@")
	sleep 0.5
	[ "$was" = "$(arrived "$@")" ] && ! grep -q '^queued [1-9]' <<<"$was"
}
arrived() {
	local ns
	for ns; do
		at "$ns" cat /sys/class/net/e0/statistics/rx_packets
		at "$ns" ss -Huln | awk '{ n += $2 } END { print "queued", n + 0 }'
	done
}
says() { status | grep -q -- "$1"; } # PATTERN: so does `bedwarden status`
again() { # TEXT MS
	if within "$2" 1000; then ok "$1: guarding again after $2 ms"; else not "$1: guarding again after $2 ms (at most 1000)"; fi
}
