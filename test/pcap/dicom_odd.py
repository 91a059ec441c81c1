#!/usr/bin/env python3
"""A DICOM client that says what is allowed and rare: 128 presentation contexts and private classes, negotiation of
extensions, no limit to PDUs, command sets and data sets in pieces of any size, several in one PDU.

usage: dicom_odd.py HOST PORT FILE      FILE: an image of CT in Explicit VR Little Endian, of which the data set is sent
"""
import socket
import struct
import sys

from dicom_hostile import CT, EXPLICIT, VERIFICATION, command, echo, item, number, pdu, pdv, store

BIG, DEFLATED, IMPLICIT = b'1.2.840.10008.1.2.2', b'1.2.840.10008.1.2.1.99', b'1.2.840.10008.1.2'
FIND = b'1.2.840.10008.5.1.4.1.2.2.1'
OWN = b'1.2.826.0.1.3680043.10.1337'


def context(n, abstract, *syntaxes):
    return item(0x20, bytes([n, 0, 0, 0]) + item(0x30, abstract) + b''.join(item(0x40, s) for s in syntaxes or (EXPLICIT,)))


def uid(text):
    return struct.pack('>H', len(text)) + text


def request(contexts, extra=b'', limit=0):
    fixed = struct.pack('>HH', 1, 0) + b'ARCHIVE'.ljust(16) + b'CT1'.ljust(16) + bytes(32)
    user = item(0x51, struct.pack('>I', limit)) + item(0x52, OWN) + extra + item(0x55, b'ODD_1')
    return pdu(1, fixed + item(0x10, b'1.2.840.10008.3.1.1.1') + b''.join(contexts) + item(0x50, user))


def receive(s):
    """One PDU."""
    head = b''
    while len(head) < 6:
        got = s.recv(6 - len(head))
        if not got:
            return None
        head += got
    left = struct.unpack('>I', head[2:])[0]
    body = b''
    while len(body) < left:
        body += s.recv(left - len(body))
    return head + body


class Talk:
    def __init__(self, address, asked):
        self.s = socket.create_connection(address, timeout=3)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ask(asked)

    def say(self, *said):
        for one in said:
            self.s.sendall(one)

    def ask(self, *said):
        self.say(*said)
        return receive(self.s)

    def release(self):
        self.ask(pdu(5, bytes(4)))
        self.s.close()


def pieces(n, last, data, size):
    """PDVs of so many bytes each; the last says so."""
    cut = [data[i:i + size] for i in range(0, len(data), size)]
    return [pdv(n, last & 1 | (2 if i == len(cut) - 1 else 0), c) for i, c in enumerate(cut)]


def main():
    address = (sys.argv[1], int(sys.argv[2]))
    with open(sys.argv[3], 'rb') as f:
        file = f.read()
    data = file[144 + struct.unpack('<I', file[140:144])[0]:]

    # Every number there is: private classes, and every syntax that is not compressed pixels.
    t = Talk(address, request([context(2 * i + 1, OWN + b'.%d' % (i % 9) if i > 100 else VERIFICATION if i else CT,
                                       *((EXPLICIT, IMPLICIT, BIG, DEFLATED)[:1 + i % 4])) for i in range(128)]))
    t.ask(pdu(4, pdv(3, 3, echo())))
    t.release()

    # SOP class extended and common extended negotiation, roles, identity with an answer, a window without bound.
    extra = (item(0x53, struct.pack('>HH', 0, 0)) + item(0x54, uid(CT) + b'\1\1') +
             item(0x56, uid(FIND) + b'\1\1\0\1') + item(0x57, uid(CT) + uid(b'1.2.840.10008.4.2') + uid(uid(OWN + b'.1'))) +
             item(0x58, b'\2\1' + uid(b'alice') + uid(b'secret')))
    t = Talk(address, request([context(1, CT), context(3, FIND, IMPLICIT), context(5, VERIFICATION, IMPLICIT)], extra, 16384))
    # Commands in pieces of two bytes (PS3.8 §E.1 has them even), in one PDU and in one each; a piece of nothing; a command with its data set behind it.
    t.ask(pdu(4, b''.join(pieces(5, 1, echo(), 2))))
    t.ask(*[pdu(4, p) for p in pieces(5, 1, echo(), 14)])
    t.ask(pdu(4, pdv(5, 1, b'')), pdu(4, pdv(5, 1, echo()) + pdv(5, 3, b'')))
    t.ask(pdu(4, pdv(1, 3, store()) + pdv(1, 0, data[:1000])), pdu(4, pdv(1, 0, data[1000:1002])),
          *[pdu(4, p) for p in pieces(1, 0, data[1002:], 16000)])
    t.ask(pdu(4, pdv(1, 3, store())), pdu(4, b''.join(pdv(1, 0, data[i:i + 2]) for i in range(0, 600, 2))), *[pdu(4, p) for p in pieces(1, 0, data[600:], 9000)])
    # A query that is called off before it is answered, and two commands in one PDU.
    t.say(pdu(4, pdv(5, 3, echo()) + pdv(5, 3, echo())))
    receive(t.s)
    receive(t.s)
    t.release()

    # In the order of the other end: big endian, and deflated.
    for syntax in (BIG, DEFLATED):
        t = Talk(address, request([context(255, CT, syntax)]))
        t.s.close()


if __name__ == '__main__':
    main()
