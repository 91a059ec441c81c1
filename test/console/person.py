"""Somebody at a console without a browser: a passkey that OpenSSL signs for, an app's codes, and a
connection that keeps its cookie. For guess.py and hostile.py, over `console-kit` with KIT_REAL."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import socket
import ssl
import struct
import subprocess
import tempfile
import time


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*args, data=b""):
    return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout


def totp(secret, ahead=0):
    """RFC 6238, `ahead` steps from now."""
    key = base64.b32decode(secret.replace(" ", ""))
    h = hmac.new(key, struct.pack(">Q", int(time.time()) // 30 + ahead), hashlib.sha1).digest()
    at = h[-1] & 15
    return "%06d" % ((struct.unpack(">I", h[at:at + 4])[0] & 0x7fffffff) % 1000000)


class Passkey:
    """ES256, attestation none; OpenSSL signs."""

    def __init__(self, folder):
        self.id, self.count, self.handle = os.urandom(32), 0, None
        self.file = f"{folder}/passkey-{self.id.hex()[:8]}.pem"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.file)
        self.point = openssl("ec", "-in", self.file, "-pubout", "-outform", "DER")[-64:]

    def said(self, kind, challenge, origin, **more):
        return json.dumps({"type": "webauthn." + kind, "challenge": challenge, "origin": origin, "crossOrigin": False, **more}).encode()

    def data(self, flags, rp="localhost", count=None):
        self.count += 1
        return hashlib.sha256(rp.encode()).digest() + bytes([flags]) + struct.pack(">I", self.count if count is None else count)

    def create(self, challenge, origin):
        x, y = self.point[:32], self.point[32:]
        key = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y  # RFC 9053 §7.1.1
        auth = self.data(0x45) + bytes(16) + struct.pack(">H", len(self.id)) + self.id + key
        attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58" + bytes([len(auth)]) + auth
        return {"id": b64(self.id), "response": {"clientDataJSON": b64(self.said("create", challenge, origin)),
                                                 "attestationObject": b64(attestation)}}

    def sign(self, said, auth):
        return openssl("dgst", "-sha256", "-sign", self.file, data=auth + hashlib.sha256(said).digest())

    def answer(self, said, auth, handle=None):
        return {"id": b64(self.id), "response": {"clientDataJSON": b64(said), "authenticatorData": b64(auth),
                                                 "signature": b64(self.sign(said, auth)), "userHandle": handle or self.handle}}

    def get(self, challenge, origin, handle=None):
        return self.answer(self.said("get", challenge, origin), self.data(0x05), handle)


class Browser:
    def __init__(self, port, source="127.0.0.1"):
        self.host, self.cookie, self.csrf = f"localhost:{port}", None, None
        self.origin = "https://" + self.host
        self.c = http.client.HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context(), timeout=40,
                                             source_address=(source, 0))

    def raw(self, path, args=None, headers=None):
        """Exactly these headers besides the necessary ones: the answer, and its body as JSON."""
        head = {"Host": self.host}
        if args is not None:
            head.update({"Origin": self.origin, "Content-Type": "application/json"})
        self.c.request("GET" if args is None else "POST", path, None if args is None else json.dumps(args), {**head, **(headers or {})})
        r = self.c.getresponse()
        try:
            return r, json.loads(r.read() or b"{}")
        except ValueError:
            return r, {}

    def ask(self, call, args=None, get=False):
        headers = {}
        if self.cookie:
            headers["Cookie"] = self.cookie
        if self.csrf:
            headers["X-CSRF-Token"] = self.csrf
        r, body = self.raw("/api/" + call.replace(".", "/"), None if get else args or {}, headers)
        self.set_cookie = r.getheader("Set-Cookie")
        if self.set_cookie:
            self.cookie = None if "Max-Age=0" in self.set_cookie else self.set_cookie.split(";")[0]
        self.csrf = body.get("csrf", self.csrf)
        return r.status, body

    def with_passkey(self, key):
        """Signs in without a name."""
        _, begun = self.ask("auth.begin")
        return self.ask("auth.finish", {"login": begun["login"], "webauthn": key.get(begun["webauthn"]["challenge"], self.origin)})


class Kit:
    """Keeper and console, with the people that are really there."""

    def __init__(self, program, policy, **options):
        self.folder = tempfile.mkdtemp(prefix="bedwarden-person-")
        with open(self.folder + "/policy.yaml", "w", encoding="ascii") as f:
            f.write(policy)
        self.log = open(self.folder + "/log", "w+b")
        env = dict(os.environ, KIT_REAL="1", **{f"KIT_{k.upper()}": str(v) for k, v in options.items()})
        self.process = subprocess.Popen([program, self.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, env=env)
        self.pid = self.process.pid
        self.port = int(self.process.stdout.readline() or 0)
        for _ in range(100):
            if "certificate" in self.said():
                break
            time.sleep(0.1)

    def said(self):
        with open(self.folder + "/log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def box(self, call, **args):
        """As the command line asks on the box itself."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.folder + "/control")
            s.sendall(json.dumps({"call": call, "args": args}).encode() + b"\n")
            return json.loads(s.makefile().readline())

    def child(self, which):
        """keeper is the first that the kit starts."""
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True, text=True, check=True).stdout
        pids = sorted(int(pid) for pid in out.split())
        return pids[0] if which == "keeper" else pids[1]

    def stop(self):
        """Did both end in order?"""
        self.process.stdin.close()
        code, text = self.process.wait(20), self.said()
        subprocess.run(["rm", "-rf", self.folder], check=True)
        return code == 0 and "ERROR" not in text and "runtime error" not in text, text[-3000:]


def memory(pid, what="VmHWM"):
    """MiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(what)) / 1024


def enrol(kit, name, role="administrator", password=None, app=False, passkey=True):
    """Somebody new: their passkey (with .handle), their app's secret; and the browser they did it in."""
    code = kit.box("user.add", user=name, role=role)["code"]
    b, key, secret = Browser(kit.port), None, None
    b.ask("auth.first", {"code": code})
    if passkey:
        key = Passkey(kit.folder)
        _, begun = b.ask("factor.webauthn_begin")
        key.handle = begun["webauthn"]["user"]["id"]
        s, r = b.ask("factor.webauthn_finish", {"login": begun["login"], "webauthn": key.create(begun["webauthn"]["challenge"], b.origin)})
        assert s == 200, (name, s, r)
    if password:
        s, r = b.ask("factor.password_set", {"password": password})
        assert s == 200, (name, s, r)
    if app:
        _, begun = b.ask("factor.totp_begin")
        secret = begun["secret"]
        s, r = b.ask("factor.totp_finish", {"login": begun["login"], "totp": totp(secret, -1)})
        assert s == 200, (name, s, r)
    return key, secret, b
