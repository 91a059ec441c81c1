#!/usr/bin/env bash
# files.sh BEDWARDEN: keygen, seal and open as a person or a script uses them, with
# stock `age` at the other end, and with everything in the way that can be.
set -uo pipefail
bedwarden=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
tmp=$(mktemp -d)
full=$tmp/full
trap 'umount "$full" 2>/dev/null; chmod -R u+rwX "$tmp"; rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
umask 022
code=0 bad=0
b() { "$bedwarden" "$@"; }
wrong() { echo "   $*"; bad=1; }
# is WHAT: sums up the checks since the last one.
is() {
	if [ $bad = 0 ]; then echo "ok - $1"; else echo "not ok - $1"; code=1; fi
	bad=0
}
# fails CODE TEXT COMMAND...: exits so, and says so in one line on standard error.
fails() {
	local want=$1 text=$2 got
	shift 2
	"$@" >out 2>err </dev/null
	got=$?
	[ $got = "$want" ] || wrong "$*: exit $got, not $want"
	grep -qE -- "$text" err || wrong "$*: says $(cat err)"
	[ "$want" != 1 ] || [ "$(wc -l <err)" = 1 ] || wrong "$*: $(wc -l <err) lines: $(cat err)"
}
same() { cmp -s "$1" "$2" || wrong "$1 and $2 differ"; }
noise() { head -c "$1" /dev/urandom; }
on_pty() { timeout 100 python3 "$here/onpty.py" "$@"; }

# -- keys
b keygen -o key 2>err || wrong "keygen"
me=$(age-keygen -y key)
[ "$(b keygen -y key)" = "$me" ] || wrong "-y tells another recipient than age-keygen"
[ "$(b keygen -y <key)" = "$me" ] || wrong "-y of standard input"
grep -q "^Public key: $me$" err || wrong "the public key was not told"
[ "$(stat -c %a key)" = 600 ] || wrong "mode $(stat -c %a key)"
before=$(sha256sum key)
fails 1 "exists" b keygen -o key
[ "$before" = "$(sha256sum key)" ] || wrong "a key was overwritten"
age-keygen -o other 2>/dev/null
you=$(b keygen -y other)
[ "$you" = "$(age-keygen -y other)" ] || wrong "a key of age-keygen"
b keygen >third 2>/dev/null || wrong "keygen to standard output"
[ "$(b keygen -y third)" = "$(sed -n 's/^# public key: //p' third)" ] || wrong "the comment"
(umask 0; b keygen >open-to-all) 2>err; grep -q "everybody can read" err || wrong "no warning"
fails 1 "no secret key" b keygen -y /etc/passwd
fails 2 usage b keygen stray
is "keys are those of age-keygen, and never overwritten"

# -- both ways with stock age
echo "# those" >those; printf '%s\r\n\n# and\n%s\n' "$me" "$you" >>those
for n in 0 1 65535 65536 65537 1000000; do
	noise $n >plain
	for armor in "" -a; do
		b seal $armor -r "$me" <plain | age -d -i key | cmp -s - plain || wrong "age opens $n $armor"
		age $armor -r "$me" <plain | b open -i key | cmp -s - plain || wrong "open of age's $n $armor"
	done
	b seal -R those -o sealed.age plain || wrong "seal -R"
	for k in key other; do
		age -d -i $k sealed.age | cmp -s - plain || wrong "age opens for $k"
		b open -d -i third -i $k sealed.age | cmp -s - plain || wrong "open for $k"
	done
	b seal -e -i key <plain | b open -i key - | cmp -s - plain || wrong "seal -i"
done
b seal --recipient "$me" --armor --output long.age plain && age -d -i key long.age | cmp -s - plain || wrong "long options"
b seal -r "$me" -- plain | b open -i key -o - - | cmp -s - plain || wrong "-- and -"
b seal -R - plain <those | age -d -i other | cmp -s - plain || wrong "-R -"
b open -i - sealed.age <other | cmp -s - plain || wrong "-i -"
head -1 sealed.age | grep -q '^age-encryption.org/v1$' || wrong "no age file"
is "stock age opens what we seal, and we what it seals"

# -- what is asked wrongly
fails 2 "for whom" b seal plain
fails 1 "no recipient" b seal -r age1nonsense plain
fails 1 "secret key" b seal -r "$(tail -1 key)" plain
! grep -q AGE-SECRET err || wrong "a secret key was printed"
fails 1 "key:3: is no recipient" b seal -R key plain
fails 1 "cannot be read: No such file" b seal -R missing plain
fails 1 "kind that is not built in" b seal -r "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN" plain
b seal -R - - <those >out 2>err && wrong "standard input for two things"
grep -q "standard input is the recipients already" err || wrong "$(cat err)"
fails 2 "leave out -p" b open -p sealed.age
fails 2 "not -r" b open -r "$me" sealed.age
fails 1 "none of the keys" b open -i third sealed.age
fails 1 "none of the keys" b open sealed.age
printf 'no age at all\n' >text # noise may begin as armor does, with a blank
fails 1 "no age file" b open -i key text
fails 1 "it is empty" b open -i key /dev/null
fails 1 "plugins are not run" b open -j yubikey sealed.age
fails 1 "cannot be read: No such file" b open -i key missing
fails 1 "is the input itself" b seal -r "$me" -o plain plain
b seal -r "$me" $'gone\e[31m' 2>err && wrong "a file that is not there"
grep -q 'gone?\[31m: cannot be read' err || wrong "a name that a terminal would obey: $(cat -v err)"
is "wrong use is told in one line"

# -- passphrases
noise 100000 >plain
on_pty out err "kein Geheimnis" "kein Geheimnis" -- "$bedwarden" seal -p -o p.age plain >shown || wrong "seal -p: $(cat err shown)"
! grep -q Geheimnis shown || wrong "the passphrase was shown"
on_pty out err "kein Geheimnis" -- age -d -o p.out p.age >/dev/null; same p.out plain
on_pty out err "word word" "word word" -- age -p -o q.age plain >/dev/null || wrong "age -p"
STDIN=q.age on_pty out err "word word" -- "$bedwarden" open >shown || wrong "open: $(cat err)"
same out plain
! on_pty out err "word wird" -- "$bedwarden" open q.age >shown || wrong "a wrong passphrase opened it"
[ ! -s out ] && grep -q "none of the keys" err || wrong "wrong passphrase: $(cat err)"
! on_pty out err "one" "two" -- "$bedwarden" seal -p plain >shown || wrong "two passphrases"
grep -q "differ" err || wrong "differing passphrases: $(cat err)"
on_pty out err "" -- "$bedwarden" seal -p -o made.age plain >shown || wrong "generated: $(cat err)"
made=$(sed -n 's/.*generated passphrase "\(.*\)".*/\1/p' err)
[ ${#made} = 35 ] || wrong "generated '$made'"
on_pty out err "$made" -- age -d made.age >/dev/null; same out plain
AGE_PASSPHRASE=x AGE_PASSPHRASE_WORK_FACTOR=10 b seal -j batchpass plain >x.age
AGE_PASSPHRASE_FD=7 b open -j batchpass x.age 7<<<x >out; same out plain
fails 1 "set one of them" b open -j batchpass x.age
fails 1 "leave that out" b open -i key x.age
AGE_PASSPHRASE=x fails 1 "not sealed with a passphrase" b open -j batchpass sealed.age
setsid "$bedwarden" open x.age </dev/null >out 2>err && wrong "without a terminal"
grep -q "no terminal" err || wrong "without a terminal: $(cat err)"
AGE_PASSPHRASE=x AGE_PASSPHRASE_WORK_FACTOR=10 b seal -j batchpass -a key >key.age
STDIN=sealed.age on_pty out err x -- "$bedwarden" open -i key.age >shown || wrong "a sealed key file: $(cat err)"
b open -i key sealed.age | cmp -s - out || wrong "what a sealed key file opened"
AGE_PASSPHRASE=x b open -i key.age sealed.age | cmp -s - out || wrong "a sealed key file, its passphrase in the environment"
! STDIN=sealed.age on_pty out err y -- "$bedwarden" open -i key.age >shown || wrong "a wrong passphrase for a key file"
is "passphrases are asked for unseen, on the terminal, and work both ways"

python3 "$here/stopped.py" "a word" "a word" -- "$bedwarden" seal -p -o z.age plain >shown || wrong "stopped: $(cat shown)"
! grep -q "a word" shown || wrong "the passphrase was shown behind a stop"
AGE_PASSPHRASE="a word" b open -j batchpass -o out z.age; same out plain
is "Ctrl-Z at a passphrase's prompt leaves a terminal that shows what is typed; fg asks anew"

# -- -o names a whole file, or what was authentic of a broken one, and replaces no file by that
noise 300000 >plain
b seal -r "$me" plain >good.age
head -c 200000 good.age >cut.age
echo old >result; chmod 640 result
b open -i key -o result cut.age 2>err && wrong "a cut file"
[ "$(cat result)" = old ] || wrong "what was there is gone"
head -c 196608 plain | cmp -s - result.part || wrong "result.part is not the authentic beginning"
grep -q "result.part holds the 196608 bytes" err && [ "$(wc -l <err)" = 1 ] || wrong "$(cat err)"
b open -i key cut.age 2>/dev/null >out && wrong "a cut file"
head -c 196608 plain | cmp -s - out || wrong "standard output is not the authentic beginning"
rm result.part
b open -i key -o fresh cut.age 2>err && wrong "a cut file"
head -c 196608 plain | cmp -s - fresh || wrong "a new file is not the authentic beginning"
grep -q "fresh holds the 196608 bytes" err && [ "$(wc -l <err)" = 1 ] && [ ! -e fresh.part ] || wrong "$(cat err)"
head -c 400 good.age >cut-at-once.age
b open -i key -o nothing cut-at-once.age 2>err && wrong "a cut file"
[ ! -e nothing ] && [ ! -e nothing.part ] || wrong "a file of nothing"
if command -v age >/dev/null; then
	for f in cut cut-at-once; do
		age -d -i key -o stock-$f $f.age 2>/dev/null && wrong "stock age opens $f"
		b open -i key -o ours-$f $f.age 2>/dev/null
		diff -q "$(ls stock-$f 2>/dev/null || echo /dev/null)" "$(ls ours-$f 2>/dev/null || echo /dev/null)" >/dev/null || wrong "$f: not what stock age leaves"
	done
fi
b open -i key -o result good.age || wrong "-o over a file"
same result plain; [ "$(stat -c %a result)" = 640 ] || wrong "mode $(stat -c %a result)"
[ ! -e result.part ] || wrong "a .part stayed"
ln -s result link; b open -i key -o link good.age && [ -L link ] || wrong "a link was replaced"
b open -i key -o new good.age && [ "$(stat -c %a new)" = 644 ] || wrong "mode of a new file"
b open -i key -o /dev/null good.age && [ -c /dev/null ] || wrong "-o /dev/null"
mkfifo fifo; timeout 20 cat fifo >out & b open -i key -o fifo good.age; wait $!; same out plain
b open -i third -o never good.age 2>/dev/null; ls never* 2>/dev/null && wrong "a file without a key"
fails 1 "No such file" b seal -r "$me" -o missing/x plain
compgen -G '.bedwarden*' >/dev/null && wrong "something was left behind"
is "-o names a whole file, or exactly what is authentic of a broken one, which replaces nothing"

# -- pipes
noise 3000000 >plain
(for i in 1 2 3; do sleep 0.1; tail -c +$((i * 1000000 - 999999)) plain | head -c 1000000; done) | b seal -r "$me" | (sleep 0.2; cat) | b open -i key >out
same out plain
b seal -r "$me" plain | head -c 100000 >/dev/null; [ "${PIPESTATUS[0]}" != 0 ] || wrong "a closed pipe was a success"
b seal -r "$me" >/dev/full <plain 2>err && wrong "/dev/full was a success"
grep -q "No space left" err || wrong "$(cat err)"
b open -i key good.age >/dev/full 2>/dev/null && wrong "open to /dev/full was a success"
is "pipes may be slow, short or closed"

# -- the name alone makes no sealed file
mkdir named
echo clear >named/notes.age
: >named/none.age
age -r "$me" -o named/sealed.age plain; age -a -r "$me" -o named/armored.age plain
b seal -r "$me" --in-place named 2>err || wrong "names: $(cat err)"
[ "$(ls named | tr '\n' ' ')" = "armored.age none.age.age notes.age.age sealed.age " ] || wrong "$(ls named)"
[ "$(age -d -i key named/notes.age.age)" = clear ] || wrong "notes.age"
is "what is only called .age is sealed, and what is sealed is not sealed again"

# -- attributes and access control lists: user:nobody may read, the group may not, though the mask shows in the mode
attributed() {
	python3 - "$@" <<-'P'
		import os, struct, sys
		acl = struct.pack("<I" + "HHI" * 5, 2, 1, 6, 0xffffffff, 2, 4, 65534, 4, 0, 0xffffffff, 16, 4, 0xffffffff, 32, 0, 0xffffffff)
		path = sys.argv[2]
		if sys.argv[1] == "set":
		    os.setxattr(path, "user.study", b"1.2.840")
		    os.setxattr(path, "system.posix_acl_access", acl)
		    assert os.stat(path).st_mode & 0o777 == 0o640
		elif sys.argv[1] == "lost":
		    assert os.listxattr(path) == [] and os.stat(path).st_mode & 0o777 == 0o600, (os.listxattr(path), oct(os.stat(path).st_mode))
		else:
		    assert os.getxattr(path, "user.study") == b"1.2.840" and os.getxattr(path, "system.posix_acl_access") == acl
		    assert os.stat(path).st_mode & 0o777 == 0o640
	P
}
mkdir attr && noise 5000 >attr/f
if attributed set attr/f 2>/dev/null; then
	cp plain attr/g
	b seal -r "$me" --in-place attr || wrong "in place"
	attributed have attr/f.age || wrong "seal --in-place lost some"
	b open -i key -o attr-back attr && attributed have attr-back/f || wrong "open -o lost some"
	b open -i key --in-place attr && attributed have attr/f || wrong "open --in-place lost some"
	[ "$(stat -c %a attr/g)" = "$(stat -c %a plain)" ] || wrong "one without has another mode"
	if [ "$(id -u)" = 0 ] && mkdir bare && mount -t ramfs none bare 2>/dev/null; then
		b seal -r "$me" -o bare attr 2>err || wrong "to a file system without: $(cat err)"
		attributed lost bare/f.age || wrong "a file system that has no lists grants the group what the mask says"
		umount bare
	fi
	is "attributes and access control lists are kept, and nobody gains by their loss"
else
	echo "skip - attributes and access control lists: not on the file system of $tmp"
fi

# -- trees
mkdir -p tree/a/b/c tree/empty outside
for i in 1 2 3 4 5; do noise $((i * 30000)) >tree/a/$i; noise $i >tree/a/b/c/$i; done
noise 9000000 >tree/long
: >tree/nothing
chmod 440 tree/a/1; chmod 750 tree/a/b; touch -d '2001-02-03 04:05:06.789' tree/a/b/c/1 tree/a
ln -s "$tmp/outside" tree/a/out; ln -s /etc/passwd tree/passwd; mkfifo tree/fifo
echo secret >outside/secret
list() { (cd "$1" && find . -type f -printf '%p %m %T@\n' -o -type d -printf '%p %m\n' | sort); }
b seal -r "$me" -o sealed tree 2>err || wrong "a tree: $(cat err)"
grep -q "3 left alone" err || wrong "links were not told: $(cat err)"
[ "$(find sealed -type f | wc -l)" = 12 ] || wrong "$(find sealed -type f | wc -l) files"
[ -z "$(find sealed -type f ! -name '*.age')" ] || wrong "names"
grep -rq secret sealed && wrong "a link was followed"
age -d -i key sealed/a/b/c/3.age | cmp -s - tree/a/b/c/3 || wrong "age opens a file of a tree"
b open -i key -o back sealed || wrong "a tree back"
list tree | grep -v '^\./\(passwd\|fifo\|a/out\) ' >want; list back >got; same want got
(cd tree && find . -type f) | while read -r f; do cmp -s "tree/$f" "back/$f" || echo "$f"; done | grep . && wrong "contents"
b seal -r "$me" -o two tree/a plain 2>/dev/null || wrong "several paths"
[ -f two/a/1.age ] && [ -f two/plain.age ] || wrong "names of several paths"
mkdir into; b seal -r "$me" -o into plain && [ -f into/plain.age ] || wrong "one file into a folder"
b seal -r "$me" tree/a/b 2>/dev/null && [ -f tree/a/b/c/1.age ] && [ -f tree/a/b/c/1 ] || wrong "beside"
b seal -r "$me" tree/a/b 2>/dev/null || wrong "once more, as after a kill"
[ "$(find tree/a/b -name '*.age.age')" = "" ] || wrong "sealed twice"
age -d -i key tree/a/b/c/1.age | cmp -s - tree/a/b/c/1 || wrong "age opens a file beside"
noise 77 >tree/a/b/c/1
b seal -r "$me" tree/a/b >out 2>err && wrong "another version was replaced"
grep -q "tree/a/b/c/1: .*taken by another version" err || wrong "$(cat err)"
b seal --force -r "$me" tree/a/b 2>/dev/null || wrong "--force"
age -d -i key tree/a/b/c/1.age | cmp -s - tree/a/b/c/1 || wrong "--force did not replace"
b seal -r "$me" -o tree/a/in tree/a 2>/dev/null; [ ! -e tree/a/in/in ] || wrong "results were read again"
is "trees come back with contents, modes and times; nothing outside is touched"

# -- in place
rm -rf place; cp -a back place
list place >want
b seal -r "$me" --in-place -v place >done 2>err || wrong "--in-place: $(cat err)"
[ "$(wc -l <done)" = 12 ] || wrong "$(wc -l <done) told done"
[ -z "$(find place -type f ! -name '*.age')" ] || wrong "plain text stayed"
b open -i key --in-place place || wrong "open --in-place"
list place >got; same want got
(cd back && find . -type f) | while read -r f; do cmp -s "back/$f" "place/$f" || echo "$f"; done | grep . && wrong "contents"
ln place/long place/long2
fails 1 "hard link" b seal -r "$me" --in-place place/long
[ -f place/long ] && [ ! -e place/long.age ] || wrong "a hard link was taken"
ln -s nothing place/soft
fails 1 "symbolic link" b seal -r "$me" --in-place place/soft
if [ "$(stat -f -c %T .)" != nfs ]; then
	exec 9>>place/a/2
	fails 1 "somebody is writing" b seal -r "$me" --in-place place/a/2
	exec 9>&-
	[ -f place/a/2 ] && [ ! -e place/a/2.age ] || wrong "a file at work was taken"
fi
b seal -r "$me" --in-place place/a/3 || wrong "one file in place"
fails 1 "none of the keys" b open -i third --in-place place/a/3.age
[ -f place/a/3.age ] && [ ! -e place/a/3 ] || wrong "a sealed file went without its key"
noise 100000 >place/x; b seal -r "$me" --in-place place/x; head -c 70000 place/x.age >place/y.age
fails 1 "altered or cut" b open -i key --in-place place/y.age
[ -f place/y.age ] && [ ! -e place/y ] || wrong "a broken file was opened in place"
find . -name '.bedwarden*' | grep . && wrong "something was left behind"
is "in place, a file goes only when its result is safe"

# -- a file that changes while it is read
noise 200000000 >grows
(for _ in $(seq 400); do echo more >>grows; sleep 0.005; done) &
mkdir g; b seal -r "$me" -o g grows 2>err && wrong "it was taken for whole"
grep -q "changed while it was read" err || wrong "$(cat err)"
kill $! 2>/dev/null; wait
[ -z "$(ls -A g)" ] || wrong "a result stayed"
cp grows gone; (sleep 0.05; rm gone) & b seal -r "$me" gone >gone.age 2>err; wait
if [ $? = 0 ] && [ -s gone.age ]; then b open -i key gone.age | cmp -s - grows || wrong "of a file that was removed"; fi
rm -f grows gone gone.age
is "a file that changes while it is read is noticed, one that is removed is still read whole"

# -- names with any byte
python3 - <<'PY'
import os
os.makedirs(b"names/dir \xff\n", exist_ok=True)
for c in range(1, 256):
    if c != ord("/"):
        open(b"names/dir \xff\n/x" + bytes([c]) + b"y", "wb").write(bytes([c]) * 10)
for n in (b"-r", b"--", b"...", b" ", b"\n", b"a" * 251, b"\xc3\xa4\xcc\x88"):
    open(b"names/" + n, "wb").write(n)
open(b"names/" + b"b" * 252, "wb").write(b"long")
PY
b seal -r "$me" -o names.sealed names 2>err && wrong "a name too long was no error"
grep -q "too long to add .age" err || wrong "$(cat err)"
[ "$(wc -l <err)" = 2 ] || wrong "$(cat err)"
rm names/bbbbb*
b open -i key -o names.back names.sealed || wrong "open"
diff -r names names.back >/dev/null || wrong "contents"
(cd names && "$bedwarden" seal -r "$me" -o ../dash -- -r -- ...) && [ -f dash/-r.age ] && [ -f dash/--.age ] || wrong "names with dashes"
is "names may have any byte"

# -- no room
if [ "$(id -u)" = 0 ] && mkdir "$full" && mount -t tmpfs -o size=2m none "$full" 2>/dev/null; then
	noise 1500000 >plain
	fails 1 "No space left" b seal -r "$me" -o "$full/x.age" <(cat plain plain)
	[ -z "$(ls -A "$full")" ] || wrong "left: $(ls -A "$full")"
	cp plain "$full/p"
	fails 1 "." b seal -r "$me" --in-place "$full/p"
	cmp -s plain "$full/p" && [ "$(ls -A "$full")" = p ] || wrong "in place: left $(ls -A "$full")"
	rm "$full/p"; b seal -r "$me" -o "$full/p.age" plain
	fails 1 "." b open -i key --in-place "$full/p.age"
	b open -i key "$full/p.age" | cmp -s - plain && [ "$(ls -A "$full")" = p.age ] || wrong "open in place: left $(ls -A "$full")"
	fails 1 "No space left" b open -i key -o "$full/q" "$full/p.age"
	[ "$(ls -A "$full")" = p.age ] || wrong "open: left $(ls -A "$full")"
	rm "$full"/*; mkdir many; for i in $(seq 60); do noise 50000 >many/$i; done
	b seal -r "$me" -o "$full/many" many 2>err && wrong "a tree fit"
	for f in "$full"/many/*.age; do f=${f##*/}; b open -i key "$full/many/$f" | cmp -s - "many/${f%.age}" || wrong "half a file: $f"; done
	is "on a full disk nothing is half there and nothing is lost"
else
	echo "skip - a full disk: needs root for a small tmpfs"
fi

# -- who watches sees a bar
mkdir w; for i in $(seq 30); do noise 2000000 >w/$i; done
on_pty out - -- "$bedwarden" seal -r "$me" -o ws w >shown || wrong "with a terminal"
grep -q "sealed" shown || wrong "no summary: $(cat shown)"
timeout 20 sh -c "(sleep 1; cat plain) >fifo" & on_pty out - -- "$bedwarden" seal -a -r "$me" -o bar.age fifo >shown; wait
grep -q '\[.*/s' shown || wrong "no bar: $(cat shown)"
b seal -r "$me" -o wq w 2>err; [ ! -s err ] || wrong "without a terminal: $(cat err)"
on_pty out - -- sh -c "'$bedwarden' seal -r $me plain >/dev/tty" >shown && wrong "binary to a terminal"
grep -q "upset the terminal" shown || wrong "binary to a terminal: $(head -c 300 shown)"
is "who watches sees a bar, a pipe does not"
exit $code
