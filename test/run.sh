#!/usr/bin/env bash
# What `./dev check` runs: whole gateways in network namespaces, unit tests, captures, sealed files,
# seeds of every fuzz target, layers and documents.
# Every suite speaks in lines `ok - text`, `not ok - text`, `skip - text: why`.
# usage: test/run.sh [PART...]   LANES suites at a time; without PART all of them, LANES=3: those that
# mostly wait first and side by side, then what only computes; those that count what is lost at the end,
# one by one
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What Debian's packages brought comes first, its Python among them, which has the modules that peers need.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:handle_sigill=1
TIMEFORMAT='%R %U %S'
cores=$(nproc)

# count COMMAND...: is to be run, for LIMIT seconds at most (a hang is to end, a slow machine not to fail);
# into the queue that `plan` fills.
count() {
	local line
	printf -v line '%q ' "${LIMIT:-600}" "$@"
	printf '%s\n' "$line" >>"$work/$queue"
}

# plan QUEUE PART...: all their suites.
plan() {
	local part
	queue=$1
	: >"$work/$queue"
	for part in "${@:2}"; do "$part"; done
}

# judge LIMIT COMMAND...: runs it, shows its failures and skips, counts its lines and its seconds.
judge() {
	local log=$work/log.$BASHPID limit=$1 code ok not skip wall user system
	shift
	{ time timeout "$limit" "$@" >"$log" 2>&1; } 2>"$log.time"
	code=$?
	read -r wall user system < <(tail -n 1 "$log.time")
	ok=$(grep -c '^ok - ' "$log")
	not=$(grep -c '^not ok - ' "$log")
	skip=$(grep -c '^skip - ' "$log")
	if [ $code -ne 0 ] && [ "$not" = 0 ]; then
		not=1
		printf 'not ok - %s ended with %d\n' "$*" $code
	fi
	if [ "$not" != 0 ]; then grep '^not ok - ' "$log"; tail -60 "$log"; else grep '^skip - ' "$log"; fi
	echo "$ok $not $skip $wall $user $system $*" >>"$work/counts"
	awk '{ printf "%-52s %d ok, %d not ok, %d skipped; %.0f s, %.0f of it computing\n", $7 " " $8, $1, $2, $3, $4, $5 + $6 }' \
		<<<"$ok $not $skip $wall $user $system $*"
}

# take QUEUE: its first suite goes into `line`; fails where there is none left.
take() {
	local got
	exec 8>>"$work/lock"
	flock 8
	read -r line <"$work/$1" && sed -i 1d "$work/$1"
	got=$?
	exec 8>&-
	return $got
}

# work_off QUEUE: one suite after another.
work_off() {
	local line
	while settle && take "$1"; do eval "judge $line"; done
}

# A slower machine takes fewer at a time: who is next waits, a minute at most, while more want to compute
# than four a core, or the limits of those that are on would be the machine's.
settle() {
	local turns running
	for ((turns = 0; turns < 120; turns++)); do
		read -r _ _ _ running _ </proc/loadavg
		[ "${running%/*}" -gt $((4 * cores)) ] || return 0
		sleep 0.5
	done
}

# lanes N QUEUE [FILL]: so many suites at a time; who finds none left takes of FILL until the last is done.
lanes() {
	local n line
	for ((n = 0; n < $1; n++)); do
		{
			work_off "$2"
			: >"$work/idle.$BASHPID"
			while [ "${3:-}" ] && [ "$(compgen -G "$work/idle.*" | wc -l)" -lt "$1" ] && settle && take "$3"; do eval "judge $line"; done
		} &
	done
	wait
}

unit() {
	local t
	for t in build-asan/test/unit-*; do
		[ -f "$t" ] && [ -x "$t" ] && count test/unit/run.sh "$t"
	done
}

pcap() {
	count test/pcap/run.sh build-asan/bedwarden
	count test/pcap/inspect.sh build-asan/bedwarden
	count test/pcap/recut.py build-asan/test/inspect-kit
	count test/pcap/learn.sh build-asan/bedwarden
	count test/pcap/real.sh build-asan/bedwarden
	count test/pcap/tshark.sh build-asan/bedwarden
	count test/pcap/dicom_peers.py build-asan/bedwarden
	count test/pcap/device_peers.py build-asan/bedwarden
	count test/pcap/intellivue_simulator.py build-asan/bedwarden
	count test/pcap/hl7_files.py build-asan/bedwarden
}

age() {
	count test/age/kit.sh build-asan/bedwarden build-asan/test/age-kit
	count test/age/public.sh build-asan/bedwarden
	count test/age/files.sh build-asan/bedwarden
	count test/age/kill.py build/bedwarden
}

agent() {
	count test/agent/agent.py build/agent/bedwarden-agent build/test/agent-kit
	count test/agent/installers.py build/agent/bedwarden-agent build/test/agent-kit
	count test/agent/push.py build/test/push-kit
}

tuf() {
	count test/tuf/conform.py build/bedwarden
	count test/tuf/hostile.py build-asan/bedwarden
	count test/tuf/publish.py build-asan/bedwarden
	count test/tuf/kill.py build/bedwarden
}

# What `./dev package` made, if it did.
package() { count test/package.sh; }

update() { count test/update/kill.py build/bedwarden build/test/update-kit; }

fuzz() {
	local t
	for t in build-asan/fuzz/replay-*; do
		[ -f "$t" ] && [ -x "$t" ] && count fuzz/replay.sh "$t"
	done
}

layers() { count test/layers.sh; }
docs() { count test/docs.sh; }

vault() {
	LIMIT=900 count test/vault.sh build/bedwarden
	count test/restore.sh build/bedwarden
	count test/vault_manual.sh build/bedwarden
	count test/samba.sh build/bedwarden
	count test/nfs.sh build/bedwarden
}

audit() { count test/audit.sh build/bedwarden; }

people() {
	count test/people.py build-asan/bedwarden
	count test/sms.py build-asan/bedwarden
}

console() {
	count test/console/api.py build-asan/test/console-kit
	count test/console/holdings.py build-asan/test/console-kit
	count test/console/custody.py build-asan/test/console-kit
	count test/console/page.py build-asan/test/console-kit
	count test/console/report.py build/bedwarden
	count test/console/hostile.py build-asan/test/console-kit cookies assertions vectors totp policy
	count test/console/hostile.py build/test/console-kit loris
}

# Those that count what is lost, or what is done at all at the worst of times, want the machine for
# themselves; others mostly wait.
counting='gateway|link|update|capture|devices'
waiting='hung|rollout|routed|services|transfers'
# Those that take longest begin first, or one of them is waited for alone at the end.
longest='demo|archive|twin|relay'
gateways() { # PATTERN
	local t
	for t in test/e2e/*.sh; do
		[[ ! ${t##*/} =~ ^($1)\.sh$ ]] || count "$t" build/bedwarden
	done
}
losses() {
	gateways "$counting"
	count test/console/guess.py build/test/console-kit
}
waits() { gateways "$waiting"; }
wards() {
	local t
	gateways "$longest"
	for t in test/e2e/*.sh; do
		[[ ${t##*/} =~ ^(lib|pair|load|tls|$counting|$waiting|$longest)\.sh$ ]] || count "$t" build/bedwarden
	done
}
e2e() { wards; waits; losses; }

all="update vault console waits wards agent age tuf people audit package pcap unit fuzz layers docs losses"
for part; do
	[[ " $all e2e " = *" $part "* ]] || { echo "check: there is no part '$part'; there are: $all; e2e is waits, wards and losses" >&2; exit 2; }
done
if [ $# != 0 ]; then
	plan suites "$@"
	lanes "${LANES:-1}" suites
else
	plan waiting vault waits console agent update people audit package
	plan busy wards tuf age
	plan fill pcap unit fuzz layers docs
	# Beside one that computes there is one that waits.
	paste -d '\n' "$work/busy" "$work/waiting" | grep . >"$work/slow"
	plan losses losses
	lanes "${LANES:-3}" slow fill
	lanes 2 fill
	work_off losses
fi
# How long, and how much of it was computing: what only waits can wait beside something else.
if [ "$(wc -l <"$work/counts")" -gt 10 ]; then
	echo "the slowest ten:"
	sort -k4,4nr "$work/counts" | head -10 |
		awk '{ printf "%6.1f s, %.1f s of it computing  ", $4, $5 + $6; $1 = $2 = $3 = $4 = $5 = $6 = ""; sub(/^ +/, ""); print }'
fi
awk '{ ok += $1; not += $2; skip += $3 }
	END {
		if (skip) printf "%d skipped, each named above\n", skip
		printf "%d passed, %d failed\n", ok, not
		exit not != 0 || NR == 0
	}' "$work/counts"
