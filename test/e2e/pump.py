#!/usr/bin/env python3
"""pump.py deliver FOLDER CENTRAL     a pump that says every second over MLLP how fast it delivers
   pump.py listen                     and who hears it, with an acknowledgement each
   pump.py take FOLDER PORT           takes firmware by PUT, and runs it when /restart is asked for
   pump.py pack FILE VERSION [WORD]…  firmware: a tar with VERSION and, empty, each WORD

FOLDER holds `rate`, in ml/h (0: on nobody) and `current`, the slot that runs; with `mute` in it the
pump says nothing, with `astray` it calls where it may not."""
import http.server
import io
import os
import socket
import sys
import tarfile
import threading
import time

HEAD = ("MSH|^~\\&|PUMP|WARD|CENTRAL|HOSPITAL|20260131071500||ORU^R01^ORU_R01|%d|P|2.6\rPID|||PATIENT-1\r"
        "OBR|1|||69986^MDC_DEV_PUMP_INFUS_VMD^MDC\r"
        "OBX|1|NM|157784^MDC_FLOW_FLUID_PUMP^MDC|1.1.1.1|%s|265266^MDC_DIM_MILLI_L_PER_HR^MDC|||||R\r")


def has(folder, word):
    return os.path.exists(os.path.join(folder, "current", word))


def deliver(folder, central):
    line, count = None, 0
    while True:
        time.sleep(1)
        try:
            if has(folder, "astray"):
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", (central, 9))
            if has(folder, "mute"):
                continue
            count += 1
            line = line or socket.create_connection((central, 2575), 3)
            line.settimeout(3)
            rate = open(os.path.join(folder, "rate")).read().strip()
            line.sendall(b"\x0b" + (HEAD % (count, rate)).encode() + b"\x1c\r")
            if not line.recv(4096):
                line = None
        except OSError:
            line = None


def listen():
    def serve(c):
        with c:
            while data := c.recv(65536):
                c.sendall(b"\x0bMSH|^~\\&|C|H|P|W|20260131071500||ACK^R01^ACK|1|P|2.6\rMSA|AA|%s\x1c\r"
                          % data.split(b"|")[9])
    s = socket.create_server(("", 2575))
    while True:
        threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()


def take(folder, port):
    class Pump(http.server.BaseHTTPRequestHandler):
        def do_PUT(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with open(os.path.join(folder, "given"), "wb") as f:
                f.write(body)
            self.end(201)

        def do_GET(self):
            slot = os.path.join(folder, "slot-%d" % time.time_ns())
            with tarfile.open(os.path.join(folder, "given")) as t:
                t.extractall(slot)
            link = slot + ".link"
            os.symlink(slot, link)
            os.replace(link, os.path.join(folder, "current"))
            self.end(200)

        def end(self, code):
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *a):
            pass
    http.server.ThreadingHTTPServer(("", int(port)), Pump).serve_forever()


def pack(path, version, *words):
    with tarfile.open(path, "w") as t:
        for name, data in [("VERSION", version.encode() + b"\n"), ("body", os.urandom(200000))] + [(w, b"") for w in words]:
            i = tarfile.TarInfo(name)
            i.size = len(data)
            t.addfile(i, io.BytesIO(data))


{"deliver": deliver, "listen": listen, "take": take, "pack": pack}[sys.argv[1]](*sys.argv[2:])
