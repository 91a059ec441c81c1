#!/usr/bin/env bash
# The Debian package, if `./dev package` has made one: what is in it, that it installs into an empty
# root, that systemd takes its unit, and that what is installed runs. usage: test/package.sh
cd "$(dirname "$0")/.." || exit 1
deb=$(ls -t build-package/*.deb 2>/dev/null | head -1)
[ "$deb" ] || { echo "skip - the Debian package: './dev package' has not made one"; exit 0; }
code=0
result() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; code=1; fi; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

[ "$(dpkg-deb -f "$deb" Package)" = bedwarden ] && dpkg-deb -f "$deb" Depends | grep -q libc6
result $? "the package says what it needs"
# shellcheck disable=SC2046 # words
missing=$(dpkg-deb -f "$deb" Depends | tr ',|' '\n\n' | sed 's/(.*//; s/ //g' | while read -r p; do
	dpkg-query -W "$p" >/dev/null 2>&1 || echo "$p"
done)
[ -z "$missing" ]
result $? "all of it is Debian's and here${missing:+ (not: $missing)}"
bad=$(dpkg-deb -c "$deb" | awk '$2 != "root/root" || $1 ~ /^.....w|^........w/ && $1 !~ /^l/')
[ -z "$bad" ]
result $? "everything is root's to write${bad:+: $bad}"
dpkg-deb -I "$deb" conffiles | grep -qx /etc/default/bedwarden
result $? "the administrator's file is a conffile"

if [ "$(id -u)" = 0 ]; then
	mkdir -p "$dir"/{var/lib/dpkg/{info,updates,triggers},etc,usr,run} && touch "$dir/var/lib/dpkg/status"
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$dir/etc/passwd"
	printf 'root:x:0:\n' >"$dir/etc/group"
	dpkg --root="$dir" --force-depends --force-script-chrootless -i "$deb" >"$dir/log" 2>&1
	result $? "dpkg installs it into an empty root"
	grep -q '^bedwarden:' "$dir/etc/passwd"
	result $? "its user is made"
	[ "$(stat -c '%u %a' "$dir/var/lib/bedwarden-updates" 2>/dev/null)" = "0 755" ]
	result $? "the folder of verified updates is root's alone"
	echo changed >>"$dir/etc/default/bedwarden"
	dpkg --root="$dir" --force-depends --force-script-chrootless --force-confold -i "$deb" >>"$dir/log" 2>&1 &&
		grep -q changed "$dir/etc/default/bedwarden"
	result $? "an upgrade keeps what the administrator changed"
else
	echo "skip - installing the package: needs root"
	dpkg-deb -x "$deb" "$dir"
fi
[ -x "$dir/usr/sbin/bedwarden" ] || dpkg-deb -x "$deb" "$dir"
"$dir/usr/sbin/bedwarden" --version | grep -q '^bedwarden '
result $? "the program in it runs"
"$dir/usr/sbin/bedwarden" agent -c "$dir/none" 2>&1 | grep -q "bedwarden-agent: settings: $dir/none"
result $? "and the agent, by its name"
sed 's/ward: eth1/ward: lo/; s/hospital: eth0/hospital: h0/' "$dir/usr/share/doc/bedwarden/examples/bedwarden.yaml" >"$dir/policy.yaml"
"$dir/usr/sbin/bedwarden" policy check "$dir/policy.yaml" >/dev/null
result $? "its example of a policy is one"
[ "$(ls "$dir/usr/share/bedwarden/profiles" | wc -l)" = "$(ls profiles | wc -l)" ]
result $? "all profiles are in it"
for page in "$dir"/usr/share/man/man*/*.gz; do zcat "$page" | mandoc -Tlint -W warning; done
result $? "its manual is well-formed"
if command -v systemd-analyze >/dev/null; then
	# By this machine's own units, with the program where it is now.
	mkdir "$dir/unit"
	for unit in bedwarden bedwarden-agent; do
		sed "s,/usr/sbin/bedwarden,$dir&," "$dir/usr/lib/systemd/system/$unit.service" >"$dir/unit/$unit.service"
		systemd-analyze verify --man=no "$dir/unit/$unit.service" >"$dir/verify" 2>&1
		! grep -i bedwarden "$dir/verify"
		result $? "systemd takes its unit $unit.service"
	done
else
	echo "skip - systemd takes its unit: systemd-analyze is missing"
fi
[ $code = 0 ] || grep -hv "depends on\|is not installed" "$dir/log" "$dir/verify" 2>/dev/null
exit $code
