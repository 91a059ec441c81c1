#!/usr/bin/python3
"""1,000 devices against 2,000 advisories of the size that CISA's have (23 KB on the average), read, matched and told.
usage: bench/advisories.py [BEDWARDEN] [DEVICES] [ADVISORIES]      prints rows of a table"""
import json
import os
import random
import subprocess
import sys
import tempfile
import time

binary = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/bedwarden")
devices = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
advisories = int(sys.argv[3]) if len(sys.argv) > 3 else 2000
rounds = int(os.environ.get("ROUNDS", "3"))
rng = random.Random(7)
vendors = ["Maker %d" % i for i in range(150)]
models = {v: ["Line%d %s%d" % (i, "ABCDEFG"[i % 7], 100 * i + 7) for i in range(8)] for v in vendors}
words = "allows an attacker with access to the network to change settings of the device by crafted messages".split()


def prose(n):
    return " ".join(rng.choice(words) for _ in range(n))


def advisory(number):
    vendor = rng.choice(vendors)
    branches, vulnerabilities, ids = [], [], []
    for model in rng.sample(models[vendor], 3):
        affected, fixed = "P%d" % len(ids), "P%d" % (len(ids) + 1)
        ids += [affected, fixed]
        branches.append({"category": "product_name", "name": model, "branches": [
            {"category": "product_version_range", "name": "<= %d.%d" % (rng.randint(1, 4), rng.randint(0, 9)),
             "product": {"product_id": affected, "name": model}},
            {"category": "product_version", "name": "5.%d" % rng.randint(0, 9), "product": {"product_id": fixed, "name": model}}]})
    for n in range(3):
        vulnerabilities.append({
            "cve": "CVE-2024-%d" % (10 * number + n), "notes": [{"category": "summary", "text": prose(60)}] * 2,
            "product_status": {"known_affected": ids[::2], "fixed": ids[1::2]},
            "references": [{"category": "external", "summary": prose(5), "url": "https://example.com/" + prose(3).replace(" ", "-")}] * 4,
            "scores": [{"products": ids[::2], "cvss_v3": {"version": "3.1", "baseScore": 9.8, "baseSeverity": "CRITICAL",
                        "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}],
            "remediations": [{"category": c, "details": prose(25), "product_ids": ids[::2], "url": "https://example.com/fix"}
                             for c in ("vendor_fix", "mitigation", "mitigation", "mitigation")]})
    day = "2024-0%d-1%dT00:00:00Z" % (rng.randint(1, 9), rng.randint(0, 9))
    return {"document": {"category": "csaf_security_advisory", "csaf_version": "2.0", "title": vendor + " devices",
                         "publisher": {"category": "coordinator", "name": "Bench", "namespace": "https://example.com"},
                         "notes": [{"category": "general", "text": prose(100), "title": "t"}] * 13,
                         "tracking": {"id": "B-%04d" % number, "version": "1", "status": "final", "initial_release_date": day,
                                      "current_release_date": day, "revision_history": [{"number": "1", "date": day, "summary": "x"}]}},
            "product_tree": {"branches": [{"category": "vendor", "name": vendor, "branches": branches}]},
            "vulnerabilities": vulnerabilities}


with tempfile.TemporaryDirectory() as folder:
    size = 0
    os.mkdir(folder + "/csaf")
    for i in range(advisories):
        text = json.dumps(advisory(i), indent=2)
        size += len(text)
        with open("%s/csaf/b-%04d.json" % (folder, i), "w") as f:
            f.write(text)
    with open(folder + "/devices.json", "w") as f:
        rows = []
        for i in range(devices):
            vendor = rng.choice(vendors)
            rows.append({"name": "device-%d" % i, "vendor": vendor, "model": rng.choice(models[vendor]),
                         "version": "%d.%d" % (rng.randint(0, 5), rng.randint(0, 9))})
        json.dump(rows, f)
    best = None
    for _ in range(rounds):
        began = time.monotonic()
        done = subprocess.run(["/usr/bin/time", "-f", "%U %S %M", binary, "update", "advisories", "--devices", folder + "/devices.json", "--advisories",
                               folder + "/csaf", "--state-dir", folder, "--json"], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        user, system, memory = done.stderr.split()[-3:]
        took = (time.monotonic() - began, float(user) + float(system))
        best = took if best is None else min(best, took)
    answer = json.loads(done.stdout)
    affected = sum(m["status"] == "affected" for m in answer["matches"])
    assert answer["devices"] == devices and answer["advisories"] == advisories and affected > devices / 10 and not answer["refused"]
    print("| %d devices against %d advisories (%d KB each), %d matches, %d of them affected | %.2f s (%.2f s of a processor), %d MiB | <= 2 s |" % (
        devices, advisories, size // advisories // 1024, len(answer["matches"]), affected, *best, int(memory) // 1024 + 1))
