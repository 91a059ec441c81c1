#!/usr/bin/env python3
"""walk.py BEDWARDEN FOLDER ID PART: people at a gateway's console (test/e2e/walk.sh).

Runs on the right workstation. Part `people` is the whole way of Anna, who has a passkey
(Chromium's virtual authenticator), Ben and Carla, who have passwords and apps; other parts are what
somebody does on another machine.
"""
import base64
import hashlib
import http.client
import json
import os
import shutil
import sqlite3
import ssl
import subprocess
import sys
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path += [here + "/..", here + "/../console"]
from browser import Browser  # noqa: E402
from person import totp  # noqa: E402
from suite import finish, ok  # noqa: E402

program, folder, prefix, part = sys.argv[1:5]
PUMP = "10.77.1.14"
PASSWORDS = {"anna": "seven pumps hum in the dark", "ben": "blue curtains, quiet corridor", "carla": "night shift begins at nine", "acme": "we made the pump in the hall"}


def at(place, *command, **more):
    return subprocess.run(["ip", "netns", "exec", f"{prefix}-{place}", *command], capture_output=True, text=True, **more)


def elsewhere(place, what, *args):
    """A part of this file on another machine; what it says, as JSON."""
    r = at(place, sys.executable, os.path.abspath(__file__), program, folder, prefix, what, *args)
    try:
        return json.loads(r.stdout.strip().split("\n")[-1])
    except ValueError:
        return {"said": r.stdout, "error": r.stderr[-500:]}


def box(*args):
    """On the gateway's own terminal."""
    r = subprocess.run([program, *args, "--socket", folder + "/run/control"], capture_output=True, text=True, timeout=20)
    return r.stdout + r.stderr


def code_of(text):
    return next((line.strip() for line in text.split("\n") if line.startswith("    ") and line.count("-") == 3), "")


class Person:
    """Somebody without a browser: the API, and its cookie."""

    def __init__(self):
        self.cookie = self.csrf = None

    def ask(self, call, args=None, get=False):
        c = http.client.HTTPSConnection("10.99.0.1", 8443, context=ssl._create_unverified_context(), timeout=10)
        headers = {"Host": "gw.test:8443", "Origin": "https://gw.test:8443", "Content-Type": "application/json"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        if self.csrf:
            headers["X-CSRF-Token"] = self.csrf
        c.request("GET" if get else "POST", "/api/" + call.replace(".", "/"), None if get else json.dumps(args or {}), headers)
        r = c.getresponse()
        body = json.loads(r.read() or b"{}")
        if r.getheader("Set-Cookie"):
            self.cookie = r.getheader("Set-Cookie").split(";")[0]
        self.csrf = body.get("csrf", self.csrf)
        return r.status, body

    def sign_in(self, user, **factors):
        begun = self.ask("auth.begin", {})[1]
        return self.ask("auth.finish", {"login": begun["login"], "user": user, **factors})


def enrol(name, code):
    """A password and an app, from that person's own machine; the app's secret."""
    p = Person()
    p.ask("auth.first", {"code": code})
    p.ask("factor.password_set", {"password": PASSWORDS[name]})
    begun = p.ask("factor.totp_begin")[1]
    status, r = p.ask("factor.totp_finish", {"login": begun["login"], "totp": totp(begun["secret"], -1)})
    return {"status": status, "secret": begun.get("secret"), "r": r}


def emergency(where="bedside"):
    """Carla at the bedside: one factor, and what it opens."""
    p, said = Person(), {}
    s, r = p.sign_in("carla", password=PASSWORDS["carla"], one_factor=True)
    said["sign_in"] = [s, r.get("kind", r.get("type"))]
    said["else"] = p.ask("devices", get=True)[0]
    if where == "afar":
        s, r = p.ask("grant.break_glass", {"device": "pump-1", "service": "telnet", "reason": "bed 4, alarm stuck", "minutes": 5})
        return {"grant": [s, r.get("type")]}
    said["before"] = can_telnet()
    s, r = p.ask("grant.break_glass", {"device": "pump-1", "service": "telnet", "reason": "bed 4, alarm stuck", "minutes": 5})
    said["grant"] = [s, r.get("grant", r)]
    said["after"] = can_telnet()
    return said


def can_telnet():
    return subprocess.run([sys.executable, here + "/session.py", "try", PUMP, "23"]).returncode == 0


# What the page does, by its own modules: a call of the API, and a call with a passkey.
SCRIPT = """const {look, change, onFresh} = await import('/api.js'), passkey = await import('/passkey.js');
onFresh(null); // the page would ask the person
const ask = async (call, args, get) => {
    const done = (r) => ({status: 200, ...r});
    try { return done(await (get ? look(call, args) : change(call, args))); } catch (p) { return {...p.more, status: p.status, type: p.type}; }
};
"""


class Anna:
    """With a passkey, in Chromium."""

    def __init__(self, chromium):
        pem = ssl.get_server_certificate(("10.99.0.1", 8443))
        run = lambda *a, **k: subprocess.run(["openssl", *a], capture_output=True, check=True, **k).stdout
        public = run("x509", "-pubkey", "-noout", input=pem.encode())
        spki = base64.b64encode(hashlib.sha256(run("pkey", "-pubin", "-outform", "DER", input=public)).digest()).decode()
        self.b = Browser(chromium, spki, "--host-resolver-rules=MAP gw.test 10.99.0.1")
        self.b.send("WebAuthn.enable")
        self.key = self.b.send("WebAuthn.addVirtualAuthenticator", options={
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": True, "automaticPresenceSimulation": True})["authenticatorId"]
        self.b.open("https://gw.test:8443/")
        self.b.wait("return document.querySelector('h1')?.textContent")

    def ask(self, call, args=None, get=False):
        return self.b.run(SCRIPT + f"return await ask({json.dumps(call)}, {json.dumps(args or {})}, {json.dumps(get)})")

    def with_passkey(self, begin, finish, how="get", **args):
        """begin, the authenticator, finish; the answer, and what was sent to finish."""
        return self.b.run(SCRIPT + f"""const begun = await ask({json.dumps(begin)}, {{}});
            if (begun.status !== 200) return [begun, null];
            const sent = {{login: begun.login, webauthn: await passkey.{how}(begun.webauthn), ...{json.dumps(args)}}};
            return [await ask({json.dumps(finish)}, sent), sent]""")

    def token(self):
        cookies = self.b.send("Network.getCookies", urls=["https://gw.test:8443/"])["cookies"]
        return cookies[0]["value"] if cookies else ""


def first_start(a):
    r = a.ask("auth.state", get=True)
    ok(r["status"] == 200 and r["first"] and r["rp_id"] == "gw.test", "a new gateway has nobody, and no default account", r)
    code = code_of(box("user", "add", "anna", "--first"))
    ok(code, "its own terminal gives the first administrator a code")
    r = a.ask("auth.first", {"code": "0000-0000-0000-0000"})
    ok(r["status"] == 401, "another code is none", r)
    r = a.ask("auth.first", {"code": code})
    ok(r["status"] == 200 and r["kind"] == "enrol", "with it, a factor is enrolled", r)
    refused = [a.ask(c, get=True)["status"] for c in ("status", "user.list", "devices", "audit.list")]
    ok(refused == [403] * 4, "before anything else works", refused)
    r, _ = a.with_passkey("factor.webauthn_begin", "factor.webauthn_finish", "create", name="blue key")
    ok(r["status"] == 200, "a passkey", r)
    r = a.ask("factor.password_set", {"password": PASSWORDS["anna"]})
    ok(r["status"] == 200, "a password", r)
    a.codes = a.ask("factor.recovery_make").get("codes", [])
    ok(len(a.codes) == 10, "and printed codes", a.codes)
    a.ask("auth.logout")
    ok(a.ask("auth.first", {"code": code})["status"] == 401, "the code from the terminal works once")


def sign_in(a):
    r, sent = a.with_passkey("auth.begin", "auth.finish")
    ok(r["status"] == 200 and r["user"] == "anna" and r["kind"] == "full" and r["aal"] >= 2,
       "signed in without a name: the passkey says who it is", r)
    ok(a.ask("auth.finish", sent)["status"] == 400, "and what it signed is good once")


def others(a):
    """Ben and Carla, each with a code and from their own machine; their apps' secrets."""
    secrets = {}
    for name, role, place in (("ben", "administrator", "beside"), ("carla", "clinical_engineer", "nurse")):
        r = a.ask("user.add", {"user": name, "role": role})
        e = elsewhere(place, "enrol", name, r.get("code", ""))
        secrets[name] = e.get("secret")
        ok(r["status"] == 200 and e.get("status") == 200, f"{name} gets a code, and enrols by it", (r, e))
    return secrets


def fresh(a):
    with sqlite3.connect(folder + "/state/people.db", timeout=5) as db:  # as if it had been a while
        db.execute("UPDATE session SET fresh_ns = 1")
    args = {"device": "pump-1", "service": "telnet", "reason": "alarm log 4711", "minutes": 1}
    r = a.ask("grant.request", args)
    ok(r["status"] == 403 and r["type"] == "auth.step_up_needed", "a door needs a fresh factor", r)
    token = a.token()
    r, _ = a.with_passkey("auth.step_up_begin", "auth.step_up_finish")
    ok(r["status"] == 200 and a.token() not in ("", token), "shown, the session goes on under a new token", r)
    ok(not can_telnet(), "the pump's telnet port is shut")
    session = subprocess.Popen([sys.executable, here + "/session.py", "open", PUMP, "23", "75"], stdout=subprocess.PIPE, text=True)
    begin = time.time()
    r = a.ask("grant.request", args)
    g, told = r.get("grant", {}), time.time()
    ok(r["status"] == 200 and g["state"] == "open" and g["source"] == "10.77.0.5" and g["mac"] == "02:be:d0:00:00:05",
       "asked for through the API it opens, for this workstation's two addresses", r)
    ok(can_telnet(), "the right workstation is in")
    r = at("beside", sys.executable, here + "/session.py", "try", PUMP, "23")
    ok(r.returncode != 0, "the one beside it is not", r)
    return session, begin, told - begin


def cut(session, begin, asking):
    said = json.loads(session.communicate(timeout=90)[0] or "{}")
    late = said.get("last_ms", 0) - (begin + 60) * 1000
    ok(said.get("reset") and -500 <= late <= 200 + asking * 1000,
       f"its minute is over: cut mid-session, {late:.0f} ms from the end, {asking * 1000:.0f} ms of it the asking", said)
    ok(not can_telnet(), "and shut again")


def bedside(a):
    said = elsewhere("beside", "emergency", "afar")
    ok(said.get("grant") == [403, "grant.not_from_ward"], "one factor opens nothing from outside the ward", said)
    at("hos", "ip", "link", "set", "e0", "down")
    said = elsewhere("nurse", "emergency")
    at("hos", "ip", "link", "set", "e0", "up")
    ok(said.get("sign_in") == [200, "one_factor"], "the hospital's port is unplugged: one factor signs in at the bedside", said)
    ok(said.get("else") == 403, "for emergencies and nothing else", said)
    ok(said.get("before") is False, "the pump's port is shut there, too", said)
    s, g = said.get("grant", [0, {}])
    ok(s == 200 and g.get("state") == "open" and g.get("break_glass") and g.get("mac") == "02:be:d0:00:01:40", "an emergency opens it at once", said)
    ok(said.get("after") is True, "and lets the nurse's workstation in", said)
    nags = a.ask("status", get=True).get("nags", [])
    ok(any("EMERGENCY" in n and "carla" in n for n in nags), "in red for everybody", nags)
    a.ask("grant.revoke", {"id": g.get("id", 0), "reason": "pump restarted"})
    r = a.ask("grant.review", {"id": g.get("id", 0), "reason": "it was needed"})
    ok(r["status"] == 200, "until a second person has looked at it", r)
    nags = a.ask("status", get=True).get("nags", [])
    ok(not any("carla" in n for n in nags), "and no longer", nags)


def vendor(secret, step):
    """Somebody of the pump's maker, on their own machine: asks once, or is asked for what they see."""
    p, saved = Person(), folder + "/acme"
    if step == "ask":
        p.sign_in("acme", password=PASSWORDS["acme"], totp=totp(secret))
        json.dump([p.cookie, p.csrf], open(saved, "w", encoding="utf-8"))
    else:
        p.cookie, p.csrf = json.load(open(saved, encoding="utf-8"))
    if step == "in":
        return {"in": can_telnet()}
    s, r = p.ask("grant.request", {"device": "pump-1", "service": "telnet", "reason": "yearly service", "minutes": 5})
    return {"grant": [s, r.get("type", r.get("grant", r))], "users": p.ask("user.list", get=True)[0]}


def invited(a):
    r = a.ask("user.add", {"user": "acme", "role": "vendor", "devices": ["pump-1"]})
    e = elsewhere("beside", "enrol", "acme", r.get("code", ""))
    said = elsewhere("beside", "vendor", e.get("secret") or "", "ask")
    ok(said.get("grant") == [403, "grant.not_invited"] and said.get("users") == 403, "a vendor without an invitation asks in vain", (r, e, said))
    i = a.ask("vendor.invite", {"user": "acme", "devices": ["pump-1"], "minutes": 30, "reason": "yearly service"})
    said = elsewhere("beside", "vendor", "", "again")
    s, g = said.get("grant", [0, {}])
    ok(i["status"] == 200 and s == 200 and isinstance(g, dict) and g.get("state") == "asked", "invited, somebody of the house is asked", (i, said))
    r = a.ask("grant.approve", {"id": g.get("id", 0) if isinstance(g, dict) else 0})
    ok(r["status"] == 200 and r["grant"]["source"] == "10.77.0.6", "who lets the vendor's workstation in", r)
    ok(elsewhere("beside", "vendor", "", "in").get("in") is True, "and it is in")
    r = a.ask("vendor.withdraw", {"id": i.get("id", 0)})
    ok(r["status"] == 200 and elsewhere("beside", "vendor", "", "in").get("in") is False, "until the invitation is withdrawn", r)


def lost(a, secrets):
    a.b.send("WebAuthn.clearCredentials", authenticatorId=a.key)
    a.ask("auth.logout")
    begun = a.ask("auth.begin")
    r = a.ask("auth.finish", {"login": begun["login"], "user": "anna", "password": PASSWORDS["anna"]})
    ok(r["status"] == 200 and "next" in r and "token" not in r, "the passkey is lost: a password alone is not enough", r)
    r = a.ask("auth.finish", {"login": r["login"], "user": "anna", "recovery": a.codes[0]})
    ok(r["status"] == 200 and r["kind"] == "full", "with a printed code it is", r)
    used = a.ask("auth.begin")
    r = a.ask("auth.finish", {"login": used["login"], "user": "anna", "password": PASSWORDS["anna"], "recovery": a.codes[0]})
    ok(r["status"] == 401, "which is good once", r)
    said = elsewhere("beside", "reset", secrets["ben"] or "")
    ok(said.get("alone") == 403, "all is lost: nobody resets alone", said)
    said_box = box("user", "reset", "anna")
    said = elsewhere("beside", "reset", secrets["ben"] or "", "agree")
    ok(said.get("status") == 200 and said.get("code"), "two do: one on the box, another by the API", (said, said_box))
    r = a.ask("session.me", get=True)
    ok(r["status"] == 401, "which ends what was open", r)
    r = a.ask("auth.finish", {"login": a.ask("auth.begin")["login"], "user": "anna", "password": PASSWORDS["anna"], "recovery": a.codes[1]})
    ok(r["status"] == 401, "and nothing old is good any more", r)
    a.ask("auth.first", {"code": said.get("code", "")})
    r, _ = a.with_passkey("factor.webauthn_begin", "factor.webauthn_finish", "create", name="new key")
    ok(r["status"] == 200, "a new passkey", r)
    a.ask("auth.logout")
    r, _ = a.with_passkey("auth.begin", "auth.finish")
    ok(r["status"] == 200 and r["user"] == "anna" and r["kind"] == "full", "and Anna is back", r)


def reset(secret, agree=False):
    """Ben, another administrator, on his own machine. His app's code was used for the last half minute, so the next one."""
    p = Person()
    saved = folder + "/ben"
    if agree:
        p.cookie, p.csrf = json.load(open(saved, encoding="utf-8"))
        status, r = p.ask("user.reset_approve", {"user": "anna"})
        return {"status": status, **r}
    status, r = p.sign_in("ben", password=PASSWORDS["ben"], totp=totp(secret))
    json.dump([p.cookie, p.csrf], open(saved, "w", encoding="utf-8"))
    p.ask("user.reset_request", {"user": "anna"})
    return {"sign_in": [status, r.get("kind", r)], "alone": p.ask("user.reset_approve", {"user": "anna"})[0]}


def trail(a):
    r = a.ask("audit.verify", get=True)
    ok(r["status"] == 200 and r["state"] == "whole", "the audit trail is whole", r)
    acts = {(e["who"], e["what"]) for e in a.ask("audit.list", {"limit": 500}, get=True).get("entries", [])}
    want = {("anna", "auth.finish"), ("anna", "user.add"), ("anna", "grant.opened"), ("gateway", "grant.closed"),
            ("carla", "grant.opened"), ("anna", "grant.review"), ("ben", "user.reset_approve")}
    ok(want <= acts, "and remembers all that", want - acts)
    path = folder + "/state/audit.log"
    whole = open(path, "rb").read()
    place = whole.index(b'"who":"anna"') if b'"who":"anna"' in whole else whole.index(b"anna")
    with open(path, "r+b") as f:
        f.seek(place + whole[place:].index(b"anna"))
        f.write(b"hans")
    r = a.ask("audit.verify", get=True)
    ok(r["status"] == 200 and r["state"] not in ("whole", "unsigned"), "an edit while it runs is caught", r)
    with open(path, "r+b") as f:
        f.seek(place + whole[place:].index(b"anna"))
        f.write(b"anna")
    r = a.ask("audit.verify", get=True)
    ok(r["state"] == "whole", "and only that was wrong", r)


def people():
    a = Anna(shutil.which("chromium"))
    try:
        first_start(a)
        sign_in(a)
        lost(a, others(a))  # before a door is open: it would end with what was lost
        door = fresh(a)
        invited(a)
        cut(*door)
        bedside(a)
        trail(a)
    finally:
        a.b.stop()


if part == "people":
    people()
    finish()
print(json.dumps({"enrol": enrol, "emergency": emergency, "reset": reset, "vendor": vendor}[part](*sys.argv[5:])))
