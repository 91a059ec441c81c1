#!/usr/bin/env python3
"""Writes the captures that no well-behaved program would make, and merges
recordings into pcapng.

usage: test/pcap/make.py             every hand-made case
       test/pcap/make.py merge OUT WAITED_NS NAME PCAP [NAME PCAP]...
"""
import math
import os
import random
import struct
import sys

sys.path.append(sys.path[0] + '/..')
from inet import checksum  # noqa: E402

os.chdir(os.path.dirname(os.path.abspath(__file__))) if __name__ == '__main__' and len(sys.argv) == 1 else None
START = 1700000000 * 10**9  # when hand-made captures begin
ETHERNET, RAW, SLL, SLL2 = 1, 101, 113, 276
DEV, EVIL, SRV = bytes.fromhex('0009fb010203'), bytes.fromhex('020000000066'), bytes.fromhex('020000000005')
DEV_IP, EVIL_IP, SRV_IP = '10.9.1.12', '10.9.1.66', '10.9.0.5'


def ip4(text):
    return bytes(int(n) for n in text.split('.'))


def ipv4(src, dst, proto, body, ident=1, more=False, offset=0, total=None, options=b''):
    head = struct.pack('>BBHHHBBH4s4s', 0x40 | 5 + len(options) // 4, 0,
                       20 + len(options) + len(body) if total is None else total,
                       ident, (0x2000 if more else 0) | offset // 8, 64, proto, 0,
                       ip4(src), ip4(dst)) + options
    return head[:10] + struct.pack('>H', checksum(head)) + head[12:] + body


def pseudo(src, dst, proto, length):
    return ip4(src) + ip4(dst) + struct.pack('>BBH', 0, proto, length)


def udp(src, dst, sport, dport, data, length=None):
    seg = struct.pack('>HHHH', sport, dport, 8 + len(data) if length is None else length, 0) + data
    return seg[:6] + struct.pack('>H', checksum(pseudo(src, dst, 17, len(seg)) + seg) or 0xffff) + seg[8:]


def tcp(src, dst, sport, dport, seq, ack, flags, data=b''):
    seg = struct.pack('>HHIIBBHHH', sport, dport, seq, ack, 0x50, flags, 8192, 0, 0) + data
    return seg[:16] + struct.pack('>H', checksum(pseudo(src, dst, 6, len(seg)) + seg)) + seg[18:]


def ether(src, dst, kind, body):
    return dst + src + struct.pack('>H', kind) + body


def arp(op, sender_mac, sender_ip, target_mac, target_ip, src=None, dst=None):
    return ether(src or sender_mac, dst or (b'\xff' * 6 if op == 1 else target_mac), 0x806,
                 struct.pack('>HHBBH', 1, 0x800, 6, 4, op) + sender_mac + ip4(sender_ip) +
                 target_mac + ip4(target_ip))


def udp_frame(src_mac, dst_mac, src, dst, sport, dport, data):
    return ether(src_mac, dst_mac, 0x800, ipv4(src, dst, 17, udp(src, dst, sport, dport, data)))


def tcp_frame(src_mac, dst_mac, src, dst, *rest):
    return ether(src_mac, dst_mac, 0x800, ipv4(src, dst, 6, tcp(src, dst, *rest)))


def talk(src_mac, dst_mac, src, dst, sport, dport, data):
    """A whole TCP conversation of seven packets."""
    there, back = (src_mac, dst_mac, src, dst, sport, dport), (dst_mac, src_mac, dst, src, dport, sport)
    n = 101 + len(data)
    return [tcp_frame(*there, 100, 0, 2), tcp_frame(*back, 500, 101, 18),
            tcp_frame(*there, 101, 501, 16), tcp_frame(*there, 101, 501, 24, data),
            tcp_frame(*back, 501, n, 17), tcp_frame(*there, n, 502, 17),
            tcp_frame(*back, 502, n + 1, 16)]


def pcap(case, frames, link=ETHERNET, nano=False, snap=None, cut=0, step=10**7):
    """frames: bytes, or (bytes, length on the wire)."""
    out = struct.pack('<IHHiIII', 0xa1b23c4d if nano else 0xa1b2c3d4, 2, 4, 0, 0, snap or 262144, link)
    for i, frame in enumerate(frames):
        data, wire = frame if isinstance(frame, tuple) else (frame, len(frame))
        data = data[:snap] if snap else data
        ns = START + i * step + (7 if nano else 0)
        out += struct.pack('<IIII', ns // 10**9, ns % 10**9 // (1 if nano else 1000), len(data), wire) + data
    write(case, out[:len(out) - cut])


def write(case, data):
    case = os.path.dirname(case) if case.endswith('/input.pcap') else case
    os.makedirs(case, exist_ok=True)
    with open(case + '/input.pcap', 'wb') as f:
        f.write(data)


def block(kind, body):
    body += b'\0' * (-len(body) % 4)
    return struct.pack('<II', kind, len(body) + 12) + body + struct.pack('<I', len(body) + 12)


def option(code, value):
    return struct.pack('<HH', code, len(value)) + value + b'\0' * (-len(value) % 4)


def pcapng(case, interfaces, packets):
    """interfaces: (name, link type); packets: (interface, ns, bytes, length on the wire)."""
    out = block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1))
    for name, link in interfaces:
        options = (option(2, name.encode()) if name else b'') + option(9, b'\x09') + option(0, b'')
        out += block(1, struct.pack('<HHI', link, 0, 0) + options)
    for interface, ns, data, wire in packets:
        out += block(6, struct.pack('<IIIII', interface, ns >> 32, ns & 0xffffffff, len(data), wire) + data)
    write(case, out)


def ports(case, frames, step=10**7):
    """A capture at the gateway: (0 ward | 1 hospital, frame)."""
    pcapng(case, [('eth1', ETHERNET), ('eth0', ETHERNET)],
           [(side, START + i * step, data, len(data)) for i, (side, data) in enumerate(frames)])


def read_nano(path):
    with open(path, 'rb') as f:
        data = f.read()
    at = 24
    while at + 16 <= len(data):
        s, ns, have, wire = struct.unpack('<IIII', data[at:at + 16])
        yield s * 10**9 + ns, data[at + 16:at + 16 + have], wire
        at += 16 + have


def merge(out, waited_ns, *pairs):
    """What came after that moment, if it is one, comes an hour later: nobody is to sit through it."""
    names, files, waited = pairs[::2], pairs[1::2], int(waited_ns)
    packets = sorted((ns + (3600 * 10**9 if waited and ns > waited else 0), i, data, wire)
                     for i, f in enumerate(files) for ns, data, wire in read_nano(f))
    pcapng(out, [(n, ETHERNET) for n in names], [(i, ns, data, wire) for ns, i, data, wire in packets])


def sll(src, body, kind=0x800):
    return struct.pack('>HHH', 0, 1, 6) + src + b'\0\0' + struct.pack('>H', kind) + body


def sll2(src, body, kind=0x800):
    return struct.pack('>HHIHBB', kind, 0, 3, 1, 0, 6) + src + b'\0\0' + body


def pieces(case, parts, ident=77):
    """parts: (offset, more, bytes) of one UDP datagram from the device to the server."""
    return pcap(case, [ether(DEV, SRV, 0x800, ipv4(DEV_IP, SRV_IP, 17, data, ident, more, offset))
                       for offset, more, data in parts])


def fragments():
    whole = udp(DEV_IP, SRV_IP, 5000, 24105, bytes(range(64)) * 3)
    pieces('fragments-good', [(0, True, whole[:80]), (160, False, whole[160:]), (80, True, whole[80:160])])
    pieces('fragments-overlap', [(0, True, whole[:80]), (72, True, b'\xee' * 88), (160, False, whole[160:])])
    pieces('fragments-missing', [(0, True, whole[:80]), (160, False, whole[160:])])
    pieces('fragments-too-big', [(0, True, whole[:80]), (65528, False, b'\xee' * 80)])


def ipv6_extensions():
    src, dst = bytes.fromhex('fd000009' + '0' * 22 + '12'), bytes.fromhex('fd000009' + '0' * 22 + '05')

    def frame(next_header, body):
        return ether(DEV, SRV, 0x86dd, struct.pack('>IHBB', 6 << 28, len(body), next_header, 64) + src + dst + body)

    def datagram(data):
        seg = struct.pack('>HHHH', 5000, 24105, 8 + len(data), 0) + data
        sum_ = checksum(src + dst + struct.pack('>IHBB', len(seg), 0, 0, 17) + seg)
        return seg[:6] + struct.pack('>H', sum_) + seg[8:]

    padn = bytes([1, 4, 0, 0, 0, 0])
    body = datagram(b'numerics')
    half = bytes([17, 0]) + padn + body
    pcap('ipv6-extensions', [
        frame(17, body),
        frame(0, bytes([60, 0]) + padn + bytes([17, 0]) + padn + body),  # hop-by-hop, destination
        frame(60, bytes([0, 0]) + padn + bytes([17, 0]) + padn + body),  # hop-by-hop not first
        frame(43, bytes([17, 2, 0, 1]) + b'\0' * 4 + dst + body),        # routing type 0
        frame(44, struct.pack('>BBHI', 17, 0, 1, 9) + body[:8]),         # a first fragment
        frame(44, struct.pack('>BBHI', 17, 0, 8, 9) + body[8:]),         # and its last
        frame(44, struct.pack('>BBHI', 17, 0, 0, 10) + body),            # atomic (RFC 6946)
        frame(60, half[:3]),                                            # cut inside an extension
    ])


def dhcp6():
    """Who may serve DHCPv6: on one link everybody speaks from a link-local address (RFC 8415)."""
    def link_local(mac):
        return bytes.fromhex('fe80' + '00' * 6) + bytes([mac[0] ^ 2]) + mac[1:3] + b'\xff\xfe' + mac[3:]

    def frame(src_mac, dst_mac, dst, sport, dport, kind):
        data = bytes([kind]) + b'\1\2\3' + struct.pack('>HH', 1, 10) + b'\0\3\0\1' + DEV
        src = link_local(src_mac)
        seg = struct.pack('>HHHH', sport, dport, 8 + len(data), 0) + data
        seg = seg[:6] + struct.pack('>H', checksum(src + dst + struct.pack('>II', len(seg), 17) + seg)) + seg[8:]
        return ether(src_mac, dst_mac, 0x86dd, struct.pack('>IHBB', 6 << 28, len(seg), 17, 64) + src + dst + seg)

    servers, group = bytes.fromhex('ff02' + '00' * 11 + '010002'), bytes.fromhex('333300010002')
    device, other = link_local(DEV), bytes.fromhex('020000000077')
    ports('dhcp6', [
        (WARD, frame(DEV, group, servers, 546, 547, 1)),       # Solicit
        (HOSPITAL, frame(SRV, DEV, device, 547, 546, 2)),      # Advertise, from the server's hardware address,
        (HOSPITAL, frame(other, DEV, device, 547, 546, 2)),    # from another's in the hospital,
        (WARD, frame(EVIL, DEV, device, 547, 546, 2)),         # and from somebody's in the ward
        (WARD, frame(DEV, group, servers, 546, 547, 3)),       # Request
        (HOSPITAL, frame(SRV, DEV, device, 547, 546, 7)),      # Reply
    ])


def dhcp_parts():
    """Options in parts (RFC 3396), and offers from ports of which clients do not care."""
    def message(op, options, yours='0.0.0.0'):
        return struct.pack('>BBBBIHH', op, 1, 6, 0, 7, 0, 0) + bytes(4) + ip4(yours) + bytes(8) + DEV + bytes(10) + \
            b'\x0c\x02-3\xff'.ljust(64, b'\0') + b'\x0c\x02-2\xff'.ljust(128, b'\0') + b'\x63\x82\x53\x63' + options

    everybody, offer = b'\xff' * 6, b'\x35\x01\x02\x36\x04' + ip4(SRV_IP) + b'\x03\x04' + ip4(EVIL_IP) + b'\xff'
    ask = b'\x35\x01\x01\x34\x01\x03\x0c\x03bed\x3c\x04Pump\x0c\x01-\x0c\x011\x3c\x04 300\xff'
    ports('dhcp-parts', [
        (WARD, udp_frame(DEV, everybody, '0.0.0.0', '255.255.255.255', 68, 67, message(1, ask))),
        (HOSPITAL, udp_frame(SRV, DEV, SRV_IP, DEV_IP, 6767, 68, message(2, offer, DEV_IP))),
        (HOSPITAL, udp_frame(EVIL, DEV, EVIL_IP, DEV_IP, 6767, 68, message(2, offer, DEV_IP))),
        (WARD, udp_frame(EVIL, DEV, EVIL_IP, DEV_IP, 6767, 68, message(2, offer, DEV_IP))),
        (HOSPITAL, udp_frame(SRV, DEV, SRV_IP, DEV_IP, 6767, 68, b'no DHCP')),
    ])


def links():
    packets = [ipv4(a, b, 17, udp(a, b, s, d, b'reading'), i) for i, (a, b, s, d) in enumerate(
        [(DEV_IP, SRV_IP, 5000, 24105), (SRV_IP, DEV_IP, 24105, 5000), (DEV_IP, SRV_IP, 5000, 24105)])]
    pcap('link-raw', packets, RAW)
    pcap('link-sll', [sll(DEV, p) for p in packets], SLL)
    pcap('link-sll2', [sll2(DEV, p) for p in packets], SLL2)
    there, back = packets[0], packets[1]
    whole = udp(SRV_IP, DEV_IP, 24105, 5000, bytes(range(64)) * 3)
    parts = [ipv4(SRV_IP, DEV_IP, 17, whole[o:o + 104], 9, o == 0, o) for o in (0, 104)]
    judged = [(DEV, there), (SRV, back), (SRV, parts[0]), (SRV, parts[1]), (EVIL, there), (SRV, ipv4(SRV_IP, EVIL_IP, 17, whole))]
    pcap('link-sll-judged', [sll(src, p) for src, p in judged], SLL)
    pcap('link-sll2-judged', [sll2(src, p) for src, p in judged], SLL2)
    pcapng('pcapng-mixed', [('', ETHERNET), ('', RAW), ('', SLL), ('', SLL2)],
           [(0, START, ether(DEV, SRV, 0x800, packets[0]), 60), (1, START + 10**6, packets[1], len(packets[1])),
            (2, START + 2 * 10**6 + 1, sll(DEV, packets[2]), 59), (3, START + 3 * 10**6, sll2(SRV, packets[1]), 63)])


def tagged():
    web = talk(DEV, SRV, DEV_IP, SRV_IP, 40000, 80, b'GET / HTTP/1.1\r\nHost: pacs\r\n\r\n')
    one, two = struct.pack('>HH', 0x8100, 42), struct.pack('>HHHH', 0x88a8, 100, 0x8100, 7)
    pcap('vlan', [f[:12] + one + f[12:] for f in web] + web)
    pcap('qinq', [f[:12] + two + f[12:] for f in web] + [web[0][:12] + two + one + web[0][12:]])


def files():
    web = talk(DEV, SRV, DEV_IP, SRV_IP, 40000, 80, b'GET / HTTP/1.1\r\nHost: pacs\r\n\r\n' + b'x' * 400)
    pcap('nanosecond', web, nano=True)
    pcap('short-snap', [(f, len(f)) for f in web], snap=60)
    pcap('truncated-file', web, cut=11)


def headers():
    data = udp(DEV_IP, SRV_IP, 5000, 24105, b'reading')
    bad = ipv4(DEV_IP, SRV_IP, 17, data)
    pcap('bad-headers', [
        ether(DEV, SRV, 0x800, ipv4(DEV_IP, SRV_IP, 17, data, total=300)),
        ether(DEV, SRV, 0x800, ipv4(DEV_IP, SRV_IP, 17, data, total=12)),
        ether(DEV, SRV, 0x800, bad[:10] + b'\xde\xad' + bad[12:]),
        ether(DEV, SRV, 0x800, b'\x42' + bad[1:]),
        ether(DEV, SRV, 0x800, b'\x55' + bad[1:]),
        ether(DEV, SRV, 0x800, ipv4(DEV_IP, DEV_IP, 17, data)),
        ether(DEV, SRV, 0x800, ipv4('224.0.0.5', SRV_IP, 17, data)),
        ether(DEV, SRV, 0x800, ipv4(DEV_IP, SRV_IP, 17, udp(DEV_IP, SRV_IP, 5000, 24105, b'reading', length=900))),
        ether(DEV, SRV, 0x800, ipv4(DEV_IP, SRV_IP, 17, data, options=bytes([131, 7, 4, 10, 0, 0, 1, 0]))),
        tcp_frame(DEV, SRV, DEV_IP, SRV_IP, 0, 80, 1, 0, 2),
        tcp_frame(DEV, SRV, DEV_IP, SRV_IP, 4000, 80, 1, 0, 3),
        ether(DEV, SRV, 0x806, b'\0\1\x08\0\6'),
        ether(DEV, SRV, 0x8100, b'\0'),
        DEV,
    ])


WARD, HOSPITAL = 0, 1


def judged():
    vitals = [(WARD, udp_frame(DEV, SRV, DEV_IP, SRV_IP, 24105, 24105, b'numerics %d' % i)) for i in range(5)]
    reply = (HOSPITAL, udp_frame(SRV, DEV, SRV_IP, DEV_IP, 24105, 24105, b'poll'))
    web = talk(DEV, SRV, DEV_IP, '203.0.113.9', 40000, 443, b'\x16\x03\x01\x00\x05hello')
    out = [(WARD if f[6:12] == DEV else HOSPITAL, f) for f in web]
    mixed = vitals[:3] + [reply] + out + vitals[3:]
    for case in ('policy-enforce', 'policy-enforce-inline', 'policy-simulate', 'policy-observe'):
        ports(case, mixed)
    pcap('policy-no-ports', [f for _, f in mixed])

    spoof = [(WARD, arp(1, DEV, DEV_IP, b'\0' * 6, SRV_IP)), (HOSPITAL, arp(2, SRV, SRV_IP, DEV, DEV_IP))]
    for _ in range(5):
        spoof += [(WARD, arp(2, EVIL, SRV_IP, DEV, DEV_IP)), (WARD, arp(2, EVIL, DEV_IP, SRV, SRV_IP))]
    spoof += [(WARD, udp_frame(EVIL, SRV, DEV_IP, SRV_IP, 24105, 24105, b'flatline'))] * 3
    spoof += [(HOSPITAL, udp_frame(DEV, SRV, DEV_IP, SRV_IP, 24105, 24105, b'from the wrong side'))]
    spoof += [(HOSPITAL, udp_frame(EVIL, SRV, DEV_IP, SRV_IP, 24105, 24105, b'a stolen address there'))]
    ports('arp-spoof', spoof)
    ports('arp-spoof-report', spoof)

    detours = [bytes([131, 7, 4, 10, 0, 0, 1, 0]), bytes([1, 1, 137, 7, 4, 10, 0, 0, 1, 0, 0, 0])]
    data = udp(DEV_IP, SRV_IP, 24105, 24105, b'numerics')
    ports('source-route', vitals[:1] + [(WARD, ether(DEV, SRV, 0x800, ipv4(DEV_IP, SRV_IP, 17, data, options=o)))
                                        for o in detours] + vitals[3:])

    search = [(WARD, tcp_frame(EVIL, SRV, EVIL_IP, '10.9.2.%d' % i, 50000, 445, 1, 0, 2)) for i in range(1, 31)]
    ask = [(WARD, udp_frame(EVIL, SRV, EVIL_IP, SRV_IP, 40000, 9999, b'?'))]
    ports('stranger-held', ask + search + ask + vitals)


def flood():
    body = [ipv4(EVIL_IP, DEV_IP, 17, udp(EVIL_IP, DEV_IP, 1, 7, b''))] * 10050
    pcap('flood', body, RAW, step=50000)


def mllp(kind, number, more, second=0):
    return ('\vMSH|^~\\&|MON|ICU|AM|ICU|202601310715%02d||%s|%s|P|2.6\r%s\r\x1c\r' % (second, kind, number, more)).encode()


def alerts():
    """Three alerts (IHE PCD-04): one is taken, one refused, one never answered. Two seconds a packet."""
    there, back = (DEV, SRV, DEV_IP, SRV_IP, 40000, 2580), (SRV, DEV, SRV_IP, DEV_IP, 2580, 40000)
    out = [tcp_frame(*there, 100, 0, 2), tcp_frame(*back, 500, 101, 18), tcp_frame(*there, 101, 501, 16)]
    seq, ack = 101, 501
    for number, code in (('1', 'AA'), ('2', 'AE'), ('3', None)):
        data = mllp('ORU^R40^ORU_R40', number, 'OBX|1|CWE|196616^MDC_EVT_ALARM^MDC|1.0.0.0.1|x||||||R')
        out.append(tcp_frame(*there, seq, ack, 24, data))
        seq += len(data)
        if code:
            data = mllp('ACK^R40^ACK', 'A' + number, 'MSA|%s|%s' % (code, number))
            out.append(tcp_frame(*back, ack, seq, 24, data))
            ack += len(data)
    out += [tcp_frame(*back, ack, seq, 16)] * 8
    pcap('alarm-lost', out, step=2 * 10**9)


def observations():
    """Heart rates of two patients by turns (IHE PCD-01): calm ones, and a leap in one of them."""
    there, back = (DEV, SRV, DEV_IP, SRV_IP, 40000, 2575), (SRV, DEV, SRV_IP, DEV_IP, 2575, 40000)
    out = [tcp_frame(*there, 100, 0, 2), tcp_frame(*back, 500, 101, 18), tcp_frame(*there, 101, 501, 16)]
    seq = 101
    for i in range(24):
        rate = (72 + i % 3, 140 + i % 3)[i % 2] if i < 22 else (180, 141)[i % 2]
        data = mllp('ORU^R01^ORU_R01', str(i), 'PID|1||PATIENT-%d||NAME^SECRET\rOBR|1\rOBX|1|NM|147842^MDC_ECG_HEART_RATE'
                    '^MDC|1.1.1.1|%d|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R' % (i % 2, rate))
        out += [tcp_frame(*there, seq, 501, 24, data), tcp_frame(*back, 501, seq + len(data), 16)]
        seq += len(data)
    pcap('numbers-leap', out, step=5 * 10**8)


def forged():
    """Numbers of two patients (IHE PCD-01). Of one the tenth message comes again at last, whole; of the other the heart
    stands still over a pulse that goes on. Ten seconds a message, a minute for the clock on the wire."""
    there, back = (DEV, SRV, DEV_IP, SRV_IP, 40000, 2575), (SRV, DEV, SRV_IP, DEV_IP, 2575, 40000)
    out = [tcp_frame(*there, 100, 0, 2), tcp_frame(*back, 500, 101, 18), tcp_frame(*there, 101, 501, 16)]
    said, seq = [], 101
    for i in range(40):
        rates = (72 + i % 3, 72 + i % 2) if i % 2 else (80 + i % 5 if i < 28 else 0, 80 + i % 3)
        said.append(mllp('ORU^R01^ORU_R01', str(i), 'PID|1||PATIENT-%d||NAME^SECRET\rOBR|1\r' % (i % 2) + '\r'.join(
            'OBX|%d|NM|%s^MDC|1.1.1.1|%d|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R' % line for line in (
                (1, '147842^MDC_ECG_HEART_RATE', rates[0]), (2, '149530^MDC_PULS_OXIM_PULS_RATE', rates[1]))), i))
    for data in said + [said[9]]:
        out += [tcp_frame(*there, seq, 501, 24, data), tcp_frame(*back, 501, seq + len(data), 16)]
        seq += len(data)
    pcap('numbers-forged', out, step=5 * 10**9)


def makers():
    """Numbers of eleven patients, each as another maker's monitor writes them; in seven a number leaps at the end."""
    nobody = 'PID|1||""||^^^^^^U\rPV1|1|I|ICU^^%d\rOBR|1\rOBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC||%%s|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R'
    known = 'PID|1||PATIENT-%d||NAME^SECRET\rOBR|1\r'
    many = ''.join('OBX||NM|0002-%04x^ST%d^MDIL|0|1|0004-0512^mm^MDIL|||||F\r' % (0x0300 + i, i) for i in range(20))
    counts = ''.join('OBX|%d|NM|148066^MDC_ECG_V_P_C_RATE^MDC|1.7.2.%d|1|||||R\r' % (i, i) for i in range(40))
    said = [(nobody % 1, 70, 71), (nobody % 2, 140, 141),
            (known % 3 + 'OBX||NM|0002-4182^HR^MDIL|0|%s|0004-0aa0^bpm^MDIL|||||F', 72, 180),
            (known % 4 + many + 'OBX||NM|0002-4bb8^SpO2^MDIL|0|%s|0004-0220^%%^MDIL|||||F', 97, 70),
            (known % 5 + 'OBX|1|NM|8889-8^Heart rate^LN^149530^MDC_PULS_OXIM_PULS_RATE^MDC|1|%s|{beats}/min^^UCUM|||||R', 80, 200),
            (known % 6 + 'OBX|1|NM|59408-5^SpO2^LN||%s|%%^^UCUM|||||F', 97, 70),
            (known % 7 + 'OBX|1|NM|8310-5^Temp^LN||%s|[degF]^^UCUM|||||F', 98.6, 100.2),
            (known % 8 + 'OBX|1|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.3.1.150456|%s|262688^MDC_DIM_PERCENT^MDC|||||F', 97, -100),
            (known % 9 + 'OBX|1|ST|MDC_PULS_OXIM_SAT_O2|1.1.1.1|%s||||||R', 97, 70),
            (known % 10 + 'OBX|1|NM|HR^Heart Rate||%s|bpm|||||F', 72, 180),
            (known % 11 + counts + 'OBX|41|NM|1^MDC_ECG_HEART_RATE^MDC||%s|1^MDC_DIM_BEAT_PER_MIN^MDC|||||F', 72, 180)]
    there, back = (DEV, SRV, DEV_IP, SRV_IP, 40000, 2575), (SRV, DEV, SRV_IP, DEV_IP, 2575, 40000)
    out = [tcp_frame(*there, 100, 0, 2), tcp_frame(*back, 500, 101, 18), tcp_frame(*there, 101, 501, 16)]
    seq = 101
    for i in range(10):
        for segments, calm, last in said:
            data = mllp('ORU^R01^ORU_R01', str(i), segments % (calm if i < 9 else last))
            out += [tcp_frame(*there, seq, 501, 24, data), tcp_frame(*back, 501, seq + len(data), 16)]
            seq += len(data)
    pcap('numbers-makers', out, step=10**8)


def heart(seed, seconds, rate=125):
    """An ECG in steps of 10 uV and a pleth, second by second: beats 0.8 s apart on the average, each a little on its own."""
    dice, beats, at = random.Random(seed), [], 0.3
    while at < seconds + 2:
        beats.append((at, dice.gauss(1, 0.03)))
        at += 0.8 + 0.04 * math.sin(at / 1.7 + seed) + dice.gauss(0, 0.015)
    hills = ((-0.18, 0.025, 15), (-0.03, 0.01, -12), (0, 0.011, 110), (0.03, 0.01, -20), (0.25, 0.05, 30))

    def value(t, parts, noise):
        near = [(b, size) for b, size in beats if -0.6 < t - b < 1.2]
        return round(sum(size * high * math.exp(-((t - b - late) / wide) ** 2 / 2) for b, size in near for late, wide, high in parts) +
                     dice.gauss(0, noise))

    for second in range(seconds):
        yield ([value(second + i / rate, hills, 0.6) for i in range(rate)],
               [value(second + i / 50, ((0.4, 0.1, 800), (0.65, 0.12, 250)), 3) + 1000 for i in range(50)])


def curves():
    """Curves of four patients (IHE PCD, Waveform Content Module), a second a message. After a minute one's ECG is a flat line,
    another's is what it was twenty seconds before, the third's heart stands still, and the fourth's electrodes are off."""
    there, back = (DEV, SRV, DEV_IP, SRV_IP, 40000, 2575), (SRV, DEV, SRV_IP, DEV_IP, 2575, 40000)
    out = [tcp_frame(*there, 100, 0, 2), tcp_frame(*back, 500, 101, 18), tcp_frame(*there, 101, 501, 16)]
    told, seq = [list(heart(seed, 72)) for seed in range(4)], 101
    for second in range(72):
        text = ''
        for patient, seconds in enumerate(told):
            (ecg, pleth), flag = seconds[second], ''
            if second >= 62:
                ecg = seconds[second - 20][0] if patient == 1 else [0] * 125
                pleth = [1000] * 50 if patient == 2 else pleth
                flag = 'NAV' if patient == 3 else ''
            text += 'PID|1||PATIENT-%d\rOBR|1|||CONTINUOUS WAVEFORM|||2026013107%02d%02d.000\r' % (patient, 15 + second // 60, second % 60)
            for code, samples, rate, flags in (('131330^MDC_ECG_LEAD_II', ecg, 125, flag), ('150452^MDC_PULS_OXIM_PLETH', pleth, 50, '')):
                text += 'OBX|1|NA|%s^MDC|1.1.1.1|%s|||%s|||R\rOBX|2|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.1.1.1.1|%d|264608^MDC_DIM_PER_SEC^MDC|||||R\r' % (
                    code, '^'.join(map(str, samples)), flags, rate)
        data = mllp('ORU^R01^ORU_R01', str(second), text[:-1])
        out += [tcp_frame(*there, seq, 501, 24, data), tcp_frame(*back, 501, seq + len(data), 16)]
        seq += len(data)
    pcap('curves', out, step=5 * 10**8)


def gaps():
    """A capture that lost packets: of every fifth message nothing but what the station confirmed, and the one behind it with it."""
    there, back = (DEV, SRV, DEV_IP, SRV_IP, 40000, 2575), (SRV, DEV, SRV_IP, DEV_IP, 2575, 40000)
    out = [tcp_frame(*there, 100, 0, 2), tcp_frame(*back, 500, 101, 18), tcp_frame(*there, 101, 501, 16)]
    seq = 101
    for i in range(20):
        data = mllp('ORU^R01^ORU_R01', str(i), 'PID|1||PATIENT-1||NAME^SECRET\rOBR|1\rOBX|1|NM|147842^MDC_ECG_HEART_RATE'
                    '^MDC|1.1.1.1|%d|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R' % (72 + i % 3))
        out += [] if i % 5 == 0 else [tcp_frame(*there, seq, 501, 24, data)]
        seq += len(data)
        out += [] if i % 5 == 0 else [tcp_frame(*back, 501, seq, 16)]
    pcap('numbers-gaps', out, step=5 * 10**8)


def udp_sums():
    def line(src, text, port, right):
        seg = udp(src, SRV_IP, port, 514, text)
        if not right:
            seg = seg[:6] + b'\xba\xad' + seg[8:]
        return ether(DEV, SRV, 0x800, ipv4(src, SRV_IP, 17, seg))

    texts = [b'<%d>1 2026-11-27T12:00:00Z pump-1 app - - - line %d' % (14 + 8 * n, n) for n in range(5)]
    pcap('udp-sums', [line(DEV_IP, t, 40001, False) for t in texts] +
         [line(DEV_IP, t, 40002, n != 3) for n, t in enumerate(texts)])


def bacnet_segments():
    """Properties read and written, several at once, in segments of a few bytes; one is said twice, one is missed."""
    there = (SRV, DEV, SRV_IP, DEV_IP, 47808, 47808)
    back = (DEV, SRV, DEV_IP, SRV_IP, 47808, 47808)

    def apdu(head, number, more, choice, part):
        body = bytes([1, 4, (0x0c if more else 8) | (0x30 if len(head) == 1 else 0)]) + head + bytes([number, 4, choice]) + part
        return b'\x81\x0a' + struct.pack('>H', 4 + len(body)) + body

    def segments(ends, head, choice, data, size):
        for number, at in enumerate(range(0, len(data), size)):
            yield udp_frame(*ends, apdu(head, number, at + size < len(data), choice, data[at:at + size]))

    asked = b''.join(struct.pack('>BI', 0x0c, kind << 22 | i) + b'\x1e\x09\x55\x09\x4d\x1f' for i, kind in enumerate((0, 1, 2, 8)))
    told = b''.join(struct.pack('>BI', 0x0c, kind << 22 | i) + b'\x1e\x29\x55\x4e\x44\x3f\x80\0\0\x4f\x29\x4d\x4e\x75\x09\0'
                    b'a name..\x4f\x1f' for i, kind in enumerate((0, 1, 2, 8)))
    written = b''.join(struct.pack('>BI', 0x0c, kind << 22 | i) + b'\x1e\x09\x55\x2e\x44\x3f\x80\0\0\x2f\x39\x08\x1f' for i, kind in enumerate((1, 4)))
    out = list(segments(there, b'\x75\x05', 14, asked, 10)) + list(segments(back, b'\x05', 14, told, 11))
    last = list(segments(there, b'\x75\x06', 16, written, 9))
    pcap('bacnet-segments', out + last)
    first = list(segments(there, b'\x75\x07', 16, written, 9))
    pcap('bacnet-segments-lost', first[:2] + first[1:2] + first[3:] + first[2:])


def hl7_wide():
    """Results in UTF-16 of either order and in UTF-32, then half a character, then an order."""
    out = []
    for i, (kind, encoding, name) in enumerate([
            ('ORU^R01', 'utf-16', 'St\u00e4tion \u0410'), ('ORU^R01', 'utf-16-be', 'A'), ('ORU^R01', 'utf-32', 'A'),
            ('ORU^R01', 'utf-16', '\ud83e'), ('ORM^O01', 'utf-16', 'A')]):
        there = (DEV, SRV, DEV_IP, SRV_IP, 40000 + i, 2575)
        back = (SRV, DEV, SRV_IP, DEV_IP, 2575, 40000 + i)
        data = mllp(kind, str(i), 'PID|1||4711||DOE^JANE\rOBR|1\rOBX|1|NM|147842^MDC|1|72|264864^MDC|||||R')
        data = b'\v' + data[1:-2].decode().replace('|MON|', '|' + name + '|').encode(encoding, 'surrogatepass') + b'\x1c\r'
        out += [tcp_frame(*there, 100, 0, 2), tcp_frame(*back, 500, 101, 18), tcp_frame(*there, 101, 501, 16)]
        seq = 101
        for at in range(0, len(data), 55):
            out.append(tcp_frame(*there, seq, 501, 24, data[at:at + 55]))
            seq += len(data[at:at + 55])
        out += [tcp_frame(*there, seq, 501, 17), tcp_frame(*back, 501, seq + 1, 17)]
    pcap('hl7-wide', out)


def hl7_bare():
    """Messages between STX and ETX, then in no frame at all, ended by what follows or by the end of all; frames begun twice."""
    result, order = (mllp(kind, '7', 'PID|1||4711||DOE^JANE\rOBX|1|NM|147842^MDC|1|72|264864^MDC|||||R' if kind[:3] == 'ORU' else 'ORC|NW')
                     [1:-2] for kind in ('ORU^R01', 'ORM^O01'))
    out = []
    for i, data in enumerate([b'\2' + result + b'\3\r\2' + order + b'\3', order + b'\r\n' + order, order[:-1],
                              b'\v\v' + result + b'\x1c\v ' + order + b'\x1c\r']):
        out += talk(DEV, SRV, DEV_IP, SRV_IP, 40000 + i, 2575, data)
    pcap('hl7-bare', out)


def hl7_readings():
    """Results in XML and with names in Shift_JIS, then what two receivers read as two types, then orders in XML."""
    def xml(root, kind):
        code, event = kind.split('^')
        return (f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="urn:hl7-org:v2xml"><MSH><MSH.1>|</MSH.1>'
                f'<MSH.2>^~\\&amp;</MSH.2><MSH.3><HD.1>MON</HD.1></MSH.3><MSH.9><MSG.1>{code}</MSG.1><MSG.2>{event}</MSG.2>'
                f'</MSH.9><MSH.10>7</MSH.10><MSH.12><VID.1>2.6</VID.1></MSH.12></MSH><{root}.GROUP><OBX><OBX.2>NM</OBX.2>'
                f'<OBX.3><CWE.1>147842</CWE.1></OBX.3><OBX.5>72</OBX.5></OBX></{root}.GROUP></{root}>').encode()

    def named(name, number):
        return b'MSH|^~\\&|' + name + b'||||2026||ORU^R01|' + number + b'|P|2.6||||||SHIFT_JIS\rOBX|1|NM|147842||72\r'
    out = []
    for i, data in enumerate([xml('ORU_R01', 'ORU^R01'), named('\u30ec\u30dd'.encode('shift_jis'), b'7'),
                              named(b'\x83', b'ORM^O01'), xml('RGV_O15', 'ORU^R01'), xml('ORM_O01', 'ORM^O01')]):
        there = (DEV, SRV, DEV_IP, SRV_IP, 40000 + i, 2575)
        back = (SRV, DEV, SRV_IP, DEV_IP, 2575, 40000 + i)
        data = b'\v' + data + b'\x1c\r'
        out += [tcp_frame(*there, 100, 0, 2), tcp_frame(*back, 500, 101, 18), tcp_frame(*there, 101, 501, 16)]
        seq = 101
        for at in range(0, len(data), 55):
            out.append(tcp_frame(*there, seq, 501, 24, data[at:at + 55]))
            seq += len(data[at:at + 55])
        out += [tcp_frame(*there, seq, 501, 17), tcp_frame(*back, 501, seq + 1, 17)]
    pcap('hl7-readings', out)


def broadcasts():
    """Monitors that tell everybody, and a stranger that takes one's name."""
    def time_of(mac, ip, named):
        return ether(mac, b'\xff' * 6, 0x800, ipv4(ip, '10.9.255.255', 17, udp(
            ip, '10.9.255.255', 2000, 2000, b'\0' * 6 + ip4(named) + b'\0' * 54)))

    def tell(mac, ip, port):
        return ether(mac, b'\xff' * 6, 0x800, ipv4(ip, '10.9.255.255', 17, udp(
            ip, '10.9.255.255', port, port, b'\0' * 40)))
    out = [time_of(DEV, DEV_IP, DEV_IP)] + [tell(DEV, DEV_IP, 7000)] * 3 + [tell(DEV, DEV_IP, 7001)]
    out += [time_of(EVIL, EVIL_IP, DEV_IP), tell(EVIL, EVIL_IP, 7001)]
    pcap('broadcast-monitors', out, step=10**9)


def records(name):
    """The datagrams of a fuzzer's seed, each with the end that said it."""
    rest = open('../../fuzz/seeds/' + name, 'rb').read()[1:]
    while rest:
        size = int.from_bytes(rest[1:3], 'big')
        yield rest[0] & 1, rest[3:3 + size]
        rest = rest[3 + size:]


def intellivue():
    """A monitor, read by two: the first may set something in it too. A third speaks something else."""
    said = list(records('intellivue/conversation'))
    out = []
    for host, port in ((5, 40001), (6, 40002)):
        ip, mac = '10.9.0.%d' % host, bytes([2, 0, 0, 0, 0, host])
        for end, data in said + [(0, list(records('intellivue/set'))[0][1])] + said[3:5]:
            out.append((WARD, udp_frame(DEV, mac, DEV_IP, ip, 24105, port, data)) if end else
                       (HOSPITAL, udp_frame(mac, DEV, ip, DEV_IP, port, 24105, data)))
    out.append((HOSPITAL, udp_frame(mac, DEV, ip, DEV_IP, 40003, 24105, b'GET /patients HTTP/1.1\r\n\r\n')))
    ports('intellivue-forbidden', out, step=10**8)


def intellivue_again():
    """Heart rates, asked for anew every five seconds and numbered anew; then numbered anew unasked."""
    def counted(data):
        return struct.pack('>H', len(data)) + data

    def operation(kind, body):
        call = struct.pack('>HH', 1, 7) + counted(struct.pack('>HHH', 0x21, 0, 0) + body)
        return struct.pack('>HHH', 0xe100, 2, kind) + counted(call)

    poll = operation(1, struct.pack('>IH', 0, 0xf13b) + counted(struct.pack('>HHHHI', 1, 1, 6, 0, 0)))
    seen = struct.pack('>H', 0x950) + counted(struct.pack('>HHHI', 0x4182, 0, 0xaa0, 72))
    for n in (1, 9, 1, 0, 1):  # attributes, their object, objects, their server, servers
        seen = struct.pack('>H', n) + (counted(seen) if n == 1 else seen)
    out = []
    for number in range(20):
        if number % 5 == 0 and number < 15:
            out.append(udp_frame(SRV, DEV, SRV_IP, DEV_IP, 40001, 24105, poll))
        body = struct.pack('>HHI8sHHH', 1, number % 5, 8000 * len(out), b'\xff' * 8, 1, 6, 0) + seen
        out.append(udp_frame(DEV, SRV, DEV_IP, SRV_IP, 24105, 40001, operation(2, struct.pack('>H', 0xf13b) + counted(body))))
    pcap('intellivue-again', out, step=10**9)



class Talk:
    """A TCP conversation of a device with the server, frame by frame."""

    def __init__(self, out, sport, dport):
        self.out, self.ports, self.next = out, (sport, dport), [100, 500]
        self.frame(0, 2)
        self.frame(1, 18)
        self.frame(0, 16)

    def frame(self, end, flags, data=b''):
        who = (SRV, DEV, SRV_IP, DEV_IP) if end else (DEV, SRV, DEV_IP, SRV_IP)
        ack = self.next[not end] if flags & 16 else 0
        self.out.append(tcp_frame(*who, *self.ports[::-1 if end else 1], self.next[end], ack, flags, data))
        self.next[end] += len(data) + (flags & 3 != 0)

    def say(self, end, text):
        self.frame(end, 24, text.encode())
        self.frame(not end, 16)

    def close(self):
        self.frame(1, 17)
        self.frame(0, 17)
        self.frame(1, 16)


def ftp_one_port():
    """Two downloads at once, of a server that has one port for all data; the second pair is announced before either comes."""
    out = []
    first, second = (Talk(out, port, 21) for port in (40001, 40002))
    for control in first, second:
        control.say(1, '220 FTP\r\n')
    def announce(control):
        control.say(0, 'PASV\r\n')
        control.say(1, '227 Entering Passive Mode (10,9,0,5,195,101)\r\n')
    announce(first)
    one = Talk(out, 41001, 50021)
    one.say(1, 'a' * 100)
    announce(second)
    two = Talk(out, 41002, 50021)
    for data in two, one, two, one:
        data.say(1, 'b' * 100)
    two.close()
    one.say(1, 'c' * 100)
    one.close()
    announce(first)
    announce(second)
    three, four = Talk(out, 41003, 50021), Talk(out, 41004, 50021)
    for data in three, four, three, four:
        data.say(1, 'd' * 100)
    three.close()
    four.close()
    five = Talk(out, 41005, 50021)  # nobody announced it
    five.say(1, 'e' * 100)
    pcap('ftp-one-port', out)


def http_paths():
    """Paths that servers read otherwise than they are written."""
    out = []
    for at, path in enumerate(('/a#b', '/results;v=1/new', '/a/../b', '/%61/c', '/a%2fd', '/a/./e/', '/a\\f', '/a/..;/g')):
        talk = Talk(out, 40000 + at, 80)
        talk.say(0, f'GET {path} HTTP/1.1\r\nHost: lis\r\n\r\n')
        talk.say(1, 'HTTP/1.1 204 No Content\r\n\r\n')
        talk.close()
    pcap('http-paths', out)


def main():
    if len(sys.argv) > 1:
        merge(*sys.argv[2:]) if sys.argv[1] == 'merge' else sys.exit(__doc__)
        return
    for case in (fragments, ipv6_extensions, dhcp6, dhcp_parts, links, tagged, files, headers, judged, flood, alerts, observations, forged, makers, curves, gaps, hl7_wide, hl7_bare, hl7_readings, bacnet_segments, udp_sums,
                 broadcasts, intellivue, intellivue_again, ftp_one_port, http_paths):
        case()


if __name__ == '__main__':
    main()
