#!/usr/bin/python3
"""Both sides are killed at any moment. usage: kill.py BEDWARDEN [CASE]...

The program is the one people run: a killed one has nothing left for a sanitizer to tell."""
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import conform  # noqa: E402
import publish  # noqa: E402
from kit import *  # noqa

conform.cases.clear()
publish.cases.clear()  # theirs are theirs to run


@publish.case
def publishing(p):
    """publish is killed at 25 random moments: what is public is always whole, and it goes on"""
    p.simple()
    rng = random.Random(os.getpid())
    started = time.monotonic()
    p.repo("publish", "R")
    takes = time.monotonic() - started
    for i in range(25):
        p.repo("add", "R", p.file("f", b"%d" % i), "--name", "t")
        if i % 5 == 0:
            p.repo("renew", "R", "root")
        p.repo("sign", "R")
        run = subprocess.Popen([publish.BIN, "repo", "publish", "R"], cwd=p.dir, stdout=subprocess.DEVNULL)
        time.sleep(rng.uniform(0, takes * 1.2))
        run.send_signal(signal.SIGKILL)
        run.wait()
        public = p.path("R/public")
        # root.json is a copy for people; the reader follows the numbered chain.
        last = max(int(n.split(".")[0]) for n in os.listdir(public + "/metadata") if n.endswith(".root.json"))
        shutil.copy(public + "/metadata/%d.root.json" % last, p.path("copy"))
        os.rename(p.path("copy"), public + "/metadata/root.json")
        p.read()
        p.client("refresh")
        p.repo("publish", "R")
        assert p.read()["targets"]["targets"]["t"]["hashes"]["sha256"] == hashlib.sha256(b"%d" % i).hexdigest()
        assert os.listdir(p.path("R/drafts")) == []


@conform.case
def fetching(client):
    """killed at 60 random moments of refresh and download: always the old or the new"""
    c = client()
    c.repo.delegate("targets", "d", paths=["fw"])
    rng = random.Random(os.getpid())
    contents = set()

    def put(i):
        data = b"%08d" % i * 40000
        contents.add(data)
        c.repo.add_target("fw", data, role="d")
        if i % 7 == 3:
            c.repo.rotate("timestamp")
            c.repo.publish("root")
        c.repo.publish("d", "targets", "snapshot", "timestamp")

    put(0)
    started = time.monotonic()
    assert c.download("fw") == 0, c.said
    takes = time.monotonic() - started
    for i in range(1, 61):
        put(i)
        p = subprocess.Popen([c.binary, "tuf", *c.where(), "--target-name", "fw", "--target-dir", c.into,
                              "--target-base-url", c.mirror.url + "/targets", "download"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0, takes * 1.2))
        p.send_signal(signal.SIGKILL)
        p.wait()
        for role in c.trusted():
            md = json.loads(c.raw(role))
            assert md["signed"]["version"] >= 1
        with open(os.path.join(c.into, "fw"), "rb") as f:
            assert f.read() in contents
        assert set(os.listdir(c.into)) <= {"fw"} | {n for n in os.listdir(c.into) if n.startswith(".bedwarden-")}
    assert c.download("fw") == 0, c.said
    with open(os.path.join(c.into, "fw"), "rb") as f:
        assert f.read() == b"%08d" % 60 * 40000


if __name__ == "__main__":
    Client.binary = os.path.abspath(sys.argv[1])
    sys.exit(run_cases(publish.cases + conform.cases, sys.argv[2:]))
