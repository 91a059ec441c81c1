#!/usr/bin/env bash
# vault.sh [BINARY]: putting and getting 100,000 objects of 4 KiB and ten long ones, against restic without compression,
# on a tmpfs, in one run. Half of each short object compresses; the long ones are noise.
# LONG MiB each: 1024, or as many as there is memory for. One vault at a time is there: what it was put from is made anew
# by a cipher's stream, compared with that stream when it comes back, and removed between putting and getting.
# WHERE=/var/tmp for a disk; ROUNDS=1 for fewer; ONLY=short or ONLY=long for half.
# On a disk each command begins with nothing of it in memory (root only), or who came last would read from there. On a tmpfs
# each that writes long ones, of whichever program, finds memory that the machine has (hold.py), not what its host has yet to give.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
. bench/lib.sh
bw=$(realpath "${1:-build/bedwarden}")
hold=$PWD/bench/hold.py
dir=$(mktemp -d "${WHERE:-/dev/shm}/bw-bench.XXXX")
# Whoever is killed while a tmpfs is full takes the machine's memory along: what sees to it afterwards is a
# process of its own, and where memory runs out none but this one goes.
setsid bash -c 'tail --pid="$1" -f /dev/null; while [ -e "$2" ] && ! rm -rf "$2"; do sleep 1; done' - $$ "$dir" </dev/null >/dev/null 2>&1 &
echo 1000 2>/dev/null >/proc/self/oom_score_adj || true
running=
holder=
trap 'kill $running $holder 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
export RESTIC_PASSWORD=bench RESTIC_CACHE_DIR=$dir/cache
cd "$dir" || exit 1
disk=1
[ "$(stat -f -c %T .)" != tmpfs ] || disk=

available() { awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo; }
# MiB that may be filled. Who else is at work here needs some, and restic.
room() {
	local free memory
	free=$(df --output=avail -B1M . | tail -1)
	if [ -z "$disk" ]; then
		memory=$(($(available) - 1024))
		free=$((memory < free ? memory : free))
	fi
	echo "$free"
}
# Ten, ten more of them in a vault, and what that takes besides.
long=${LONG:-$(($(room) / 21 < 1024 ? $(room) / 21 : 1024))}

# Until all that is free is held for whoever is measured next.
await_held() {
	[ -n "$holder" ] || return 0
	until [ "$(awk '/MemFree/ { print int($2 / 1024) }' /proc/meminfo)" -lt 704 ]; do
		kill -0 $holder 2>/dev/null || { echo "bench: vault: who was to hold the memory ready is gone" >&2; exit 1; }
		sleep 0.1
	done
}

# take NAME COMMAND...: seconds, of the wall and of processors, and peak memory in KiB, into took.NAME.
take() {
	local name=$1 code wall user system memory
	shift
	if [ "$disk" ] && [ -w /proc/sys/vm/drop_caches ]; then sync && echo 3 >/proc/sys/vm/drop_caches; fi
	await_held
	/usr/bin/time -o time -f '%e %U %S %M' "$@" >said 2>&1 &
	running=$!
	wait $running && code=0 || code=$?
	running=
	[ $code = 0 ] || { echo "bench: vault: $* ended with $code: $(tail -2 said)" >&2; exit 1; }
	read -r wall user system memory <./time
	echo "$wall $(awk -v a="$user" -v b="$system" 'BEGIN { print a + b }') $memory" >>"took.$name"
}
best() { column "took.$1" "$2" | least; }
told() { # put|get WHAT
	row "vault: $1 $2" "$(best "$1" 1) s, restic $(best "r$1" 1) s: $(ratio "$(best "r$1" 1)" "$(best "$1" 1)")x as fast ($(ratio "$(best "r$1" 2)" "$(best "$1" 2)")x by processor time); peak $(($(column "took.$1" 3 | most) / 1024)) MiB; \`cp -r\` $(best copy 1) s" ">= 4x, <= 32 MiB"
}

# --- short and long ones: make them, and is that folder the same? ---------------------------------------
make_short() {
	[ -d short ] || python3 - <<'P'
import os
for d in range(100):
    os.makedirs(f"short/{d:03d}")
    for f in range(1000):
        with open(f"short/{d:03d}/{f:04d}", "wb") as out:
            out.write(os.urandom(2048) + b"OBX|%05d|NM|8867-4^Heart rate|72\r" % (d * 1000 + f) * 60)
            out.truncate(4096)
P
	cp -r short src
}
same_short() { diff -rq short "$1" >/dev/null; }
# The same noise every time; another one for each.
stream() { head -c "${long}M" /dev/zero | openssl enc -aes-128-ctr -K "$(printf %032x "$1")" -iv "$(printf %032x 0)"; }
make_long() {
	mkdir src
	for i in 0 1 2 3 4 5 6 7 8 9; do stream $i >src/$i; done
}
same_long() {
	[ "$(ls "$1" | wc -l)" = 10 ] || return 1
	for i in 0 1 2 3 4 5 6 7 8 9; do stream $i | cmp -s - "$1/$i" || return 1; done
}
back() { "same_$1" "$2" || { echo "bench: vault: what came back from $3 differs" >&2; exit 1; }; }

# In turns, each its best of three.
compare() { # short|long WHAT
	rm -f took.*
	for _ in $(seq "${ROUNDS:-3}"); do
		"make_$1"
		take copy cp -r src plain
		rm -rf plain
		"$bw" vault init v --holder file >/dev/null 2>&1
		take put "$bw" vault put v src
		rm -rf src
		take get "$bw" vault get v -C out
		rm -rf v
		back "$1" out/src bedwarden
		rm -rf out
		"make_$1"
		restic init -q -r r >/dev/null
		take rput restic -q -r r --compression off backup src
		rm -rf src
		take rget restic -q -r r restore latest --target rout
		rm -rf r cache
		back "$1" rout/src restic
		rm -rf rout
	done
	told put "$2"
	told get "$2"
}

if [ "${ONLY:-short}" = short ]; then
	[ "$(room)" -gt 2200 ] || { echo "bench: vault: the short objects need 2200 MiB, there are $(room)" >&2; exit 1; }
	compare short "100,000 objects of 4 KiB"
	rm -rf short
fi
if [ "${ONLY:-long}" = long ]; then
	[ "$(room)" -ge $((long * 81 / 4)) ] ||
		{ echo "bench: vault: ten objects of $long MiB need $((long * 81 / 4)) MiB beside 1024 for everybody else, there are $(room)" >&2; exit 1; }
	[ "$disk" ] || { "$hold" & holder=$!; }
	compare long "10 objects of $long MiB"
fi
