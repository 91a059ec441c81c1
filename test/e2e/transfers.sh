#!/usr/bin/env bash
# Files by FTP and TFTP under a line of the policy that names them, with real peers (vsftpd, atftpd, curl): the line
# alone is enough, both ways round, by IPv4 and IPv6, in every way that FTP has; nobody else gets in by it. What is
# under way outlives a guard, the gateway and a policy that still permits it, and no other policy.
# usage: test/e2e/transfers.sh [BINARY]    capture=packet: without the kernel's floor
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
py=$(realpath test/e2e/transfers.py)
session=$(realpath test/e2e/session.py)
id=bwf$$
as=transfers
spaces="gw sw pump hos srv beside"
. "$(dirname "$self")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "transfers: needs root for network namespaces"
needs transfers vsftpd atftpd curl python3
workdir
pump=10.95.0.11 srv=10.95.0.5 beside=10.95.0.6

wire() {
	make_ward pump || return 1
	machine pump 02:00:00:95:00:11 $pump/24
	make_hall srv beside
	machine srv 02:00:00:95:00:05 $srv/24
	machine beside 02:00:00:95:00:06 $beside/24
	local ns
	for ns in pump srv beside; do
		at $ns sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.e0.disable_ipv6=0 net.ipv6.conf.e0.accept_dad=0
		at $ns ethtool -K e0 tso off gso off gro off tx off >/dev/null 2>&1
	done
	at pump ip addr add fd95::11/64 dev e0 nodad
	at srv ip addr add fd95::5/64 dev e0 nodad
}
# policy MODE LINE...: what the pump starts.
policy() {
	local mode=$1 line; shift
	cat <<-Y
		gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden, capture: ${capture:-auto}}
		segments:
		  - {name: icu, ward: w0, hospital: h0}
		hosts:
		  - {name: files-1, ip: [$srv, "fd95::5"], mac: "02:00:00:95:00:05", role: [files]}
		  - {name: beside-1, ip: [$beside], mac: "02:00:00:95:00:06", role: [other]}
		devices:
		  - name: pump-1
		    segment: icu
		    mac: "02:00:00:95:00:11"
		    ip: [$pump, "fd95::11"]
		    fail: closed
		    mode: $mode
		    accepts:
		      - {service: import, proto: tcp, port: [21], peer: files, app: ftp}
		    starts:
		      - {service: ping, proto: icmpv6, port: [128], peer: files}
	Y
	for line; do echo "      - $line"; done
}
ftp='{service: export, proto: tcp, port: [21], peer: files, app: ftp}'
tftp='{service: boot, proto: udp, port: [69], peer: files, app: tftp}'
apply() { policy "$@" >"$dir/bw.yaml"; timeout 10 "$bw" policy apply -c "$dir/bw.yaml" --socket "$dir/run/control" >/dev/null; }

mkdir -p "$dir/ftp/in" "$dir/tftp" /var/run/vsftpd/empty
head -c 1500000 /dev/urandom >"$dir/ftp/big"
cp "$dir/ftp/big" "$dir/tftp/big"
: >"$dir/tftp/up"
chmod -R a+rX "$dir/ftp" "$dir/tftp"
chmod 777 "$dir/ftp/in" "$dir/tftp/up"
head -c 200000 /dev/urandom >"$dir/up"
cat >"$dir/vsftpd.conf" <<S
listen=NO
listen_ipv6=YES
background=NO
anonymous_enable=YES
anon_root=$dir/ftp
write_enable=YES
anon_upload_enable=YES
connect_from_port_20=YES
seccomp_sandbox=NO
xferlog_enable=NO
S
vsftpd_at() { at "$1" vsftpd "$dir/vsftpd.conf" & }
no_ftp() { ! at srv ss -tlnH sport = :21 | grep -q .; }
has_ftp() { ! no_ftp; }
whole() { if cmp -s "$2" "$3"; then ok "$1"; else not "$1: $(cat "$dir/err")"; fi; }
# get TEXT NS CURL...: the file arrives, whole, and no opening of a connection came late: TCP tries again after a second.
get() {
	local text=$1 ns=$2 t; shift 2
	for _ in 1 2 3; do
		rm -f "$dir/got"
		t=$(at "$ns" curl -sS --max-time 10 -w '%{time_total}' -o "$dir/got" "$@" 2>"$dir/err") || { not "$text: $(cat "$dir/err")"; return; }
		[ "$(sed 's/\.//' <<<"${t:0:5}" | sed 's/^0*//')" -ge 950 ] 2>/dev/null || break
	done
	whole "$text" "$dir/got" "$dir/ftp/big"
}
put() { # TEXT NS FILE CURL...
	local text=$1 ns=$2 file=$3; shift 3
	rm -f "$file"
	at "$ns" curl -sS --max-time 10 -T "$dir/up" "$@" 2>"$dir/err"
	whole "$text" "$file" "$dir/up"
}
came() { if grep -q "\"$1\": $2[,}]" "$dir/tries"; then ok "$3"; else not "$3: $(cat "$dir/tries" "$dir/err")"; fi; }
tried() { # PREFIX
	came early false "$1: before it is announced a port is shut"
	came opened true "$1: what is announced is open"
	came beside false "$1: no other port is"
	came second false "$1: for one alone"
	came again false "$1: and once"
	came unasked false "$1: what nobody asked for is no answer"
	came forged false "$1: nor is what the client says in the server's name"
	came third false "$1: an answer that names another machine opens nothing"
	came superseded false "$1: the next one shuts what nobody came to"
	came newest true "$1: and is open"
}

wire || skip_all "transfers: no namespaces here"
policy enforce "$ftp" "$tftp" >"$dir/bw.yaml"
start
until_ms 15000 guarding >/dev/null
guarding || { not "the gateway guards"; cat "$dir/log"; exit 1; }

# ---- the device as a client, then as a server ----

vsftpd_at srv
vsftpd_at pump
at srv atftpd --daemon --no-fork --logfile - --bind-address $srv "$dir/tftp" >"$dir/atftpd" 2>&1 &
until_ms 5000 has_ftp >/dev/null
for way in "pump $srv [fd95::5]" "srv $pump [fd95::11]"; do
	# shellcheck disable=SC2086 # words
	set -- $way
	who="from the $1"
	get "$who: a file by EPSV" "$1" "ftp://$2/big"
	get "$who: by PASV" "$1" --disable-epsv "ftp://$2/big"
	get "$who: by EPRT" "$1" --ftp-port - "ftp://$2/big"
	get "$who: by PORT" "$1" --disable-eprt --ftp-port - "ftp://$2/big"
	get "$who: IPv6, by EPSV" "$1" "ftp://$3/big"
	get "$who: IPv6, by EPRT" "$1" --ftp-port - "ftp://$3/big"
	put "$who: a file put there" "$1" "$dir/ftp/in/a$1" "ftp://$2/in/a$1"
	put "$who: and by PORT" "$1" "$dir/ftp/in/b$1" --disable-eprt --ftp-port - "ftp://$2/in/b$1"
done
get "TFTP: a file" pump "tftp://$srv/big"
at pump curl -sS --max-time 10 --tftp-blksize 1400 -o "$dir/got" "tftp://$srv/big" 2>"$dir/err"
whole "TFTP: in large blocks" "$dir/got" "$dir/ftp/big"
at pump curl -sS --max-time 10 -T "$dir/up" "tftp://$srv/up" 2>"$dir/err"
until_ms 3000 cmp -s "$dir/up" "$dir/tftp/up" >/dev/null
whole "TFTP: a file put there" "$dir/up" "$dir/tftp/up"
fails "TFTP: the server answers nobody else" at beside curl -s --max-time 2 -o /dev/null "tftp://$pump/big"
flow_says() { ask events --all --json 2>/dev/null | tr -d ' ' | grep '"event_type":"flow"' | grep "\"service\":\"$1\",\"data_of\":\"$2\"" >/dev/null; }
soon "a flow says which line permits it, and what for" flow_says export ftp
check "and so it is read" bash -c "'$bw' flows --socket '$dir/run/control' | grep -q 'boot, data of tftp'"
check "what was opened is told" bash -c "'$bw' events --all --json --socket '$dir/run/control' | tr -d ' ' | grep -q '\"policy\":{\"service\":\"export\",\"opens_port\":'"
fails "nothing of it was refused" has_event policy.not_allowed

# ---- who else would like to ----

at srv python3 "$session" serve 30001 >/dev/null &
at beside python3 "$session" serve 30001 >/dev/null &
at srv python3 "$session" syns 02:00:00:95:00:11 600 6 >"$dir/low" 2>/dev/null &
low=$!
at beside python3 "$session" syns 02:00:00:95:00:11 30001 6 >"$dir/third" 2>/dev/null &
third=$!
sleep 0.5
at srv python3 "$py" port $pump $beside >"$dir/port" 2>&1
soon "a third machine's address is told" has_event policy.data_elsewhere '"dynamic_port":30001'
soon "a service's port, too" has_event policy.data_elsewhere '"dynamic_port":600'
wait $third $low
check "the third machine is not called" grep -qx 0 "$dir/third"
check "nor the service's port" grep -qx 0 "$dir/low"

for p in $(ip netns pids $id-srv); do
	[ "$(cat "/proc/$p/comm" 2>/dev/null)" != vsftpd ] || kill "$p"
done
until_ms 5000 no_ftp >/dev/null
at srv python3 "$py" serve $beside 2>/dev/null &
until_ms 5000 has_ftp >/dev/null
at pump timeout 60 python3 "$py" tries $srv 31 >"$dir/tries" 2>"$dir/err"
tried "IPv4"
came late false "IPv4: for 30 seconds"
came anew true "IPv4: and then anew"

# ---- what is under way ----

for p in $(ip netns pids $id-srv); do
	grep -q transfers.py "/proc/$p/cmdline" 2>/dev/null && kill "$p"
done
until_ms 5000 no_ftp >/dev/null
vsftpd_at srv
until_ms 5000 has_ftp >/dev/null
# under_way: a transfer of some seconds.
under_way() {
	at pump timeout 40 python3 "$py" slow $srv "$1" >"$dir/slow" 2>&1 &
	slow=$!
	until_ms 5000 grep -q ^150 "$dir/slow" >/dev/null
	sleep 0.5
}
came_through() { wait $slow; if grep -qx whole "$dir/slow"; then ok "$1"; else not "$1: $(cat "$dir/slow")"; fi; }
under_way 4
pid=$(pids _guard | head -1)
kill -9 "$pid" && ok "a guard dies" || not "a guard dies"
until_ms 5000 another "$pid" _guard >/dev/null
came_through "a transfer outlives a guard"
under_way 4
apply enforce '{service: renamed, proto: tcp, port: [21], peer: files, app: ftp}'
came_through "and another policy that permits it"
under_way 6
kill "$parent"; wait "$parent" 2>/dev/null
start
until_ms 15000 guarding >/dev/null
[ "${capture:-}" = packet ] || came_through "and the gateway's own restart"
under_way 20
fails "no transfer that ended by itself was told to be cut" has_event policy.data_ended
apply enforce "$tftp"
from=$(now_ms)
wait $slow
fails "a policy that forbids it cuts it" grep -qx whole "$dir/slow"
within $(($(now_ms) - from)) 16000 && ok "soon" || not "soon"
soon "and that is told" has_event policy.data_ended '"device":"pump-1"'

# ---- where nothing is held back ----

apply simulate "$ftp" "$tftp"
ask events --all --json 2>/dev/null | wc -l >"$dir/before"
get "simulate: a file by EPSV" pump "ftp://$srv/big"
get "simulate: by PORT" pump --disable-eprt --ftp-port - "ftp://$srv/big"
sleep 0.5
events | tail -n +$(($(cat "$dir/before") + 1)) | tr -d ' \n' | sed 's/{"timestamp/\n&/g' | grep '"would":"drop"' >"$dir/would"
if [ ! -s "$dir/would" ]; then ok "simulate: none of it would be refused"; else not "simulate: none of it would be refused: $(head -3 "$dir/would")"; fi
[ $failed = 0 ] || tail -20 "$dir/log"
exit $failed
