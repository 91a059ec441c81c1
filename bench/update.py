#!/usr/bin/python3
"""What it costs to verify updates: a target against `sha256sum`, in turns, the best of each; and a refresh and search
with a thousand delegations and with 16,384 hash bins, over HTTP on this machine.
usage: bench/update.py [BEDWARDEN] [BYTES]      prints rows of a table"""
import functools
import http.server
import os
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "tuf"))
from kit import *  # noqa

binary = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/bedwarden")
size = int(sys.argv[2]) if len(sys.argv) > 2 else 1 << 30
rounds = int(os.environ.get("ROUNDS", "3"))


def row(what, measured, must):
    print("| %s | %s | %s |" % (what, measured, must), flush=True)


def timed(*command):
    """Seconds and MiB; by time(1), for a child begins with the memory of who made it, and this one is large."""
    began = time.monotonic()
    done = subprocess.run(["/usr/bin/time", "-f", "%M", *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.monotonic() - began, int(done.stderr.split()[-1]) / 1024


class Quiet(http.server.SimpleHTTPRequestHandler):
    def copyfile(self, source, out):
        out.flush()
        self.connection.settimeout(60)
        self.connection.sendfile(source)

    def log_message(self, *args):
        pass


def one_target():
    # On /dev/shm as the others are: what is measured is the verifying, not the disk.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.statvfs("/dev/shm").f_bavail * 4096 > 5 * size else None) as dir:
        def bedwarden(*args):
            subprocess.run([binary, *args], check=True, cwd=dir, stdout=subprocess.DEVNULL)
        subprocess.run("head -c %d /dev/urandom >%s/fw" % (size, dir), shell=True, check=True)
        bedwarden("repo", "init", "R", "--plain")
        bedwarden("repo", "add", "R", "fw")
        bedwarden("repo", "sign", "R")
        bedwarden("repo", "publish", "R")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=dir + "/R/public"))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = "http://127.0.0.1:%d" % server.server_address[1]
        md, into = dir + "/md", dir + "/into"
        bedwarden("tuf", "--metadata-dir", md, "init", "R/public/metadata/root.json")
        fetch = [binary, "tuf", "--metadata-dir", md, "--metadata-url", url + "/metadata", "--target-base-url",
                 url + "/targets", "--target-dir", into, "--target-name", "fw", "download"]
        sums, news, olds, peak = [], [], [], 0
        for _ in range(rounds):
            sums.append(timed("/usr/bin/sha256sum", dir + "/fw")[0])
            if os.path.exists(into + "/fw"):
                os.unlink(into + "/fw")
            took, mib = timed(*fetch)
            news.append(took)
            peak = max(peak, mib)
            took, mib = timed(*fetch)
            olds.append(took)
            peak = max(peak, mib)
        gib = "%.3g GiB" % (size / (1 << 30))
        row("fetch, verify and keep a target of %s over HTTP, against `sha256sum` (%.2f s)" % (gib, min(sums)),
            "%.2f s, %.2fx its time, %d MiB" % (min(news), min(news) / min(sums), peak + 1), "<= 1.1x, <= 32 MiB")
        row("verify one of %s that is there" % gib, "%.2f s, %.2fx its time" % (min(olds), min(olds) / min(sums)), "<= 1.1x")


def crowd(kind):
    Client.binary = binary
    c = Client()
    c.repo.hashes = True
    key, path = Key("ecdsa-sha2-nistp256"), "maker999/fw.bin"
    meta = {"version": 1, "length": 1000, "hashes": {"sha256": "ab" * 32}}
    if kind == "bins":
        c.repo.signed["targets"]["delegations"] = {"keys": {key.id: key.public}, "succinct_roles": {
            "keyids": [key.id], "threshold": 1, "bit_length": 14, "name_prefix": "bin"}}
        names = ["bin-%04x" % i for i in range(16384)]
        role = names[int(hashlib.sha256(path.encode()).hexdigest()[:8], 16) >> 18]
        c.repo.signed[role], c.repo.signers[role] = c.repo.empty(), [key]
    else:
        names = ["maker%d" % i for i in range(1000)]
        for name in names:
            c.repo.delegate("targets", name, key=Key("ecdsa-sha2-nistp256"), paths=[name + "/*"])
        role = names[-1]
    for name in names:
        c.repo.signed["snapshot"]["meta"][name + ".json"] = meta
    c.repo.add_target(path, b"x", role=role)
    c.repo.publish(role, "targets", "snapshot", "timestamp")
    took = []
    for _ in range(rounds):
        for name in os.listdir(c.dir):
            if name != "root.json":
                os.unlink(os.path.join(c.dir, name))
        began = time.monotonic()
        assert c.download(path) == 0, c.said
        took.append(time.monotonic() - began)
    asked = len([r for r in c.repo.requests if r.startswith("metadata/")])
    row("refresh and find a target, %d %s" % (len(names), "hash bins" if kind == "bins" else "delegations"),
        "%.2f s, %d requests" % (min(took), asked), "<= 1 s, 5 requests")
    c.close()


one_target()
crowd("delegations")
crowd("bins")
