# shellcheck shell=bash
# What tests of two gateways, a and b, share: how they are run and asked, how each is told the other's
# authority, who listens between the two, and a file that goes from one machine to another.
# Sourced behind lib.sh. Their files are a.yaml and b.yaml in `dir`, which pair makes.

# pair WHAT TOOL...: with root, these tools and mounts of its own, or not at all.
pair() {
	local what=$1; shift
	needs "$what" tcpdump python3 "$@"
	inside "$what" -m
	own_names || exit 3
	workdir ""
	trap 'umount "$dir"/bpf-? 2>/dev/null; cleanup' EXIT
	cat >"$dir/tcp.py" <<'P'
# send IP PORT FILE: and prints the digest that the other end says it got. serve PORT N
import hashlib, socket, sys
def everything(s):
    h = hashlib.sha256()
    while True:
        b = s.recv(65536)
        if not b: return h.hexdigest()
        h.update(b)
if sys.argv[1] == "serve":
    try: l = socket.create_server(("", int(sys.argv[2])), family=socket.AF_INET6, dualstack_ipv6=True)
    except OSError: l = socket.create_server(("", int(sys.argv[2])))
    for _ in range(int(sys.argv[3])):
        c, _a = l.accept()
        c.sendall(everything(c).encode())
        c.close()
else:
    s = socket.create_connection((sys.argv[2], int(sys.argv[3])), timeout=10)
    s.sendall(open(sys.argv[4], "rb").read())
    s.shutdown(socket.SHUT_WR)
    print(s.recv(100, socket.MSG_WAITALL).decode())
P
}

run() { # G: its parent's pid in parent_G
	ip netns exec "$id-$1" "$bw" run -c "$dir/$1.yaml" >>"$dir/log-$1" 2>&1 &
	declare -g "parent_$1=$!"
}
say() { local g=$1 cmd=$2; shift 2; timeout 5 "$bw" "$cmd" "$@" --socket "$dir/run-$g/control"; }
state() { say "$1" status --json 2>/dev/null | sed 's/^ *//; s/": /":/g' | tr -d '\n'; }
alive() { local s; s=$(state "$1") && grep -q '"guards":\[{[^]]*"alive":true' <<<"$s"; }
up() { state "$1" | grep -o '"peers":\[{[^]]*' | grep -q '"up":true'; }
both_up() { up a && up b; }
told() { say "$1" events --all --json 2>/dev/null | sed 's/": /":/g' | grep -- "$2" >/dev/null; }
pid_of() { local p=parent_$1; pgrep -P "${!p}" -f "bedwarden _$2"; }

authority() { "$bw" pki show -c "$dir/$1.yaml" 2>/dev/null | sed -n '/BEGIN/,/END/p' >"$dir/ca-$1.pem"; grep -q BEGIN "$dir/ca-$1.pem"; }

pings() { at "$1" ping -c 1 -W 1 "$2" >/dev/null 2>&1; }
soon() { [ "$(until_ms 6000 "$@")" -ge 0 ]; }

# listen FILE [NS PORT]: all that goes over the wire.
listen() {
	ip netns exec "$id-${2:-wire}" tcpdump -Z root -q -i "${3:-br0}" --immediate-mode -U -s 0 -w "$1" 2>"$dir/tcpdump" &
	listener=$!
	until grep -qs listening "$dir/tcpdump"; do sleep 0.05; done
}
listened() { sleep 0.3; kill -TERM $listener; wait $listener 2>/dev/null; }
# seen FILE FILTER: how many such frames were seen.
seen() { tcpdump -nr "$1" "$2" 2>/dev/null | wc -l; }

arrives() { # TEXT FROM IP PORT SERVER FILE
	local got
	at "$5" timeout 20 python3 "$dir/tcp.py" serve "$4" 1 &
	sleep 0.4
	got=$(at "$2" timeout 20 python3 "$dir/tcp.py" send "$3" "$4" "$6" 2>>"$dir/tcp.log")
	if [ "$got" = "$(sha256sum <"$6" | cut -d' ' -f1)" ]; then ok "$1"; else not "$1 ('$got')"; fi
}

# acquaint POLICY: both run by policies that the function POLICY writes (G, and "with" their peer), and
# trust each other; how many ms later the link is up, or -1, in `ms`.
acquaint() {
	local g
	: >"$dir/ca-a.pem"; : >"$dir/ca-b.pem"
	for g in a b; do "$1" $g; run $g; done
	ms=$(until_ms 10000 alive a); [ "$ms" -ge 0 ] && ms=$(until_ms 10000 alive b)
	[ "$ms" -ge 0 ] || return
	# An authority is made when it is needed: with the first peer. Each then trusts the other's.
	for g in a b; do "$1" $g with; "$bw" policy apply -c "$dir/$g.yaml" >/dev/null; done
	for g in a b; do until_ms 10000 authority $g >/dev/null; done
	for g in a b; do "$bw" policy apply -c "$dir/$g.yaml" >/dev/null; done
	ms=$(until_ms 25000 both_up)
}
# dismiss: both end, and leave nothing for the next.
dismiss() {
	local g p
	for g in a b; do p=parent_$g; kill "${!p}"; wait "${!p}" 2>/dev/null; done
	rm -rf "$dir"/state-? "$dir"/run-? "$dir"/bpf-?/bw 2>/dev/null
}
