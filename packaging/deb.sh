#!/usr/bin/env bash
# A Debian package of what meson built: packaging/deb.sh BUILD_DIR. The package lies there afterwards,
# with its release (a tar archive for `bedwarden repo add`). Needs dpkg-dev, no network and no root.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "$1")
version=$(meson introspect "$build" --projectinfo | jq -r .version)
arch=$(dpkg --print-architecture)
root=$build/deb
rm -rf "$root"
umask 022
DESTDIR=$root meson install -C "$build" --quiet --no-rebuild
install -Dm644 packaging/bedwarden.yaml.example "$root/usr/share/doc/bedwarden/examples/bedwarden.yaml"
install -Dm644 packaging/bedwarden.default "$root/etc/default/bedwarden"
install -Dm644 packaging/bedwarden.tmpfiles "$root/usr/lib/tmpfiles.d/bedwarden.conf"
install -Dm644 LICENSE "$root/usr/share/doc/bedwarden/copyright"
find "$root/usr/share/man" -type f -name '*.[1-9]' -exec gzip -9n {} +
strip --strip-unneeded "$root/usr/sbin/"bedwarden*
mkdir -p "$root/etc/bedwarden" "$root/DEBIAN"
echo /etc/default/bedwarden >"$root/DEBIAN/conffiles"

# The libraries it is linked with, as the distribution calls them.
mkdir -p "$build/shlibs/debian"
printf 'Source: bedwarden\n\nPackage: bedwarden\nArchitecture: any\n' >"$build/shlibs/debian/control"
depends=$(cd "$build/shlibs" && dpkg-shlibdeps -O --ignore-missing-info -e"$root/usr/sbin/bedwarden" -e"$root/usr/sbin/bedwarden-agent" 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
# And the one that is loaded late, src/base/late_curl.c.
depends=$depends${depends:+, $(dpkg-query -S '*/libcurl.so.4' | sed 's/:.*//;q') (>= 7.85)}
[ -n "$depends" ] || { echo "deb.sh: the libraries that it needs are not known to dpkg" >&2; exit 1; }

cat >"$root/DEBIAN/control" <<-C
Package: bedwarden
Version: $version
Architecture: $arch
Maintainer: The Bedwarden authors <security@bedwarden.invalid>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: $depends
Recommends: ca-certificates, ieee-data
Section: net
Priority: optional
Description: security gateway in front of bedside devices
 Stands between a ward's devices and the rest of a hospital's network: blocks
 what a device's profile does not allow, watches vital signs for tampering,
 encrypts what leaves the ward, asks people for a second factor, and keeps
 itself and the devices behind it up to date.
C
cat >"$root/DEBIAN/postinst" <<-'C'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
	systemd-sysusers ${DPKG_ROOT:+--root="$DPKG_ROOT"} bedwarden.conf || true
	systemd-tmpfiles ${DPKG_ROOT:+--root="$DPKG_ROOT"} --create bedwarden.conf || true
	if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
		systemctl daemon-reload
		# The floor holds what passes until the new release guards.
		[ -z "$2" ] || systemctl try-restart bedwarden.service bedwarden-agent.service || true
	fi
fi
C
cat >"$root/DEBIAN/prerm" <<-'C'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
	systemctl disable --now bedwarden.service bedwarden-agent.service || true
fi
C
cat >"$root/DEBIAN/postrm" <<-'C'
#!/bin/sh
set -e
# Keys, vault and audit trail are never removed by a package, not even on purge.
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
C
chmod 755 "$root/DEBIAN"/p*
(cd "$root" && find usr etc -type f ! -path etc/default/bedwarden -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
deb=$build/bedwarden_${version}_$arch.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$deb" >/dev/null

# The same as a release that a running gateway takes over by itself.
release=$build/release
rm -rf "$release"
install -Dm755 "$root/usr/sbin/bedwarden" "$release/bin/bedwarden"
cp -r "$root/usr/share/bedwarden/profiles" "$release/profiles"
tar -C "$release" --format=ustar --owner=0 --group=0 --mtime=@0 -cf "$build/bedwarden-$version-$(uname -m).tar" \
	--verbatim-files-from -T <(cd "$release" && find . -type f -printf '%P\n' | LC_ALL=C sort)
printf '%s\n%s\n' "$deb" "$build/bedwarden-$version-$(uname -m).tar"
