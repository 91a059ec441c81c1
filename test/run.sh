#!/usr/bin/env bash
# What `./dev check` runs, in order: unit tests, captures, sealed files, seeds of every fuzz
# target, layers and documents, then whole gateways in network namespaces.
# Every part speaks in lines `ok - text`, `not ok - text`, `skip - text: why`.
# usage: test/run.sh [PART...]   without PART all of them, most of them in three lanes side by side
set -uo pipefail
cd "$(dirname "$0")/.."
lanes=("unit pcap age tuf fuzz layers docs vault audit people console" "agent update package wards" "waits")
work=$(mktemp -d)
log=$work/log.$BASHPID
trap 'rm -rf "$work"' EXIT
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

# count COMMAND...: runs it, shows its failures and skips, counts its lines.
count() {
	local code ok not skip
	timeout "${LIMIT:-300}" "$@" >"$log" 2>&1
	code=$?
	ok=$(grep -c '^ok - ' "$log")
	not=$(grep -c '^not ok - ' "$log")
	skip=$(grep -c '^skip - ' "$log")
	if [ $code -ne 0 ] && [ "$not" = 0 ]; then
		not=1
		printf 'not ok - %s ended with %d\n' "$*" $code
	fi
	if [ "$not" != 0 ]; then grep '^not ok - ' "$log"; tail -60 "$log"; else grep '^skip - ' "$log"; fi
	echo "$ok $not $skip" >>"$work/counts"
	printf '%-44s %d ok, %d not ok, %d skipped\n' "$1 ${2:-}" "$ok" "$not" "$skip"
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
	count test/pcap/recut.py build-asan/bedwarden
	count test/pcap/learn.sh build-asan/bedwarden
	count test/pcap/real.sh build-asan/bedwarden
	count test/pcap/tshark.sh build-asan/bedwarden
	count test/pcap/dicom_peers.py build-asan/bedwarden
	count test/pcap/device_peers.py build-asan/bedwarden
	count test/pcap/hl7_files.py build-asan/bedwarden
}

age() {
	count test/age/kit.sh build-asan/bedwarden build-asan/test/age-kit
	count test/age/public.sh build-asan/bedwarden
	count test/age/files.sh build-asan/bedwarden
	LIMIT=600 count test/age/kill.py build/bedwarden
}

agent() {
	LIMIT=300 count test/agent/agent.py build/agent/bedwarden-agent build/test/agent-kit
	count test/agent/installers.py build/agent/bedwarden-agent build/test/agent-kit
	count test/agent/push.py build/test/push-kit
}

tuf() {
	count test/tuf/conform.py build/bedwarden
	count test/tuf/hostile.py build-asan/bedwarden
	count test/tuf/publish.py build-asan/bedwarden
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
	count test/console/guess.py build/test/console-kit
	count test/console/hostile.py build-asan/test/console-kit cookies assertions vectors totp policy
	count test/console/hostile.py build/test/console-kit loris
}

# Those that count what is lost want the machine for themselves; others mostly wait.
counting='gateway|link|update'
waiting='rollout|routed|services'
gateways() { # PATTERN
	local t
	for t in test/e2e/*.sh; do
		[[ ! ${t##*/} =~ ^($1)\.sh$ ]] || LIMIT=600 count "$t" build/bedwarden
	done
}
losses() { gateways "$counting"; }
waits() { gateways "$waiting"; }
wards() {
	local t
	for t in test/e2e/*.sh; do
		[[ ${t##*/} =~ ^(lib|pair|load|$counting|$waiting)\.sh$ ]] || LIMIT=600 count "$t" build/bedwarden
	done
}
e2e() { wards; waits; losses; }

# A lane's log is its own; lines of both come as they come.
lane() {
	local part
	log=$work/log.$BASHPID
	for part; do "$part"; done
}

if [ $# != 0 ]; then
	lane "$@"
else
	# shellcheck disable=SC2086
	for parts in "${lanes[@]}"; do lane $parts & done
	wait
	lane losses
fi
awk '{ ok += $1; not += $2; skip += $3 }
	END {
		if (skip) printf "%d skipped, each named above\n", skip
		printf "%d passed, %d failed\n", ok, not
		exit not != 0 || NR == 0
	}' "$work/counts"
