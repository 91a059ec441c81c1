#!/usr/bin/env bash
# relay.sh [BUILD]: the TLS relay against nginx's stream module, as Debian packages it: the same
# certificates, cipher, client and server, both pinned to one processor, in turns in one run. What
# counts is the CPU time of each one's process (schedstat), the median of ROUNDS (3; of messages 7).
# Messages: so many on each connection (MESSAGES, 400) that setting it up does not count.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
. bench/lib.sh
build=$(realpath "${1:-build}")
rounds=${ROUNDS:-3} mib=${MIB:-512}
needs_tools relay "nginx-light, libnginx-mod-stream" nginx
dir=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir" || exit 1

authority
certificate gateway
certificate device

cat >nginx.conf <<C
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
worker_processes 1; daemon off; master_process off; pid $dir/nginx.pid; error_log $dir/error.log;
events { worker_connections 20000; }
stream { server {
	listen 127.0.0.1:29443 ssl; proxy_pass 127.0.0.1:29100;
	ssl_certificate $dir/gateway.pem; ssl_certificate_key $dir/gateway.key; ssl_protocols TLSv1.3;
	ssl_verify_client on; ssl_client_certificate $dir/ca.pem; ssl_session_tickets off; tcp_nodelay on;
} }
C
cpu=$(($(nproc) - 1))
"$build/bench/bench-tls-load" sink 29100 & pids+=($!)
taskset -c $cpu nginx -p "$dir" -c "$dir/nginx.conf" & nginx=$!
taskset -c $cpu "$build/bench/bench-relay" serve 29444 29100 gateway.pem gateway.key ca.pem & ours=$!
pids+=("$nginx" "$ours")
sleep 0.5
# measure NAME PID PORT WHAT...: nanoseconds of CPU it took, appended to NAME
measure() {
	local name=$1 pid=$2 port=$3 what=$4 before
	shift 4
	before=$(spent "$pid")
	"$build/bench/bench-tls-load" "$what" "$port" device.pem device.key ca.pem "$@" | tail -n +2 >>"$name.us"
	sleep 0.2
	echo $(($(spent "$pid") - before)) >>"$name"
}
both() { # NAME WHAT...
	local name=$1
	shift
	for _ in $(seq "$rounds"); do
		measure "$name.nginx" $nginx 29443 "$@"
		measure "$name.ours" $ours 29444 "$@"
	done
}
# cost NAME WHAT PER UNIT MUST: the medians of what both spent.
cost() { against "relay: $2" "nginx stream" "$(median "$1.ours")" "$(median "$1.nginx")" "${@:3}"; }
both up up 64 "$mib"
both down down 64 "$mib"
paste -d+ up.ours down.ours | bc >bulk.ours
paste -d+ up.nginx down.nginx | bc >bulk.nginx
rounds=${ROUNDS:-7} both talk talk 200 "${MESSAGES:-400}"
both shake shake "${SHAKES:-500}"
us() { column "talk.$1.us" "$2" | median; }
gib=$(awk -v m="$mib" 'BEGIN { printf "%.0f", m / 1024 * 1e9 }') # of nanoseconds to a second
cost up "out of TLS, CPU per GiB, 64 connections" "$gib" s "-"
cost down "into TLS, CPU per GiB, 64 connections" "$gib" s "-"
cost bulk "both ways, CPU per GiB, 64 connections" "$((2 * gib))" s "<= 0.75x"
cost talk "1 KiB there and back on 200 connections, CPU each" "$((200 * ${MESSAGES:-400} * 1000))" us "<= 0.75x"
row "relay: the same, a message there and back, median and p99 (nginx stream: $(us nginx 1) and $(us nginx 2) us)" \
	"$(us ours 1) us and $(us ours 2) us" "-"
cost shake "a new connection with both certificates, CPU" "${SHAKES:-500}e6" ms "<= 1.1 ms, <= 0.75x"
