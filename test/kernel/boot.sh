#!/bin/bash
# Runs a command as root under another kernel: boots it in qemu over this
# machine's own file system (read-only; /tmp and /run are fresh).
# KERNEL is an unpacked kernel package (dpkg -x), with boot/ and lib/modules/.
# Ends with the command's exit code. Needs qemu-system-x86, busybox, cpio, kmod.
# usage: test/kernel/boot.sh KERNEL COMMAND...
set -eu
[ $# -ge 2 ] || { sed -n '2,6s/^# //p' "$0"; exit 2; }
kernel=$(realpath "$1") && shift
vmlinuz=$(ls "$kernel"/boot/vmlinuz-*)
release=${vmlinuz##*/vmlinuz-}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/fs/bin" "$tmp/fs/root" "$tmp/fs/ko"
depmod -b "$kernel" "$release"

# The rest of the world comes over 9p: only what reads it must be in the initramfs.
cp "$(command -v busybox)" "$tmp/fs/bin/"
ldd "$(command -v busybox)" | grep -o '/[^ )]*' | xargs -rI{} cp -L --parents {} "$tmp/fs" || true
for module in virtio_pci 9pnet_virtio 9p veth bridge 8021q e1000e virtio_net; do
	modprobe -d "$kernel" -S "$release" -D "$module" | sed -n 's/^insmod //p'
done | awk '!seen[$1]++ {print $1}' >"$tmp/list"
while read -r file; do
	cp "$file" "$tmp/fs/ko/"
	echo "${file##*/}"
done <"$tmp/list" >"$tmp/fs/order"
printf 'cd %q\n' "$PWD" >"$tmp/fs/command"
printf '%q ' "$@" >>"$tmp/fs/command"

cat >"$tmp/fs/init" <<'INIT'
#!/bin/busybox sh
bb=/bin/busybox
for ko in $($bb cat /order); do $bb insmod /ko/$ko; done
$bb mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose host /root
$bb mount -t devtmpfs none /root/dev
$bb mkdir -p /root/dev/pts /root/dev/shm
$bb mount -t proc none /root/proc
$bb mount -t sysfs none /root/sys
$bb mount -t bpf none /root/sys/fs/bpf
$bb mount -t tmpfs none /root/run
$bb mount -t tmpfs none /root/tmp
$bb chmod 1777 /root/tmp
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp
$bb uname -r
# Not chroot: there, the kernel lets nobody make a user namespace.
exec $bb switch_root /root /bin/bash -c "($($bb cat /command)); "'echo "exit code $?"; echo o >/proc/sysrq-trigger; sleep 9'
INIT
chmod +x "$tmp/fs/init"
(cd "$tmp/fs" && find . | cpio -o -H newc 2>/dev/null) >"$tmp/initrd"
qemu-system-x86_64 -accel tcg,thread=multi -cpu max,arch-capabilities=off -m 1024 -smp 2 -display none -vga none -no-reboot \
	-kernel "$vmlinuz" -initrd "$tmp/initrd" -append "console=ttyS0 quiet panic=-1" \
	-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
	-net none -monitor none -serial stdio </dev/null 2>"$tmp/why" | sed -u 's|\r||' | tee "$tmp/said"
[ -s "$tmp/said" ] || cat "$tmp/why" >&2
exit "$(sed -n 's/^exit code //p' "$tmp/said" | tail -1 | grep . || echo 1)"
