#!/usr/bin/python3
"""Ends of conversations for members.sh that Debian has no program for.

usage: members.py mllp ADDRESS              receives HL7 by MLLP at port 2575, acknowledges it, prints its type
       members.py send ADDRESS TYPE SENDER  one message, and 0 if it is acknowledged
       members.py modbus ADDRESS            units 1 and 2 with registers, at port 502
"""
import socket
import sys
import threading


def take(c):
    data = b""
    while True:
        try:
            more = c.recv(65536)
        except ConnectionError:
            return
        if not more:
            return
        data += more
        while b"\x1c\r" in data:
            one, data = data.split(b"\x1c\r", 1)
            header = one[1:].split(b"\r")[0].split(b"|")
            print(header[8].decode(), flush=True)
            c.sendall(b"\x0bMSH|^~\\&|LIS|H|A|H|20260101||ACK|1|P|2.5\rMSA|AA|" + header[9] + b"\r\x1c\r")


def receive(address):
    s = socket.create_server((address, 2575))
    while True:
        threading.Thread(target=take, args=(s.accept()[0],), daemon=True).start()


def send(address, kind, sender):
    c = socket.create_connection((address, 2575), 5)
    c.settimeout(10)
    c.sendall(b"\x0bMSH|^~\\&|%s|WARD|LIS|HOSP|20260101120000||%s|1|P|2.5\rPID|1||4711\rOBX|1|NM|2345-7||7\r\x1c\r" %
              (sender.encode(), kind.encode()))
    try:
        return 0 if b"MSA|AA|1" in c.recv(4096) else 1
    except OSError as e:
        print(e)
        return 1


def modbus(address):
    from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
    from pymodbus.server import StartTcpServer

    units = {u: ModbusSlaveContext(hr=ModbusSequentialDataBlock(0, [5] * 100)) for u in (1, 2)}
    StartTcpServer(context=ModbusServerContext(slaves=units, single=False), address=(address, 502))


what, *rest = sys.argv[1:]
sys.exit({"mllp": receive, "send": send, "modbus": modbus}[what](*rest))
