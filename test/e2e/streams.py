#!/usr/bin/env python3
"""streams.py PREFIX COUNT PORT: what a machine without a TCP of its own says to a kernel that has one, between
PREFIX-mon and PREFIX-hos, from PORT on: COUNT harmless conversations, as a bad network delivers them, and COUNT
that try to bring a forbidden message by what this kernel reads otherwise than its filter may. Prints a line
for each that went wrong, and at last how many were whole, and how many messages of the others arrived.

SEED in the environment makes others of them.
"""
import os
import random
import select
import socket
import struct
import sys
import time

sys.path.append(sys.path[0] + '/..')
from inet import checksum, enter  # noqa: E402

SERVER, SERVER_MAC = '10.93.0.1', bytes.fromhex('020000930001')
US, US_MAC = '10.93.0.77', bytes.fromhex('020000930077')
PORT = 2575
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
GOOD, BAD = b'ORU^R01', b'ORM^O01'


def message(kind, number, text):
    return (b'\x0bMSH|^~\\&|MON|ICU|LIS|LAB|20261127||%s|%d|P|2.6\rPID|1||7\rOBX|1|ST|X||%s\r\x1c\r'
            % (kind, number, text))


def forbidden(data):
    """Frames of another type than results, as a receiver splits what arrived."""
    frames = [f.split(b'\x1c\r')[0] for f in data.split(b'\x0b')[1:] if b'\x1c\r' in f]
    return [f for f in frames if not (f.split(b'|') + [b''] * 9)[8].startswith(b'ORU^')]


class Line:
    """The wire, and the other kernel's ear."""

    def __init__(self, prefix):
        enter(prefix, 'hos')
        self.server = socket.create_server((SERVER, PORT), backlog=256)
        self.server.setblocking(False)
        enter(prefix, 'mon')
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.wire.bind(('e0', 0x0800))
        self.wire.setblocking(False)
        self.ident = 0
        self.talks, self.ears = {}, {}

    def send(self, tcp, ttl=64, options=b'', cut=None, tags=b'', trailer=b''):
        self.ident = (self.ident + 1) & 0xffff
        pieces = [(0, tcp, 0)]
        if cut and len(tcp) > 48:
            at = (len(tcp) // 2) & ~7
            pieces = [(0, tcp[:at], 1), (at, tcp[at:], 0)]
            if cut == 'swapped':
                pieces.reverse()
            if cut == 'twice':
                pieces.insert(1, (0, tcp[:at], 1))
            if cut == 'overlapping':
                pieces[0] = (0, tcp[:at] + bytes(16), 1)
            if cut == 'beneath':
                pieces.append((at, bytes(len(tcp) - at), 0))
        for at, body, more in pieces:
            head = struct.pack('>BBHHHBBH4s4s', 0x45 + len(options) // 4, 0, 20 + len(options) + len(body),
                               self.ident, more << 13 | at // 8, ttl, 6, 0, socket.inet_aton(US),
                               socket.inet_aton(SERVER)) + options
            head = head[:10] + struct.pack('>H', checksum(head)) + head[12:]
            try:
                self.wire.send(SERVER_MAC + US_MAC + tags + b'\x08\0' + head + body + trailer)
            except OSError:
                pass

    def listen(self, seconds, enough=lambda: False):
        end = time.monotonic() + seconds
        while not enough():
            left = end - time.monotonic()
            if left <= 0:
                return
            for s in select.select([self.wire, self.server, *self.ears], [], [], left)[0]:
                if s is self.wire:
                    self.hear(s.recv(65536))
                elif s is self.server:
                    ear, (_, port) = s.accept()
                    ear.setblocking(False)
                    self.ears[ear] = port
                else:
                    self.take(s)

    def take(self, ear):
        talk = self.talks.get(self.ears[ear])
        try:
            data = ear.recv(65536)
        except ConnectionError:
            data = b''
        if data and talk:
            talk.arrived += data
        if not data:
            ear.close()
            del self.ears[ear]

    def hear(self, frame):
        ip = frame[14:]
        tcp = ip[(ip[0] & 15) * 4:]
        if ip[9] != 6 or ip[12:16] != socket.inet_aton(SERVER) or frame[6:12] == US_MAC:
            return
        _, port, seq, ack, offset, flags = struct.unpack('>HHIIBB', tcp[:14])
        if port in self.talks:
            self.talks[port].heard(seq, ack, flags, tcp[20:(offset >> 4) * 4])


class Talk:
    def __init__(self, line, dice, port):
        self.line, self.dice, self.port = line, dice, port
        self.first = dice.choice([1000, 0xffffff00, 0x7fffff80])
        self.stamped = dice.random() < 0.6
        self.acked = self.server = None
        self.stamp, self.echo = 100000, 0
        self.reset, self.arrived = False, b''
        line.talks[port] = self

    def heard(self, seq, ack, flags, options):
        if flags & RST:
            self.reset = True
        elif flags & SYN:
            self.server, self.acked = (seq + 1) & 0xffffffff, 0
        elif flags & ACK and self.acked is not None:
            done = (ack - self.first - 1) & 0xffffffff
            self.acked = max(self.acked, done) if done < 1 << 24 else self.acked
        at = options.find(b'\x08\x0a')
        if at >= 0 and len(options) >= at + 6:
            self.echo = struct.unpack('>I', options[at + 2:at + 6])[0]

    def give(self, at, data, flags=ACK | PSH, ack=None, stamp=0, extra=b'', spoilt=False, urgent=0, bare=False,
             window=8192, **ip):
        options = extra
        self.stamp += 1
        if self.stamped and not bare:
            options += b'\1\1\x08\x0a' + struct.pack('>II', (self.stamp + stamp) & 0xffffffff, self.echo)
        options += b'\1' * (-len(options) % 4)
        ack = self.server if ack is None else ack
        tcp = struct.pack('>HHIIBBHHH', self.port, PORT, (self.first + 1 + at) & 0xffffffff, ack or 0,
                          (20 + len(options)) << 2, flags, window, 0, urgent) + options + data
        pseudo = socket.inet_aton(US) + socket.inet_aton(SERVER) + struct.pack('>HH', 6, len(tcp))
        tcp = tcp[:16] + struct.pack('>H', checksum(pseudo + tcp) ^ (0x5555 if spoilt else 0)) + tcp[18:]
        self.line.send(tcp, **ip)

    def greet(self, said=b''):
        for n in range(20):
            self.give(-1, b'' if n else said, SYN, 0, extra=b'\2\4\5\xb4\4\2' if self.dice.random() < 0.5 else b'')
            self.line.listen(0.25, lambda: self.reset or self.server is not None)
            if self.reset:
                return False
            if self.server is not None:
                self.give(0, b'', ACK)
                return True
        return False

    def close(self):
        self.give(self.acked or 0, b'', RST | ACK)
        self.line.listen(0.003)
        del self.line.talks[self.port]


def cuts(dice, size):
    borders = sorted({*range(0, size, 1400), size, *(dice.randrange(size) for _ in range(dice.choice([1, 2, 4, 8, 20])))})
    return list(zip(borders, borders[1:]))


def harmless(line, dice, port):
    """Cut, swapped, doubled, lost: all of it arrives."""
    t = Talk(line, dice, port)
    said = b''.join(message(GOOD, i, b'x' * dice.choice([1, 40, 900])) for i in range(dice.randint(1, 4)))
    if not t.greet(dice.choice([b'', b'', b'', said[:200]])):
        return 'was not let in'
    pieces = [p for p in cuts(dice, len(said)) for _ in range(dice.choice([1, 1, 1, 2]))]
    if dice.random() < 0.7:
        dice.shuffle(pieces)
    for a, b in pieces:
        if dice.random() < 0.1:
            t.give(t.acked - 1, b'\0' if dice.random() < 0.5 else b'', ACK)  # a keep-alive
        if dice.random() < 0.9:
            t.give(a, said[a:b], **dice.choice([{}, {}, {}, {'cut': 'whole'}, {'cut': 'swapped'}]))
        line.listen(dice.choice([0, 0, 0.002]))
    begun = time.monotonic()
    line.listen(0.02, lambda: t.arrived == said)
    while t.arrived != said and time.monotonic() - begun < 10 and not t.reset:
        for a, b in pieces:
            if b > t.acked:
                t.give(a, said[a:b])
        line.listen(0.2, lambda: t.arrived == said)
    t.close()
    return None if t.arrived == said else f'{len(t.arrived)} of {len(said)} bytes arrived, reset {t.reset}'


def tricks(t):
    """Segments that a kernel drops, or takes in its own way, by something that filters forget."""
    tag, here = b'\x81\0\0\0', (t.first + 1) & 0xffffffff
    return [
        {'tags': tag}, {'tags': tag * 2}, {'tags': b'\x88\xa8\0\0' + tag}, {'tags': b'\x81\0\0\x05'},
        {'tags': tag + b'\x81\0\0\x05'}, {'trailer': b'\x0b' * 9}, {'cut': 'overlapping'}, {'cut': 'beneath'},
        {'window': 0}, {'extra': b'\x1d\x10' + bytes(14)}, {'extra': b'\x22\x0a' + bytes(8)},
        {'extra': b'\x05\x0a' + struct.pack('>II', here, (here + 5000) & 0xffffffff)}, {'stamp': -1},
        {'spoilt': True}, {'stamp': -1000000}, {'stamp': 0x7fffffff}, {'bare': True}, {'flags': PSH},
        {'ack': (t.server + 100000) & 0xffffffff}, {'ack': (t.server - 100000) & 0xffffffff}, {'flags': SYN},
        {'flags': SYN | ACK}, {'flags': FIN | ACK}, {'flags': RST}, {'flags': RST | ACK},
        {'flags': URG | ACK | PSH, 'urgent': 0}, {'flags': URG | ACK | PSH, 'urgent': 5},
        {'flags': URG | ACK | PSH, 'urgent': 300}, {'flags': 0},
        {'extra': b'\x13\x12' + bytes(16)}, {'extra': b'\xfe\x04\xf9\x89'}, {'extra': b'\x08\x0a\0\0'},
        {'extra': b'\x05\x01'}, {'ttl': 1}, {'options': b'\x07\x07\x04\0\0\0\0\0'}, {'options': b'\x94\x04\0\0'},
        {'cut': 'whole'}, {'cut': 'swapped'}, {'cut': 'twice'}, {'shift': 1 << 30}, {'shift': -(1 << 30)},
        {'shift': 100000}, {'flags': ACK | 0xc0}, {}]


def forged(line, dice, port):
    """Two texts of one length, of which one is forbidden, both sent for the same bytes by every trick."""
    t = Talk(line, dice, port)
    said = [b'', b'']
    for i in range(dice.randint(1, 3)):
        text = b'y' * dice.choice([1, 60, 700])
        for n, kind in enumerate((GOOD, BAD)):
            said[n] += message(kind, i, text)
    early = dice.choice([b'', b'', said[dice.random() < 0.5][:300]])  # with the SYN
    if not t.greet(early):
        return None if early else 'was not let in', 0
    pieces = cuts(dice, len(said[0]))
    if dice.random() < 0.3:
        dice.shuffle(pieces)
    odd, which = dice.sample(tricks(t), dice.choice([1, 1, 2])), dice.random() < 0.5
    odder = dice.choice([0.1, 0.5, 0.9])
    for _ in range(4):
        for a, b in pieces:
            if b <= t.acked and dice.random() < 0.8:
                continue
            early = dice.choice([0, 0, 0, 0, 1, 7])
            for strange in dice.choice([(False,), (True, False), (False, True), (True,)]):
                how = dict(dice.choice(odd)) if strange and dice.random() < odder else {}
                text = said[which if how or dice.random() < 0.05 else not which]
                t.give(max(0, a - early) + how.pop('shift', 0), text[max(0, a - early):b], **how)
            line.listen(dice.choice([0, 0, 0, 0.001]))
        line.listen(0.008, lambda: t.acked == len(said[0]))
    line.listen(0.005)
    t.close()
    got = forbidden(t.arrived)
    return (f'{got[0][:60]!r} arrived' if got else None), t.arrived.count(b'\x1c\r')


def main(prefix, count, port):
    line, seed, count, port = Line(prefix), os.environ.get('SEED', '1'), int(count), int(port)
    whole = came = 0
    for i in range(count):
        wrong = harmless(line, random.Random(f'{seed} harmless {i}'), port + i)
        whole += wrong is None
        if wrong:
            print(f'harmless {i}: {wrong}')
    for i in range(count):
        wrong, messages = forged(line, random.Random(f'{seed} forged {i}'), port + count + i)
        came += messages
        if wrong:
            print(f'forged {i}: {wrong}')
    print(f'whole {whole}')
    print(f'came {came}')


if __name__ == '__main__':
    main(*sys.argv[1:])
