#!/usr/bin/python3
"""Mirrors that mean harm. usage: hostile.py BEDWARDEN [CASE]..."""
import json
import os
import random
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import *  # noqa
from conform import case, cases  # noqa: E402

cases.clear()  # its own are conform.py's to run


def mib(client, *args):
    """Peak memory of a run, MiB."""
    cmd = ["/usr/bin/time", "-f", "PEAK %M", client.binary, "tuf", *args]
    done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    client.said = done.stderr.decode(errors="replace")
    return done.returncode, int(client.said.split("PEAK ")[-1]) / 1024


def endless_body(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"{" * 65536)


def endless_header(handler):
    handler.send_response(200)
    while True:
        handler.wfile.write(b"X-More: %s\r\n" % (b"x" * 8000))


def endless_refusal(handler):
    handler.send_response(404)
    handler.end_headers()
    while True:
        handler.wfile.write(b"no such thing " * 4096)


@case
def endless(client):
    """endless data, headers and refusals end soon, in little memory"""
    c = client()
    usual = mib(c, *c.where(), "refresh")[1]
    for path, how, left in (("metadata/2.root.json", endless_body, {"root"}),
                            ("metadata/timestamp.json", endless_body, {"root"}),
                            ("metadata/timestamp.json", endless_header, {"root"}),
                            ("metadata/timestamp.json", endless_refusal, {"root"}),
                            ("metadata/1.snapshot.json", endless_body, {"root", "timestamp"}),
                            ("metadata/1.targets.json", endless_body, {"root", "timestamp", "snapshot"})):
        c = client()
        c.repo.files[path] = how
        before = time.monotonic()
        code, peak = mib(c, *c.where(), "refresh")
        assert code == 1 and set(c.trusted()) == left, (path, c.said)
        assert time.monotonic() - before < 15 and peak - usual < 16, (path, peak, usual)


@case
def endless_root_refusal(client):
    """a refusal without end of the next root is a refusal"""
    c = client()
    c.repo.files["metadata/2.root.json"] = endless_refusal
    assert c.refresh() == 0, c.said


@case
def endless_target(client):
    """a target that does not end, or is one byte longer or shorter, leaves nothing"""
    for how in (endless_body, b"0123456789x", b"012345678"):
        c = client()
        c.repo.add_target("t", b"0123456789")
        c.repo.publish_all()
        for path in list(c.repo.files):
            if path.startswith("targets/"):
                c.repo.files[path] = how
        assert c.download("t") == 1 and os.listdir(c.into) == [], c.said


@case
def slow(client):
    """what drips is given up, long before an hour"""
    c = client()

    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b" ")
            time.sleep(0.5)
    c.repo.files["metadata/timestamp.json"] = drip
    before = time.monotonic()
    assert c.refresh() == 1 and "slow" in c.said, c.said
    assert time.monotonic() - before < 45


@case
def mute(client):
    """nobody there, or a server that hangs up, is said so"""
    c = client()
    c.repo.files["metadata/timestamp.json"] = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)
    assert c.refresh() == 1 and c.said.startswith("bedwarden: http"), c.said
    c.mirror.server_close()
    assert c.refresh() == 1 and "cannot be fetched" in c.said


@case
def server_errors(client):
    """an error of the server at the next root is no end of the roots"""
    for status in (500, 503, 401, 301):
        c = client()
        c.repo.files["metadata/2.root.json"] = lambda h: (h.send_response(status), h.end_headers())
        assert c.refresh() == 1 and set(c.trusted()) == {"root"}, (status, c.said)


@case
def redirects(client):
    """redirects stay with the server, and end"""
    def to(where):
        def answer(h):
            h.send_response(302)
            h.send_header("Location", where)
            h.send_header("Content-Length", "0")
            h.end_headers()
        return answer
    c = client()
    c.repo.files["elsewhere.json"] = c.repo.files["metadata/timestamp.json"]
    c.repo.files["metadata/timestamp.json"] = to("/elsewhere.json")
    assert c.refresh() == 0, c.said
    other = client()
    for bad in (other.mirror.url + "/metadata/timestamp.json", "file:///etc/passwd", "ftp://127.0.0.1/x",
                "gopher://127.0.0.1:1/x", "/metadata/timestamp.json"):
        c = client()
        c.repo.files["metadata/timestamp.json"] = to(bad)
        assert c.refresh() == 1 and set(c.trusted()) == {"root"}, (bad, c.said)
    assert not other.repo.requests


def certificate(folder, name):
    """A key and a certificate for 127.0.0.1 that vouches for itself, in one file."""
    import datetime
    import ipaddress
    from cryptography import x509
    from cryptography.x509.oid import NameOID
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.utcnow()
    cert = (x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(1))
            .not_valid_after(now + datetime.timedelta(30))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256()))
    path = os.path.join(folder, name + ".pem")
    with open(path, "wb") as f:
        f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        f.write(cert.public_bytes(serialization.Encoding.PEM))
    return path


@case
def https(client):
    """over HTTPS only a server whose certificate is vouched for is asked; no way leads from there to HTTP"""
    import ssl
    c = client()
    mine, other = certificate(c.temp.name, "mine"), certificate(c.temp.name, "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(mine)
    c.mirror.socket = context.wrap_socket(c.mirror.socket, server_side=True)
    c.mirror.url = c.mirror.url.replace("http:", "https:")
    assert c.refresh() == 1 and "certificate" in c.said.lower(), c.said
    c.env["SSL_CERT_FILE"] = other
    assert c.refresh() == 1 and not c.repo.requests
    c.env["SSL_CERT_FILE"] = mine
    assert c.refresh() == 0, c.said
    c.repo.files["metadata/timestamp.json"] = lambda h: (h.send_response(302), h.send_header(
        "Location", c.mirror.url.replace("https:", "http:") + "/x"), h.end_headers())
    assert c.refresh() == 1 and "redirects" in c.said, c.said


@case
def other_schemes(client):
    """a mirror is asked over HTTP and HTTPS alone"""
    c = client()
    for url in ("file:///etc/", "ftp://127.0.0.1/", "", "example", "http//x"):
        assert c.run("--metadata-dir", c.dir, "--metadata-url", url, "refresh") == 1, url


MALFORMED = [
    b"", b" ", b"{", b"null", b"[]", b"{}", b'"x"', b"\xff\xfe", b"\x00" * 100, b"[" * 16000, b'{"a":' * 3000,
    b'{"signed":' + b"[" * 5000 + b"]" * 5000 + b',"signatures":[]}',
    b'{"signed":{},"signed":{},"signatures":[]}', b'{"signed":{},"signatures":{}}', b'{"signatures":[],"signed":[]}',
    b'{"signed":' + b"9" * 400 + b',"signatures":[]}', b"<html>not found</html>",
]


@case
def malformed(client):
    """broken JSON, deep nesting, keys given twice and huge numbers are refused"""
    for role, path in (("timestamp", "timestamp"), ("snapshot", "1.snapshot"), ("targets", "1.targets"),
                       ("root", "2.root")):
        c = client()
        for data in MALFORMED:
            c.repo.files[f"metadata/{path}.json"] = data
            assert c.refresh() == 1 and c.version(role) in (None, 1), (role, data[:40], c.said)
            assert c.said.count("\n") == 1 and len(c.said) < 700, c.said


def wrong_values(value):
    kinds = [None, True, -1, 0, 1 << 62, 1.5, "", "x", [], {}, [1], {"a": 1}, ["x", "x"]]
    return [k for k in kinds if k != value or type(k) != type(value)]


def places(node, at=()):
    """Every place in a metadata body."""
    for key in (list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()):
        yield at + (key,)
        yield from places(node[key], at + (key,))


@case
def wrong_types(client):
    """signed metadata with a wrong type or a missing field anywhere: an answer in one line, never a crash"""
    c = client()
    c.repo.hashes = True
    c.repo.add_target("t", b"t")
    c.repo.delegate("targets", "d", paths=["x/*"])
    c.repo.publish("d", "targets", "snapshot", "timestamp")
    assert c.refresh() == 0
    rng = random.Random(7)
    tried = 0
    for role in ("timestamp", "snapshot", "targets", "root"):
        good = json.loads(json.dumps(c.repo.signed[role]))
        for place in list(places(good)):
            if place[0] == "keys" and len(place) < 4 and role == "root":
                continue
            for value in rng.sample(wrong_values(None), 2) + ["DELETE"]:
                body = json.loads(json.dumps(good))
                node = body
                for key in place[:-1]:
                    node = node[key]
                if value == "DELETE":
                    del node[place[-1]]
                else:
                    node[place[-1]] = value
                if role == "root":
                    body["version"] = body["version"] + 1 if isinstance(body.get("version"), int) else body.get("version")
                elif isinstance(body.get("version"), int) and place != ("version",):
                    body["version"] += 1
                d = Client.__new__(Client)
                d.__dict__.update(c.__dict__)
                data = json.dumps(body)
                try:
                    raw = canonical(body).encode()
                except TypeError:
                    raw = b""
                md = json.dumps({"signed": body, "signatures": [k.sign(raw) for k in c.repo.signers[role]]}).encode()
                path = {"timestamp": "timestamp", "snapshot": "2.snapshot", "targets": "2.targets", "root": "2.root"}[role]
                old = c.repo.files.get(f"metadata/{path}.json")
                keep = {r: c.raw(r) for r in TOP}
                c.repo.files[f"metadata/{path}.json"] = md
                if role in ("snapshot", "targets"):
                    os.unlink(os.path.join(c.dir, role + ".json"))
                code = c.refresh()
                assert code in (0, 1), (role, place, value, code, c.said)
                if code == 1:
                    assert c.said.startswith("bedwarden: ") and c.said.count("\n") == 1, (role, place, value, c.said)
                for r, raw in keep.items():
                    with open(os.path.join(c.dir, r + ".json"), "wb") as f:
                        f.write(raw)
                if old is None:
                    del c.repo.files[f"metadata/{path}.json"]
                else:
                    c.repo.files[f"metadata/{path}.json"] = old
                tried += 1
    assert tried > 200, tried
    assert c.refresh() == 0, c.said


@case
def broken_folder(client):
    """what is broken in the folder is fetched again; a broken root is said so"""
    c = client()
    assert c.refresh() == 0
    for role in ("timestamp", "snapshot", "targets"):
        for data in (b"", b"{}", c.raw(role)[:-20], c.raw("root")):
            with open(os.path.join(c.dir, role + ".json"), "wb") as f:
                f.write(data)
            assert c.refresh() == 0, c.said
            assert c.version(role) == 1
    os.unlink(os.path.join(c.dir, "targets.json"))
    os.symlink("/etc/passwd", os.path.join(c.dir, "targets.json"))
    assert c.refresh() == 0 and not os.path.islink(os.path.join(c.dir, "targets.json"))
    with open(os.path.join(c.dir, "root.json"), "wb") as f:
        f.write(b"{}")
    assert c.refresh() == 1 and not c.repo.requests
    os.unlink(os.path.join(c.dir, "root.json"))
    assert c.refresh() == 1 and "init ROOT" in c.said and not c.repo.requests


@case
def broken_line(client):
    """a download that breaks off goes on where it was; a beginning that is not right is begun anew"""
    data = os.urandom(5 << 20)
    ranges = []

    def breaking(after, honest=True):
        def answer(h):
            begin = h.headers.get("Range")
            ranges.append(begin)
            start = int(begin[6:-1]) if begin and honest else 0
            h.send_response(206 if start else 200)
            h.send_header("Content-Length", str(len(data) - start))
            h.end_headers()
            h.wfile.write(data[start:start + after])
            h.wfile.flush()
            h.connection.shutdown(socket.SHUT_RDWR)
        return answer

    def serve(how):
        ranges.clear()
        for path in list(c.repo.files):
            if path.startswith("targets/"):
                c.repo.files[path] = how

    def parts():
        return [n for n in os.listdir(c.into) if n.startswith(".bedwarden-")]

    c = client()
    c.repo.add_target("t", data)
    c.repo.publish_all()
    serve(breaking(2 << 20))
    assert c.download("t") == 1 and len(parts()) == 1 and c.said.count("\n") == 1, c.said
    size = os.stat(os.path.join(c.into, parts()[0])).st_size
    assert 1 << 20 <= size <= 2 << 20
    assert c.download("t") == 1 and ranges[-1] == "bytes=%d-" % size, ranges
    serve(breaking(5 << 20))
    assert c.download("t") == 0, c.said
    assert c.got() == [data] and parts() == [] and ranges[0] != None
    # One who cannot begin in the middle, or does not do as it says.
    for honest, spoil in ((False, False), (True, True)):
        os.unlink(os.path.join(c.into, "t"))
        serve(breaking(2 << 20))
        assert c.download("t") == 1 and len(parts()) == 1
        if spoil:
            with open(os.path.join(c.into, parts()[0]), "r+b") as f:
                f.write(b"spoilt")
        serve(breaking(5 << 20, honest))
        assert c.download("t") == 0, c.said
        assert c.got() == [data] and parts() == [] and ranges[-1] is None and len(ranges) == 2
    # Less than a MiB is not worth it, and what is old goes.
    os.unlink(os.path.join(c.into, "t"))
    serve(breaking(1 << 19))
    assert c.download("t") == 1 and parts() == []
    old = os.path.join(c.into, ".bedwarden-0123.part")
    open(old, "w").close()
    os.utime(old, (1, 1))
    assert c.download("t") == 1 and parts() == []


@case
def target_names(client):
    """tricks in a target's name stay inside the folder"""
    names = ["../evil", "a/../../evil", "..", ".", "/etc/evil", "a//b", "a\\b", "x" * 300, "\u00e9/%2e%2e/x", "new\nline",
             "a?b#c", ".hidden", "a/"]
    c = client()
    for i, name in enumerate(names):
        c.repo.add_target(name, b"content %d" % i)
    c.repo.publish_all()
    for name in names:
        c.download(name)
        assert sorted(os.listdir(c.temp.name)) == ["initial.json", "metadata", "targets"], name
        assert all(os.path.isfile(os.path.join(c.into, n)) for n in os.listdir(c.into)), os.listdir(c.into)
    assert c.download("a//b") == 0 and c.download("new\nline") == 0 and c.download("x" * 300) == 0, c.said
    assert c.download("../evil") == 1 and c.download("..") == 1


@case
def terminal(client):
    """what a mirror says cannot steer a terminal"""
    c = client()
    c.repo.delegate("targets", "\x1b]0;owned\x07\x1b[2J")
    c.repo.publish("targets", "snapshot", "timestamp")
    assert c.download("nothing") == 1 and "\x1b" not in c.said and "\x07" not in c.said


@case
def patterns(client):
    """a pattern that is made to be slow is not"""
    c = client()
    c.repo.delegate("targets", "d", paths=["*a" * 2000 + "b"] * 40)
    c.repo.publish("d", "targets", "snapshot", "timestamp")
    before = time.monotonic()
    assert c.download("a" * 4000) == 1
    assert time.monotonic() - before < 10
    assert not [r for r in c.repo.requests if "1.d.json" in r]


@case
def many_signatures(client):
    """tens of thousands of signatures are passed over quickly"""
    c = client()
    md = json.loads(c.repo.files["metadata/1.targets.json"])
    md["signatures"] = [{"keyid": "%064x" % i, "sig": "00"} for i in range(40000)] + md["signatures"]
    c.repo.files["metadata/1.targets.json"] = json.dumps(md, separators=(",", ":")).encode()
    before = time.monotonic()
    assert c.refresh() == 0, c.said
    assert time.monotonic() - before < 10


@case
def memory(client):
    """five MiB of what JSON can do at its worst stay under 200 MiB"""
    for text in (b'{"signed":[' + b"[]," * 1700000 + b"0]", b'{"signed":[' + b'{"":0},' * 700000 + b"0]",
                 b'{"signed":[' + b"0," * 2500000 + b"0]"):
        c = client()
        c.repo.files["metadata/1.snapshot.json"] = text
        code, peak = mib(c, *c.where(), "refresh")
        assert code == 1 and peak < 200, (code, peak)


@case
def disk_full(client):
    """a full disk: said so, and what was there stays"""
    c = client()
    c.repo.add_target("big", os.urandom(3 << 20))
    c.repo.publish_all()
    if os.geteuid() != 0:
        raise Skip("needs root, to mount a small disk")
    small = os.path.join(c.temp.name, "small")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], stderr=subprocess.DEVNULL).returncode:
        raise Skip("no file system can be mounted here")
    try:
        into, c.into = c.into, small
        assert c.download("big") == 1 and "space" in c.said, c.said
        assert os.listdir(small) == []
        c.into = into
        assert c.download("big") == 0, c.said
    finally:
        subprocess.run(["umount", small])


@case
def together(client):
    """several at once in one folder wait for each other"""
    c = client()
    c.repo.add_target("t", b"x" * 100000)
    c.repo.publish_all()
    args = [c.binary, "tuf", *c.where(), "--target-name", "t", "--target-dir", c.into, "--target-base-url",
            c.mirror.url + "/targets", "download"]
    runs = [subprocess.Popen(args, stdout=subprocess.DEVNULL) for _ in range(6)]
    assert [r.wait() for r in runs] == [0] * 6
    assert c.got() == [b"x" * 100000] and os.listdir(c.into) == ["t"]



if __name__ == "__main__":
    Client.binary = os.path.abspath(sys.argv[1])
    sys.exit(run_cases(cases, sys.argv[2:]))
