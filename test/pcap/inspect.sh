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

# same NAME FILE [CASE]: events as there are of its capture, of http's if none is named
same() {
	local name=$1
	if cmp -s "${3:-http}/expect.jsonl" "$2"; then
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

# A recorder began a new file amid a conversation, and with the new one wrote in the other byte order.
python3 - "$tmp" <<'P'
import struct, sys
data = open('alarm-lost/input.pcap', 'rb').read()
at, cuts = 24, []
while at < len(data):
    cuts.append(at)
    at += 16 + struct.unpack('<I', data[at + 8:at + 12])[0]
middle = cuts[len(cuts) // 2]
open(sys.argv[1] + '/first', 'wb').write(data[:middle])
second = struct.pack('>IHHiIII', *struct.unpack('<IHHiIII', data[:24]))
for at in cuts[len(cuts) // 2:]:
    head = struct.unpack('<IIII', data[at:at + 16])
    second += struct.pack('>IIII', *head) + data[at + 16:at + 16 + head[2]]
open(sys.argv[1] + '/second', 'wb').write(second)
# What was said is said once more, otherwise, and then as it was.
data = open('alarm-lost/input.pcap', 'rb').read()
again, at = bytearray(data[:24]), 24
while at < len(data):
    size = 16 + struct.unpack('<I', data[at + 8:at + 12])[0]
    record, at = data[at:at + size], at + size
    again += record
    l4 = 30 + (record[30] & 15) * 4
    if record[39] == 6 and 30 + struct.unpack('>H', record[32:34])[0] > l4 + (record[l4 + 12] >> 4) * 4:
        for flip, number in ((1, b'again1'), (0, b'again2')):
            copy = bytearray(record)
            copy[-1] ^= flip
            copy[l4 + 16:l4 + 18] = b'\0\0'  # its checksum is left to the card,
            copy[34:36], copy[40:42] = number[-2:], b'\0\0'  # and so is the header's
            again += copy
open(sys.argv[1] + '/again', 'wb').write(again)
# An interface of USB, which nobody reads, in one file with one of Ethernet.
def block(kind, body):
    return struct.pack('<II', kind, len(body) + 12) + body + struct.pack('<I', len(body) + 12)
open(sys.argv[1] + '/usb', 'wb').write(
    block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1)) + block(1, struct.pack('<HHI', 220, 0, 0)) +
    block(1, struct.pack('<HHI', 1, 0, 0)) + block(6, struct.pack('<IIIII', 0, 0, 0, 4, 4) + b'USB!') * 3)
P
"$bw" inspect -r "$tmp/first" -r "$tmp/second" >"$tmp/rotated"
same 'a conversation over two files' "$tmp/rotated" alarm-lost
expect 'a wrong file behind a right one' 1 'No such file' "$bw" inspect -r http/input.pcap -r "$tmp/none"
expect 'packets that nobody reads' 0 '3 packets of a link type that is not read (USB_LINUX_MMAPPED)' "$bw" inspect -r "$tmp/usb"

# What lies in a file is compared as what came by a pipe and was copied.
"$bw" inspect -r - <"$tmp/again" >"$tmp/copied"
"$bw" inspect -r "$tmp/again" >"$tmp/placed"
conflicts=$(grep -c '"stream.conflict"' "$tmp/placed")
if cmp "$tmp/copied" "$tmp/placed" && [ "$conflicts" -gt 1 ]; then
	echo "ok - what is said twice"
else
	echo "not ok - what is said twice: $conflicts conflicts"
	failed=1
fi

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
