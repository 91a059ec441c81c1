#!/usr/bin/env python3
"""hostile.py KIT [cookies|assertions|vectors|totp|policy|loris]...: what people who mean ill send to a console behind which there are real people.

Over a real keeper and a real console: games with cookies, assertions replayed and forged, codes of an
app used again, registrations of somebody else's passkey, two administrators at one policy, and
connections by the hundred that are slow on purpose while somebody else works.
"""
import json
import os
import select
import socket
import ssl
import sys
import threading
import time

sys.path.append(sys.path[0] + "/..")
from person import Browser, Kit, Passkey, b64, enrol, memory, totp  # noqa: E402
from suite import finish, ok  # noqa: E402

VECTORS = os.path.dirname(os.path.abspath(__file__)) + "/../../../shared/data/auth/"
POLICY = """\
segments:
  - {name: icu, ward: w0, hospital: h0}
devices:
  - {name: pump-1, segment: icu, mac: "02:00:00:00:00:01"}
"""
NAME = "__Host-bedwarden"
# Of a console that a site has set so: what holds of these connections does of more, and takes a crowd that is
# as much larger.
CONNECTIONS, PER_SOURCE, CROWD = 96, 24, 180


def own(body):
    return body.get("type", "")


# ---- cookies ----

def test_cookies(k):
    key, _, _ = enrol(k, "anna")
    other, _, _ = enrol(k, "ben", role="viewer")
    a, b = Browser(k.port), Browser(k.port)
    a.with_passkey(key)
    b.with_passkey(other)
    parts = [p.strip() for p in a.set_cookie.split(";")]
    ok(parts[0].startswith(NAME + "=") and sorted(parts[1:]) == ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"],
       "the session's cookie is for this host, this page and no script", a.set_cookie)
    token, theirs = a.cookie.split("=")[1], b.cookie.split("=")[1]
    x = Browser(k.port)

    def look(cookie, **headers):
        r, body = x.raw("/api/session/me", headers={"Cookie": cookie, **headers})
        return r.status, body.get("user") or own(body)
    bad = []
    for name, cookie, want in (
            ("whole", f"{NAME}={token}", (200, "anna")),
            ("cut by a letter", f"{NAME}={token[:-1]}", (401, "auth.session")),
            ("its first half", f"{NAME}={token[:len(token) // 2]}", (401, "auth.session")),
            ("its first letter", f"{NAME}={token[0]}", (401, "auth.session")),
            ("longer by a letter", f"{NAME}={token}A", (401, "auth.session")),
            ("in other letters", f"{NAME}={token.swapcase()}", (401, "auth.session")),
            ("half of each", f"{NAME}={token[:20]}{theirs[20:]}", (401, "auth.session")),
            ("twice the same", f"{NAME}={token}; {NAME}={token}", (400, "request.credentials")),
            ("two people's", f"{NAME}={theirs}; {NAME}={token}", (400, "request.credentials")),
            ("one dead, one alive", f"{NAME}=dead; {NAME}={token}", (400, "request.credentials")),
            ("quoted", f'{NAME}="{token}"', (400, "request.credentials")),
            ("escaped", f"{NAME}=%{ord(token[0]):02x}{token[1:]}", (400, "request.credentials")),
            ("a space in it", f"{NAME}={token[:9]} {token[9:]}", (400, "request.credentials")),
            ("a comma behind it", f"{NAME}={token},x", (400, "request.credentials")),
            ("attributes behind it are other cookies", f"{NAME}={token}; Path=/; Domain=evil.example; Max-Age=99999999", (200, "anna")),
            ("$Version before it, as in RFC 2965", f'$Version=1; {NAME}={token}; $Path="/"', (200, "anna")),
            ("beside 14 KB of others", "a=" + "x" * 14000 + f"; {NAME}={token}", (200, "anna")),
            ("a name that only ends so", f"x{NAME}={token}", (401, "auth.sign_in_needed")),
            ("without the prefix", f"bedwarden={token}", (401, "auth.sign_in_needed")),
            ("as the other prefix", f"__Secure-bedwarden={token}", (401, "auth.sign_in_needed")),
            ("16 KB of letters", f"{NAME}=" + "x" * 15000, (400, "request.credentials")),
    ):
        got = look(cookie)
        if got != want:
            bad.append((name, got, want))
    ok(not bad, "21 games with a cookie", bad)
    r, body = x.raw("/api/session/me?session=" + token)
    ok(r.status == 400, "a session in the address is none", (r.status, body))
    r, body = x.raw("/api/key/make", {"name": "k", "scopes": ["events"], "role": "viewer", "days": 1}, {"Authorization": "Bearer " + token})
    ok(r.status in (401, 403), "a session is no machine's key: as a bearer it changes nothing", (r.status, body))
    r, body = x.raw("/api/key/make", {"name": "k", "scopes": ["events"], "role": "viewer", "days": 1},
                    {"Cookie": f"{NAME}={token}", "X-CSRF-Token": b.csrf})
    ok(r.status == 403 and own(body) == "auth.csrf", "another session's proof is none for this one", (r.status, body))
    fixed = Browser(k.port)
    fixed.cookie = f"{NAME}={'f' * 43}"
    fixed.with_passkey(key)
    ok("f" * 43 not in fixed.cookie, "who brings a cookie to the sign-in goes with another", fixed.cookie)
    beside = Browser(k.port)
    beside.with_passkey(key)
    old = a.cookie
    _, begun = a.ask("auth.step_up_begin")
    s, r = a.ask("auth.step_up_finish", {"login": begun["login"], "webauthn": key.get(begun["webauthn"]["challenge"], a.origin)})
    ok(s == 200 and a.cookie != old and look(old) == (401, "auth.session") and look(a.cookie)[0] == 200,
       "renewed by a fresh factor, the old cookie is dead", (s, r))
    s, r = a.ask("factor.password_set", {"password": "grey gulls over the harbour"})
    ok(s == 200 and look(beside.cookie) == (401, "auth.session") and look(a.cookie)[0] == 200,
       "a changed factor ends the other sessions, and not its own", (s, r, look(beside.cookie)))
    last = a.cookie
    a.ask("auth.logout")
    ok(look(last) == (401, "auth.session") and "Max-Age=0" in a.set_cookie, "signed out, it is dead at the gateway, too", look(last))
    r, _ = x.raw("/api/session/me", headers={"Cookie": last})
    ok("Max-Age=0" in (r.getheader("Set-Cookie") or ""), "and a dead one is taken away", r.getheader("Set-Cookie"))
    ok(look(b.cookie) == (200, "ben"), "while the other's goes on")


# ---- assertions ----

def test_assertions(k):
    anna, _, first = enrol(k, "dora")
    emil, _, _ = enrol(k, "emil")
    x = Browser(k.port)

    def begun():
        _, r = x.ask("auth.begin")
        return r["login"], r["webauthn"]["challenge"]

    def finish(login, said, **more):
        x.cookie = x.csrf = None
        s, r = x.ask("auth.finish", {"login": login, "webauthn": said, **more})
        return s, own(r) if s != 200 else r["user"]
    login, challenge = begun()
    said = anna.get(challenge, x.origin)
    ok(finish(login, said) == (200, "dora"), "a right assertion")
    ok(finish(login, said)[0] == 400, "the same once more: its sign-in is over")
    login, challenge = begun()
    ok(finish(login, said) == (401, "auth.passkey.challenge"), "in another's sign-in: another challenge")

    tampered = {
        "challenge": lambda c: anna.answer(anna.said("get", b64(bytes(32)), x.origin), anna.data(5)),
        "origin": lambda c: anna.answer(anna.said("get", c, "https://evil.example"), anna.data(5)),
        "origin in the clear": lambda c: anna.answer(anna.said("get", c, x.origin.replace("https", "http")), anna.data(5)),
        "origin of a sister": lambda c: anna.answer(anna.said("get", c, "https://a." + x.host), anna.data(5)),
        "type": lambda c: anna.answer(anna.said("create", c, x.origin), anna.data(5)),
        "rpIdHash": lambda c: anna.answer(anna.said("get", c, x.origin), anna.data(5, rp="evil.example")),
        "nobody was verified": lambda c: anna.answer(anna.said("get", c, x.origin), anna.data(1)),
        "nobody was there": lambda c: anna.answer(anna.said("get", c, x.origin), anna.data(4)),
        "within another's page": lambda c: anna.answer(anna.said("get", c, x.origin).replace(b"false", b"true"), anna.data(5)),
        "another's handle": lambda c: anna.answer(anna.said("get", c, x.origin), anna.data(5), emil.handle),
        "no signature": lambda c: dict(anna.get(c, x.origin), response={**anna.get(c, x.origin)["response"], "signature": ""}),
        "another's signature": lambda c: dict(anna.get(c, x.origin), response={**anna.get(c, x.origin)["response"], "signature": emil.get(c, x.origin)["response"]["signature"]}),
        "another's id": lambda c: dict(anna.get(c, x.origin), id=emil.get(c, x.origin)["id"]),
        "an id nobody has": lambda c: dict(anna.get(c, x.origin), id=b64(os.urandom(32))),
        "data cut short": lambda c: dict(anna.get(c, x.origin), response={**anna.get(c, x.origin)["response"], "authenticatorData": b64(anna.data(5)[:-1])}),
        "data behind data": lambda c: anna.answer(anna.said("get", c, x.origin), anna.data(5) + b"x"),
        "client data twice": lambda c: anna.answer(anna.said("get", c, x.origin) * 2, anna.data(5)),
        "client data with a key twice": lambda c: anna.answer(anna.said("get", c, x.origin)[:-1] + b',"origin":"' + x.origin.encode() + b'"}', anna.data(5)),
        "no base64url": lambda c: dict(anna.get(c, x.origin), response={**anna.get(c, x.origin)["response"], "signature": "!!!!"}),
        "a number": lambda c: dict(anna.get(c, x.origin), response={**anna.get(c, x.origin)["response"], "signature": 5}),
        "nothing at all": lambda c: {},
        "200 KB": lambda c: dict(anna.get(c, x.origin), response={**anna.get(c, x.origin)["response"], "clientDataJSON": "A" * 200000}),
    }
    bad = []
    for name, make in tampered.items():
        login, challenge = begun()
        s, what = finish(login, make(challenge))
        if s not in (400, 401):
            bad.append((name, s, what))
    ok(not bad, f"{len(tampered)} forged assertions are refused", bad)
    login, challenge = begun()
    said = anna.get(challenge, x.origin)
    wrong = [i for i in range(0, len(said["response"]["signature"]) - 4, 7)
             if finish(begun()[0], dict(said, response={**said["response"], "signature": said["response"]["signature"][:i] + ("A" if said["response"]["signature"][i] != "A" else "B") + said["response"]["signature"][i + 1:]}))[0] not in (400, 401)]
    ok(not wrong, "nor one whose signature has another letter", wrong)
    ok(finish(*(lambda g: (g[0], anna.get(g[1], x.origin)))(begun())) == (200, "dora"), "and the right one still gets in")
    x.ask("auth.logout")
    anna.count = 1
    g = begun()
    ok(finish(g[0], anna.get(g[1], x.origin)) == (401, "auth.passkey.cloned"), "a copy of the passkey, which counts behind, does not")
    anna.count = 500

    # Somebody who is in adds a passkey: a replayed or forged creation, and one that is taken.
    x.with_passkey(emil)
    _, made = x.ask("factor.webauthn_begin")
    forged = {
        "another's challenge": lambda p, c: p.create(b64(bytes(32)), x.origin),
        "another's origin": lambda p, c: p.create(c, "https://evil.example"),
        "an assertion": lambda p, c: p.get(c, x.origin),
        "CBOR cut short": lambda p, c: dict(p.create(c, x.origin), response={**p.create(c, x.origin)["response"], "attestationObject": p.create(c, x.origin)["response"]["attestationObject"][:-8]}),
        "CBOR without end": lambda p, c: dict(p.create(c, x.origin), response={**p.create(c, x.origin)["response"], "attestationObject": b64(b"\xa3" + b"\x9b" + b"\xff" * 8)}),
        "CBOR very deep": lambda p, c: dict(p.create(c, x.origin), response={**p.create(c, x.origin)["response"], "attestationObject": b64(b"\x81" * 20000)}),
    }
    bad = []
    for name, make in forged.items():
        _, made = x.ask("factor.webauthn_begin")
        s, r = x.ask("factor.webauthn_finish", {"login": made["login"], "webauthn": make(Passkey(k.folder), made["webauthn"]["challenge"])})
        if s not in (400, 401):
            bad.append((name, s, r))
    ok(not bad, f"{len(forged)} forged creations are refused", bad)
    _, made = x.ask("factor.webauthn_begin")
    s, r = x.ask("factor.webauthn_finish", {"login": made["login"], "webauthn": anna.create(made["webauthn"]["challenge"], x.origin)})
    ok(s == 409 and own(r) == "auth.passkey_taken", "a passkey that is another's is not added again", (s, r))
    _, made = x.ask("factor.webauthn_begin")
    fine = Passkey(k.folder).create(made["webauthn"]["challenge"], x.origin)
    first_time = x.ask("factor.webauthn_finish", {"login": made["login"], "webauthn": fine})[0]
    s, r = x.ask("factor.webauthn_finish", {"login": made["login"], "webauthn": fine})
    ok(first_time == 200 and s == 400, "and a creation is good once", (first_time, s, r))


def test_vectors(k):
    """W3C's and Chromium's ceremonies, true in themselves and meant for somebody else."""
    if not os.path.isdir(VECTORS):
        print("skip - ceremonies of the standard and of a browser: no ../shared/data/auth")
        return
    key, _, b = enrol(k, "vera")
    raw = lambda h: b64(bytes.fromhex(h)) if all(c in "0123456789abcdef" for c in h.lower()) and len(h) % 2 == 0 else h
    with open(VECTORS + "webauthn-l3.json", encoding="utf-8") as f:
        doc = json.load(f)
    pairs = [(v["id"], v["registration"], v["authentication"], "authenticatorData", v["registration"]["credential_id"]) for v in doc["vectors"]]
    for name in ("ceremony-direct", "ceremony-EdDSA", "ceremony-RS256"):
        with open(f"{VECTORS}{name}.json", encoding="utf-8") as f:
            c = json.load(f)
        pairs.append((name, c["reg"], c["asr"], "authData", c["reg"]["rawId"]))
    bad = []
    for name, made, got, data, ident in pairs:
        _, begun = b.ask("factor.webauthn_begin")
        s, r = b.ask("factor.webauthn_finish", {"login": begun["login"], "webauthn": {
            "id": raw(ident), "response": {"clientDataJSON": raw(made["clientDataJSON"]), "attestationObject": raw(made["attestationObject"])}}})
        if s != 400 and s != 401:
            bad.append((name, "creation", s, r))
        x = Browser(k.port)
        _, begun = x.ask("auth.begin")
        s, r = x.ask("auth.finish", {"login": begun["login"], "webauthn": {"id": raw(ident), "response": {
            "clientDataJSON": raw(got["clientDataJSON"]), "authenticatorData": raw(got[data]), "signature": raw(got["signature"]), "userHandle": key.handle}}})
        if s != 401:
            bad.append((name, "assertion", s, r))
    ok(len(pairs) == 18 and not bad, f"{len(pairs)} ceremonies of others, replayed, let nobody in and add nothing", bad)
    s, r = b.ask("factor.list", get=True)
    ok(s == 200 and len([f for f in r["factors"] if "webauthn" in f.values()]) == 1, "there is still the one passkey", r)


# ---- codes of an app ----

def settle_clock():
    """Not across the border of half a minute."""
    if time.time() % 30 > 14:
        time.sleep(30.5 - time.time() % 30)


def test_totp(k):
    word = "grey gulls over the harbour"
    settle_clock()
    _, secret, home = enrol(k, "carla", password=word, app=True, passkey=False)

    def sign_in(code, where=None):
        x = where or Browser(k.port)
        _, begun = x.ask("auth.begin")
        s, r = x.ask("auth.finish", {"login": begun["login"], "user": "carla", "password": word, "totp": code})
        return x, s, own(r)
    _, s, what = sign_in(totp(secret, -1))
    ok(s == 401, "the code that enrolled the app signs nobody in", (s, what))
    settle_clock()
    for ahead, name in ((-2, "a code that is two steps old is none"), (2, "a code that is two steps ahead is none")):
        _, s, what = sign_in(totp(secret, ahead))
        ok(s == 401, name, (s, what))
    code = totp(secret)
    x, s, what = sign_in(code)
    ok(s == 200, "the app's code", (s, what))
    y, s, what = sign_in(code)
    ok(s == 401, "the same code for another session: none", (s, what))
    _, begun = x.ask("auth.step_up_begin")
    s, r = x.ask("auth.step_up_finish", {"login": begun["login"], "totp": code})
    ok(s in (400, 401), "nor as a fresh factor of the session that it began", (s, r))
    _, s, what = sign_in(totp(secret, -1))
    ok(s == 401, "nor the one before it, which was not used", (s, what))
    _, begun = x.ask("auth.step_up_begin")
    s, r = x.ask("auth.step_up_finish", {"login": begun["login"], "totp": totp(secret, 1)})
    ok(s == 200, "the next one, a step ahead, is a fresh factor", (s, r))
    ok(sign_in(totp(secret, 1))[1] == 401, "once")

    # A thief who reads the code as it is typed, and is as quick as its owner.
    _, secret, home = enrol(k, "fred", password=word, app=True, passkey=False)
    settle_clock()
    code, got, ready = totp(secret), [], threading.Barrier(6)

    def race():
        b = Browser(k.port)
        _, begun = b.ask("auth.begin")
        ready.wait()
        got.append(b.ask("auth.finish", {"login": begun["login"], "user": "fred", "password": word, "totp": code})[0])
    threads = [threading.Thread(target=race) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    ok(got.count(200) <= 1 and set(got) <= {200, 401, 429, 503}, f"six at once with one code: at most one is in ({sorted(got)})", got)


# ---- two administrators ----

def test_policy(k):
    anna, _, _ = enrol(k, "gina")
    ben, _, _ = enrol(k, "hans")
    a, b = Browser(k.port), Browser(k.port)
    a.with_passkey(anna)
    b.with_passkey(ben)
    for turn in range(5):
        base = a.ask("policy.get", get=True)[1]
        mine = base["text"] + f'  - {{name: a-{turn}, segment: icu, mac: "02:00:00:00:01:{turn:02x}"}}\n'
        theirs = base["text"] + f'  - {{name: b-{turn}, segment: icu, mac: "02:00:00:00:02:{turn:02x}"}}\n'
        got, ready = {}, threading.Barrier(2)

        def change(who, name, text):
            ready.wait()
            got[name] = who.ask("policy.apply", {"text": text, "base": base["hash"]})
        threads = [threading.Thread(target=change, args=x) for x in ((a, "a", mine), (b, "b", theirs))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        won, lost = ("a", "b") if got["a"][0] == 200 else ("b", "a")
        s, r = got[lost]
        if got[won][0] != 200 or s != 409 or own(r) != "policy.changed":
            return ok(False, "two administrators at once: one changes the policy, the other is told", got)
        if f"-  - {{name: {won}-{turn}" not in r["difference"] or f"+  - {{name: {lost}-{turn}" not in r["difference"] or not r.get("detail"):
            return ok(False, "and sees the difference", r)
        second = a if lost == "a" else b
        s, r = second.ask("policy.apply", {"text": r["text"] + (mine if lost == "a" else theirs).split("\n")[-2] + "\n", "base": r["hash"]})
        if s != 200 or r.get("hash") != a.ask("policy.get", get=True)[1]["hash"]:
            return ok(False, "puts both together, and is told the hash of what is in force", (s, r))
    text = a.ask("policy.get", get=True)[1]["text"]
    ok(all(f"name: {x}-{turn}," in text for x in "ab" for turn in range(5)),
       "two administrators at once, five times: one changes the policy, the other sees the difference, and nothing of either is lost", text)
    old = a.ask("policy.get", get=True)[1]
    with open(k.folder + "/policy.yaml", "a", encoding="ascii") as f:  # somebody with an editor on the box
        f.write('  - {name: c-1, segment: icu, mac: "02:00:00:00:03:01"}\n')
    s, r = a.ask("policy.apply", {"text": old["text"] + "# mine\n", "base": old["hash"]})
    ok(s == 409 and "-  - {name: c-1" in r["difference"], "who edited the file on the box counts as another administrator", (s, r))
    for name, base in (("none", None), ("one of zeros", "0" * 64), ("another's", "f" * 64), ("a word", "latest"), ("a prefix", old["hash"][:32])):
        s, r = a.ask("policy.apply", {"text": POLICY, **({"base": base} if base else {})})
        if s not in (400, 409):
            return ok(False, f"base: {name}", (s, r))
    ok("name: c-1" in a.ask("policy.get", get=True)[1]["text"], "nobody changes a policy without saying which one")
    return None


# ---- slow on purpose ----

class Crowd:
    """Connections by the hundred; whoever is hung up on comes back."""

    def __init__(self, port):
        self.port, self.going, self.opened, self.open = port, True, 0, 0
        self.tls = ssl._create_unverified_context()
        self.threads = []

    def source(self, n):
        s = socket.socket()
        s.settimeout(5)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.bind(("127.0.3.%d" % (1 + n % 40), 0))
        s.connect(("127.0.0.1", self.port))
        self.opened += 1
        return s

    def mute(self, n):
        """Says nothing, not even that it speaks TLS."""
        return self.source(n), None

    def half(self, n):
        s = self.tls.wrap_socket(self.source(n), server_hostname="localhost")
        s.sendall(b"GET /api/auth/state HTTP/1.1\r\nHost: localhost:%d\r\nX: " % self.port)
        return s, b"y"  # and a byte a second

    def body(self, n):
        s = self.tls.wrap_socket(self.source(n), server_hostname="localhost")
        s.sendall(b"POST /api/auth/begin HTTP/1.1\r\nHost: localhost:%d\r\nOrigin: https://localhost:%d\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n{"
                  % (self.port, self.port))
        return s, b" "

    def deaf(self, n):
        """Asks for much, and takes nothing of it."""
        s = self.tls.wrap_socket(self.source(n), server_hostname="localhost")
        s.sendall(b"GET /api/openapi.json HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % self.port)
        return s, None

    def one(self, how, n):
        while self.going:
            try:
                s, drip = how(n)
            except OSError:
                time.sleep(0.05)
                continue
            self.open += 1
            try:
                s.setblocking(False)
                while self.going:
                    if drip:
                        s.send(drip)
                    if how != self.deaf:
                        gone = select.select([s], [], [], 1)[0]
                        if gone and not s.recv(10):
                            break
                    else:
                        p = select.poll()
                        p.register(s, 0)  # an end that is no data
                        if p.poll(1000):
                            break
            except ssl.SSLWantReadError:
                pass
            except OSError:
                pass
            self.open -= 1
            s.close()

    def go(self, how, count):
        for n in range(count):
            t = threading.Thread(target=self.one, args=(how, n), daemon=True)
            t.start()
            self.threads.append(t)


def test_loris(k):
    key, _, _ = enrol(k, "ines")
    console = k.child("console")
    fds = lambda: len(os.listdir(f"/proc/{console}/fd"))
    work = Browser(k.port, "127.0.0.9")
    calm = []
    for _ in range(5):
        begin = time.perf_counter()
        Browser(k.port, "127.0.0.9").with_passkey(key)
        calm.append(time.perf_counter() - begin)
    before, idle = memory(console), fds()
    for name, hows in (("that say nothing", ("mute",)), ("of half a request, a byte a second", ("half",)), ("of half a body, a byte a second", ("body",)),
                       ("that take no answer", ("deaf",)), ("of all these kinds", ("mute", "half", "body", "deaf"))):
        crowd = Crowd(k.port)
        for how in hows:
            crowd.go(getattr(crowd, how), CROWD // len(hows))
        end = time.time() + 12
        while crowd.opened < CROWD - 20 and time.time() < end:
            time.sleep(0.1)
        times, most, begin = [], 0, time.time()
        while len(times) < 8 or time.time() < begin + 2:
            start = time.perf_counter()
            try:
                b = Browser(k.port, "127.0.0.9")
                s, r = b.with_passkey(key)
                if s == 200:
                    s, r = b.ask("status", get=True)
            except (OSError, KeyError) as e:
                s, r = 0, e
            times.append(time.perf_counter() - start if s == 200 else -1)
            if s != 200:
                print("   ", s, r)
            most = max(most, fds())
            time.sleep(0.1)
        worst = sorted(times)[-1] * 1000
        ok(min(times) > 0 and worst < 6000, f"{crowd.opened} connections from 40 addresses {name}: who has a passkey is in, within {worst:.0f} ms (else {max(calm) * 1000:.0f})", times)
        ok(most <= idle + CONNECTIONS + 24, f"and the console holds {most} descriptors at most, of {CONNECTIONS} connections", most)
        crowd.going = False
        for t in crowd.threads:
            t.join(8)
    after = memory(console)
    ok(after - before <= 64, f"its memory is bounded: {after:.0f} MiB at most, {before:.0f} before", after)
    for _ in range(100):
        if fds() <= idle + 4:
            break
        time.sleep(0.2)
    ok(fds() <= idle + 4, "and nothing of them is left", (fds(), idle))
    work.c.close()


def main():
    if os.geteuid() != 0:
        print("skip - the console and who means ill: keeper and console give up rights that only root has")
        return
    only = sys.argv[2:]
    k = Kit(sys.argv[1], POLICY, connections=CONNECTIONS, per_source=PER_SOURCE)
    for t in (test_cookies, test_assertions, test_vectors, test_totp, test_policy, test_loris):
        if not only or t.__name__[5:] in only:
            t(k)
    orderly, text = k.stop()
    ok(orderly, "keeper and console end in order", text)


main()
finish()
