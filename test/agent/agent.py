#!/usr/bin/env python3
"""Devices with an agent, and one that firmware is pushed to, get firmware in waves: the whole way
over TLS with folders as slots, a bad release, a patient, hostile archives, and kill -9 at random
moments of both ends. usage: agent.py AGENT KIT [KILLS]"""
import http.server, io, os, random, re, shutil, subprocess, sys, tarfile, tempfile, threading, time

from common import *  # noqa

agent_path, kit_path = map(os.path.abspath, sys.argv[1:3])
kills = int(sys.argv[3]) if len(sys.argv) > 3 else 24
work = tempfile.mkdtemp(prefix="bw-agent.")
os.chdir(work)
port = 20000 + os.getpid() % 12000  # below those that clients get

for ca in "ca", "stranger":
    authority(ca)
certificate("gw.example")
for who in "pump-1", "pump-2":
    certificate(who)
certificate("pump-9", "stranger")
os.makedirs("targets")
os.makedirs("rollouts")


def firmware(version, well=True, extra=None, size=300000):
    """A tar archive, as a device's maker would publish it."""
    with tarfile.open("targets/pump-" + version, "w") as t:
        def put(name, data):
            i = tarfile.TarInfo(name)
            i.size = len(data)
            t.addfile(i, io.BytesIO(data))
        put("body", random.Random(version).randbytes(size))
        put("VERSION", version.encode() + b"\n")
        if well:
            put("well", b"")
        if extra:
            extra(t, put)


class Device:
    def __init__(self, name, ca="ca.pem", slot_version="1.0"):
        self.name, self.root = name, "device-" + name
        os.makedirs(self.root + "/fw/a", exist_ok=True)
        open(self.root + "/fw/a/VERSION", "w").write(slot_version)
        open(self.root + "/fw/a/well", "w")
        if not os.path.lexists(self.root + "/fw/current"):
            os.symlink("a", self.root + "/fw/current")
        open(self.root + "/conf", "w").write(f"""# of a test
server = 127.0.0.1
port = {port}
name = gw.example
ca = {ca}
certificate = {name}.pem
key = {name}.key
vendor = Acme
model = Pump
hardware = r2
state = {self.root}/state
folder = {work}/{self.root}/fw
health = /usr/bin/test -e {work}/{self.root}/fw/current/well
poll = 1
trial = 30
""")
        self.start()

    def start(self):
        self.log = open(self.root + "/log", "a")
        self.p = subprocess.Popen([agent_path, "-c", self.root + "/conf"], stderr=self.log)

    def kill(self):
        self.p.kill()
        self.p.wait()

    def version(self):
        return open(self.root + "/fw/current/VERSION").read().strip()


for v in "2.0", "4.0", "5.0":
    firmware(v)
firmware("3.0", well=False)
kit = Kit(kit_path, port)
one, two = Device("pump-1"), Device("pump-2")

# --- the way it should be -----------------------------------------------------------
kit.say("patient", "pump-2", "1")
check("a rollout is taken", kit.say("add", "r2", "pump-2.0", "2.0", "-", "pump-1", "pump-2") == "0")
time.sleep(2)
check("nothing moves before somebody approves", one.version() == "1.0" and kit.show("r2")["state"] == "proposed")
kit.say("approve", "r2")
check("the first device gets it", until(lambda: one.version() == "2.0"))
check("and is done", until(lambda: kit.step("r2", "pump-1")["step"] == "done"))
time.sleep(2)
waits = kit.step("r2", "pump-2")
check("the one on a patient waits, and it is said why", two.version() == "1.0" and waits["step"] == "waiting" and "patient" in waits["why"])
kit.say("patient", "pump-2", "0")
check("until it is on nobody", until(lambda: two.version() == "2.0"))
check("all is done", until(lambda: kit.show("r2")["state"] == "done"))
check("and what was on trial is kept", until(lambda: '"state":0' in open("device-pump-1/state/memory.json").read().replace(" ", "")))

# --- a bad release ---------------------------------------------------------------------
kit.say("add", "r3", "pump-3.0", "3.0", "-", "pump-1", "pump-2")
kit.say("approve", "r3")
check("a release that is not well is taken back", until(lambda: kit.show("r3")["state"] == "stopped", 60))
check("the device has the old one", one.version() == "2.0" and kit.step("r3", "pump-1")["step"] == "undone")
check("the others never got it", two.version() == "2.0" and kit.step("r3", "pump-2")["step"] == "waiting")

# --- what does not talk --------------------------------------------------------------------
kit.say("talk", "pump-1", "0")
kit.say("add", "r4", "pump-4.0", "4.0", "pump-2.0", "pump-1")
kit.say("approve", "r4")
check("one that does not talk as it should is taken back", until(lambda: kit.show("r4")["state"] == "stopped") and one.version() == "2.0")
kit.say("talk", "pump-1", "1")

# --- back, after it was kept --------------------------------------------------------------------
kit.say("add", "r4b", "pump-4.0", "4.0", "pump-2.0", "pump-1")
kit.say("approve", "r4b")
check("again, and it is well", until(lambda: kit.show("r4b")["state"] == "done") and one.version() == "4.0")
until(lambda: '"state":0' in open("device-pump-1/state/memory.json").read())
kit.say("undo", "r4b")
check("a person takes it back by the older firmware", until(lambda: one.version() == "2.0" and kit.show("r4b")["state"] == "stopped"))

# --- what no maker would publish --------------------------------------------------------------------
def outside(t, put):
    put("../../escaped", b"x")


def absolute(t, put):
    put(work + "/escaped", b"x")


def by_link(t, put):
    i = tarfile.TarInfo("link")
    i.type, i.linkname = tarfile.SYMTYPE, work
    t.addfile(i)
    put("link/escaped", b"x")


for n, (name, extra) in enumerate((("with ..", outside), ("with an absolute name", absolute), ("through a link", by_link))):
    version = "6.%d" % n
    firmware(version, extra=extra)
    kit.say("add", "evil%d" % n, "pump-" + version, version, "-", "pump-1")
    kit.say("approve", "evil%d" % n)
    check("an archive %s is refused" % name, until(lambda: kit.step("evil%d" % n, "pump-1")["attempts"] > 0))
    check("and nothing of it is outside, nor runs", not any("escaped" in f for _, _, f in os.walk(".")) and one.version() == "2.0")
open("targets/pump-6.9", "wb").write(os.urandom(100000))
kit.say("add", "noise", "pump-6.9", "6.9", "-", "pump-1")
kit.say("approve", "noise")
check("noise is refused", until(lambda: kit.step("noise", "pump-1")["attempts"] > 0) and one.version() == "2.0")
for f in os.listdir("rollouts"):
    if f.startswith(("evil", "noise")):
        os.remove("rollouts/" + f)
kit.kill()
kit = Kit(kit_path, port)
kit.say("lie", "1")
firmware("7.0")
kit.say("add", "lie", "pump-7.0", "7.0", "-", "pump-1")
kit.say("approve", "lie")
check("what is not what was announced is refused", until(lambda: kit.step("lie", "pump-1")["attempts"] > 0) and one.version() == "2.0")
kit.kill()
os.remove("rollouts/lie.json")
kit = Kit(kit_path, port)

# --- whom the gateway does not know ---------------------------------------------------------------------
nine = Device("pump-9")
# By TLS 1.3 the refusal may come with the first answer only.
refused = until(lambda: re.search("the gateway|the conversation ended", open("device-pump-9/log").read()))
nine.kill()
check("a stranger's certificate gets nothing", refused and "pump-9" not in kit.say("show", "r2"))
open("hostile.bin", "wb").write(b"\x7f\xff\xff\xff{}")
for junk in (b"\x7f\xff\xff\xff{}", b"\0\0\0\2[]", b"\0\0\0\x09{\"agent\":", b"\0\0\0\0", os.urandom(3000)):
    subprocess.run(["openssl", "s_client", "-quiet", "-connect", "127.0.0.1:%d" % port, "-cert", "pump-2.pem", "-key", "pump-2.key"],
                   input=junk, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10)
check("and nonsense costs its sender the connection alone", kit.p.poll() is None and kit.show("r2")["state"] == "done")

# --- kills --------------------------------------------------------------------------------------------
firmware("8.0", size=3000000)
kit.say("add", "r8", "pump-8.0", "8.0", "pump-2.0", "pump-1")
kit.say("approve", "r8")
whole, chance = True, random.Random(kills)
for i in range(kills):
    time.sleep(chance.random() * 0.35)
    who = chance.choice(("device", "device", "kit"))
    if who == "kit":
        kit.kill()
        kit = Kit(kit_path, port)
    else:
        one.kill()
    try:  # whatever moment it was, what would run now is whole
        v = one.version()
        body = open("device-pump-1/fw/current/body", "rb").read()
        whole &= v in ("2.0", "8.0") and body == random.Random(v).randbytes(len(body)) and len(body) == (3000000 if v == "8.0" else 300000)
    except OSError as e:
        print("# ", e)
        whole = False
    if who == "device":
        one.start()
check("%d times kill -9 at random moments: always a whole old or new one" % kills, whole)
check("and it comes through in the end", until(lambda: kit.show("r8")["state"] == "done", 60) and one.version() == "8.0")

# --- push ---------------------------------------------------------------------------------------------------
class Taker(http.server.BaseHTTPRequestHandler):
    got, refuse = {}, 0

    def do_PUT(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if Taker.refuse:
            Taker.refuse -= 1
            self.send_error(503)
            return
        Taker.got[self.path] = data
        self.send_response(201)
        self.end_headers()

    def log_message(self, *a):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker)
threading.Thread(target=server.serve_forever, daemon=True).start()
kit.say("push", "old-pump", "http://127.0.0.1:%d/flash" % server.server_port)
kit.say("add", "p1", "pump-5.0", "5.0", "pump-2.0", "old-pump")
kit.say("approve", "p1")
check("firmware is pushed to a device without an agent", until(lambda: Taker.got.get("/flash") == open("targets/pump-5.0", "rb").read()))
check("and it is well while it talks as it should", until(lambda: kit.show("p1")["state"] == "done"))
kit.say("talk", "old-pump", "0")
kit.say("add", "p2", "pump-4.0", "4.0", "pump-5.0", "old-pump")
kit.say("approve", "p2")
check("one that is silent afterwards is given the old one", until(lambda: kit.step("p2", "old-pump")["step"] == "undone", 60)
      and Taker.got["/flash"] == open("targets/pump-5.0", "rb").read())
for d in one, two:
    d.kill()
kit.kill()
if suite.failed:
    print(open("device-pump-1/log").read()[-2000:])
else:
    shutil.rmtree(work)
suite.finish()
