#!/usr/bin/env bash
# What README.md, doc/vault.md and the manual tell to type about sealing, typed: each command is read from its page, in
# the page's order, by somebody who has nothing yet; only placeholders and absolute paths are filled in. A command that
# is new on a page and that nobody tries here fails this test. doc/vault.md's backup is test/restore.sh's.
# usage: test/vault_manual.sh [BINARY]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
root=$PWD
bw=$(realpath "${1:-build/bedwarden}")
[ -x "$bw" ] || { echo "not ok - there is no $bw"; exit 1; }
failed=0
ok() { echo "ok - $*"; }
not() { echo "not ok - $*"; failed=1; }
check() { local text=$1; shift; if "$@" >check.out 2>&1; then ok "$text"; else not "$text: $(tail -2 check.out)"; fi; }
base=/tmp
[ -w /dev/shm ] && base=/dev/shm
dir=$(mktemp -d $base/bw-manual.XXXX)
running=
cleanup() {
	[ -z "$running" ] || kill -9 "$running" 2>/dev/null
	grep -q " $dir/FOLDER " /proc/mounts && fusermount3 -qu "$dir/FOLDER"
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
mkdir "$dir/bin" && ln -s "$bw" "$dir/bin/bedwarden"
export PATH=$dir/bin:$PATH
unset AGE_PASSPHRASE AGE_PASSPHRASE_FD
cd "$dir" || exit 1

# on_page FILE PATTERN: its only command of that kind, without its remark.
on_page() {
	local line
	line=$(sed 's/^\.Dl [#$] //; s/^ *//' "$root/$1" | grep -E "^bedwarden $2" | sed 's/  *#.*//; s/ *$//')
	[ "$(wc -l <<<"$line")" = 1 ] && [ "$line" ] || { not "$1 has one command that begins 'bedwarden $2'"; return 1; }
	echo "$line" >>tried
	line=${line//\/srv\//srv/}
	line=${line//\/tmp\//tmp/}
	line=${line//\/etc\/bedwarden\//etc/}
	line=${line//age1…/$recipient}
	line=${line//FILE.../src note.txt}
	line=${line//NAME/note.txt}
	echo "$line"
}
# typed TEXT FILE PATTERN [ANSWER...]: with a terminal, on which the answers are typed.
typed() {
	local text=$1 line
	line=$(on_page "$2" "$3") || return 1
	timeout 60 python3 "$root/test/age/onpty.py" said err "${@:4}" -- bash -c "$line" >shown && ok "$text" ||
		not "$text: '$line': $(tail -2 err shown)"
}
wait_for() { for _ in $(seq 100); do "$@" && return 0; sleep 0.1; done; return 1; }

mkdir -p srv/export/2026 tmp etc src/deep
echo study >srv/export/study.dcm
echo other >srv/export/2026/other.dcm
cp -r srv was
recipient=

# --- README.md: sealing files --------------------------------------------------------------------------
typed "README: keygen" README.md keygen
recipient=$(sed -n 's/^Public key: //p' err)
check "README: it tells the public key" grep -qE '^age1[a-z0-9]{58}$' <<<"$recipient"
typed "README: seal a folder in place" README.md 'seal -r'
check "README: each file is sealed, and gone" [ "$(find srv -type f | sort | tr '\n' ' ')" = "srv/export/2026/other.dcm.age srv/export/study.dcm.age " ]
typed "README: open it" README.md 'open -i'
check "README: every byte is back" diff -r was/export tmp/back
stock=$(grep -oE 'or: age -d [^#]*' "$root/README.md" | cut -c5-)
if command -v age >/dev/null; then
	check "README: stock age opens it, too" diff <(cd srv/export && eval "${stock/ward.key/$dir\/ward.key}") was/export/study.dcm
else
	echo "skip - README: '$stock': age is not installed"
fi

# --- bedwarden(8): seal what a modality left, for two people ---------------------------------------------
rm -rf srv && cp -r was srv
bedwarden keygen -o second.key 2>/dev/null
{ echo "# who may open the archive"; echo "$recipient"; bedwarden keygen -y second.key; } >etc/archive.pub
typed "bedwarden(8): seal for two people" doc/man/bedwarden.8 'seal -R'
for key in ward second; do
	rm -rf both && bedwarden open -i $key.key -o both srv/export 2>/dev/null
	check "bedwarden(8): $key opens it" diff -r was/export both
done

# --- doc/vault.md: its first block -----------------------------------------------------------------------
echo "PID|1||4711^^^HOSP||DOE^JANE" >note.txt
head -c 300000 /dev/urandom >src/deep/image
typed "vault.md: init asks for a passphrase" doc/vault.md 'vault init DIR' 'a sentence' 'a sentence'
check "vault.md: and prints the recovery key, once" [ "$(grep -c AGE-SECRET-KEY-1 said)" = 1 ]
cp said recovery.txt
typed "vault.md: put files and folders" doc/vault.md 'vault put DIR FILE' 'a sentence'
typed "vault.md: get one" doc/vault.md 'vault get DIR' 'a sentence'
check "vault.md: to standard output" cmp said note.txt
export AGE_PASSPHRASE='a sentence'
everything=$(grep -oE 'everything: get DIR -C FOLDER' "$root/doc/vault.md" | cut -d' ' -f2-)
check "vault.md: everything" bash -c "bedwarden vault ${everything/FOLDER/all}"
check "vault.md: as it was" diff -r src all/src

mkdir FOLDER
line=$(on_page doc/vault.md 'vault mount DIR FOLDER')
if [ ! -c /dev/fuse ] || ! command -v fusermount3 >/dev/null; then
	echo "skip - vault.md: mount: needs /dev/fuse and fusermount3"
else
	setsid env --default-signal=INT bash -c "exec $line" >mounted 2>err &
	running=$!
	if wait_for grep -q " $dir/FOLDER " /proc/mounts; then
		check "vault.md: mount shows CLASS/DAY/NAME" cmp note.txt "FOLDER/file/$(date -u +%F)/note.txt"
		kill -INT $running
		wait $running && ok "vault.md: until Ctrl-C" || not "vault.md: until Ctrl-C: $(tail -1 err)"
	elif grep -q 'cannot be mounted' err; then
		echo "skip - vault.md: mount: it may not be mounted here: $(head -1 err)"
	else
		not "vault.md: mount: $(tail -1 err)"
	fi
	running=
fi

line=$(on_page doc/vault.md 'vault watch DIR FOLDER')
setsid env --default-signal=INT bash -c "exec $line" >watched 2>err &
running=$!
sleep 0.3
cp note.txt FOLDER/landed.hl7
wait_for grep -q landed.hl7 watched && ok "vault.md: watch takes what lands" || not "vault.md: watch takes what lands: $(tail -1 err)"
check "vault.md: and removes it" [ ! -e FOLDER/landed.hl7 ]
kill -INT $running
wait $running && ok "vault.md: it ends by Ctrl-C" || not "vault.md: it ends by Ctrl-C"
running=
check "vault.md: it is in the vault" cmp note.txt <(bedwarden vault get DIR FOLDER/landed.hl7)

# --- doc/vault.md: what stands in its sentences -----------------------------------------------------------
# said WORDS: they stand there, and are typed behind 'bedwarden vault'.
said() { # TEXT WORDS FILLED_IN...
	local text=$1 words=$2
	shift 2
	tr '\n' ' ' <"$root/doc/vault.md" | grep -qF -- "$words" || { not "$text: the page does not say '$words'"; return; }
	check "$text" bedwarden vault "$@"
}
said "vault.md: another recovery key" 'rotate DIR --recovery' rotate DIR --recovery
cp check.out recovery.txt
said "vault.md: another holder" 'rotate DIR --holder HOLDER [--place PLACE]' rotate DIR --holder file --place "$dir/held.key"
said "vault.md: what was kept long enough is destroyed" 'shred DIR --expired' shred DIR --expired
said "vault.md: what must go before" 'shred DIR NAME... --force --why TEXT' shred DIR src/deep/image --force --why 'a court said so'
said "vault.md: the log tells it" 'bedwarden vault log DIR' log DIR
bedwarden vault log DIR >log.out
check "vault.md: with the reason" grep -q 'a court said so' log.out
check "vault.md: and the key's fingerprint" grep -qE 'key to be destroyed.*[0-9a-f]{64}' log.out
said "vault.md: the index made again" 'fsck --mend DIR' fsck --mend DIR
rm -f held.key
check "vault.md: all that was printed serves as recovery.txt" bedwarden vault recover DIR -i recovery.txt --holder file --place "$dir/new.key"
cp check.out changed
check "vault.md: the old key file stays, and that is said" grep -q 'old key file.*remove it' changed
sed -n 's/.*\(AGE-SECRET-KEY-1[A-Z0-9]*\).*/\1/p' recovery.txt | tr '[:upper:]' '[:lower:]' | sed 's/....../& /g' >by-hand
timeout 60 python3 "$root/test/age/onpty.py" said err "$(cat by-hand)" -- bedwarden vault recover DIR --holder file --place "$dir/newer.key" >shown &&
	ok "a recovery key is typed in small letters and groups" || not "a recovery key is typed in small letters and groups: $(tail -1 err)"
timeout 60 env -u AGE_PASSPHRASE python3 "$root/test/age/onpty.py" said err 'new words' 'new words' -- bedwarden vault recover DIR -i recovery.txt >shown &&
	ok "without a holder named, a passphrase is asked for" || not "without a holder named, a passphrase is asked for: $(tail -1 err)"
export AGE_PASSPHRASE='new words'
check "and everything is sound" bedwarden vault fsck DIR --content

# --- how a command is used ----------------------------------------------------------------------------------
for verb in $(bedwarden vault --help | sed -n 's/^usage: bedwarden vault \([a-z|]*\) DIR.*/\1/p' | tr '|' ' '); do
	bedwarden vault "$verb" --help 2>err | grep -q "^usage: bedwarden vault $verb DIR" && [ ! -s err ] || not "'vault $verb --help' says how it is used"
	grep -qE "^\.It Cm $verb$|^\.Op.*$verb|Cm vault $verb" "$root/doc/man/bedwarden.8" || not "bedwarden.8 describes 'vault $verb'"
done
ok "every verb says how it is used"
unset AGE_PASSPHRASE
for words in "init nobody" "rotate DIR --holder passphrase"; do
	# shellcheck disable=SC2086 # words
	setsid bedwarden vault $words </dev/null >/dev/null 2>err && not "'vault $words' without a terminal fails"
	[ "$(wc -l <err)" = 1 ] && ok "'vault $words' without a terminal says so in one line" || not "'vault $words' without a terminal: $(cat err)"
done

# --- nothing on the pages was left out ------------------------------------------------------------------------
left=$(for page in README.md doc/vault.md doc/man/bedwarden.8; do
	sed -n '/^## Back up/,/^## Kept/d; p' "$root/$page" | sed 's/^\.Dl [#$] //; s/^ *//' |
		grep -E '^bedwarden (keygen|seal|open|vault) ' | sed 's/  *#.*//; s/ *$//'
done | while read -r line; do grep -qxF -- "$line" tried || echo "$line"; done)
[ -z "$left" ] && ok "every command on the pages was typed" || not "these commands on the pages are typed by nobody: $left"
exit $failed
