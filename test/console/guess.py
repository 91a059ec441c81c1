#!/usr/bin/env python3
"""guess.py KIT [row]: a hundred addresses guess passwords at full speed; who has a passkey gets in.

Over a real keeper and a real console. The guessers come from 127.0.1.1 to 127.0.1.100 and try names and
passwords as fast as they are answered, other processes than the one that measures. Meanwhile Anna
signs in by a passkey again and again, an event goes its way, and what memory the keeper has is looked at.
`row` prints the bench's row instead of lines for `./dev check`.
"""
import json
import os
import subprocess
import sys
import time

sys.path.append(sys.path[0] + "/..")
from person import Browser, Kit, enrol, memory  # noqa: E402
import suite  # noqa: E402
from suite import finish, ok  # noqa: E402

ROW = sys.argv[2:] == ["row"]
SECONDS = 12 if ROW else 6
GUESSERS = 100
suite.quiet = ROW


# As fast as it is answered, from its share of the addresses; at its end how often, and what came of it.
GUESS = """
import http.client, json, random, ssl, sys, threading, time
port, first, count, seconds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
host, end, said = "localhost:%d" % port, time.time() + seconds, {}
def guess(n):
    head = {"Host": host, "Origin": "https://" + host, "Content-Type": "application/json"}
    login, c = None, None
    while time.time() < end:
        try:
            if not c:
                c = http.client.HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context(), timeout=30, source_address=("127.0.1.%d" % n, 0))
            if not login:
                c.request("POST", "/api/auth/begin", "{}", head)
                login = json.loads(c.getresponse().read()).get("login")
                continue
            user = random.choice(["anna", "ben", "root", "admin%d" % random.randrange(1000)])
            c.request("POST", "/api/auth/finish", json.dumps({"login": login, "user": user, "password": "guess %d" % random.randrange(10**9)}), head)
            r = c.getresponse()
            r.read()
            said[r.status] = said.get(r.status, 0) + 1
        except (OSError, http.client.HTTPException, ValueError):
            c = None
threads = [threading.Thread(target=guess, args=(first + i,)) for i in range(count)]
for t in threads: t.start()
for t in threads: t.join()
print(json.dumps(said))
"""


def sign_in(port, key, source):
    """How long the gateway took, without what signs here; -1 it did not let her in."""
    b = Browser(port, source)
    start = time.perf_counter()
    _, begun = b.ask("auth.begin")
    taken = time.perf_counter() - start
    said = key.get(begun["webauthn"]["challenge"], b.origin)
    start = time.perf_counter()
    s, r = b.ask("auth.finish", {"login": begun["login"], "webauthn": said})
    taken += time.perf_counter() - start
    b.c.close()
    return taken * 1000 if s == 200 and r.get("kind") == "full" else -1


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(len(values) * q))] if values else -1


def main():
    if os.geteuid() != 0:
        print("skip - guessing at full speed: keeper and console give up rights that only root has")
        return
    kit = Kit(sys.argv[1], "segments:\n  - {name: icu, ward: w0, hospital: h0}\n", connections=256)
    port = kit.port
    key, _, _ = enrol(kit, "anna", password="seven pumps hum in the dark")
    calm = [sign_in(port, key, "127.0.0.9") for _ in range(15)]
    pid = kit.child("keeper")
    before = memory(pid)
    guessers = [subprocess.Popen([sys.executable, "-c", GUESS, str(port), str(1 + i * GUESSERS // 4), str(GUESSERS // 4), str(SECONDS + 2)],
                                 stdout=subprocess.PIPE, text=True) for i in range(4)]
    time.sleep(1.5)
    times, elsewhere, end = [], [], time.time() + SECONDS - 1
    while time.time() < end:
        times.append(sign_in(port, key, "127.0.0.9"))
        elsewhere.append(sign_in(port, key, "127.0.1.7"))  # where somebody guesses, too
        time.sleep(0.1)
    said = {}
    for g in guessers:
        for status, n in json.loads(g.communicate()[0] or "{}").items():
            said[status] = said.get(status, 0) + n
    after = memory(pid)
    rate = sum(said.values()) / (SECONDS + 2)
    ok(len(times) >= 5 and min(times) >= 0, f"a passkey gets in while {GUESSERS} addresses guess {rate:.0f} times a second", times)
    ok(min(elsewhere) >= 0, "from a guesser's own address, too", elsewhere)
    slow = quantile(times + elsewhere, 0.95)
    ok(0 <= slow <= 2000, f"within {slow:.0f} ms (p95; undisturbed {quantile(calm, 0.95):.0f})", times)
    ok(said.get("200", 0) == 0 and said.get("401", 0) >= 5 and said.get("429", 0) > said.get("401", 0),
       f"few guesses are looked at, the others wait: {said}", said)
    ok(after - before <= 100, f"and the keeper's memory is bounded: {after:.0f} MiB at most, {before:.0f} before", after)
    if ROW:
        print(f"| sign-in by passkey while {GUESSERS} addresses guess passwords, {rate:.0f} a second, {said.get('401', 0)} looked at; p95 of {len(times) * 2} "
              f"(undisturbed {quantile(calm, 0.95):.0f} ms; keeper's memory {before:.0f} → {after:.0f} MiB) | {slow:.0f} ms | gets in |", flush=True)
    orderly, text = kit.stop()
    ok(orderly, "keeper and console end in order", text)


main()
finish()
