#!/usr/bin/env python3
"""custody.py KIT: what people do by the API with a gateway's vault, keys, certificates and audit trail: put and destroy,
rotate, have a hospital's authority sign, take the trail away and verify it elsewhere. Over a real keeper and a real
console; what came of it is held against what the command line says. The program is beside KIT's folder."""
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

import holdings
from api import ADMIN, TIRED, Kit, finish, ok
from holdings import AUDITOR, ENGINEER, noted, problem, run, send

KEY = "t.administrator.key.fresh"


def do(k, call, args=None, token=ADMIN):
    return k.ask("POST", "/api/" + call.replace(".", "/"), args or {}, token=token)


def vault(k, *args, **more):
    return run("vault", args[0], k.folder + "/state/vault", *args[1:], **more)


def put(k, name, data, **more):
    r, upload = send(k, data, call="vault")
    return do(k, "vault.put", {"upload": upload, "name": name, **more}) if r.status == 200 else r


def names(k):
    return {x["name"]: x for x in k.ask("GET", "/api/vault/list", token=ADMIN).json["objects"]}


def test_put(k):
    big = os.urandom(3 << 20)
    r = put(k, "notes/plan.bin", big, keep=0, reason="plan of the ward")
    ok(r.status == 200 and r.json["class"] == "file" and r.json["known"] is False and len(r.json["address"]) == 64, "a file is put", (r.status, r.json))
    ok(vault(k, "get", "notes/plan.bin").stdout == big, "the command line takes the same out of the vault")
    again = put(k, "notes/again.bin", big, **{"class": "plans", "keep": 30})
    ok(again.status == 200 and again.json["known"] is True and again.json["address"] == r.json["address"], "the same once more is kept once", again.json)
    row = names(k).get("notes/again.bin", {})
    ok(row.get("class") == "plans" and row.get("size") == len(big), "with its class", row)
    ok(names(k)["notes/plan.bin"]["until"] < row["until"], "and for how long it is kept", row)
    ok(noted(k, "vault.put", "notes/plan.bin") and noted(k, "vault.put", "plan of the ward"), "which is in the audit trail", noted(k, "vault.put"))
    _, upload = send(k, b"x", call="vault")
    for name, more in (("../up", {}), ("/etc/passwd", {}), ("a//b", {}), ("a/./b", {}), ("a/..", {}), ("", {}), ("a\n", {}), ("a\x7f", {}), ("x" * 256, {}),
                       ("a/", {}), ("fine", {"class": "evidence"}), ("fine", {"class": "backup"}), ("fine", {"class": "a b"}), ("fine", {"class": ""}),
                       ("fine", {"class": "x" * 24}), ("fine", {"keep": -1}), ("fine", {"keep": 36501})):
        r = do(k, "vault.put", {"upload": upload, "name": name, **more})
        ok(problem(r, 400, "call.argument"), f"vault.put of {name[:12]!r} {more}: 400", (r.status, r.json))
    ok(do(k, "vault.put", {"upload": upload, "name": "fine"}).status == 200, "what was refused is put by another name")
    ok(do(k, "vault.put", {"upload": upload, "name": "fine"}).status == 404, "once")
    r = do(k, "vault.put", {"upload": "0" * 32, "name": "a"})
    ok(problem(r, 404, "upload.none"), "nothing that was never uploaded", r.json)
    r = do(k, "vault.put", {"upload": "0" * 32, "name": "a"}, token=ENGINEER)
    ok(problem(r, 403, "auth.role"), "nor by an engineer", r.json)
    r = do(k, "vault.put", {"upload": "0" * 32, "name": "a"}, token=TIRED)
    ok(problem(r, 404, "upload.none"), "it takes no fresh factor", r.json)


def test_shred(k):
    for name, keep in (("a/old", 0), ("a/new", 100), ("b/old", 0), ("b/new", 100)):
        put(k, name, name.encode() * 1000, keep=keep, **{"class": "trial"})
    for token, kind in ((TIRED, "auth.step_up_needed"), (AUDITOR, "auth.role"), (KEY, "auth.key_scope")):
        r = do(k, "vault.shred", {"names": ["a/old"], "reason": "x"}, token=token)
        ok(problem(r, 403, kind), f"vault.shred by {token}: {kind}", r.json)
    for args in ({}, {"names": ["a/old"]}, {"names": [], "reason": "x"}, {"names": ["a/old"], "all": True, "reason": "x"}, {"expired": True, "all": True, "reason": "x"},
                 {"names": ["x"] * 101, "reason": "x"}, {"names": [""], "reason": "x"}, {"names": [1], "reason": "x"}, {"names": "a/old", "reason": "x"},
                 {"all": "yes", "reason": "x"}, {"all": True, "class": 3, "reason": "x"}, {"all": False, "reason": "x"}):
        r = do(k, "vault.shred", args)
        ok(r.status == 400, f"vault.shred {str(args)[:60]}: 400", (r.status, r.json))
    ok({"a/old", "a/new", "b/old", "b/new"} <= set(names(k)), "and nothing is gone")
    r = do(k, "vault.shred", {"names": ["a/old", "a/new", "nothing"], "reason": "end of the trial"})
    ok(r.status == 200 and r.json == {"done": True, "destroyed": 1, "kept": 1, "missing": ["nothing"]}, "what is named goes, what must be kept stays", r.json)
    ok("a/old" not in names(k) and vault(k, "get", "a/old").returncode == 1, "it is gone")
    r = do(k, "vault.shred", {"expired": True, "class": "trial", "reason": "end"})
    ok(r.json == {"done": True, "destroyed": 1, "kept": 0, "missing": []} and "b/old" not in names(k), "what was kept long enough, of a class", r.json)
    r = do(k, "vault.shred", {"all": True, "class": "trial", "force": True, "reason": "a court's order"})
    ok(r.json["destroyed"] == 2 and "notes/again.bin" in names(k), "all of a class, if somebody insists", r.json)
    log = vault(k, "log").stdout.decode()
    ok("end of the trial" in log and "a court's order" in log, "the vault's log says why", log)
    ok(noted(k, "vault.shred", "names:a/old,a/new,nothing") and noted(k, "vault.shred", "force:yes"), "the audit trail says who and what", noted(k, "vault.shred"))
    r = k.ask("GET", "/api/vault/check", token=ADMIN)
    ok(r.json["wrong"] == 0, "the vault is whole", r.json)


def test_keys(k):
    before = k.ask("GET", "/api/vault/keys", token=AUDITOR).json
    ok(before["locked"] is False and before["holder"] == "file" and before["trial"] is True and before["recipient"] == "" and before["data_keys"] >= 1,
       "who holds the keys", before)
    ok(k.ask("GET", "/api/vault/keys", token=ENGINEER).status == 403, "is not for an engineer")
    for call, args in (("vault.rotate", {}), ("vault.recipient", {"recipient": "age1x"})):
        r = do(k, call, args, token=TIRED)
        ok(problem(r, 403, "auth.step_up_needed"), f"{call} takes a fresh factor", r.json)
    rows = names(k)
    r = do(k, "vault.rotate", {"reason": "yearly"})
    after = k.ask("GET", "/api/vault/keys", token=ADMIN).json
    ok(r.status == 200 and r.json["done"] is True and r.json["data_keys"] >= 1 and after["generation"] == before["generation"] + 1,
       "new keys, all of them", (r.json, after))
    ok(names(k) == rows and vault(k, "get", "notes/again.bin").returncode == 0, "what they sealed is there all the same")
    got = do(k, "vault.export", {"name": "notes/again.bin"})
    ok(got.status == 200 and len(got.data) == 3 << 20, "and leaves as before", got.status)
    ok(put(k, "notes/after", b"after").status == 200, "and more is put")
    ok(noted(k, "vault.rotate", "yearly"), "which is in the audit trail")

    key = k.folder + "/provider.txt"
    run("keygen", "-o", key)
    recipient = run("keygen", "-y", key).stdout.decode().strip()
    for bad in ("", "age1nonsense", recipient[:-1], "x" * 4000, "ssh-ed25519 AAAA", 5, None):
        r = do(k, "vault.recipient", {"recipient": bad})
        ok(r.status == 400, f"vault.recipient {str(bad)[:20]!r}: 400", (r.status, r.json))
    ok(k.ask("GET", "/api/vault/keys", token=ADMIN).json["recipient"] == "", "and nothing changed")
    r = do(k, "vault.recipient", {"recipient": recipient, "reason": "our safe"})
    ok(r.status == 200 and k.ask("GET", "/api/vault/keys", token=ADMIN).json["recipient"] == recipient, "a recipient that recovers", r.json)
    copy = k.folder + "/elsewhere"
    subprocess.run(["cp", "-a", k.folder + "/state/vault", copy], check=True)
    for f in os.listdir(copy):  # the machine is lost, and what held its keys
        if f not in ("keyring", "index.db", "index.db-wal", "packs"):
            subprocess.run(["rm", "-rf", os.path.join(copy, f)], check=True)
    r = run("vault", "recover", copy, "-i", key, "--holder", "passphrase", env=dict(os.environ, AGE_PASSPHRASE="elsewhere and safe"))
    ok(r.returncode == 0, "whose identity recovers a copy elsewhere", r.stderr)
    r = run("vault", "get", copy, "notes/after", env=dict(os.environ, AGE_PASSPHRASE="elsewhere and safe"))
    ok(r.stdout == b"after", "and opens it", r.stderr)


def test_pki(k):
    for call, args in (("pki.init", {}), ("pki.renew", {}), ("pki.install", {"remove": True})):
        r = do(k, call, args, token=TIRED)
        ok(problem(r, 403, "auth.step_up_needed"), f"{call} takes a fresh factor", r.json)
        ok(do(k, call, args, token=AUDITOR).status == 403, f"{call} is not for an auditor")
    for args in ({"days": 1}, {"days": 10 ** 6}, {"name": 5}, {"name": "x" * 5000}):
        r = do(k, "pki.init", args)
        ok(r.status in (400, 422), f"pki.init {str(args)[:30]}: refused", (r.status, r.json))
    r = do(k, "pki.request", {"name": "gw.clinic.example", "for": "console", "names": ["gw.clinic.example"]}, token=TIRED)
    ok(r.status == 200 and "BEGIN CERTIFICATE REQUEST" in r.json["pem"], "a request for the hospital's authority", r.json)
    d = k.folder

    def openssl(*args, **more):
        return subprocess.run(["openssl", *args], capture_output=True, check=False, cwd=d, **more)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj", "/CN=hospital", "-keyout", "h.key", "-out", "h.pem")
    with open(d + "/ext", "w", encoding="ascii") as f:
        f.write("subjectAltName=DNS:gw.clinic.example,DNS:localhost\nextendedKeyUsage=serverAuth\n")
    cert = openssl("x509", "-req", "-CA", "h.pem", "-CAkey", "h.key", "-CAcreateserial", "-days", "5", "-extfile", "ext", input=r.json["pem"].encode()).stdout.decode()
    with open(d + "/h.pem", encoding="ascii") as f:
        chain = cert + f.read()
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=gw.clinic.example", "-keyout", "o.key", "-out", "o.csr")
    with open(d + "/o.csr", encoding="ascii") as f:
        other = openssl("x509", "-req", "-CA", "h.pem", "-CAkey", "h.key", "-CAcreateserial", "-days", "5", input=f.read().encode()).stdout.decode()
    for pem, want in (("nonsense", 400), ("", 400), (other, 403), (5, 400), (None, 400)):
        r = do(k, "pki.install", {"for": "console", "pem": pem})
        ok(r.status == want, f"pki.install {str(pem)[:12]!r}: {want}", (r.status, r.json))
    ok(do(k, "pki.install", {"for": "console"}).status == 400 and do(k, "pki.install", {"for": "toaster", "pem": chain}).status == 400,
       "pki.install of nothing, or for nobody: 400")
    r = do(k, "pki.install", {"for": "console", "pem": chain})
    ok(r.status == 200 and r.json["installed"] is True, "what it gave is installed", r.json)
    ok(noted(k, "pki.install", "for:console"), "which is in the audit trail")


def curl(k, *args):
    return subprocess.run(["curl", "-sS", "--max-time", "5", *args, f"https://{k.host}/api/auth/state"], capture_output=True, check=False)


def test_shown(k, begun):
    """Within a minute the console shows what the hospital's authority gave; whoever trusts that one alone gets in."""
    while curl(k, "--cacert", k.folder + "/h.pem").returncode and time.monotonic() < begun + 75:
        time.sleep(0.5)
    c = curl(k, "--cacert", k.folder + "/h.pem", "-w", "%{ssl_verify_result} %{http_code}", "-o", "/dev/null")
    ok(c.stdout == b"0 200", "the console shows it: curl trusts the hospital's authority alone", (c.stdout, c.stderr))
    ok(curl(k).returncode == 60, "and nobody who does not")
    r = do(k, "pki.install", {"for": "console", "remove": True})
    ok(r.status == 200 and r.json["installed"] is False, "and taken away", r.json)
    r = do(k, "pki.init", {"name": "Ward authority"})
    ok(r.status == 200 and "BEGIN CERTIFICATE" in r.json["pem"], "an authority of its own", r.json)
    ok(k.ask("GET", "/api/pki/show", token=AUDITOR).json["pem"] == r.json["pem"], "is shown")
    r = do(k, "pki.init")
    ok(r.status == 409, "once", (r.status, r.json))
    r = do(k, "pki.renew")
    ok(r.status in (200, 404), "nothing to renew where there is no link", (r.status, r.json))


def test_trail(k):
    for q in ("format=pdf", "limit=0", "limit=501", "cursor=0", "cursor=x", "cursor=", "cursor=-1", "format="):
        r = k.ask("GET", "/api/audit/export?" + q, token=AUDITOR)
        ok(r.status == 400, f"audit.export {q}: 400", (r.status, r.json))
    ok(k.ask("GET", "/api/audit/export", token=ENGINEER).status == 403, "audit.export is not for an engineer")
    got, cursor, pages = [], "", 0
    while pages < 200:
        r = k.ask("GET", "/api/audit/export?limit=40" + cursor, token=AUDITOR)
        got += r.json["messages"]
        pages += 1
        if "next" not in r.json:
            break
        cursor = "&cursor=" + r.json["next"]
    count = r.json["count"]
    roots = [xml.fromstring(m) for m in got]
    ok(pages > 1 and len(got) == count and all(x.tag == "AuditMessage" and x.find("EventIdentification") is not None for x in roots),
       f"the trail as {count} DICOM audit messages, by pages", (len(got), count, pages))
    ok("vault.shred" in "".join(got) and 'type="checkpoint"' in got[-1] and r.json["checkpoint"].startswith("audit-checkpoint-1 "),
       "which say who did what, with a checkpoint", got[-1])
    ok(noted(k, "audit.export"), "who had it is in it")
    r = k.ask("GET", "/api/audit/export?format=log", token=AUDITOR)
    d = k.folder + "/away"
    os.mkdir(d)
    with open(d + "/audit.log", "wb") as f:
        f.write(r.data)
    c = k.ask("GET", "/api/audit/checkpoint", token=AUDITOR).json["checkpoint"]
    ok(r.status == 200 and 'filename="audit.log"' in r.getheader("Content-Disposition"), "and as a file", r.getheaders())
    # The checkpoint is of a moment later, in which the export itself was noted.
    log = k.ask("GET", "/api/audit/export?format=log", token=AUDITOR).data
    with open(d + "/audit.log", "wb") as f:
        f.write(log)
    with open(d + "/audit.checkpoint", "w", encoding="ascii") as f:
        f.write(c + "\n")
    v = run("audit", "verify", "-d", d, "--json")
    said = json.loads(v.stdout)
    ok(v.returncode == 0 and said["state"] == "whole" and said["count"] == log.count(b"\n"), "which verifies elsewhere", (v.stdout, v.stderr))
    with open(d + "/audit.log", "wb") as f:
        f.write(log.replace(b'"vault.put"', b'"vault.get"', 1))
    v = run("audit", "verify", "-d", d, "--json")
    ok(v.returncode == 1 and json.loads(v.stdout)["state"] == "changed", "and does not where a word was changed", v.stdout)


def wait_for_first_look(k, begun):
    """Ten seconds after its start the keeper destroys what was kept long enough, and then once a day."""
    put(k, "early", b"x", keep=0)
    while "early" in names(k) and time.monotonic() < begun + 30:
        time.sleep(0.2)


def main():
    kit = os.path.abspath(sys.argv[1])
    holdings.program = os.path.join(os.path.dirname(kit), "..", "bedwarden")
    if os.geteuid() != 0:
        print("skip - vault, keys and trail by the API: keeper and console give up rights that only root has")
        return
    begun = time.monotonic()
    k = Kit(kit, policy=holdings.POLICY, requests=1000)
    ok(curl(k).returncode == 60, "a certificate of its own is nobody's")
    test_pki(k)
    wait_for_first_look(k, begun)
    begun = time.monotonic()
    for t in (test_put, test_shred, test_keys, test_trail):
        t(k)
    test_shown(k, begun)
    k.stop()


if __name__ == "__main__":
    main()
    finish()
