#!/usr/bin/env python3
"""People at workstations with and without a certificate, by curl, for certificate.sh.
usage: certificate.py BEDWARDEN DIR NAMESPACES"""
import json, os, subprocess, sys

sys.path += [sys.path[0] + "/..", sys.path[0] + "/../console"]
from person import totp  # noqa: E402
from suite import finish, ok  # noqa: E402

PROGRAM, DIR, ID = sys.argv[1:4]
PUMP = "10.95.1.14"
here = os.path.dirname(os.path.abspath(__file__))


def box(*args):
    p = subprocess.run([PROGRAM, *args, "--socket", f"{DIR}/run/control"], capture_output=True, text=True, timeout=20)
    return p.stdout + p.stderr


def code_of(text):
    return next((l.strip() for l in text.split("\n") if l.startswith("    ") and l.count("-") == 3), "")


class Person:
    def __init__(self, name):
        self.name, self.csrf, self.jar = name, "", f"{DIR}/jar-{name}"

    def ask(self, call, args=None, get=False, cert=None, stolen=False):
        """curl's exit code where it did not come so far; else status and answer."""
        a = ["curl", "-sk", "--max-time", "10", "--resolve", "gw.test:8443:10.99.1.1", "-b", self.jar, "-c", self.jar,
             "-H", "Origin: https://gw.test:8443", "-H", f"X-CSRF-Token: {self.csrf}", "-w", "\n%{http_code}"]
        if stolen:  # the cookie is elsewhere; what becomes of it there changes nothing here
            a[a.index("-c") + 1] = "/dev/null"
        if cert:
            a += ["--cert", f"{DIR}/{cert}.pem", "--key", f"{DIR}/{cert}.key"]
        if not get:
            a += ["-H", "Content-Type: application/json", "-d", json.dumps(args or {})]
        p = subprocess.run(a + ["https://gw.test:8443/api/" + call.replace(".", "/")], capture_output=True, text=True)
        if p.returncode:
            return -p.returncode, {}
        body, status = p.stdout.rsplit("\n", 1)
        r = json.loads(body or "{}")
        self.csrf = r.get("csrf", self.csrf)
        return int(status), r

    def enrol(self, code, cert):
        s, r = self.ask("auth.first", {"code": code}, cert=cert)
        if s != 200:
            return s, r
        self.ask("factor.password_set", {"password": "walking down the corridor"}, cert=cert)
        begun = self.ask("factor.totp_begin", cert=cert)[1]
        self.secret = begun["secret"]
        return self.ask("factor.totp_finish", {"login": begun["login"], "totp": totp(self.secret, -1)}, cert=cert)

    def sign_in(self, cert, ahead=0):
        begun = self.ask("auth.begin", {"user": self.name}, cert=cert)[1]
        return self.ask("auth.finish", {"login": begun.get("login", ""), "user": self.name,
                                        "password": "walking down the corridor", "totp": totp(self.secret, ahead)}, cert=cert)

    def door(self, cert):
        return self.ask("grant.request", {"device": "pump-1", "service": "telnet", "reason": "drug library", "minutes": 5}, cert=cert)


def telnet():
    return subprocess.run([sys.executable, here + "/session.py", "try", PUMP, "23"]).returncode == 0


anna, ben = Person("anna"), Person("ben")
code = code_of(box("user", "add", "anna", "--first"))
s, r = anna.ask("auth.state", get=True, cert="stranger")
ok(s < 0, "a certificate by somebody else is refused by TLS itself", (s, r))
s, r = anna.ask("auth.state", get=True, cert="expired")
ok(s < 0, "one that has run out as well", (s, r))
s, r = anna.ask("auth.state", get=True)
ok(s == 200, "without one the page is there", (s, r))
s, r = anna.ask("auth.first", {"code": code})
ok((s, r.get("type")) == (403, "auth.certificate_needed"), "an administrator does not come in without one", (s, r))
s, r = anna.enrol(code, "ws")
ok(s == 200, "with one, by the code that this has not used up", (s, r))
s, r = anna.sign_in("ws")
ok((s, r.get("kind")) == (200, "full"), "and signs in", (s, r))
s, r = anna.ask("session.list", get=True, cert="ws")
shown = [x.get("certificate", "") for x in r.get("sessions", []) if x.get("own")]
print_ = subprocess.run(["openssl", "x509", "-in", f"{DIR}/ws.pem", "-noout", "-fingerprint", "-sha256"], capture_output=True, text=True).stdout
print_ = print_.split("=")[1].strip().replace(":", "").lower()
ok(len(shown) == 1 and shown[0].startswith(print_ + " ") and "CN=ws" in shown[0], "the session knows by which", (r, print_))
s, r = anna.ask("session.me", get=True, stolen=True)
ok((s, r.get("type")) == (401, "auth.certificate"), "its cookie is no good without the certificate", (s, r))
s, r = anna.ask("session.me", get=True, cert="other", stolen=True)
ok((s, r.get("type")) == (401, "auth.certificate"), "nor with another workstation's", (s, r))
ok(anna.ask("session.me", get=True, cert="ws")[0] == 200, "where it began it goes on")

s, r = anna.ask("user.add", {"user": "ben", "role": "clinical_engineer"}, cert="ws")
s, r = ben.enrol(r.get("code", ""), None)
ok(s == 200, "a role that needs none comes in without", (s, r))
s, r = ben.sign_in(None)
ok((s, r.get("kind")) == (200, "full"), "and signs in", (s, r))
s, r = ben.door(None)
ok((s, r.get("type")) == (403, "grant.certificate_needed"), "but the pump's port opens to none without", (s, r))
s, r = ben.ask("grant.break_glass", {"device": "pump-1", "service": "telnet", "reason": "bed 4", "minutes": 5})
ok((s, r.get("type")) == (403, "grant.certificate_needed"), "not even in an emergency", (s, r))
ok(not telnet(), "the port is shut")
s, r = anna.door("ws")
g = r.get("grant", {})
ok(s == 200 and g.get("state") == "open", "it opens to one who shows hers", (s, r))
ok(g.get("certificate", "").startswith(print_) and g.get("source") == "10.95.0.5" and g.get("mac") == "02:00:00:95:00:05",
   "for that address, that hardware address, that certificate", g)
ok(telnet(), "and she is in")
ok(print_ in box("grants", "--json"), "bedwarden grants names it")
trail = subprocess.run([PROGRAM, "audit", "ls", "-d", f"{DIR}/state", "--json", "-n", "50"], capture_output=True, text=True).stdout
ok("CN=ws" in trail, "and the audit trail does", trail[-300:])
s, r = anna.ask("grant.revoke", {"id": g.get("id", 0)}, cert="ws")
ok(s == 200 and not telnet(), "and shut again", (s, r))
finish()
