#!/usr/bin/env bash
# What a policy lets be said, tried by those who say it: DCMTK, mosquitto, curl and nginx, OpenSSL, Samba, net-snmp,
# pymodbus and mbpoll, libcoap, OpenSSH and dropbear, logger and rsyslog, HL7 by MLLP, through a gateway whose lines name members
# of their messages. What may be said is done; what may not changes nothing at the other end, its client is told
# soon, and the event names the line and the member.
# usage: test/e2e/members.sh [BINARY]    ONLY=mqtt: that one; capture=packet: without the kernel's floor
set -uo pipefail
self=$(dirname "$(realpath "$0")")
bw=$(realpath "${1:-build/bedwarden}")
id=bwm$$
spaces="gw mon hos"
. "$self/lib.sh"

what="members of messages"
[ "$(id -u)" = 0 ] || skip_all "$what: needs root for network namespaces"
needs "$what" jq python3 ethtool
workdir
dev=10.96.0.11 hos=10.96.0.1

wire() {
	make_line || return 1
	machine mon 02:00:00:96:00:11 $dev/24
	machine hos 02:00:00:96:00:01 $hos/24
	for ns in mon hos; do at $ns ethtool -K e0 tso off gso off gro off tx off >/dev/null 2>&1; done
}
cat >"$dir/bw.yaml" <<Y
gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden, capture: ${capture:-auto}}
segments:
  - {name: icu, ward: w0, hospital: h0, mode: enforce}
hosts:
  - {name: server-1, ip: [$hos], role: [server]}
devices:
  - name: device-1
    segment: icu
    mac: "02:00:00:96:00:11"
    ip: [$dev]
    fail: closed
    starts:
      - {service: results, proto: tcp, port: [2575], peer: server, app: hl7, control: no,
         allow: ["message_type=ORU^R01", sending_application=COBAS]}
      - {service: images, proto: tcp, port: [11112], peer: server, app: dicom, control: no,
         allow: [calling_ae=CT2, called_ae=ARCHIVE, command=C-STORE-*, command=C-ECHO-*,
                 sop_class=Secondary Capture Image Storage, sop_class=Verification SOP Class]}
      - {service: readings, proto: tcp, port: [1883], peer: server, app: mqtt, control: no,
         allow: [connect.client_id=fridge, "publish.to_broker=ward/*", "subscribe.topics=config/fridge/+"]}
      - {service: portal, proto: tcp, port: [8443], peer: server, app: tls, allow: [sni=portal.example, version=TLS 1.3]}
      - {service: web, proto: tcp, port: [80], peer: server, app: http, control: no,
         allow: ["url=/results/*", hostname=$hos]}
      - {service: files, proto: tcp, port: [445], peer: server, app: smb,
         allow: ['share=\\\\*\\out', 'share=\\\\*\\IPC\$', 'filename=', 'filename=*.pdf', 'new_name=*.pdf']}
      - {service: log, proto: udp, port: [514], peer: server, app: syslog, allow: [facility=local0, appname=pump]}
    accepts:
      - {service: state, proto: udp, port: [161], peer: server, app: snmp, control: no, allow: [version=2]}
      - {service: registers, proto: tcp, port: [502], peer: server, app: modbus, control: no, allow: [unit_id=1]}
      - {service: clock, proto: udp, port: [5683], peer: server, app: coap, control: no,
         allow: ["uri_path=/time"]}
      - {service: shell, proto: tcp, port: [22], peer: server, app: ssh, allow: ["client.software_version=OpenSSH*"]}
Y

# ---- words ----

# has NAME PROGRAM...: its turn, or why not.
has() {
	local name=$1 p; shift
	[ -z "${ONLY:-}" ] || [ "$ONLY" = "$name" ] || return 1
	for p; do
		command -v "$p" >/dev/null || [ -x "/usr/sbin/$p" ] || { echo "skip - $name: $p is not installed"; return 1; }
	done
	as=$name
}
# by NS COMMAND...: in time, or with exit code 124.
by() { local ns=$1; shift; at "$ns" timeout 20 "$@"; }
# How often it was told; each refusal is to be one more.
told() { # SERVICE MEMBER|control
	local why=".policy.member == \"$2\" and .reason == \"policy.message_not_allowed\""
	[ "$2" != control ] || why='.reason == "policy.control_not_allowed"'
	ask events --all --json 2>/dev/null | jq "[.[] | select(.policy.service == \"$1\" and $why)] | length"
}
told_more() { [ "$(told "$2" "$3")" -gt "$1" ]; } # THAN SERVICE MEMBER
# passes TEXT COMMAND...
passes() {
	local text=$1; shift
	if "$@" >"$dir/said" 2>&1; then ok "$text"; else not "$text ($(tail -1 "$dir/said"))"; fi
}
# refused TEXT SERVICE MEMBER COMMAND...: it fails, in time, and the event says for which member.
refused() {
	local text=$1 service=$2 member=$3 before code; shift 3
	before=$(told "$service" "$member")
	"$@" >"$dir/said" 2>&1
	code=$?
	case $code in
	0) not "$text: it was done" ;;
	124) not "$text: its client still waits" ;;
	*) if within "$(until_ms 10000 told_more "$before" "$service" "$member")" 10000; then ok "$text"
		else not "$text: nobody told of $service and $member: $(ask events --all --json | jq -c '.[] | select(.policy.service == "'"$service"'") | [.reason, .policy]' | tail -2 | paste -sd' ')"; fi ;;
	esac
}
listens_tcp() { at "$1" ss -Htln "sport = :$2" | grep -q .; }
up() { within "$(until_ms 15000 "$@")" 15000 || not "the server is there"; }

# ---- who speaks ----

hl7() {
	at hos python3 -u "$self/members.py" mllp $hos >"$dir/orders" &
	up listens_tcp hos 2575
	send() { by mon python3 "$self/members.py" send $hos "$1" "$2"; }
	passes "a result" send 'ORU^R01' COBAS
	refused "an order" results message_type send 'ORM^O01' COBAS
	refused "a result in another's name" results sending_application send 'ORU^R01' OTHER
	passes "a result again" send 'ORU^R01' COBAS
	[ "$(sort "$dir/orders" | uniq -c | awk '{ print $1, $2 }')" = '2 ORU^R01' ] && ok "two results arrived, nothing else" ||
		not "two results arrived, nothing else ($(paste -sd' ' "$dir/orders"))"
}

dicom() {
	local kind
	mkdir -p "$dir/archive/ARCHIVE"
	cat >"$dir/pacs.cfg" <<-C
	NetworkTCPPort = 11112
	MaxPDUSize = 16384
	MaxAssociations = 16
	HostTable BEGIN
	ct = (CT2, $dev, 104)
	HostTable END
	VendorTable BEGIN
	VendorTable END
	AETable BEGIN
	ARCHIVE $dir/archive/ARCHIVE RW (200, 1024mb) ANY
	AETable END
	C
	for kind in SecondaryCapture CT; do
		cat >"$dir/dump" <<-D
		(0008,0016) UI =${kind}ImageStorage
		(0008,0018) UI [1.2.826.0.1.3680043.2.1.${#kind}]
		(0008,0060) CS [OT]
		(0010,0010) PN [MUSTERMANN^MAX]
		(0010,0020) LO [PAT]
		(0020,000d) UI [1.2.826.0.1.3680043.2.2]
		(0020,000e) UI [1.2.826.0.1.3680043.2.3]
		D
		dump2dcm -q +te "$dir/dump" "$dir/$kind.dcm"
	done
	at hos dcmqrscp -c "$dir/pacs.cfg" 11112 >"$dir/pacs.log" 2>&1 &
	up listens_tcp hos 11112
	# These two end with 0 whatever became of it.
	find_it() {
		by mon findscu -v -to 5 -ta 5 -td 5 -aet CT2 -aec ARCHIVE -S -k QueryRetrieveLevel=STUDY -k PatientID $hos 11112 2>&1 |
			grep 'Final Find Response'
	}
	move_it() {
		by mon movescu -v -to 5 -ta 5 -td 5 -aet CT2 -aec ARCHIVE -aem CT2 -S -k QueryRetrieveLevel=STUDY \
			-k StudyInstanceUID=1.2.826.0.1.3680043.2.2 $hos 11112 2>&1 | grep 'Final Move Response'
	}
	passes "an echo" by mon echoscu -to 5 -aet CT2 -aec ARCHIVE $hos 11112
	passes "an image" by mon storescu -to 5 -td 5 -aet CT2 -aec ARCHIVE $hos 11112 "$dir/SecondaryCapture.dcm"
	refused "an image of another kind" images sop_class by mon storescu -to 5 -td 5 -aet CT2 -aec ARCHIVE -R $hos 11112 "$dir/CT.dcm"
	refused "an echo in another's name" images calling_ae by mon echoscu -to 5 -aet CT3 -aec ARCHIVE $hos 11112
	refused "an echo to another" images called_ae by mon echoscu -to 5 -aet CT2 -aec OTHER $hos 11112
	refused "a query" images command find_it
	refused "images fetched" images control move_it
	[ "$(find "$dir/archive" -name '*.dcm' -o -name '[A-Z]*_*' | wc -l)" = 1 ] && ok "one image is in the archive" ||
		not "one image is in the archive ($(find "$dir/archive" -type f | paste -sd' '))"
}

mqtt() {
	printf 'listener 1883 %s\nallow_anonymous true\n' $hos >"$dir/broker.conf"
	at hos mosquitto -c "$dir/broker.conf" >"$dir/broker.log" 2>&1 &
	up listens_tcp hos 1883
	at hos mosquitto_sub -h $hos -t '#' -v >"$dir/heard" &
	pub() { by mon mosquitto_pub -h $hos "${@:3}" -i "$1" -t "$2" -q 1 -m 7; }
	up heard_of start/now
	passes "a reading" pub fridge ward/7
	passes "a reading, by version 5" pub fridge ward/8 -V 5
	refused "a reading elsewhere" readings publish.to_broker pub fridge other/7
	refused "a reading in another's name" readings connect.client_id pub pump ward/9
	refused "a command" readings control pub fridge ward/pump/set
	sub() { by mon mosquitto_sub -h $hos -i fridge -t "$1" -C 1 -W 2; }
	at hos mosquitto_pub -h $hos -t config/fridge/a -r -m 1
	passes "its settings" sub config/fridge/+
	refused "everybody's settings" readings subscribe.topics sub 'config/#'
	[ "$(grep -c . "$dir/heard")" -ge 3 ] && ! grep -E '^(other|ward/9|ward/pump)' "$dir/heard" && ok "nobody heard what may not be said" ||
		not "nobody heard what may not be said ($(paste -sd' ' "$dir/heard"))"
}
heard_of() { at hos mosquitto_pub -h $hos -t "$1" -m 1; grep -q "^$1" "$dir/heard"; }

tls() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=portal.example -keyout "$dir/tls.key" -out "$dir/tls.pem" 2>/dev/null
	at hos openssl s_server -accept $hos:8443 -key "$dir/tls.key" -cert "$dir/tls.pem" -www >/dev/null 2>&1 &
	up listens_tcp hos 8443
	shake() { by mon openssl s_client -connect $hos:8443 "$@" </dev/null; }
	passes "TLS 1.3 with the portal" shake -servername portal.example -tls1_3
	refused "TLS 1.2 with it" portal version shake -servername portal.example -tls1_2
	refused "another name" portal sni shake -servername evil.example
	refused "no name" portal sni shake -noservername
}

http() {
	mkdir -p "$dir/www/results" "$dir/www/admin"
	echo 7 >"$dir/www/results/7"
	echo secret >"$dir/www/admin/users"
	cat >"$dir/nginx.conf" <<-N
	daemon off; pid $dir/nginx.pid; error_log $dir/nginx.log; user root;
	events {}
	http { access_log $dir/www.log; client_body_temp_path $dir/nb; proxy_temp_path $dir/np; fastcgi_temp_path $dir/nf; uwsgi_temp_path $dir/nu;
	  scgi_temp_path $dir/ns; server { listen $hos:80; root $dir/www; location /results/ { dav_methods PUT DELETE; create_full_put_path on; } } }
	N
	at hos nginx -c "$dir/nginx.conf" >/dev/null 2>&1 &
	up listens_tcp hos 80
	get() { by mon curl -fsS -m 10 -o "$dir/body" "$@"; }
	passes "a result is read" get http://$hos/results/7
	refused "what is beside it" web url get http://$hos/admin/users
	refused "the way round" web url get --path-as-is http://$hos/results/../admin/users
	refused "the way round, encoded" web url get --path-as-is http://$hos/results/%2e%2e/admin/users
	refused "another host's" web hostname get -H 'Host: other.example' http://$hos/results/7
	refused "a result is written" web control get -T "$dir/bw.yaml" http://$hos/results/8
	refused "a result is deleted" web control get -X DELETE http://$hos/results/7
	[ -e "$dir/www/results/7" ] && [ ! -e "$dir/www/results/8" ] && ! grep -qvE '"GET /results/7' "$dir/www.log" && ok "nginx was asked for nothing else" ||
		not "nginx was asked for nothing else ($(cut -d'"' -f2 "$dir/www.log" | paste -sd' '))"
}

smb() {
	mkdir -p "$dir/smb/out" "$dir/smb/private" "$dir/smb/var"
	echo secret >"$dir/smb/private/list.pdf"
	echo report >"$dir/report.pdf"
	cat >"$dir/smb.conf" <<-C
	[global]
	interfaces = e0
	smb ports = 445
	lock directory = $dir/smb/var
	state directory = $dir/smb/var
	cache directory = $dir/smb/var
	pid directory = $dir/smb/var
	private dir = $dir/smb/var
	ncalrpc dir = $dir/smb/var/ncalrpc
	log file = $dir/smb/var/log
	map to guest = Bad User
	disable spoolss = yes
	load printers = no
	server role = standalone server
	server smb encrypt = off
	[out]
	path = $dir/smb/out
	guest ok = yes
	read only = no
	force user = root
	[private]
	path = $dir/smb/private
	guest ok = yes
	read only = no
	force user = root
	C
	at hos smbd -F -s "$dir/smb.conf" -d0 --debug-stdout </dev/null >"$dir/smbd" 2>&1 &
	up listens_tcp hos 445
	client() { by mon smbclient -s "$dir/smb.conf" -N -t 5 "//$hos/$1" -c "$2"; }
	passes "a report is laid down" client out "put $dir/report.pdf report.pdf"
	refused "another share" files share client private 'get list.pdf /dev/null'
	refused "a program is laid down" files filename client out "put $dir/report.pdf update.exe"
	refused "the report is renamed to a program" files new_name client out 'rename report.pdf report.exe'
	[ "$(ls "$dir/smb/out")" = report.pdf ] && ok "the report is there, nothing else" ||
		not "the report is there, nothing else ($(ls "$dir/smb/out" | paste -sd' '))"
}

syslog() {
	cat >"$dir/rsyslog.conf" <<-C
	module(load="imudp")
	input(type="imudp" address="$hos" port="514")
	action(type="omfile" file="$dir/messages")
	C
	at hos rsyslogd -n -f "$dir/rsyslog.conf" -i "$dir/rsyslog.pid" >/dev/null 2>&1 &
	up listens hos 514
	log() { by mon logger -n $hos -P 514 -d --rfc5424 -p "$1" -t "$2" "$3"; }
	log local0.info pump first
	log auth.info pump forbidden
	log local0.info sshd forbidden
	log local0.info pump last
	soon "what the pump says" grep -q last "$dir/messages"
	soon "another facility" told_more 0 log facility
	soon "another program" told_more 0 log appname
	fails "nothing else arrives" grep forbidden "$dir/messages"
}

snmp() {
	local v3="-v3 -u nurse -l authNoPriv -a SHA -A authsecret1"
	cat >"$dir/snmpd.conf" <<-C
	agentAddress udp:$dev:161
	rwcommunity ward7x
	rwuser nurse
	createUser nurse SHA authsecret1
	psyslocation bed 12
	C
	at mon env SNMP_PERSISTENT_DIR="$dir/snmp" snmpd -f -Lo -C -c "$dir/snmpd.conf" >"$dir/snmpd" 2>&1 &
	export SNMP_PERSISTENT_DIR=$dir/snmpc
	up listens mon 161
	manager() { local verb=$1; shift; by hos "snmp$verb" -t 1 -r 0 "$@"; }
	contact=1.3.6.1.2.1.1.4.0
	passes "read by version 2c" manager get -v2c -c ward7x $dev $contact
	refused "read by version 1" state version manager get -v1 -c ward7x $dev $contact
	refused "read by version 3" state version manager get $v3 $dev $contact
	refused "set" state control manager set -v2c -c ward7x $dev $contact s nobody
	passes "read again" manager get -v2c -c ward7x $dev $contact
	fails "it was not set" grep nobody "$dir/said"
}

modbus() {
	at mon /usr/bin/python3 "$self/members.py" modbus $dev >/dev/null 2>&1 &
	up listens_tcp mon 502
	poll() { by hos mbpoll -m tcp -0 -1 -q -o 2 -t 4 "$@"; }
	passes "a register is read" poll -a 1 -r 3 $dev
	refused "another unit's" registers unit_id poll -a 2 -r 3 $dev
	refused "a register is written" registers control poll -a 1 -r 3 $dev 777
	passes "it is read again" poll -a 1 -r 3 $dev
	fails "it was not written" grep 777 "$dir/said"
}

coap() {
	at mon coap-server-notls -A $dev -d 10 >/dev/null 2>&1 &
	up listens mon 5683
	asks() { by hos coap-client-notls -B 3 "$@" | grep .; }
	passes "the time" asks -m get coap://$dev/time
	refused "anything else" clock uri_path asks -m get coap://$dev/.well-known/core
	refused "the time is set" clock control asks -m put -e 'Jan 01 00:00:00' coap://$dev/time
	passes "the time again" asks -m get coap://$dev/time
	fails "it was not set" grep -i 'jan 01' "$dir/said"
}

ssh() {
	ssh-keygen -q -t ed25519 -N '' -f "$dir/host" && ssh-keygen -q -t ed25519 -N '' -f "$dir/me"
	mkdir -p /run/sshd
	printf '%s\n' "HostKey $dir/host" "AuthorizedKeysFile $dir/me.pub" 'PidFile none' 'StrictModes no' 'UsePAM no' 'PermitRootLogin yes' >"$dir/sshd.conf"
	at mon /usr/sbin/sshd -f "$dir/sshd.conf" -E "$dir/sshd.log" -p 22
	up listens_tcp mon 22
	dropbearconvert openssh dropbear "$dir/me" "$dir/me.db" 2>/dev/null
	passes "OpenSSH" by hos ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i "$dir/me" root@$dev true
	refused "dropbear" shell client.software_version by hos dbclient -y -y -i "$dir/me.db" root@$dev true
}

wire || skip_all "$what: no network namespaces here"
start
[ "$(until_ms 15000 guarding)" != -1 ] || { not "the gateway starts"; tail "$dir/log"; exit 1; }
if has hl7 python3; then hl7; fi
if has dicom dcmqrscp dump2dcm storescu findscu; then dicom; fi
if has mqtt mosquitto mosquitto_pub; then mqtt; fi
if has tls openssl; then tls; fi
if has http nginx curl; then http; fi
if has smb smbd smbclient; then smb; fi
if has syslog rsyslogd logger; then syslog; fi
if has snmp snmpd snmpset; then snmp; fi
if has modbus mbpoll && { /usr/bin/python3 -c 'import pymodbus' 2>/dev/null || { echo "skip - modbus: no pymodbus"; false; }; }; then modbus; fi
if has coap coap-server-notls coap-client-notls; then coap; fi
if has ssh sshd dbclient dropbearconvert; then ssh; fi
exit $failed
