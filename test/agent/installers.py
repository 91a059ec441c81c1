#!/usr/bin/env python3
"""The agent drives RAUC and SWUpdate themselves, with bundles that their maker signed, on a device of two raw slots
and a boot loader of our own: the way it should be, a release that is not well, what the maker did not sign, and power
cuts at random moments. usage: installers.py AGENT KIT [KILLS]"""
import hashlib, os, random, shutil, subprocess, sys, tempfile, time

from common import *  # noqa
from slotted import Machine, Rauc, image, makers, rauc_bundle, rauc_prepare, rauc_ready, read, write

agent_path, kit_path = map(os.path.abspath, sys.argv[1:3])
kills = int(sys.argv[3]) if len(sys.argv) > 3 else 12
work = tempfile.mkdtemp(prefix="bw-installers.")
os.chdir(work)
port = 20000 + os.getpid() % 12000  # below those that clients get
connection = ("server = 127.0.0.1\nport = %d\nname = gw.example\nca = ca.pem\ncertificate = pump-1.pem\nkey = pump-1.key\n"
              "vendor = Acme\nmodel = Pump\n" % port)


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


def swupdate_bundle(path, data, maker="maker", tamper=False):
    sha = hashlib.sha256(data).hexdigest()
    modes = "".join('%s: { images: ( { filename = "rootfs.img"; device = "%s/slot-%s"; type = "raw"; sha256 = "%s"; } ); };\n'
                    % (s, work, s, sha) for s in "ab")
    with open("sw-description", "w") as f:
        f.write('software =\n{\nversion = "1";\nhardware-compatibility: [ "r2" ];\nstable = {\n%s};\n}\n' % modes)
    run("openssl", "cms", "-sign", "-in", "sw-description", "-out", "sw-description.sig", "-signer", maker + ".pem", "-inkey", maker + ".key",
        "-outform", "DER", "-nosmimecap", "-binary")
    description = open("sw-description", "rb").read()
    with open(path, "wb") as f:
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
        bundle("targets/pump-" + version, image(version))
    bundle("targets/pump-3.0", image("3.0", well=False))
    device = machine(agent_path, connection)
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
    bus = rauc_prepare()
    rauc_bundle("targets/pump-8.1", image("8.1"), maker="thief")
    rauc_bundle("targets/pump-8.2", image("8.2"), compatible="Acme Toaster")
    story("RAUC", Rauc, rauc_bundle, (("what a thief signed", "pump-8.1"), ("what is for another product", "pump-8.2")))
    bus.kill()
    bus.wait()
why = swupdate_ready()
if why:
    print("skip - agent: SWUpdate: " + why)
else:
    swupdate_bundle("targets/pump-8.1", image("8.1"), maker="thief")
    swupdate_bundle("targets/pump-8.2", image("8.2"), tamper=True)
    story("SWUpdate", Swupdate, swupdate_bundle, (("what a thief signed", "pump-8.1"), ("an image that is not the signed one", "pump-8.2")))
if suite.failed:
    print(read("log", "")[-3000:])
    print("# left in " + work)
else:
    shutil.rmtree(work)
suite.finish()
