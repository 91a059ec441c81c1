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
python3 - "$tmp" <<'P'
import struct, sys
data = open('dicom-odd/input.pcap', 'rb').read()
head, at, packets = b'', 0, []
while at < len(data):
    kind, size = struct.unpack('<II', data[at:at + 8])
    block, at = data[at:at + size], at + size
    if kind == 6: packets.append(block)
    elif not packets: head += block
middle = len(packets) // 2
open(sys.argv[1] + '/first', 'wb').write(head + b''.join(packets[:middle]))
open(sys.argv[1] + '/second', 'wb').write(head + b''.join(packets[middle:]))
P
"$bw" inspect -r "$tmp/first" -r "$tmp/second" >"$tmp/rotated"
same 'messages in pieces over two files' "$tmp/rotated" dicom-odd
expect 'a wrong file behind a right one' 1 'No such file' "$bw" inspect -r http/input.pcap -r "$tmp/none"
expect 'packets that nobody reads' 0 '3 packets of a link type that is not read (USB_LINUX_MMAPPED)' "$bw" inspect -r "$tmp/usb"

# A sender's card is left a message of 100,000 bytes (Linux' BIG TCP): IPv4 says no length, IPv6 that of a jumbogram.
python3 - "$tmp" <<'P'
import struct, sys
def tcp(seq, ack, flags, back):
    ports = (2575, 40000) if back else (40000, 2575)
    return struct.pack('>HHIIBBHHH', *ports, seq, ack, 0x50, flags, 8192, 0, 0)
message = b'\x0bMSH|^~\\&|A|B|C|D|20260101||ORU^R01|7|P|2.6\r' + b'OBX|1|TX|n||' + b'x' * 100000 + b'\r\x1c\r'
talk = [(tcp(100, 0, 2, 0), b''), (tcp(500, 101, 18, 1), b''), (tcp(101, 501, 16, 0), b''), (tcp(101, 501, 24, 0), message),
        (tcp(501, 101 + len(message), 17, 1), b''), (tcp(101 + len(message), 502, 17, 0), b'')]
def ip(version, back, body):
    ends = [bytes([10, 9, 1, 12]), bytes([10, 9, 0, 5])] if version == 4 else [b'\xfd' + b'\0' * 14 + n for n in (b'\1', b'\2')]
    ends = b''.join(ends[::-1] if back else ends)
    size = len(body) if len(body) < 60000 else 0
    if version == 4:
        return b'\x08\0' + struct.pack('>BBHHHBBH', 0x45, 0, size and size + 20, 1, 0, 64, 6, 0) + ends + body
    more = b'' if size else struct.pack('>BBBBI', 6, 0, 0xc2, 4, len(body) + 8)
    return b'\x86\xdd' + struct.pack('>IHBB', 6 << 28, size, 0 if more else 6, 64) + ends + more + body
for version in 4, 6:
    with open('%s/big%d' % (sys.argv[1], version), 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for i, (head, data) in enumerate(talk):
            frame = b'\2\0\0\0\0\1\2\0\0\0\0\2' + ip(version, head[:2] == b'\x0a\x0f', head + data)
            f.write(struct.pack('<IIII', 1700000000, i, len(frame), len(frame)) + frame)
P
for v in 4 6; do
	if "$bw" inspect -r "$tmp/big$v" | grep -q '"event_type":"hl7".*"segments":2'; then echo "ok - more than 64 KiB at once by IPv$v"
	else echo "not ok - more than 64 KiB at once by IPv$v"; failed=1; fi
done
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
