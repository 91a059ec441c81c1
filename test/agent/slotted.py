#!/usr/bin/env python3
"""A device of two raw slots and a boot loader of our own, with the agent on it, RAUC its installer. Everything lies in the
folder that is the current one; maker.pem and maker.key there are who signs.

slotted.py ready                  why that cannot be had here; nothing: it can
slotted.py makers                 maker and thief, their keys and certificates
slotted.py bundle FILE VERSION [ill]
slotted.py run AGENT CONNECTION   until it is ended; CONNECTION is a file with the agent's settings for its gateway
As a module it is what installers.py is made of."""
import os, random, shutil, signal, subprocess, sys, threading, time

SIZE = 1 << 20
OTHER = {"a": "b", "b": "a"}


def run(*argv):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def image(version, well=True):
    """A file system as far as this test needs one: which version it is, and whether it will be well."""
    head = b"%s\n%s\n" % (version.encode(), b"well" if well else b"ill")
    return (head + random.Random(version).randbytes(SIZE))[:SIZE]


def read(name, default=None):
    try:
        with open(name) as f:
            return f.read().strip()
    except OSError:
        return default


def write(name, text):
    with open(name + ".new", "w") as f:
        f.write(text)
    os.rename(name + ".new", name)


class Machine:
    """A device with two slots: its boot loader takes the one that is primary and not bad, else the other."""

    def __init__(self, agent, connection):
        self.agent_path = agent
        for d in "boot", "run", "agent":
            os.makedirs(d, exist_ok=True)
        with open("slot-a", "wb") as a, open("slot-b", "wb") as b:
            a.write(image("1.0"))
            b.write(bytes(SIZE))
        write("boot/primary", "a")
        write("boot/a", "good")
        write("boot/b", "bad")
        write("restart", "#!/bin/sh\n: >%s/run/reboot\n" % os.getcwd())
        os.chmod("restart", 0o755)
        with open("conf", "w") as f:
            f.write("%sstate = agent\npoll = 1\ntrial = 30\nversion-file = run/version\n%srestart = %s/restart\n"
                    "health = /bin/grep -q ^well run/well\n" % (connection, self.settings(), os.getcwd()))
        self.log = open("log", "ab")
        self.agent = None
        self.lock = threading.Lock()
        self.on = True
        self.power_on()
        threading.Thread(target=self.watch, daemon=True).start()

    def next(self):
        p = read("boot/primary")
        return p if read("boot/" + p) == "good" else OTHER[p]

    def version(self):
        return read("run/version")

    def power_on(self):
        self.slot = self.next()
        with open("slot-" + self.slot, "rb") as f:
            head = f.read(64).split(b"\n")
        write("run/slot", self.slot)
        write("run/version", head[0].decode("latin1"))
        write("run/well", head[1].decode("latin1") if len(head) > 1 else "")
        if os.path.exists("run/reboot"):
            os.unlink("run/reboot")
        self.boot_services()
        self.agent = subprocess.Popen([self.agent_path, "-c", "conf"], stderr=self.log, env={**os.environ, **self.environ()})

    def power_off(self):
        if self.agent:
            self.agent.kill()
            self.agent.wait()
        self.kill_services()

    def cut(self):
        with self.lock:
            self.power_off()
            problem = self.judge()
            self.power_on()
        return problem

    def judge(self):
        """What would start now is whole, an old one or a new one."""
        with open("slot-" + self.next(), "rb") as f:
            data = f.read(SIZE)
        version = data.split(b"\n")[0].decode("latin1")
        return None if version in self.good and data == image(version) else "slot %s, primary %s, version %r" % (
            self.next(), read("boot/primary"), version[:20])

    def watch(self):
        while self.on:
            time.sleep(0.05)
            if os.path.exists("run/reboot"):
                with self.lock:
                    self.power_off()
                    self.power_on()

    def end(self):
        self.on = False
        with self.lock:
            self.power_off()

    def boot_services(self):
        pass

    def kill_services(self):
        pass

    def environ(self):
        return {}


# --- RAUC --------------------------------------------------------------------------------------------------
BACKEND = """#!/bin/sh
cd %s/boot
name() { case $1 in A) echo a ;; B) echo b ;; esac }
put() { echo "$2" >"$1.new" && mv "$1.new" "$1"; }
case $1 in
get-primary) case $(cat primary) in a) echo A ;; b) echo B ;; esac ;;
set-primary) put "$(name "$2")" good && put primary "$(name "$2")" ;;
get-state) cat "$(name "$2")" ;;
set-state) put "$(name "$2")" "$3" ;;
*) exit 1 ;;
esac
"""
SYSTEM = """[system]
compatible=Acme Pump
bootloader=custom
mountprefix={0}/mnt
statusfile={0}/rauc.status
bundle-formats=plain
[handlers]
bootloader-custom-backend={0}/backend
[keyring]
path={0}/maker.pem
[slot.rootfs.0]
device={0}/slot-a
type=raw
bootname=A
[slot.rootfs.1]
device={0}/slot-b
type=raw
bootname=B
"""
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=%s/bus</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>
"""


class Rauc(Machine):
    def settings(self):
        return "installer = rauc\n"

    def environ(self):
        return {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=%s/bus" % os.getcwd()}

    def boot_services(self):
        self.service = subprocess.Popen(["rauc", "-c", "system.conf", "--override-boot-slot=" + self.slot.upper(), "service"],
                                        stdout=self.log, stderr=self.log, env={**os.environ, **self.environ()}, start_new_session=True)

    def kill_services(self):
        os.killpg(self.service.pid, signal.SIGKILL)
        self.service.wait()
        if os.path.ismount("mnt/bundle"):
            subprocess.run(["umount", "-l", "mnt/bundle"], stderr=subprocess.DEVNULL)


def rauc_bundle(path, data, maker="maker", compatible="Acme Pump"):
    shutil.rmtree("in", ignore_errors=True)
    os.mkdir("in")
    with open("in/rootfs.img", "wb") as f:
        f.write(data)
    with open("in/manifest.raucm", "w") as f:
        f.write("[update]\ncompatible=%s\nversion=1\n[image.rootfs]\nfilename=rootfs.img\n" % compatible)
    if os.path.exists(path):
        os.unlink(path)
    run("rauc", "--cert", maker + ".pem", "--key", maker + ".key", "bundle", "in", path)


def rauc_ready():
    for tool in "rauc", "dbus-daemon", "mksquashfs":
        if not shutil.which(tool):
            return tool + " is not there"
    if os.geteuid():
        return "needs root"
    rauc_bundle("probe.bundle", image("0"))
    os.makedirs("probe", exist_ok=True)
    if subprocess.run(["mount", "-o", "loop,ro", "-t", "squashfs", "probe.bundle", "probe"], stderr=subprocess.DEVNULL).returncode:
        return "no bundle can be mounted here (loop devices, squashfs)"
    run("umount", "probe")
    return None


def rauc_prepare():
    """The system's files and its bus, which is to be ended."""
    for name, text in ("backend", BACKEND % os.getcwd()), ("system.conf", SYSTEM.format(os.getcwd())), ("bus.conf", BUS % os.getcwd()):
        write(name, text)
    os.chmod("backend", 0o755)
    os.makedirs("mnt", exist_ok=True)
    bus = subprocess.Popen(["dbus-daemon", "--config-file=bus.conf", "--nofork", "--nopidfile"], stderr=subprocess.DEVNULL)
    while not os.path.exists("bus") and bus.poll() is None:
        time.sleep(0.05)
    return bus


def makers():
    for who in "maker", "thief":
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=" + who, "-addext",
            "extendedKeyUsage=emailProtection", "-keyout", who + ".key", "-out", who + ".pem")


def live(agent, connection):
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *a: ended.set())
    bus = rauc_prepare()
    with open(connection) as f:
        device = Rauc(agent, f.read())
    ended.wait()
    device.end()
    bus.kill()


if __name__ == "__main__":
    what, args = sys.argv[1], sys.argv[2:]
    if what == "ready":
        print(rauc_ready() or "")
    elif what == "makers":
        makers()
    elif what == "bundle":
        rauc_bundle(args[0], image(args[1], well=len(args) < 3))
    else:
        live(*args)
