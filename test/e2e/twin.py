#!/usr/bin/env python3
"""twin.py count                   how many
   twin.py write FILE              frames that tell readers of headers apart, as a capture of both ports
   twin.py play PREFIX READ        sends them between PREFIX-mon and PREFIX-hos, one by one, and prints
                                   the number of each that arrives, or `altered` and what arrived

READ holds the times, in nanoseconds, of those that arrive where a file is read; it only says for which
it is worth to wait. SEED in the environment makes others of the random ones.
"""
import ipaddress
import os
import random
import socket
import struct
import sys
import time

sys.path.append(sys.path[0] + '/..')
from inet import checksum, enter  # noqa: E402

WARD = bytes.fromhex('020000920011'), '10.92.0.11', 'fe80::92:11', 'fd92::11'
HOSPITAL = bytes.fromhex('020000920001'), '10.92.0.1', 'fe80::92:1', 'fd92::1'
STRANGER = bytes.fromhex('020000920066'), '10.92.0.66', 'fe80::92:66', 'fd92::66'
EVERYBODY = b'\xff' * 6, '10.92.0.255', 'ff02::1', 'ff02::1'
BEGIN, STEP = 1764200000 * 10**9, 2600000  # of the capture's times: what is the same again was sent so, and not mirrored
RANDOM = 500


def tagged(frame, *tags):
    return frame[:12] + b''.join(struct.pack('>HH', *t) for t in tags) + frame[12:]


def v4(proto, body, src, dst, ident=1, more=0, offset=0, total=None, options=b''):
    head = struct.pack('>BBHHHBBH4s4s', 0x45 + len(options) // 4, 0, total or 20 + len(options) + len(body), ident,
                       more << 13 | offset // 8, 64, proto, 0, socket.inet_aton(src), socket.inet_aton(dst)) + options
    return head[:10] + struct.pack('>H', checksum(head)) + head[12:] + body


def v6(proto, body, src, dst, length=None, hops=255):
    src, dst = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    return struct.pack('>IHBB', 6 << 28, len(body) if length is None else length, proto, hops) + src + dst + body


def udp(sport, data=b'vital signs', length=None, dport=5000):
    return struct.pack('>HHHH', sport, dport, length if length is not None else 8 + len(data), 0) + data


def tcp(sport, flags, dport=80, seq=1, ack=0, data=b''):
    return struct.pack('>HHIIBBHHH', sport, dport, seq, ack, 0x50, flags, 8192, 0, 0) + data


def chain(headers, body, proto=17):
    for h in reversed(headers):
        body = {44: struct.pack('>BBHI', proto, 0, 0, 5), 51: struct.pack('>BBHIII', proto, 2, 0, 1, 1, 0),
                43: struct.pack('>BBBBI', proto, 0, 0, 0, 0)}.get(h, struct.pack('>BBHI', proto, 0, 0x104, 0)) + body
        proto = h
    return proto, body


def fixed(sender, receiver):
    (dev, d, d6, _), (srv, s, s6, _) = sender, receiver

    def ether(kind, body):
        return srv + dev + struct.pack('>H', kind) + body

    def ip(proto, body, src=d, dst=s, **more):
        return ether(0x800, v4(proto, body, src, dst, **more))

    def ip6(proto, body, length=None):
        return ether(0x86dd, v6(proto, body, d6, s6, length))

    plain = ip(17, udp(600))
    yield plain
    for tags in (((0x8100, 7),), ((0x8100, 0),), ((0x8100, 0xe000),), ((0x88a8, 7), (0x8100, 9)),
                 ((0x8100, 7), (0x8100, 9)), ((0x8100, 7), (0x8100, 9), (0x8100, 11)), ((0x9100, 7),)):
        yield tagged(plain, *tags)
    yield tagged(plain, (0x8100, 7))[:17]
    for n in (14, 15, 20, 33, 34, 40, 41, 42, len(plain) - 4):
        yield plain[:n]
    yield plain + b'behind' * 9
    big = udp(601, b'y' * 1000)
    for ident, pieces in enumerate((((0, 400), (400, 400), (800, 208)), ((800, 208), (400, 400), (0, 400)),
                                    ((0, 400), (392, 400), (792, 216)), ((0, 16), (8, 400), (408, 600)),
                                    ((0, 8), (8, 1000)), ((0, 400), (800, 208)),
                                    ((0, 400), (400, 400), (400, 400), (800, 208)))):
        for at, n in pieces:
            yield ip(17, big[at:at + n], ident=100 + ident, more=at + n < len(big), offset=at)
    # Of a line that is not inspected each piece is judged by itself.
    yield ip(132, bytes(48), ident=120, more=1)
    for flags in range(64):
        yield ip(6, tcp(1000 + flags, flags))
    yield ip(6, tcp(2000, 2, 5001))
    yield ip(6, tcp(2000, 0x18, 5001, 0xabcdef01, 7, b'far outside of the window'))
    yield ip(17, udp(602), options=b'\x83\x07\x04\x0a\0\0\1\0')
    yield ip(17, udp(603), options=b'\x44\x05\x05\0\0\0\0\0')
    yield ip(17, udp(67, dport=53))
    yield ip6(17, udp(67, dport=53))
    for n in (0, 1, 7, 8, 9, 60, 65535):
        yield ip(17, udp(604 + n % 64, length=n))
    for n in (19, 20, 27, 28, 40, 1500):
        yield ip(17, udp(670 + n % 64), total=n)
    for proto in (0, 1, 2, 4, 41, 47, 50, 51, 103, 132, 255):
        yield ip(proto, bytes(40))
    for kind in (0, 60, 1500, 0x600, 0x806, 0x8035, 0x8863, 0x8847, 0x88cc, 0x888e, 0x893a, 0xffff):
        yield ether(kind, b'\xaa' * 50)
        yield bytes.fromhex('0180c2000000') + ether(kind, b'\x42\x42\x03' + bytes(43))[6:]
        yield tagged(bytes.fromhex('0180c2000003') + ether(kind, bytes(46))[6:], (0x8100, 1), (0x8100, 2), (0x8100, 3))
    for src in ('127.0.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.1', s, '10.92.0.12'):
        yield ip(17, udp(605), src=src)
    for dst in ('127.0.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.1', d, '10.92.0.255'):
        yield ip(17, udp(606), dst=dst)
    for headers in ([], [0], [60], [0, 60], [43], [0, 60, 43], [60, 60], [0, 0], [60] * 8, [60] * 12, [44], [51], [59],
                    [0, 44, 60], [139]):
        yield ip6(*chain(headers, udp(700)))
    for n in (4, 11, 12, 13, 65535):
        yield ip6(17, udp(607), n)
    for kind in (1, 2, 3, 128, 129, 130, 131, 133, 134, 135, 136, 137, 143):
        yield ip6(58, struct.pack('>BBHI', kind, 0, 0, 0) + ipaddress.ip_address('fe80::77').packed + b'\2\1' + dev)


class Dice:
    """Anything that anybody might send, mostly nearly right."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.sent = 0

    def one(self, *of):
        return self.r.choice(of)

    def rarely(self, often=0.06):
        return self.r.random() < often

    def mark(self):
        self.sent += 1
        return b'No. %d' % self.sent

    def ends(self):
        if self.rarely(0.5):
            return 0, self.one(WARD, WARD, WARD, WARD, STRANGER, HOSPITAL), self.one(HOSPITAL, HOSPITAL, EVERYBODY)
        return 1, self.one(HOSPITAL, HOSPITAL, HOSPITAL, STRANGER, WARD), self.one(WARD, WARD, WARD, EVERYBODY)

    def arp(self, sender):
        who = self.one(sender, sender, WARD, HOSPITAL, STRANGER)
        head = self.one(*[(1, 0x800, 6, 4)] * 8, (6, 0x800, 6, 4), (1, 0x86dd, 6, 4), (1, 0x800, 8, 4), (1, 0x800, 6, 16))
        body = struct.pack('>HHBBH', *head, self.one(1, 1, 2, 2, 0, 9)) + self.one(sender, who)[0]
        body += socket.inet_aton(self.one(who[1], '0.0.0.0', '127.0.0.1')) + self.one(bytes(6), WARD[0], EVERYBODY[0])
        return body + socket.inet_aton(self.one(who[1], WARD[1], HOSPITAL[1], '10.92.0.99')) + self.mark()

    def icmp(self, six, src, dst):
        if six:
            kind = self.one(1, 2, 128, 129, 130, 133, 134, 135, 135, 136, 136, 137, 143)
            body = ipaddress.ip_address(self.one(src, dst, 'fe80::77')).packed * (2 if kind == 137 else 1)
            body += self.one(b'', b'\1\1' + STRANGER[0], b'\2\1' + STRANGER[0], b'\1\0' + WARD[0], b'\3\4' + bytes(30))
        else:
            kind = self.one(0, 3, 3, 5, 5, 8, 8, 9, 11, 12, 13, 17)
            body = v4(self.one(6, 17), udp(5000, b'', dport=600), dst, src) + self.mark()
        return 58 if six else 1, struct.pack('>BBHI', kind, 0, 0, self.r.randrange(3)) + body

    def transport(self, six, src, dst):
        kind = self.r.random()
        ports = [self.one(600, 601, 67, 68, 40000), self.one(5000, 5000, 53, 80, 5001, 445, 0, 547)]
        if self.rarely(0.3):
            ports.reverse()
        data = self.mark() * self.one(1, 1, 20)
        if kind < 0.45:
            return 17, udp(ports[0], data, None if not self.rarely() else self.one(0, 7, 8, 65535), ports[1])
        if kind < 0.7:
            numbers = self.one(1, 2, 100, 2**32 - 1), self.one(0, 1, 2)
            return 6, tcp(ports[0], self.one(2, 2, 16, 18, 24, 24, 4, 17, 0, 63), ports[1], *numbers, data)
        if kind < 0.9:
            return self.icmp(six, src, dst)
        return self.one(0, 2, 4, 41, 47, 50, 132, 132, 253), bytes(40) + self.mark()

    def network(self, sender, receiver):
        six = self.rarely(0.4)
        column = self.one(2, 3, 3) if six else 1
        src, dst = sender[column], receiver[column]
        odd = '127.0.0.1', '0.0.0.0', '224.0.0.9', '10.92.0.12', '8.8.8.8'
        if six:
            odd = '::1', '::', 'ff02::9', 'fd92::12', '::ffff:10.92.0.11'
        src = self.one(*odd) if self.rarely() else src
        dst = self.one(*odd) if self.rarely() else dst
        proto, body = self.transport(six, src, dst)
        if six:
            if self.rarely(0.2):
                proto, body = chain([self.one(0, 43, 44, 51, 59, 60, 139) for _ in range(self.one(1, 1, 2, 9))], body, proto)
            return 0x86dd, v6(proto, body, src, dst, self.one(0, 7, 65535) if self.rarely() else None, self.one(255, 64))
        options = self.one(b'\x83\x07\x04\x0a\0\0\1\0', b'\x83\0\0\0', b'\x94\x04\0\0', bytes(4)) if self.rarely() else b''
        more = {'total': self.one(19, 27, 1500)} if self.rarely() else {}
        if self.rarely():
            more.update(offset=self.one(8, 1480, 65528), more=self.one(0, 1))
        return 0x800, v4(proto, body, src, dst, self.r.randrange(65536), options=options, **more)

    def frame(self):
        side, sender, receiver = self.ends()
        kind = self.r.random()
        to = receiver[0]
        if kind < 0.8:
            ethertype, body = self.network(sender, receiver)
        elif kind < 0.9:
            ethertype, body = 0x806, self.arp(sender)
        else:
            to = self.one(to, bytes.fromhex('0180c2000003'), bytes.fromhex('01000ccccccc'), bytes.fromhex('01005e0000fb'))
            ethertype = self.one(0x88cc, 0x888e, 0x88f7, 0x0842, 0x8847, 40, 0x8137)
            body = b'\x42\x42\x03' + bytes(43) + self.mark()
        frame = to + sender[0] + struct.pack('>H', ethertype) + body
        if self.rarely(0.12):
            for _ in range(self.one(1, 1, 2, 3)):
                frame = tagged(frame, (self.one(0x8100, 0x8100, 0x88a8), self.one(0, 7, 4095, 0xe000)))
        if self.rarely():
            frame = frame[:self.r.randrange(14, len(frame))]
        return side, frame


def frames():
    """(0 from the ward or 1 from the hospital, frame), each once"""
    seen = {}
    for side, ends in enumerate(((WARD, HOSPITAL), (HOSPITAL, WARD))):
        for frame in fixed(*ends):
            seen.setdefault((side, frame))
    dice = Dice(int(os.environ.get('SEED', '1')))
    for _ in range(RANDOM):
        seen.setdefault(dice.frame())
    return list(seen)


def write(path):
    """As pcapng, whose interfaces are called as the gateway's ports are."""
    def block(kind, body):
        size = struct.pack('<I', len(body) + 12)
        return struct.pack('<I', kind) + size + body + size

    with open(path, 'wb') as f:
        f.write(block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1)))
        for name in (b'w0', b'h0'):
            options = struct.pack('<HH4s', 2, 2, name) + struct.pack('<HH4s', 9, 1, b'\x09') + bytes(4)
            f.write(block(1, struct.pack('<HHI', 1, 0, 65535) + options))
        for i, (side, frame) in enumerate(frames()):
            at = BEGIN + i * STEP
            head = struct.pack('<IIIII', side, at >> 32, at & 0xffffffff, len(frame), len(frame))
            f.write(block(6, head + frame + bytes(-len(frame) % 4)))


def plug(prefix, space):
    """A socket at that machine's port."""
    ALL, AUXDATA, PACKET = 3, 8, 263
    enter(prefix, space)
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
    s.bind(('e0', ALL))
    s.setsockopt(PACKET, AUXDATA, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.setblocking(False)
    return s


def heard(s):
    OUTGOING = 4
    while True:
        try:
            frame, extra, _, who = s.recvmsg(65536, 64)
        except BlockingIOError:
            return
        if who[2] == OUTGOING:
            continue
        for _, _, aux in extra:  # the kernel puts the outer tag beside the frame
            status, _, _, _, _, tci, tpid = struct.unpack('IIIHHHH', aux[:20])
            if status & 0x10:
                frame = frame[:12] + struct.pack('>HH', tpid, tci) + frame[12:]
        yield frame


def anonymous(frame):
    """Without what tells a datagram's pieces from another's: they are given a fresh one (doc/adr/0007)."""
    at = 12
    while frame[at:at + 2] in (b'\x81\0', b'\x88\xa8'):
        at += 4
    kind, at = frame[at:at + 2], at + 2
    if kind == b'\x08\0' and len(frame) >= at + 20 and (frame[at + 6] << 8 | frame[at + 7]) & 0x3fff:
        return frame[:at + 4] + bytes(2) + frame[at + 6:at + 10] + bytes(2) + frame[at + 12:]
    following, at = at + 6, at + 40
    while kind == b'\x86\xdd' and len(frame) >= at + 8 and frame[following] in (0, 43, 60):
        following, at = at, at + 8 * (frame[at + 1] + 1)
    if kind == b'\x86\xdd' and len(frame) >= at + 8 and frame[following] == 44:
        return frame[:at + 4] + bytes(4) + frame[at + 8:]
    return frame


def play(prefix, read):
    ports = plug(prefix, 'mon'), plug(prefix, 'hos')
    with open(read) as f:
        awaited = {(int(line) - BEGIN) // STEP for line in f}
    number, pieces = {}, {}
    for i, (side, frame) in enumerate(frames()):
        number[side, frame] = i
        if frame != anonymous(frame):
            pieces.setdefault((side, anonymous(frame)), []).append(i)
    arrived, sent = [], -1

    def known(side, frame):
        """Of pieces that are alike the one that was sent last: a datagram passes when its last one has come."""
        alike = [i for i in pieces.get((side, anonymous(frame)), ()) if i <= sent and i not in arrived]
        return number.get((side, frame), alike[-1] if alike else 'altered ' + frame.hex())

    def listen(limit, until=None):
        end = time.time() + limit
        while time.time() < end and until not in arrived:
            for side in 0, 1:
                for frame in heard(ports[side]):
                    arrived.append(known(1 - side, frame))
            time.sleep(0.0002)

    for (side, frame), sent in number.items():
        ports[side].send(frame)
        listen(0.02 if sent in awaited else 0.002, sent)
    listen(0.5)
    for what in arrived:
        print(what)


if __name__ == '__main__':
    {'write': write, 'play': play, 'count': lambda: print(len(frames()))}[sys.argv[1]](*sys.argv[2:])
