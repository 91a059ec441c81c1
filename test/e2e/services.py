#!/usr/bin/env python3
"""Clients of service sessions, for services.sh. Each says what it came to in one JSON object.

services.py ftp IP SECONDS         a control connection, and a file over a passive one, slowly: until
                                   it is reset. "data_port" is said on a line of its own before
services.py active IP SECONDS      the same by PORT
services.py rdp IP SECONDS         X.224, then TLS (MS-RDPBCGR 1.3.1.1), then a look at it every 20 ms
services.py vnc IP SECONDS         RFB 3.8 up to ServerInit, then an update asked for every 20 ms
services.py web IP SECONDS         one connection, a request every 50 ms
services.py bounce IP OTHER PORT   PORT with another machine's address: what the server says
"""
import json, socket, ssl, struct, sys, time

now = lambda: int(time.time() * 1000)


class Ftp:
    def __init__(self, ip):
        self.s = socket.create_connection((ip, 21), 5)
        self.f = self.s.makefile("rb")
        self.reply()
        self.ask("USER anonymous")
        self.ask("PASS x@example.org")
        self.ask("TYPE I")

    def reply(self):
        while True:
            line = self.f.readline().decode()
            if not line or line[3:4] == " ":
                return line.strip()

    def ask(self, line):
        self.s.sendall(line.encode() + b"\r\n")
        return self.reply()


def watch(sockets, seconds, poke=lambda: None):
    """Until every one of them has ended; how each did."""
    ends, last, deadline = {}, now(), time.time() + seconds
    while len(ends) < len(sockets) and time.time() < deadline:
        poke_failed = None
        try:
            poke()
        except OSError as e:
            poke_failed = e
        for name, s in sockets.items():
            if name in ends:
                continue
            if isinstance(poke_failed, ConnectionResetError):
                ends[name] = "reset"  # nothing is left of it to be read
                continue
            s.settimeout(0.02)
            try:
                if s.recv(2000):
                    last = now()
                else:
                    ends[name] = "end"
            except (socket.timeout, ssl.SSLWantReadError):
                pass
            except ConnectionResetError:
                ends[name] = "reset"
            except OSError as e:
                ends[name] = str(e)
    print(json.dumps({"ends": ends, "last_ms": last}), flush=True)


def ftp(ip, seconds, active):
    c = Ftp(ip)
    if active:
        l = socket.create_server((c.s.getsockname()[0], 0))
        host, port = l.getsockname()
        c.ask("PORT %s,%d,%d" % (host.replace(".", ","), port >> 8, port & 255))
        c.s.sendall(b"RETR big\r\n")
        l.settimeout(5)
        data = l.accept()[0]
    else:
        n = c.ask("PASV").split("(")[1].split(")")[0].split(",")
        port = int(n[4]) << 8 | int(n[5])
        data = socket.create_connection((ip, port), 5)
        c.s.sendall(b"RETR big\r\n")
    c.reply()
    print(json.dumps({"data_port": port}), flush=True)
    watch({"control": c.s, "data": data}, seconds, lambda: time.sleep(0.02))


def bounce(ip, other, port):
    c = Ftp(ip)
    print(c.ask("PORT %s,%d,%d" % (other.replace(".", ","), port >> 8, port & 255)))
    c.s.settimeout(3)
    try:
        print(c.ask("LIST"))
    except OSError as e:
        print(e)


def rdp(ip, seconds):
    s = socket.create_connection((ip, 3389), 5)
    want = struct.pack("<BBHI", 1, 0, 8, 1)  # RDP_NEG_REQ: TLS
    x224 = bytes([6 + len(want), 0xE0, 0, 0, 0, 0, 0]) + want
    s.sendall(struct.pack("!BBH", 3, 0, 4 + len(x224)) + x224)
    head = s.recv(4, socket.MSG_WAITALL)
    rest = s.recv(struct.unpack("!H", head[2:])[0] - 4, socket.MSG_WAITALL)
    assert rest[1] == 0xD0 and rest[7] == 2, rest.hex()  # confirmed, RDP_NEG_RSP
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    t = ctx.wrap_socket(s)
    print(json.dumps({"tls": t.version()}), flush=True)
    watch({"rdp": t}, seconds)


def vnc(ip, seconds):
    s = socket.create_connection((ip, 5900), 5)
    s.settimeout(5)
    version = s.recv(12, socket.MSG_WAITALL)
    s.sendall(version)
    s.recv(s.recv(1)[0], socket.MSG_WAITALL)
    s.sendall(b"\1")  # none
    assert s.recv(4, socket.MSG_WAITALL) == bytes(4)
    s.sendall(b"\1")  # shared
    w, h = struct.unpack("!HH", s.recv(4, socket.MSG_WAITALL))
    print(json.dumps({"rfb": version.decode().strip(), "width": w}), flush=True)
    watch({"vnc": s}, seconds, lambda: s.sendall(struct.pack("!BBHHHH", 3, 0, 0, 0, 8, 8)))


def web(ip, seconds):
    s = socket.create_connection((ip, 80), 5)

    def poke():
        s.sendall(b"GET /big HTTP/1.1\r\nHost: pump\r\nRange: bytes=0-10\r\n\r\n")
        time.sleep(0.05)

    poke()
    s.settimeout(5)
    print(json.dumps({"http": s.recv(15).decode()}), flush=True)
    watch({"web": s}, seconds, poke)


what, ip = sys.argv[1:3]
if what == "bounce":
    bounce(ip, sys.argv[3], int(sys.argv[4]))
elif what in ("ftp", "active"):
    ftp(ip, float(sys.argv[3]), what == "active")
else:
    {"rdp": rdp, "vnc": vnc, "web": web}[what](ip, float(sys.argv[3]))
