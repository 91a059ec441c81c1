#!/usr/bin/env bash
# A hot folder that is a share: NFS-Ganesha's server and libnfs's client (NFS 3), in a network namespace of their own, while
# `vault watch` seals what lands on the server. NFS 3 knows no end of a file: what is asked here is that nothing is taken while it
# grows, that nothing is lost, and that whoever goes on with what was taken is told. usage: test/nfs.sh [BINARY]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
failed=0
ok() { echo "ok - $*"; }
not() { echo "not ok - $*"; failed=1; }
check() { local text=$1; shift; if "$@" >/dev/null 2>&1; then ok "$text"; else not "$text"; fi; }
[ -x "$bw" ] || { echo "not ok - there is no $bw"; exit 1; }
PATH=$PATH:/usr/sbin:/sbin
for tool in ganesha.nfsd nfs-cp rpcbind; do
	command -v $tool >/dev/null || { echo "skip - an NFS share as a hot folder: $tool is not installed"; exit 0; }
done
if [ "${BW_INSIDE:-}" != yes ]; then
	unshare -nm true 2>/dev/null || { echo "skip - an NFS share as a hot folder: needs root, for namespaces"; exit 0; }
	exec env BW_INSIDE=yes unshare -nm --kill-child "$0" "$bw"
fi

dir=$(mktemp -d /tmp/bw-nfs.XXXX)
server=
binder=
watcher=
cleanup() {
	[ -z "$watcher" ] || { kill -9 "$watcher"; wait "$watcher"; } 2>/dev/null
	# shellcheck disable=SC2086 # words
	[ -z "$server$binder" ] || { kill -9 $server $binder; wait $server $binder; } 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1
mkdir share recovery
ip link set lo up
mount -t tmpfs run /run && mkdir -p /run/rpcbind
# Ganesha keeps files open when their client is done, unless it is told not to: doc/vault.md.
cat >ganesha.conf <<C
NFS_CORE_PARAM { NFS_Port = 2049; MNT_Port = 2050; Protocols = 3, 4; Enable_NLM = false; Enable_RQUOTA = false; }
NFSV4 { Graceless = true; RecoveryRoot = $dir/recovery; }
MDCACHE { LRU_Run_Interval = 1; FD_LWMark_Percent = 0; FD_HWMark_Percent = 1; }
EXPORT { Export_Id = 1; Path = $dir/share; Pseudo = /export; Protocols = 3; Transports = TCP; Access_Type = RW;
	Squash = None; SecType = sys; FSAL { Name = VFS; } }
C
wait_for() { for _ in $(seq 150); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done; return 1; }
url() { echo "nfs://127.0.0.1$dir/share/$1?version=3&nfsport=2049&mountport=2050&uid=0&gid=0"; }
put() { nfs-cp "$1" "$(url "$2")"; }
rpcbind -f >rpcbind.out 2>&1 &
binder=$!
wait_for test -S /run/rpcbind.sock
ganesha.nfsd -F -f ganesha.conf -L "$dir/log" -p "$dir/pid" -N NIV_EVENT &
server=$!
wait_for nfs-ls "$(url '')" || { echo "not ok - the server answers: $(tail -2 log)"; exit 1; }

"$bw" vault init v --holder file >/dev/null 2>&1
"$bw" vault watch v share --settle 500 --class export >watched 2>watch.err &
watcher=$!
holds() { "$bw" vault get v "share/$1" 2>/dev/null | cmp -s - "$2"; }
taken() { grep -qF "  share/$1" watched; }
left() { [ -z "$(find share -type f ! -name '.*' ! -name '*.part')" ]; }

# --- one whole file, and many from three clients -------------------------------------------------------------
head -c 3000000 /dev/urandom >image
put image 1.dcm >/dev/null 2>&1
wait_for taken 1.dcm
check "a file that was put is sealed" holds 1.dcm image
check "and gone from the share" [ ! -e share/1.dcm ]
mkdir -p many && for i in $(seq 50); do head -c $((RANDOM + 1)) /dev/urandom >"many/$i"; done
mkdir share/c1 share/c2 share/c3
for c in 1 2 3; do
	for i in $(seq 50); do put "many/$i" "c$c/$i" || echo "$c/$i"; done >"client$c" 2>&1 &
	clients="${clients:-} $!"
done
# shellcheck disable=SC2086 # words
wait $clients
wait_for left
rm -rf back && "$bw" vault get v -c export -C back >/dev/null 2>&1
good=yes
for c in 1 2 3; do diff -rq many back/share/c$c >/dev/null || good=; done
[ "$good" ] && ok "three clients at once: every byte of 150 files" || not "three clients at once: every byte of 150 files"

# --- names of clients ----------------------------------------------------------------------------------------
put image .nfs00000000000100230000000a >/dev/null 2>&1
put image 2.dcm.part >/dev/null 2>&1
sleep 1.5
check "a file that a client has open and removed, and one with a name for the time being, stay" \
	[ -e share/.nfs00000000000100230000000a -a -e share/2.dcm.part ]

# --- an upload that stands still, longer than it takes to settle -------------------------------------------------
head -c 200000000 /dev/urandom >study
nfs-cp study "$(url 3.dcm)" >client.out 2>&1 & # the program itself, not a shell that waits for it
upload=$!
wait_for [ -s share/3.dcm ]
kill -STOP $upload
[ "$(stat -c %s share/3.dcm)" -lt 200000000 ] && ok "an upload is stopped half way" || not "an upload is stopped half way"
wait_for taken 3.dcm
kill -CONT $upload
wait $upload && not "whoever goes on with what was taken is told: $(tail -1 client.out)" || ok "whoever goes on with what was taken is told"
wait_for left
put study 3.dcm >/dev/null 2>&1
wait_for holds 3.dcm study && ok "when it is done again, the whole is there" || not "when it is done again, the whole is there"
wait_for left && ok "nothing else is left on the share" || not "nothing else is left on the share"
check "the vault is sound" "$bw" vault fsck v --content
[ -s watch.err ] && not "nothing was complained of: $(head -2 watch.err)" || ok "nothing was complained of"
exit $failed
