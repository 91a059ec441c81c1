#!/usr/bin/env bash
# The machine is lost: what doc/vault.md says to do, word for word, in a mount namespace whose /var/lib, /etc/bedwarden
# and /mnt are empty folders of our own. The commands are read from the page. usage: test/restore.sh [BINARY]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
failed=0
ok() { echo "ok - $*"; }
not() { echo "not ok - $*"; failed=1; }
check() { local text=$1; shift; if "$@" >check.out 2>&1; then ok "$text"; else not "$text: $(tail -2 check.out)"; fi; }
[ -x "$bw" ] || { echo "not ok - there is no $bw"; exit 1; }
for tool in sqlite3 unshare; do
	command -v $tool >/dev/null || { echo "skip - restore on an empty machine: needs $tool"; exit 0; }
done
if [ -z "${BEDWARDEN_ALONE:-}" ]; then
	[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null || { echo "skip - restore on an empty machine: needs root, for mounts of its own"; exit 0; }
	[ -d /etc/bedwarden ] || made=$(mkdir -v /etc/bedwarden)
	BEDWARDEN_ALONE=1 unshare -m --propagation private test/restore.sh "$bw"
	code=$?
	[ -z "${made:-}" ] || rmdir /etc/bedwarden
	exit $code
fi
page=$PWD/doc/vault.md
case $PWD/ in /var/lib/* | /mnt/*) echo "skip - restore on an empty machine: this folder is in one that would be hidden"; exit 0 ;; esac
for folder in /var/lib /mnt /etc/bedwarden; do
	mount -t tmpfs -o mode=1777 tmpfs $folder || { echo "skip - restore on an empty machine: no tmpfs on $folder"; exit 0; }
done
work=$(mktemp -d)
trap 'kill "${writer:-}" 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work/bin" && ln -s "$bw" "$work/bin/bedwarden"
export PATH=$work/bin:$PATH
cd "$work" || exit 1

# The commands of a step of the page: the lines indented further than its text.
step() { sed -n '/^## Back up/,/^## Kept/p' "$page" | awk -v n="$1." '/^[0-9]\./ { on = $1 == n } on && /^       [^ ]/ { sub(/^ */, ""); print }'; }
# follow NUMBER TEXT: each of them, as it stands there.
follow() {
	local line count=0
	while read -r line; do
		count=$((count + 1))
		bash -c "${line//HOLDER/file}" >step.out 2>&1 </dev/null || { not "$2: '$line': $(tail -2 step.out)"; return 1; }
	done < <(step "$1")
	[ $count -ge "$3" ] && ok "$2: $count commands" || not "$2: the page has $count commands for it"
}

# --- a machine in its life -----------------------------------------------------------------
state=/var/lib/bedwarden
id nobody >/dev/null && mkdir -p $state/pki /etc/bedwarden/profiles && chmod 750 $state
bedwarden vault init $state/vault --holder file >printed 2>&1
grep -o 'AGE-SECRET-KEY-1[A-Z0-9]*' printed >/mnt/recovery.txt
echo "PID|1||4711^^^HOSP||DOE^JANE" >message.hl7
bedwarden vault put $state/vault message.hl7 -c archive >/dev/null
echo 'gateway: {}' >/etc/bedwarden/bedwarden.yaml
printf 'name: pump\n' >/etc/bedwarden/profiles/'a pump, of $(ward) 7.yaml'
head -c 700000 /dev/urandom >$state/pki/big && chmod 640 $state/pki/big && chown nobody $state/pki/big
touch -d 2026-01-02T03:04:05 $state/pki/big
# A database that somebody writes to all the time: two tables that always say the same.
sqlite3 $state/events.db 'PRAGMA journal_mode = WAL; CREATE TABLE a(n); CREATE TABLE b(n);' >/dev/null
python3 - $state/events.db $state/eve.json <<'P' &
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
log = open(sys.argv[2], "a")
n = 0
while True:
    n += 1
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO a VALUES(?)", (n,))
    db.execute("INSERT INTO b VALUES(?)", (n,))
    db.execute("COMMIT")
    log.write("{\"n\": %d}\n" % n)
    log.flush()
    time.sleep(0.001)
P
writer=$!
# rows: how many there are, of a table that is not there yet none
rows() { sqlite3 $state/events.db 'PRAGMA busy_timeout = 5000; SELECT count(*) FROM a' 2>/dev/null | tail -1; }
for _ in $(seq 300); do [ "$(rows)" -gt 100 ] && break; sleep 0.1; done

follow 2 "backed up while it is written to" 1
check "nothing of a copy stays behind" [ -z "$(find $state/vault -name '.snap*')" ]
then=$(rows)
for _ in $(seq 300); do [ "$(rows)" -gt "$then" ] && break; sleep 0.1; done
follow 3 "copied to another disk" 2
kill $writer
wait $writer 2>/dev/null
writer=
# Long enough that no megabyte of noise has them.
grep -rqaE '4711\^\^\^HOSP|DOE\^JANE|name: pump|a pump, of|CREATE TABLE a' /mnt/backup && not "the copy names nobody and nothing" || ok "the copy names nobody and nothing"
cp -a $state/pki/big big
cp -a /etc/bedwarden etc

# --- it is lost ------------------------------------------------------------------------------
umount /var/lib /etc/bedwarden && mount -t tmpfs tmpfs /var/lib && mount -t tmpfs tmpfs /etc/bedwarden
cp /mnt/recovery.txt .
check "an empty machine" [ -z "$(ls -A /var/lib)$(ls -A /etc/bedwarden)" ]
follow 4 "restored as the manual says" 5
check "the policy and its profiles" diff -r etc /etc/bedwarden
check "a file, its bytes" cmp big $state/pki/big
check "its owner, its mode" [ "$(stat -c '%U %a' $state/pki/big)" = 'nobody 640' ]
check "the folders' modes" [ "$(stat -c '%a' $state)" = 750 ]
check "the database is sound" [ "$(sqlite3 $state/events.db 'PRAGMA integrity_check')" = ok ]
count=$(sqlite3 $state/events.db 'SELECT count(*) FROM a')
check "of one moment" [ "$count" = "$(sqlite3 $state/events.db 'SELECT count(*) FROM b')" ]
check "which was that of the backup" [ "$count" -gt 50 -a "$count" -le "$then" ]
check "a log that grew has whole lines up to then" grep -q '^{"n": 50}$' $state/eve.json
check "no log of SQLite's own is brought back" [ ! -e $state/events.db-journal ]
check "and what was archived" cmp message.hl7 <(bedwarden vault get $state/vault message.hl7)
bedwarden vault restore $state/vault -C / >again 2>&1 && not "what is there is not replaced" || check "what is there is not replaced" grep -q 'there already' again

# --- another moment; one that is not whole -------------------------------------------------------
first=$(bedwarden vault ls $state/vault --json | jq -r '.[] | select(.class == "backup") | .name' | cut -d/ -f1 | sort -u)
echo 'gateway: {changed: true}' >/etc/bedwarden/bedwarden.yaml
sleep 1.1
check "a second backup" bedwarden vault backup $state/vault
check "the newest" bedwarden vault restore $state/vault -C newest
check "is the newest" grep -q changed newest/etc/bedwarden/bedwarden.yaml
check "an older one by its moment" bedwarden vault restore $state/vault -C older "$first"
check "is the older" diff -r etc older/etc/bedwarden
sleep 1.1
mkdir broken && sqlite3 broken/x.db 'CREATE TABLE t(n); INSERT INTO t VALUES(1)' && printf garbage | dd of=broken/x.db bs=1 seek=20 conv=notrunc status=none
bedwarden vault backup $state/vault broken >/dev/null 2>err && not "a damaged database is told" || check "a damaged database is told" grep -q 'not whole' err
rm -rf newest
bedwarden vault restore $state/vault -C newest >/dev/null
check "and what is not whole is no backup" [ ! -e "newest$work" -a -e newest/etc/bedwarden/bedwarden.yaml ]
bedwarden vault init plain --holder file >/dev/null 2>&1
bedwarden vault backup plain 2>err && not "elsewhere it asks for paths" || check "elsewhere it asks for paths" grep -q "no gateway's vault" err
check "and takes them" bedwarden vault backup plain message.hl7
check "gives them back" bedwarden vault restore plain -C given
check "byte by byte" cmp message.hl7 "given$work/message.hl7"
bedwarden vault restore plain -C given2 20200101T000000Z 2>err && not "a moment that is none is refused" || check "a moment that is none is refused" grep -q "no whole backup '2020" err
exit $failed
