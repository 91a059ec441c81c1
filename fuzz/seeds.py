#!/usr/bin/env python3
"""Turns the conversations of a capture into seeds for fuzz_proto.c: its record
format, a file a conversation.

usage: fuzz/seeds.py CAPTURE FOLDER [NAME]   FOLDER/NAME-1, FOLDER/NAME-2, ...
"""
import os
import struct
import sys

WHOLE = 60000  # bytes of one conversation; a seed need not be long
PIECE = 4000


def frames(path):
    """Ethernet frames of a pcap or pcapng file."""
    data = open(path, 'rb').read()
    if data[:4] == b'\n\r\r\n':
        at = 0
        while at + 12 <= len(data):
            kind, size = struct.unpack_from('<II', data, at)
            if kind == 6:
                held = struct.unpack_from('<I', data, at + 20)[0]
                yield data[at + 28:at + 28 + held]
            at += size
        return
    order = '<' if data[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
    at = 24
    while at + 16 <= len(data):
        held = struct.unpack_from(order + 'I', data, at + 8)[0]
        yield data[at + 16:at + 16 + held]
        at += 16 + held


def segments(path):
    """(protocol, source, destination, sequence, flags, payload) of every frame that has ports."""
    for f in frames(path):
        kind, at = struct.unpack_from('>H', f, 12)[0] if len(f) > 34 else 0, 14
        while kind in (0x8100, 0x88a8):
            kind, at = struct.unpack_from('>H', f, at + 2)[0], at + 4
        if kind == 0x800:
            proto, ips = f[at + 9], (f[at + 12:at + 16], f[at + 16:at + 20])
            end, at = at + struct.unpack_from('>H', f, at + 2)[0], at + (f[at] & 15) * 4
        elif kind == 0x86dd:
            proto, ips = f[at + 6], (f[at + 8:at + 24], f[at + 24:at + 40])
            end, at = at + 40 + struct.unpack_from('>H', f, at + 4)[0], at + 40
        else:
            continue
        if proto not in (6, 17) or len(f) < at + 20 and proto == 6 or len(f) < at + 8:
            continue
        ports = struct.unpack_from('>HH', f, at)
        seq, flags, head = 0, 0, 8
        if proto == 6:
            seq, flags, head = struct.unpack_from('>I', f, at + 4)[0], f[at + 13], f[at + 12] >> 4 << 2
        yield proto, (ips[0], ports[0]), (ips[1], ports[1]), seq, flags, f[at + head:end]


def conversations(path):
    """(is datagram, [(end, bytes)...]) in the order of the first packets."""
    talks = {}
    for proto, src, dst, seq, flags, data in segments(path):
        key = (proto, *sorted((src, dst)))
        talk = talks.get(key)
        if talk is None or (flags & 0x12 == 2 and talk['said']):
            talk = talks[key if talk is None else (*key, len(talks))] = talks[key] = {
                'first': src if not flags & 0x10 or not flags & 2 else dst, 'next': {}, 'said': [], 'udp': proto == 17}
        if proto == 6:
            want = talk['next'].get(src)
            if flags & 2:
                talk['next'][src] = seq + 1 & 0xffffffff
                continue
            late = (want - seq) & 0xffffffff if want is not None else 0
            if late >= 1 << 31:
                late = 0
            data = data[late:]
            if data:
                talk['next'][src] = seq + late + len(data) & 0xffffffff
        if data:
            talk['said'].append((0 if src == talk['first'] else 1, data))
    seen = []
    for talk in talks.values():
        if talk['said'] and talk not in seen:
            seen.append(talk)
            yield talk['udp'], talk['said']


def seed(udp, said):
    out, total = bytes([1 if udp else 0]), 0
    for end, data in said:
        for i in range(0, len(data), PIECE):
            piece = data[i:i + PIECE]
            out += struct.pack('>BH', end, len(piece)) + piece
            total += len(piece)
        if total > WHOLE:
            break
    return out


def main():
    path, folder = sys.argv[1:3]
    name = sys.argv[3] if len(sys.argv) > 3 else os.path.basename(os.path.dirname(os.path.abspath(path)))
    os.makedirs(folder, exist_ok=True)
    for i, (udp, said) in enumerate(conversations(path), 1):
        with open(os.path.join(folder, '%s-%d' % (name, i)), 'wb') as f:
            f.write(seed(udp, said))


if __name__ == '__main__':
    main()
