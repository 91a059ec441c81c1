#!/usr/bin/env bash
# Images that others made, sent by DCMTK as they are in every transfer syntax
# they have, over a wire that is recorded: what `inspect` says of them is what
# tshark and the sender's own log say, and no patient is named.
# usage: test/e2e/dicom.sh [BINARY]
set -uo pipefail
bw=$(realpath "${1:-build/bedwarden}")
cd "$(dirname "$0")/../.." || exit 1
id=bwd$$
spaces="dev srv"
. test/e2e/lib.sh
data=${BEDWARDEN_DATA:-../shared/data}/dicom
[ "$(id -u)" = 0 ] || skip_all "images of others: needs root for network namespaces"
[ -d "$data" ] || skip_all "images of others: no folder $data"
data=$(realpath "$data")

workdir
make_spaces || exit 1
at dev ip link add e0 type veth peer name e0 netns $id-srv
for ns in dev srv; do at $ns ip link set e0 up; done
at dev ip addr add 10.9.1.12/16 dev e0
at srv ip addr add 10.9.0.5/16 dev e0
for ns in dev srv; do at $ns ethtool -K e0 tx off rx off tso off gso off gro off >/dev/null; done
work=$dir
on() { at "$@"; }
. test/pcap/dicom.sh

mkdir "$dir/images-of-others" "$dir/in"
at srv tcpdump -Z root -q -i e0 --immediate-mode -U -w "$dir/images-of-others/input.pcap" 2>"$dir/tcpdump" &
until grep -qs listening "$dir/tcpdump"; do sleep 0.1; done
dicom_serve storescp srv storescp -d +xa -od "$dir/in" -aet ARCHIVE 104
dicom_ask dcmsend dcmsend -d -nh +sd +r -aet CT1 -aec ARCHIVE 10.9.0.5 104 "$data"
sleep 0.5
ip netns pids $id-srv | xargs -r kill -INT 2>/dev/null
wait 2>/dev/null
cp "$dir/said/dcmsend.log" "$dir/images-of-others/"

received=$(find "$dir/in" -type f | wc -l)
if [ "$received" -ge 20 ]; then ok "$received images arrive"; else not "only $received images arrive"; fi
test/pcap/dicom_peers.py "$bw" "$dir/images-of-others" || failed=1
"$bw" inspect -r "$dir/images-of-others/input.pcap" | jq -c .dicom >"$dir/events"
dcmdump -q +sd +r +P PatientName +P PatientID "$data" 2>/dev/null | sed -n 's/.*\[\([^]]\{4,\}\)\].*/\1/p' | sort -u >"$dir/patients"
if [ -s "$dir/patients" ] && ! grep -qFf "$dir/patients" "$dir/events"; then
	ok "none of $(wc -l <"$dir/patients") patients is named"
else
	not "a patient is named"
fi
exit $failed
