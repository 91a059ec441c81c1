#!/usr/bin/env python3
"""What a listener answers to ClientHellos that no library of today would send: old versions, weak and
anonymous suites one by one, compression, heartbeat, a fall-back. By hand, for openssl s_client cannot.

hellos.py PORT 12|13     12: a listener that takes TLS 1.2, too. A line for each thing that is wrong
"""
import os, socket, struct, sys

STRONG = [0xC02B, 0xC02C, 0xCCA9]
WEAK = {
    "NULL": [0x01, 0x02, 0x3B, 0xC006, 0xC010], "EXPORT": [0x03, 0x06, 0x08, 0x14, 0x62], "RC4": [0x04, 0x05, 0xC007, 0xC011],
    "DES, 3DES": [0x09, 0x0A, 0x16, 0xC008, 0xC012], "anonymous": [0x18, 0x1B, 0x34, 0x3A, 0x6C, 0xA6, 0xC018, 0xC019],
    "RSA key exchange": [0x2F, 0x35, 0x3C, 0x9C, 0x9D], "CBC": [0xC009, 0xC00A, 0xC013, 0xC014, 0xC023, 0xC024, 0xC027],
    "DHE": [0x33, 0x39, 0x67, 0x9E, 0x9F], "short tags": [0xC0AE, 0xC0AF], "others": [0x07, 0x41, 0x84, 0x96, 0x8C, 0xC035],
}
FALLBACK, RENEGOTIATION = 0x5600, 0x00FF
HEARTBEAT, TICKET, MASTER, VERSIONS, SHARE, RENEGOTIATION_INFO = 15, 35, 23, 43, 51, 0xFF01


def extension(kind, data):
    return struct.pack(">HH", kind, len(data)) + data


COMMON = extension(10, b"\0\4\0\x1d\0\x17") + extension(11, b"\1\0") + extension(13, b"\0\x0a\4\3\5\3\x08\4\4\1\2\3")
TLS13 = extension(VERSIONS, b"\2\3\4") + extension(SHARE, struct.pack(">HHH", 36, 29, 32) + os.urandom(32))


def ask(version, suites, compression=b"\0", more=b"", plain=False):
    """("hello", version, suite, compression, extensions), ("alert", number) or ("end",)"""
    exts = b"" if plain else COMMON + more
    body = struct.pack(">H", version) + os.urandom(32) + b"\0" + struct.pack(">H", 2 * len(suites))
    body += b"".join(struct.pack(">H", s) for s in suites) + bytes([len(compression)]) + compression
    body += struct.pack(">H", len(exts)) + exts if exts else b""
    hello = b"\1" + struct.pack(">I", len(body))[1:] + body
    s = socket.create_connection(("127.0.0.1", port), 5)
    s.settimeout(5)
    s.sendall(b"\x16" + struct.pack(">HH", min(version, 0x0301), len(hello)) + hello)
    d = b""
    try:
        while len(d) < 5 or len(d) < 5 + int.from_bytes(d[3:5], "big"):
            got = s.recv(65536)
            if not got:
                break
            d += got
    except ConnectionResetError:
        pass
    s.close()
    if d[:1] == b"\x15" and len(d) >= 7:
        return ("alert", d[6])
    if d[:1] != b"\x16" or len(d) < 44 or d[5] != 2:
        return ("end",)
    at = 43 + 1 + d[43]
    suite, pressed, length = struct.unpack(">HBH", d[at:at + 5])
    exts, e, kinds = d[at + 5:at + 5 + length], 0, {}
    while e < len(exts):
        kind, n = struct.unpack(">HH", exts[e:e + 4])
        kinds[kind] = exts[e + 4:e + 4 + n]
        e += 4 + n
    return ("hello", int.from_bytes(d[9:11], "big"), suite, pressed, kinds)


def want(what, right, got):
    if not right:
        print("%s: %s" % (what, got))


port, tls12 = int(sys.argv[1]), sys.argv[2] == "12"
every = STRONG + [s for group in WEAK.values() for s in group]
for version, name in (0x0002, "SSL 2"), (0x0300, "SSL 3"), (0x0301, "TLS 1.0"), (0x0302, "TLS 1.1"):
    got = ask(version, every, plain=version < 0x0301)
    want(name, got[0] != "hello", got)
got = ask(0x0303, [0x1301, 0x1302, 0x1303], more=TLS13 + extension(HEARTBEAT, b"\1") + extension(TICKET, b""))
want("TLS 1.3", got[0] == "hello" and got[4].get(VERSIONS) == b"\3\4", got)
want("TLS 1.3 says nothing else in the clear", got[0] == "hello" and set(got[4]) <= {VERSIONS, SHARE}, got)
got = ask(0x0303, STRONG, b"\1\0", extension(HEARTBEAT, b"\1") + extension(TICKET, b"") + extension(MASTER, b"") + extension(RENEGOTIATION_INFO, b"\0"))
if tls12:
    want("TLS 1.2", got[0] == "hello" and got[1] == 0x0303 and got[2] in STRONG, got)
    want("no compression, heartbeat or ticket", got[0] == "hello" and got[3] == 0 and not {HEARTBEAT, TICKET} & set(got[4]), got)
    want("RFC 5746 and RFC 7627", got[0] == "hello" and {RENEGOTIATION_INFO, MASTER} <= set(got[4]), got)
    got = ask(0x0303, STRONG + [FALLBACK])
    want("a fall-back from TLS 1.3 (RFC 7507)", got == ("alert", 86), got)
else:
    want("TLS 1.2 is refused by its version", got == ("alert", 70), got)
for name, suites in WEAK.items():
    for suite in suites:
        got = ask(0x0303, [suite, RENEGOTIATION])
        want("%s, %04x" % (name, suite), got[0] != "hello", got)
