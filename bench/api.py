#!/usr/bin/env python3
"""api.py KIT [EVENTS]: the console's speed, over a real keeper and a real console.

Rows of a table: a list of 100 of a million events by any filter, an event's way
to who looks on, what 200 who look on cost.
"""
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import ssl
import random

TOKEN = "t.administrator.fresh"


class Kit:
    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="bedwarden-bench-")
        with open(self.folder + "/policy.yaml", "w", encoding="ascii") as f:
            f.write("segments:\n  - {name: icu, ward: w0, hospital: h0}\n")
        env = dict(os.environ, KIT_REQUESTS="100000")
        self.log = open(self.folder + "/log", "w+b")
        self.process = subprocess.Popen([program, self.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, env=env)
        self.port = int(self.process.stdout.readline())
        self.tls = ssl._create_unverified_context()
        for _ in range(100):
            if b"certificate" in open(self.folder + "/log", "rb").read():
                break
            time.sleep(0.1)

    def connection(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=60)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)
        subprocess.run(["rm", "-rf", self.folder], check=True)

    def child(self, name):
        out = subprocess.run(["ps", "-o", "pid=,rss=", "--ppid", str(self.process.pid)], capture_output=True,
                             text=True, check=True).stdout.split("\n")
        pids = [int(line.split()[0]) for line in out if line.strip()]
        return pids[0 if name == "keeper" else 1]


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def line(n):
    second = 1790000000 + n // 20
    t = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    routine = n % 4
    return (f'{{"timestamp":"{t}.000000+0000","flow_id":{n + 1},"event_type":"{"flow" if routine else "policy"}",'
            f'"src_ip":"10.1.{n % 7}.{n % 250}","src_port":{1024 + n % 60000},"dest_ip":"10.9.0.5","dest_port":445,"proto":"TCP",'
            f'"device":"pump-{n % 500}","peer":"central-{n % 9}"'
            + ("" if routine else f',"reason":"{("policy.not_allowed", "binding.mac_moved", "hl7.segment_too_long")[n // 4 % 3]}"')
            + f',"verdict":{{"action":"{"drop" if n % 8 == 0 else "pass"}"}},"flow":{{"pkts_toserver":{n},"pkts_toclient":{n},'
            f'"bytes_toserver":{n * 100},"bytes_toclient":{n * 90},"state":"established"}},"n":{n}}}\n')


def fill(kit, count):
    for start in range(0, count, 2000):
        kit.process.stdin.write("".join(line(n) for n in range(start, min(start + 2000, count))).encode())
    kit.process.stdin.flush()
    c = kit.connection()
    for _ in range(600):
        if ask(c, kit, "limit=1")[1]["events"][0]["n"] == count - 1:
            return
        time.sleep(0.5)
    raise SystemExit("bench: the events do not arrive")


def ask(c, kit, query):
    begin = time.perf_counter()
    c.request("GET", "/api/events?" + query, headers={"Host": f"localhost:{kit.port}", "Cookie": "__Host-bedwarden=" + TOKEN})
    r = c.getresponse()
    data = r.read()
    taken = time.perf_counter() - begin
    if r.status != 200:
        raise SystemExit(f"bench: {query}: {r.status} {data[:200]}")
    return taken, json.loads(data)


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(len(values) * q))]


def filters(count):
    stamp = lambda n: time.strftime("%Y-%m-%dT%H:%M:%S%%2B0000", time.gmtime(1790000000 + n // 20))
    yield "none", lambda: ""
    yield "device", lambda: f"&device=pump-{random.randrange(500)}"
    yield "reason", lambda: "&reason=hl7.segment_too_long"
    yield "what stands before a dot", lambda: "&reason=hl7"
    yield "a type that is rare", lambda: "&type=vitals"
    yield "verdict", lambda: "&verdict=blocked"
    yield "time", lambda: f"&until={stamp(random.randrange(count))}"
    yield "an hour", lambda: (lambda n: f"&since={stamp(n)}&until={stamp(n + 72000)}")(random.randrange(count))
    yield "text that is nowhere", lambda: "&text=no-such-text"
    yield "text", lambda: f"&text=%22n%22:{random.randrange(count)}"
    deep = lambda: f"&cursor={random.randrange(1, count)}"
    yield "deep in", deep
    yield "passed, deep in", lambda: "&verdict=passed" + deep()
    yield "device, deep in", lambda: f"&device=pump-{random.randrange(500)}" + deep()
    yield "device and verdict", lambda: f"&device=pump-{random.randrange(500)}&verdict=blocked"
    yield "device and reason", lambda: f"&device=pump-{random.randrange(500)}&reason=binding"
    yield "type and verdict, which never meet", lambda: "&type=flow&verdict=would_block"
    yield "reason and time", lambda: f"&reason=policy&until={stamp(random.randrange(count))}"
    yield "device since a time", lambda: f"&device=pump-{random.randrange(500)}&since={stamp(random.randrange(count))}"
    yield "text and time", lambda: f"&text=central-3&until={stamp(random.randrange(count))}"
    yield "text and device, deep in", lambda: f"&text=no-such-text&device=pump-{random.randrange(500)}" + deep()
    yield "one that is not there", lambda: "&device=nobody&reason=nothing"
    yield "grouped", lambda: "&grouped=true"
    yield "grouped, of a device", lambda: f"&grouped=true&device=pump-{random.randrange(500)}"
    yield "all at once", lambda: f"&device=pump-{random.randrange(500)}&reason=policy&verdict=blocked&type=policy&text=central-3"


def lists(kit, count):
    c = kit.connection()
    worst, rows = 0, []
    for name, make in filters(count):
        times = []
        for _ in range(40):
            query = "limit=100" + make()
            for _ in range(5):  # and the pages behind it
                taken, got = ask(c, kit, query)
                times.append(taken)
                if "next" not in got:
                    break
                query = re.sub("&cursor=[0-9]*", "", query) + "&cursor=" + got["next"]
        p99 = quantile(times, 0.99) * 1000
        rows.append(f"{name} {p99:.0f}")
        worst = max(worst, p99)
    print(f"| a list of 100 of {count:,} events: p99 in ms by filter: {', '.join(rows)} | {worst:.0f} ms | ≤ 50 ms |", flush=True)


def view(kit, times, sent):
    c = kit.connection()
    c.request("GET", "/api/live", headers={"Host": f"localhost:{kit.port}", "Cookie": "__Host-bedwarden=" + TOKEN})
    r = c.getresponse()
    try:
        while True:
            text = r.readline()
            if not text:
                return
            if times is not None and text.startswith(b"data: "):
                n = json.loads(text[6:]).get("n")
                if n in sent:
                    times.append(time.perf_counter() - sent[n])
    except (OSError, ValueError):
        pass


# Reads and does nothing: what 200 browsers would not take from this machine.
IDLE = """
import selectors, socket, ssl, sys
t = ssl._create_unverified_context()
sel = selectors.DefaultSelector()
for _ in range(int(sys.argv[2])):
    s = t.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
    s.sendall(f"GET /api/live HTTP/1.1\\r\\nHost: localhost:{sys.argv[1]}\\r\\nCookie: __Host-bedwarden=%s\\r\\n\\r\\n".encode())
    s.setblocking(False)
    sel.register(s, selectors.EVENT_READ)
print("open", flush=True)
while True:
    for key, _ in sel.select():
        try:
            while key.fileobj.recv(65536):
                pass
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
""" % TOKEN


def live(kit, count):
    times, sent = [], {}
    threading.Thread(target=view, args=(kit, times, sent), daemon=True).start()
    time.sleep(1)
    rate, seconds = 50, 10
    many = subprocess.Popen([sys.executable, "-c", IDLE, str(kit.port), "200"], stdout=subprocess.PIPE)
    many.stdout.readline()
    time.sleep(2)
    console, keeper = kit.child("console"), kit.child("keeper")
    before, kept, begin = cpu(console), cpu(keeper), time.perf_counter()
    for i in range(rate * seconds):
        sent[count + i] = time.perf_counter()
        kit.process.stdin.write(line(count + i).encode())
        kit.process.stdin.flush()
        time.sleep(max(0, begin + (i + 1) / rate - time.perf_counter()))
    wall = time.perf_counter() - begin
    used = (cpu(console) - before) / wall * 100
    time.sleep(1)
    many.kill()
    print(f"| keeper to server-sent event, 200 looking on, {rate} events/s, p95 of {len(times)} | "
          f"{quantile(times, 0.95) * 1000:.0f} ms | ≤ 300 ms |")
    print(f"| 200 looking on at {rate} events/s: the console's share of a core (the keeper's: "
          f"{(cpu(keeper) - kept) / wall * 100:.1f} %) | {used:.1f} % | ≤ 10 % |", flush=True)


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000000
    kit = Kit(sys.argv[1])
    try:
        live(kit, 0)
        fill(kit, count)
        lists(kit, count)
    finally:
        kit.stop()


main()
