#!/usr/bin/env python3
"""FTP that does as it is told, for transfers.sh.

transfers.py serve OTHER          an FTP server on every address. It always listens at its ports for data, 30200 to
                                  30203, and says "data" there. PASV is answered with the first, with 80
                                  ("PASV low") or OTHER's address ("PASV third"), EPSV with the second; NOOP with
                                  the third, which nobody asked for
transfers.py tries IP [SECONDS]   at a device: what opens there and what does not, as one JSON object; SECONDS to wait
                                  for a door to shut
transfers.py port IP OTHER        says PORT with another machine's address, then one of its own below 1024
transfers.py slow IP SECONDS      a passive transfer from vsftpd; "whole" or what became of it
"""
import json, socket, sys, threading, time

sys.path.append(sys.path[0] + "/..")
from ftp import Ftp  # noqa: E402

DATA = [30200, 30201, 30202, 30203]


def pairs(ip, port):
    return "%s,%d,%d" % (ip.replace(".", ","), port >> 8, port & 255)


def serve(other):
    def data(port):
        s = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        while True:
            c = s.accept()[0]
            c.sendall(b"data")
            threading.Thread(target=lambda c=c: (c.recv(1), c.close()), daemon=True).start()

    def talk(c):
        ip = c.getsockname()[0].replace("::ffff:", "")
        says = lambda text: c.sendall(text.encode() + b"\r\n")
        passive = lambda ip, port: says("227 Entering Passive Mode (%s)." % pairs(ip, port))
        says("220 ftp")
        for line in c.makefile("rb"):
            word, _, rest = line.decode().strip().upper().partition(" ")
            if word == "PASV":
                passive(other if rest == "THIRD" else ip, 80 if rest == "LOW" else DATA[0])
            elif word == "EPSV":
                says("229 Entering Extended Passive Mode (|||%d|)" % DATA[1])
            elif word == "NOOP":
                passive(ip, DATA[2])
            else:
                says({"USER": "331 and?", "PASS": "230 in"}.get(word, "200 yes"))

    for p in DATA:
        threading.Thread(target=data, args=(p,), daemon=True).start()
    s = socket.create_server(("::", 21), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        threading.Thread(target=talk, args=(s.accept()[0],), daemon=True).start()


def reach(ip, port, patience=0.5):
    try:
        s = socket.create_connection((ip, port), patience)
        s.settimeout(2)
        return s if s.recv(4) == b"data" else None
    except OSError:
        return None


def tries(ip, wait=0):
    r = {}
    c = Ftp(ip)
    r["early"] = bool(reach(ip, DATA[0]))
    c.ask("PASV")
    first = reach(ip, DATA[0], 3)
    r["opened"] = bool(first)
    r["beside"] = bool(reach(ip, DATA[3]))
    r["second"] = bool(reach(ip, DATA[0]))
    first.close()
    r["again"] = bool(reach(ip, DATA[0]))
    c.ask("NOOP")
    r["unasked"] = bool(reach(ip, DATA[2]))
    try:
        c.ask("227 Entering Passive Mode (%s)" % pairs(ip, DATA[2]))
    except OSError:
        pass  # as no command it is not let through
    r["forged"] = bool(reach(ip, DATA[2]))
    c = Ftp(ip)
    c.ask("PASV LOW")
    c.ask("PASV THIRD")
    r["third"] = bool(reach(ip, DATA[0]))
    c.ask("PASV")
    c.ask("EPSV")
    r["superseded"] = bool(reach(ip, DATA[0]))
    r["newest"] = bool(reach(ip, DATA[1], 3))
    if wait:
        c.ask("EPSV")
        time.sleep(wait)
        r["late"] = bool(reach(ip, DATA[1]))
        c.ask("EPSV")
        r["anew"] = bool(reach(ip, DATA[1], 3))
    print(json.dumps(r), flush=True)


def port(ip, other):
    c = Ftp(ip)
    c.ask("PORT " + pairs(other, 30001))
    c.s.sendall(b"LIST\r\n")
    c.s.settimeout(2)
    try:
        print(c.reply())
        c.ask("PORT " + pairs(c.s.getsockname()[0], 600))
    except OSError as e:
        print(e)


def slow(ip, seconds):
    c = Ftp(ip)
    size = int(c.ask("SIZE big").split()[1])
    n = c.ask("PASV").split("(")[1].split(")")[0].split(",")
    d = socket.socket()
    d.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20000)
    d.settimeout(15)
    d.connect((ip, int(n[4]) << 8 | int(n[5])))
    c.s.sendall(b"RETR big\r\n")
    print(c.reply(), flush=True)
    got = 0
    try:
        while piece := d.recv(20000):
            got += len(piece)
            time.sleep(float(seconds) * len(piece) / size)
        print("whole" if got == size else "ended after %d" % got, flush=True)
    except OSError as e:
        print(e, flush=True)


if sys.argv[1] == "tries":
    tries(sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 0)
else:
    {"serve": serve, "port": port, "slow": slow}[sys.argv[1]](*sys.argv[2:])
