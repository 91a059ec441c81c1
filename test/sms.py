#!/usr/bin/env python3
"""Codes by SMS: a real keeper, the courier, Kannel and its pretended SMS centre.
usage: sms.py BEDWARDEN"""
import array
import http.server
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import suite
from people import Keeper, PROGRAM, user

SMSC = "/usr/lib/kannel/test/fakesmsc"


def ipc_types():
    """The numbers of base/ipc.h, which begin at 1."""
    here = os.path.dirname(os.path.abspath(__file__))
    text = open(here + "/../src/base/ipc.h").read()
    body = re.search(r"enum ipc_type \{(.*?)\};", text, re.S).group(1)
    names = re.findall(r"\b(IPC_[A-Z_]+)\b", re.sub(r"/\*.*?\*/", "", body, flags=re.S))
    return {name: n + 1 for n, name in enumerate(names)}


IPC = ipc_types()


def send(sock, kind, ident=0, body=b"", fd=None):
    header = struct.pack("=IIII", IPC[kind], ident, len(body), 0)
    extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
    sock.sendmsg([header + body], extra)


class Console:
    """What the console would be to the keeper: it asks calls."""

    def __init__(self, keeper):
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        send(keeper.parent, "IPC_CONSOLE", 0, struct.pack("=I", 0), its.fileno())
        its.close()
        ours.settimeout(40)
        self.sock, self.asked, self.session, self.csrf = ours, 0, "", ""

    def call(self, name, **args):
        self.asked += 1
        said = {"call": name, "args": args, "source": "10.0.0.5", "origin": "https://gw.example"}
        if self.session:
            said.update(session=self.session, csrf=self.csrf)
        send(self.sock, "IPC_CALL", self.asked, json.dumps(said).encode())
        send(self.sock, "IPC_CALL", self.asked)
        text = b""
        while True:
            kind, ident, size, _ = struct.unpack("=IIII", (got := self.sock.recv(65552))[:16])
            if kind != IPC["IPC_CALL"] or ident != self.asked:
                continue
            if size == 0:
                break
            text += got[16:]
        answer = json.loads(text)
        ok = answer.get("ok")
        if ok and "token" in ok:
            self.session, self.csrf = ok["token"], ok["csrf"]
        return ok, answer.get("error", {}).get("type")


class Courier:
    def __init__(self, keeper):
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fd = its.fileno()
        self.process = subprocess.Popen(
            [PROGRAM, "_courier"], close_fds=False,
            preexec_fn=lambda: os.dup2(os.dup2(fd, 100), 3))
        its.close()
        ours.settimeout(20)
        ours.recv(65552)
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (a, b):
            end.setblocking(False)
        send(ours, "IPC_COURIER", fd=a.fileno())
        send(keeper.parent, "IPC_COURIER", fd=b.fileno())
        a.close()
        b.close()
        self.parent = ours

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.parent.close()


def free_ports(n):
    socks = [socket.socket() for _ in range(n)]
    for s in socks:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in socks]
    for s in socks:
        s.close()
    return ports


class Kannel:
    def __init__(self, folder):
        admin, box, smsc, self.port = free_ports(4)
        conf = folder + "/kannel.conf"
        with open(conf, "w") as f:
            f.write(f"""group = core
admin-port = {admin}
admin-password = x
smsbox-port = {box}
box-allow-ip = 127.0.0.1

group = smsc
smsc = fake
host = localhost
port = {smsc}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {self.port}
sendsms-interface = 127.0.0.1
global-sender = 13013

group = sendsms-user
username = ward
password = fo&o bar

group = sms-service
keyword = default
text = "none"
""")
        self.log = open(folder + "/smsc.log", "w+")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        self.processes = [subprocess.Popen(["bearerbox", "-v", "4", conf], **quiet)]
        time.sleep(2)
        self.processes.append(subprocess.Popen(
            [SMSC, "-H", "127.0.0.1", "-r", str(smsc), "-m", "0", "-i", "1", "1 2 text x"],
            stdout=self.log, stderr=self.log, cwd=folder))
        self.processes.append(subprocess.Popen(["smsbox", "-v", "4", conf], **quiet))
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.1)

    def messages(self):
        self.log.seek(0)
        return re.findall(r"Got message \d+: <(.*?)>", self.log.read())

    def code(self, number):
        """The code of the newest message to it, once there is a newer one than before."""
        for _ in range(100):
            found = [m for m in self.messages() if number.lstrip("+") in m]
            if len(found) > self.seen.get(number, 0):
                self.seen[number] = len(found)
                code = re.search(r"(\d{6})[+ ]is[+ ]your[+ ]code", found[-1].replace("%20", " "))
                return code.group(1) if code else found[-1]
            time.sleep(0.1)
        return None

    seen = {}

    def stop(self):
        for p in reversed(self.processes):
            p.send_signal(signal.SIGKILL)
            p.wait()
        self.log.close()


class Liar(http.server.BaseHTTPRequestHandler):
    """A gateway that says yes and means no, each in its way, by the path that it is asked at."""
    asked = []  # what was to come of its redirects

    def do_GET(self):
        how = self.path.split("/")[1].split("?")[0]
        Liar.asked.append(how)
        self.send_response({"200": 200, "redirect": 302, "queued": 202}.get(how, 202))
        if how == "redirect":
            self.send_header("Location", "http://127.0.0.1:%d/elsewhere" % self.server.server_address[1])
        self.end_headers()
        try:
            if how == "200":
                self.wfile.write(b"0: Accepted for delivery")
            elif how == "error":
                self.wfile.write(b"ERROR: the number is not in the plan")
            elif how == "coded":
                self.wfile.write(b"4: Refused")
            elif how == "endless":
                while True:
                    self.wfile.write(b"0: Accepted for delivery " * 1000)
            elif how == "drip":
                for _ in range(60):
                    self.wfile.write(b"0")
                    time.sleep(0.5)
            else:
                self.wfile.write(b"3: Queued for later delivery")
        except OSError:
            pass

    def log_message(self, *_):
        pass


def login_file(folder, text):
    with open(folder + "/state/sms.login", "w") as f:
        f.write(text + "\n")
    os.chmod(f.name, 0o644)


def come_in(keeper, console, name):
    code = re.search(r"\n    (\S+)\n", user(keeper, "add", name)[1]).group(1)
    console.session = ""
    return console.call("auth.first", code=code)


def main():
    if os.geteuid() != 0:
        print("skip - codes by SMS: needs root, as whom a keeper is started")
        return
    if not os.path.exists(SMSC) or not shutil.which("bearerbox"):
        print("skip - codes by SMS: no kannel and kannel-extras")
        return
    folder = tempfile.mkdtemp(prefix="bedwarden-sms-")
    os.chmod(folder, 0o755)
    kannel = Kannel(folder)
    liar = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    threading.Thread(target=liar.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d/cgi-bin/sendsms"
    keeper = Keeper(folder, "-S", "1", "-W", url % kannel.port)
    courier = Courier(keeper)
    console = Console(keeper)
    try:
        come_in(keeper, console, "anna")
        ok, error = console.call("factor.sms_set", number="+436601111111")
        suite.ok(error == "sms.no_gateway", "without the gateway's login nothing is sent", error)
        login_file(folder, "ward:fo&o bar")
        ok, error = console.call("factor.sms_set", number="+436601111111")
        suite.ok(ok and ok["sent"] == "queued" and "send_sms" not in ok,
                 "the gateway took the message, and nothing says that it arrived", (ok, error))
        code = kannel.code("+436601111111")
        suite.ok(code and re.fullmatch(r"\d{6}", code), "the SMS centre has it, with its code", code)
        ok, error = console.call("factor.sms_set", login=ok["login"] if ok else "", sms=code or "")
        suite.ok(bool(ok), "the telephone is enrolled by the code", error)
        ok, error = console.call("factor.password_set", password="tuvulepi")
        suite.ok(bool(ok), "8 characters do beside it", error)

        console.session = ""
        ok, error = console.call("auth.begin", user="anna")
        ok, error = console.call("auth.finish", login=ok["login"], password="tuvulepi")
        suite.ok(ok and ok.get("next") == ["sms"], "after the password the code is asked for", (ok, error))
        ok, error = console.call("auth.sms_send", login=ok["login"])
        code = kannel.code("+436601111111")
        login = ok["login"] if ok else ""
        ok, error = console.call("auth.finish", login=login, sms=code or "")
        suite.ok(ok and ok["aal"] == 2 and ok["kind"] == "full", "and lets its owner in", (ok, error))
        console.session = ""
        ok, error = console.call("auth.finish", login=login, sms=code or "")
        suite.ok(error == "auth.login_over", "once", error)

        login_file(folder, "ward:wrong")
        come_in(keeper, console, "bert")
        ok, error = console.call("factor.sms_set", number="+436602222222")
        suite.ok(error == "sms.refused", "a gateway that refuses is told of", (ok, error))
        kannel.processes[2].kill()
        kannel.processes[2].wait()
        ok, error = console.call("factor.sms_set", number="+436602222222")
        suite.ok(error == "sms.unavailable", "and one that is down", (ok, error))
        courier.kill()
        come_in(keeper, console, "carla")
        time.sleep(0.5)
        ok, error = console.call("factor.sms_set", number="+436603333333")
        suite.ok(error == "sms.no_gateway", "without a courier nobody waits", (ok, error))
        courier = Courier(keeper)
        time.sleep(0.5)
        for n, (how, want, what) in enumerate((
                ("200", "sms.refused", "one whose yes is none (200)"), ("error", "sms.refused", "one that says 202 and means an error"),
                ("coded", "sms.refused", "one that says 202 and another number than 0 and 3"),
                ("redirect", "sms.refused", "one that sends us elsewhere"), ("endless", "sms.refused", "one that never ends its answer"),
                ("drip", "sms.unavailable", "one that answers a byte at a time"))):
            console.sock.close()
            keeper.kill()
            courier.kill()
            keeper.extra = ("-S", "1", "-W", "http://127.0.0.1:%d/%s" % (liar.server_address[1], how))
            keeper.start()
            courier, console = Courier(keeper), Console(keeper)
            time.sleep(0.5)
            come_in(keeper, console, "dora%d" % n)
            began = time.time()
            ok, error = console.call("factor.sms_set", number="+43660444444%d" % n)
            suite.ok(error == want and time.time() - began < 12, what + ": is not believed, and not waited for for long",
                     (ok, error, time.time() - began))
        suite.ok("elsewhere" not in Liar.asked and "redirect" in Liar.asked, "nobody follows it elsewhere with the login and the code", Liar.asked)
        console.sock.close()
        silent = socket.socket()
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        keeper.kill()
        courier.kill()
        keeper.extra = ("-S", "1", "-W", url % silent.getsockname()[1])
        keeper.start()
        courier, console = Courier(keeper), Console(keeper)
        time.sleep(0.5)
        come_in(keeper, console, "eva")
        began = time.time()
        ok, error = console.call("factor.sms_set", number="+436605555555")
        suite.ok(error == "sms.unavailable" and time.time() - began < 15,
                 "one that is silent is not waited for for long", (ok, error, time.time() - began))
    finally:
        courier.kill()
        keeper.kill()
        kannel.stop()
        liar.shutdown()
        shutil.rmtree(folder)


main()
suite.finish()
