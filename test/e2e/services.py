#!/usr/bin/env python3
"""Clients of service sessions, for services.sh. Each says what it came to in one JSON object.

services.py ftp IP SECONDS         a control connection, and a file over a passive one, slowly: until
                                   it is reset. "data_port" is said on a line of its own before
services.py active IP SECONDS      the same by PORT
services.py rdp IP SECONDS         X.224, then TLS (MS-RDPBCGR 1.3.1.1), then a look at it every 20 ms
services.py vnc IP SECONDS         RFB 3.8 up to ServerInit, then an update asked for every 20 ms
services.py web IP SECONDS         one connection, a request every 50 ms
services.py bounce IP OTHER PORT   PORT with another machine's address: what the server says
services.py few IP SECONDS         the device's end of the next: an FTP server that has two ports for data, and
                                   always listens there
services.py doors IP TIMES         transfers by those, and who comes to a port once more, too early or too late
"""
import json, queue, socket, ssl, struct, sys, threading, time

sys.path.append(sys.path[0] + "/..")
from ftp import Ftp  # noqa: E402

now = lambda: int(time.time() * 1000)


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


PORTS = {"EPSV": 30201, "PASV": 30202}
BODY = b"0123456789" * 2000


def few(ip, seconds):
    came = {p: queue.Queue() for p in PORTS.values()}

    def data(port):
        s = socket.create_server((ip, port))
        while True:
            came[port].put(s.accept()[0])

    def talk(c):
        port = 0
        c.sendall(b"220 two ports\r\n")
        for line in c.makefile("rb"):
            word = line.split()[0].decode().upper()
            if word in PORTS:
                port = PORTS[word]
                while not came[port].empty():
                    came[port].get().close()
            if word == "EPSV":
                c.sendall(b"229 Entering Extended Passive Mode (|||%d|)\r\n" % port)
            elif word == "PASV":
                c.sendall(b"227 Entering Passive Mode (%s,%d,%d).\r\n" % (ip.replace(".", ",").encode(), port >> 8, port & 255))
            elif word == "RETR":
                c.sendall(b"150 here it comes\r\n")
                d = came[port].get()
                if b"slow" in line:
                    for i in range(0, len(BODY), 500):
                        d.sendall(BODY[i:i + 500])
                        time.sleep(0.3)
                else:
                    d.sendall(BODY)
                d.close()
                c.sendall(b"226 done\r\n")
            else:
                c.sendall(b"331 and?\r\n" if word == "USER" else b"230 yes\r\n")

    for p in came:
        threading.Thread(target=data, args=(p,), daemon=True).start()
    s = socket.create_server((ip, 21))
    s.settimeout(seconds)
    while True:
        threading.Thread(target=talk, args=(s.accept()[0],), daemon=True).start()


def reached(ip, port):
    try:
        socket.create_connection((ip, port), 0.3).close()
        return True
    except OSError:
        return False


def fetch(ip, c, how, name):
    c.ask(how)
    d = socket.create_connection((ip, PORTS[how]), 5)
    first = c.ask("RETR " + name)
    got = b""
    while piece := d.recv(65536):
        got += piece
    d.close()
    return first[:3] == "150" and got == BODY and c.reply()[:3] == "226"


def doors(ip, times):
    r = {"whole": 0, "again": 0, "after": 0}
    slow = []
    first = Ftp(ip)
    t = threading.Thread(target=lambda: slow.append(fetch(ip, first, "PASV", "slow")))
    t.start()
    for n in range(int(times)):
        c = Ftp(ip)
        r["whole"] += fetch(ip, c, "EPSV", "big")
        if n % 2:
            r["again"] += reached(ip, PORTS["EPSV"])  # the control connection stands
        else:
            c.f.close()
            c.s.close()
            r["after"] += reached(ip, PORTS["EPSV"])
    t.join()
    r["slow"] = slow == [True]
    c = Ftp(ip)
    c.ask("EPSV")
    c.ask("PASV")
    r["superseded"] = reached(ip, PORTS["EPSV"])
    r["newest"] = reached(ip, PORTS["PASV"])
    c.ask("EPSV")
    time.sleep(11)
    r["late"] = reached(ip, PORTS["EPSV"])
    r["anew"] = fetch(ip, c, "EPSV", "big")
    print(json.dumps(r), flush=True)


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
    {"rdp": rdp, "vnc": vnc, "web": web, "few": few, "doors": doors}[what](ip, float(sys.argv[3]))
