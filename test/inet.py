"""What those who make packets themselves share."""
import ctypes
import os
import struct


def checksum(data):
    """RFC 1071."""
    data += b'\0' * (len(data) % 2)
    total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def enter(prefix, space):
    """From now on this process is in the network namespace PREFIX-SPACE."""
    where = os.open(f'/run/netns/{prefix}-{space}', os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(where, 0x40000000):  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), 'setns')
    os.close(where)
