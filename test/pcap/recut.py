#!/usr/bin/env python3
"""usage: recut.py INSPECT-KIT [CASE...]

TCP promises no borders: every conversation of the captures here says the same
when its segments are cut into single bytes, and when they are cut at random and
swapped. Nor does a capture of two mirrored ports, in which every packet is twice, say
anything more, or one at the sender, before its card cuts up what is sent, anything less;
nor one that has what an end says behind the other one's answer to it, anything else.
Only a capture's own times, counts and checksums may differ.
"""
import glob
import itertools
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from functools import partial

sys.path.append(sys.path[0] + '/..')
from inet import checksum  # noqa: E402

ETHERNET, TCP, UDP = 1, 6, 17
SYN_RST_URG = 0x26
# What tells when or how it came rather than what was said; and for how much an event that has a tag left room.
UNLIKE = {'timestamp', 'flow_id', 'latency_us', 'packets', 'bytes', 'first', 'last', 'unsaid', 'seconds', 'vlan', 'channel',
          'presentation_contexts_omitted'}
TOLD = {'flow', 'stats', 'inventory', 'exposure'}
HEADER = struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 262144, ETHERNET)


def records(data):
    """(nanoseconds, frame) of a little-endian pcap or pcapng; None where it is another kind."""
    magic = data[:4]
    if magic in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1'):
        unit = 1000 if magic[0] == 0xd4 else 1
        if struct.unpack('<I', data[20:24])[0] != ETHERNET:
            return None
        found, at = [], 24
        while at + 16 <= len(data):
            sec, part, have, wire = struct.unpack('<IIII', data[at:at + 16])
            found.append((sec * 10**9 + part * unit, data[at + 16:at + 16 + have], wire))
            at += 16 + have
        return found
    if magic != b'\x0a\x0d\x0d\x0a' or data[8:12] != b'\x4d\x3c\x2b\x1a':
        return None
    found, units, at = [], [], 0
    while at + 12 <= len(data):
        kind, size = struct.unpack('<II', data[at:at + 8])
        body = data[at + 8:at + size - 4]
        if kind == 1:
            if struct.unpack('<H', body[:2])[0] != ETHERNET:
                return None
            units.append(1 if b'\x09\0\1\0\x09' in body else 1000)
        elif kind == 6:
            interface, high, low, have, wire = struct.unpack('<IIIII', body[:20])
            found.append(((high << 32 | low) * units[interface], body[20:20 + have], wire))
        at += size
    return found


def segment(frame, at):
    """Where IP's header, TCP's and the payload begin and end; None where there is no whole one."""
    kind = frame[12:14]
    while kind in (b'\x81\0', b'\x88\xa8'):
        kind, at = frame[at + 2:at + 4], at + 4
    if kind == b'\x08\0' and frame[at + 9] == TCP and not struct.unpack('>H', frame[at + 6:at + 8])[0] & 0x3fff:
        ip, tcp = at, at + (frame[at] & 15) * 4
        end = ip + struct.unpack('>H', frame[ip + 2:ip + 4])[0]
    elif kind == b'\x86\xdd' and frame[at + 6] == TCP:
        ip, tcp = at, at + 40
        end = tcp + struct.unpack('>H', frame[ip + 4:ip + 6])[0]
    else:
        return None
    return (ip, tcp, tcp + (frame[tcp + 12] >> 4) * 4, end) if tcp + 20 <= end <= len(frame) else None


def cut(frame, sizes):
    """The frames that carry the same payload in pieces."""
    at = segment(frame, 14) if len(frame) > 34 else None
    if not at:
        return [frame]
    ip, tcp, begin, end = at
    payload = frame[begin:end]
    if len(payload) < 2 or frame[tcp + 13] & SYN_RST_URG:
        return [frame]
    seq = struct.unpack('>I', frame[tcp + 4:tcp + 8])[0]
    frames, done = [], 0
    while done < len(payload):
        piece = payload[done:done + next(sizes)]
        last = done + len(piece) == len(payload)
        head = bytearray(frame[tcp:begin])
        head[4:8] = struct.pack('>I', (seq + done) & 0xffffffff)
        head[13] &= 0xff if last else 0xfe  # FIN only behind all
        head[16:18] = b'\0\0'
        outer = bytearray(frame[ip:tcp])
        size = len(head) + len(piece)
        if outer[0] >> 4 == 4:
            pseudo = bytes(outer[12:20]) + struct.pack('>BBH', 0, TCP, size)
            outer[2:4] = struct.pack('>H', len(outer) + size)
            outer[10:12] = b'\0\0'
            outer[10:12] = struct.pack('>H', checksum(bytes(outer)))
        else:
            pseudo = bytes(outer[8:40]) + struct.pack('>II', size, TCP)
            outer[4:6] = struct.pack('>H', size)
        head[16:18] = struct.pack('>H', checksum(pseudo + bytes(head) + piece))
        frames.append(frame[:ip] + bytes(outer) + bytes(head) + piece)
        done += len(piece)
    return frames


def single():
    while True:
        yield 1


def at_random(seed):
    dice = random.Random(seed)
    while True:
        yield dice.randrange(1, 40)


def swap(frames):
    """Every other pair the other way round, but for the last, which may bear the FIN."""
    for i in range(0, len(frames) - 2, 2):
        frames[i], frames[i + 1] = frames[i + 1], frames[i]
    return frames


def twice(frames):
    return frames * 2


def offloaded(frames):
    """As at a sender whose card is to cut them up: their length is left out, and so are the sums."""
    left = []
    for frame in frames:
        at = segment(frame, 14) if len(frame) > 34 else None
        if at:
            ip, tcp, _, end = at
            frame = bytearray(frame[:end])
            if frame[ip] >> 4 == 4:
                frame[ip + 2:ip + 4] = frame[ip + 10:ip + 12] = b'\0\0'
            else:
                frame[ip + 4:ip + 6] = b'\0\0'
            frame[tcp + 16:tcp + 18] = b'\x12\x34'
        left.append(bytes(frame))
    return left


def header(frame):
    """Where IP's header begins; None where there is none."""
    at = 14
    while frame[at - 2:at] in (b'\x81\0', b'\x88\xa8') and at < 22:
        at += 4
    return at if frame[at - 2:at] in (b'\x08\0', b'\x86\xdd') and len(frame) >= at + 20 else None


def addresses(frame):
    """Who sends a packet of IP, and to whom; None where it is none."""
    ip = header(frame)
    if not ip:
        return None
    size, first = (4, ip + 12) if frame[ip] >> 4 == 4 else (16, ip + 8)
    return frame[first:first + size], frame[first + size:first + 2 * size]


def ends(frame):
    """The same with ports, of a segment; None where it is none."""
    at, who = segment(frame, 14) if len(frame) > 34 else None, addresses(frame)
    if not at or not who:
        return None
    tcp = at[1]
    return tuple(zip(who, (frame[tcp:tcp + 2], frame[tcp + 2:tcp + 4])))


def datagram_ends(frame):
    """The same of a datagram whose ports say who was asked."""
    ip, who = header(frame) if len(frame) > 34 else None, addresses(frame)
    if not ip:
        return None
    if frame[ip] >> 4 == 4:
        if frame[ip + 9] != UDP or struct.unpack('>H', frame[ip + 6:ip + 8])[0] & 0x3fff:
            return None
        udp = ip + (frame[ip] & 15) * 4
    elif frame[ip + 6] == UDP:
        udp = ip + 40
    else:
        return None
    from_port, to_port = frame[udp:udp + 2], frame[udp + 2:udp + 4]
    return tuple(zip(who, (from_port, to_port))) if from_port != to_port else None


def with_tag(frame):
    """Tagged, but for what has two tags."""
    return frame if frame[12:14] in (b'\x81\0', b'\x88\xa8') else frame[:12] + b'\x81\0\0\x07' + frame[12:]


def tagged(frames, late):
    """As by a mirrored port that tags only what goes one way."""
    return [with_tag(f) if (addresses(f) or (0, 0))[late] > (addresses(f) or (0, 0))[not late] else f for f in frames]


def twice_tagged(frames):
    """As by two mirrored ports of which one tags: TCP's numbers say that it is the same."""
    return [f for frame in frames for f in ([frame, with_tag(frame)] if ends(frame) else [frame])]


def routed(frames):
    """As by mirrored ports at both sides of a router: what goes on has a hop less, and the router's address."""
    both = []
    for frame in frames:
        ip = header(frame)
        hops = ip and ip + (8 if frame[ip] >> 4 == 4 else 7)
        # What is for a link alone has 255, so that nobody forges it from beyond (RFC 5082).
        if not ip or frame[0] & 1 or not 1 < frame[hops] < 255:
            both.append(frame)
            continue
        far = (addresses(frame)[0] > addresses(frame)[1]) + 1
        both.append(bytes((2, 0, 0, 0, 9, far)) + frame[6:])
        on = bytearray(frame[:6] + bytes((2, 0, 0, 0, 9, 3 - far)) + frame[12:])
        on[hops] -= 1
        if on[ip] >> 4 == 4:
            size = (on[ip] & 15) * 4
            on[ip + 10:ip + 12] = b'\0\0'
            on[ip + 10:ip + 12] = struct.pack('>H', checksum(bytes(on[ip:ip + size])))
        both.append(bytes(on))
    return both


def unopened(found):
    """As begun a moment too late: the SYN is missing, and its answer is there."""
    def flags(frame):
        return ends(frame) and frame[segment(frame, 14)[1] + 13] & 0x16
    answered = {ends(frame)[::-1] for _, frame, _ in found if flags(frame) == 0x12}
    return [f for f in found if flags(f[1]) != 2 or ends(f[1]) not in answered]


def crossed(found, begin):
    """As by two mirrored ports: an end's segment a microsecond behind what the other one answers."""
    found, i = list(found), begin
    while i + 1 < len(found):
        (time, one, _), (_, other, _) = found[i:i + 2]
        if ends(one) and ends(one) == (ends(other) or ())[::-1]:
            found[i:i + 2] = [(time, other, len(other)), (time + 1000, one, len(one))]
            i += 1
        i += 1
    return found


def skewed(found, late):
    """As by two mirrored ports, one of which is always late: all that comes from the one or the other end."""
    def delay(frame):
        pair = ends(frame) or datagram_ends(frame)
        return 300000 if pair and (pair[0] > pair[1]) == late else 0
    return sorted([(time + delay(frame), frame, wire) for time, frame, wire in found], key=lambda f: f[0])


def echoed(found):
    """As with a mirror whose copies of segments come late."""
    return sorted(found + [(time + 200000, *rest) for time, *rest in found if ends(rest[0])], key=lambda f: f[0])


def labelled(frames):
    """In MPLS, with two labels."""
    return [f[:12] + b'\x88\x47\0\1\0\x40\0\2\1\x40' + f[14:] if header(f) == 14 else f for f in frames]


def dialled(frames):
    """In PPP over Ethernet."""
    kind = {b'\x08\0': b'\0\x21', b'\x86\xdd': b'\0\x57'}
    return [f[:12] + b'\x88\x64\x11\0\0\7' + struct.pack('>H', len(f) - 12) + kind[f[12:14]] + f[14:]
            if header(f) == 14 else f for f in frames]


def in_tunnel(proto, head):
    """In packets from one switch to another."""
    number = itertools.count(1)

    def pack(frame):
        body = head(frame)
        outer = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(body), next(number) & 0xffff, 0, 64, proto, 0, b'\xac\x10\0\1', b'\xac\x10\0\2')
        outer = outer[:10] + struct.pack('>H', checksum(outer)) + outer[12:]
        return b'\2\0\0\0\x0a\1\2\0\0\0\x0a\2\x08\0' + outer + body
    return lambda frames: [pack(f) for f in frames]


def datagram(port, head):
    return in_tunnel(17, lambda f: struct.pack('>HHHH', 49152, port, 8 + len(head) + len(f), 0) + head + f)


def in_pieces(frame):
    """A datagram of IPv4 in fragments of IP."""
    at = header(frame)
    if not at or not datagram_ends(frame) or frame[at] >> 4 == 6:
        return [frame]
    head, body = frame[at:at + (frame[at] & 15) * 4], frame[at + (frame[at] & 15) * 4:]
    body = body[:struct.unpack('>H', head[2:4])[0] - len(head)]
    pieces, size = [], len(body) // 24 * 8 or len(body)
    for i in range(0, len(body), size):
        piece = body[i:i + size]
        more = 0x2000 if i + size < len(body) else 0
        ip = head[:2] + struct.pack('>H', len(head) + len(piece)) + head[4:6] + struct.pack('>H', more | i // 8) + head[8:]
        ip = ip[:10] + b'\0\0' + ip[12:]
        pieces.append(frame[:at] + ip[:10] + struct.pack('>H', checksum(ip)) + ip[12:] + piece)
    return pieces


def fragmented(frames):
    return [piece for frame in frames for piece in in_pieces(frame)]


def on_air(frames):
    """By radio, from an access point, as a card in monitor mode sees it."""
    radio = b'\0\0\x18\0\x2e\x40\0\xa0\x20\x08\0\0' + b'\0' * 12
    return [radio + b'\x88\2\0\0' + f[:6] + b'\2\0\0\0\x0b\1' + f[6:12] + b'\x10\0\0\0' +
            b'\xaa\xaa\3\0\0\0' + f[12:] for f in frames]


def on_mac(frames):
    """As Apple's systems write it, with what program it was."""
    return [struct.pack('<III', 108, 1, ETHERNET) + b'\0' * 96 + f for f in frames]


# Within what a switch, a cloud or a provider carries mirrored frames; and its link type.
WRAPPED = (
    ('in MPLS', labelled, ETHERNET),
    ('in PPPoE', dialled, ETHERNET),
    ('in ERSPAN I', in_tunnel(47, lambda f: b'\0\0\x88\xbe' + f), ETHERNET),
    ('in ERSPAN II', in_tunnel(47, lambda f: b'\x10\0\x88\xbe\0\0\0\1' + b'\x10\7\0\1\0\0\0\2' + f), ETHERNET),
    ('in ERSPAN III', in_tunnel(47, lambda f: b'\x10\0\x22\xeb\0\0\0\1' + b'\x20\7\0\1' + b'\0' * 7 + b'\1' + b'\0' * 8 + f),
     ETHERNET),
    ('in GRE', in_tunnel(47, lambda f: b'\x20\0\x65\x58\0\0\1\1' + f), ETHERNET),
    ('in VXLAN', datagram(4789, b'\x08\0\0\0\0\0\7\0'), ETHERNET),
    ('in GENEVE', datagram(6081, b'\1\0\x65\x58\0\0\7\0\1\2\3\0'), ETHERNET),
    ('in TZSP', datagram(37008, b'\1\0\0\1\x0a\1\5\1'), ETHERNET),
    ('by radio', on_air, 127),
    ('by PKTAP', on_mac, 258),
)
WRAPPED += (
    ('in fragments', fragmented, ETHERNET),
    ('in fragments, in GRE', lambda frames: WRAPPED[5][1](fragmented(frames)), ETHERNET),
    ('in fragments, in VXLAN in fragments', lambda frames: fragmented(WRAPPED[6][1](fragmented(frames))), ETHERNET),
)
WRAPPED_CASES = ('dicom-store', 'dns', 'fragments-good', 'hl7', 'intellivue-again', 'ipv6')


def capture(found, sizes=None, order=list, link=ETHERNET):
    return HEADER[:20] + struct.pack('<I', link) + b''.join(
        struct.pack('<IIII', time // 10**9, time % 10**9, len(piece), len(piece)) + piece
        for time, frame, _ in found for piece in order(cut(frame, sizes) if sizes else [frame]))


def without(value):
    if isinstance(value, dict):
        return {k: without(v) for k, v in value.items() if k not in UNLIKE}
    # A long list is cut where the event is full.
    return [without(v) for v in value[:32]] if isinstance(value, list) else value


def said(path):
    if not os.path.exists(path):
        return ['nothing: ' + path]
    with open(path, encoding='utf-8') as f:
        events = [json.loads(line) for line in f]
    return sorted(json.dumps(without(e), sort_keys=True) for e in events
                  if e['event_type'] not in TOLD and e.get('anomaly', {}).get('event') != 'tcp.checksum')


def ways_of(case, found):
    """What can be done to a capture: a name, and what capture() is to be given."""
    ways = [('with every packet twice', list, None, twice), ('as offloaded', list, None, offloaded)]
    if any(len(cut(frame, single())) > 1 for _, frame, _ in found):
        ways += [('into single bytes', list, single(), list), ('at random, swapped', list, at_random(1), swap)]
    ways += [('with a tag one way', list, None, partial(tagged, late=True)),
             ('with a tag the other way', list, None, partial(tagged, late=False)),
             ('at both sides of a router', list, None, routed)]
    if any(ends(frame) for _, frame, _ in found):
        ways.append(('twice, once with a tag', list, None, twice_tagged))
        ways.append(('without a SYN', unopened, None, list))
        ways.append(('with late copies', echoed, None, list))
    ways += [('with one end late', partial(skewed, late=True), None, list),
             ('with the other end late', partial(skewed, late=False), None, list)]
    for begin in range(2):
        ways.append(('with its ends crossed %d' % begin, partial(crossed, begin=begin), None, list))
    if case in WRAPPED_CASES:
        ways += [(name, list, None, wrap, link) for name, wrap, link in WRAPPED]
    return ways


def judge(kit, path, found):
    """Whether a case says the same however it is cut."""
    case = path.split('/')[0]
    made = {capture(found): None}  # what is the same has nothing to be arranged that way
    for name, arrange, *how in ways_of(case, found):
        made.setdefault(capture(arrange(found), *how), name)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for one, name in made.items():
            files[name] = os.path.join(folder, '%d.pcap' % len(files))
            if name is None:
                shutil.copyfile(path, files[name])
            else:
                with open(files[name], 'wb') as f:
                    f.write(one)
        ran = subprocess.run([kit, *files.values()], stderr=subprocess.PIPE, check=False)
        if ran.returncode:
            print('not ok - %s: %s' % (case, ran.stderr.decode(errors='replace')))
            good = False
        want = said(files.pop(None) + '.jsonl')
        # The kit's engine is that of the program.
        if not os.path.exists(case + '/policy.yaml') and want != said(case + '/expect.jsonl'):
            print('not ok - %s: `bedwarden inspect` says something else of it than the kit' % case)
            good = False
        for name, file in files.items():
            got = said(file + '.jsonl')
            if got == want:
                print('ok - %s %s says the same' % (case, name))
                continue
            good = False
            print('not ok - %s %s says something else' % (case, name))
            for line in sorted(set(want) ^ set(got))[:4]:
                print('<' if line in want else '>', line[:300])
    return good


def main():
    kit = os.path.realpath(sys.argv[1])
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    good = True
    for path in sys.argv[2:] or sorted(glob.glob('*/input.pcap')):
        with open(path, 'rb') as f:
            found = records(f.read())
        # What a capture cut off cannot be cut up; a second copy that differs has no one text.
        if found and not any(wire != len(frame) for _, frame, wire in found):
            good = judge(kit, path, found) and good
    sys.exit(not good)


if __name__ == '__main__':
    main()
