#!/usr/bin/env bash
# Sealing and opening against stock `age`, and a tree against rclone's crypt, on tmpfs and in
# one run, interleaved; the best of each counts, since whatever else the machine does can only
# slow it down. Every result of ours is compared with its source.
#
#   bench/age.sh [BEDWARDEN] [BYTES] [FILES]      prints rows of a table
set -euo pipefail
. "$(dirname "$0")/lib.sh"
bedwarden=$(realpath "${1:-build/bedwarden}")
bytes=${2:-2147483648} files=${3:-10000} rounds=${ROUNDS:-5}
tmp=$(mktemp -d -p /dev/shm)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1

# timed NAME COMMAND...: seconds to NAME.s, most memory in kB to NAME.kb
timed() {
	local name=$1
	shift
	python3 - "$name" "$@" <<'PY'
import os, resource, subprocess, sys, time
name, *command = sys.argv[1:]
began = time.monotonic()
subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
took = time.monotonic() - began
open(name + ".s", "a").write("%.4f\n" % took)
open(name + ".kb", "a").write("%d\n" % resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
PY
}
mib() { echo "$(($(most "$1") / 1024 + 1)) MiB"; }

age-keygen -o key 2>/dev/null
to=$(age-keygen -y key)
# Pages that were used before cost the same for whoever comes first.
head -c "$bytes" /dev/urandom >plain
cp plain a; cp plain b; rm -f a b

for _ in $(seq "$rounds"); do
	rm -f out; timed age-seal age -r "$to" -o out plain
	rm -f out; timed seal "$bedwarden" seal -r "$to" -o out plain
	rm -f back; timed age-open age -d -i key -o back out
	rm -f back; timed open "$bedwarden" open -i key -o back out
	cmp plain back
	rm -f out back
done
gib=$(awk -v b="$bytes" 'BEGIN { printf "%.3g", b / 1073741824 }')
s=$(least seal.s) a=$(least age-seal.s)
row "seal $gib GiB on tmpfs, against \`age -r\` ($a s)" "$s s, $(ratio "$a" "$s")x as fast, $(mib seal.kb)" ">= 1.5x, <= 32 MiB"
s=$(least open.s) a=$(least age-open.s)
row "open $gib GiB on tmpfs, against \`age -d\` ($a s)" "$s s, $(ratio "$a" "$s")x as fast, $(mib open.kb)" ">= 2x, <= 32 MiB"
rm -f plain

python3 - "$files" <<'PY'
import os, sys
for i in range(int(sys.argv[1])):
    os.makedirs("tree/%03d" % (i // 500), exist_ok=True)
    open("tree/%03d/%06d.dcm" % (i // 500, i), "wb").write(os.urandom(65536))
PY
cat >rclone.conf <<CONF
[c]
type = crypt
remote = $tmp/theirs
password = $(rclone obscure "a passphrase")
CONF
for _ in $(seq "$rounds"); do
	rm -rf theirs ours copy
	timed rclone rclone --config rclone.conf copy tree c:
	timed tree "$bedwarden" seal -r "$to" -o ours tree
	timed cp cp -r tree copy
done
[ "$(find ours -name '*.age' | wc -l)" = "$files" ]
rm -rf theirs copy
timed tree-open "$bedwarden" open -i key -o back ours
diff -r tree back
s=$(least tree.s) a=$(least rclone.s) c=$(least cp.s)
row "seal $files files of 64 KiB, against \`rclone copy\` to a crypt remote ($a s)" \
	"$s s, $(ratio "$a" "$s")x as fast, $(ratio "$s" "$c")x the time of \`cp -r\`, $(mib tree.kb)" ">= 2.5x"
