#!/usr/bin/env bash
# The demonstration as a test: every attack real on the open network and stopped
# when guarded, with a reason; every transfer intact, and sealed between the two
# gateways, as the listener's own capture proves to tshark; nothing left behind. Twice
# at once, on both back ends, because demonstrations must not collide.
# usage: test/e2e/demo.sh BEDWARDEN
set -uo pipefail
bedwarden=$(realpath "${1:-build/bedwarden}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

for tool in ip tc nmap storescu storescp dcmdump mosquitto mosquitto_pub mosquitto_sub python3; do
	if ! PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null; then
		echo "skip - demo: $tool is not installed"
		exit 0
	fi
done
if ! unshare -n true 2>/dev/null && ! unshare -Un true 2>/dev/null; then
	echo "skip - demo: network namespaces are not permitted here"
	exit 0
fi

say() { # say GOOD TEXT
	if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi
}

# judge FILE BACKEND: what the one JSON object says, line by line.
judge() {
	python3 - "$1" "$2" <<'EOF'
import json, sys
name = sys.argv[2]
def say(good, text): print(("ok - " if good else "not ok - ") + "demo on " + name + ": " + text)
try:
    text = open(sys.argv[1]).read()
    found = json.loads(text)
except ValueError as e:
    say(False, "one JSON object: " + str(e)); sys.exit()
say(text.count("\n") == 1, "one line of JSON")
say(len(found["attacks"]) >= 8 and len(found["transfers"]) >= 4, "all attacks and transfers are there")
for a in found["attacks"]:
    say(a["open_network"] == "got through", a["name"] + ", open: " + a["open_network_measured"])
    say(a["guarded"] == "blocked" and ("." in a["reason"] or a["reason"] == "flood"),
        a["name"] + ", guarded: " + a["guarded_measured"] + ", " + (a["reason"] or "no reason"))
say(len(found["findings"]) >= 1, "what is told and not withheld is there")
for a in found["findings"]:
    say(a["open_network"] == "got through" and a["guarded"] == "detected" and
        a["reason"].startswith("vitals."), a["name"] + ", guarded: " + a["reason"])
for t in found["transfers"]:
    say(t["intact"] is True, t["name"] + ": " + t["guarded_measured"])
l = found["listener"]
say(l["open_network"] == "readable", "who listens between ward and servers, open: " + l["open_network_measured"])
say(l["guarded"] == "sealed", "who listens between ward and servers, guarded: " + l["guarded_measured"])
u = found["updates"]
say([x["result"] for x in u] == ["updated", "waits", "updated", "rolled back", "replaced", "in force", "traced"],
    "kept patched: " + ", ".join(x["result"] for x in u))
for x in u:
    print("# demo on " + name + ": " + x["name"] + ": " + x["measured"] + " " + x["reason"])
EOF
}

# unnamed FOLDER BACKEND: in what the gateway left on the disk no patient is named who went through.
unnamed() {
	local g=$1/guarded left
	test/e2e/named.py "$g/pacs" "$g/lab" >"$dir/words"
	[ "$(wc -l <"$dir/words")" -ge 8 ] && ! test/e2e/readable.py "$dir/words" "$g/pacs" "$g/lab" >/dev/null
	say $? "demo on $2: $(wc -l <"$dir/words") names and numbers of patients arrived"
	# A release of the gateway is this very program, and the demonstration's phantoms are in it.
	mapfile -t left < <(find "$g/state" "$g/run" "$g/gateway.log" "$g/servers" -type f ! -name 'gateway%2F*.tar')
	test/e2e/readable.py "$dir/words" "${left[@]}" >"$dir/readable"
	say $? "demo on $2: none is in what the gateway left on the disk: $(tail -1 "$dir/readable")"
}

# sealed FOLDER BACKEND: the listener's captures, as tshark reads them. `words` are there already.
sealed() {
	local wire=$1/guarded/listener.pcap open=$1/open/listener.pcap n
	! test/e2e/readable.py "$dir/words" "$open" >/dev/null
	say $? "demo on $2: the open network's capture has patients' names"
	test/e2e/readable.py "$dir/words" "$wire" >"$dir/readable"
	say $? "demo on $2: that of the guarded one has none: $(tail -1 "$dir/readable")"
	! grep -qaE 'MSH\||DICM|(CT1|PACS) {12}|1\.2\.840\.10008\.3\.1\.1\.1|ward/fridge-1' "$wire"
	say $? "demo on $2: no message, no image, no AE title, no topic is readable in it"
	grep -qaE 'MSH\|' "$open" && grep -qaE '(CT1|PACS) {12}' "$open" && grep -qa ward/fridge-1 "$open"
	say $? "demo on $2: all of them are in the open network's"
	command -v tshark >/dev/null || { echo "skip - demo on $2: what tshark reads: tshark is not installed"; return; }
	read_as() { tshark -2 -n -r "$1" -d udp.port==4789,dtls -d tcp.port==8883,tls -Y "$2" -T fields -e frame.protocols 2>/dev/null; }
	n=$(read_as "$wire" "!(dtls && ip.addr==10.79.0.1 && ip.addr==10.79.0.2) && !(tcp.port==8883 && ip.addr==10.78.0.1 && ip.addr==10.78.0.2) && !arp && !(dhcp && ip.dst==255.255.255.255) && eth.src!=02:be:d0:00:00:66" | wc -l)
	[ "$n" = 0 ]
	say $? "demo on $2: tshark sees the link, the relay, ARP and a call for an address; $n frames besides"
	n=$(read_as "$wire" "(udp.port==4789 && !dtls) || (dtls && !dtls.record.content_type) || (tcp.port==8883 && tcp.len>0 && !tls && !tcp.reassembled_in) || (_ws.malformed && eth.src!=02:be:d0:00:00:66)" | wc -l)
	[ "$n" = 0 ]
	say $? "demo on $2: tshark finds DTLS and TLS in all of these; in $n it does not"
	n=$(read_as "$wire" "dtls.record.content_type==23" | wc -l)
	[ "$n" -ge 500 ] && [ "$(read_as "$wire" "tls.app_data" | wc -l)" -ge 10 ]
	say $? "demo on $2: and much of both: $n records of the link alone"
	n=$(python3 -c 'import json, sys; print(*[t["open_network_measured"].split()[0] for t in json.load(open(sys.argv[1]))["transfers"] if "HL7" in t["name"]])' "$dir/$2.json")
	[ "$(read_as "$open" "hl7" | wc -l)" -ge $((2 * n)) ] && [ "$n" -ge 8 ] && [ "$(read_as "$open" "dicom" | wc -l)" -ge 20 ] && [ "$(read_as "$open" "mqtt" | wc -l)" -ge 10 ]
	say $? "demo on $2: of the open network, tshark reads $n HL7 messages and their answers, DICOM and MQTT"
}

# patched FOLDER BACKEND: what the pumps hold, the files themselves and not the demonstration's word for it.
patched() {
	local g=$1/guarded slot published runs
	published=$(sha256sum <"$g/maker/pump-2.0")
	[ "$(sha256sum <"$g/pump-2/firmware")" = "$published" ]
	say $? "demo on $2: what was pushed is the published 2.0"
	[ -e "$g/maker/R/public/targets/demo/${published%% *}.pump-2.0" ]
	say $? "demo on $2: and a target of the signed repository, by its hash"
	if [ -e "$g/pump-1/run/slot" ]; then
		slot=$(cat "$g/pump-1/run/slot") runs=$(head -1 "$g/pump-1/slot-$slot")
		# One that is told to go back twice starts the old one twice.
		[[ "$(tr '\n' ' ' <"$g/pump-1/ran")" =~ ^'1.0 2.0 3.0 '('2.0 ')+$ ]]
		say $? "demo on $2: the first pump's boots, by RAUC's slots: $(tr '\n' ' ' <"$g/pump-1/ran")"
		[ "$runs" = 2.0 ] && rauc info --keyring="$g/maker/maker.pem" "$g/maker/pump-2.0" 2>&1 | grep "Compatible:.*Volumat" >/dev/null
		say $? "demo on $2: it runs $runs, and rauc itself takes that bundle for its maker's"
	else
		echo "skip - demo on $2: RAUC: no bundle can be mounted here; the pump has two folders"
		[ "$(cat "$g/pump-1/current/VERSION")" = 2.0 ]
		say $? "demo on $2: the first pump runs $(cat "$g/pump-1/current/VERSION")"
	fi
	[ "$(readlink "$g/place/current")" = releases/9.0.0 ]
	say $? "demo on $2: the gateway's release that runs: $(readlink "$g/place/current")"
	grep -q alarms "$g/place/content/current/profiles/mqtt-sensor.yaml"
	say $? "demo on $2: the profile from the stick is in use"
	cmp -s "$g/maker/ward.rules" "$g/place/content/current/rules/ward.rules"
	say $? "demo on $2: and its rules lie beside it, in the same set"
	grep -q '</html>' "$g/report.html" && ! grep -qE '(src|href)="(http|//)' "$g/report.html"
	say $? "demo on $2: the report is one page that fetches nothing"
}

# on_patient PID FOLDER BACKEND: the monitor, and it alone, is seen to be on a patient.
on_patient() {
	local seen=""
	while [ "$seen" != monitor-1 ] && kill -0 "$1" 2>/dev/null; do
		seen=$("$bedwarden" devices --json --socket "$2/guarded/run/control" 2>/dev/null |
			python3 -c 'import json, sys; print(*[d["name"] for d in json.load(sys.stdin) if "vital_signs" in d])' 2>/dev/null)
		sleep 0.5
	done
	[ "$seen" = monitor-1 ]
	say $? "demo on $3: the monitor alone is seen to be on a patient: $seen"
}

backends=packet
[ "$(id -u)" != 0 ] || backends="xdp packet"
for b in $backends; do
	BEDWARDEN_DEMO_KEEP=1 BEDWARDEN_DEMO_CAPTURE=$b timeout 300 "$bedwarden" demo --headless --json \
		>"$dir/$b.json" 2>"$dir/$b.err" &
	eval "pid_$b=$!"
	until demo=$(pgrep -P $!) || ! kill -0 $! 2>/dev/null; do sleep 0.1; done
	eval "left_$b=/tmp/bedwarden-demo.$demo"
	eval "on_patient \$pid_$b \$left_$b $b" >"$dir/$b.patient" &
	eval "patient_$b=$!"
done
for b in $backends; do
	eval "wait \$pid_$b"
	say $? "demo on $b: exit code 0 $(tail -1 "$dir/$b.err")"
	judge "$dir/$b.json" $b
	eval "wait \$patient_$b"
	cat "$dir/$b.patient"
	eval "unnamed \$left_$b $b; sealed \$left_$b $b; patched \$left_$b $b; rm -rf \$left_$b"
done

# Killed in the middle, it leaves no process; the next one sweeps what is left of its folder.
"$bedwarden" demo --headless >/dev/null 2>&1 &
demo=$!
killed=/tmp/bedwarden-demo.$demo
for _ in {1..300}; do [ ! -d "$killed" ] || break; sleep 0.1; done
[ -d "$killed" ]
say $? "demo: works in a folder of its own"
sleep 5
kill -9 $demo
wait $demo 2>/dev/null
sleep 1
! grep -lsq "$killed" /proc/[0-9]*/cmdline
say $? "demo: killed, it leaves no process behind"
"$bedwarden" demo --headless >/dev/null 2>&1 &
demo=$!
for _ in $(seq 100); do [ -e "$killed" ] && sleep 0.2; done
[ ! -e "$killed" ]
say $? "demo: the next one sweeps the killed one's folder"
kill $demo
wait $demo 2>/dev/null
"$bedwarden" demo --seconds x >/dev/null 2>&1
[ $? = 2 ]
say $? "demo: wrong usage is exit code 2"
