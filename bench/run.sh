#!/usr/bin/env bash
# What `./dev bench` runs: every measurement side by side with what it is
# measured against, in one run, as rows of one table. Ratios count; the machine's own
# speed does not. Never part of ./dev check. usage: bench/run.sh [PART...]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
all="path floor inspect flows policy grants dicom store api vault age update integrity relay link stage"
parts=${*:-$all}
for part in $parts; do
	[[ " $all " = *" $part "* ]] || { echo "bench: there is no part '$part'; there are: $all" >&2; exit 2; }
done
# For namespaces, and for the kernel's own run of a program; no password is asked for.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

printf '| what | measured | must |\n|---|---|---|\n'
for part in $parts; do
	case $part in
	path | link) as_root "bench/$part.sh" build ;;
	grants) as_root bench/grants.sh build/bedwarden ;;
	floor) as_root build/bench/bench-floor ;;
	inspect) bench/inspect.sh build/bedwarden ;;
	age) bench/age.sh build/bedwarden ;;
	update) bench/update.py build/bedwarden && bench/advisories.py build/bedwarden ;;
	flows | policy) "bench/$part.sh" build/bench/bench-stage ;;
	dicom) build/bench/bench-dicom ;;
	store)
		dir=$(mktemp -d)
		printf '\nWhat the keeper can take:\n\n' && build/bench/bench-store "$dir"
		rm -rf "$dir"
		;;
	api)
		printf '\nThe console:\n\n| what | measured | must |\n|---|---|---|\n'
		as_root bench/api.py build/test/console-kit && as_root test/console/guess.py build/test/console-kit row
		;;
	integrity)
		data=../shared/data/physio/wfdb-python
		[ -d $data ] || { data=; echo "bench: no recordings in ../shared/data/physio: the model alone" >&2; }
		printf '\nHow well forged vital signs are told from true ones:\n' && build/bench/bench-integrity $data && build/bench/bench-numbers
		;;
	vault) bench/vault.sh build/bedwarden ;;
	relay) bench/relay.sh build ;;
	stage) printf '\nWhat a packet costs in each room of the guard:\n\n' && build/bench/bench-stage ;;
	esac || echo "bench: $part failed" >&2
done
