#!/usr/bin/env python3
"""api.py KIT: the API as the network sees it, over a real keeper and a real console.

Every path and method against the document that is served; every argument
missing, wrong, huge and hostile; what browsers, proxies and attackers send.
"""
import concurrent.futures
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.append(sys.path[0] + "/..")
from suite import finish, ok  # noqa: E402



POLICY = """\
segments:
  - {name: icu, ward: w0, hospital: h0}
devices:
  - {name: pump-1, segment: icu, mac: "02:00:00:00:00:01"}
"""


class Kit:
    def __init__(self, program, policy=POLICY, **options):
        self.folder = tempfile.mkdtemp(prefix="bedwarden-console-")
        with open(self.folder + "/policy.yaml", "w", encoding="ascii") as f:
            f.write(policy.replace("FOLDER", self.folder))
        env = dict(os.environ, **{f"KIT_{k.upper()}": str(v) for k, v in options.items()})
        self.log = open(self.folder + "/log", "w+b")
        self.process = subprocess.Popen([program, self.folder], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, env=env)
        line = self.process.stdout.readline()
        if not line:
            print(open(self.folder + "/log", encoding="utf-8").read())
            raise SystemExit("not ok - the console does not start")
        self.port = int(line)
        self.host = f"localhost:{self.port}"
        self.origin = f"https://{self.host}"
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE
        self.wait()

    def wait(self):
        for _ in range(100):
            if "certificate SHA-256" in open(self.folder + "/log", encoding="utf-8").read():
                return
            time.sleep(0.1)

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return self.tls.wrap_socket(s, server_hostname="localhost")

    def raw(self, data, timeout=5):
        """What comes back for these bytes, until it ends or falls silent."""
        got = b""
        try:
            with self.connect() as s:
                s.settimeout(timeout)
                s.sendall(data)
                while True:
                    piece = s.recv(65536)
                    if not piece:
                        break
                    got += piece
                    if b"\r\n\r\n" in got and b"keep-alive" not in data.lower():
                        head, _, body = got.partition(b"\r\n\r\n")
                        for line in head.split(b"\r\n"):
                            if line.lower().startswith(b"content-length:") and len(body) >= int(line[15:]):
                                return got
        except (OSError, ssl.SSLError):
            pass
        return got

    def ask(self, method, path, body=None, token=None, csrf=True, headers=None):
        c = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=40)
        h = {"Host": self.host}
        if method == "POST":
            h["Origin"] = self.origin
            h["Content-Type"] = "application/json"
        if token and ".key" in token:
            h["Authorization"] = "Bearer " + token
        elif token:
            h["Cookie"] = "__Host-bedwarden=" + token
            if csrf:
                h["X-CSRF-Token"] = "csrf"
        h.update(headers or {})
        h = {k: v for k, v in h.items() if v is not None}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        c.request(method, path, body=body, headers=h)
        r = c.getresponse()
        r.data = r.read()
        c.close()
        try:
            r.json = json.loads(r.data)
        except ValueError:
            r.json = None
        return r

    def events(self, *events):
        for e in events:
            self.process.stdin.write(json.dumps(e).encode() + b"\n")
        self.process.stdin.flush()

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(20)
        log = open(self.folder + "/log", encoding="utf-8", errors="replace").read()
        ok(code == 0 and "ERROR" not in log and "runtime error" not in log,
           "keeper and console end in order", f"{code}: {log[-3000:]}")
        shutil.rmtree(self.folder)


def event(n, device="pump-1", reason="policy.not_allowed", action="drop", kind="policy"):
    t = time.gmtime(1790000000 + n)
    return {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000000+0000", t), "event_type": kind,
            "device": device, "reason": reason, "verdict": {"action": action}, "src_ip": "10.0.0.9",
            "n": n}


ADMIN = "t.administrator.fresh"
TIRED = "t.administrator"


def test_document(k):
    doc = k.ask("GET", "/api/openapi.json").json
    ok(doc and doc["openapi"].startswith("3.1"), "the OpenAPI document is served")
    bad, absent = [], []
    for path, methods in doc["paths"].items():
        for method, op in methods.items():
            m = method.upper()
            declared = op["responses"]
            raw = "application/octet-stream" in op.get("requestBody", {}).get("content", {})
            json_body = m == "POST" and not raw
            more = {"headers": {"Content-Type": "application/octet-stream"}} if raw else {}
            plain = b"x" if raw else {} if m == "POST" else None
            tries = [
                ("nobody", k.ask(m, path, body=plain, **more)),
                ("unknown argument", k.ask(m, path + ("" if json_body else "?no_such=1"),
                                           body={"no_such": 1} if json_body else plain, token=ADMIN, **more)),
                ("broken", k.ask(m, path + ("" if json_body else "?device=%zz"),
                                 body="{" if json_body else plain, token=ADMIN, **more)),
                ("wrong cookie", k.ask(m, path, body=plain, token="nonsense", **more)),
            ]
            for other in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD"):
                if other == m or other == "HEAD":
                    continue
                r = k.ask(other, path, token=ADMIN, headers={"Origin": k.origin})
                if r.status != 405 or r.getheader("Allow") != m:
                    bad.append((path, other, r.status))
            for name, r in tries:
                if str(r.status) not in declared and r.status != 404:
                    bad.append((path, name, r.status))
                if r.status >= 400 and (r.getheader("Content-Type") != "application/problem+json"
                                        or not r.json or r.json["status"] != r.status or not r.json["type"]):
                    bad.append((path, name, "no problem", r.status))
                if r.getheader("Cache-Control") != "no-store" or r.getheader("X-Content-Type-Options") != "nosniff":
                    bad.append((path, name, "headers"))
            if tries[0][1].status == 404 and tries[0][1].json["type"] == "call.unknown":
                absent.append(path)  # its part of the gateway is not in this build
            elif tries[0][1].status not in (401, 400) and op.get("security") != []:
                bad.append((path, "open to nobody", tries[0][1].status))
            if tries[1][1].status != 400 or tries[2][1].status != 400:
                bad.append((path, "bad arguments taken", tries[1][1].status, tries[2][1].status))
    ok(not bad, f"{len(doc['paths'])} paths keep what the document says", bad[:8])
    if absent:
        print(f"skip - {len(absent)} paths without a call behind them: {' '.join(absent)[:200]}")
    return doc


def test_arguments(k, doc):
    """Each argument of each call missing, of each wrong type, huge, hostile."""
    wrong = {"string": [1, True, {}, [], ["x"], "x" * 5000, "a\u0000b"],
             "integer": ["1", 1.5, True, [], {}, 10 ** 30],
             "boolean": ["true", 1, [], {}], "array": ["x", {}, [1], [[]], 5],
             "object": ["x", [], 5, True]}
    bad, count = [], 0
    for path, methods in doc["paths"].items():
        op = methods.get("post")
        if not op or "application/json" not in op.get("requestBody", {}).get("content", {}):
            continue
        schema = op["requestBody"]["content"]["application/json"]["schema"]
        fine = {"string": "x", "integer": 1, "boolean": True, "array": ["x"], "object": {}}
        whole = {n: fine[s["type"]] for n, s in schema["properties"].items()}
        for name, s in schema["properties"].items():
            if name in schema["required"]:
                r = k.ask("POST", path, {n: v for n, v in whole.items() if n != name}, token=ADMIN)
                count += 1
                if r.status != 400:
                    bad.append((path, name, "missing", r.status))
            for v in wrong[s["type"]]:
                if name == "text" and v == "x" * 5000:
                    continue
                r = k.ask("POST", path, dict(whole, **{name: v}), token=ADMIN)
                count += 1
                if r.status != 400 or r.json["type"] not in ("request.argument", "request.json", "call.argument"):
                    bad.append((path, name, str(v)[:20], r.status, r.json))
    huge = {"string": ["x" * 5000, "%00", "%ff%fe"], "integer": ["x", "1.5", "1e3", "", "9" * 40, "-" + "9" * 40, "0x10", "%31%00"],
            "boolean": ["1", "yes", "TRUE", ""]}
    for path, methods in doc["paths"].items():
        for p in methods.get("get", {}).get("parameters", []):
            kind = p["schema"]["type"]
            if p.get("in") != "query" or kind not in huge:
                continue
            for v in huge[kind]:
                r = k.ask("GET", f"{path}?{p['name']}={v}", token=ADMIN)
                count += 1
                if r.status != 400:
                    bad.append((path, p["name"], v[:20], r.status, r.json))
            r = k.ask("GET", f"{path}?{p['name']}=1&{p['name']}=2", token=ADMIN)
            count += 1
            if r.status != 400:
                bad.append((path, p["name"], "twice", r.status))
    for q in ("limit=0", "limit=1001", "limit=-1", "limit=1e3", "limit=", "limit=99999999999999999999",
              "limit=1&limit=2", "cursor=x", "cursor=-1", "cursor=" + "9" * 40, "since=yesterday",
              "since=" + "9" * 100, "verdict=maybe", "grouped=1", "device=" + "x" * 129, "device=%00",
              "device=%ff%fe", "%00=1", "device", "=", "a=b=c", "text=" + "x" * 4097, "device=%", "device=%1"):
        r = k.ask("GET", "/api/events?" + q, token=ADMIN)
        count += 1
        if r.status != 400 and q != "device":
            bad.append(("/api/events", q[:30], r.status))
    ok(not bad, f"{count} wrong arguments are refused", bad[:8])
    r = k.ask("GET", "/api/events?" + "device=x&" * 1500, token=ADMIN)
    ok(r.status in (400, 414), "an endless query is refused", r.status)


def test_bodies(k):
    deep = '{"text":' + "[" * 100000 + "]" * 100000 + "}"
    for name, body, want in (
            ("no object", "[]", 400), ("a number", "1", 400), ("nothing at all", "", 400),
            ("not UTF-8", b'{"text":"\xff\xfe"}', 400), ("twice the same key", '{"text":"a","text":"b"}', 400),
            ("deeply nested", deep, 400), ("a lone surrogate", '{"text":"\\ud800"}', 400),
            ("trailing bytes", '{"text":"a"} x', 400)):
        r = k.ask("POST", "/api/policy/check", body, token=ADMIN)
        ok(r.status == want, f"a body that is {name}: {want}", r.status)
    r = k.ask("POST", "/api/policy/check", '{"text":"a"}', token=ADMIN, headers={"Content-Type": "text/plain"})
    ok(r.status == 415, "a body that is no JSON: 415", r.status)
    r = k.ask("POST", "/api/policy/check", '{"text":"a"}', token=ADMIN, headers={"Content-Type": None})
    ok(r.status == 415, "a body without a type: 415", r.status)
    r = k.ask("POST", "/api/policy/check", '{"text":"a"}', token=ADMIN,
              headers={"Content-Type": "application/json; charset=utf-8"})
    ok(r.status == 200, "a type with parameters is taken", r.status)
    got = k.raw(f"POST /api/policy/check HTTP/1.1\r\nHost: {k.host}\r\nContent-Length: 99999999\r\n\r\n".encode())
    ok(b" 413 " in got.split(b"\r\n")[0] and is_shut(got), "a body of 100 MB is refused before it comes", got[:900])
    got = k.raw(f"POST /api/policy/check HTTP/1.1\r\nHost: {k.host}\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n".encode(), timeout=1)
    ok(got == b"HTTP/1.1 100 Continue\r\n\r\n", "who waits is told to go on, and no more", got[:300])


def is_shut(answer):
    """Every answer that is no page of ours says this of itself once, whoever wrote it."""
    head = answer.split(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return all(head.count(line) == 1 for line in (
        b"content-security-policy: default-src 'none'; frame-ancestors 'none'", b"x-frame-options: deny",
        b"x-content-type-options: nosniff", b"cache-control: no-store"))


def test_wire(k):
    h = f"Host: {k.host}\r\n".encode()
    for name, data, want in (
            ("a header of 100 KB", b"GET / HTTP/1.1\r\n" + h + b"X: " + b"x" * 100000 + b"\r\n\r\n", (b"400", b"413", b"")),
            ("10,000 headers", b"GET / HTTP/1.1\r\n" + h + b"X: y\r\n" * 10000 + b"\r\n", (b"400", b"413", b"")),
            ("a path of 100 KB", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n" + h + b"\r\n", (b"400", b"414", b"413", b"")),
            ("two Hosts", b"GET / HTTP/1.1\r\n" + h + h + b"\r\n", (b"400",)),
            ("a blank before the colon", b"GET / HTTP/1.1\r\n" + h + b"Host : evil.example\r\n\r\n", (b"400",)),
            ("a header without a name", b"GET / HTTP/1.1\r\n" + h + b": x\r\n\r\n", (b"400", b"")),
            ("a name of two words", b"GET / HTTP/1.1\r\n" + h + b"X Y: z\r\n\r\n", (b"400",)),
            ("no Host", b"GET / HTTP/1.1\r\n\r\n", (b"421", b"400")),
            ("another's name", b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", (b"421",)),
            ("another's name on the API", b"GET /api/auth/state HTTP/1.1\r\nHost: evil.example\r\n\r\n", (b"421",)),
            ("a name with a userinfo", b"GET / HTTP/1.1\r\nHost: localhost@evil\r\n\r\n", (b"421",)),
            ("the way up", b"GET /../../etc/passwd HTTP/1.1\r\n" + h + b"\r\n", (b"404", b"400")),
            ("an escaped way up", b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + h + b"\r\n", (b"404", b"400")),
            ("an absolute target", b"GET https://evil.example/ HTTP/1.1\r\n" + h + b"\r\n", (b"400", b"404", b"421")),
            ("CONNECT", b"CONNECT evil.example:443 HTTP/1.1\r\n" + h + b"\r\n", (b"405", b"400", b"501", b"")),
            ("no HTTP", b"\x16\x03\x01\x00\x00 hello\r\n\r\n", (b"400", b"501", b"")),
            ("a method unheard of", b"BREW /coffee HTTP/1.1\r\n" + h + b"\r\n", (b"400", b"405", b"501", b"")),
            ("a length that is none", b"POST /api/auth/begin HTTP/1.1\r\n" + h + b"Content-Length: -5\r\n\r\n", (b"400", b"413", b"")),
            ("a chunk that is none", b"POST /api/auth/begin HTTP/1.1\r\n" + h + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", (b"400", b"413", b"")),
            ("a zero in a header", b"GET / HTTP/1.1\r\n" + h + b"X: a\0b\r\n\r\n", (b"200", b"400", b"")),
    ):
        got = k.raw(data, timeout=3)
        status = got.split(b" ")[1] if got.startswith(b"HTTP/") else b""
        ok(status in want, f"{name}: {'/'.join(w.decode() or 'closed' for w in want)}", got[:80])
        ok(not got or status == b"200" or is_shut(got), f"{name}: the answer shows nothing and is kept nowhere", got[:900])
    r = k.ask("GET", "/api/nothing", token=ADMIN)
    ok(r.status == 404 and r.json["type"] == "request.not_found", "an unknown path: 404")
    r = k.ask("HEAD", "/")
    ok(r.status == 200 and r.data == b"" and int(r.getheader("Content-Length")) > 0, "HEAD says what GET would")
    for path in ("/", "/api/nothing"):
        r = k.ask("GET", path, token=ADMIN)
        csp = r.getheader("Content-Security-Policy") or ""
        ok((r.getheader("Strict-Transport-Security") or "").startswith("max-age=") and "default-src 'none'" in csp and "unsafe" not in csp,
           f"{path}: HTTPS alone from now on, and nothing inline", r.getheaders())
    r = k.ask("GET", "/", headers={"If-None-Match": k.ask("GET", "/").getheader("ETag")})
    ok(r.status == 304, "an unchanged page is not sent again", r.status)


def test_who(k):
    """Cookies, keys, sites."""
    r = k.ask("GET", "/api/status", token=ADMIN)
    ok(r.status == 200 and "nags" in r.json, "status answers who is signed in", (r.status, r.json))
    for name, headers, want in (
            ("a cookie twice", {"Cookie": f"__Host-bedwarden={ADMIN}; __Host-bedwarden=x"}, 400),
            ("an empty cookie", {"Cookie": "__Host-bedwarden="}, 400),
            ("a cookie without a value", {"Cookie": "__Host-bedwarden"}, 400),
            ("a cookie of 10 KB", {"Cookie": "__Host-bedwarden=" + "x" * 10000}, 400),
            ("a cookie with odd letters", {"Cookie": "__Host-bedwarden=a\"b"}, 400),
            ("another cookie", {"Cookie": f"bedwarden={ADMIN}"}, 401),
            ("a cookie in other letters", {"Cookie": f"__host-bedwarden={ADMIN}"}, 401),
            ("cookie and key", {"Cookie": f"__Host-bedwarden={ADMIN}", "Authorization": "Bearer t.viewer.key"}, 400),
            ("Basic", {"Authorization": "Basic YTpi"}, 400),
            ("Bearer of nothing", {"Authorization": "Bearer "}, 400),
            ("Bearer of two", {"Authorization": "Bearer a b"}, 400),
            ("cookies around it", {"Cookie": f"a=b; __Host-bedwarden={ADMIN}; c=d"}, 200),
    ):
        r = k.ask("GET", "/api/status", headers=headers)
        ok(r.status == want, f"{name}: {want}", (r.status, r.json))
    r = k.ask("GET", "/api/status", token="t.nobody")
    ok(r.status == 401 and "Max-Age=0" in (r.getheader("Set-Cookie") or ""), "a dead session's cookie is taken away")
    body = {"text": POLICY, "base": "0" * 64}
    r = k.ask("POST", "/api/policy/apply", body, token=ADMIN, csrf=False)
    ok(r.status == 403 and r.json["type"] == "auth.csrf", "no change without the page's proof", (r.status, r.json))
    for name, headers in (("from another origin", {"Origin": "https://evil.example"}),
                          ("from origin null", {"Origin": "null"}),
                          ("from http", {"Origin": "http://" + k.host}),
                          ("without any origin", {"Origin": None}),
                          ("from another site", {"Sec-Fetch-Site": "cross-site"}),
                          ("from a sister", {"Sec-Fetch-Site": "same-site"})):
        r = k.ask("POST", "/api/policy/apply", body, token=ADMIN, headers=headers)
        ok(r.status == 403 and r.json["type"] == "request.cross_site", f"no change {name}", (r.status, r.json))
    r = k.ask("GET", "/api/status", token=ADMIN, headers={"Sec-Fetch-Site": "cross-site"})
    ok(r.status == 403, "nor a look from another site")
    r = k.ask("POST", "/api/policy/apply", body, token=TIRED)
    ok(r.status == 403 and r.json["type"] == "auth.step_up_needed", "no change of policy without a fresh factor")
    r = k.ask("POST", "/api/policy/apply", body, token="t.viewer.fresh")
    ok(r.status == 403 and r.json["type"] == "auth.role", "nor by a viewer", r.json)
    r = k.ask("GET", "/api/events", token="t.viewer.key")
    ok(r.status == 200, "a key reads what its scope holds", r.json)
    r = k.ask("GET", "/api/status", token="t.viewer.key")
    ok(r.status == 403 and r.json["type"] == "auth.key_scope", "and nothing else", r.json)
    r = k.ask("POST", "/api/policy/apply", body, token="t.administrator.key.fresh")
    ok(r.status == 403 and r.json["type"] == "auth.key_not_enough", "a key is no person", r.json)
    r = k.ask("GET", "/api/events", token="t.vendor")
    ok(r.status == 403 and r.json["type"] == "auth.not_your_device", "a vendor sees no other's events", r.json)
    r = k.ask("GET", "/api/events?device=pump-1", token="t.vendor")
    ok(r.status == 200, "but its own device's", r.json)
    r = k.ask("GET", "/api/devices", token="t.vendor")
    ok(r.status == 200 and all(d["name"] == "pump-1" for d in r.json["devices"]), "and its own devices", r.json)
    r = k.ask("GET", "/api/status", token="t.vendor")
    ok(r.status == 403, "nor how the gateway is")


def test_lists(k):
    k.events(*[event(n, device=f"pump-{n % 3}", action="drop" if n % 2 else "alert") for n in range(2500)])
    for _ in range(50):
        r = k.ask("GET", "/api/events?limit=1&reason=policy", token=ADMIN)
        if r.json["events"] and r.json["events"][0]["n"] == 2499:
            break
        time.sleep(0.1)

    def every(query):
        """A page may be short and still have a next."""
        seen, cursor = [], ""
        for _ in range(200):
            r = k.ask("GET", "/api/events?" + query + cursor, token=ADMIN)
            seen += [e["n"] for e in r.json["events"]]
            if "next" not in r.json:
                return seen
            cursor = "&cursor=" + r.json["next"]
        return None
    seen = every("limit=400&reason=policy&device=pump-0") + every("limit=400&reason=policy&text=pump-1") + every("limit=7&device=pump-2&verdict=blocked")
    want = [n for m in (0, 1) for n in range(2499, -1, -1) if n % 3 == m] + [n for n in range(2499, -1, -1) if n % 3 == 2 and n % 2]
    ok(seen == want, "2,500 events by cursor: each once, the newest first", len(seen))
    seen = every("device=pump-1&verdict=blocked&limit=1000&text=NOT_ALLOWED")
    ok(seen == [n for n in range(2499, -1, -1) if n % 3 == 1 and n % 2], "filters hold together", len(seen))
    r = k.ask("GET", "/api/events?grouped=true", token=ADMIN)
    ok(any(g["count"] > 500 for g in r.json["groups"]), "events by group")
    a, b = event(1000)["timestamp"].replace("+", "%2B"), event(1100)["timestamp"].replace("+", "%2B")
    seen = every(f"since={a}&until={b}&limit=1000")
    ok(seen == list(range(1100, 999, -1)), "events of a time", len(seen))
    r = k.ask("GET", "/api/devices", token=ADMIN)
    ok(r.status == 200, "devices")


def test_policy(k):
    got = k.ask("GET", "/api/policy/get", token=ADMIN).json
    ok(got["text"] == POLICY and len(got["hash"]) == 64, "the policy and its hash")
    r = k.ask("POST", "/api/policy/check", {"text": POLICY.replace("segment: icu", "segment: icx")}, token=ADMIN)
    ok(r.status == 200 and r.json["valid"] is False and r.json["errors"][0]["line"] == 4,
       "what is wrong with a policy, and where", r.json)
    mine = POLICY + '  - {name: pump-2, segment: icu, mac: "02:00:00:00:00:02"}\n'
    r = k.ask("POST", "/api/policy/apply", {"text": "nonsense: [", "base": got["hash"]}, token=ADMIN)
    ok(r.status == 422 and r.json["errors"], "nonsense is not taken into force", r.json)
    r = k.ask("POST", "/api/policy/apply", {"text": mine, "base": got["hash"]}, token=ADMIN)
    ok(r.status == 200 and r.json["generation"] == 2, "the first of two changes a policy", r.json)
    theirs = POLICY + '  - {name: pump-3, segment: icu, mac: "02:00:00:00:00:03"}\n'
    r = k.ask("POST", "/api/policy/apply", {"text": theirs, "base": got["hash"]}, token=ADMIN)
    ok(r.status == 409 and "-  - {name: pump-2" in r.json["difference"] and "+  - {name: pump-3" in r.json["difference"],
       "the second sees the difference", r.json)
    ok(r.json["text"] == mine, "and the text that is in force")
    r = k.ask("POST", "/api/policy/apply", {"text": mine + theirs.split("\n")[-2] + "\n", "base": r.json["hash"]}, token=ADMIN)
    ok(r.status == 200, "and can put both together", r.json)


class View(threading.Thread):
    """A live view: what came, and when."""

    def __init__(self, k, path="/api/live", token=ADMIN, last=None):
        super().__init__(daemon=True)
        self.k, self.events, self.ended, self.opened = k, [], None, threading.Event()
        self.s = k.connect()
        self.s.settimeout(60)
        head = f"GET {path} HTTP/1.1\r\nHost: {k.host}\r\nCookie: __Host-bedwarden={token}\r\n"
        if last is not None:
            head += f"Last-Event-ID: {last}\r\n"
        self.s.sendall((head + "\r\n").encode())
        self.buffer = b""
        self.start()

    def run(self):
        try:
            while True:
                piece = self.s.recv(65536)
                if not piece:
                    break
                self.buffer += piece
                self.opened.set()
                self.take()
        except OSError:
            pass
        self.ended = time.monotonic()

    def take(self):
        while b"\n\n" in self.buffer:
            block, self.buffer = self.buffer.split(b"\n\n", 1)
            number = None
            for line in block.replace(b"\r", b"").split(b"\n"):
                if line.startswith(b"id: "):
                    number = int(line[4:])
                if line.startswith(b"data: ") and number is not None:
                    self.events.append((number, time.monotonic(), json.loads(line[6:])))


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_live(k):
    all_, one = View(k), View(k, "/api/live?device=pump-9&verdict=blocked")
    all_.opened.wait(5), one.opened.wait(5)
    late, sent = [], {}
    for n in range(60):
        sent[90000 + n] = time.monotonic()
        k.events(event(90000 + n, device="pump-9" if n % 2 else "pump-8"))
        time.sleep(0.037)
    ok(wait_until(lambda: len([e for e in all_.events if e[2].get("n", 0) >= 90000]) == 60), "live events come", len(all_.events))
    late = sorted(t - sent[e["n"]] for _, t, e in all_.events if e.get("n", 0) >= 90000)
    p95 = late[int(len(late) * 0.95)] * 1000 if late else 1e9
    ok(p95 <= 300, f"keeper to server-sent event: p95 {p95:.0f} ms (at most 300)")
    ok(len(one.events) == 30 and all(e["device"] == "pump-9" for _, _, e in one.events), "filtered ones", len(one.events))
    numbers = [n for n, _, _ in all_.events]
    ok(numbers == sorted(numbers) and len(set(numbers)) == len(numbers), "in order, each once")
    back = View(k, last=numbers[-11])
    ok(wait_until(lambda: len(back.events) == 10), "who comes back gets what it missed", len(back.events))
    for v in (all_, one, back):
        v.s.close()
    r = k.ask("GET", "/api/live")
    ok(r.status == 401, "nobody looks on unsigned", r.status)
    r = k.ask("GET", "/api/live", token="t.vendor")
    ok(r.status == 403, "nor a vendor at everything", r.status)


def test_slow(k):
    """A view that takes nothing is dropped, the others go on."""
    slow = k.connect()
    slow.sendall(f"GET /api/live HTTP/1.1\r\nHost: {k.host}\r\nCookie: __Host-bedwarden={ADMIN}\r\n\r\n".encode())
    good = View(k)
    good.opened.wait(5)
    big = "x" * 4000
    for n in range(12):
        last = 200000 + n * 500 + 499
        k.events(*[dict(event(last - 499 + i), pad=big) for i in range(500)])
        got = wait_until(lambda: good.events and good.events[-1][2].get("n") == last, 60)
    ok(got, "a view beside a slow one gets the last event",
       good.events and good.events[-1][2].get("n"))
    good.s.close()
    slow.settimeout(10)
    got = 0
    try:
        while True:
            piece = slow.recv(1 << 20)
            if not piece:
                break
            got += len(piece)
    except (OSError, ssl.SSLError):
        pass
    ok(got < 8 << 20, "the slow one was dropped, not buffered for", got)
    slow.close()


def test_loris(k):
    """Connections that say nothing, half a request, or a request a byte at a time."""
    begin = time.monotonic()
    mute = socket.create_connection(("127.0.0.1", k.port))
    half = k.connect()
    half.sendall(b"GET / HTTP/1.1\r\nHost: loc")
    drip = k.connect()
    ends = {}

    def watch(name, s):
        try:
            s.settimeout(60)
            while s.recv(1000):
                pass
        except OSError:
            pass
        ends[name] = time.monotonic() - begin

    def feed():
        try:
            for b in b"GET / HTTP/1.1\r\nX: " + b"y" * 1000:
                drip.sendall(bytes([b]))
                time.sleep(0.5)
        except OSError:
            pass
    threads = [threading.Thread(target=watch, args=a, daemon=True) for a in (("mute", mute), ("half", half), ("drip", drip))]
    threads.append(threading.Thread(target=feed, daemon=True))
    for t in threads:
        t.start()
    r = k.ask("GET", "/api/status", token=ADMIN)
    ok(r.status == 200, "others are served meanwhile")
    for t in threads[:3]:
        t.join(30)
    ok(len(ends) == 3 and max(ends.values()) < 25, "who does not get on is hung up on", ends)


def test_tls(k):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    c.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        with socket.create_connection(("127.0.0.1", k.port), timeout=5) as s, c.wrap_socket(s):
            ok(False, "TLS 1.2 is refused")
    except (ssl.SSLError, OSError):
        ok(True, "TLS 1.2 is refused")
    with k.connect() as s:
        ok(s.version() == "TLSv1.3", "TLS 1.3 is spoken", s.version())
    with socket.create_connection(("127.0.0.1", k.port), timeout=5) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: " + k.host.encode() + b"\r\n\r\n")
        s.settimeout(5)
        try:
            got = s.recv(1000)
        except OSError:
            got = b""
        ok(b"HTTP/1.1 2" not in got, "nothing is said in the clear", got[:60])


def test_limits(program):
    k = Kit(program, connections=40, per_source=20, requests=20)
    held = []
    for _ in range(30):
        try:
            held.append(k.connect())
        except OSError:
            pass
    time.sleep(0.5)
    alive = 0
    for s in held:
        try:
            s.settimeout(0.05)
            alive += s.recv(1) != b""
        except TimeoutError:
            alive += 1
        except OSError:
            pass
    ok(alive <= 20, "no more connections from one address than allowed", alive)
    for s in held:
        s.close()
    time.sleep(0.5)
    # Side by side: one after the other may take longer than it takes until there is room for more.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: k.ask("GET", "/api/auth/state").status, range(240)))
    ok(429 in codes and codes[0] != 429, "too many requests: 429", codes[:3])
    r = k.ask("GET", "/api/auth/state")
    if r.status == 429:
        ok(int(r.getheader("Retry-After")) >= 1, "and when to come back")
    time.sleep(2)
    ok(k.ask("GET", "/api/auth/state").status != 429, "and later again")
    k.stop()


def main():
    program = sys.argv[1]
    if os.geteuid() != 0:
        print("skip - the API: keeper and console give up rights that only root has")
        return
    k = Kit(program)
    only = sys.argv[2:]
    doc = test_document(k) if not only else k.ask("GET", "/api/openapi.json").json
    for t in (lambda k: test_arguments(k, doc), test_bodies, test_wire, test_who, test_lists, test_policy, test_live,
              test_slow, test_loris, test_tls):
        if not only or t.__name__ in only:
            t(k)
    k.stop()
    if not only:
        test_limits(program)


if __name__ == "__main__":
    main()
    finish()
