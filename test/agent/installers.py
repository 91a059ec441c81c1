#!/usr/bin/env python3
"""The agent drives RAUC and SWUpdate themselves, with bundles that their maker signed, on a device of two raw slots
and a boot loader of our own: the way it should be, a release that is not well, what the maker did not sign, and power
cuts at random moments. usage: installers.py AGENT KIT [KILLS]"""
import hashlib, os, random, shutil, signal, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa
from common import *  # noqa

agent_path, kit_path = map(os.path.abspath, sys.argv[1:3])
kills = int(sys.argv[3]) if len(sys.argv) > 3 else 12
work = tempfile.mkdtemp(prefix="bw-installers.")
os.chdir(work)
port = 20000 + os.getpid() % 20000
SIZE = 1 << 20
OTHER = {"a": "b", "b": "a"}


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

    def __init__(self, name):
        self.name = name
        for d in "boot", "run", "agent":
            os.makedirs(d, exist_ok=True)
        with open("slot-a", "wb") as a, open("slot-b", "wb") as b:
            a.write(image("1.0"))
            b.write(bytes(SIZE))
        write("boot/primary", "a")
        write("boot/a", "good")
        write("boot/b", "bad")
        write("restart", "#!/bin/sh\n: >%s/run/reboot\n" % work)
        os.chmod("restart", 0o755)
        with open("conf", "w") as f:
            f.write("server = 127.0.0.1\nport = %d\nname = gw.example\nca = ca.pem\ncertificate = pump-1.pem\nkey = pump-1.key\n"
                    "vendor = Acme\nmodel = Pump\nstate = agent\npoll = 1\ntrial = 30\nversion-file = run/version\n%srestart = %s/restart\n"
                    "health = /bin/grep -q ^well run/well\n" % (port, self.settings(), work))
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
        self.agent = subprocess.Popen([agent_path, "-c", "conf"], stderr=self.log, env={**os.environ, **self.environ()})

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
        return {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=%s/bus" % work}

    def boot_services(self):
        self.service = subprocess.Popen(["rauc", "-c", "system.conf", "--override-boot-slot=" + self.slot.upper(), "service"],
                                        stdout=self.log, stderr=self.log, env={**os.environ, **self.environ()}, start_new_session=True)

    def kill_services(self):
        os.killpg(self.service.pid, signal.SIGKILL)
        self.service.wait()
        if os.path.ismount("mnt/bundle"):
            subprocess.run(["umount", "-l", "mnt/bundle"], stderr=subprocess.DEVNULL)


def rauc_bundle(name, data, maker="maker", compatible="Acme Pump"):
    shutil.rmtree("in", ignore_errors=True)
    os.mkdir("in")
    with open("in/rootfs.img", "wb") as f:
        f.write(data)
    with open("in/manifest.raucm", "w") as f:
        f.write("[update]\ncompatible=%s\nversion=1\n[image.rootfs]\nfilename=rootfs.img\n" % compatible)
    if os.path.exists("targets/" + name):
        os.unlink("targets/" + name)
    run("rauc", "--cert", maker + ".pem", "--key", maker + ".key", "bundle", "in", "targets/" + name)


def rauc_ready():
    for tool in "rauc", "dbus-daemon", "mksquashfs":
        if not shutil.which(tool):
            return tool + " is not there"
    if os.geteuid():
        return "needs root"
    rauc_bundle("probe", image("0"))
    os.makedirs("probe", exist_ok=True)
    if subprocess.run(["mount", "-o", "loop,ro", "-t", "squashfs", "targets/probe", "probe"], stderr=subprocess.DEVNULL).returncode:
        return "no bundle can be mounted here (loop devices, squashfs)"
    run("umount", "probe")
    return None


# --- SWUpdate ----------------------------------------------------------------------------------------------
class Swupdate(Machine):
    """Its two choices are the two slots; the boot loader's variables are libubootenv's, in a file."""

    def settings(self):
        for name, text in (("install", """#!/bin/sh
case $(cat {0}/run/slot) in a) next=b ;; *) next=a ;; esac
echo bad >{0}/boot/$next.new && mv {0}/boot/$next.new {0}/boot/$next || exit 1
swupdate -k {0}/maker.pem -H pump:r2 -e stable,$next -i "$1" || exit 1
echo good >{0}/boot/$next.new && mv {0}/boot/$next.new {0}/boot/$next && {0}/choose $next
"""), ("choose", """#!/bin/sh
fw_setenv -c {0}/env.config slot "$1" && fw_printenv -c {0}/env.config -n slot >{0}/boot/primary.new && mv {0}/boot/primary.new {0}/boot/primary
""")):
            write(name, text.format(work))
            os.chmod(name, 0o755)
        write("env.config", "%s/env 0 0x4000\n" % work)
        with open("env", "wb") as f:
            f.write(bytes(0x4000))
        with open("env.txt", "w") as f:
            f.write("slot=a\nustate=0\n")
        subprocess.run(["fw_setenv", "-c", "env.config", "-f", "env.txt", "-s", "env.script"], stderr=subprocess.DEVNULL)
        return ("installer = swupdate\ninstall = {0}/install {{}}\nback = {0}/choose {{was}}\nslot = /bin/cat {0}/run/slot\n"
                "keep = fw_setenv -c {0}/env.config ustate 0\n").format(work)

    def environ(self):
        return {"TMPDIR": work}  # where its sockets are

    def kill_services(self):
        # A power cut ends everything; what the agent had started is in its session no more.
        subprocess.run(["sh", "-c", "for p in $(pgrep -f '%s/([i]nstall|[m]aker.pem)'); do kill -9 $p; done" % work])


def cpio(files):
    """The archive that SWUpdate reads: new ASCII form with sums (070702), what it must know first in front."""
    out = bytearray()

    def put(name, data, inode):
        nonlocal out
        fields = (inode, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, sum(data) & 0xffffffff)
        out += b"070702" + b"".join(b"%08x" % n for n in fields) + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    for i, (name, data) in enumerate(files):
        put(name, data, i + 1)
    put("TRAILER!!!", b"", 0)
    return bytes(out + bytes(-len(out) % 512))


def swupdate_bundle(name, data, maker="maker", tamper=False):
    sha = hashlib.sha256(data).hexdigest()
    modes = "".join('%s: { images: ( { filename = "rootfs.img"; device = "%s/slot-%s"; type = "raw"; sha256 = "%s"; } ); };\n'
                    % (s, work, s, sha) for s in "ab")
    with open("sw-description", "w") as f:
        f.write('software =\n{\nversion = "1";\nhardware-compatibility: [ "r2" ];\nstable = {\n%s};\n}\n' % modes)
    run("openssl", "cms", "-sign", "-in", "sw-description", "-out", "sw-description.sig", "-signer", maker + ".pem", "-inkey", maker + ".key",
        "-outform", "DER", "-nosmimecap", "-binary")
    description = open("sw-description", "rb").read()
    with open("targets/" + name, "wb") as f:
        f.write(cpio([("sw-description", description), ("sw-description.sig", open("sw-description.sig", "rb").read()),
                      ("rootfs.img", data[:-1] + b"!" if tamper else data)]))


def swupdate_ready():
    for tool in "swupdate", "fw_setenv":
        if not shutil.which(tool):
            return tool + " is not there"
    return "needs root" if os.geteuid() else None


# --- the same of both --------------------------------------------------------------------------------------
def story(name, machine, bundle, refused):
    """`refused`: what its maker did not make, as (words, bundle's name)."""
    kit = Kit(kit_path, port)
    for version in "2.0", "4.0":
        bundle("pump-" + version, image(version))
    bundle("pump-3.0", image("3.0", well=False))
    device = machine("pump-1")
    device.good = {"1.0"}

    def roll(id, version, previous="-"):
        kit.say("add", id, "pump-" + version, version, previous, "pump-1")
        kit.say("approve", id)

    def untouched(slot, version):
        with open("slot-" + slot, "rb") as f:
            return f.read() == image(version)
    check(name + ": an agent is there", until(lambda: device.version() == "1.0"), read("log"))
    roll("r2", "2.0")
    runs = until(lambda: device.version() == "2.0")
    check(name + ": firmware of its maker runs", runs, read("log"))
    if not runs:
        device.end()
        kit.kill()
        return
    check(name + ": and is done", until(lambda: kit.show("r2")["state"] == "done"), kit.say("show", "r2"))
    check(name + ": in the other slot, the old one as it was", device.slot == "b" and untouched("a", "1.0") and untouched("b", "2.0"))
    check(name + ": what is kept is marked so", until(lambda: '"state":0' in read("agent/memory.json", "").replace(" ", "")) and read("boot/b") == "good", read("log"))
    roll("r3", "3.0")
    check(name + ": a release that is not well is taken back", until(lambda: kit.show("r3")["state"] == "stopped", 60), kit.say("show", "r3"))
    check(name + ": and the old one runs", until(lambda: device.version() == "2.0", 20) and device.next() == "b" and untouched("b", "2.0"), read("log"))
    for words, target in refused:
        version = target.split("-")[1]
        kit.say("add", target, target, version, "-", "pump-1")
        kit.say("approve", target)
        check("%s: %s is refused by the device itself" % (name, words), until(lambda: kit.step(target, "pump-1")["attempts"] > 0), read("log"))
        check("%s: and 2.0 is what starts next" % name, device.version() == "2.0" and device.next() == "b" and untouched("b", "2.0"), read("boot/primary"))
    kit.kill()
    for f in os.listdir("rollouts"):
        if "pump-" in f:
            os.unlink("rollouts/" + f)
    kit = Kit(kit_path, port)
    device.good = {"2.0", "4.0"}
    wrong, chance, cuts, rounds = None, random.Random(kills), 0, 0
    while cuts < kills and not wrong:  # there and back again, so that there is something to interrupt
        rounds += 1
        version, id = ("4.0", "2.0")[rounds % 2 == 0], "cut%d" % rounds
        roll(id, version)
        while cuts < kills and kit.show(id)["state"] == "running":
            time.sleep(chance.random() * 1.5)
            if kit.show(id)["state"] == "running":
                wrong = wrong or device.cut()
                cuts += 1
    check("%s: %d power cuts at random moments of %d rollouts: what starts is always a whole old or new one" % (name, cuts, rounds), not wrong, wrong)
    ended = until(lambda: kit.show(id)["state"] in ("done", "stopped"), 60)
    check(name + ": and it comes to an end", ended and device.version() in ("2.0", "4.0"), (kit.say("show", id), read("log")[-1500:]))
    device.end()
    kit.kill()
    for d in "agent", "rollouts", "boot", "run":
        shutil.rmtree(d)
    os.mkdir("rollouts")


def makers():
    for who in "maker", "thief":
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=" + who, "-addext",
            "extendedKeyUsage=emailProtection", "-keyout", who + ".key", "-out", who + ".pem")


authority("ca")
for who in "gw.example", "pump-1":
    certificate(who)
makers()
for d in "targets", "rollouts":
    os.mkdir(d)
why = rauc_ready()
if why:
    print("skip - agent: RAUC: " + why)
else:
    write("backend", BACKEND % work)
    os.chmod("backend", 0o755)
    write("system.conf", SYSTEM.format(work))
    write("bus.conf", BUS % work)
    os.mkdir("mnt")
    bus = subprocess.Popen(["dbus-daemon", "--config-file=bus.conf", "--nofork", "--nopidfile"], stderr=subprocess.DEVNULL)
    until(lambda: os.path.exists("bus"))
    rauc_bundle("pump-8.1", image("8.1"), maker="thief")
    rauc_bundle("pump-8.2", image("8.2"), compatible="Acme Toaster")
    story("RAUC", Rauc, rauc_bundle, (("what a thief signed", "pump-8.1"), ("what is for another product", "pump-8.2")))
    bus.kill()
    bus.wait()
why = swupdate_ready()
if why:
    print("skip - agent: SWUpdate: " + why)
else:
    swupdate_bundle("pump-8.1", image("8.1"), maker="thief")
    swupdate_bundle("pump-8.2", image("8.2"), tamper=True)
    story("SWUpdate", Swupdate, swupdate_bundle, (("what a thief signed", "pump-8.1"), ("an image that is not the signed one", "pump-8.2")))
if common.failed:
    print(read("log", "")[-3000:])
    print("# left in " + work)
else:
    shutil.rmtree(work)
sys.exit(common.failed)
