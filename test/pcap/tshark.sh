#!/usr/bin/env bash
# tshark.sh BEDWARDEN: of the captures here, and of others' where the folder with
# them is, both we and tshark say the same: member by member, message by message.
# shellcheck disable=SC2016,SC2086
# Where tshark means something else by a member, or stops where we go on, a row says so.
bw=$(realpath "$1")
cd "$(dirname "$0")" || exit 1
data=${BEDWARDEN_DATA:-../../../shared/data}/pcap
command -v tshark >/dev/null || { echo "skip - what tshark says: tshark is not installed"; exit 0; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# A start of it makes half a million small allocations: in large pages, and in one heap, that takes two thirds of the time.
tshark() { GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1:glibc.malloc.top_pad=33554432 command tshark "$@"; }

# Of a packet with several messages the nth value of each column belongs to the nth one.
each_message() {
	awk -F'|' -v OFS='|' -v between=$'\x1f' '{
		most = 1
		for (i = 1; i <= NF; i++)
			if ((k = split($i, v, between)) > most)
				most = k
		for (n = 1; n <= most; n++) {
			row = ""
			for (i = 1; i <= NF; i++) {
				split($i, v, between)
				row = row (i > 1 ? OFS : "") v[n]
			}
			print row
		}
	}'
}

# ours FILE: our events of it, which several questions are about. run.sh and real.sh look for leaks in the same captures.
ours() {
	local said=$tmp/${1//\//%}.jsonl
	# Where it fails nothing is said, which tshark does not agree with.
	[ -e "$said" ] || ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 "$bw" inspect -r "$1" -o "$said" 2>/dev/null || rm -f "$said"
	cat "$said"
}

# agree NAME FILE FILTER FIELDS JQ: rows of tshark's fields and of our members, sorted.
# occurrence=a: of every message of a packet rather than of its first; tidy: for sed, on tshark's rows.
agree() {
	local name=$1 file=$2 filter=$3 fields=$4 jq=$5
	[ -e "$file" ] || { echo "skip - $name: no $file"; return; }
	case $file in *.gz) gunzip -c "$file" >"$tmp/${file##*/}" && file=$tmp/${file##*/} ;; esac
	# shellcheck disable=SC2046
	tshark -r "$file" -Y "$filter" -T fields -E occurrence="${occurrence:-f}" -E aggregator=$'\x1f' -E separator='|' \
		$(printf -- '-e %s ' $fields) 2>/dev/null | each_message | sed "${tidy:-}" | sort >"$tmp/theirs"
	ours "$file" | jq -r "$hex $jq" | sort >"$tmp/ours"
	if [ -s "$tmp/theirs" ] && diff "$tmp/theirs" "$tmp/ours" >"$tmp/diff"; then
		echo "ok - $name: tshark agrees on $(wc -l <"$tmp/ours") messages"
	else
		echo "not ok - $name: tshark (<) and we (>)"
		head -20 "$tmp/diff"
		failed=1
	fi
}

# Rows of one end, its port, the other, its port, packets and bytes each way, first and last: a row for
# each pair of ends, whoever began, however often.
each_pair() {
	awk -F'|' -v OFS='|' '
		$1 "," $2 > $3 "," $4 { split($0, v); $1 = v[3]; $2 = v[4]; $3 = v[1]; $4 = v[2]; $5 = v[6]; $6 = v[5]; $7 = v[8]; $8 = v[7] }
		{
			k = $1 OFS $2 OFS $3 OFS $4
			for (i = 5; i <= 8; i++)
				sum[k, i] += $i
			if (!(k in first) || $9 < first[k])
				first[k] = $9
			if (!(k in last) || $10 > last[k])
				last[k] = $10
		}
		END { for (k in first) print k, sum[k, 5], sum[k, 6], sum[k, 7], sum[k, 8], first[k], last[k] }' | sort
}

# count NAME FILE: TCP conversations: ends, packets and bytes each way, when they began and ended.
# A packet quoted in an error of ICMP, or in a tunnel, is none of its conversation's.
count() {
	local name=$1 file=$2 n
	[ -e "$file" ] || { echo "skip - $name: no $file"; return; }
	tshark -r "$file" -o ip.defragment:FALSE -o ipv6.defragment:FALSE -Y 'tcp and not icmp and not icmpv6 and not gtp' -T fields \
		-E occurrence=f -E separator='|' -e ip.src -e ipv6.src -e tcp.srcport -e ip.dst -e ipv6.dst -e tcp.dstport \
		-e frame.len -e frame.time_epoch 2>/dev/null |
		awk -F'|' -v OFS='|' '{ print $1 $2, $3, $4 $5, $6, 1, 0, $7, 0, substr($8, 1, 17), substr($8, 1, 17) }' |
		each_pair >"$tmp/theirs"
	ours "$file" |
		jq -r 'def when: "\(.[0:19] + "Z" | fromdate).\(.[20:26])"; select(.event_type == "flow" and .proto == "TCP") |
		       [.src_ip, .src_port, .dest_ip, .dest_port, (.flow | .pkts_toserver, .pkts_toclient, .bytes_toserver, .bytes_toclient,
			(.start | when), (.end | when))] | join("|")' | each_pair >"$tmp/ours"
	n=$(wc -l <"$tmp/ours")
	if [ -s "$tmp/theirs" ] && diff "$tmp/theirs" "$tmp/ours" >"$tmp/diff"; then
		echo "ok - $name: tshark counts the same of $n pairs"
	else
		echo "not ok - $name: tshark (<) and we (>)"
		head -6 "$tmp/diff"
		failed=1
	fi
}

# A number as tshark writes it, with so many digits.
hex='def hex($n): . as $x | [range($n)] | map($x / pow(16; $n - 1 - .) | floor % 16 | "0123456789abcdef"[.:.+1]) | "0x" + add;'

hello='select(.event_type=="tls" and .tls.type=="client_hello") | .tls | "\(.sni // "")|\(.ja3.hash)"'
answer='select(.event_type=="tls" and .tls.type=="server_hello") | .tls | .ja3s.hash'
for f in tls/input.pcap "$data"/net/zeek_tls_tls1.2.pcap "$data"/net/zeek_tls_tls12-decryption.pcap \
	"$data"/net/sv_tls_tls-client-hello-frag-01_dump.pcap; do
	agree "TLS hellos of ${f##*pcap/net/}" "$f" tls.handshake.ja3 'tls.handshake.extensions_server_name tls.handshake.ja3' "$hello"
done
agree 'TLS answers' tls/input.pcap 'tls.handshake.ja3s and not tls.handshake.random == cf:21:ad:74:e5:9a:61:11:be:1d:8c:02:1e:65:b8:91:c2:a2:11:16:7a:bb:8c:5e:07:9e:09:e2:c8:a8:33:9c' \
	tls.handshake.ja3s "$answer"
agree 'TLS hellos of certificates' certificates/input.pcap tls.handshake.ja3 'tls.handshake.extensions_server_name tls.handshake.ja3' "$hello"
agree 'TLS hellos with a hybrid key share' tls-hybrid/input.pcap tls.handshake.ja3 'tls.handshake.extensions_server_name tls.handshake.ja3' "$hello"
# tshark takes no word of MySQL's or RDP's for it.
known='select(any(.src_port, .dest_port; . == 3306 or . == 3389) | not)'
for f in mail ldap database starttls; do
	agree "TLS hellos behind STARTTLS of $f" $f/input.pcap 'tls.handshake.ja3 and not tcp.port in {3306,3389}' \
		'tcp.srcport tls.handshake.extensions_server_name tls.handshake.ja3' \
		"$known"' | select(.tls.type=="client_hello") | "\(.src_port)|\(.tls.sni // "")|\(.tls.ja3.hash)"'
done
agree 'TLS certificates behind STARTTLS' starttls/input.pcap tls.handshake.certificate x509af.serialNumber \
	"$known"' | select(.tls.serial) | .tls.serial | ascii_downcase | gsub(":"; "")'
# tshark gives the issuer's certificates as well, behind the server's own.
agree 'TLS certificates' certificates/input.pcap tls.handshake.certificate x509af.serialNumber \
	'select(.tls.serial) | .tls.serial | ascii_downcase | gsub(":"; "")'
occurrence=a agree 'names in TLS certificates' certificates/input.pcap x509ce.dNSName x509ce.dNSName \
	'select(.tls.serial) | .tls.subjectaltname // [] | .[] | select(test("^[0-9.]+$|:") | not)'
agree 'addresses in TLS certificates' certificates/input.pcap x509ce.IPAddress.ipv4 'x509ce.IPAddress.ipv4 x509ce.IPAddress.ipv6' \
	'select(.tls.serial) | .tls.subjectaltname // [] | select(.[0] // "" | test("^[0-9.]+$")) | "\(.[0])|\(.[1])"'
agree 'TLS cipher suites' certificates/input.pcap 'tls.handshake.type == 2' tls.handshake.ciphersuite \
	'{TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "0xc030", TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "0xc02c", TLS_AES_256_GCM_SHA384: "0x1302"} as $n |
	 select(.tls.type=="server_hello") | $n[.tls.cipher]'
for f in dtls-gnutls dtls-fragments coaps; do
	agree "DTLS hellos of $f" $f/input.pcap dtls.handshake.ja3 'dtls.handshake.extensions_server_name dtls.handshake.ja3' \
		'select(.dtls.type=="client_hello") | .dtls | "\(.sni // "")|\(.ja3.hash)"'
done
agree 'who binds to a directory' ldap/input.pcap ldap.bindRequest_element 'ldap.messageID ldap.name' \
	'select(.ldap.operation=="bind_request") | .ldap | "\(.message_id)|\(.name)"'
occurrence=a agree 'what a directory answers' ldap/input.pcap ldap.resultCode ldap.resultCode \
	'{success: 0, invalid_credentials: 49} as $n | select(.ldap.result_code) | $n[.ldap.result_code]'
agree 'SMTP commands' mail/input.pcap 'smtp.req.command in {"EHLO", "AUTH", "MAIL"}' 'tcp.srcport smtp.req.command' \
	'select(.smtp.command and .smtp.command != "STARTTLS") | "\(.src_port)|\(.smtp.command)"'
# Of several lines in a segment tshark reads the first; behind a login is the mail.
agree 'POP3 commands' mail/input.pcap 'pop.request.command in {"CAPA", "AUTH", "STLS", "USER"}' 'tcp.srcport pop.request.command' \
	'select(.pop3.command and .pop3.command != "QUIT" and .pop3.command != "PASS") | "\(.src_port)|\(.pop3.command)"'
agree 'IMAP commands' mail/input.pcap 'imap.request.command in {"CAPABILITY", "AUTHENTICATE", "LOGIN", "STARTTLS"}' 'tcp.srcport imap.request.command' \
	'select(.imap.command) | "\(.src_port)|\(.imap.command)"'
agree 'logins to PostgreSQL' database/input.pcap 'pgsql.authtype == 0' tcp.dstport 'select(.pgsql.login=="succeeded") | .dest_port'
agree 'HTTP requests' http-talk/input.pcap http.user_agent 'http.request.method http.user_agent http.host' \
	'select(.event_type=="http" and .http.http_user_agent) | .http | "\(.http_method)|\(.http_user_agent)|\(.hostname)"'
agree 'HTTP answers' http-talk/input.pcap 'http.response_for.uri contains "10.9.0.5" and not http.response.code in {100,204}' \
	'http.response.code http.server http.content_type http.location' \
	'select(.event_type=="http" and .http.status and .http.hostname == "10.9.0.5" and .http.http_method != "PUT") | .http |
	 "\(.status)|\(.server // "")|\(.http_content_type // "")|\(.redirect // "")"'
agree 'DNS' dns/input.pcap dns 'dns.id dns.qry.name dns.flags.response' \
	'select(.event_type=="dns") | .dns | "\(.id | hex(4))|\(.rrname)|\(if .qr then 1 else 0 end)"'
# tshark writes the root, our names end before it; of records it gives columns, each for all of a message's.
record() { # NAME FILTER FIELDS JQ, of every answer
	local name=$1 filter=$2 fields=$3 jq=$4
	occurrence=a tidy='s/<Root>//g' agree "DNS records: $name" dns-records/input.pcap "dns.flags.response == 1 and udp and $filter" "$fields" \
		"select(.event_type==\"dns\" and .proto==\"UDP\") | .dns | (.answers // [], .authorities // []) | .[] | $jq"
}
record SOA dns.soa.mname 'dns.soa.mname dns.soa.rname dns.soa.serial_number dns.soa.refresh_interval dns.soa.minimum_ttl' \
	'select(.soa) | .soa | "\(.mname)|\(.rname)|\(.serial)|\(.refresh)|\(.minimum)"'
record CAA dns.caa.flags 'dns.caa.flags dns.caa.value' 'select(.caa) | .caa | "\(.flags | hex(2))|\(.value)"'
record 'HTTPS and SVCB' dns.svcb.svcpriority 'dns.svcb.svcpriority dns.svcb.targetname' 'select(.svcb) | .svcb | "\(.priority)|\(.target)"'
record 'HTTPS parameters' dns.svcb.svcparam.alpn 'dns.svcb.svcparam.alpn' 'select(.svcb.alpn) | .svcb.alpn[]'
record 'HTTPS hints' dns.svcb.svcparam.port 'dns.svcb.svcparam.port dns.svcb.svcparam.ipv4hint.ip dns.svcb.svcparam.ipv6hint.ip' \
	'select(.svcb.port) | .svcb | "\(.port)|\(.ipv4hint[0])|\(.ipv6hint[0])"'
record NAPTR dns.naptr.order 'dns.naptr.order dns.naptr.preference dns.naptr.flags dns.naptr.service dns.naptr.regex dns.naptr.replacement' \
	'select(.naptr) | .naptr | "\(.order)|\(.preference)|\(.flags)|\(.service)|\(.regexp)|\(.replacement)"'
record SRV dns.srv.port 'dns.srv.priority dns.srv.weight dns.srv.port dns.srv.target' \
	'select(.srv) | .srv | "\(.priority)|\(.weight)|\(.port)|\(.name)"'
record SSHFP dns.sshfp.fingerprint 'dns.sshfp.algorithm dns.sshfp.fingerprint.type dns.sshfp.fingerprint' \
	'select(.sshfp) | .sshfp | "\(.algo)|\(.type)|\(.fingerprint | gsub(":"; ""))"'
record TLSA dns.tlsa.selector 'dns.tlsa.certificate_usage dns.tlsa.selector dns.tlsa.matching_type' \
	'select(.tlsa) | .tlsa | "\(.usage)|\(.selector)|\(.matching_type)"'
record HINFO dns.hinfo.cpu 'dns.hinfo.cpu dns.hinfo.os' 'select(.hinfo) | .hinfo | "\(.cpu)|\(.os)"'
record DNSKEY dns.dnskey.flags 'dns.dnskey.flags dns.dnskey.protocol dns.dnskey.algorithm' 'select(.dnskey) | .dnskey | "\(.flags | hex(4))|\(.protocol)|\(.algorithm)"'
agree 'DNS records: RRSIG' dns-records/input.pcap 'dns.rrsig.key_tag and udp and dns.qry.type == 48' \
	'dns.rrsig.algorithm dns.rrsig.labels dns.rrsig.original_ttl dns.rrsig.key_tag dns.rrsig.signers_name' \
	'select(.dns.rrtype == "DNSKEY" and .dns.answers) | .dns.answers[] | select(.rrsig) | .rrsig |
	 "\(.algorithm)|\(.labels)|\(.original_ttl)|\(.key_tag)|\(.signer)"'
agree 'DNS over TCP, many questions at once' dns-records/input.pcap 'dns and tcp' 'dns.id dns.qry.name dns.flags.response' \
	'select(.event_type=="dns" and .proto=="TCP") | .dns | "\(.id | hex(4))|\(.rrname)|\(if .qr then 1 else 0 end)"'
agree 'DNS through a tunnel' "$data"/net/ndpi_dns_exfiltration.pcap dns 'dns.qry.name dns.flags.response' \
	'select(.event_type=="dns") | .dns | "\(.rrname)|\(if .qr then 1 else 0 end)"'
for f in ssh ssh-logins; do
	agree "SSH of $f" $f/input.pcap 'ssh.kex.hassh or ssh.kex.hasshserver' 'ssh.kex.hassh ssh.kex.hasshserver' \
		'select(.event_type=="ssh" and .ssh.login == null) | .ssh | if .server.hassh.string then "|\(.server.hassh.hash)" else "\(.client.hassh.hash)|" end'
done
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
agree 'SMB 1 chains' smb1-chain/input.pcap 'smb.path' smb.path 'select(.smb.share) | .smb.share'
agree 'RDP' rdp/input.pcap rdp.rt_cookie rdp.rt_cookie 'select(.rdp.cookie) | "Cookie: mstshash=\(.rdp.cookie)"'
agree 'VNC' vnc/input.pcap 'vnc.client_proto_ver' vnc.client_proto_ver \
	'select(.event_type=="rfb" and .rfb.authentication == null and .rfb.framebuffer == null) | .rfb.client_protocol_version | "\(.major).\(.minor)"'
agree 'TFTP' tftp/input.pcap 'tftp.opcode in {1,2}' 'tftp.source_file tftp.destination_file tftp.type' \
	'select(.event_type=="tftp") | .tftp | if .packet == "read" then "\(.file)||\(.mode)" else "|\(.file)|\(.mode)" end'
agree 'SIP' sip/input.pcap sip 'sip.Method sip.Status-Code' 'select(.event_type=="sip") | .sip | "\(.method // "")|\(.code // "")"'

# Conversations, ours and others'

for f in dicom-store hl7 http-talk ipv6 nanosecond port-scan smb tls vlan; do
	count "conversations of $f" $f/input.pcap
done
for f in "$data"/net/{ndpi_http_auth,ndpi_ssh,zeek_ssh_single-conn,zeek_tls_tls1.2}.pcap "$data"/iot/{arkime_modbus,zeek_mqtt}.pcap \
	"$data"/attack/{malcolm_log4j-attack,zeek_smb_smb2,zeek_ssh_sshguess}.pcap; do
	count "conversations of ${f##*pcap/}" "$f"
done

# The ward's protocols

# tshark gives MSH-9 alone; what is answered stands in its columns of fields, which leave out empty ones.
agree 'HL7' hl7/input.pcap hl7 'hl7.message.type hl7.event.type' \
	'select(.event_type=="hl7") | .hl7.message_type | split("^") | "\(.[0])|\(.[1] // "")"'
agree 'HL7 acknowledgements' hl7/input.pcap 'hl7.message.type == "ACK"' hl7.message.type \
	'select(.event_type=="hl7" and .hl7.ack_code) | .hl7.message_type | split("^")[0]'
# tshark pads AE titles; P-DATA it tells by the PDU, we by the message, so those are not compared here.
for f in dicom dicom-store dicom-query dicom-print dicom-worklist dicom-orthanc; do
	agree "DICOM associations of $f" $f/input.pcap 'dicom.pdu.type in {1,2}' \
		'dicom.pdu.type dicom.assoc.ae.calling dicom.assoc.ae.called dicom.userinfo.uid dicom.userinfo.version dicom.max_pdu_len' \
		'def pad: . + " " * (16 - length);
		 select(.dicom.pdu == "A-ASSOCIATE-RQ" or .dicom.pdu == "A-ASSOCIATE-AC") | .dicom |
		 "\(if .pdu == "A-ASSOCIATE-RQ" then "0x01" else "0x02" end)|\(.calling_ae | pad)|\(.called_ae | pad)|\(.implementation_class_uid)|\(.implementation_version // "")|\(.max_pdu_length)"'
done
# tshark puts the number behind the name. An event has room for some sixty contexts; these propose fewer.
for f in dicom-store dicom-print dicom-worklist; do
	occurrence=a tidy='s/ ([0-9.]*)$//' agree "DICOM contexts of $f" $f/input.pcap 'dicom.pdu.type == 1' \
		dicom.pctx.abss.syntax 'select(.dicom.pdu == "A-ASSOCIATE-RQ") | .dicom.presentation_contexts[].abstract_syntax'
done
mqtt='["", "connect", "connack", "publish", "puback", "pubrec", "pubrel", "pubcomp", "subscribe", "suback",
	"unsubscribe", "unsuback", "pingreq", "pingresp", "disconnect", "auth"] as $types |
	select(.event_type=="mqtt") | .mqtt | keys[] as $k | select($types | index($k)) | . + {type: ($types | index($k)), it: .[$k]}'
for f in mqtt/input.pcap mqtt5/input.pcap "$data"/iot/{arkime_mqtt_big,malcolm_MQTT,zeek_mqtt,sv_mqtt-ping,sv_mqtt31-pub-userpass}.pcap \
	"$data"/iot/sv_mqtt5-{pub-userpass,sub-customauth,unsub-qos2}.pcap "$data"/fuzz/sv_mqtt-{frames-truncated,limit-2}.pcap; do
	occurrence=a agree "MQTT packets of ${f##*pcap/}" "$f" mqtt mqtt.msgtype "$mqtt | .type"
done
for f in mqtt/input.pcap mqtt5/input.pcap "$data"/iot/{arkime_mqtt_big,zeek_mqtt,sv_mqtt31-pub-userpass,sv_mqtt5-pub-userpass}.pcap; do
	occurrence=a agree "MQTT clients of ${f##*pcap/}" "$f" 'mqtt.msgtype == 1' 'mqtt.clientid mqtt.ver mqtt.username' \
		"$mqtt | select(.type == 1) | .it | \"\\(.client_id // \"\")|\\(.protocol_version)|\\(.username // \"\")\""
	occurrence=a agree "MQTT topics of ${f##*pcap/}" "$f" 'mqtt.msgtype == 3' mqtt.topic \
		"$mqtt | select(.type == 3) | .it.topic // \"\""
done
# In three of them somebody opens a conversation from port 502, whom tshark takes for the server.
for f in modbus/input.pcap "$data"/iot/{arkime_modbus,iti_modbus_test,iti_modbus_test_data_part1,ndpi_modbus,sv_modbus}.pcap \
	"$data"/iot/zeek_modbus_modbus-and-non-modbus-p502.pcap; do
	occurrence=a agree "Modbus of ${f##*pcap/}" "$f" 'mbtcp and not (tcp.srcport == 502 and tcp.dstport == 4446)' \
		'mbtcp.trans_id mbtcp.unit_id modbus.func_code modbus.exception_code' \
		'select(.event_type=="modbus" and (.src_port == 502 and .dest_port == 4446 | not)) | .modbus | (.request // .response) |
		 "\(.transaction_id)|\(.unit_id)|\(.function_raw % 128)|\(.exception.raw // "")"'
done
snmp='["get_request", "get_next_request", "response", "set_request", "trap_v1", "get_bulk_request", "inform_request",
	"trap_v2", "report"] as $types | select(.event_type=="snmp" and .snmp.pdu_type != "encrypted") | .snmp | .pdu_type as $t'
agree 'DTLS certificates in fragments' dtls-fragments/input.pcap dtls.handshake.certificate x509af.serialNumber \
	'select(.dtls.serial) | .dtls.serial | ascii_downcase | gsub(":"; "")'
for f in snmp/input.pcap snmp-tcp/input.pcap "$data"/net/ndpi_snmp.pcap; do
	# Behind a v3 header tshark names no version; what is encrypted it does not name at all.
	agree "SNMP of ${f##*pcap/}" "$f" 'snmp.data and not icmp' 'snmp.version snmp.data snmp.request_id' \
		"$snmp | \"\\(if .version < 3 then .version - 1 else \"\" end)|\\(\$types | index(\$t))|\\(.request_id // \"\")\""
done
agree 'SNMPv3 users' snmp3/input.pcap 'snmp' 'snmp.msgUserName snmp.v3.flags.auth snmp.v3.flags.crypt snmp.data' \
	"[\"get_request\", \"get_next_request\", \"response\", \"set_request\", \"trap_v1\", \"get_bulk_request\", \"inform_request\",
	  \"trap_v2\", \"report\"] as \$types | select(.event_type==\"snmp\") | .snmp | .pdu_type as \$t | [.usm,
	  (if .security_level == \"noAuthNoPriv\" then 0 else 1 end), (if .security_level == \"authPriv\" then 1 else 0 end),
	  (\$types | index(\$t))] | map(. // \"\" | tostring) | join(\"|\")"
agree 'SNMP variables' snmp/input.pcap 'snmp.name and not icmp' snmp.name "$snmp | select(.vars) | .vars[0]"
for f in bacnet/input.pcap "$data"/iot/ndpi_bacnet.pcap; do
	agree "BACnet of ${f##*pcap/}" "$f" bacapp 'bacapp.type bacapp.invoke_id bacapp.instance_number' \
		'["confirmed_request", "unconfirmed_request", "simple_ack", "complex_ack", "segment_ack", "error", "reject", "abort"] as $types |
		 select(.bacnet.pdu_type) | .bacnet | .pdu_type as $t | "\($types | index($t))|\(.invoke_id // "")|\(.instance // "")"'
done
agree 'CoAP' coap/input.pcap coap 'coap.mid coap.code coap.token' \
	'select(.event_type=="coap") | .coap | (.code | split(".") | map(tonumber)) as $c | "\(.message_id)|\($c[0] * 32 + $c[1])|\(.token // "")"'
occurrence=a agree 'CoAP over TCP' coap-tcp/input.pcap coap 'coap.code coap.token' \
	'select(.event_type=="coap") | .coap | (.code | split(".") | map(tonumber)) as $c | "\($c[0] * 32 + $c[1])|\(.token // "")"'
agree 'CoAP paths' coap/input.pcap 'coap.opt.uri_path and coap.code < 32' coap.opt.uri_path_recon \
	'select(.coap.uri_path and .coap.uri_path != "/") | .coap.uri_path'
agree 'syslog' syslog/input.pcap 'syslog and udp' 'syslog.hostname' 'select(.event_type=="syslog" and .proto=="UDP") | .syslog.hostname // ""'
# A broken one, a flood that is counted rather than told, and a client without an address stay out.
for f in dhcp/input.pcap "$data"/net/{arkime_wireshark-dhcp,sv_dhcp-eve-extended,zeek_dhcp_dhcp_inform,zeek_dhcp_hw-type0}.pcap; do
	tidy='s/\xe2\x90\x80//g; s/0[.]0[.]0[.]0//g' agree "DHCP of ${f##*pcap/}" "$f" dhcp \
		'dhcp.id dhcp.option.dhcp dhcp.hw.mac_addr dhcp.option.hostname dhcp.ip.your dhcp.option.dhcp_server_id dhcp.option.ip_address_lease_time dhcp.ip.server dhcp.option.subnet_mask dhcp.option.router dhcp.option.domain_name_server dhcp.option.renewal_time_value dhcp.option.rebinding_time_value' \
		'["", "discover", "offer", "request", "decline", "ack", "nak", "release", "inform"] as $types | select(.event_type=="dhcp") |
		 .dhcp | .dhcp_type as $t | "\(.id | hex(8))|\($types | index($t))|\(.client_mac)|\(.hostname // "")|\(.assigned_ip // "")|\(.server_identifier // "")|\(.lease_time // "")|\(.next_server_ip // "")|\(.subnet_mask // "")|\(.routers // [] | join(","))|\(.dns_servers // [] | join(","))|\(.renewal_time // "")|\(.rebinding_time // "")"'
done

# What others captured

for f in "$data"/net/{ndpi_selfsigned,ndpi_tls-esni-fuzzed,zeek_tls_tls-expired-cert,zeek_tls_tls13-ech,zeek_tls_tls13_wolfssl}.pcap \
	"$data"/net/{ndpi_tls_with_huge_ch.pcapng,zeek_tls_tls-fragmented-handshake.pcap.gz} "$data"/attack/zeek_tls_heartbleed.pcap \
	"$data"/iot/zeek_modbus_modbus-and-non-modbus-p502.pcap; do
	agree "TLS hellos of ${f##*pcap/}" "$f" tls.handshake.ja3 'tls.handshake.extensions_server_name tls.handshake.ja3' "$hello"
done
for f in "$data"/net/{ndpi_selfsigned,zeek_tls_tls-expired-cert,zeek_tls_tls1.2,zeek_tls_tls12-decryption,zeek_tls_tls13-ech,zeek_tls_tls13_wolfssl}.pcap \
	"$data"/net/{ndpi_tls_1.3_unidirectional_server,ndpi_tls_with_huge_ch}.pcapng "$data"/attack/zeek_tls_heartbleed.pcap; do
	agree "TLS answers of ${f##*pcap/}" "$f" tls.handshake.ja3s tls.handshake.ja3s "$answer"
done
for f in "$data"/net/{ndpi_selfsigned,zeek_tls_tls-expired-cert,zeek_tls_tls1.2,zeek_tls_tls12-decryption}.pcap "$data"/attack/zeek_tls_heartbleed.pcap; do
	agree "TLS certificates of ${f##*pcap/}" "$f" tls.handshake.certificate x509af.serialNumber \
		'select(.tls.serial) | .tls.serial | ascii_downcase | gsub(":"; "")'
done
# GTP carries three hellos of the first. Its second packet is the first once more, to the bit and
# at the same time, which we take for a mirror's.
for f in "$data"/iot/ndpi_dtls{,2}.pcap; do
	copy=
	[ "${f##*/}" != ndpi_dtls.pcap ] || copy='and frame.number != 2'
	agree "DTLS hellos of ${f##*pcap/}" "$f" "dtls.handshake.ja3 $copy" 'dtls.handshake.extensions_server_name dtls.handshake.ja3' \
		'select(.dtls.type=="client_hello") | .dtls | "\(.sni // "")|\(.ja3.hash)"'
done
for f in "$data"/net/{zeek_ntp_NTP_sync,ndpi_dns-tunnel-iodine}.pcap "$data"/attack/malcolm_dns_{hip_invalid_character,long_cname}.pcap; do
	agree "DNS of ${f##*pcap/}" "$f" 'dns' 'dns.id dns.flags.response dns.count.queries' \
		'select(.event_type=="dns") | .dns | "\(.id | hex(4))|\(if .qr then 1 else 0 end)|1"'
done
# Queries and parameters may name patients, so a URL ends before them; ports stand apart from names. The first of http-manipulated
# has blanks before its path, which tshark takes for no path at all.
for f in "$data"/attack/{malcolm_apache_exploit_success,malcolm_log4j-attack,ndpi_log4j-webapp-exploit,ndpi_xss,ndpi_WebattackRCE}.pcap \
	"$data"/net/ndpi_http_auth.pcap "$data"/iot/zeek_modbus_modbus-and-non-modbus-p502.pcap; do
	tidy='s/[?;].*|/|/; s/:[0-9]*$//' agree "HTTP requests of ${f##*pcap/}" "$f" http.request 'http.request.method http.request.uri http.host' \
		'select(.event_type=="http" and (.http.status | not)) | .http | "\(.http_method)|\(.url)|\(.hostname // "")"'
done
for f in "$data"/attack/{malcolm_apache_exploit_success,malcolm_log4j-attack,ndpi_log4j-webapp-exploit,ndpi_xss}.pcap "$data"/net/ndpi_http_auth.pcap; do
	agree "HTTP answers of ${f##*pcap/}" "$f" http.response http.response.code 'select(.http.status) | .http.status'
done
# Reads and writes in a row are told once, so these (8, 9) are not counted.
smb2='["NEGOTIATE_PROTOCOL", "SESSION_SETUP", "SESSION_LOGOFF", "TREE_CONNECT", "TREE_DISCONNECT", "CREATE", "CLOSE", "FLUSH", "READ", "WRITE",
	"LOCK", "IOCTL", "CANCEL", "KEEPALIVE", "FIND", "CHANGE_NOTIFY", "GET_INFO", "SET_INFO", "OPLOCK_BREAK"] as $names |
	select(.smb.version == 2 and .smb.command) | .smb | (.command | ltrimstr("SMB2_COMMAND_")) as $c | ($names | index($c)) as $n |
	select($n != 8 and $n != 9) | "\($n)|\(if .status then 1 else 0 end)"'
for f in smb/input.pcap smb3-sealed/input.pcap "$data"/attack/{zeek_smb_smb2,ndpi_smb_deletefile,zeek_smb_SMBGhost}.pcap; do
	occurrence=a tidy='/^[89]*|/d' agree "SMB commands of ${f##*pcap/}" "$f" smb2 'smb2.cmd smb2.flags.response' "$smb2"
done
# tshark reads SSH where it expects it, on port 22.
for f in "$data"/net/{ndpi_ssh,zeek_ssh_reverse-ssh,zeek_ssh_single-conn}.pcap "$data"/attack/zeek_ssh_sshguess.pcap; do
	agree "SSH of ${f##*pcap/}" "$f" '(ssh.kex.hassh or ssh.kex.hasshserver) and tcp.port in {22,2222}' 'ssh.kex.hassh ssh.kex.hasshserver' \
		'select(.event_type=="ssh" and .ssh.login == null and (.src_port, .dest_port | . == 22 or . == 2222)) | .ssh |
		 if .server.hassh.string then "|\(.server.hassh.hash)" elif .client.hassh.string then "\(.client.hassh.hash)|" else empty end'
done
agree 'FTP of ndpi_ftp' "$data"/net/ndpi_ftp.pcap 'ftp.request.command and not ftp.request.command == "PASS"' \
	'ftp.request.command ftp.request.arg' \
	'select(.event_type=="ftp" and .ftp.command and .ftp.command != "PASS") | .ftp | "\(.command)|\(.command_data // "")"'
# Two requests there ask for no file, which is no request.
tidy='/^||/d' agree 'TFTP of ndpi_tftp' "$data"/net/ndpi_tftp.pcap 'tftp.opcode in {1,2}' \
	'tftp.source_file tftp.destination_file tftp.type' \
	'select(.event_type=="tftp") | .tftp | if .packet == "read" then "\(.file)||\(.mode)" else "|\(.file)|\(.mode)" end'
agree 'RDP of ndpi_rdp' "$data"/net/ndpi_rdp.pcap rdp.negReq.selectedProtocol rdp.negReq.selectedProtocol \
	'select(.rdp.protocol) | if .rdp.protocol == "hybrid_ex" then "0x00000008" else .rdp.protocol end'
exit $failed
