#!/usr/bin/env bash
# What 'policy learn' proposes from recorded peers, taken over whole and enforced,
# lets the same peers say the same again, and stops another protocol.
# usage: test/pcap/learn.sh [BINARY]
cd "$(dirname "$0")/../.." || exit 1
bw=${1:-build-asan/bedwarden}
code=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ok() { echo "ok - $*"; }
not() { echo "not ok - $*"; code=1; }

# propose CAPTURE: with every line taken over that stands there as a comment, and in force.
propose() {
	"$bw" policy learn -r "test/pcap/$1/input.pcap" -w 10.9.1.0/24 -c "$dir/none.yaml" 2>/dev/null |
		sed -n '/^    # Not covered/d; s/^    # /    /; /^    mode: simulate$/d; p' >"$dir/$1.yaml"
}
# refused CAPTURE POLICY: packets that the policy would not let pass.
refused() {
	"$bw" inspect -r "test/pcap/$1/input.pcap" -c "$dir/$2.yaml" --inline --stats 2>/dev/null |
		jq -r 'select(.event_type=="stats") | .stats.policy.dropped + .stats.policy.would_drop'
}

cat >"$dir/none.yaml" <<Y
segments: [{name: ward, ward: eth1, hospital: eth0, net: [10.9.1.0/24]}]
devices: []
Y
for name in hl7 mqtt mqtt5 syslog dicom-store dicom-query dicom-print dicom-worklist dicom-orthanc sdc snmp snmp3 smb \
	smb3-sealed tls coap modbus bacnet poct1a dns tftp http-paths; do
	[ -d "test/pcap/$name" ] || continue
	propose "$name"
	grep -q 'app: ' "$dir/$name.yaml" && "$bw" policy check "$dir/$name.yaml" >"$dir/check" 2>&1
	if [ $? = 0 ] && grep -q 'is spoken there; messages: ' "$dir/check"; then ok "$name: messages are proposed"
	else not "$name: messages are proposed"; cat "$dir/$name.yaml" "$dir/check"; fi
	n=$(refused "$name" "$name")
	if [ "$n" = 0 ]; then ok "$name: enforced, everything passes again"
	else not "$name: enforced, $n packets would not pass"; fi
done
# never TEXT PATTERN CAPTURE: the proposal says nothing that fits.
never() {
	if [ -s "$dir/$3.yaml" ] && ! grep -E "$2" "$dir/$3.yaml"; then ok "$1"; else not "$1"; fi
}
never "who answers is no name for who asks" 'sending_application=LIS|message_type=ACK' hl7
never "answers are not needed" 'C-STORE-RSP|A-ASSOCIATE|priority|implementation' dicom-store
never "acknowledgements and pings are not asked for" 'packet=(connack|pub(ack|rel)|ping|disconnect)' mqtt5
if grep -q 'proto: udp, port: \[69\]' "$dir/tftp.yaml"; then ok "who asks for a file asks for a service"
else not "who asks for a file asks for a service"; fi
# FTP and TFTP: the line for them is enough for their data, too.
propose ftp
for name in ftp tftp; do
	lines=$(grep -c '{service: ' "$dir/$name.yaml") n=$(refused $name $name)
	if [ "$lines" = 1 ] && [ "$n" = 0 ]; then ok "$name: one line is proposed, and data passes by it"
	else not "$name: one line is proposed, and data passes by it: $lines lines, $n packets would not pass"; cat "$dir/$name.yaml"; fi
done
propose dicom-odd
if grep -q 'app: dicom' "$dir/dicom-odd.yaml"; then ok "dicom-odd: messages in many pieces are learned from"
else not "dicom-odd: messages in many pieces are learned from"; fi
never "certificates and programs change" 'ja[34]|fingerprint|cipher|subject|issuer' tls
never "nothing is promised of what nobody reads" 'app: tls, control' tls
# stops TEXT SED...: the HL7 peers' own policy, changed so, refuses what they say.
stops() {
	local text=$1 n; shift
	sed "$@" "$dir/hl7.yaml" >"$dir/other.yaml"
	n=$(refused hl7 other)
	if [ "${n:-0}" -gt 0 ]; then ok "$text"; else not "$text"; cat "$dir/other.yaml"; fi
}
stops "what is held to MQTT does not let HL7 pass" \
	-e 's/app: hl7, control: no,/app: mqtt, control: no}/' -e '/^ *allow: /,/}$/d'
stops "what is held to orders lets no results pass" 's/=ORU^R01/=ORM^O01/'
stops "what is held to one application lets no other pass" 's/sending_application=[A-Z0-9-]*/sending_application=X/'

# What was recorded may be named: no member of a message is one that policies take for a slip.
cat test/pcap/*/expect.jsonl | jq -r 'select(.event_type == .app_proto) | .app_proto as $app | .[$app] |
	select(type == "object") | paths(scalars) as $path |
	[$app, ($path | map(strings) | join(".")), (getpath($path) | tostring)] | join("\t")' |
	sed 's/\ttrue$/\tyes/; s/\tfalse$/\tno/; s/[*]/?/g' | LC_ALL=C grep -v '[^ -~	]' | sort -u >"$dir/said"
# shellcheck disable=SC2016 # as it stands
sed -n 's/^| `\([a-z0-9]*\)`[^|]*| \(`.*`\) |.*/\1 \2/p' doc/messages.md | while read -r app members; do
	for member in ${members//\`/}; do printf '%s\t%s\n' "$app" "$member"; done
done >"$dir/members"
slips=0 named=0
while IFS=$'\t' read -r app member; do
	mapfile -t values < <(awk -F'\t' -v a="$app" -v m="$member" '$1 == a && $2 == m {print $3}' "$dir/said" | head -60)
	# Answers pass by what was asked.
	case "$app $member" in "coap code_name" | "ldap operation") continue ;; esac
	[ ${#values[@]} != 0 ] || continue
	{
		echo "segments: [{name: ward, ward: eth1, hospital: eth0}]"
		echo 'devices: [{name: d, segment: ward, mac: "00:09:fb:01:02:03", ip: [10.9.1.12],'
		echo "starts: [{service: x, proto: any, peer: any, app: $app, allow: ["
		printf "$member=%s\n" "${values[@]}" | jq -R . | sed 's/$/,/'
		echo ']}]}]'
	} >"$dir/named.yaml"
	named=$((named + 1))
	"$bw" policy check "$dir/named.yaml" >"$dir/check" 2>&1 || { cat "$dir/check"; slips=$((slips + 1)); }
done <"$dir/members"
if [ $slips = 0 ] && [ $named -gt 60 ]; then ok "what was recorded may be named ($named members)"
else not "what was recorded may be named: $slips of $named members"; fi

# Where a proposal may go.
cp test/pcap/hl7/input.pcap "$dir/in.pcap"
mkfifo "$dir/pipe"
learn() { timeout 10 "$bw" policy learn -r "$dir/in.pcap" -w 10.9.1.0/24 -c "$dir/none.yaml" "$@" 2>"$dir/err"; }
learn -o "$dir/whole"
ln -s whole "$dir/link"
chmod 640 "$dir/whole"
timeout 10 cat "$dir/pipe" >"$dir/piped" &
if learn -o "$dir/pipe" && wait $! && [ -p "$dir/pipe" ] && cmp -s "$dir/piped" "$dir/whole"; then ok "a pipe is written to, and stays one"
else not "a pipe is written to, and stays one"; fi
if learn -o "$dir/link" && [ -L "$dir/link" ] && [ "$(stat -c %a "$dir/whole")" = 640 ]; then ok "a link is followed, a mode kept"
else not "a link is followed, a mode kept"; fi
learn -o - >"$dir/stdout"
if cmp -s "$dir/stdout" "$dir/whole"; then ok "- is standard output"; else not "- is standard output"; fi
learn -o "$dir/in.pcap"
if [ $? = 1 ] && cmp -s "$dir/in.pcap" test/pcap/hl7/input.pcap; then ok "what is read is not written over"
else not "what is read is not written over"; fi
for what in "policy learn -r $dir/in.pcap" "policy check $dir/hl7.yaml" "--help" keygen; do
	# shellcheck disable=SC2086 # words
	"$bw" $what >/dev/full 2>"$dir/err"
	if [ $? = 1 ] && grep -q 'No space left' "$dir/err"; then ok "${what%% -*}: a full disk is told"
	else not "${what%% -*}: a full disk is told: $(cat "$dir/err")"; fi
done
exit $code
