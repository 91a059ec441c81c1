#!/usr/bin/env bash
# vault.sh [BINARY]: putting and getting 100,000 objects of 4 KiB and ten long ones (LONG MiB each; 1024, or
# as many as there is room for), against restic without compression, on a tmpfs, in one run. Half of each object compresses.
# WHERE=/var/tmp for a disk, where ten of 1 GiB are too many for memory; ROUNDS=1 for fewer; ONLY=short or ONLY=long for half.
# On a disk each command begins with nothing of it in memory (root only), or who came last would read from there.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
dir=$(mktemp -d "${WHERE:-/dev/shm}/bw-bench.XXXX")
trap 'rm -rf "$dir"' EXIT
export RESTIC_PASSWORD=bench RESTIC_CACHE_DIR=$dir/cache
cd "$dir" || exit 1
room=$(df --output=avail -B1M . | tail -1)
disk=1
if [ "$(stat -f -c %T .)" = tmpfs ]; then
	disk=
	memory=$(awk '/MemAvailable/ { print int($2 / 1024) - 1024 }' /proc/meminfo)
	room=$((memory < room ? memory : room))
fi
room=$((room / 33)) # three of each, and a tenth
long=${LONG:-$((room < 1024 ? room : 1024))}

# take COMMAND...: seconds, of the wall and of processors, and peak memory in MiB.
take() {
	if [ "$disk" ] && [ -w /proc/sys/vm/drop_caches ]; then sync && echo 3 >/proc/sys/vm/drop_caches; fi
	/usr/bin/time -o time -f '%e %U %S %M' "$@" >/dev/null 2>&1
	read -r wall user system memory <./time
	cpu=$(awk -v a="$user" -v b="$system" 'BEGIN { print a + b }')
	memory=$((memory / 1024))
}
least() { awk -v a="$1" -v b="${2:-}" 'BEGIN { print b == "" || a < b ? a : b }'; }
row() { awk -v what="$1" -v a="$2" -v b="$3" -v ca="$4" -v cb="$5" -v m="$6" -v cp="$7" 'BEGIN {
	printf "| vault: %s | %.2f s, restic %.2f s: %.1fx as fast (%.1fx by processor time); peak %d MiB; `cp -r` %.2f s | >= 4x, <= 32 MiB |\n",
		what, a, b, b / a, cb / ca, m, cp }'; }

# In turns, each its best of three: memory that a virtual machine's host has to give first costs whoever touches it first.
compare() { # WHAT
	local put='' put_cpu='' get='' get_cpu='' rput='' rput_cpu='' rget='' rget_cpu='' copy='' put_mem=0 get_mem=0
	for _ in $(seq "${ROUNDS:-3}"); do
		"$bw" vault init v --holder file >/dev/null 2>&1
		take "$bw" vault put v src; put=$(least $wall $put) put_cpu=$(least $cpu $put_cpu) put_mem=$((memory > put_mem ? memory : put_mem))
		take "$bw" vault get v -C out; get=$(least $wall $get) get_cpu=$(least $cpu $get_cpu) get_mem=$((memory > get_mem ? memory : get_mem))
		diff -rq src out/src >/dev/null || { echo "bench: vault: what came back differs" >&2; exit 1; }
		rm -rf v out
		restic init -q -r r >/dev/null
		take restic -q -r r --compression off backup src; rput=$(least $wall $rput) rput_cpu=$(least $cpu $rput_cpu)
		take restic -q -r r restore latest --target rout; rget=$(least $wall $rget) rget_cpu=$(least $cpu $rget_cpu)
		rm -rf r rout cache
		take cp -r src plain; copy=$(least $wall $copy)
		rm -rf plain
	done
	row "put $1" "$put" "$rput" "$put_cpu" "$rput_cpu" "$put_mem" "$copy"
	row "get $1" "$get" "$rget" "$get_cpu" "$rget_cpu" "$get_mem" "$copy"
}

[ "${ONLY:-short}" = short ] && python3 - <<'P'
import os
for d in range(100):
    os.makedirs(f"src/{d:03d}")
    for f in range(1000):
        with open(f"src/{d:03d}/{f:04d}", "wb") as out:
            out.write(os.urandom(2048) + b"OBX|%05d|NM|8867-4^Heart rate|72\r" % (d * 1000 + f) * 60)
            out.truncate(4096)
P
[ "${ONLY:-short}" != short ] || compare "100,000 objects of 4 KiB"
[ "${ONLY:-long}" = long ] || exit 0
rm -rf src && mkdir src
for i in 0 1 2 3 4 5 6 7 8 9; do head -c "${long}M" /dev/urandom >"src/$i"; done
[ "$(df --output=avail -B1M . | tail -1)" -gt $((long * 21)) ] || { echo "bench: vault: no room for the long objects" >&2; exit 1; }
compare "10 objects of $long MiB"
