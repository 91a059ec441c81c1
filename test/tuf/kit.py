"""A TUF repository for tests, written from the specification (1.0) and python3-cryptography alone:
nothing of it is shared with the program under test. Metadata are plain dicts, so that a test can
break any rule; publish() signs them and puts the bytes where a mirror would have them."""
import concurrent.futures
import copy
import datetime
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from urllib.parse import quote, unquote

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
except ImportError:
    print("skip - %s: python3-cryptography is missing" % os.path.basename(sys.argv[0]))
    sys.exit(0)

TOP = ("root", "timestamp", "snapshot", "targets")


def canonical(value):
    """OLPC canonical JSON, TUF 4.2."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(canonical(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(canonical(k) + ":" + canonical(value[k]) for k in sorted(value)) + "}"
    raise TypeError(type(value))


def when(days=30, seconds=0):
    t = datetime.datetime.utcnow() + datetime.timedelta(days=days, seconds=seconds)
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


class Skip(Exception):
    pass


class Key:
    """A key pair of one of the specification's kinds."""
    spare = {}  # RSA keys take long to make

    def __init__(self, scheme="ed25519", keytype=None):
        self.scheme = scheme
        if scheme == "ed25519":
            self.private = ed25519.Ed25519PrivateKey.generate()
            public = self.private.public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()
            self.keytype = keytype or "ed25519"
        else:
            if scheme.startswith("ecdsa"):
                self.private = ec.generate_private_key(ec.SECP256R1())
                self.keytype = keytype or "ecdsa"
            else:
                self.private = rsa.generate_private_key(65537, 2048)
                self.keytype = keytype or "rsa"
            public = self.private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        self.public = {"keytype": self.keytype, "scheme": scheme, "keyval": {"public": public}}
        self.id = hashlib.sha256(canonical(self.public).encode()).hexdigest()

    def sign(self, data):
        if self.scheme == "ed25519":
            sig = self.private.sign(data)
        elif self.scheme.startswith("ecdsa"):
            sig = self.private.sign(data, ec.ECDSA(hashes.SHA256()))
        elif self.scheme == "rsassa-pss-sha256":
            sig = self.private.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        else:
            sig = self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return {"keyid": self.id, "sig": sig.hex()}


def verify(key, data, sig):
    """Does this public key of metadata verify? For reading what the program under test wrote."""
    public, scheme = key["keyval"]["public"], key["scheme"]
    try:
        raw = bytes.fromhex(sig)
        if scheme == "ed25519":
            ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(raw, data)
        else:
            pub = serialization.load_pem_public_key(public.encode())
            if scheme.startswith("ecdsa"):
                pub.verify(raw, data, ec.ECDSA(hashes.SHA256()))
            elif scheme == "rsassa-pss-sha256":
                pub.verify(raw, data, padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO), hashes.SHA256())
            else:
                return False
        return True
    except (InvalidSignature, ValueError):
        return False


class Repo:
    def __init__(self, consistent=True):
        self.signers = {role: [Key()] for role in TOP}
        self.hashes = False        # in timestamp and snapshot
        self.files = {}            # path: bytes, or a function of the handler
        self.requests = []
        self.signed = {
            "root": {"_type": "root", "spec_version": "1.0.31", "version": 0, "expires": when(),
                     "consistent_snapshot": consistent, "keys": {}, "roles": {}},
            "timestamp": {"_type": "timestamp", "spec_version": "1.0.31", "version": 0, "expires": when(), "meta": {}},
            "snapshot": {"_type": "snapshot", "spec_version": "1.0.31", "version": 0, "expires": when(), "meta": {}},
            "targets": self.empty(),
        }
        for role in TOP:
            self.signed["root"]["roles"][role] = {"keyids": [], "threshold": 1}
            self.add_key(role, self.signers[role][0])
        self.publish("targets", "snapshot", "timestamp", "root")

    @staticmethod
    def empty(**more):
        return {"_type": "targets", "spec_version": "1.0.31", "version": 0, "expires": when(), "targets": {}, **more}

    @property
    def root(self):
        return self.signed["root"]

    def add_key(self, role, key):
        self.root["keys"][key.id] = key.public
        self.root["roles"][role]["keyids"].append(key.id)

    def rotate(self, role, *keys):
        keys = keys or (Key(),)
        self.root["roles"][role]["keyids"] = []
        for k in keys:
            self.add_key(role, k)
        self.signers[role] = list(keys)

    def seal(self, role):
        data = canonical(self.signed[role]).encode()
        body = {"signed": self.signed[role], "signatures": [k.sign(data) for k in self.signers[role]]}
        return json.dumps(body, indent=1).encode()

    def about(self, role, data):
        meta = {"version": self.signed[role]["version"]}
        if self.hashes:
            meta["length"] = len(data)
            meta["hashes"] = {"sha256": hashlib.sha256(data).hexdigest()}
        return meta

    def put(self, role, data):
        """Where a mirror has it."""
        version, name = self.signed[role]["version"], quote(role, "")
        if role == "root":
            self.files[f"metadata/{version}.root.json"] = data
        elif role == "timestamp" or not self.root["consistent_snapshot"]:
            self.files[f"metadata/{name}.json"] = data
        else:
            self.files[f"metadata/{version}.{name}.json"] = data

    def publish(self, *roles, bump=True):
        for role in roles:
            self.signed[role]["version"] += bump
            data = self.seal(role)
            self.put(role, data)
            if role == "snapshot":
                self.signed["timestamp"]["meta"]["snapshot.json"] = self.about(role, data)
            elif role not in ("root", "timestamp"):
                self.signed["snapshot"]["meta"][role + ".json"] = self.about(role, data)

    def publish_all(self):
        self.publish("targets", "snapshot", "timestamp")

    def add_target(self, path, data, role="targets", algorithms=("sha256",)):
        digests = {a: hashlib.new(a, data).hexdigest() for a in algorithms}
        self.signed[role]["targets"][path] = {"length": len(data), "hashes": digests}
        folder, slash, base = path.rpartition("/")
        for digest in digests.values():
            self.files[f"targets/{quote(folder)}{slash}{digest}.{quote(base)}"] = data
        self.files["targets/" + quote(path)] = data

    def delegate(self, by, name, terminating=False, key=None, **which):
        """`which`: paths=[…] or path_hash_prefixes=[…]."""
        key = key or Key()
        d = self.signed[by].setdefault("delegations", {"keys": {}, "roles": []})
        d["keys"][key.id] = key.public
        d["roles"].append({"name": name, "keyids": [key.id], "threshold": 1, "terminating": terminating,
                           **(which or {"paths": ["*"]})})
        if name not in self.signed:
            self.signed[name] = self.empty()
            self.signers[name] = []
        self.signers[name].append(key)
        return key


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        repo = self.server.repo
        path = self.path.lstrip("/")
        repo.requests.append(path)
        data = repo.files.get(path)
        if callable(data):
            return data(self)
        if data is None:
            return self.send_error(404)
        self.give(data)

    def give(self, data):
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass

    def handle(self):
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            pass


class Mirror(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, repo):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repo = repo
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class Client:
    """The program under test, with a repository of its own and a mirror for it."""
    binary = None

    def __init__(self, repo=None, root=None, init=True):
        self.repo = repo or Repo()
        self.mirror = Mirror(self.repo)
        self.temp = tempfile.TemporaryDirectory()
        self.dir = os.path.join(self.temp.name, "metadata")
        self.into = os.path.join(self.temp.name, "targets")
        os.mkdir(self.dir)
        os.mkdir(self.into)
        self.env = {}
        self.root = root or self.repo.files["metadata/1.root.json"]
        self.said = ""
        if init:
            assert self.init() == 0, self.said

    def run(self, *args, ahead=None, timeout=120):
        cmd = [self.binary, "tuf", *args]
        if ahead:
            if not shutil.which("faketime"):
                raise Skip("faketime is missing")
            cmd = ["faketime", "-f", f"+{ahead}d", *cmd]
        # libfaketime comes before the sanitizer's own library, which is as good here.
        env = {**os.environ, "http_proxy": "", "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0", **self.env}
        done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, env=env)
        self.said = done.stderr.decode(errors="replace") + done.stdout.decode(errors="replace")
        return done.returncode

    def init(self):
        trusted = os.path.join(self.temp.name, "initial.json")
        with open(trusted, "wb") as f:
            f.write(self.root)
        return self.run("--metadata-dir", self.dir, "init", trusted)

    def where(self):
        return ["--metadata-url", self.mirror.url + "/metadata", "--metadata-dir", self.dir]

    def refresh(self, **how):
        self.repo.requests.clear()
        return self.run(*self.where(), "refresh", **how)

    def download(self, *names, **how):
        self.repo.requests.clear()
        args = [a for n in names for a in ("--target-name", n)]
        return self.run(*self.where(), *args, "--target-dir", self.into, "--target-base-url",
                        self.mirror.url + "/targets/", "download", **how)

    def version(self, role):
        try:
            with open(os.path.join(self.dir, role + ".json")) as f:
                return json.load(f)["signed"]["version"]
        except FileNotFoundError:
            return None

    def trusted(self):
        return {n[:-5]: self.version(n[:-5]) for n in os.listdir(self.dir) if n.endswith(".json")}

    def raw(self, role):
        with open(os.path.join(self.dir, role + ".json"), "rb") as f:
            return f.read()

    def got(self):
        names = sorted(os.listdir(self.into), key=lambda n: (os.stat(os.path.join(self.into, n)).st_mtime_ns, n))
        return [open(os.path.join(self.into, n), "rb").read() for n in names]

    def close(self):
        self.mirror.shutdown()
        self.mirror.server_close()
        self.temp.cleanup()


def run_cases(cases, only=()):
    """Prints a line a case, in the order they end; exit code. They wait more than they work."""
    def run(case):
        try:
            case()
            return "ok", ""
        except Skip as e:
            return "skip", str(e)
        except Exception:  # noqa: a failed case is a line, not the end
            return "not ok", traceback.format_exc()

    failed = 0
    chosen = [c for c in cases if not only or c.__name__ in only]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for case, (how, why) in zip(chosen, pool.map(run, chosen)):
            if how == "not ok":
                print(why, end="")
            print(how, "-", case.__doc__ + (": " + why if how == "skip" else ""), flush=True)
            failed += how == "not ok"
    return 1 if failed else 0
