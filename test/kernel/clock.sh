#!/usr/bin/env bash
# Somebody sets the machine's clock, an hour on and two back, while a gateway
# guards: each is an event, and guarding goes on. Only for a machine that is
# nobody's: run it by boot.sh, in which it is the one that qemu emulates.
# usage: test/kernel/boot.sh KERNEL test/kernel/clock.sh [BINARY]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwc$$
spaces="gw sw mon hos"
. test/e2e/lib.sh

grep -q ' / 9p ' /proc/mounts || skip_all "a clock that is set: this is not the machine of test/kernel/boot.sh"
workdir
make_ward mon || skip_all "a clock that is set: no network namespaces here"
machine mon 02:00:00:93:00:11 10.93.0.11/24
machine hos 02:00:00:93:00:01 10.93.0.1/24
cat >"$dir/bw.yaml" <<Y
gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
segments:
  - {name: icu, ward: w0, hospital: h0, isolated: no, mode: enforce, unknown_devices: block, binding: block}
hosts:
  - {name: central-1, ip: [10.93.0.1], role: [central]}
devices:
  - name: monitor-1
    segment: icu
    mac: "02:00:00:93:00:11"
    ip: [10.93.0.11]
    starts:
      - {service: ping, proto: icmp, port: [8], peer: central, action: inspect}
Y
start
[ "$(until_ms 120000 guarding)" != -1 ] || { not "the gateway starts"; tail "$dir/log"; exit 1; }
ok "the gateway starts"
guard=$(pids _guard)
check "what is inspected passes" at mon ping -c 2 -W 5 10.93.0.1

# set SECONDS WORDS: the clock, and what must come of it.
set_clock() {
	date -s "@$(($(date +%s) + $1))" >/dev/null
	sleep 5
	check "$2 is an event" has_event gateway.clock_jump "$3"
	check "$2: what is inspected passes on" at mon ping -c 2 -W 5 10.93.0.1
	check "$2: the same guard guards on" [ "$(pids _guard)" = "$guard" ]
}
set_clock 3600 "a clock set forward by an hour" 'set forward by 3[56]'
set_clock -7200 "a clock set back by two hours" 'set back by 7[12]'
[ $failed = 0 ] || tail -20 "$dir/log"
exit $failed
