#!/usr/bin/env bash
# inspect.sh BEDWARDEN: what `inspect` makes of its options and of odd files.
# shellcheck disable=SC2016
bw=$(realpath "$1")
cd "$(dirname "$0")" || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# expect NAME CODE TEXT COMMAND...: its exit code, and what stands in the one line it complains with
expect() {
	local name=$1 want=$2 text=$3 code
	shift 3
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	code=$?
	if [ $code = "$want" ] && grep -qF -- "$text" "$tmp/err" && [ "$(wc -l <"$tmp/err")" -le 2 ]; then
		echo "ok - $name"
	else
		echo "not ok - $name: exit code $code, wanted $want; $(head -2 "$tmp/err")"
		failed=1
	fi
}

# same NAME FILE...: events as there are of http/input.pcap
same() {
	local name=$1
	shift
	if cmp -s http/expect.jsonl "$@"; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		failed=1
	fi
}

"$bw" inspect -r - <http/input.pcap >"$tmp/stdin"
same 'a capture from standard input' "$tmp/stdin"
here=$PWD
(cd "$tmp" && "$bw" inspect -o - -r "$here/http/input.pcap" >stdout && [ ! -e ./- ]) || failed=1
same 'events to standard output by its sign' "$tmp/stdout"
"$bw" inspect --inline -o "$tmp/file" --stats -r http/input.pcap 2>"$tmp/err"
same 'options in any order' "$tmp/file"

cp http/input.pcap "$tmp/capture"
ln "$tmp/capture" "$tmp/link"
expect 'a capture is not written over' 1 'is the capture itself' "$bw" inspect -r "$tmp/capture" -o "$tmp/capture"
expect 'nor by another name' 1 'is the capture itself' "$bw" inspect -r "$tmp/capture" -o "$tmp/link"
expect 'nor by a pipe from it' 1 'is the capture itself' \
	bash -c '"$1" inspect -r - -o "$2" <"$2"' - "$bw" "$tmp/capture"
if cmp -s http/input.pcap "$tmp/capture"; then
	echo "ok - it is whole"
else
	echo "not ok - it is whole"
	failed=1
fi

expect 'no capture' 2 'usage: bedwarden inspect' "$bw" inspect
expect 'two captures' 2 'usage: bedwarden inspect' "$bw" inspect -r http/input.pcap -r dns/input.pcap
expect 'a word too many' 2 'usage: bedwarden inspect' "$bw" inspect -r http/input.pcap dns/input.pcap
expect 'an unknown option' 2 'usage: bedwarden inspect' "$bw" inspect -r http/input.pcap --nothing
expect 'a missing file' 1 "$tmp/none: No such file" "$bw" inspect -r "$tmp/none"
expect 'a folder' 1 'directory' "$bw" inspect -r "$tmp"
: >"$tmp/empty"
expect 'an empty file' 1 'the file is empty' "$bw" inspect -r "$tmp/empty"
echo 'no capture at all, but a line of text' >"$tmp/text"
expect 'a file that is none' 1 'neither pcap nor pcapng' "$bw" inspect -r "$tmp/text"
expect 'a folder for the events' 1 'cannot be written' "$bw" inspect -r http/input.pcap -o "$tmp"
expect 'a full disk' 1 'No space left' bash -c '"$1" inspect -r http/input.pcap >/dev/full' - "$bw"
expect 'a policy that is missing' 1 "$tmp/none" "$bw" inspect -r http/input.pcap -c "$tmp/none"
exit $failed
