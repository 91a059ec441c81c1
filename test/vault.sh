#!/usr/bin/env bash
# The vault as a person uses it: made, filled, watched while it is killed, its machine
# lost and recovered by the printed key, its files opened by stock age; a disk that is
# full; a TPM that is another one. ./dev check kills 80 times; KILLS=75: 300 times.
# usage: test/vault.sh [BINARY]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
[ -x "$bw" ] || { echo "not ok - there is no $bw"; exit 1; }
kills=${KILLS:-20} # of each: watch, put, rotate, shred
failed=0
ok() { echo "ok - $*"; }
not() { echo "not ok - $*"; failed=1; }
check() { local text=$1; shift; if "$@" >/dev/null 2>&1; then ok "$text"; else not "$text"; fi; }
vault() { local verb=$1; shift; "$bw" vault "$verb" "$@"; }

base=/tmp
[ -w /dev/shm ] && base=/dev/shm
dir=$(mktemp -d $base/bw-vault.XXXX)
watcher=
mounted=
tpms=
cleanup() {
	[ -z "$watcher" ] || kill -9 "$watcher" 2>/dev/null
	[ -z "$mounted" ] || { kill "$mounted"; wait "$mounted"; fusermount3 -qu "$dir/m"; } 2>/dev/null
	[ -z "$tpms" ] || kill $tpms 2>/dev/null
	umount "$dir/small" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1

# --- a passphrase holds it; the machine is lost: doc/vault.md says how ---------------------
mkdir -p src/ct/deep/er
for i in $(seq 200); do echo "PID|1||$i^^^HOSP||DOE^JANE^$i||19700101|F" >"src/ct/deep/er/DOE_JANE_$i.hl7"; done
head -c 3000000 /dev/urandom >src/big.dcm
: >src/empty
export AGE_PASSPHRASE='correct horse battery staple'
AGE_PASSPHRASE='' setsid -w "$bw" vault init none </dev/null 2>err && not "without a terminal no passphrase is asked for" || check "without a terminal there is nothing to ask for a passphrase, and nothing is left" eval 'grep -q "no terminal" err && [ ! -e none ]'
vault init v >printed
key=$(grep -o 'AGE-SECRET-KEY-1[A-Z0-9]*' printed)
check "init prints the recovery key once" [ "$(grep -c AGE-SECRET printed)" = 1 ]
check "put" vault put v src
vault get v -C out >/dev/null
check "get gives back every byte" diff -r src out/src
vault get v -o /dev/null src/big.dcm && [ -c /dev/null ] && ok "get -o writes to a device" || not "get -o writes to a device"
vault get v -o one src/big.dcm && cmp -s one src/big.dcm && ! vault get v -o one src/empty 2>err && cmp -s one src/big.dcm &&
	grep -q 'there already' err && ok "and leaves a file that is there as it is" || not "and leaves a file that is there as it is"
grep -rqaE "DOE[_^]JANE|JANE[_^][0-9]|$key" v && not "nothing in the vault's files names a patient" || ok "nothing in the vault's files names a patient"
AGE_PASSPHRASE=wrong vault ls v >/dev/null 2>err && not "a wrong passphrase opens nothing" || check "a wrong passphrase opens nothing" grep -q 'wrong passphrase' err

cp -r v backup
rm -rf v
unset AGE_PASSPHRASE
echo "$key" >paper
vault recover backup -i paper --holder file >/dev/null
vault get backup -C restored >/dev/null
check "a lost machine: backup and printed key restore every byte" diff -r src restored/src
check "and everything in it is sound" vault fsck backup --content
echo AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33 >other
vault recover backup -i other --holder file --place other.key 2>/dev/null && not "another key recovers nothing" || ok "another key recovers nothing"
mv backup v

# --- exported for stock age ----------------------------------------------------------------
if command -v age-keygen >/dev/null; then
	age-keygen -o id 2>/dev/null
	vault export v -r "$(age-keygen -y id)" -C exported >/dev/null
	age -d -i id exported/src/big.dcm.age | cmp -s - src/big.dcm && ok "stock age opens what is exported" || not "stock age opens what is exported"
	vault init x --holder file >/dev/null 2>&1
	mkdir twice && echo first >twice/t && vault put x twice/t >/dev/null && echo second >twice/t && vault put x twice/t >/dev/null
	check "a name that was put twice is exported once" vault export x -r "$(age-keygen -y id)" -C twice-out
	check "as it was put last" [ "$(age -d -i id twice-out/twice/t.age)" = second ]
	rm -rf x twice twice-out
	vault export v -r age1pq1qqqq -C none 2>err && not "a recipient of another kind is told" || check "a recipient of another kind is told" grep -q 'post-quantum' err
	check "every file is exported" [ "$(find exported -name '*.age' | wc -l)" = 202 ]
else
	echo "skip - export for stock age: age is not installed"
fi

# --- copied to another disk ----------------------------------------------------------------
mkdir away
vault init w --holder file >printed-w 2>/dev/null
grep -o 'AGE-SECRET-KEY-1[A-Z0-9]*' printed-w >paper-w
vault put w src >/dev/null
check "a vault is copied" vault copy w away
vault get away --class file -C fetched >/dev/null 2>&1 && not "without its key file the copy opens nothing" || ok "without its key file the copy opens nothing"
check "again, nothing new is found" grep -q '; 0 of' <(vault copy w away)
vault init other-v --holder file >/dev/null 2>&1
vault copy other-v away 2>err && not "it is no other vault's to write over" || check "it is no other vault's to write over" grep -q "another vault's copy" err
vault copy w w 2>err && not "nor the vault itself" || ok "nor the vault itself"
vault copy w nowhere 2>err && not "a disk that is not there is told" || check "a disk that is not there is told" grep -q 'is the disk mounted' err
# While others put and destroy: each time what is there opens, and is sound.
(i=0; while :; do i=$((i + 1)); head -c 3000 /dev/urandom >"busy-$i"; "$bw" vault put w "busy-$i" -c busy; "$bw" vault shred w "busy-$i" --force --why test; "$bw" vault put w "busy-$i" -c busy; done) >/dev/null 2>&1 &
watcher=$!
for n in 1 2 3; do
	check "copied while others put and destroy ($n)" vault copy w away
	cp -r away "taken-$n"
	vault recover "taken-$n" -i paper-w --holder file >/dev/null
	vault get "taken-$n" --class file -C "got-$n" >/dev/null
	check "every byte of it ($n)" diff -r src "got-$n/src"
	check "it is sound ($n)" vault fsck "taken-$n" --content
done
kill "$watcher" && wait "$watcher" 2>/dev/null
watcher=
rm -rf taken-* got-* busy-* other-v
# Killed, it is whole the next time.
for n in 1 2 3 4 5; do
	head -c 20000000 /dev/urandom | "$bw" vault put w - --name "filler-$n" -c busy >/dev/null
	"$bw" vault copy w away >/dev/null 2>&1 &
	sleep "0.0$((RANDOM % 9 + 1))"
	kill -9 $! 2>/dev/null
	wait $! 2>/dev/null
done
check "killed five times, then done" vault copy w away
check "nothing half stays" [ -z "$(find away -name '*.part')" ]
vault recover away -i paper-w --holder file >/dev/null
check "and the copy is sound" vault fsck away --content
vault get w --class file -C again >/dev/null && vault get away --class file -C away-again >/dev/null
check "and has everything" diff -r again away-again
rm -rf again away-again away w

# --- destroyed, with proof ------------------------------------------------------------------
vault shred v src/ct/deep/er/DOE_JANE_7.hl7 2>/dev/null && not "what has to be kept is" || ok "what has to be kept is"
check "shred" vault shred v src/ct/deep/er/DOE_JANE_7.hl7 --force --why 'patient asked'
vault get v src/ct/deep/er/DOE_JANE_7.hl7 2>/dev/null && not "what was destroyed is gone" || ok "what was destroyed is gone"
check "the log proves it" [ "$(vault log v --json | jq '[.[] | select(.action == "destroyed")] | length')" = 1 ]
check "rotate" vault rotate v
check "everything is sound after it" vault fsck v --content
check "the rest is there" [ "$(vault ls v --json | jq length)" = 201 ]

# --- a torn index ------------------------------------------------------------------------------
vault ls v --json | jq -cS 'map(del(.put, .until))' >before
truncate -s 10000 v/index.db
printf garbage | dd of=v/index.db conv=notrunc status=none
vault ls v >/dev/null 2>&1 && not "a damaged index is refused" || ok "a damaged index is refused"
check "and made again" vault fsck v --mend --content
vault ls v --json | jq -cS 'map(del(.put, .until))' >after
check "from the packs, as it was" [ "$(jq -cS 'sort_by(.name)' before)" = "$(jq -cS 'sort_by(.name)' after)" ]

# --- the hot folder, killed again and again ------------------------------------------------------
# Files come in every way that programs have: grown, renamed into place, in deep trees.
mkdir hot want
deliver() { # N
	local i n=$1 f
	for i in 1 2 3 4; do
		f="r$n-$i"
		mkdir -p "hot/a/b/$((n % 7))" want/"a/b/$((n % 7))"
		head -c $((RANDOM * 20)) /dev/urandom >"want/a/b/$((n % 7))/$f"
		case $i in
		1) cp "want/a/b/$((n % 7))/$f" "hot/a/b/$((n % 7))/$f" ;;
		2) cp "want/a/b/$((n % 7))/$f" "hot/a/b/$((n % 7))/.$f.tmp" && mv "hot/a/b/$((n % 7))/.$f.tmp" "hot/a/b/$((n % 7))/$f" ;;
		3) cp "want/a/b/$((n % 7))/$f" "hot/a/b/$((n % 7))/$f.filepart" && mv "hot/a/b/$((n % 7))/$f.filepart" "hot/a/b/$((n % 7))/$f" ;;
		4) { head -c 1000; sleep 0.05; cat; } <"want/a/b/$((n % 7))/$f" >"hot/a/b/$((n % 7))/$f" ;;
		esac
	done
}
for n in $(seq "$kills"); do
	"$bw" vault watch v hot --settle 20 --class dicom >>acked 2>>watch.err &
	watcher=$!
	deliver "$n" &
	delivery=$!
	sleep "$((RANDOM % 2)).$((RANDOM % 90 + 10))"
	kill -9 "$watcher" 2>/dev/null
	wait "$watcher" 2>/dev/null
	wait "$delivery"
done
watcher=
left=$(sed -n 's/^[0-9a-f]*  //p' acked | sort -u | while read -r name; do [ -e "$name" ] && echo "$name"; done)
check "watch acknowledged something between $kills kills" [ "$(wc -l <acked)" -gt 0 ]
check "watch, killed $kills times: no plaintext stays where removal was acknowledged" [ -z "$left" ]
echo unfinished >hot/upload.part
timeout 60 "$bw" vault watch v hot --settle 20 --class dicom --once >>acked 2>>watch.err
check "what is left is taken when it is started again" [ "$(find hot -type f)" = hot/upload.part ]
vault get v --class dicom -C got >/dev/null
check "nothing was lost, and nothing altered" diff -r want got/hot
check "each is there once" [ "$(vault ls v --class dicom --json | jq 'group_by(.name) | map(length) | max')" = 1 ]
check "the vault is sound" vault fsck v --content

# --- put, rotate and shred, killed again and again -----------------------------------------------------
# What was said to be there is; what was said to be destroyed is not; what was under way may be either.
vault init k --holder file >/dev/null 2>&1
mkdir stay
# cut_short COMMAND...: kills it within about the time it takes. 0: it had ended, and well.
takes=200
cut_short() {
	local pid code ms
	"$@" >>cut.out 2>/dev/null &
	pid=$!
	ms=$((RANDOM % takes + 1))
	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	code=$?
	[ $code = 137 ] && { struck=$((struck + 1)); takes=$((takes < 900 ? takes * 11 / 10 : takes)); } || takes=$((takes > 30 ? takes * 9 / 10 : takes))
	return $code
}
struck=0 lost=0 back=0 rounds=0
while [ $struck -lt $((3 * kills)) ] && [ $rounds -lt $((9 * kills)) ]; do
	n=$((rounds++))
	for i in 1 2 3; do echo "PID|1||$n-$i" >"stay/$n-$i"; done
	head -c $((RANDOM * 20)) /dev/urandom >"stay/$n-4"
	: >cut.out
	cut_short "$bw" vault put k "stay/$n-1" "stay/$n-2" "stay/$n-3" "stay/$n-4" -v
	grep -q "stay/$n-1$" cut.out || vault put k "stay/$n-1" >/dev/null || lost=1
	for i in 2 3 4; do grep -q "  stay/$n-$i$" cut.out || rm "stay/$n-$i"; done
	cut_short "$bw" vault rotate k
	if cut_short "$bw" vault shred k "stay/$n-1" --force --why test; then
		vault get k "stay/$n-1" >/dev/null 2>&1 && back=$((back + 1))
	fi
	rm -f "stay/$n-1"
	if [ $((n % 10)) = 9 ]; then
		rm -rf back && vault get k -C back >/dev/null || lost=1
		for f in stay/*; do cmp -s "$f" "back/$f" || { echo "   $f is lost"; lost=1; }; done
	fi
done
check "put, rotate and shred were killed $((3 * kills)) times in their midst" [ $struck -ge $((3 * kills)) ]
rm -rf back && vault get k -C back >/dev/null
for f in stay/*; do [ ! -e "$f" ] || cmp -s "$f" "back/$f" || { echo "   $f is lost"; lost=1; }; done
check "nothing that was said to be put was lost" [ $lost = 0 ]
check "nothing that was said to be destroyed came back" [ $back = 0 ]
check "that vault is sound, too" vault fsck k --content

# Somebody holds a file open and goes on writing.
(exec 9>hot/growing; for i in $(seq 10); do echo "line $i" >&9; sleep 0.2; done) &
timeout 20 "$bw" vault watch v hot --settle 20 --once >/dev/null 2>&1
wait
vault get v hot/growing 2>/dev/null | grep -q 'line 10' && ok "a file that grows is taken whole" || not "a file that grows is taken whole"
# Or never lets it go: that is told, once, and it is taken when it is let go after all.
mkdir held && exec 9>held/scan.pdf && echo page >&9
"$bw" vault watch v held --settle 20 >/dev/null 2>watch.err 9>&- &
watcher=$!
for _ in $(seq 100); do grep -q scan.pdf watch.err && break; sleep 0.1; done
sleep 0.5
[ "$(grep -c "held/scan.pdf stays where it is: somebody has had it open for writing" watch.err)" = 1 ] && ok "a file that is held open for long is told, once" || not "a file that is held open for long is told, once: $(cat watch.err)"
check "and stays" [ -e held/scan.pdf ]
exec 9>&-
for _ in $(seq 100); do [ -e held/scan.pdf ] || break; sleep 0.1; done
check "until it is let go" [ ! -e held/scan.pdf ]
kill "$watcher" && wait "$watcher"
watcher=
# A folder that turns into a link leads nowhere.
mkdir secret && echo secret >secret/f
mkdir hot/x && rmdir hot/x && ln -s ../secret hot/x
timeout 20 "$bw" vault watch v hot --settle 20 --once >/dev/null 2>&1
check "links lead out of no hot folder" [ -e secret/f ]
# A folder is removed and made again.
mkdir moved
"$bw" vault watch v moved/ --settle 20 >moved.out 2>moved.err &
watcher=$!
for _ in $(seq 50); do grep -qs inotify /proc/$watcher/fdinfo/* && break; sleep 0.1; done
rmdir moved
for _ in $(seq 100); do grep -q 'moved: the folder is gone' moved.err && break; sleep 0.1; done
check "a hot folder that is gone is told" grep -q 'moved: the folder is gone' moved.err
mkdir moved && echo new >moved/f
for _ in $(seq 100); do [ -e moved/f ] || break; sleep 0.1; done
check "and watched again when it is there again" grep -q '  moved/f$' moved.out
kill "$watcher" && wait "$watcher"
watcher=
(cd moved && echo here >here && timeout 20 "$bw" vault watch ../v . --settle 20 --once >../moved.out 2>&1)
check "the folder one is in goes by its name" grep -q '  moved/here$' moved.out
mkdir many && for i in $(seq 5000); do echo "$i" >many/$i; done
timeout 100 "$bw" vault watch v many --settle 20 --once >/dev/null 2>&1
check "thousands at once" [ -z "$(ls many)" -a "$(vault ls v --json | jq '[.[] | select(.name | startswith("many/"))] | length')" = 5000 ]
# Keys change while somebody is in the midst of it: nothing is missed, and nothing looks broken.
all=$(vault ls v --json | jq length)
vault ls v --json | { sleep 2; jq length >listed; } &
lister=$!
sleep 0.5
check "keys are rotated while somebody lists" vault rotate v
wait $lister
[ "$(cat listed)" = "$all" ] && ok "who lists misses nothing" || not "who lists misses nothing: $(cat listed) of $all"
(while :; do "$bw" vault rotate v; done) >/dev/null 2>&1 &
watcher=$!
for n in 1 2 3 4 5; do vault fsck v >fsck.out || break; done
grep -q ': 0 wrong' fsck.out && ok "nothing looks broken while keys are rotated" || not "nothing looks broken while keys are rotated: $(head -1 fsck.out)"
kill $watcher && wait $watcher 2>/dev/null
watcher=
# An old copy of the index, put back.
vault init o --holder file >/dev/null 2>&1
echo one >one && vault put o one >/dev/null && mkdir older && cp o/index.db* older
echo two >two && vault put o two >/dev/null && vault rotate o >/dev/null
rm o/index.db* && cp older/* o
vault ls o >listed 2>err && not "an index from before the last rotation is told" || check "an index from before the last rotation is told" grep -q 'an old copy' err
check "and not taken for an empty vault" [ ! -s listed ]
vault shred o one --force --why test 2>err && not "nor does it lead to holes" || check "nor does it lead to holes" grep -q 'an old copy' err
check "it is made again" vault fsck o --mend --content
check "with what came later" [ "$(vault get o two)" = two ]
rm -rf o older
# One that no key gives away: fsck tells of what it does not know, and takes it in.
vault init o --holder file >/dev/null 2>&1
vault put o one >/dev/null && mkdir older && cp o/index.db* older
vault fsck o | grep -q note && not "nothing is noted where nothing is to be" || ok "nothing is noted where nothing is to be"
vault put o two >/dev/null && rm o/index.db* && cp older/* o
vault fsck o >fsck.out && grep -q 'note: the packs hold 1 things' fsck.out && ok "an older index is noted" || not "an older index is noted: $(cat fsck.out)"
check "what it does not know is taken in" vault fsck o --mend
check "and there" [ "$(vault get o two)" = two ]
rm -rf o older one two
python3 - <<-'P'
	import os
	os.mkdir("more")
	for i in range(60000): open(f"more/{i}", "w").write(str(i))
P
vault init m --holder file >/dev/null 2>&1
peak=$(python3 - "$bw" <<-'P'
	import resource, subprocess, sys
	subprocess.run([sys.argv[1], "vault", "watch", "m", "more", "--settle", "20", "--once"], stdout=subprocess.DEVNULL, timeout=300)
	print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
P
)
check "tens of thousands at once" [ -z "$(ls more)" -a "$(vault ls m --json | jq length)" = 60000 ]
listing=$(python3 - "$bw" <<-'P'
	import resource, subprocess, sys
	out = subprocess.run([sys.argv[1], "vault", "ls", "m"], stdout=subprocess.PIPE).stdout.decode().splitlines()
	# One head, and every row.
	assert len(out) == 60001 and [n for n, l in enumerate(out) if "ADDRESS" in l] == [0], out[:3]
	print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
P
)
[ -n "$listing" ] && ok "and are listed, page by page" || not "and are listed, page by page"
grep -qa __asan_init "$bw" || check "in ${listing:-no} MiB, at most 32" [ "${listing:-99}" -le 32 ]
# More than are destroyed together.
python3 - <<-'P'
	import os
	os.mkdir("further")
	for i in range(60000, 70000): open(f"further/{i}", "w").write(str(i))
P
vault put m further >/dev/null 2>&1
destroyed=$(python3 - "$bw" <<-'P'
	import resource, subprocess, sys
	subprocess.run([sys.argv[1], "vault", "shred", "m", "--all", "-c", "file", "--force", "--why", "test"], stdout=sys.stderr, check=True)
	print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
P
)
check "tens of thousands are destroyed" [ "$(vault ls m --json | jq length)" = 0 -a "$(vault log m --json | jq '[.[] | select(.action == "shred")] | length')" = 70000 ]
check "and the vault is sound" vault fsck m --content
grep -qa __asan_init "$bw" || check "in ${destroyed:-no} MiB, at most 32" [ "${destroyed:-99}" -le 32 ]
if grep -qa __asan_init "$bw"; then echo "skip - how much memory they take: this binary's is not its own"; else check "in ${peak:-no} MiB, at most 32" [ "${peak:-99}" -le 32 ]; fi
rm -rf more further m

# --- the vault as a folder -------------------------------------------------------------------------
shown() { # OPTION...: mounts v on m and waits until it is there
	"$bw" vault mount v m "$@" >mount.out 2>mount.err &
	mounted=$!
	for _ in $(seq 100); do mountpoint -q m && return 0; kill -0 $mounted 2>/dev/null || return 1; sleep 0.1; done
	return 1
}
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
# Without a look into it, which would hold it up.
hidden() { for _ in $(seq 100); do grep -q " $dir/m " /proc/mounts || return 0; sleep 0.1; done; return 1; }
mkdir m
if [ ! -c /dev/fuse ] || ! command -v fusermount3 >/dev/null; then
	echo "skip - the vault as a folder: needs /dev/fuse and fusermount3"
elif ! shown && grep -q 'cannot be mounted' mount.err; then
	echo "skip - the vault as a folder: it may not be mounted here: $(head -1 mount.err)"
	mounted=
else
	day=$(cd m/file && ls | tail -1)
	there=m/file/$day
	check "mount: every file as it was put" cmp src/big.dcm "$there/src/big.dcm"
	diff -rq src "$there/src" 2>/dev/null | grep -v 'DOE_JANE_7.hl7$' | grep -q . && not "mount: the tree, but for what was destroyed" || ok "mount: the tree, but for what was destroyed"
	cp -r "$there/many" copied 2>/dev/null
	check "mount: thousands of files are copied" [ "$(find copied -type f | wc -l)" = 5000 -a "$(cat copied/4711)" = 4711 ]
	python3 - "$there/src/big.dcm" src/big.dcm <<-'P' && ok "mount: any place can be read" || not "mount: any place can be read"
		import mmap, os, random, sys
		a, b = (os.open(p, os.O_RDONLY) for p in sys.argv[1:])
		size = os.fstat(b).st_size
		assert os.fstat(a).st_size == size
		for _ in range(500):
		    at, n = random.randrange(size + 10), random.randrange(1, 600000)
		    assert os.pread(a, n, at) == os.pread(b, n, at)
		m = mmap.mmap(a, size, prot=mmap.PROT_READ)
		assert m[1234567:1239999] == os.pread(b, 1239999 - 1234567, 1234567)
	P
	touch "$there/new" 2>/dev/null || : >"$there/src/empty" 2>/dev/null || rm "$there/src/empty" 2>/dev/null && not "mount: nothing can be changed" || ok "mount: nothing can be changed"
	check "mount: locked in" grep -q '^Seccomp:.2' /proc/$mounted/status
	chmod 711 "$dir"
	[ "$(id -u)" != 0 ] || { nobody ls "$dir/m" >/dev/null 2>look.err; check "mount: nobody else may look" grep -q 'Permission denied' look.err; }
	echo 'put meanwhile' >late && vault put v late >/dev/null
	sleep 1.1
	check "mount: what is put meanwhile comes" grep -q meanwhile m/file/*/late
	vault shred v late --force --why test >/dev/null
	sleep 1.1
	[ -e "$there/late" ] && not "mount: what is destroyed goes" || ok "mount: what is destroyed goes"
	vault rotate v >/dev/null
	check "mount: it outlives a rotation" cmp src/big.dcm "$there/src/big.dcm"
	kill -9 $mounted
	wait $mounted 2>/dev/null
	check "mount: killed, the folder is empty again" hidden
	stayed=0
	for n in 1 2 3 4 5 6 7 8 9 10; do
		shown || stayed=$((stayed + 1))
		kill -$((n % 2 ? 9 : 15)) $mounted
		wait $mounted 2>/dev/null
		hidden || { stayed=$((stayed + 1)); fusermount3 -uz m; }
	done
	check "mount: killed or ended ten times, at once, it never stays" [ $stayed = 0 ]
	# One byte in the middle of an object of its own pack is another.
	"$bw" vault init damaged --holder file >/dev/null 2>&1
	head -c 2000000 /dev/urandom >noise && "$bw" vault put damaged noise src/empty >/dev/null
	printf '\x5a\xa5\x5a' | dd of=damaged/packs/00000001.pack bs=1 seek=1000000 conv=notrunc status=none
	mv v whole && mv damaged v
	check "mount: again" shown --class file
	head -c 200000 m/file/*/noise | cmp -s - <(head -c 200000 noise) && ok "mount: what is sound before damage is read" || not "mount: what is sound before damage is read"
	cat m/file/*/noise >out.noise 2>cat.err && not "mount: damage is an I/O error" || check "mount: damage is an I/O error" grep -qi 'input/output error' cat.err
	check "mount: nothing wrong is given out" cmp -n "$(stat -c %s out.noise)" out.noise noise
	check "mount: and it is said" grep -q 'noise: it is damaged' mount.err
	kill $mounted # what Ctrl-C does, too; here that is ignored
	wait $mounted && ok "mount: a signal ends it" || not "mount: a signal ends it"
	if [ "$(id -u)" = 0 ]; then
		check "mount: for others" eval 'hidden && shown --allow-other'
		nobody cat "$dir"/m/file/*/src/empty >/dev/null && ok "mount: --allow-other shows it to others" || not "mount: --allow-other shows it to others"
		kill $mounted && wait $mounted
	fi
	hidden && shown --class none && check "mount: a class that nothing is of is empty" [ -z "$(ls m)" ]
	fusermount3 -u m
	wait $mounted && ok "mount: fusermount3 -u ends it" || not "mount: fusermount3 -u ends it"
	mounted=
	mv v damaged && mv whole v
fi

# --- names have any byte -----------------------------------------------------------------------
mkdir odd
python3 - <<-'P'
	for i, name in enumerate([b"new\nline", b"\xff\xfe\"quote\\", b"-dash", b" $(touch ran)", b"%s%n", b"\x1b[31mred", b"x" * 251]):
	    open(b"odd/" + name, "w").write(str(i))
P
vault init o --holder file >/dev/null 2>&1
check "names with any byte are put" vault put o odd
vault get o -C oddly >/dev/null 2>&1
check "and come back" diff -r odd oddly/odd
check "they are backed up" vault backup o odd
vault restore o -C oddback >/dev/null
check "and restored" diff -r odd "oddback/$(realpath odd)"
vault ls o | grep -q $'\x1b' && not "none reaches a terminal as it is" || ok "none reaches a terminal as it is"
cp -r odd oddhot
timeout 20 "$bw" vault watch o oddhot --class hot --once --settle 20 >/dev/null 2>&1
check "a hot folder takes them all" [ -z "$(ls oddhot)" ]
vault get o -c hot -C oddagain >/dev/null 2>&1
check "and none is lost" diff -r odd oddagain/oddhot

# --- trees of every shape ------------------------------------------------------------------------
mkdir tree && echo plain >tree/plain && ln -s plain tree/link && ln -s /etc tree/away && mkfifo tree/pipe && : >tree/.hidden
python3 - <<-'P'
	import os
	os.chdir("tree")
	for i in range(600): # deeper than there are descriptors, were each level to hold two
	    os.mkdir("d"); os.chdir("d")
	open("deep", "w").write("deep")
P
check "a tree that is 600 folders deep is put" bash -c 'ulimit -n 1024 && exec "$@"' - "$bw" vault put o tree -c tree
"$bw" vault put o tree -c tree >/dev/null 2>put.err
check "links and pipes in it are left out, and said" [ "$(grep -c 'no plain file, left out' put.err)" = 3 ]
vault get o -c tree -C treeback >/dev/null 2>&1
check "all else comes back" [ "$(cd treeback/tree && find . -type f | wc -l)" = 3 -a "$(find treeback -name deep -exec cat {} +)" = deep ]
vault put o tree/link >/dev/null 2>err && not "a link that is named is refused" || check "a link that is named is refused" grep -q 'tree/link: a symbolic link' err
vault put o tree/none tree/plain >/dev/null 2>err && not "one that is not there is said" || check "one that is not there is said" grep -q 'tree/none: No such file' err
check "one name for one file" vault put o tree/plain --name elsewhere
vault get o elsewhere 2>/dev/null | grep -qx plain && ok "by which it is found" || not "by which it is found"

# --- a clock that went back -------------------------------------------------------------------------
vault init clock --holder file >/dev/null 2>&1 && echo first >again && vault put clock again >/dev/null
mkdir future && cp -r clock/. future && python3 -c 'import sqlite3; c = sqlite3.connect("future/index.db"); c.execute("update name set put = put + 1000000000000000000"); c.commit()'
echo second >again && vault put future again >/dev/null
vault get future again 2>/dev/null | grep -qx second && ok "what was put last is the newest, though the clock went back" || not "what was put last is the newest, though the clock went back"
vault get future -C futureback >/dev/null 2>&1
check "among all, too" grep -qx second futureback/again
vault fsck future --mend >/dev/null
vault get future again 2>/dev/null | grep -qx second && ok "and after mending" || not "and after mending"
rm -rf clock future again

# --- whatever is damaged, fsck says so ---------------------------------------------------------------
vault init whole --holder file >/dev/null 2>&1 && vault put whole src --class x >/dev/null && vault shred whole src/empty --force --why test >/dev/null
check "nothing is wrong with what is whole" vault fsck whole --content
sql() { python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()' torn/index.db "$1"; }
flip() { python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); b = f.read(1)[0]; f.seek(-1, 1); f.write(bytes([b ^ 64]))' "torn/$1" "$2"; }
found() { # TEXT COMMAND...: a copy is damaged by it, and fsck ends with 1 and says TEXT
	local text=$1 code=0
	shift
	rm -rf torn && cp -r whole torn && "$@"
	"$bw" vault fsck torn --content >torn.out 2>&1 || code=$?
	[ $code = 1 ] && grep -q "$text" torn.out && ok "fsck: $*" || not "fsck: $*: ended with $code and said $(head -3 torn.out)"
}
pack=packs/00000001.pack
found 'content in pack 00000001 is damaged' flip $pack 100000
found 'another one than the index says' flip $pack 20
found 'pack 00000001' truncate -s 50000 torn/$pack
found 'pack 00000001 cannot be read' rm torn/$pack
found 'the keyring is damaged; its copy serves' flip keyring 60
found 'the keyring is damaged; its copy serves' rm torn/keyring
found 'keyring.s copy is damaged or missing' flip keyring.copy 60
found 'keyring.s copy is damaged or missing' rm torn/keyring.copy
found 'index is damaged' flip index.db 20
found 'index.db is damaged' truncate -s 9000 torn/index.db
found 'index.db is damaged' truncate -s 0 torn/index.db
found 'index.db is damaged' rm torn/index.db
found 'objects that the index does not have' sql 'delete from object where id = 5'
found 'has no name' sql 'delete from name where id = 5'
found 'the log was altered' sql "update log set line = replace(line, 'test', 'fair')"
found 'the log was altered' sql 'delete from log where seq = 1'
found 'lines are missing' sql 'delete from log where seq = (select max(seq) from log)'
found 'lines are missing' sql 'delete from log'
old_keys() { cp -r whole/. torn && vault shred torn --all --force --why test >/dev/null && cp whole/keyring whole/keyring.copy torn/; }
found 'the keyring is an old one' old_keys
rm -rf whole torn

# --- a vault in the midst of what it is for -----------------------------------------------------------
mkdir -p ward/ct && echo one >ward/ct/1.dcm && vault init ward/v --holder file >/dev/null 2>&1
check "a folder that the vault itself is in is put" bash -c 'cd ward/ct && exec "$@" ../v .. 2>../../put.err' - "$bw" vault put
check "but for the vault, which is said" grep -q '/v: the vault.s own folder, left out' put.err
check "by a path that leads up" [ "$("$bw" vault ls ward/v --json | grep -c 1.dcm)" = 1 ]
check "and comes back below where it is wanted" vault get ward/v -C wardback
[ "$(find wardback -type f -exec cat {} +)" = one ] && ok "whole" || not "whole"
timeout 20 "$bw" vault watch ward/v ward --once --settle 20 >/dev/null 2>&1
check "a hot folder that the vault is in is emptied" [ ! -e ward/ct/1.dcm ]
check "but for the vault" vault fsck ward/v --content
"$bw" vault watch ward/v ward/v --once --settle 20 2>err && not "the vault is no hot folder of its own" || check "the vault is no hot folder of its own" grep -q 'the vault keeps everything in there' err
"$bw" vault watch ward/v ward/v/packs --once --settle 20 2>/dev/null && not "nor are its packs" || ok "nor are its packs"
mkdir -p ward/v/in && echo two >ward/v/in/2.dcm
timeout 20 "$bw" vault watch ward/v --once --settle 20 >/dev/null 2>&1
vault get ward/v in/2.dcm 2>/dev/null | grep -qx two && ok "a folder in it is" || not "a folder in it is"
vault init ward/w --holder file --place ward/site.key >/dev/null 2>&1
echo three >ward/3.dcm
timeout 20 "$bw" vault watch ward/w ward --once --settle 20 >/dev/null 2>&1
check "a key that lies in a hot folder stays there" [ -s ward/site.key ]
check "and what came beside it is sealed" [ "$(vault get ward/w ward/3.dcm)" = three ]

# --- a disk that is full ----------------------------------------------------------------------------
mkdir small
if mount -t tmpfs -o size=2m tmpfs small 2>/dev/null; then
	vault init small/v --holder file >/dev/null 2>&1
	head -c 300000 /dev/urandom >fits
	check "a small disk takes what fits" vault put small/v fits
	vault put small/v src/big.dcm >/dev/null 2>err && not "a full disk is said" || check "a full disk is said" grep -q 'disk is full' err
	vault get small/v fits 2>/dev/null | cmp -s - fits && ok "and what was there stays" || not "and what was there stays"
	check "sound" vault fsck small/v --content
	head -c 4000000 /dev/zero >small/fill 2>/dev/null
	vault get small/v fits 2>/dev/null | cmp -s - fits && ok "without any room at all everything can still be read" || not "without any room at all everything can still be read"
	check "and looked at" vault fsck small/v --content
	vault put small/v paper >/dev/null 2>err && not "nothing more is taken" || check "nothing more is taken" grep -q 'disk is full' err
	vault shred small/v fits --force --why test >/dev/null 2>err && not "nor said to be destroyed" || check "nor said to be destroyed" grep -q 'nothing is said to be destroyed' err
	rm small/fill
	vault get small/v fits 2>/dev/null | cmp -s - fits && ok "which is there then" || not "which is there then"
	mkdir fullhot && cp src/big.dcm fullhot
	timeout 5 "$bw" vault watch small/v fullhot --settle 20 --once >/dev/null 2>&1
	check "a hot folder keeps what the disk does not take" cmp src/big.dcm fullhot/big.dcm
else
	echo "skip - a full disk: needs root to mount a tmpfs"
fi

# --- a TPM, and another one -----------------------------------------------------------------------------
tpm() { # NAME PORT
	mkdir "$1" && swtpm socket --tpm2 --tpmstate dir="$dir/$1" --server type=tcp,port="$2" \
		--ctrl type=tcp,port=$(($2 + 1)) --flags not-need-init,startup-clear --daemon --pid file="$dir/$1.pid" &&
		tpms="$tpms $(cat "$1.pid")"
}
if command -v swtpm >/dev/null; then
	port=$((RANDOM % 12000 + 20000))
	tpm tpm-mine $port && tpm tpm-other $((port + 10))
	check "a TPM takes over" vault rotate v --holder tpm2 --place "swtpm:host=127.0.0.1,port=$port"
	check "and opens" vault ls v
	vault ls v --place "swtpm:host=127.0.0.1,port=$((port + 10))" >/dev/null 2>err && not "another TPM opens nothing" || check "another TPM opens nothing" grep -q 'another TPM' err
	check "the printed key still recovers" vault recover v -i paper --holder file --place "$dir/new.key"
else
	echo "skip - a TPM: swtpm is not installed"
fi
exit $failed
