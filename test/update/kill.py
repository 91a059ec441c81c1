#!/usr/bin/python3
"""Updates, killed at random moments of fetching, putting in place and changing releases: what is in use is
always an old or a new state, whole, and of what was signed. usage: kill.py BEDWARDEN UPDATE_KIT; KILLS=300 for more."""
import functools
import hashlib
import http.server
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

sys.path.append(sys.path[0] + "/..")
import suite  # noqa: E402

BIN, KIT = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
KILLS = int(os.environ.get("KILLS", "60"))


def check(text, fine, detail=""):
    suite.ok(fine, text, detail)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        pass  # who asks is killed now and then


class Repository:
    def __init__(self, dir):
        self.dir = dir
        self.signed = {}  # every content that was ever signed: sha256 → target
        self.run("init", "R", "--plain")
        self.publish()
        handler = functools.partial(Quiet, directory=os.path.join(dir, "R", "public"))
        self.server = Server(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]

    def run(self, *args):
        subprocess.run([BIN, "repo", *args], cwd=self.dir, check=True, stdout=subprocess.DEVNULL)

    def publish(self):
        self.run("sign", "R")
        self.run("publish", "R")

    def add(self, name, data, kind, version):
        self.signed[hashlib.sha256(data).hexdigest()] = name
        with open(os.path.join(self.dir, "new"), "wb") as f:
            f.write(data)
        self.run("add", "R", "new", "--name", name, "--custom", json.dumps({"kind": kind, "version": version}))


def archive(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as t:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def profile(n):
    return ("title: A thing of version %d\nkind: other\nfail: open\nsource: [this test]\n" % n + "# padding\n" * 3000).encode()


def sha(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def judge(place, repository, releases):
    """What is wrong with what is in use; None: nothing."""
    current = os.path.join(place, "content", "current")
    if os.path.lexists(current):
        with open(os.path.join(current, "manifest.json")) as f:
            manifest = json.load(f)
        for item in manifest:
            folder = {"profile": "profiles", "rules": "rules", "advisory": "advisories"}[item["kind"]]
            path = os.path.join(current, folder, item["file"])
            if sha(path) != item["sha256"] or repository.signed.get(item["sha256"]) != item["name"]:
                return "%s is not what was signed" % path
        if len({i["version"] for i in manifest if i["kind"] == "profile"}) > 1:
            return "a set of two halves: %s" % manifest
    for version in os.listdir(os.path.join(place, "releases")) if os.path.isdir(os.path.join(place, "releases")) else []:
        if version.startswith("."):
            continue  # in the making
        for name, data in releases[version].items():
            with open(os.path.join(place, "releases", version, name), "rb") as f:
                if f.read() != data:
                    return "%s of release %s is not whole" % (name, version)
    return None


def fetch_and_install(dir):
    repository = Repository(dir)
    root = os.path.join(dir, "R/public/metadata/1.root.json")
    folder, place = os.path.join(dir, "update"), os.path.join(dir, "place")
    releases, killed, whole, wrong = {}, 0, 0, None
    os.mkdir(folder)
    fetch = [KIT, "fetch", folder, root, "http://127.0.0.1:1", repository.url]
    install = [KIT, "install", place, root, folder]
    names, round = [], 0
    took = {"fetch": 0.1, "install": 0.1}
    while killed < KILLS and not wrong:
        round += 1
        version = "1.%d" % round
        releases[version] = {"bin/bedwarden": os.urandom(1 << 20), "profiles/x.yaml": os.urandom(5000)}
        repository.add("gateway.tar", archive(releases[version]), "gateway", version)
        for n in range(3):
            repository.add("p/thing-%d.yaml" % n, profile(round) + b"# %d\n" % n, "profile", str(round))
        repository.publish()
        names = ["gateway.tar"] + ["p/thing-%d.yaml" % n for n in range(3)]
        for kind, args in ("fetch", fetch), ("install", install + names):
            for _ in range(6):
                start = time.time()
                p = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    p.wait(random.random() * took[kind] * 1.2)
                    took[kind] = 0.8 * took[kind] + 0.2 * (time.time() - start)
                except subprocess.TimeoutExpired:
                    p.send_signal(signal.SIGKILL)
                    p.wait()
                    killed += 1
                wrong = wrong or (os.path.isdir(place) and judge(place, repository, releases)) or None
        subprocess.run(fetch, stdout=subprocess.DEVNULL, check=True)
        said = json.loads(subprocess.run(install + names, stdout=subprocess.PIPE, check=True).stdout)
        if said.get("error") or said["failed"]:
            wrong = said
        elif not os.path.exists(os.path.join(place, "releases", version, "bin/bedwarden")):
            wrong = "release %s did not come" % version
        else:
            wrong = judge(place, repository, releases)
            whole += 1
    check("killed %d times while fetching and putting in place: always an old or a new state, all of it signed" % killed,
          not wrong, wrong)
    check("and the run after each is whole (%d)" % whole, whole == round)
    # What the updater's folder says is believed by nobody.
    repository.add("p/thing-0.yaml", profile(round + 1), "profile", str(round + 1))
    repository.publish()
    subprocess.run(fetch, stdout=subprocess.DEVNULL, check=True)
    with open(os.path.join(folder, "targets", "p%2Fthing-0.yaml"), "r+b") as f:
        f.write(b"title: A thief's")
    said = json.loads(subprocess.run(install + ["p/thing-0.yaml"], stdout=subprocess.PIPE, check=True).stdout)
    check("a target that was changed in the updater's folder is not installed",
          said["failed"] and judge(place, repository, releases) is None, said)
    os.unlink(os.path.join(folder, "targets", "p%2Fthing-0.yaml"))
    os.symlink("/etc/shadow", os.path.join(folder, "targets", "p%2Fthing-0.yaml"))
    said = json.loads(subprocess.run(install + ["p/thing-0.yaml"], stdout=subprocess.PIPE, check=True).stdout)
    check("nor what a link leads to", bool(said["failed"]), said)


def mirrors(dir):
    """One after the other until one is well; what it says of the bad ones; a limit for the bandwidth; a break."""
    repository = Repository(dir)
    root = os.path.join(dir, "R/public/metadata/1.root.json")
    stale = os.path.join(dir, "stale")
    repository.add("p/a.yaml", profile(1), "profile", "1")
    repository.publish()
    shutil.copytree(os.path.join(dir, "R", "public"), stale)
    size = 600000
    repository.add("gateway.tar", archive({"bin/bedwarden": os.urandom(size)}), "gateway", "1.1")
    repository.publish()
    old = Server(("127.0.0.1", 0), functools.partial(Quiet, directory=stale))
    asked = []

    class Broken(Quiet):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(500)

    broken = Server(("127.0.0.1", 0), Broken)
    for s in old, broken:
        threading.Thread(target=s.serve_forever, daemon=True).start()
    url = lambda s: "http://127.0.0.1:%d" % s.server_address[1]

    def fetch(name, *mirrors):
        folder = os.path.join(dir, name)
        os.makedirs(folder, exist_ok=True)
        begin = time.time()
        done = subprocess.run([KIT, "fetch", folder, root, *mirrors], stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout), time.time() - begin, os.path.join(folder, "targets", "gateway.tar")

    said, _, tar = fetch("one", "http://127.0.0.1:1", url(broken), repository.url)
    check("past a mirror that is not there and one that is broken the third is taken", said.get("mirror") == repository.url and
          said["fresh"] and asked and os.path.exists(tar), said)
    said, _, _ = fetch("one", url(old), repository.url)
    check("one that is behind is no rollback: the next is asked", said.get("mirror") == repository.url and said["fresh"], said)
    said, _, _ = fetch("one", "http://127.0.0.1:1", url(broken))
    check("where none is well it is said, and what was there stays", not said.get("fresh") and said.get("error") and os.path.exists(tar), said)
    _, quick, _ = fetch("two", repository.url)
    said, slow, tar = fetch("three", "rate=200000", repository.url)
    check("at 200 kB/s %d kB take %.1f s, without a limit %.1f" % (size // 1000, slow, quick),
          2 <= slow < 20 and quick < slow / 2 and os.path.exists(tar), said)
    for s in old, broken:
        s.shutdown()


def disk_full(dir):
    repository = Repository(dir)
    root = os.path.join(dir, "R/public/metadata/1.root.json")
    folder, place = os.path.join(dir, "update"), os.path.join(dir, "place")
    os.mkdir(folder)
    os.mkdir(place)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", place], stderr=subprocess.DEVNULL).returncode:
        print("skip - a full disk: nothing can be mounted here")
        return
    try:
        files = {"bin/bedwarden": os.urandom(2 << 20)}
        repository.add("p/a.yaml", profile(1), "profile", "1")
        repository.add("gateway.tar", archive(files), "gateway", "1.1")
        repository.publish()
        subprocess.run([KIT, "fetch", folder, root, repository.url], stdout=subprocess.DEVNULL, check=True)
        said = json.loads(subprocess.run([KIT, "install", place, root, folder, "p/a.yaml", "gateway.tar"],
                                         stdout=subprocess.PIPE, check=True).stdout)
        check("a disk that is full: said, what fits is in use, and nothing is half",
              [f["name"] for f in said["failed"]] == ["gateway.tar"] and said["took"] == ["p/a.yaml"] and
              "space" in said["failed"][0]["error"] and not said["failed"][0]["final"] and
              judge(place, repository, {"1.1": files}) is None, said)
    finally:
        subprocess.run(["umount", place])


GATEWAY = r"""#!/usr/bin/python3
import json, os, signal, socket, sys, threading, time
here = os.path.dirname(os.path.abspath(__file__)).split("/")[-2]
if sys.argv[1] != "run":
    sys.exit(0)
if here.startswith("8"):
    sys.exit(1)
base = "%(dir)s"
path = base + "/run/control"
os.makedirs(base + "/run", exist_ok=True)
signal.signal(signal.SIGTERM, lambda *a: os._exit(0))
up = socket.socket(fileno=int(os.environ["BEDWARDEN_SUPERVISOR"]))
if os.path.exists(path):
    os.unlink(path)
s = socket.socket(socket.AF_UNIX)
s.bind(path)
s.listen(8)
guards = [{"name": "guard", "wanted": True, "alive": not here.startswith("9"), "restarts": 0, "generation": 1}]
status = {"release": here, "generation": 1, "guards": guards, "processes": [], "console": {"listen": []}, "floor": {}}
def serve():
    while True:
        c, _ = s.accept()
        c.recv(4096)
        c.sendall((json.dumps(status) + "\n{\"end\":true}\n").encode())
        c.close()
threading.Thread(target=serve, daemon=True).start()
with open(base + "/alive.new", "w") as f:
    f.write(here)
os.rename(base + "/alive.new", base + "/alive")
up.send(b"READY=1")
while True:
    try:
        with open(base + "/want") as f:
            want = f.read()
        os.unlink(base + "/want")
        up.send(b"SWITCH=" + want.encode())
    except FileNotFoundError:
        pass
    time.sleep(0.02)
"""


def change_releases(dir):
    place = os.path.join(dir, "place")
    os.mkdir(place)
    with open(os.path.join(dir, "bw.yaml"), "w") as f:
        f.write("gateway: {run_dir: %s/run}\nsegments: [{name: a, ward: w, hospital: h}]\n" % dir)
    for version in "7.1", "7.2", "8.1", "9.1":  # two that are good, one that ends, one that does not guard
        os.makedirs(os.path.join(place, "releases", version, "bin"))
        program = os.path.join(place, "releases", version, "bin", "bedwarden")
        with open(program, "w") as f:
            f.write(GATEWAY % {"dir": dir})
        os.chmod(program, 0o755)
    os.symlink("releases/7.1", os.path.join(place, "current"))

    def alive():
        try:
            with open(os.path.join(dir, "alive")) as f:
                return f.read()
        except FileNotFoundError:
            return None

    def forget():
        for name in "alive", "want":
            if os.path.exists(os.path.join(dir, name)):
                os.unlink(os.path.join(dir, name))

    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(os.path.join(dir, "notify"))
    manager.settimeout(10)
    manager.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def start():
        return subprocess.Popen([BIN, "supervise", "-c", os.path.join(dir, "bw.yaml"), "--updates", place],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                                env={**os.environ, "NOTIFY_SOCKET": os.path.join(dir, "notify")})

    p = start()
    try:
        word = manager.recv(100)
        while word.startswith(b"FDSTORE=1"):  # connections that it is to keep over a restart
            word = manager.recv(100)
    except socket.timeout:
        word = b""
    check("the service manager is told when the gateway is ready", word == b"READY=1", word)
    p.terminate()
    p.wait()
    kills, wrong, done = max(6, KILLS // 8), None, 0
    for i in range(kills):
        forget()
        p = start()
        end = time.time() + 10
        while not alive() and time.time() < end:
            time.sleep(0.01)
        before = alive()
        if before not in ("7.1", "7.2") or os.path.exists(os.path.join(place, "trial")):
            wrong = "%s came up after kill %d" % (before, i)
        want = random.choice(["7.1" if before == "7.2" else "7.2"] * 2 + ["8.1", "9.1"])
        with open(os.path.join(dir, "want.new"), "w") as f:
            f.write(want)
        os.rename(os.path.join(dir, "want.new"), os.path.join(dir, "want"))
        time.sleep(random.random() * 6)
        p.send_signal(signal.SIGKILL)
        p.wait()
        time.sleep(0.15)  # its gateway ends by itself
        if not os.path.exists(os.path.join(place, "trial")):
            done += os.readlink(os.path.join(place, "current")) != "releases/" + before
        if wrong:
            break
    manager.close()  # what else is said there is of no interest
    forget()
    p = start()
    end = time.time() + 30
    while not alive() and time.time() < end:
        time.sleep(0.01)
    other = "7.1" if alive() == "7.2" else "7.2"
    with open(os.path.join(dir, "want.new"), "w") as f:
        f.write(other)
    os.rename(os.path.join(dir, "want.new"), os.path.join(dir, "want"))
    outcome = ""
    while not outcome.startswith("done\n%s\n" % other) and time.time() < end:
        time.sleep(0.05)
        with open(os.path.join(place, "outcome")) as f:
            outcome = f.read()
    check("and one that is left alone is done", alive() == other and outcome.startswith("done\n%s\n" % other), outcome)
    p.terminate()
    p.wait()
    check("killed %d times while releases changed: one that had proved itself came up each time (%d changes were done)" % (kills, done),
          not wrong, wrong)


with tempfile.TemporaryDirectory() as dir:
    fetch_and_install(dir)
with tempfile.TemporaryDirectory() as dir:
    mirrors(dir)
if os.geteuid() == 0:
    with tempfile.TemporaryDirectory() as dir:
        disk_full(dir)
    with tempfile.TemporaryDirectory() as dir:
        os.chmod(dir, 0o755)
        change_releases(dir)
else:
    print("skip - killed while releases change: needs root")
suite.finish()
