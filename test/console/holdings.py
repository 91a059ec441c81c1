#!/usr/bin/env python3
"""holdings.py KIT: what leaves the gateway by its API, and what comes in: evidence and the vault's objects, as
fast as they are taken and never faster; reports and proposals, the same as the command's; bundles, verified as the
command verifies them. Over a real keeper and a real console; the program is beside KIT's folder."""
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

from api import ADMIN, TIRED, Kit, event, finish, ok

POLICY = """\
gateway: {name: clinic, state_dir: FOLDER/state, run_dir: FOLDER, profiles_dir: PROFILES}
updates: {root: FOLDER/root.json, dir: FOLDER/updates}
segments:
  - {name: icu, ward: w0, hospital: h0}
devices:
  - {name: pump-1, segment: icu, mac: "02:00:00:00:00:01", ip: [10.1.1.5]}
""".replace("PROFILES", os.path.abspath(os.path.join(os.path.dirname(__file__), "../../profiles")))

AUDITOR, VIEWER, ENGINEER = "t.auditor.fresh", "t.viewer.fresh", "t.clinical_engineer.fresh"
program = ""


def run(*args, **more):
    return subprocess.run([program, *args], capture_output=True, timeout=120, check=False, **more)


def put(k, name, data, kind="evidence"):
    r = run("vault", "put", k.folder + "/state/vault", "--class", kind, "--name", name, "-", input=data)
    if r.returncode:
        raise SystemExit("not ok - vault put: " + r.stderr.decode())


def problem(r, status, kind):
    return r.status == status and r.getheader("Content-Type") == "application/problem+json" and r.json["type"] == kind


def rss(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Rss:"))


def children(k):
    with open(f"/proc/{k.process.pid}/task/{k.process.pid}/children", encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def noted(k, what, object_=None):
    rows = k.ask("GET", f"/api/audit/list?what={what}", token=ADMIN).json["entries"]
    return [r for r in rows if object_ is None or object_ in json.dumps(r)]


def test_lists(k, things):
    r = k.ask("GET", "/api/evidence/list?limit=2", token=AUDITOR)
    rows = r.json["objects"]
    ok(r.status == 200 and [x["name"] for x in rows] == list(things)[:2] and rows[0]["size"] == len(things[rows[0]["name"]])
       and rows[0]["class"] == "evidence" and "next" in r.json, "evidence is listed, a page at a time", r.json)
    r = k.ask("GET", "/api/evidence/list?cursor=" + r.json["next"], token=AUDITOR)
    ok([x["name"] for x in r.json["objects"]] == list(things)[2:] and "next" not in r.json, "to its end, each once", r.json)
    r = k.ask("GET", "/api/vault/list?class=file", token=ADMIN)
    ok([x["name"] for x in r.json["objects"]] == ["notes/a.txt"], "the vault by class", r.json)
    r = k.ask("GET", "/api/vault/list?begins=evidence%2Fb", token=ADMIN)
    ok([x["name"] for x in r.json["objects"]] == ["evidence/big.pcapng"], "and by what names begin with", r.json)
    for token, path, kind in ((VIEWER, "/api/evidence/list", "auth.role"), ("t.vendor", "/api/evidence/list", "auth.role"),
                              (ENGINEER, "/api/vault/list", "auth.role")):
        r = k.ask("GET", path, token=token)
        ok(problem(r, 403, kind), f"{path} is not for {token}", (r.status, r.json))
    for q in ("limit=0", "limit=1001", "cursor=x", "cursor=-1", "cursor=" + "9" * 30, "class=" + "x" * 5000):
        r = k.ask("GET", "/api/vault/list?" + q, token=ADMIN)
        ok(r.status == 400, f"vault.list with {q[:30]}: 400", r.status)


def test_export(k, things):
    rows = {x["name"]: x for x in k.ask("GET", "/api/evidence/list", token=AUDITOR).json["objects"]}
    for name, data in things.items():
        r = k.ask("POST", "/api/evidence/export", {"id": rows[name]["id"], "reason": "case 7"}, token=AUDITOR)
        ok(r.status == 200 and r.data == data and int(r.getheader("Content-Length")) == len(data)
           and r.getheader("Content-Disposition") == f'attachment; filename="{name.split("/")[-1]}"'
           and r.getheader("Content-Type") == "application/octet-stream" and r.getheader("Cache-Control") == "no-store",
           f"{name} leaves as it was put", (r.status, len(r.data), r.getheaders()))
    r = k.ask("POST", "/api/evidence/export", {"name": "evidence/a.pcapng"}, token=ADMIN)
    ok(r.data == things["evidence/a.pcapng"], "by its name, too", r.status)
    entries = noted(k, "evidence.export")
    ok(len(entries) == len(things) + 1 and any("case 7" in json.dumps(e) for e in entries)
       and all(e["who"] in ("auditor", "administrator") for e in entries), "who had what is in the audit trail", entries[:2])
    for name, token, body, status, kind in (
            ("without a fresh factor", TIRED, {"id": 1}, 403, "auth.step_up_needed"),
            ("by a viewer", VIEWER, {"id": 1}, 403, "auth.role"),
            ("by an engineer", ENGINEER, {"id": 1}, 403, "auth.role"),
            ("of nothing", ADMIN, {}, 400, "call.argument"),
            ("of both", ADMIN, {"id": 1, "name": "evidence/a.pcapng"}, 400, "call.argument"),
            ("of number 0", ADMIN, {"id": 0}, 400, "call.argument"),
            ("of what is not there", ADMIN, {"id": 10 ** 15}, 404, "vault.none"),
            ("of another class", ADMIN, {"name": "notes/a.txt"}, 404, "vault.none"),
            ("for a stranger", ADMIN, {"id": 1, "recipients": ["age1nonsense"]}, 400, "call.argument"),
            ("for too many", ADMIN, {"id": 1, "recipients": ["age1x"] * 21}, 400, "call.argument")):
        r = k.ask("POST", "/api/evidence/export", body, token=token)
        ok(problem(r, status, kind), f"evidence.export {name}: {status} {kind}", (r.status, r.json))
    r = k.ask("POST", "/api/evidence/export", {"id": 1}, token="t.administrator.key.fresh")
    ok(r.status == 403, "nor by an API key", r.json)
    r = k.ask("POST", "/api/vault/export", {"name": "notes/a.txt"}, token=ADMIN)
    ok(r.status == 200 and r.data == b"note", "another class by vault.export", r.status)
    r = k.ask("POST", "/api/vault/export", {"name": "notes/a.txt"}, token=AUDITOR)
    ok(r.status == 403, "which is not for an auditor", r.status)


def test_sealed(k, things):
    key = k.folder + "/key.txt"
    run("keygen", "-o", key)
    recipient = run("keygen", "-y", key).stdout.decode().strip()
    for name in ("evidence/a.pcapng", "evidence/big.pcapng"):
        r = k.ask("POST", "/api/evidence/export", {"name": name, "recipients": [recipient]}, token=ADMIN)
        ok(r.status == 200 and r.data.startswith(b"age-encryption.org/v1\n") and
           r.getheader("Content-Disposition").endswith('.age"'), f"{name} leaves as an age file", (r.status, r.data[:40]))
        opened = run("open", "-i", key, input=r.data)
        ok(opened.returncode == 0 and opened.stdout == things[name], "which its recipient opens", opened.stderr)


def begin(k, name):
    """An export whose answer is not taken."""
    s = k.connect()
    body = json.dumps({"name": name}).encode()
    s.sendall((f"POST /api/evidence/export HTTP/1.1\r\nHost: {k.host}\r\nOrigin: {k.origin}\r\nX-CSRF-Token: csrf\r\n"
               f"Cookie: __Host-bedwarden={ADMIN}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
              + body)
    return s


def test_slow(k, things):
    """Who takes nothing holds no memory, and not the others; who hangs up frees its place."""
    big = things["evidence/big.pcapng"]
    pids = children(k)
    before = [rss(p) for p in pids]
    slow = [begin(k, "evidence/big.pcapng") for _ in range(2)]
    time.sleep(1.5)
    grown = max(rss(p) - b for p, b in zip(pids, before))
    ok(grown < 12 << 10, f"two exports of {len(big) >> 20} MiB that nobody takes hold {grown >> 10} MiB at most", grown)
    r = k.ask("POST", "/api/evidence/export", {"name": "evidence/a.pcapng"}, token=ADMIN)
    ok(problem(r, 503, "vault.busy"), "a third is told to wait", (r.status, r.json))
    r = k.ask("GET", "/api/status", token=ADMIN)
    ok(r.status == 200, "everything else goes on")
    got = bytearray()
    slow[0].settimeout(30)
    while got.find(b"\r\n\r\n") < 0 or len(got) < got.find(b"\r\n\r\n") + 4 + len(big):
        piece = slow[0].recv(1 << 20)
        if not piece:
            break
        got += piece
    got = bytes(got[got.find(b"\r\n\r\n") + 4:])
    ok(got == big, "the slow one gets all of it once it takes it", len(got))
    slow[0] = begin(k, "evidence/big.pcapng")
    time.sleep(0.5)
    r = k.ask("POST", "/api/evidence/export", {"name": "evidence/a.pcapng"}, token=ADMIN)
    ok(r.status == 503, "both places are taken again", r.status)
    slow[0].close()
    slow[1].close()
    for _ in range(100):
        r = k.ask("POST", "/api/evidence/export", {"name": "evidence/a.pcapng"}, token=ADMIN)
        if r.status == 200:
            break
        time.sleep(0.05)
    ok(r.status == 200 and r.data == things["evidence/a.pcapng"], "who hangs up makes room", r.status)


def test_damaged(k):
    """What is cut off within is told by its length, never taken for whole."""
    data = os.urandom(3 << 20)
    put(k, "evidence/damaged.pcapng", data)
    folder = k.folder + "/state/vault/packs"
    pack = max((os.path.join(folder, f) for f in os.listdir(folder)), key=os.path.getmtime)
    size = os.path.getsize(pack)
    with open(pack, "r+b") as f:
        f.seek(size - (1 << 20))
        f.write(b"x" * 1000)
    s = begin(k, "evidence/damaged.pcapng")
    s.settimeout(20)
    got = b""
    try:
        while True:
            piece = s.recv(1 << 20)
            if not piece:
                break
            got += piece
    except OSError:
        pass
    head, _, body = got.partition(b"\r\n\r\n")
    length = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    r = k.ask("GET", "/api/vault/check", token=ADMIN)
    ok(r.status == 200 and r.json["done"] is True and r.json["wrong"] == 0, "and the vault is still to be checked", r.json)
    r = k.ask("GET", "/api/vault/check?content=true", token=ADMIN)
    ok(r.status == 200 and r.json["content"] is True and r.json["wrong"] >= 1 and r.json["found"], "that is found where contents are read", r.json)
    ok(length == [len(data)] and len(body) < len(data) and data.startswith(body), "a damaged object is cut off where it is damaged",
       (length, len(body), body[:200]))


def test_check(k):
    r = k.ask("GET", "/api/vault/check", token=AUDITOR)
    ok(r.status == 200 and r.json["done"] is True and r.json["wrong"] == 0 and r.json["objects"] >= 4, "the vault is whole", (r.status, r.json))
    r = k.ask("GET", "/api/vault/check", token=ENGINEER)
    ok(r.status == 403, "an engineer does not ask", r.status)
    put(k, "notes/b.txt", b"to be destroyed", "file")
    gone = run("vault", "shred", k.folder + "/state/vault", "notes/b.txt", "--force", "--why", "a test")
    r = k.ask("GET", "/api/vault/log?limit=1", token=AUDITOR)
    ok(gone.returncode == 0 and r.status == 200 and r.json["whole"] is True and len(r.json["lines"]) == 1, "what was destroyed is told",
       (gone.stderr, r.json))
    rows, pages = every(k, "/api/vault/log", "lines", 1)
    whole = k.ask("GET", "/api/vault/log", token=AUDITOR).json["lines"]
    ok(rows == whole and pages == len(whole), "line by line", (rows, whole))


def states(report):
    return {x["section"]: x["state"] for g in report.get("parts", []) for x in g["requirements"]}


def test_report(k):
    for framework in ("hipaa", "csf"):
        r = k.ask("GET", f"/api/report/make?framework={framework}&days=7", token=AUDITOR)
        cli = run("report", framework, "--json", "--days", "7", "-c", k.folder + "/policy.yaml")
        theirs = json.loads(cli.stdout) if cli.returncode == 0 else {}
        ours, theirs = (states(r.json), states(theirs))
        ok(r.status == 200 and len(ours) > 10 and ours == theirs, f"{framework} as JSON says what the command says",
           ({x: (ours.get(x), theirs.get(x)) for x in {*ours, *theirs} if ours.get(x) != theirs.get(x)}, r.status, cli.stderr))
        r = k.ask("GET", f"/api/report/make?framework={framework}&format=html", token=AUDITOR)
        ok(r.status == 200 and r.getheader("Content-Type").startswith("text/html") and r.data.startswith(b"<!") and b"</html>" in r.data[-20:]
           and int(r.getheader("Content-Length")) == len(r.data) and "attachment" in r.getheader("Content-Disposition"),
           f"{framework} as a page", (r.status, r.data[:60], r.getheaders()))
    ok(len(noted(k, "report.make", "hipaa")) >= 2, "reports are in the audit trail", noted(k, "report.make"))
    for q, token, status in (("framework=iso", AUDITOR, 400), ("", AUDITOR, 400), ("framework=csf&format=pdf", AUDITOR, 400),
                             ("framework=csf&days=0", AUDITOR, 400), ("framework=csf&days=4000", AUDITOR, 400),
                             ("framework=hipaa%20-o%20/tmp/x", AUDITOR, 400), ("framework=csf", VIEWER, 403)):
        r = k.ask("GET", "/api/report/make?" + q, token=token)
        ok(r.status == status, f"report.make {q or 'of nothing'}: {status}", (r.status, r.json))
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(k.ask("GET", "/api/report/make?framework=csf", token=AUDITOR).status))
               for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    ok(answers.count(200) >= 8 and set(answers) <= {200, 503}, "twelve at once: one after the other, the rest told to wait", answers)


def test_learn(k):
    k.events(*[dict(event(n, device="", kind="flow"), src_ip=f"10.1.1.{n % 4 + 10}", dest_ip="10.2.2.2", dest_port=104, src_port=4000 + n,
                    proto="TCP", app_proto="dicom", flow={"pkts_toserver": 3, "pkts_toclient": 3}) for n in range(20)])
    time.sleep(1)
    r = k.ask("GET", "/api/policy/learn?wards=10.1.1.0/24", token=ENGINEER)
    cli = run("policy", "learn", "-w", "10.1.1.0/24", "-c", k.folder + "/policy.yaml")
    ok(r.status == 200 and r.json["text"] == cli.stdout.decode() and "devices:" in r.json["text"],
       "a proposal, the same as the command's", (r.status, str(r.json)[:300], cli.stderr))
    c = k.ask("POST", "/api/policy/check", {"text": r.json["text"] if r.status == 200 else ""}, token=ENGINEER)
    ok(c.json["valid"] is True, "which policy.check finds valid", c.json)
    for q in ("wards=nonsense", "wards=10.1.1.0/33", "wards=" + ",".join(["10.1.1.0/24"] * 17), "wards=-o,/etc/passwd"):
        r = k.ask("GET", "/api/policy/learn?" + q, token=ENGINEER)
        ok(r.status == 400, f"policy.learn {q[:30]}: 400", (r.status, r.json))
    r = k.ask("GET", "/api/policy/learn", token=AUDITOR)
    ok(r.status == 403, "not for an auditor", r.status)


def send(k, data, token=ADMIN, piece=256 << 10, call="update"):
    upload, at = None, 0
    while at < len(data):
        q = "" if upload is None else f"?upload={upload}&at={at}"
        r = k.ask("POST", f"/api/{call}/upload" + q, data[at:at + piece], token=token,
                  headers={"Content-Type": "application/octet-stream"})
        if r.status != 200:
            return r, upload
        upload, at = r.json["upload"], r.json["size"]
    return r, upload


def test_import(k):
    w = tempfile.mkdtemp(prefix="bedwarden-bundle-", dir=k.folder)

    def repo(*args):
        r = run("repo", *args, cwd=w)
        if r.returncode:
            raise SystemExit("not ok - repo: " + r.stderr.decode())
    with open(w + "/fw", "wb") as f:
        f.write(os.urandom(1 << 20))
    repo("init", "R", "--plain")
    repo("add", "R", "fw", "--name", "pump/fw-2.bin")
    repo("sign", "R")
    repo("publish", "R")
    repo("bundle", "R", "-o", "stick")
    with open(w + "/R/public/metadata/1.root.json", "rb") as f, open(k.folder + "/root.json", "wb") as g:
        g.write(f.read())
    with open(w + "/stick", "rb") as f:
        bundle = f.read()

    broken = bytearray(bundle)
    broken[len(broken) // 2] ^= 1
    for name, data in (("altered", bytes(broken)), ("cut", bundle[:len(bundle) // 2]), ("no bundle", b"hello" * 1000)):
        r, upload = send(k, data)
        r = k.ask("POST", "/api/update/import", {"upload": upload}, token=ADMIN)
        ok(problem(r, 422, "errand.failed") and len(r.json["detail"]) > 10, f"a bundle that is {name} is refused", (r.status, r.json))

    r, upload = send(k, bundle)
    ok(r.status == 200 and r.json["size"] == len(bundle), "a bundle is uploaded in pieces", (r.status, r.json))
    r = k.ask("POST", "/api/update/import", {"upload": upload}, token=TIRED)
    ok(problem(r, 403, "auth.step_up_needed"), "imported with a fresh factor only", r.json)
    r = k.ask("POST", "/api/update/import", {"upload": upload, "reason": "stick of May"}, token=ADMIN)
    ok(r.status == 200 and [t["name"] for t in r.json["targets"]] == ["pump/fw-2.bin"] and r.json["targets"][0]["by"] == "targets"
       and r.json["targets"][0]["known"] is False and r.json["root"] == 1, "and imported", (r.status, r.json))
    found = [f for d, _, fs in os.walk(k.folder + "/updates/targets") for f in fs]
    with open(w + "/fw", "rb") as f:
        whole = hashlib.sha256(f.read()).hexdigest()
    stored = [hashlib.sha256(open(os.path.join(d, f), "rb").read()).hexdigest()
              for d, _, fs in os.walk(k.folder + "/updates/targets") for f in fs]
    ok(whole in stored, "to where the command puts it", found)
    ok(noted(k, "update.import", "stick of May"), "which is in the audit trail", noted(k, "update.import"))
    r = k.ask("POST", "/api/update/import", {"upload": upload}, token=ADMIN)
    ok(problem(r, 404, "upload.none"), "an upload is good for once", r.json)

    r, upload = send(k, bundle[:1000])
    r = k.ask("POST", f"/api/update/upload?upload={upload}&at=5", b"x", token=ADMIN, headers={"Content-Type": "application/octet-stream"})
    ok(problem(r, 409, "upload.at") and r.json["size"] == 1000, "a piece in the wrong place is told where to go on", r.json)
    for name, q, body, kind, status in (
            ("without a body", "", b"", "application/octet-stream", 400), ("of JSON", "", b"{}", "application/json", 415),
            ("of nobody's upload", "?upload=" + "0" * 32 + "&at=0", b"x", "application/octet-stream", 404),
            ("that begins behind", "?at=5", b"x", "application/octet-stream", 409),
            ("beyond the limit", f"?at={10 ** 15}", b"x", "application/octet-stream", 400),
            ("at -1", "?at=-1", b"x", "application/octet-stream", 400)):
        r = k.ask("POST", "/api/update/upload" + q, body, token=ADMIN, headers={"Content-Type": kind})
        ok(r.status == status, f"a piece {name}: {status}", (r.status, r.json))
    r = k.ask("POST", "/api/update/upload", b"x", token=ENGINEER, headers={"Content-Type": "application/octet-stream"})
    ok(problem(r, 403, "auth.role"), "nor by an engineer", r.json)
    r = k.ask("POST", "/api/update/upload", b"x", token=ADMIN, csrf=False, headers={"Content-Type": "application/octet-stream"})
    ok(problem(r, 403, "auth.csrf"), "nor from another page", r.json)
    codes = [k.ask("POST", "/api/update/upload", b"x", token=ADMIN, headers={"Content-Type": "application/octet-stream"}) for _ in range(6)]
    ok(codes[-1].status == 429 and codes[-1].json["type"] == "upload.too_many", "uploads are bounded in number", [c.status for c in codes])
    left = [f for f in os.listdir(k.folder + "/state") if f.startswith("upload")]
    ok(not left, "and leave no file with a name", left)


def every(k, path, key, limit):
    """All rows of a list, page after page; and how many pages there were."""
    rows, cursor, pages = [], "", 0
    while pages < 100:
        r = k.ask("GET", f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor}", token=ADMIN)
        if r.status != 200 or len(r.json[key]) > limit:
            return None, r.json
        rows += r.json[key]
        pages += 1
        if "next" not in r.json:
            break
        cursor = "&cursor=" + r.json["next"]
    return rows, pages


def test_pages(k):
    """Every list by cursor, each row once."""
    for n in range(7):
        k.ask("POST", "/api/user/add", {"user": f"user-{n}", "role": "viewer"}, token=ADMIN)
    for path, key, limit, least in (("/api/user/list", "users", 3, 7), ("/api/audit/list", "entries", 2, 7),
                                    ("/api/audit/list?what=user.add", "entries", 3, 7)):
        whole = k.ask("GET", path, token=ADMIN).json[key]
        rows, pages = every(k, path, key, limit)
        ok(rows is not None and len(whole) >= least and rows == whole and pages >= len(whole) // limit,
           f"{path} by pages of {limit}: {len(whole)} rows, each once", (pages, len(whole)))
    for path in ("user/list", "session/list", "key/list", "grant/list", "pki/ls", "advisory/accepted", "audit/list", "devices", "events",
                 "evidence/list", "vault/list"):
        bad = [k.ask("GET", f"/api/{path}?{q}", token=ADMIN).status for q in ("limit=0", "limit=1001", "cursor=x", "cursor=", "cursor=-1")]
        ok(bad == [400] * 5, f"{path} with a wrong limit or cursor: 400", bad)


def test_flood(k):
    """Large questions of nobody's, faster than they are taken: no connection of the others breaks."""
    body = json.dumps({"text": "x" * 250000}).encode()
    answers = []

    def many():
        for _ in range(10):
            answers.append(k.ask("POST", "/api/policy/check", body).status)
    threads = [threading.Thread(target=many) for _ in range(16)]
    for t in threads:
        t.start()
    others = [k.ask("GET", "/api/status", token=ADMIN).status for _ in range(20)]
    for t in threads:
        t.join()
    log = open(k.folder + "/log", encoding="utf-8", errors="replace").read()
    ok(set(answers) <= {401, 503} and 401 in answers and set(others) <= {200, 503} and "malformed" not in log,
       "160 large requests of strangers", (set(answers), others, log[-500:]))


def test_backup(k):
    r = k.ask("POST", "/api/backup/make", {}, token=ADMIN)
    ok(problem(r, 422, "backup.off"), "no backup where none is wanted, and what to do", r.json)
    r = k.ask("POST", "/api/backup/make", {}, token=ENGINEER)
    ok(r.status == 403, "nor by an engineer", r.status)


def main():
    global program
    kit = os.path.abspath(sys.argv[1])
    program = os.path.join(os.path.dirname(kit), "..", "bedwarden")
    if os.geteuid() != 0:
        print("skip - what leaves by the API: keeper and console give up rights that only root has")
        return
    k = Kit(kit, policy=POLICY)
    things = {"evidence/a.pcapng": b"first" * 1000, "evidence/big.pcapng": os.urandom(40 << 20), "evidence/empty.pcapng": b""}
    for name, data in things.items():
        put(k, name, data)
    put(k, "notes/a.txt", b"note", "file")
    only = sys.argv[2:]
    for t in (lambda k: test_lists(k, things), lambda k: test_export(k, things), lambda k: test_sealed(k, things),
              lambda k: test_slow(k, things), test_check, test_report, test_learn, test_import, test_pages, test_flood, test_backup, test_damaged):
        if not only or t.__name__ in only:
            begin = time.monotonic()
            t(k)
            if "TIMES" in os.environ:
                print(f"# {t.__name__}: {time.monotonic() - begin:.1f} s", flush=True)
    k.stop()


if __name__ == "__main__":
    main()
    finish()
