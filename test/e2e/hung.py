#!/usr/bin/env python3
"""hung.py BINARY FOLDER: processes of a running gateway that hang, stopped by SIGSTOP: each is ended and started again by
the parent, what waits for it is told so plainly, and the gateway works on. In two gateways at once, for each takes a minute."""
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.append(sys.path[0] + "/..")
from suite import finish, ok  # noqa: E402

bw, folder = sys.argv[1:3]


class Gateway:
    def __init__(self, n):
        self.dir = f"{folder}/{n}"
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o755)
        with open(self.dir + "/bw.yaml", "w", encoding="ascii") as f:
            f.write(f"""\
gateway: {{name: hung-{n}, state_dir: {self.dir}/state, run_dir: {self.dir}/run, bpf_dir: {self.dir}/bpf, capture: packet}}
segments: [{{name: icu, ward: w{n}, hospital: h{n}}}]
console: {{listen: ["127.0.0.1:{8443 + n}"]}}
relays:
  - {{name: one, listen: "127.0.0.1:{6663 + n}", connect: "127.0.0.1:9", tls: in}}
""")
        self.log = open(self.dir + "/log", "wb")
        self.process = subprocess.Popen([bw, "run", "-c", self.dir + "/bw.yaml"], stdout=self.log, stderr=self.log)
        wait(lambda: self.call("status")[0], 20)

    def said(self):
        with open(self.dir + "/log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def pid(self, role):
        """Of the running process, 0 none."""
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
                for p in f.read().split():
                    with open(f"/proc/{p}/cmdline", "rb") as c:
                        if c.read().split(b"\0")[1] == b"_" + role.encode():
                            return int(p)
        except (OSError, IndexError):
            pass
        return 0

    def call(self, name, seconds=100, **args):
        """Over the control socket: the last line but the end, and how long it took."""
        begin = time.monotonic()
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(seconds)
                s.connect(self.dir + "/run/control")
                s.sendall(json.dumps({"call": name, "args": args}).encode() + b"\n")
                rows = [json.loads(line) for line in s.makefile("rb")]
        except (OSError, ValueError):
            return None, 0
        rows = [r for r in rows if r != {"end": True}]
        return rows[-1] if rows else None, time.monotonic() - begin


def wait(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def page(port):
    try:
        s = socket.create_connection(("127.0.0.1", port), 2)
        s.settimeout(5)
        s.sendall(b"\x16\x03\x01")
        s.close()
        return True
    except OSError:
        return False


a, b = Gateway(0), Gateway(1)
for g in (a, b):
    ok(wait(lambda: g.pid("console") and g.pid("link"), 20), "a gateway runs", g.said()[-400:])
keeper = b.pid("keeper")
os.kill(keeper, signal.SIGSTOP)
before = {r: a.pid(r) for r in ("console", "link", "keeper")}
guard = a.pid("guard")
answers = []


def ask():
    t = threading.Thread(target=lambda: answers.append(a.call("report.make", framework="hipaa")))
    t.start()
    return t


def catch():
    """A clerk, stopped in the middle of what it does: it lives for a moment alone."""
    for _ in range(40):
        answers.clear()
        t, pid = ask(), 0
        while t.is_alive() and not pid:
            pid = a.pid("clerk")
        try:
            if pid:
                os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            continue
        t.join(3)
        if t.is_alive():
            return t, pid
    return None, 0


caught, clerk = catch()
ok(clerk, "a clerk is at work")
threads = [caught] if caught else []
for r in ("console", "link"):
    os.kill(before[r], signal.SIGSTOP)
begin = time.monotonic()
threads += [ask(), ask()]
for t in threads:
    t.join()
ok(len(answers) == 3 and all(not x or "error" in x for x, _ in answers) and all(s < 40 for _, s in answers),
   "who asked for what a hung clerk does, and who waits behind it, does not wait for ever, and gets no answer that is none", answers)
for r in ("console", "link"):
    ok(wait(lambda: a.pid(r) not in (0, before[r]), 90 - (time.monotonic() - begin)), f"a hung {r} is ended and started again", a.said()[-400:])
ok(wait(lambda: a.pid("clerk") != clerk, 90 - (time.monotonic() - begin)), "a hung clerk is ended", a.said()[-400:])
ok(wait(lambda: b.pid("keeper") not in (0, keeper), 90 - (time.monotonic() - begin)), "a hung keeper is ended and started again", b.said()[-400:])
took = time.monotonic() - begin
ok(40 < took < 90, f"within {took:.0f} s", took)
report = a.call("report.make", framework="csf")[0]
ok(report and "parts" in report, "what is asked for then is done", report)
ok(wait(lambda: page(8443), 10) and wait(lambda: page(6663), 10), "console and link take connections again")
ok(wait(lambda: b.call("status")[0], 20), "the keeper answers again")
text = a.said() + b.said()
ok(all(f"{r} has been silent for" in text for r in ("console", "link", "clerk", "keeper")), "the log says of each why it was ended", text[-600:])
ok(a.pid("keeper") == before["keeper"] and a.pid("guard") == guard, "nobody else was", before)
for g in (a, b):
    g.process.terminate()
    try:
        g.process.wait(20)
    except subprocess.TimeoutExpired:
        g.process.kill()
finish()
