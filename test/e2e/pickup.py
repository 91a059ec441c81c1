#!/usr/bin/env python3
# Conversations in HL7 between two kernels' TCP, by turns, some busy and some mostly silent. The slowest answer
# in milliseconds, how many there were, and how many conversations did not last.
# amid: of an order its half before a line is read from standard input, the rest behind that; beside it results, whole.
# usage: pickup.py server | client SECONDS | amid
import socket
import sys
import threading
import time

ORU = b"\vMSH|^~\\&|LAB||LIS||||ORU^R01|1|P|2.5\rOBX|1|NM|147842||61\r\x1c\r"
ORDER = ORU.replace(b"ORU", b"ORM")
ACK = b"\vMSH|^~\\&|LIS||LAB||||ACK|1|P|2.5\rMSA|AA|1\r\x1c\r"
ADDRESS = ("10.94.0.1", 2575)


def hear(s):
    got = b""
    while not got.endswith(b"\x1c\r"):
        more = s.recv(4096)
        if not more:
            raise OSError("it ended")
        got += more


def answer(s):
    try:
        while True:
            hear(s)
            s.sendall(ACK)
    except OSError:
        pass


def talk(pause, until, slowest, broken):
    try:
        s = socket.create_connection(ADDRESS, 5)
        s.settimeout(10)
        while time.monotonic() < until:
            at = time.monotonic()
            s.sendall(ORU)
            hear(s)
            slowest.append(time.monotonic() - at)
            time.sleep(pause)
    except OSError as e:
        broken.append(str(e))


if sys.argv[1] == "server":
    listener = socket.create_server(ADDRESS)
    while True:
        threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

if sys.argv[1] == "amid":
    results, order = (socket.create_connection(ADDRESS, 5) for _ in range(2))
    results.settimeout(10)
    order.settimeout(10)
    results.sendall(ORU)
    hear(results)
    order.sendall(ORDER[:30])
    print("half", flush=True)
    sys.stdin.readline()
    order.sendall(ORDER[30:])
    results.sendall(ORU)
    hear(results)
    try:
        hear(order)
        print("answered")
    except TimeoutError:
        print("lost")
    except OSError:
        print("reset")
    sys.exit()

slowest, broken = [], []
until = time.monotonic() + float(sys.argv[2])
threads = [threading.Thread(target=talk, args=(0.02 + 0.15 * i, until, slowest, broken)) for i in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(f"slowest {max(slowest) * 1000:.0f} answers {len(slowest)} broken {len(broken)}")
