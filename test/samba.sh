#!/usr/bin/env bash
# A hot folder that is a share: Samba's server and client, on this machine's own loopback, while `vault watch` seals what
# lands. Uploads that pause, names for the time being, trees, files written over, opened by somebody, given up half
# way: nothing is taken before it is whole, nothing is lost. usage: test/samba.sh [BINARY]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
failed=0
ok() { echo "ok - $*"; }
not() { echo "not ok - $*"; failed=1; }
check() { local text=$1; shift; if "$@" >/dev/null 2>&1; then ok "$text"; else not "$text"; fi; }
[ -x "$bw" ] || { echo "not ok - there is no $bw"; exit 1; }
for tool in smbd smbclient; do
	command -v $tool >/dev/null || { echo "skip - a share as a hot folder: $tool is not installed"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "skip - a share as a hot folder: needs root, for smbd"; exit 0; }

dir=$(mktemp -d /tmp/bw-samba.XXXX)
server=
watcher=
cleanup() {
	[ -z "$watcher" ] || kill -9 "$watcher" 2>/dev/null
	[ -z "$server" ] || kill "$server" 2>/dev/null
	for _ in $(seq 50); do kill -0 "${server:-0}" 2>/dev/null || break; sleep 0.1; done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1
mkdir share var
port=$((RANDOM % 12000 + 20000)) # below those that clients get
cat >smb.conf <<C
[global]
interfaces = lo
bind interfaces only = yes
smb ports = $port
lock directory = $dir/var
state directory = $dir/var
cache directory = $dir/var
pid directory = $dir/var
private dir = $dir/var
ncalrpc dir = $dir/var/ncalrpc
log file = $dir/var/log
map to guest = Bad User
disable spoolss = yes
load printers = no
server role = standalone server
[export]
path = $dir/share
guest ok = yes
read only = no
force user = root
strict allocate = yes
C
client() { smbclient -s smb.conf -p $port -N -t 20 //127.0.0.1/export "$@"; }
wait_for() { for _ in $(seq 150); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done; return 1; }
smbd -F -s smb.conf -d0 --debug-stdout </dev/null >smbd.out 2>&1 &
server=$!
wait_for client -c ls || { echo "not ok - smbd answers: $(tail -2 smbd.out)"; exit 1; }

"$bw" vault init v --holder file >/dev/null 2>&1
"$bw" vault watch v share --settle 200 --class export >watched 2>watch.err &
watcher=$!
holds() { "$bw" vault get v "share/$1" 2>/dev/null | cmp -s - "$2"; }
taken() { grep -qF "  share/$1" watched; }

# --- one whole file; a tree with thousands ---------------------------------------------------------------
head -c 3000000 /dev/urandom >image
client -c 'put image 1.dcm' >/dev/null 2>&1
wait_for taken 1.dcm
check "a file that was put is sealed" holds 1.dcm image
check "and gone from the share" [ ! -e share/1.dcm ]
mkdir -p tree/study/series && for i in $(seq 2000); do echo "$i" >"tree/study/series/$i.dcm"; done
mkdir -p tree/"a b"/ü && cp image "tree/a b/ü/Bild – 1.dcm"
(cd tree && client -s ../smb.conf -c 'recurse; prompt; mput *') >/dev/null 2>&1
left() { [ -z "$(find share -type f)" ]; }
wait_for left && wait_for taken 'study/series/2000.dcm' && ok "a tree of two thousand files is taken" || not "a tree of two thousand files is taken: $(find share -type f | wc -l) stay"
"$bw" vault get v -c export -C back >/dev/null 2>&1
check "with its names and every byte" diff -r tree back/share --exclude=1.dcm

# --- an upload that pauses longer than it takes to settle --------------------------------------------------
mkfifo slow
client -c "put slow 2.dcm" >/dev/null 2>&1 &
upload=$!
exec 9>slow
head -c 2000000 image >&9
sleep 1.5
taken 2.dcm && not "a pausing upload is left alone" || ok "a pausing upload is left alone"
check "while it lies there" [ -e share/2.dcm ]
tail -c +2000001 image >&9
exec 9>&-
wait $upload
wait_for taken 2.dcm
check "it is taken when it is whole" holds 2.dcm image
check "once" [ "$("$bw" vault ls v --json | jq '[.[] | select(.name == "share/2.dcm")] | length')" = 1 ]

# --- names for the time being --------------------------------------------------------------------------------
client -c 'put image 3.dcm.part' >/dev/null 2>&1
client -c 'put image "~$report.doc"' >/dev/null 2>&1
sleep 1
check "what is not finished by its name is left alone" [ -e share/3.dcm.part -a -e 'share/~$report.doc' ]
client -c 'rename 3.dcm.part 3.dcm; del "~$report.doc"' >/dev/null 2>&1
wait_for taken 3.dcm
check "and taken when it has its own" holds 3.dcm image
check "a lock file came and went" [ ! -e 'share/~$report.doc' ]

# --- written over, again and again; made with its length first ---------------------------------------------------
for n in 1 2 3 4 5 6; do
	head -c $((n * 400000)) /dev/urandom >version
	client -c 'put version 4.dcm' >/dev/null 2>&1
	sleep 0.1
done
wait_for left
check "of a file that is written over, the last is there" holds 4.dcm version
: >empty
client -c 'put empty 5.dcm' >/dev/null 2>&1
wait_for taken 5.dcm
check "an empty one, too" holds 5.dcm empty

# --- given up half way, and done again ------------------------------------------------------------------------------
rm slow && mkfifo slow
client -c "put slow 6.dcm" >/dev/null 2>&1 &
upload=$!
exec 9>slow
head -c 1500000 image >&9
sleep 0.6
taken 6.dcm && not "half a file is left alone while its client is there" || ok "half a file is left alone while its client is there"
kill -9 $upload
wait $upload 2>/dev/null
exec 9>&-
wait_for left
client -c 'put image 6.dcm' >/dev/null 2>&1
wait_for holds 6.dcm image
check "an upload that was cut is whole when it was done again" holds 6.dcm image

# --- thousands at once from several, killed in between -----------------------------------------------------------------
mkdir many && for i in $(seq 300); do head -c $((RANDOM + 1)) /dev/urandom >"many/$i"; done
for c in 1 2 3; do
	(cd many && client -s ../smb.conf -c "mkdir c$c; cd c$c; prompt; mput *") >/dev/null 2>&1 &
	clients="${clients:-} $!"
done
for _ in 1 2 3; do
	sleep 0.7
	kill -9 "$watcher" && wait "$watcher" 2>/dev/null
	"$bw" vault watch v share --settle 200 --class export >>watched 2>>watch.err &
	watcher=$!
done
# shellcheck disable=SC2086 # words
wait $clients
wait_for left
kill "$watcher" && wait "$watcher"
watcher=
"$bw" vault watch v share --settle 20 --class export --once >>watched 2>>watch.err
rm -rf back && "$bw" vault get v -c export -C back >/dev/null 2>&1
good=yes
for c in 1 2 3; do diff -rq many back/share/c$c >/dev/null || good=; done
[ "$good" ] && ok "three clients at once, the watcher killed three times: nothing is lost" || not "three clients at once, the watcher killed three times: nothing is lost"
check "nothing is left on the share" left
check "the vault is sound" "$bw" vault fsck v --content
[ -s watch.err ] && not "nothing was complained of: $(head -2 watch.err)" || ok "nothing was complained of"
exit $failed
