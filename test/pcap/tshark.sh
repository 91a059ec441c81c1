#!/usr/bin/env bash
# tshark.sh BEDWARDEN: of the captures here, and of others' where the folder with
# them is, both we and tshark say the same: member by member, message by message.
bw=$(realpath "$1")
cd "$(dirname "$0")" || exit 1
data=${BEDWARDEN_DATA:-../../../shared/data}/pcap
command -v tshark >/dev/null || { echo "skip - what tshark says: tshark is not installed"; exit 0; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# agree NAME FILE FILTER FIELDS JQ: rows of tshark's fields and of our members, sorted.
agree() {
	local name=$1 file=$2 filter=$3 fields=$4 jq=$5
	[ -e "$file" ] || { echo "skip - $name: no $file"; return; }
	# shellcheck disable=SC2046
	tshark -r "$file" -Y "$filter" -T fields -E occurrence="${occurrence:-f}" -E separator='|' $(printf -- '-e %s ' $fields) \
		2>/dev/null | sort >"$tmp/theirs"
	"$bw" inspect -r "$file" 2>/dev/null | jq -r "$jq" | sort >"$tmp/ours"
	if [ -s "$tmp/theirs" ] && diff "$tmp/theirs" "$tmp/ours" >"$tmp/diff"; then
		echo "ok - $name: tshark agrees on $(wc -l <"$tmp/ours") messages"
	else
		echo "not ok - $name: tshark (<) and we (>)"
		head -20 "$tmp/diff"
		failed=1
	fi
}

hello='select(.event_type=="tls" and .tls.type=="client_hello") | .tls | "\(.sni // "")|\(.ja3.hash)"'
answer='select(.event_type=="tls" and .tls.type=="server_hello") | .tls | .ja3s.hash'
for f in tls/input.pcap "$data"/net/zeek_tls_tls1.2.pcap "$data"/net/zeek_tls_tls12-decryption.pcap \
	"$data"/net/sv_tls_tls-client-hello-frag-01_dump.pcap; do
	agree "TLS hellos of ${f##*pcap/net/}" "$f" tls.handshake.ja3 'tls.handshake.extensions_server_name tls.handshake.ja3' "$hello"
done
agree 'TLS answers' tls/input.pcap 'tls.handshake.ja3s and not tls.handshake.random == cf:21:ad:74:e5:9a:61:11:be:1d:8c:02:1e:65:b8:91:c2:a2:11:16:7a:bb:8c:5e:07:9e:09:e2:c8:a8:33:9c' \
	tls.handshake.ja3s "$answer"
agree 'HTTP requests' http-talk/input.pcap http.user_agent 'http.request.method http.user_agent http.host' \
	'select(.event_type=="http" and .http.http_user_agent) | .http | "\(.http_method)|\(.http_user_agent)|\(.hostname)"'
agree 'HTTP answers' http-talk/input.pcap 'http.response_for.uri contains "10.9.0.5" and not http.response.code in {100,204}' \
	'http.response.code http.server http.content_type http.location' \
	'select(.event_type=="http" and .http.status and .http.hostname == "10.9.0.5" and .http.http_method != "PUT") | .http |
	 "\(.status)|\(.server // "")|\(.http_content_type // "")|\(.redirect // "")"'
agree 'DNS' dns/input.pcap dns 'dns.id dns.qry.name dns.flags.response' \
	'select(.event_type=="dns") | .dns | "0x\(.id | [. / 4096, . / 256 % 16, . / 16 % 16, . % 16] | map(floor | "0123456789abcdef"[.:.+1]) | add)|\(.rrname)|\(if .qr then 1 else 0 end)"'
agree 'DNS through a tunnel' "$data"/net/ndpi_dns_exfiltration.pcap dns 'dns.qry.name dns.flags.response' \
	'select(.event_type=="dns") | .dns | "\(.rrname)|\(if .qr then 1 else 0 end)"'
agree 'SSH' ssh/input.pcap 'ssh.kex.hassh or ssh.kex.hasshserver' 'ssh.kex.hassh ssh.kex.hasshserver' \
	'select(.event_type=="ssh" and .ssh.login == null) | .ssh | if .server.hassh then "|\(.server.hassh.hash)" else "\(.client.hassh.hash)|" end'
agree 'FTP' ftp/input.pcap 'ftp.request.command and not ftp.request.command == "PASS"' 'ftp.request.command ftp.request.arg' \
	'select(.event_type=="ftp" and .ftp.command and .ftp.command != "PASS") | .ftp | "\(.command)|\(.command_data // "")"'
agree 'FTP answers' ftp/input.pcap ftp.response.code 'ftp.response.code ftp.response.arg' \
	'select(.event_type=="ftp" and .ftp.completion_code) | .ftp | "\(.completion_code)|\(.reply)"'
agree 'SMB files and pipes' smb/input.pcap 'smb2.cmd == 5 and smb2.flags.response == 0' smb2.filename \
	'select(.smb.command == "SMB2_COMMAND_CREATE" and .smb.status == null) | .smb | .filename // .named_pipe // ""'
agree 'SMB shares' smb/input.pcap 'smb2.cmd == 3 and smb2.flags.response == 0' smb2.tree \
	'select(.smb.command == "SMB2_COMMAND_TREE_CONNECT" and .smb.share) | .smb.share'
# With a tree connected already, tshark names that one first.
occurrence=l agree 'SMB 1' smb/input.pcap 'smb.cmd == 0x75 and smb.flags.response == 0' smb.path \
	'select(.smb.command == "SMB1_COMMAND_TREE_CONNECT_ANDX" and .smb.share) | .smb.share'
agree 'RDP' rdp/input.pcap rdp.rt_cookie rdp.rt_cookie 'select(.rdp.cookie) | "Cookie: mstshash=\(.rdp.cookie)"'
agree 'VNC' vnc/input.pcap 'vnc.client_proto_ver' vnc.client_proto_ver \
	'select(.event_type=="rfb" and .rfb.authentication == null and .rfb.framebuffer == null) | .rfb.client_protocol_version | "\(.major).\(.minor)"'
agree 'TFTP' tftp/input.pcap 'tftp.opcode in {1,2}' 'tftp.source_file tftp.destination_file tftp.type' \
	'select(.event_type=="tftp") | .tftp | if .packet == "read" then "\(.file)||\(.mode)" else "|\(.file)|\(.mode)" end'
agree 'SIP' sip/input.pcap sip 'sip.Method sip.Status-Code' 'select(.event_type=="sip") | .sip | "\(.method // "")|\(.code // "")"'
exit $failed
