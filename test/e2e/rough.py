#!/usr/bin/env python3
"""Long conversations over a bad network.

rough.py wire SPACE SEED: what the machine in the network namespace SPACE says by its port e0 goes by the port
v0, and back, late, and some of it lost, doubled or overtaken.
rough.py serve SPACE: a results server, a registers' and a broker. Prints what it got, at its end.
rough.py talk SPACE ADDRESS: to those. Prints the seconds that each conversation took.
"""
import fcntl
import hashlib
import heapq
import os
import random
import select
import signal
import socket
import struct
import sys
import threading
import time

sys.path.append(sys.path[0] + '/..')
from inet import enter  # noqa: E402

LOSS, DOUBLE, LATE = (float(n) for n in os.environ.get('ROUGH', '0.03 0.02 0.03').split())
DELAY, MORE = 0.015, 0.010  # seconds
RESULTS, REGISTERS, BROKER = 2575, 502, 1883


def wire(seed):
    """Tells that it is up by a line."""
    dice, late, number = random.Random(seed), [], 0
    tap = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(tap, 0x400454ca, struct.pack('16sH22x', b'e0', 0x1002))  # TUNSETIFF: IFF_TAP | IFF_NO_PI
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    port.bind(('v0', 3))
    port.setsockopt(263, 1, struct.pack('IHH8s', socket.if_nametoindex('v0'), 1, 0, b''))  # promiscuous
    port.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
    print('up', flush=True)
    while True:
        wait = max(0, late[0][0] - time.monotonic()) if late else None
        for ready in select.select([tap, port], [], [], wait)[0]:
            try:
                frame = os.read(tap, 65536) if ready is tap else port.recv(65536)
            except OSError:
                continue  # no carrier, for now
            for _ in range(2 if dice.random() < DOUBLE else 1):
                if dice.random() >= LOSS:
                    number += 1
                    when = time.monotonic() + DELAY + (MORE if dice.random() < LATE else 0)
                    heapq.heappush(late, (when, number, ready is tap, frame))
        while late and late[0][0] <= time.monotonic():
            _, _, out, frame = heapq.heappop(late)
            try:
                port.send(frame) if out else os.write(tap, frame)
            except OSError:
                pass


def whole(s, n):
    data = b''
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def result(i, text=b'x' * 500):
    return (b'\x0bMSH|^~\\&|MON|ICU|LIS|LAB|20261127||ORU^R01|%d|P|2.6\rPID|1||7\rOBX|1|ST|X||%s\r\x1c\r' % (i, text))


def take_results(s, seen):
    rest = b''
    while True:
        data = s.recv(65536)
        if not data:
            return
        seen.update(data)
        *frames, rest = (rest + data).split(b'\x1c\r')
        for f in frames:
            s.sendall(b'\x0bMSH|^~\\&|LIS|LAB|MON|ICU|20261127||ACK|9|P|2.6\rMSA|AA|%s\r\x1c\r' % f.split(b'|')[9])


def take_registers(s, seen):
    while True:
        ask = whole(s, 12)
        seen.update(ask)
        s.sendall(ask[:4] + b'\0\x05' + ask[6:8] + b'\x02\0\x2a')


def take_topics(s, seen):
    seen.update(whole(s, 18))
    s.sendall(b'\x20\2\0\0')
    while True:
        head = whole(s, 3)
        body = whole(s, (head[1] & 127) + head[2] * 128)
        seen.update(head + body)
        s.sendall(b'\x40\2' + body[8:10])


def serve():
    said = {}
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def take(listener, how, name):
        while True:
            s, _ = listener.accept()
            seen = said.setdefault(name, hashlib.sha256())
            try:
                how(s, seen)
            except (EOFError, OSError):
                pass
            s.close()

    for port, how in (RESULTS, take_results), (REGISTERS, take_registers), (BROKER, take_topics):
        listener = socket.create_server(('', port))
        threading.Thread(target=take, args=(listener, how, port), daemon=True).start()
    print('up', flush=True)
    signal.sigwait([signal.SIGTERM])
    for port, seen in said.items():
        print(port, seen.hexdigest())


def ask_results(s, note):
    for i in range(25):
        s.sendall(note(result(i)))
        while not (s.recv(65536).endswith(b'\x1c\r')):
            pass


def pour_results(s, note):
    """All at once, and only then are the answers read."""
    reader = threading.Thread(target=lambda: [None for _ in iter(lambda: s.recv(65536), b'')])
    reader.start()
    for i in range(12000):
        s.sendall(note(result(i)))
    s.shutdown(socket.SHUT_WR)
    reader.join()


def ask_registers(s, note):
    for i in range(25):
        s.sendall(note(struct.pack('>HHHBBHH', i, 0, 6, 1, 3, 16, 1)))
        whole(s, 11)


def publish(s, note):
    s.sendall(note(b'\x10\x10\0\4MQTT\4\2\0\x3c\0\4dev1'))
    whole(s, 4)
    for i in range(3000):
        body = b'\0\6ward/a' + struct.pack('>H', i + 1) + b'y' * 400
        s.sendall(note(b'\x32' + bytes([len(body) & 127 | 128, len(body) >> 7]) + body))
    whole(s, 4 * 3000)


def talk(server):
    said = {}
    for port, how in (RESULTS, ask_results), (RESULTS, pour_results), (REGISTERS, ask_registers), (BROKER, publish):
        seen, begun = said.setdefault(port, hashlib.sha256()), time.monotonic()
        try:
            with socket.create_connection((server, port), timeout=60) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

                def note(data):
                    seen.update(data)
                    return data
                how(s, note)
            print(f'took {how.__name__} {time.monotonic() - begun:.1f}')
        except (EOFError, OSError) as e:
            print(f'broke {how.__name__} {e!r} after {time.monotonic() - begun:.1f}')
    for port, seen in said.items():
        print(port, seen.hexdigest())


if __name__ == '__main__':
    enter(*sys.argv[2].rsplit('-', 1))
    {'wire': wire, 'serve': serve, 'talk': talk}[sys.argv[1]](*sys.argv[3:])
