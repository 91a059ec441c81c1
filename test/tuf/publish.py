#!/usr/bin/python3
"""The publishing side, read back by a reader of our own that shares nothing with the program, and by the
program's client over HTTP; and bundles. usage: publish.py BEDWARDEN [CASE]..."""
import functools
import http.server
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import *  # noqa

BIN = os.path.abspath(sys.argv[1])
cases = []


class Place:
    """A folder with a repository R, and what people have on their own machines."""

    def __init__(self):
        self.temp = tempfile.TemporaryDirectory()
        self.dir = self.temp.name
        self.said = ""
        self.env = {}
        handler = functools.partial(Quiet, directory=os.path.join(self.dir, "R", "public"))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.temp.cleanup()

    def path(self, name):
        return os.path.join(self.dir, name)

    def run(self, *args, ok=True, passphrase="correct horse"):
        done = subprocess.run([BIN, *args], cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              stdin=subprocess.DEVNULL, env={**os.environ, "AGE_PASSPHRASE": passphrase, "http_proxy": "", **self.env})
        self.said = done.stderr.decode() + done.stdout.decode()
        assert (done.returncode == 0) == ok, (args, done.returncode, self.said)
        if not ok:
            assert done.returncode == 1 and self.said.startswith("bedwarden: "), self.said
        return self.said

    def ahead(self, days, *args):
        """Refused when it is so many days later, for what has expired."""
        if not shutil.which("faketime"):
            raise Skip("faketime is missing")
        env = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        done = subprocess.run(["faketime", "-f", "+%dd" % days, BIN, *args], cwd=self.dir, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 1 and b"expired" in done.stderr, done.stderr

    def repo(self, *args, **how):
        return self.run("repo", *args, **how)

    def file(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(data)
        return name

    def simple(self, *more):
        self.repo("init", "R", "--plain", *more)
        self.repo("sign", "R")
        self.repo("publish", "R")

    def publish(self):
        self.repo("sign", "R")
        self.repo("publish", "R")

    def client(self, verb, *args, ok=True, name="c"):
        md = self.path(name)
        if not os.path.exists(md):
            self.run("tuf", "--metadata-dir", md, "init", self.path("R/public/metadata/1.root.json"))
        return self.run("tuf", "--metadata-dir", md, "--metadata-url", self.url + "/metadata", "--target-base-url",
                        self.url + "/targets", "--target-dir", self.path(name + "-targets"), verb, *args, ok=ok)

    def got(self, target, name="c"):
        with open(self.path(name + "-targets/" + quote(target, "")), "rb") as f:
            return f.read()

    def read(self):
        return read_repository(self.path("R/public"))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def case(f):
    def run():
        p = Place()
        try:
            f(p)
        finally:
            p.close()
    run.__name__, run.__doc__ = f.__name__, f.__doc__
    cases.append(run)
    return run


# --- a reader of our own


def check(md, keys, role):
    data = canonical(md["signed"]).encode()
    good = {s["keyid"] for s in md["signatures"] if s["keyid"] in role["keyids"] and verify(keys[s["keyid"]], data, s["sig"])}
    assert len(good) >= role["threshold"], "only %d of %d" % (len(good), role["threshold"])
    assert md["signed"]["expires"] > when(0)
    return md["signed"]


def read_repository(public):
    """Everything in a repository, verified; {role: signed}."""
    def load(name, meta=None):
        with open(os.path.join(public, "metadata", name + ".json"), "rb") as f:
            raw = f.read()
        if meta:
            assert len(raw) == meta["length"] and hashlib.sha256(raw).hexdigest() == meta["hashes"]["sha256"]
        return json.loads(raw)

    md = load("1.root")
    root = check(md, md["signed"]["keys"], md["signed"]["roles"]["root"])
    while os.path.exists(os.path.join(public, "metadata", "%d.root.json" % (root["version"] + 1))):
        md = load("%d.root" % (root["version"] + 1))
        check(md, root["keys"], root["roles"]["root"])
        new = check(md, md["signed"]["keys"], md["signed"]["roles"]["root"])
        assert new["version"] == root["version"] + 1
        root = new
    for key in root["keys"]:
        assert key == hashlib.sha256(canonical(root["keys"][key]).encode()).hexdigest()
    assert load("root")["signed"] == root
    timestamp = check(load("timestamp"), root["keys"], root["roles"]["timestamp"])
    meta = timestamp["meta"]["snapshot.json"]
    snapshot = check(load("%d.snapshot" % meta["version"], meta), root["keys"], root["roles"]["snapshot"])
    assert snapshot["version"] == meta["version"]
    seen = {"root": root, "timestamp": timestamp, "snapshot": snapshot}

    def walk(role, keys, how):
        meta = snapshot["meta"].get(role + ".json")
        if meta is None or role in seen:
            return
        seen[role] = signed = check(load("%d.%s" % (meta["version"], role), meta), keys, how)
        assert signed["version"] == meta["version"] and signed["_type"] == "targets"
        for path, t in signed["targets"].items():
            folder, slash, base = path.rpartition("/")
            with open(os.path.join(public, "targets", folder, t["hashes"]["sha256"] + "." + base), "rb") as f:
                data = f.read()
            assert len(data) == t["length"] and hashlib.sha256(data).hexdigest() == t["hashes"]["sha256"]
        for d in signed.get("delegations", {}).get("roles", []):
            walk(d["name"], signed["delegations"]["keys"], d)
    walk("targets", root["keys"], root["roles"]["targets"])
    return seen


# --- publishing


@case
def one_person(p):
    """init, add, sign, publish: an independent reader and our client read it"""
    p.repo("init", "R")
    p.repo("add", "R", p.file("fw.bin", b"firmware"), "--name", "pump/fw-1.bin", "--custom", '{"hardware":["p1"]}')
    p.repo("publish", "R", ok=False)
    assert not os.listdir(p.path("R/public/metadata"))
    p.repo("sign", "R", ok=False, passphrase="wrong")
    assert "passphrase" in p.said
    p.publish()
    seen = p.read()
    assert seen["targets"]["targets"]["pump/fw-1.bin"]["custom"] == {"hardware": ["p1"]}
    assert seen["root"]["consistent_snapshot"] is True
    p.client("download", "--target-name", "pump/fw-1.bin")
    assert p.got("pump/fw-1.bin") == b"firmware"
    p.repo("init", "R", ok=False)
    p.repo("remove", "R", "pump/fw-1.bin")
    p.publish()
    p.client("download", "--target-name", "pump/fw-1.bin", ok=False)
    assert p.read()["targets"]["version"] == 2
    rows = json.loads(p.repo("status", "R", "--json"))
    assert [(r["role"], r["version"]) for r in rows] == [("root", 1), ("timestamp", 2), ("snapshot", 2), ("targets", 2)]


@case
def nobody_to_ask(p):
    """without a terminal and a passphrase: one line; and init is tried again in the same folder"""
    env = {k: v for k, v in os.environ.items() if not k.startswith("AGE_")}
    for args in (["repo", "key", "k"], ["repo", "init", "R"]):
        done = subprocess.run(["setsid", "-w", BIN, *args], cwd=p.dir, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"no terminal" in done.stderr, done.stderr
    p.simple()
    p.read()
    p.repo("init", "R", ok=False)


@case
def tidy(p):
    """what was superseded long ago goes; roots, what is current and what a draft lists stay"""
    p.simple()
    for i in range(3):
        p.repo("add", "R", p.file("f", b"%d" % i), "--name", "a/b/f")
        p.repo("add", "R", p.file("g", b"%d" % i), "--name", "c/%d" % i)
        p.repo("remove", "R", "c/%d" % i)
        p.repo("renew", "R", "root")
        p.publish()
    p.repo("add", "R", p.file("g", b"draft"), "--name", "draft")
    everything = sorted(os.path.relpath(os.path.join(d, n), p.path("R/public"))
                        for d, _, names in os.walk(p.path("R/public")) for n in names)
    assert p.repo("tidy", "R") == ""
    for path in everything:
        os.utime(p.path("R/public/" + path), (1, 1))
    gone = p.repo("tidy", "R").split()
    left = sorted(set(everything) - set(gone))
    assert len(gone) == 2 + 3 + 3 + 3 and not [g for g in gone if "root" in g or "timestamp" in g], gone
    assert sorted(os.listdir(p.path("R/public/metadata"))) == sorted(
        ["root.json", "timestamp.json", "4.snapshot.json", "4.targets.json"] + ["%d.root.json" % i for i in range(1, 5)])
    assert sorted(os.listdir(p.path("R/public/targets"))) == sorted(["a"] + [l[8:] for l in left if l.endswith(".draft")])
    p.read()
    p.client("download", "--target-name", "a/b/f")
    p.publish()
    p.client("download", "--target-name", "draft")


@case
def usage(p):
    """wrong usage is said so, with what would be right"""
    for args in (["repo"], ["repo", "what", "R"], ["repo", "add", "R"], ["repo", "--what"], ["tuf"], ["tuf", "refresh"],
                 ["tuf", "--metadata-dir", "d", "refresh"], ["tuf", "--metadata-dir", "d", "init"], ["update"], ["update", "import"]):
        done = subprocess.run([BIN, *args], cwd=p.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 2 and b"usage: bedwarden" in done.stderr and not done.stdout, (args, done)
    assert os.listdir(p.dir) == []


@case
def reference(p):
    """the library of TUF's reference implementation agrees on bytes, key ids and signatures of every kind"""
    try:
        from securesystemslib import formats, keys
    except ImportError:
        raise Skip("python3-securesystemslib is missing")
    for kind in ("ed25519", "ecdsa", "rsa"):
        p.repo("key", kind, "--kind", kind, "--plain")
    p.repo("init", "R", "--plain", *[a for k in ("ed25519", "ecdsa", "rsa") for a in ("--root", k + ".pub")])
    p.repo("add", "R", p.file("f", b"x"), "--name", "a/\u00e9\u2603.bin", "--custom", '{"b":"\\"\\\\\u00e9","a":[1,null,true]}')
    p.repo("sign", "R", "--key", "ed25519", "--key", "ecdsa", "--key", "rsa", "--key", "R/keys/targets.key")
    p.repo("publish", "R")
    root, signatures = p.read()["root"], 0
    for name in os.listdir(p.path("R/public/metadata")):
        with open(p.path("R/public/metadata/" + name)) as f:
            md = json.load(f)
        data = formats.encode_canonical(md["signed"]).encode()
        for s in md["signatures"]:
            key = {"keyid": s["keyid"], **root["keys"][s["keyid"]]}
            assert keys.verify_signature(key, s, data), (name, key["keytype"])
            assert not keys.verify_signature(key, s, data + b" ")
            signatures += 1
    assert signatures == 2 * 3 + 3, signatures


@case
def kinds_of_keys(p):
    """keys of every kind sign what others verify; private files are private"""
    for kind in ("ed25519", "ecdsa", "rsa"):
        shutil.rmtree(p.path("R"), ignore_errors=True)
        p.simple("--kind", kind)
        assert {k["keytype"] for k in p.read()["root"]["keys"].values()} == {kind}
        p.client("refresh", name=kind)
    assert os.stat(p.path("R/keys/root.key")).st_mode & 0o777 == 0o600
    os.chmod(p.path("R/keys/root.key"), 0o644)
    p.repo("renew", "R", "root")
    p.repo("sign", "R", ok=False)
    assert "chmod 600" in p.said
    p.repo("key", "R/keys/root.key", ok=False)


@case
def sealed_keys(p):
    """a sealed key is an age file that the stock tool opens"""
    p.repo("key", "k")
    with open(p.path("k")) as f:
        assert f.readline() == "-----BEGIN AGE ENCRYPTED FILE-----\n"
    if shutil.which("age"):
        import pty
        pid, fd = pty.fork()
        if pid == 0:
            os.execlp("age", "age", "-d", "-o", p.path("plain"), p.path("k"))
        time.sleep(0.5)
        os.write(fd, b"correct horse\n")
        try:
            while os.read(fd, 1000):
                pass
        except OSError:
            pass
        assert os.waitpid(pid, 0)[1] == 0
        with open(p.path("plain")) as f:
            assert f.readline() == "-----BEGIN PRIVATE KEY-----\n"


@case
def tokens(p):
    """root keys in a PKCS#11 token, ECDSA and RSA, sign what others verify"""
    module = "/usr/lib/softhsm/libsofthsm2.so"
    if not os.path.exists(module) or not shutil.which("softhsm2-util"):
        raise Skip("softhsm2 is missing")
    os.mkdir(p.path("tokens"))
    p.file("softhsm2.conf", b"directories.tokendir = %s\nlog.level = ERROR\n" % p.path("tokens").encode())
    p.env["SOFTHSM2_CONF"] = p.path("softhsm2.conf")

    def util(*args):
        subprocess.run(["softhsm2-util", *args], check=True, stdout=subprocess.DEVNULL, env={**os.environ, **p.env})
    util("--init-token", "--free", "--label", "safe", "--pin", "1234", "--so-pin", "5678")
    p.repo("key", "rsa", "--kind", "rsa", "--plain")
    util("--import", p.path("rsa"), "--token", "safe", "--label", "rsa", "--id", "01", "--pin", "1234")
    uri = "pkcs11:token=safe;object=%s?module-path=" + module + "&pin-value=1234"
    p.repo("key", uri % "ec", "-o", "ec.pub")
    made = p.said.split()[0]
    p.repo("key", uri % "ec", "-o", "again.pub")
    assert p.said.split()[0] == made
    p.repo("key", uri % "ec", ok=False)
    p.repo("init", "R", "--plain", "--root", "ec.pub", "--root", "rsa.pub", "--root-threshold", "2")
    p.repo("sign", "R", "root", "--key", uri % "ec", "--key", uri % "rsa")
    p.repo("sign", "R", "targets")
    p.repo("publish", "R")
    assert {k["keytype"] for k in p.read()["root"]["keys"].values()} == {"ecdsa", "rsa", "ed25519"}
    p.client("refresh")
    p.repo("renew", "R", "root")
    for bad in ("pkcs11:token=away?module-path=" + module, uri % "nothing", (uri % "ec").replace("1234", "4321"),
                "pkcs11:token=safe;object=ec?module-path=/nowhere.so&pin-value=1234", "pkcs11:what is this"):
        p.repo("sign", "R", "root", "--key", bad, ok=False)


def people(p, *names):
    for n in names:
        os.mkdir(p.path(n))
        p.repo("key", n + "/key", "--plain")


@case
def several_people(p):
    """two of three sign root on machines of their own; drafts travel and come back"""
    people(p, "ann", "bob", "eve", "cid")
    p.repo("init", "R", "--root", "ann/key.pub", "--root", "bob/key.pub", "--root", "cid/key.pub", "--root-threshold", "2",
           "--targets", "ann/key.pub", "--plain")
    for who in ("ann", "bob"):
        shutil.copy(p.path("R/drafts/root.json"), p.path(who + "/root.json"))
        p.repo("sign", who + "/root.json", "--key", who + "/key")
    p.repo("sign", "R", "targets", "--key", "ann/key")
    p.repo("take", "R", "ann/root.json")
    p.repo("publish", "R", ok=False)
    assert "signed by 1 of the keys" in p.said
    shutil.copy(p.path("R/drafts/root.json"), p.path("eve/root.json"))
    p.repo("sign", "eve/root.json", "--key", "eve/key")
    p.repo("take", "R", "eve/root.json")
    p.repo("publish", "R", ok=False)
    p.repo("take", "R", "bob/root.json")
    p.repo("publish", "R")
    assert p.read()["root"]["roles"]["root"]["threshold"] == 2
    p.client("refresh")
    # An altered draft is another draft, and a stranger's is not taken.
    p.repo("renew", "R", "targets")
    shutil.copy(p.path("R/drafts/targets.json"), p.path("eve/targets.json"))
    p.repo("add", "eve/targets.json", p.file("evil", b"evil"))
    p.repo("sign", "eve/targets.json", "--key", "eve/key")
    p.repo("take", "R", "eve/targets.json", "evil", ok=False)
    # Keys that may not sign are said so.
    p.repo("sign", "R", "--key", "eve/key", ok=False)


@case
def manufacturers(p):
    """a manufacturer signs its own targets on its own machine, and no others"""
    p.simple()
    people(p, "acme", "bolt")
    p.repo("delegate", "R", "acme", "--key", "acme/key.pub", "--path", "acme/*", "--path", "acme/*/*")
    p.repo("delegate", "R", "bolt", "--key", "bolt/key.pub", "--terminating")
    p.repo("delegate", "R", "acme", "--key", "acme/key.pub", ok=False)
    p.repo("delegate", "R", "snapshot", "--key", "acme/key.pub", ok=False)
    p.publish()
    assert "left out" in p.said
    shutil.copy(p.path("R/drafts/acme.json"), p.path("acme/acme.json"))
    p.file("acme/fw.bin", b"acme firmware")
    p.repo("add", "acme/acme.json", "acme/fw.bin", "--name", "acme/pump/fw.bin")
    p.repo("add", "acme/acme.json", "acme/fw.bin", "--name", "bolt/fw.bin")
    p.repo("sign", "acme/acme.json", "--key", "acme/key")
    p.repo("take", "R", "acme/acme.json")
    p.repo("publish", "R", ok=False)
    assert "whose file is not in" in p.said
    p.repo("take", "R", "acme/acme.json", "acme/fw.bin")
    p.repo("publish", "R")
    assert "acme" in p.read()
    p.client("download", "--target-name", "acme/pump/fw.bin")
    assert p.got("acme/pump/fw.bin") == b"acme firmware"
    p.client("download", "--target-name", "bolt/fw.bin", ok=False)
    # The next version, from what is public.
    shutil.copy(p.path("R/public/metadata/1.acme.json"), p.path("acme/acme.json"))
    p.file("acme/fw.bin", b"acme firmware 2")
    p.repo("add", "acme/acme.json", "acme/fw.bin", "--name", "acme/pump/fw.bin")
    p.repo("sign", "acme/acme.json", "--key", "bolt/key")
    p.repo("take", "R", "acme/acme.json", "acme/fw.bin", ok=False)
    p.repo("sign", "acme/acme.json", "--key", "acme/key")
    p.repo("take", "R", "acme/acme.json", "acme/fw.bin")
    p.repo("publish", "R")
    p.client("download", "--target-name", "acme/pump/fw.bin")
    assert p.got("acme/pump/fw.bin") == b"acme firmware 2"


@case
def stolen_manufacturer(p):
    """a manufacturer's stolen key is replaced: what the thief signs is worthless"""
    p.simple()
    people(p, "acme", "new")
    p.repo("delegate", "R", "acme", "--key", "acme/key.pub")
    p.repo("add", "R", p.file("fw", b"good"), "--name", "acme/fw", "--role", "acme")
    p.repo("sign", "R", "acme", "--key", "acme/key")
    p.repo("sign", "R", "targets")
    p.repo("publish", "R")
    p.client("download", "--target-name", "acme/fw")
    p.repo("rotate", "R", "acme", "--remove-key", "acme/key.pub", "--add-key", "new/key.pub")
    p.repo("sign", "R", "targets")
    p.repo("publish", "R", ok=False)
    p.repo("sign", "R", "acme", "--key", "acme/key", ok=False)
    p.repo("sign", "R", "acme", "--key", "new/key")
    p.repo("publish", "R")
    seen = p.read()
    assert seen["acme"]["version"] == 2
    assert list(seen["targets"]["delegations"]["keys"]) == seen["targets"]["delegations"]["roles"][0]["keyids"]
    p.client("download", "--target-name", "acme/fw")


@case
def rotations(p):
    """root and targets keys rotate, old clients follow the chain; a new root needs the old keys"""
    p.simple()
    people(p, "ann", "bob")
    p.client("refresh")
    p.client("refresh", name="sleeper")
    p.repo("rotate", "R", "root", "--add-key", "ann/key.pub", "--remove-key", "R/keys/root.key.pub")
    p.repo("sign", "R", "root", "--key", "ann/key")
    p.repo("publish", "R", ok=False)
    assert "old root" in p.said
    p.repo("sign", "R", "root", "--key", "R/keys/root.key")
    p.repo("publish", "R")
    p.repo("rotate", "R", "targets", "--add-key", "bob/key.pub", "--remove-key", "R/keys/targets.key.pub")
    p.repo("sign", "R", "root", "--key", "ann/key")
    p.repo("publish", "R", ok=False)
    p.repo("sign", "R", "targets", "--key", "bob/key")
    p.repo("publish", "R")
    assert p.read()["root"]["version"] == 3
    p.client("refresh")
    assert "root 3" in p.client("refresh", name="sleeper")
    p.repo("rotate", "R", "root", "--threshold", "2", ok=False)
    p.repo("rotate", "R", "root", "--remove-key", "00" * 32, ok=False)


@case
def stolen_online_key(p):
    """the online key is stolen and fast-forwards; new keys bring every client back"""
    p.simple()
    people(p, "fresh")
    p.client("refresh")
    stolen = Key()
    with open(p.path("R/keys/online.key"), "rb") as f:
        stolen.private = serialization.load_pem_private_key(f.read(), None)
    with open(p.path("R/keys/online.key.pub")) as f:
        stolen.public = json.load(f)
    stolen.id = hashlib.sha256(canonical(stolen.public).encode()).hexdigest()
    saved = {}
    for name in ("timestamp", "1.snapshot"):
        path = p.path("R/public/metadata/%s.json" % name)
        with open(path, "rb") as f:
            saved[path] = f.read()
        md = json.loads(saved[path])
        md["signed"]["version"] = 4000000
        if name == "timestamp":
            md["signed"]["meta"]["snapshot.json"] = {"version": 4000000}
        md["signatures"] = [stolen.sign(canonical(md["signed"]).encode())]
        with open(path.replace("1.snapshot", "4000000.snapshot"), "w") as f:
            json.dump(md, f)
    assert "timestamp 4000000" in p.client("refresh")
    for path, raw in saved.items():
        with open(path, "wb") as f:
            f.write(raw)
    p.client("refresh", ok=False)
    p.repo("rotate", "R", "timestamp", "snapshot", "--remove-key", "R/keys/online.key.pub", "--add-key", "fresh/key.pub")
    p.repo("sign", "R")
    p.repo("publish", "R", ok=False)
    p.repo("publish", "R", "--key", "fresh/key")
    p.read()
    assert "timestamp 2, snapshot 2" in p.client("refresh")


@case
def names(p):
    """names that would leave the folder are refused when they are made"""
    p.simple()
    p.file("f", b"x")
    for bad in ("../f", "a/../f", "/f", "a//f", "", "f/", "a/./b", "new\nline", "x" * 200):
        p.repo("add", "R", "f", "--name", bad, ok=False)
    for bad in ("a/b", "..", ".a", "a b", "root", "x" * 200):
        p.repo("delegate", "R", bad, "--key", "R/keys/root.key.pub", ok=False)
    p.repo("add", "R", "R", ok=False)
    p.repo("add", "R", "f", "--name", "a/\u00e9 b?c#d%41.bin")
    p.publish()
    p.client("download", "--target-name", "a/\u00e9 b?c#d%41.bin")



@case
def disk_full(p):
    """the disk fills while publishing: what is public stays whole, and it goes on with room again"""
    if os.geteuid() != 0:
        raise Skip("needs root, to mount a small disk")
    os.mkdir(p.path("R"))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", p.path("R")], stderr=subprocess.DEVNULL).returncode:
        raise Skip("no file system can be mounted here")
    try:
        p.simple()
        p.repo("add", "R", p.file("big", b"x" * 300000), ok=False)
        assert "space" in p.said and os.listdir(p.path("R/public/targets")) == []
        p.repo("add", "R", p.file("small", b"x"))
        p.repo("renew", "R", "root")
        p.repo("sign", "R")
        fill = p.path("R/fill")
        for leave in range(0, 28000, 4096):
            subprocess.run("cat /dev/zero >%s 2>/dev/null" % fill, shell=True)
            os.truncate(fill, max(0, os.path.getsize(fill) - leave))
            done = subprocess.run([BIN, "repo", "publish", "R"], cwd=p.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            os.unlink(fill)
            last = max(int(n.split(".")[0]) for n in os.listdir(p.path("R/public/metadata")) if n.endswith(".root.json"))
            shutil.copy(p.path("R/public/metadata/%d.root.json" % last), p.path("R/public/metadata/root.json"))
            p.read()
            p.client("refresh")
            if done.returncode == 0:
                break
            assert b"space" in done.stderr, done.stderr
        p.repo("publish", "R")
        assert "small" in p.read()["targets"]["targets"] and p.read()["root"]["version"] == 2
    finally:
        subprocess.run(["umount", p.path("R")])


@case
def expired_drafts(p):
    """nothing expired is published; renewing brings it back"""
    p.simple()
    p.repo("publish", "R", "--timestamp-days", "3")
    assert p.read()["timestamp"]["expires"][:10] == when(3)[:10]
    p.repo("renew", "R", "targets", "root", "--days", "500")
    p.publish()
    assert p.read()["targets"]["expires"][:10] == when(500)[:10]
    p.ahead(501, "repo", "publish", "R")


# --- bundles


def stick(p, *names):
    p.repo("bundle", "R", "-o", "stick", *names)
    with open(p.path("stick"), "rb") as f:
        return f.read()


def carry(p, name="site", ok=True, bundle="stick"):
    md = p.path(name)
    if not os.path.exists(md):
        p.run("tuf", "--metadata-dir", md, "init", p.path("R/public/metadata/1.root.json"))
    return p.run("update", "import", bundle, "--metadata-dir", md, "--target-dir", p.path(name + "-targets"), ok=ok)


@case
def bundles(p):
    """a bundle carries roots, metadata and targets to a site, verified there"""
    p.simple()
    people(p, "acme")
    long = "rules/" + "very-long-name-" * 10 + "/x.rules"
    p.repo("add", "R", p.file("a", b"rules"), "--name", long)
    p.repo("delegate", "R", "acme", "--key", "acme/key.pub")
    p.repo("add", "R", p.file("b", os.urandom(3 << 20)), "--name", "acme/fw", "--role", "acme")
    p.repo("sign", "R", "acme", "--key", "acme/key")
    p.publish()
    carry(p, ok=False, bundle="missing")
    stick(p)
    with tarfile.open(p.path("stick")) as t:
        assert len(t.getnames()) == 7 and any(long.rpartition("/")[0] in n for n in t.getnames())
    assert "vouched for by acme" in carry(p) and p.got(long, "site") == b"rules"
    with open(p.path("b"), "rb") as f:
        assert p.got("acme/fw", "site") == f.read()
    assert "already there" in carry(p)
    # One target alone; and a site that was away while the root changed.
    p.repo("renew", "R", "root")
    p.publish()
    stick(p, "acme/fw")
    with tarfile.open(p.path("stick")) as t:
        assert [n for n in t.getnames() if n.startswith("targets/")] == [
            "targets/acme/%s.fw" % p.read()["acme"]["targets"]["acme/fw"]["hashes"]["sha256"]]
    assert "root 2" in carry(p)
    p.repo("bundle", "R", "-o", "x", "nothing", ok=False)
    assert not os.path.exists(p.path("x"))


@case
def old_bundle(p):
    """an older bundle is a rollback, an expired one a freeze, a stranger's is nobody's"""
    p.simple()
    p.repo("add", "R", p.file("a", b"1"), "--name", "a")
    p.publish()
    old = stick(p)
    p.repo("add", "R", p.file("a", b"2"), "--name", "a")
    p.publish()
    stick(p)
    carry(p)
    p.file("stick", old)
    assert "rolled back" in carry(p, ok=False) and p.got("a", "site") == b"2"
    other = Place()
    try:
        other.simple()
        p.file("strange", stick(other))
    finally:
        other.close()
    carry(p, ok=False, bundle="strange")
    carry(p, name="empty", ok=False, bundle="strange")
    stick(p)
    p.ahead(60, "update", "import", "stick", "--metadata-dir", "site", "--target-dir", "site-targets")


@case
def clock_set_back(p):
    """a bundle that has expired stays so when the site's clock is set back"""
    if not shutil.which("faketime"):
        raise Skip("faketime is missing")

    def back(days, *args):
        env = {**os.environ, "NO_FAKE_STAT": "1", "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        return subprocess.run(["faketime", "-f", "-%dd" % days, BIN, *args], cwd=p.dir, env=env, stderr=subprocess.PIPE,
                              stdout=subprocess.DEVNULL)
    p.simple()
    stick(p)
    carry(p)
    assert back(30, "repo", "publish", "R").returncode == 0
    assert back(30, "repo", "bundle", "R", "-o", "stick").returncode == 0
    carry(p, ok=False)
    assert "expired" in p.said
    done = back(28, "update", "import", "stick", "--metadata-dir", "site", "--target-dir", "site-targets")
    assert done.returncode == 1 and b"expired" in done.stderr, done.stderr
    os.utime(p.path("site/timestamp.json"), (1, 1))
    done = back(28, "update", "import", "stick", "--metadata-dir", "site", "--target-dir", "site-targets")
    assert done.returncode == 0, done.stderr


@case
def broken_bundles(p):
    """a bundle that is cut or altered anywhere gives nothing that was not signed"""
    p.simple()
    p.repo("add", "R", p.file("a", b"content" * 1000), "--name", "d/a")
    p.publish()
    whole = stick(p)
    carry(p)
    rng = random.Random(3)
    for length in [0, 1, 511, 512, 1024, len(whole) - 1, len(whole) - 512, len(whole) - 1024] + [
            rng.randrange(len(whole)) for _ in range(20)]:
        p.file("stick", whole[:length])
        carry(p, ok=False)
    for tail in (b"x" * 512, b"\0" * 511, whole):
        p.file("stick", whole + tail)
        carry(p, ok=False)
    for _ in range(60):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        p.file("stick", bytes(data))
        name = "s%d" % _
        done = subprocess.run([BIN, "update", "import", "stick", "--metadata-dir", "site", "--target-dir", name], cwd=p.dir,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode in (0, 1), done
        for n in os.listdir(p.path(name)) if os.path.isdir(p.path(name)) else ():
            assert open(p.path(name + "/" + n), "rb").read() == b"content" * 1000
        shutil.rmtree(p.path(name), ignore_errors=True)


@case
def tricky_bundles(p):
    """links, devices, folders, ways out, names twice, bombs: such a bundle is refused"""
    p.simple()
    p.repo("add", "R", p.file("a", b"content"), "--name", "a")
    p.publish()
    whole = stick(p)

    def rebuilt(change=None, extra=()):
        out = io.BytesIO()
        with tarfile.open(fileobj=io.BytesIO(whole)) as old, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as new:
            for m in old.getmembers():
                new.addfile(m, old.extractfile(m))
            for info, data in extra:
                new.addfile(info, io.BytesIO(data) if data is not None else None)
        p.file("stick", out.getvalue())

    def entry(name, kind=tarfile.REGTYPE, data=b"x", **more):
        info = tarfile.TarInfo(name)
        info.type = kind
        info.size = len(data) if kind == tarfile.REGTYPE else 0
        for k, v in more.items():
            setattr(info, k, v)
        return info, data if kind == tarfile.REGTYPE else None

    rebuilt()
    carry(p)
    for extra in (entry("../evil"), entry("metadata/../../evil"), entry("/etc/evil"), entry("targets//x"), entry("targets/./x"),
                  entry("other/x"), entry("targets/"), entry("metadata"), entry("targets/x\ny"),
                  entry("targets/" + "y/" * 300 + "../" * 300 + "x"), entry("targets/" + "z" * 300),
                  entry("metadata/timestamp.json"),
                  entry("targets/link", tarfile.SYMTYPE, linkname="/etc/passwd"),
                  entry("targets/hard", tarfile.LNKTYPE, linkname="targets/a"),
                  entry("targets/dev", tarfile.CHRTYPE), entry("targets/fifo", tarfile.FIFOTYPE), entry("targets/dir", tarfile.DIRTYPE)):
        rebuilt(extra=[extra])
        carry(p, ok=False)
        assert "no bundle" in p.said, (extra[0].name, p.said)
    assert sorted(n for n in os.listdir(p.dir) if not n.startswith("site")) == ["R", "a", "stick"]
    huge = bytearray(whole)
    huge[124:136] = b"77777777777\0"
    block = huge[:148] + b" " * 8 + huge[156:512]
    huge[148:156] = b"%06o\0 " % sum(block)
    p.file("stick", bytes(huge))
    carry(p, ok=False)
    rebuilt(extra=[entry("targets/%d.x" % i) for i in range(70000)])
    carry(p, ok=False)
    os.unlink(p.path("stick"))
    os.mkfifo(p.path("stick"))
    carry(p, ok=False)


if __name__ == "__main__":
    sys.exit(run_cases(cases, sys.argv[2:]))
