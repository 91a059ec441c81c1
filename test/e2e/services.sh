#!/usr/bin/env bash
# What stands behind doors, as others speak it: a device with OpenSSH, vsftpd, atftpd, xrdp, TigerVNC
# and nginx, and their clients at a workstation. Before a grant none of them is reachable; under it all
# are, FTP's and TFTP's data with them, by the port that was announced and no other; at its end the
# session is cut, and both ends are told so. Where FTP goes over to TLS the gateway says what it can no longer
# do; what was recorded of SSH and RDP is opened again out of the vault, and read.
# usage: test/e2e/services.sh [BINARY]    capture=packet: without the kernel's floor; ONLY=ftp: that one
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
py=$(realpath test/e2e/services.py)
session=$(realpath test/e2e/session.py)
id=bws$$
spaces="gw sw pump hos ws beside"
. "$(dirname "$self")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "services end to end: needs root for network namespaces"
workdir
pump=10.94.0.11 ws=10.94.0.5

wire() {
	make_ward pump || return 1
	machine pump 02:00:00:94:00:11 $pump/24
	make_hall ws beside
	machine ws 02:00:00:94:00:05 $ws/24
	machine beside 02:00:00:94:00:06 10.94.0.6/24
	for ns in ws beside; do
		at $ns ip neigh replace $pump lladdr 02:00:00:94:00:11 dev e0 nud permanent
	done
	at pump ip neigh replace $ws lladdr 02:00:00:94:00:05 dev e0 nud permanent
	at pump ip neigh replace 10.94.0.6 lladdr 02:00:00:94:00:06 dev e0 nud permanent
	for ns in pump ws beside; do at $ns ethtool -K e0 tso off gso off gro off tx off >/dev/null 2>&1; done
}
cat >"$dir/bw.yaml" <<Y
gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden, capture: ${capture:-auto}, evidence: on}
segments:
  - {name: icu, ward: w0, hospital: h0}
devices:
  - name: pump-1
    segment: icu
    mac: "02:00:00:94:00:11"
    ip: [$pump]
    fail: closed
    services:
      - {name: ssh, alone: [administrator], record: yes}
      - {name: ftp, alone: [administrator]}
      - {name: files, port: ["21", "30100-31099"], alone: [administrator]}
      - {name: web, alone: [administrator]}
      - {name: rdp, alone: [administrator], record: yes}
      - {name: vnc, alone: [administrator]}
      - {name: tftp, port: [69], proto: udp, alone: [administrator]}
Y

# ---- the device ----

mkdir -p "$dir/ftp/in" "$dir/tftp"
head -c 3000000 /dev/urandom >"$dir/ftp/big"
cp "$dir/ftp/big" "$dir/tftp/big"
chmod -R a+rX "$dir/ftp" "$dir/tftp"
chmod 777 "$dir/ftp/in"
head -c 200000 /dev/urandom >"$dir/up"

with_ssh() {
	ssh-keygen -q -t ed25519 -N '' -f "$dir/host" && ssh-keygen -q -t ed25519 -N '' -f "$dir/me" || return 1
	mkdir -p /run/sshd
	cat >"$dir/sshd.conf" <<-S
		HostKey $dir/host
		AuthorizedKeysFile $dir/me.pub
		PidFile none
		StrictModes no
		UsePAM no
		PermitRootLogin yes
	S
	at pump /usr/sbin/sshd -f "$dir/sshd.conf" -E "$dir/sshd.log" -p 22
}
with_ftp() {
	mkdir -p /var/run/vsftpd/empty
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=pump -keyout "$dir/ftp.key" -out "$dir/ftp.pem" 2>/dev/null
	cat >"$dir/vsftpd.conf" <<-S
		listen=YES
		background=NO
		anonymous_enable=YES
		anon_root=$dir/ftp
		write_enable=YES
		anon_upload_enable=YES
		connect_from_port_20=YES
		seccomp_sandbox=NO
		xferlog_enable=NO
		pasv_min_port=30100
		pasv_max_port=30109
		ssl_enable=YES
		allow_anon_ssl=YES
		force_anon_logins_ssl=NO
		force_anon_data_ssl=NO
		require_ssl_reuse=NO
		rsa_cert_file=$dir/ftp.pem
		rsa_private_key_file=$dir/ftp.key
	S
	at pump vsftpd "$dir/vsftpd.conf" &
}
with_tftp() { at pump atftpd --daemon --no-fork --logfile - --bind-address $pump "$dir/tftp" >"$dir/atftpd" 2>&1 & }
with_rdp() {
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=pump -keyout "$dir/rdp.key" -out "$dir/rdp.pem" 2>/dev/null
	sed -e "s|^certificate=.*|certificate=$dir/rdp.pem|; s|^key_file=.*|key_file=$dir/rdp.key|; s|^LogFile=.*|LogFile=$dir/xrdp.log|; s|^EnableSyslog=.*|EnableSyslog=false|" \
		/etc/xrdp/xrdp.ini >"$dir/xrdp.ini"
	mkdir -p /var/run/xrdp
	at pump xrdp --nodaemon --config "$dir/xrdp.ini" --port 3389 >"$dir/xrdp" 2>&1 &
}
with_vnc() { at pump Xvnc :$((900 + $$ % 90)) -rfbport 5900 -SecurityTypes None -geometry 64x64 -localhost no >"$dir/xvnc" 2>&1 & }
with_web() {
	cat >"$dir/nginx.conf" <<-S
		daemon off; pid $dir/nginx.pid; error_log $dir/nginx.log; user root;
		events {}
		http { access_log off; server { listen 80; root $dir/ftp; keepalive_requests 100000; } }
	S
	at pump nginx -c "$dir/nginx.conf" >/dev/null 2>&1 &
}
has() { # NAME PROGRAM: it runs, or is passed over by name
	command -v "$2" >/dev/null || [ -x "/usr/sbin/$2" ] || { echo "skip - $1 behind a grant: $2 is not installed"; return 1; }
	"with_$1"
}

# ---- words ----

member() { grep -o "\"$1\": *\"\?[^,\"}]*" | head -1 | sed 's/.*: *"\?//'; }
# recorded PORT FILTER: how many packets of such sessions the vault's evidence holds.
recorded() {
	local f n=0
	rm -rf "$dir/out"; mkdir "$dir/out"
	timeout 20 "$bw" vault get "$dir/state/vault" --class evidence -C "$dir/out" >/dev/null 2>&1
	for f in "$dir"/out/evidence/*.pcapng; do
		[ -e "$f" ] && n=$((n + $(tshark -r "$f" -Y "tcp.port == $1 && ($2)" 2>/dev/null | wc -l)))
	done
	echo $n
}
has_recorded() { [ "$(recorded "$@")" -gt 0 ]; }
# Of a port, files that nothing was blocked or found for: a packet for which it was bears the reason as a comment.
kept_unasked() {
	local f n=0
	recorded "$1" tcp >/dev/null # opens them
	for f in "$dir"/out/evidence/*.pcapng; do
		[ -e "$f" ] && tshark -r "$f" -Y "tcp.port == $1" 2>/dev/null | grep -q . &&
			! tshark -r "$f" -Y frame.comment 2>/dev/null | grep -q . && n=$((n + 1))
	done
	echo $n
}

gate() { timeout 10 "$bw" "$@" --socket "$dir/run/control"; }
let_in() {
	gate grants request pump-1 "$1" --ip $ws --mac 02:00:00:94:00:05 --minutes 2 --reason "end to end" --json |
		grep -o '"id": *[0-9]*' | head -1 | grep -o '[0-9]*$'
}
reach() { at "$1" python3 "$session" try $pump "$2"; }
# At the device: nothing of a conversation with the workstation is left at this port.
left() { at pump ss -tnH state established "( sport = :$1 )" dst $ws | grep -q .; }
gone() { ! left "$1"; }
# whole TEXT FILE LIKE: it has arrived.
whole() { if cmp -s "$2" "$3"; then ok "$1"; else not "$1"; fi; }
# curl's own seconds, and quick: an opening that comes late costs TCP a whole one, every time; a machine that
# does much else, once or twice.
quick() { # TEXT CURL...
	local text=$1 t; shift
	for _ in 1 2 3; do
		t=$(at ws curl -sS --max-time 10 -w '%{time_total}' "$@" 2>"$dir/err") || { not "$text: $(cat "$dir/err")"; return; }
		[ "$(sed 's/\.//' <<<"${t:0:5}" | sed 's/^0*//')" -ge 950 ] 2>/dev/null || { ok "$text"; return; }
	done
	not "$text: took $t s, the third time, too"
}
# resets NS: RSTs as they arrive there, a line each.
resets() { at "$1" tcpdump -i e0 -Q in -n -l 'tcp[tcpflags] & tcp-rst != 0' >"$dir/rst-$1" 2>/dev/null & }
# cut NAME PORT GRANT: revokes, and both ends are told at once, on the wire.
cut() {
	local port=$2 ms
	: >"$dir/rst-ws"
	: >"$dir/rst-pump"
	until_ms 5000 left "$2" >/dev/null
	left "$2" && ok "$1: a session stands" || not "$1: a session stands"
	gate grants revoke "$3" >/dev/null
	ms=$(until_ms 2000 gone "$2")
	within "$ms" 1000 && ok "$1: revoked, the device's end is gone" || not "$1: revoked, the device's end is gone ($ms ms)"
	soon "$1: the workstation was sent a reset" grep -q "$pump\.$port > $ws" "$dir/rst-ws"
	soon "$1: the device was sent a reset" grep -q "> $pump\.$port: " "$dir/rst-pump"
}
reset_at() { # TEXT FILE NAME...
	local text=$1 file=$2 n; shift 2
	for n; do
		grep -q "\"$n\": \"reset\"" "$file" && ok "$text: the workstation's end was reset ($n)" || not "$text: the workstation's end was reset ($n): $(tail -1 "$file")"
	done
}

wire || skip_all "services end to end: no namespaces here"
for s in "ssh sshd" "ftp vsftpd" "tftp atftpd" "rdp xrdp" "vnc Xvnc" "web nginx"; do
	# shellcheck disable=SC2086 # words
	set -- $s
	[ "${ONLY:-$1}" = "$1" ] || continue
	has "$1" "$2" && declare "have_$1=yes"
done
at pump python3 "$session" serve 30000 >/dev/null &
command -v tcpdump >/dev/null || skip_all "services end to end: tcpdump is not installed"
resets ws
resets pump
start
until_ms 15000 guarding >/dev/null
guarding || { not "the gateway guards"; cat "$dir/log"; exit 1; }

if [ "${have_ftp:-}" ]; then
	check "before, FTP is shut" bash -c "! ip netns exec $id-ws python3 $session try $pump 21"
	f=$(let_in ftp)
	url=ftp://$pump
	quick "FTP: a file by EPSV" -o "$dir/got1" $url/big; whole "and it is whole" "$dir/got1" "$dir/ftp/big"
	quick "FTP: a file by PASV" --disable-epsv -o "$dir/got2" $url/big; whole "and it is whole" "$dir/got2" "$dir/ftp/big"
	quick "FTP: a file by EPRT" --ftp-port - -o "$dir/got3" $url/big; whole "and it is whole" "$dir/got3" "$dir/ftp/big"
	quick "FTP: a file by PORT" --disable-eprt --ftp-port - -o "$dir/got4" $url/big; whole "and it is whole" "$dir/got4" "$dir/ftp/big"
	quick "FTP: a list" $url/ -o "$dir/list"
	quick "FTP: a file put there" -T "$dir/up" $url/in/a
	quick "FTP: and by PORT" --disable-eprt --ftp-port - -T "$dir/up" $url/in/b
	whole "both arrived" "$dir/ftp/in/a" "$dir/up"; whole "whole" "$dir/ftp/in/b" "$dir/up"
	check "a port that nobody announced stays shut" bash -c "! ip netns exec $id-ws python3 $session try $pump 30000"
	at pump python3 "$session" syns 02:00:00:94:00:11 30001 4 >"$dir/none" &
	at beside timeout 8 nc -l -p 30001 >/dev/null 2>&1 &
	at ws python3 "$py" bounce $pump 10.94.0.6 30001 >"$dir/bounce" 2>&1
	check "FTP: nobody else is called in the workstation's name" bash -c "! grep -q '^226' $dir/bounce"

	at ws python3 "$py" ftp $pump 20 >"$dir/passive" 2>"$dir/err" &
	a=$!
	at ws python3 "$py" active $pump 20 >"$dir/active" 2>>"$dir/err" &
	b=$!
	until_ms 5000 grep -q data_port "$dir/passive" >/dev/null
	until_ms 5000 grep -q data_port "$dir/active" >/dev/null
	port=$(grep -o 'data_port": [0-9]*' "$dir/passive" | grep -o '[0-9]*$')
	check "FTP: the announced port is the workstation's alone" bash -c "! ip netns exec $id-beside python3 $session try $pump ${port:-1}"
	left "${port:-1}" && ok "FTP: a passive transfer stands" || not "FTP: a passive transfer stands"
	left 20 && ok "FTP: an active transfer stands" || not "FTP: an active transfer stands"
	cut FTP 21 "$f"
	check "FTP: the passive transfer's end at the device is gone" gone "${port:-1}"
	check "FTP: the active transfer's end at the device is gone" gone 20
	wait $a; reset_at "FTP passive" "$dir/passive" control data
	wait $b; reset_at "FTP active" "$dir/active" control data
	check "FTP: over is over" bash -c "! ip netns exec $id-ws python3 $session try $pump 21"
	check "FTP: also the announced port" bash -c "! ip netns exec $id-ws python3 $session try $pump ${port:-1}"
fi

# Over TLS nobody can read which port comes next.
if [ "${have_ftp:-}" ]; then
	gate grants request pump-1 ftp --ip $ws --mac 02:00:00:94:00:05 --minutes 2 --reason "end to end" >"$dir/said"
	check "FTP: the answer to who asks says what TLS will hide" grep -q 'AUTH TLS.*no transfer gets through' "$dir/said"
	f=$(gate grants --json | grep -o '"id": *[0-9]*' | head -1 | grep -o '[0-9]*$')
	quick "FTP: in the clear a file still comes" -o "$dir/got5" $url/big
	has_event grant.data_unreadable && not "FTP: nothing is hidden yet" || ok "FTP: nothing is hidden yet"
	at ws curl -sSk --ssl-reqd --max-time 4 -o "$dir/got6" $url/big 2>"$dir/err" && not "FTP over TLS: no transfer gets through" || ok "FTP over TLS: no transfer gets through"
	until_ms 3000 has_event grant.data_unreadable >/dev/null
	check "FTP over TLS: an event says why" has_event grant.data_unreadable '"device":"pump-1"'
	check "FTP over TLS: a person reads it" grep -q 'cannot see which further ports' <(ask events --all)
	gate grants revoke "$f" >/dev/null
	gate grants request pump-1 files --ip $ws --mac 02:00:00:94:00:05 --minutes 2 --reason "end to end" --json >"$dir/said"
	check "FTP: of a service with a range the answer says that" grep -q 'those need a port that the service names' "$dir/said"
	at ws curl -sSk --ssl-reqd --max-time 10 -o "$dir/got7" $url/big 2>"$dir/err"; whole "FTP over TLS: by a port of that range a file comes, whole" "$dir/got7" "$dir/ftp/big"
	gate grants revoke "$(member id <"$dir/said")" >/dev/null
fi

# A device that has two ports for data, and listens there all the time: a door is for whoever it was
# announced to, once, and not for long.
if [ "${have_ftp:-}" ]; then
	for p in $(ip netns pids $id-pump); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" != vsftpd ] || kill "$p"
	done
	until_ms 3000 bash -c "! ip netns exec $id-pump ss -tlnH sport = :21 | grep -q ." >/dev/null
	at pump python3 "$py" few $pump 200 2>/dev/null &
	f=$(let_in ftp)
	until_ms 5000 reach ws 21 >/dev/null
	at ws timeout 150 python3 "$py" doors $pump 30 >"$dir/doors" 2>"$dir/err" || not "FTP: with two ports: $(tail -1 "$dir/err")"
	came() { if grep -q "\"$1\": $2[,}]" "$dir/doors"; then ok "FTP: $3"; else not "FTP: $3: $(cat "$dir/doors")"; fi; }
	came whole 30 "by the same port 30 times, a file each"
	came again 0 "nobody comes there a second time, while the control connection stands"
	came after 0 "nor after it"
	came slow true "a transfer takes its time"
	came superseded false "what was announced before is shut by the next"
	came newest true "which is open"
	came late false "and not for ever"
	came anew true "but announced anew"
	gate grants revoke "$f" >/dev/null
fi

if [ "${have_tftp:-}" ]; then
	at ws curl -s --max-time 2 -o "$dir/t0" tftp://$pump/big && not "before, TFTP is shut" || ok "before, TFTP is shut"
	t=$(let_in tftp)
	at ws curl -sS --max-time 20 -o "$dir/t1" tftp://$pump/big 2>"$dir/err"; whole "TFTP: a file, and it is whole" "$dir/t1" "$dir/ftp/big"
	gate grants revoke "$t" >/dev/null
	at ws curl -s --max-time 2 -o "$dir/t2" tftp://$pump/big && not "TFTP: over is over" || ok "TFTP: over is over"
fi

if [ "${have_ssh:-}" ]; then
	check "before, SSH is shut" bash -c "! ip netns exec $id-ws python3 $session try $pump 22"
	s=$(let_in ssh)
	at ws timeout 30 ssh -i "$dir/me" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ServerAliveInterval=1 \
		$pump 'echo in; while echo x; do sleep 0.05; done' >"$dir/ssh" 2>"$dir/ssh.err" &
	c=$!
	until_ms 8000 grep -q in "$dir/ssh" >/dev/null
	check "SSH: a shell of the device" grep -q in "$dir/ssh"
	cut SSH 22 "$s"
	wait $c
	check "SSH: the client knows" test -s "$dir/ssh.err"
fi

# NAME PORT GREETING
for s in "rdp 3389 TLSv1" "vnc 5900 RFB" "web 80 HTTP/1.1"; do
	# shellcheck disable=SC2086 # words
	set -- $s
	have=have_$1
	[ "${!have:-}" ] || continue
	check "before, $1 is shut" bash -c "! ip netns exec $id-ws python3 $session try $pump $2"
	g=$(let_in "$1")
	at ws python3 "$py" "$1" $pump 15 >"$dir/$1.said" 2>"$dir/$1.err" &
	c=$!
	until_ms 5000 grep -q "$3" "$dir/$1.said" >/dev/null
	grep -q "$3" "$dir/$1.said" && ok "$1: a session of the device" || not "$1: a session of the device: $(tail -1 "$dir/$1.err")"
	check "$1: not from the one beside it" bash -c "! ip netns exec $id-beside python3 $session try $pump $2"
	cut "$1" "$2" "$g"
	wait $c
	check "$1: the client knows" grep -Eq '"(reset|end)"' "$dir/$1.said"
done

# What was recorded, opened again.
if command -v tshark >/dev/null; then
	if [ "${have_ssh:-}" ]; then
		ms=$(until_ms 60000 has_recorded 22 'tcp.len > 0')
		within "$ms" 60000 && ok "SSH: the record is in the vault" || not "SSH: the record is in the vault"
		[ "$(recorded 22 'ssh.protocol')" -ge 2 ] && ok "SSH: both ends' first words are in it" || not "SSH: both ends' first words are in it"
		check "SSH: and from the first packet" has_recorded 22 "tcp.flags.syn == 1 && tcp.flags.ack == 0 && ip.src == $ws"
		n=$(recorded 22 "tcp.len > 0 && ip.src == $pump")
		[ "$n" -ge 10 ] && ok "SSH: what the device said is there, $n packets" || not "SSH: what the device said is there: $n packets"
		check "SSH: nothing of it rests unsealed" sh -c "! grep -raqF SSH-2.0-OpenSSH '$dir/state' '$dir/run'"
	fi
	if [ "${have_rdp:-}" ]; then
		check "RDP: the record is in the vault" test "$(until_ms 60000 has_recorded 3389 rdp.negReq.requestedProtocols || echo -1)" != -1
		has_recorded 3389 'tcp.payload[0:2] == 16:03' && ok "RDP: and TLS behind its opening" || not "RDP: and TLS behind its opening"
	fi
	[ "$(kept_unasked 80)" = 0 ] && ok "of a service without 'record' nothing is kept unasked" || not "of a service without 'record' nothing is kept unasked"
else
	echo "skip - what was recorded, opened again: tshark is not installed"
fi
exit $failed
