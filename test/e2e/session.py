#!/usr/bin/env python3
"""The two ends of a service session, for grants.sh.

session.py serve PORT...         accepts and talks, a line every 20 ms; says when an end is reset
session.py open IP PORT SECONDS  tries to connect until it works; then listens for as long, or until
                                 it is reset. Prints one JSON object: connected_ms (unix), last_ms,
                                 reset, lines
session.py try IP PORT           exit 0 if it connects within a second
session.py syns MAC PORT SECONDS how many SYNs to the port come in from that hardware address
"""
import json, socket, struct, sys, threading, time

now = lambda: int(time.time() * 1000)


def serve(ports):
    def talk(c, port):
        try:
            while True:
                c.sendall(b"x\n")
                c.settimeout(0.02)
                try:
                    if not c.recv(100):
                        break
                except socket.timeout:
                    pass
        except ConnectionResetError:
            print(json.dumps({"port": port, "reset_ms": now()}), flush=True)
        except OSError:
            pass

    def listen(port):
        s = socket.create_server(("", port))
        while True:
            threading.Thread(target=talk, args=(s.accept()[0], port), daemon=True).start()

    for p in ports:
        threading.Thread(target=listen, args=(p,), daemon=True).start()
    time.sleep(600)


def dial(ip, port, patience):
    end = time.time() + patience
    while time.time() < end:
        s = socket.socket()
        s.settimeout(0.03)
        try:
            s.connect((ip, port))
            return s
        except OSError:
            s.close()
            time.sleep(0.005)
    return None


def open_(ip, port, seconds):
    s = dial(ip, port, seconds)
    r = {"connected_ms": now() if s else 0, "last_ms": 0, "reset": False, "lines": 0}
    end = time.time() + seconds
    while s and time.time() < end:
        s.settimeout(0.5)
        try:
            got = s.recv(1000)
            if not got:
                break
            r["last_ms"], r["lines"] = now(), r["lines"] + 1
        except socket.timeout:
            pass
        except ConnectionResetError:
            r["reset"], r["reset_ms"] = True, now()
            break
        except OSError:
            break
    print(json.dumps(r))


def syns(mac, port, seconds):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.settimeout(0.1)
    end, n = time.time() + seconds, 0
    while time.time() < end:
        try:
            f = s.recv(2000)
        except socket.timeout:
            continue
        if f[6:12].hex(":") == mac and f[12:14] == b"\x08\x00" and f[23] == 6:
            n += struct.unpack("!H", f[36:38])[0] == port
    print(n)


what, args = sys.argv[1], sys.argv[2:]
if what == "serve":
    serve([int(p) for p in args])
elif what == "open":
    open_(args[0], int(args[1]), float(args[2]))
elif what == "try":
    sys.exit(dial(args[0], int(args[1]), 1) is None)
else:
    syns(args[0], int(args[1]), float(args[2]))
