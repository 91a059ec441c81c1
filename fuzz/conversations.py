#!/usr/bin/env python3
"""The TCP conversations of captures as seeds for fuzz_proto.c, a file each:
segments in the order in which they were recorded, those that repeat left out.

conversations.py FOLDER NAME CAPTURE...      writes FOLDER/NAME-N
Captures are pcapng or pcap, Ethernet and IPv4; a segment's first 1,000 bytes
are kept where it is one of a long row of the same end.
"""
import struct
import sys

KEEP = 24  # segments of a row that are kept


def blocks(data):
    """(link type, frame) of a pcapng or pcap file, little endian."""
    if data[:4] == b"\xd4\xc3\xb2\xa1" or data[:4] == b"\x4d\x3c\xb2\xa1":
        at = 24
        while at + 16 <= len(data):
            size = struct.unpack_from("<I", data, at + 8)[0]
            yield data[at + 16:at + 16 + size]
            at += 16 + size
        return
    at = 0
    while at + 12 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == 6:
            cap = struct.unpack_from("<I", data, at + 20)[0]
            yield data[at + 28:at + 28 + cap]
        at += size


def segments(frames):
    """(source, destination, sequence number, payload) of what carries TCP."""
    for f in frames:
        if len(f) < 54 or f[12:14] != b"\x08\x00" or f[23] != 6:
            continue
        ip = f[14:]
        head = (ip[0] & 15) * 4
        total = struct.unpack_from(">H", ip, 2)[0]
        tcp = ip[head:total]
        ports = struct.unpack_from(">HHI", tcp)
        payload = tcp[(tcp[12] >> 4) * 4:]
        yield (ip[12:16], ports[0]), (ip[16:20], ports[1]), ports[2], payload


def main():
    folder, name, files = sys.argv[1], sys.argv[2], sys.argv[3:]
    talks = {}
    for path in files:
        with open(path, "rb") as f:
            data = f.read()
        for source, destination, sequence, payload in segments(blocks(data)):
            key = (path, frozenset((source, destination)))
            talk = talks.setdefault(key, {"first": source, "next": {}, "records": []})
            if not payload or sequence < talk["next"].get(source, sequence):
                continue
            talk["next"][source] = sequence + len(payload)
            talk["records"].append((source != talk["first"], payload))
    for number, talk in enumerate(talks.values()):
        seed, row, last = b"\0", 0, None
        for end, payload in talk["records"]:
            row = row + 1 if end == last else 0
            last = end
            if row < KEEP:
                seed += struct.pack(">BH", end, len(payload)) + payload
        with open("%s/%s-%d" % (folder, name, number), "wb") as f:
            f.write(seed)


main()
