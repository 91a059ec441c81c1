#!/usr/bin/env bash
# Between a device that searches a group and machines that answer to the port that asked: SSDP by
# sockets of our own, WS-Discovery by wsdd at both ends. Who searched is answered, under the line that lets it
# search; who did not, and who did for too long ago, is not.
# usage: test/e2e/searches.sh [BINARY]
set -uo pipefail
self=$(dirname "$(realpath "$0")")
bw=$(realpath "${1:-build/bedwarden}")
id=bwq$$
spaces="gw mon hos"
. "$self/lib.sh"

what="answers to searches"
[ "$(id -u)" = 0 ] || skip_all "$what: needs root for network namespaces"
needs "$what" python3 wsdd
workdir "${2:-}"

policy() {
	cat <<-Y
	gateway: {name: searches, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
	segments:
	  - {name: icu, ward: w0, hospital: h0}
	hosts:
	  - {name: printer-1, ip: [10.94.0.1], mac: "02:00:00:94:00:01", role: [printer]}
	devices:
	  - name: seeker-1
	    segment: icu
	    mac: "02:00:00:94:00:77"
	    ip: [10.94.0.77]
	    starts:
	      - {service: search, proto: udp, port: [1900], peer: multicast}
	      - {service: discovery, proto: udp, port: [3702], peer: multicast, app: sdc, control: no}
	      - {service: description, proto: tcp, port: [5357], peer: printer}
	Y
}

cat >"$dir/ssdp.py" <<'P'
# serve: answers every search from a port of its own, and again after LATE seconds. seek: asks, and prints who
# answered within 2 s. unasked PORT: sends to the seeker's port.
import socket, sys, time
GROUP = ("239.255.255.250", 1900)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1] == "serve":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", 1900))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP[0]) + socket.inet_aton("10.94.0.1"))
    print("ready", flush=True)
    while True:
        asked, who = s.recvfrom(2000)
        if asked.startswith(b"M-SEARCH"):
            a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            for number in range(3):
                a.sendto(b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nUSN: uuid:%d\r\n\r\n" % number, who)
elif sys.argv[1] == "seek":
    s.bind(("10.94.0.77", 40000))
    s.settimeout(2)
    heard = []
    if len(sys.argv) < 3:
        s.sendto(b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n", GROUP)
    print("asked", flush=True)
    try:
        while True: heard.append(s.recvfrom(2000)[1][0])
    except TimeoutError: pass
    print("heard", len(heard), flush=True)
else:
    s.sendto(b"HTTP/1.1 200 OK\r\n\r\n", ("10.94.0.77", 40000))
P

listening() { grep -q ready "$dir/served"; }
heard() { at mon timeout 9 python3 "$dir/ssdp.py" seek "$@" | sed -n 's/^heard //p'; }
refused() { has_event policy.inbound_not_allowed '"dest_port":40000'; }
discovered() { grep -q 'discovered PRINTER' "$dir/wsdd"; }

make_line || skip_all "$what: no network namespaces here"
machine mon 02:00:00:94:00:77 10.94.0.77/24
machine hos 02:00:00:94:00:01 10.94.0.1/24
for ns in mon hos; do at $ns ip route add 224.0.0.0/4 dev e0; done
at gw ip link set w0 up
at gw ip link set h0 up
policy >"$dir/bw.yaml"
start
[ "$(until_ms 15000 guarding)" -ge 0 ] || { tail -5 "$dir/log"; not "it guards"; exit 1; }

at hos python3 "$dir/ssdp.py" unasked
soon "an answer that nobody asked for is refused" refused
at hos python3 "$dir/ssdp.py" serve >"$dir/served" & disown
until_ms 5000 listening >/dev/null
n=$(heard)
if [ "$n" = 3 ]; then ok "a search is answered, from any port"; else not "a search was answered ${n:-none} times of 3"; fi
sleep 10.5
(sleep 1; at hos python3 "$dir/ssdp.py" unasked) &
n=$(heard silently)
if [ "$n" = 0 ]; then ok "ten seconds behind it nobody comes in"; else not "${n:-none} came in ten seconds behind"; fi

at hos wsdd -4 -i e0 -n PRINTER -U 00000000-0000-0000-0000-00000000000d >/dev/null 2>&1 & disown
sleep 1
at mon wsdd -4 -i e0 -D -o -vv >"$dir/wsdd" 2>&1 & disown
soon "wsdd finds what answers (WS-Discovery)" discovered
exit $failed
