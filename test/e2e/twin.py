#!/usr/bin/env python3
"""twin.py send IFACE SIDE     frames that tell two readers of headers apart, one a millisecond
   twin.py hear IFACE SECONDS  a line for every frame that others sent, VLAN tags in place, sorted

SIDE is ward or hospital: the same frames, with sender and receiver exchanged.
"""
import ipaddress
import socket
import struct
import sys
import time

WARD = bytes.fromhex('020000920011'), '10.92.0.11', 'fe80::92:11'
HOSPITAL = bytes.fromhex('020000920001'), '10.92.0.1', 'fe80::92:1'
(DEV, D, D6), (SRV, S, S6) = (WARD, HOSPITAL) if sys.argv[-1] == 'ward' else (HOSPITAL, WARD)


def checksum(data):
    total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ether(kind, body):
    return SRV + DEV + struct.pack('>H', kind) + body


def ipv4(proto, body, src=D, dst=S, ident=1, more=0, offset=0, total=None, options=b''):
    head = struct.pack('>BBHHHBBH4s4s', 0x45 + len(options) // 4, 0, total or 20 + len(options) + len(body), ident,
                       more << 13 | offset // 8, 64, proto, 0, socket.inet_aton(src), socket.inet_aton(dst)) + options
    return ether(0x800, head[:10] + struct.pack('>H', checksum(head)) + head[12:] + body)


def udp(sport, data=b'vital signs', length=None):
    return struct.pack('>HHHH', sport, 5000, length if length is not None else 8 + len(data), 0) + data


def tcp(sport, flags):
    return struct.pack('>HHIIBBHHH', sport, 80, 1, 0, 0x50, flags, 8192, 0, 0)


def ipv6(proto, body, length=None):
    src, dst = ipaddress.ip_address(D6).packed, ipaddress.ip_address(S6).packed
    return ether(0x86dd, struct.pack('>IHBB', 6 << 28, length or len(body), proto, 255) + src + dst + body)


def tagged(frame, *tags):
    return frame[:12] + b''.join(struct.pack('>HH', *t) for t in tags) + frame[12:]


def chain(headers):
    body, proto = udp(700), 17
    for h in reversed(headers):
        body = {44: struct.pack('>BBHI', proto, 0, 0, 5), 51: struct.pack('>BBHIII', proto, 2, 0, 1, 1, 0),
                43: struct.pack('>BBBBI', proto, 0, 0, 0, 0)}.get(h, struct.pack('>BBHI', proto, 0, 0x104, 0)) + body
        proto = h
    return ipv6(proto, body)


def frames():
    plain = ipv4(17, udp(600))
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
            yield ipv4(17, big[at:at + n], ident=100 + ident, more=at + n < len(big), offset=at)
    for flags in range(64):
        yield ipv4(6, tcp(1000 + flags, flags))
    yield ipv4(17, udp(602), options=b'\x83\x07\x04\x0a\0\0\1\0')
    yield ipv4(17, udp(603), options=b'\x44\x05\x05\0\0\0\0\0')
    for n in (0, 1, 7, 8, 9, 60, 65535):
        yield ipv4(17, udp(604 + n % 64, length=n))
    for n in (19, 20, 27, 28, 40, 1500):
        yield ipv4(17, udp(670 + n % 64), total=n)
    for proto in (0, 1, 2, 4, 41, 47, 50, 51, 103, 132, 255):
        yield ipv4(proto, bytes(40))
    for kind in (0, 60, 1500, 0x600, 0x806, 0x8035, 0x8863, 0x8847, 0x88cc, 0x888e, 0x893a, 0xffff):
        yield ether(kind, b'\xaa' * 50)
        yield bytes.fromhex('0180c2000000') + ether(kind, b'\x42\x42\x03' + bytes(43))[6:]
    for src in ('127.0.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.1', S, '10.92.0.12'):
        yield ipv4(17, udp(605), src=src)
    for dst in ('127.0.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.1', D, '10.92.0.255'):
        yield ipv4(17, udp(606), dst=dst)
    for headers in ([], [0], [60], [0, 60], [43], [0, 60, 43], [60, 60], [0, 0], [60] * 8, [60] * 12, [44], [51], [59],
                    [0, 44, 60], [139]):
        yield chain(headers)
    for n in (4, 11, 12, 13, 65535):
        yield ipv6(17, udp(607), n)
    for kind in (1, 2, 3, 128, 129, 130, 131, 133, 134, 135, 136, 137, 143):
        yield ipv6(58, struct.pack('>BBHI', kind, 0, 0, 0) + ipaddress.ip_address('fe80::77').packed + b'\2\1' + DEV)


def send(iface, _side):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((iface, 0))
    for frame in frames():
        s.send(frame)
        time.sleep(0.001)


def hear(iface, seconds):
    ALL, AUXDATA, OUTGOING = 3, 8, 4
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
    s.bind((iface, ALL))
    s.setsockopt(263, AUXDATA, 1)  # SOL_PACKET
    s.settimeout(0.2)
    heard, end = [], time.time() + seconds
    print('ready', file=sys.stderr, flush=True)
    while time.time() < end:
        try:
            frame, extra, _, who = s.recvmsg(65536, 64)
        except TimeoutError:
            continue
        if who[2] == OUTGOING:
            continue
        for _, _, aux in extra:  # the kernel puts the outer tag beside the frame
            status, _, _, _, _, tci, tpid = struct.unpack('IIIHHHH', aux[:20])
            if status & 0x10:
                frame = frame[:12] + struct.pack('>HH', tpid, tci) + frame[12:]
        heard.append(frame.hex())
    print('\n'.join(sorted(heard)))


if __name__ == '__main__':
    if sys.argv[1] == 'send':
        send(*sys.argv[2:])
    else:
        hear(sys.argv[2], float(sys.argv[3]))
