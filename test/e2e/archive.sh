#!/usr/bin/env bash
# What devices with `archive: yes` say: HL7 messages and images between real peers
# (DCMTK, MLLP) lie in the vault byte for byte as they arrived, images as files that
# DCMTK reads; what was blocked or broken off, or of other devices, does not. And no
# file of the gateway's says anything of a patient who was named on the wire.
# usage: test/e2e/archive.sh [BINARY]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwa$$
spaces="gw sw ana ct hos"
. test/e2e/lib.sh

[ "$(id -u)" = 0 ] || skip_all "archive end to end: needs root for network namespaces"
for tool in jq ethtool zstd storescu storescp dump2dcm dcmdump; do
	command -v $tool >/dev/null || skip_all "archive end to end: needs $tool"
done
workdir
vault() { local verb=$1; shift; timeout 20 "$bw" vault "$verb" "$dir/state/vault" "$@"; }
archived() { vault ls --class archive --json | jq "[.[] | select(.name | startswith(\"archive/$1\"))] | length"; }
has_archived() { [ "$(archived "$1" 2>/dev/null)" = "$2" ]; }
stop() { kill "$parent"; wait "$parent" 2>/dev/null; parent=; }

# policy ARCHIVE [MORE]
policy() {
	cat >"$dir/bw.yaml" <<-Y
	gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden, evidence: on}
	${2:-}
	segments:
	  - {name: icu, ward: w0, hospital: h0, mode: enforce}
	hosts:
	  - {name: lab-1, ip: [10.92.0.1], role: [lab, pacs]}
	devices:
	  - name: analyser-1
	    segment: icu
	    mac: "02:00:00:92:00:11"
	    ip: [10.92.0.11]
	    archive: $1
	    starts: [{service: results, proto: tcp, port: [2575], peer: lab, app: hl7, allow: ["message_type=ORU^R01"]}]
	  - name: ct-1
	    segment: icu
	    mac: "02:00:00:92:00:12"
	    ip: [10.92.0.12]
	    archive: $1
	    starts:
	      - {service: images, proto: tcp, port: [11112], peer: pacs, app: dicom}
	      - {service: web, proto: tcp, port: [80], peer: pacs, app: http}
	      - {service: files, proto: tcp, port: [21], peer: pacs, app: ftp}
	Y
}
# Receives MLLP, writes each message as it came, acknowledges it.
mllp_server() {
	at hos python3 - "$dir/hl7-in" <<-'P' &
	import os, socket, sys, threading
	os.makedirs(sys.argv[1], exist_ok=True)
	s = socket.create_server(("10.92.0.1", 2575))
	count = 0
	def take(c):
	    global count
	    data = b""
	    while True:
	        more = c.recv(65536)
	        if not more: return
	        data += more
	        while b"\x1c\r" in data:
	            one, data = data.split(b"\x1c\r", 1)
	            open(f"{sys.argv[1]}/{count}", "wb").write(one[1:])
	            count += 1
	            c.sendall(b"\x0bMSH|^~\\&|LAB|H|A|H|20260101||ACK|" + str(count).encode() + b"|P|2.5\rMSA|AA|1\r\x1c\r")
	while True: threading.Thread(target=take, args=(s.accept()[0],), daemon=True).start()
	P
}
# mllp_send FILE...: in frames, over one connection, each awaiting its acknowledgement.
mllp_send() {
	at ana timeout 20 python3 - "$@" <<-'P'
	import socket, sys
	c = socket.create_connection(("10.92.0.1", 2575), 5)
	c.settimeout(10)
	for f in sys.argv[1:]:
	    c.sendall(b"\x0b" + open(f, "rb").read() + b"\x1c\r")
	    if not c.recv(4096): break
	P
}
# message FILE NUMBER BYTES TYPE
message() {
	printf 'MSH|^~\\&|ANALYSER|WARD|LAB|HOSP|20260101120000||%s|MSG%05d|P|2.5\rPID|1||4711%s^^^HOSP||MUSTERFRAU^ERIKA^%s||19640812|F\rOBX|1|NM|2345-7||%s\r' "$4" "$2" "$2" "$2" "$2" >"$1"
	[ "$3" = 0 ] || { printf 'OBX|2|ED|PDF||^^^^' && head -c "$3" /dev/urandom | base64 -w0 && printf '\r'; } >>"$1"
}
# image FILE NUMBER BYTES
image() {
	head -c "$3" /dev/urandom >"$dir/pixels"
	cat >"$dir/dump" <<-D
	(0008,0016) UI =SecondaryCaptureImageStorage
	(0008,0018) UI [1.2.826.0.1.3680043.2.1.$2]
	(0008,0060) CS [OT]
	(0010,0010) PN [MUSTERMANN^MAX^$2]
	(0010,0020) LO [PAT$2]
	(0020,000d) UI [1.2.826.0.1.3680043.2.2]
	(0020,000e) UI [1.2.826.0.1.3680043.2.3]
	(0028,0002) US 1
	(0028,0004) CS [MONOCHROME2]
	(0028,0010) US 1
	(0028,0011) US 1
	(0028,0100) US 8
	(0028,0101) US 8
	(0028,0102) US 7
	(0028,0103) US 0
	(7fe0,0010) OB =$dir/pixels
	D
	dump2dcm -q +te "$dir/dump" "$1"
}
# The data set of a DICOM file: what stands behind its preamble and meta header.
data_set() {
	python3 - "$1" <<-'P'
	import struct, sys
	d = open(sys.argv[1], "rb").read()
	assert d[128:132] == b"DICM"
	assert d[132:140] == b"\2\0\0\0UL\4\0"
	sys.stdout.buffer.write(d[144 + struct.unpack("<I", d[140:144])[0]:])
	P
}
# send_images OPTION FILE...
send_images() {
	local option=$1; shift
	at ct timeout 60 storescu -q "$option" -aet CT1 -aec PACS 10.92.0.1 11112 "$@" >>"$dir/storescu" 2>&1
}

make_ward ana ct || skip_all "archive end to end: no network namespaces here"
machine ana 02:00:00:92:00:11 10.92.0.11/24
machine ct 02:00:00:92:00:12 10.92.0.12/24
machine hos 02:00:00:92:00:01 10.92.0.1/24
at gw ip link set w0 up && at gw ip link set h0 up
for ns in ana ct hos; do at $ns ethtool -K e0 tx off tso off gso off gro off >/dev/null; done
for ns in ana ct; do
	at $ns ip neigh replace 10.92.0.1 lladdr 02:00:00:92:00:01 dev e0 nud permanent
done
at hos ip neigh replace 10.92.0.11 lladdr 02:00:00:92:00:11 dev e0 nud permanent
at hos ip neigh replace 10.92.0.12 lladdr 02:00:00:92:00:12 dev e0 nud permanent
mllp_server
mkdir "$dir/dicom-in" "$dir/hl7" "$dir/dicom"
at hos storescp -q +B +xa -od "$dir/dicom-in" -aet PACS 11112 >"$dir/storescp" 2>&1 &

policy yes
start
ms=$(until_ms 20000 guarding)
within "$ms" 20000 || { not "the gateway guards"; tail -5 "$dir/log"; exit 1; }

for n in 1 2 3 4 5; do message "$dir/hl7/$n" $n 0 'ORU^R01'; done
message "$dir/hl7/6" 6 700000 'ORU^R01'
mllp_send "$dir"/hl7/?
check "every message arrives" test "$(ls "$dir/hl7-in" | wc -l)" = 6
for n in 1 2 3; do image "$dir/dicom/$n.dcm" $n $((n * 3000)); done
image "$dir/dicom/4.dcm" 4 20000000
send_images -xe "$dir"/dicom/[123].dcm
send_images -xi "$dir"/dicom/4.dcm # implicit VR, two megabytes in many fragments
check "every image arrives" test "$(ls "$dir/dicom-in" | wc -l)" = 4
ms=$(until_ms 10000 has_archived hl7/analyser-1/ 6)
if within "$ms" 10000; then ok "each message is in the vault once, and no acknowledgement"
else not "each message is in the vault once, and no acknowledgement: $(archived hl7/)"; status; fi
ms=$(until_ms 10000 has_archived dicom/ct-1/ 4)
if within "$ms" 10000; then ok "each image is in the vault once"
else not "each image is in the vault once: $(archived dicom/)"; tail -5 "$dir/log"; fi
check "nothing was dropped on its way for want of room" sh -c "! grep stream.memory '$dir/state/eve.json'"

vault get --class archive -C "$dir/out" >/dev/null
sums() { find "$@" -type f -exec sha256sum {} + | cut -d' ' -f1 | sort; }
check "messages byte for byte as they arrived" test "$(sums "$dir/out/archive/hl7")" = "$(sums "$dir/hl7-in")"
find "$dir/out/archive/dicom" -name '*.dcm' | while read -r f; do data_set "$f" | sha256sum; done | sort >"$dir/kept"
for f in "$dir"/dicom-in/*; do data_set "$f" | sha256sum; done | sort >"$dir/arrived"
check "data sets byte for byte as they arrived" cmp "$dir/kept" "$dir/arrived"
check "DCMTK reads every image" dcmdump -q "$dir"/out/archive/dicom/ct-1/*/*.dcm
check "the transfer syntax is the association's" test \
	"$(dcmdump -q +P TransferSyntaxUID "$dir"/out/archive/dicom/ct-1/*/*.dcm | grep -c LittleEndianImplicit)" = 1
check "the meta header names instance and sender" sh -c \
	"dcmdump -q +P MediaStorageSOPInstanceUID +P SourceApplicationEntityTitle '$dir'/out/archive/dicom/ct-1/*/*-1.2.826.0.1.3680043.2.1.3.dcm | grep -c -e 'CT1' -e '2\.1\.3\]' | grep -qx 2"
check "kept for six years" sh -c \
	"'$bw' vault ls '$dir/state/vault' --class archive --json | jq -e 'all(.[]; (.until[:4] | tonumber) - (.put[:4] | tonumber) >= 6)'"
check "their times are in the names, the sender's number too" sh -c \
	"'$bw' vault ls '$dir/state/vault' --json | grep -q 'archive/hl7/analyser-1/[-0-9]*/[0-9.]*-ORU^R01-MSG00003.hl7'"
check "status counts them" sh -c \
	"timeout 5 '$bw' status --json --socket '$dir/run/control' | jq -e '.vault.archived == 10 and .vault.archive_lost == 0'"
# Names in web addresses, files, machines: and a message that is blocked, for evidence.
names() {
	at ct timeout 20 python3 - <<-'P'
	import socket
	def say(port, text):
	    c = socket.create_connection(("10.92.0.1", port), 5)
	    c.settimeout(5)
	    if port == 21: c.recv(99)
	    c.sendall(text)
	    c.recv(999)
	say(80, b"GET /fhir/Patient/MUSTERFRAU?given=ERIKA HTTP/1.1\r\nHost: pacs\r\nReferer: http://pacs/MUSTERMANN\r\n\r\n")
	say(21, b"RETR MUSTERMANN_MAX_19640812.pdf\r\n")
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
	s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"e0")
	s.bind(("", 68))
	name = b"Mustermanns-iPhone"
	s.sendto(b"\1\1\6\0" + b"\1\2\3\4" + bytes(20) + bytes.fromhex("020000920012") + bytes(202) +
	         b"\x63\x82\x53\x63" + b"\x35\1\1\x0c" + bytes([len(name)]) + name + b"\xff", ("255.255.255.255", 67))
	P
}
names_server() {
	at hos python3 - <<-'P' &
	import socket, threading
	def serve(port, hello, answer):
	    s = socket.create_server(("10.92.0.1", port))
	    while True:
	        c = s.accept()[0]
	        c.sendall(hello)
	        c.recv(9999)
	        c.sendall(answer)
	threading.Thread(target=serve, args=(21, b"220 ready\r\n", b"150 MUSTERMANN_MAX_19640812.pdf follows\r\n"), daemon=True).start()
	serve(80, b"", b"HTTP/1.1 302 Found\r\nLocation: /MUSTERFRAU\r\nContent-Length: 0\r\n\r\n")
	P
}
# readable: every patient who was named, in every file the gateway has.
printf '%s\n' MUSTERFRAU MUSTERMANN ERIKA^ 19640812 Mustermanns-iPhone 3680043.2.1.3.PAT >"$dir/words"
readable() { test/e2e/readable.py "$dir/words" "$dir/state" "$dir/run" "$dir/log" >"$dir/readable"; }
names_server
until_ms 20000 at ct timeout 1 bash -c 'exec 3<>/dev/tcp/10.92.0.1/80' >/dev/null 2>&1
names
message "$dir/hl7/7" 7 0 'ADT^A01'
mllp_send "$dir/hl7/7" 2>/dev/null
has_evidence() { [ "$(vault ls --class evidence --json | jq length)" -ge 1 ]; }
ms=$(until_ms 25000 has_evidence)
if within "$ms" 25000; then ok "what was blocked is evidence"; else not "what was blocked is evidence"; fi
told() { events | grep -- "$1" >/dev/null; }
check "who asks the gateway is told of a web address" told '/fhir/Patient/MUSTERFRAU'
check "of a file" told MUSTERMANN_MAX_19640812.pdf
check "and of a machine's own name" told '"hostname":"Mustermanns-iPhone"'
check "in its list of devices, too" sh -c \
	"timeout 5 '$bw' devices --json --socket '$dir/run/control' | grep -q Mustermanns-iPhone"
check "the evidence names the patient" sh -c \
	"'$bw' vault get '$dir/state/vault' --class evidence -C '$dir/evidence' && grep -raq MUSTERFRAU '$dir/evidence'"
check "what looks for names finds them in every coat" test/e2e/readable.py --test
check "it finds those that were archived" sh -c "! test/e2e/readable.py '$dir/words' '$dir/out' >/dev/null"
if readable; then ok "in the gateway's own files no patient is named: $(cat "$dir/readable")"
else not "in the gateway's own files no patient is named:"; head -20 "$dir/readable"; fi
check "the event file has hashes instead" grep -q '"url":"hashed:' "$dir/state/eve.json"
echo "Frau Musterfrau" | base64 >"$dir/state/planted"
readable && not "one that is planted is found" || ok "one that is planted is found"
rm "$dir/state/planted"

# What does not pass is not kept: another type of message, one that is broken off, an image that is.
at ana timeout 5 python3 -c '
import socket, time
c = socket.create_connection(("10.92.0.1", 2575), 5)
c.sendall(b"\x0bMSH|^~\\&|ANALYSER|WARD|LAB|HOSP|2026||ORU^R01|BROKEN|P|2.5\rPID|1||4711\r")
time.sleep(0.3)'
image "$dir/dicom/5.dcm" 5 5000000
at ct python3 - <<-'P' &
	import socket, threading
	here = socket.create_server(("127.0.0.1", 11112)).accept()[0]
	there = socket.create_connection(("10.92.0.1", 11112), 5)
	def back():
	    while True: here.sendall(there.recv(65536))
	threading.Thread(target=back, daemon=True).start()
	sent = 0
	while sent < 1000000:
	    piece = here.recv(65536)
	    there.sendall(piece)
	    sent += len(piece)
	P
sleep 0.5
at ct timeout 5 storescu -q -aet CT1 -aec PACS 127.0.0.1 11112 "$dir/dicom/5.dcm" >/dev/null 2>&1
sleep 1
check "a message that was blocked is not kept" sh -c "'$bw' vault ls '$dir/state/vault' --json | jq -e 'all(.[]; .name | contains(\"MSG00007\") | not)'"
check "nor one that was broken off" has_archived hl7/ 6
check "nor an image" has_archived dicom/ 4
stop

policy no
start
until_ms 20000 guarding >/dev/null
mllp_send "$dir/hl7/1"
send_images -xe "$dir/dicom/1.dcm"
sleep 1
check "of others nothing is kept" has_archived "" 10
stop

# A guard that is killed in the middle, and a keeper: what was not whole is told, the rest stays.
policy yes
start
until_ms 20000 guarding >/dev/null
image "$dir/dicom/6.dcm" 6 100000000
at ct timeout 20 storescu -q -aet CT1 -aec PACS 10.92.0.1 11112 "$dir/dicom/6.dcm" >/dev/null 2>&1 &
sleep 0.3
kill -9 "$(pids _guard)"
ms=$(until_ms 20000 has_event gateway.archive_lost)
if within "$ms" 20000; then ok "an image that a guard's death cut is told"; else not "an image that a guard's death cut is told"; fi
message "$dir/hl7/8" 8 0 'ORU^R01'
until_ms 10000 guarding >/dev/null
mllp_send "$dir/hl7/8"
ms=$(until_ms 10000 has_archived hl7/ 7)
if within "$ms" 10000; then ok "what comes after it is kept"; else not "what comes after it is kept"; fi
image "$dir/dicom/7.dcm" 7 100000000
at ct timeout 20 storescu -q -aet CT1 -aec PACS 10.92.0.1 11112 "$dir/dicom/7.dcm" >/dev/null 2>&1 &
sleep 0.4
kill -9 "$(pids _keeper)"
if readable; then ok "nor after the keeper was killed with an image in its hands"
else not "nor after the keeper was killed with an image in its hands"; head -20 "$dir/readable"; fi
until_ms 10000 guarding >/dev/null
message "$dir/hl7/9" 9 0 'ORU^R01'
mllp_send "$dir/hl7/9"
ms=$(until_ms 10000 has_archived hl7/ 8)
if within "$ms" 10000; then ok "the next keeper goes on"; else not "the next keeper goes on"; fi

# A backup of the gateway while it works, and what a machine that got it back would begin with.
check "it is backed up while it works" vault backup
check "and given back" vault restore -C "$dir/back"
back=$dir/back$(realpath "$dir/state")
check "its database is sound" [ "$(sqlite3 "$back/events.db" 'PRAGMA integrity_check')" = ok ]
check "it has the events" [ "$(sqlite3 "$back/events.db" 'SELECT count(*) > 0 FROM event')" = 1 ]
check "the audit trail says who backed it up" grep -q 'vault.backup' "$back/audit.log"
check "and is as it was signed" "$bw" audit verify -d "$back"
check "all is the gateway's user's" [ "$(stat -c %U "$back/events.db")" = "$(stat -c %U "$dir/state/events.db")" ]
rm -rf "$dir/back"
stop

# And by itself, to another disk: once this gateway is lost, the copy has what it was.
install -d -m 777 "$dir/copy"
policy yes "backup: {to: $dir/copy}"
start
ms=$(until_ms 60000 has_event gateway.backup)
if within "$ms" 60000; then ok "it backs itself up"; else not "it backs itself up"; tail -5 "$dir/log"; fi
check "status says when it did" sh -c "'$bw' status -c '$dir/bw.yaml' --json | jq -e '.backup.age_s < 60 and .backup.failed == \"\"'"
check "and nags where the copy is on the same disk" sh -c "'$bw' status -c '$dir/bw.yaml' --json | jq -e '.nags | any(contains(\"same disk\"))'"
mv "$dir/copy" "$dir/taken"
stop
cp "$dir/state/vault/trial.key" "$dir/taken/"
check "it is sound" "$bw" vault fsck "$dir/taken" --content
check "and has the newest backup" "$bw" vault restore "$dir/taken" -C "$dir/back"
back=$dir/back$(realpath "$dir/state")
check "with database, policy and people" [ -s "$back/events.db" -a -s "$back/people.db" -a -s "$dir/back$(realpath "$dir/bw.yaml")" ]
check "whose owner has a name" [ "$(stat -c %U "$back/events.db")" = "$(stat -c %U "$dir/state/events.db")" ]
# The disk is gone: that is told, and the gateway goes on.
rm -f "$dir/state/backup.last"
start
ms=$(until_ms 60000 has_event gateway.backup_failed)
if within "$ms" 60000; then ok "a disk that is gone is told"; else not "a disk that is gone is told"; fi
check "and status says so" sh -c "'$bw' status -c '$dir/bw.yaml' --json | jq -e '.nags | any(contains(\"no backup was ever made\"))'"
stop
rm -rf "$dir/back" "$dir/taken"
check "the vault is sound" vault fsck --content
if readable; then ok "no patient is named when all is over: $(cat "$dir/readable")"
else not "no patient is named when all is over:"; head -20 "$dir/readable"; fi
exit $failed
