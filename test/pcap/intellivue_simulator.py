#!/usr/bin/env python3
"""A monitor and a station of IntelliVue Data Export, by the published guide (revision G.0), which say what they mean:
written apart from the parser and from the demonstration, so that all three would have to err alike.

usage: intellivue_simulator.py make       writes the case `intellivue`
       intellivue_simulator.py BINARY     compares what `inspect` says of it with what was meant, member by member
"""
import json
import os
import struct
import subprocess
import sys

import make

MONITOR, STATION = (make.DEV, make.DEV_IP, 24105), (make.SRV, make.SRV_IP, 40001)
SESSION = '0508130100160102800014020002'
ASKS = ('3180a0808001010000a280a003000001a4803080020101060452010001308006025101000000003080020102060c2a8648ce14020100000001'
        '013080060c2a8648ce140201000000020100000000000061803080020101a0806080a180060c2a8648ce14020100000003010000be80288006'
        '0c2a8648ce140201000000010102010281')
ANSWERS = ('3180a0808001010000a280a003000001a58030808001008102510100003080800100810c2a8648ce14020100000002010000000061803080'
           '020101a0806180a180060c2a8648ce14020100000003010000a203020100a305a103020100be80288002010281')
RELEASE, RELEASED = ('%02x18c11661803080020101a080%02x80800100' % codes + '00' * 8 for codes in ((9, 0x62), (10, 0x63)))
ABORT = '192e110103c129a080a0803080020101060251010000000061803080020101a0806480800101' + '00' * 10
REFUSE = '0c020000'

# Classes, and what a poll asks for of them; attributes; physiological identifiers, of which SCADA numbers most.
NUMERICS, WAVES, MDS, PATIENT, ALARMS = 6, 9, 33, 42, 54
POLL, EXTENDED = 0x0c16, 0xf13b
NAMES = {NUMERICS: 'numerics', WAVES: 'waves', MDS: 'monitor', PATIENT: 'patient', ALARMS: 'alarms', 41: 'other'}


def u16(*values):
    return struct.pack('>%dH' % len(values), *values)


def u32(*values):
    return struct.pack('>%dI' % len(values), *values)


def sized(data):
    return u16(len(data)) + data


def listed(items):
    """How many, how many bytes, and each."""
    return u16(len(items)) + sized(b''.join(items))


def attributes(**values):
    """aXXXX=bytes: by their numbers."""
    return listed([u16(int(name[1:], 16)) + sized(value) for name, value in values.items()])


def text(value, size):
    return sized(value.encode().ljust(size, b'\0'))


def number(value, exponent=0):
    """FLOAT-Type; None is no number."""
    return u32(0x007fffff if value is None else (exponent & 0xff) << 24 | value & 0xffffff)


def association(kind, head, server):
    extended = attributes(af001=u32(0x88000000) + u16(0, 0))
    profile = u32(0x80000000, 8000, 1400, 1400, 0xffffffff, 0x60000000) + extended
    user = u32(0x80000000, 0x40000000, 0, 0x00800000 if server else 0x80000000, 0x20000000) + u16(0, 0) + \
        attributes(a0001=profile)
    inside = bytes.fromhex(head) + bytes([len(user)]) + user + bytes(16)
    body = bytes.fromhex(SESSION) + bytes([0xc1, len(inside)]) + inside
    return bytes([kind, len(body)]) + body


def operation(kind, invoke, command, body, link=b''):
    return u16(0xe100, 2, kind) + sized(link + u16(invoke, command) + sized(body))


def of_monitor(body, scope=True):
    return u16(MDS, 0, 0) + (u32(0) if scope else b'') + body


class Talk:
    """What is said, and what is meant by it: frames and events."""

    def __init__(self):
        self.said = []

    def say(self, monitor, data, message, **meant):
        self.said.append((monitor, data, {'message': message, **meant}))

    def poll(self, invoke, number_, class_, extended=False, period=None):
        body = u16(number_, 1, class_, 0) + (attributes(af13e=u32(period)) if period else listed([]) if extended else b'')
        self.say(False, operation(1, invoke, 7, of_monitor(u16(EXTENDED if extended else POLL) + sized(body))),
                 'extended_poll' if extended else 'poll', object=NAMES[class_], invoke_id=invoke, poll_number=number_)

    def result(self, invoke, number_, class_, contexts, sequence=None, link=None, **counts):
        """contexts: lists of (handle, attributes), a measurement server each."""
        info = listed([u16(i) + listed([u16(handle) + attrs for handle, attrs in objects])
                       for i, objects in enumerate(contexts)])
        time = 80000 + 100 * invoke + 2048 * (sequence or 0)
        body = u16(number_) + (u16(sequence) if sequence is not None else b'') + u32(time) + b'\xff' * 8 + \
            u16(1, class_, 0) + info
        meant = dict(object=NAMES[class_], invoke_id=invoke, poll_number=number_, **counts)
        if sequence is not None:
            meant['sequence'] = sequence
        if link:
            meant['linked'] = ('first', 'middle', 'last')[link[0] - 1]
        self.say(True, operation(5 if link else 2, invoke, 7, of_monitor(
            u16(POLL if sequence is None else EXTENDED) + sized(body), False), bytes(link) if link else b''),
            'poll_result' if sequence is None else 'extended_poll_result', **meant)


def heart_rate(value, state=0):
    return u16(0x4182, state, 0x0aa0) + number(value)


def wave(code, samples, state=0):
    return u16(code, state) + sized(b''.join(u16(s) for s in samples))


def alarm(source, code, priority, state, extra=b''):
    """DevAlarmEntry: the object is global, what is behind it has a length."""
    return u16(source, code, priority, state, MDS, 0, 0, 0x0201) + sized(extra)


def conversation():
    t = Talk()
    t.say(False, association(0x0d, ASKS, False), 'association_request')
    t.say(True, association(0x0e, ANSWERS, True), 'association_response')
    who = attributes(a0984=sized(make.DEV), a0928=text('Philips', 8) + text('M8000', 6),
                     a091e=sized('Bett 3'.encode('utf-16-be').ljust(34, b'\0')), a0987=bytes.fromhex('2026013107150000'),
                     a098f=u32(8000))
    t.say(True, operation(1, 1, 1, of_monitor(u32(8000) + u16(0x0d06) + sized(u16(MDS, 0, 0) + who), False)), 'mds_create',
          invoke_id=1, manufacturer='Philips', model='M8000', system_id=make.DEV.hex(':'))
    t.say(False, operation(2, 1, 1, of_monitor(u32(8000) + u16(0x0d06, 0), False)), 'mds_create_result', invoke_id=1)

    t.poll(2, 2, NUMERICS)
    compound = listed([u16(code, 0, 0x0f20) + number(value, -1) for code, value in ((0x4a05, 1205), (0x4a06, 801), (0x4a07, 934))])
    t.result(2, 2, NUMERICS, [[(1, attributes(a0950=heart_rate(72))), (2, attributes(a094b=compound, a0924=u32(0x24a04)))],
                              [(1, attributes(a0950=heart_rate(None, 0x8000)))]], link=(1, 1), numerics=5)
    t.result(2, 2, NUMERICS, [[(3, attributes(a0950=heart_rate(71), a093f=u16(8)))]], link=(2, 2), numerics=1)
    t.result(2, 2, NUMERICS, [[(4, attributes(a0911=u16(0, 1)))]], link=(3, 3))
    t.result(2, 2, NUMERICS, [])
    t.poll(3, 3, MDS)
    t.result(3, 3, MDS, [[(0, attributes(a0928=text('Philips', 8) + text('M8000', 6)))]], manufacturer='Philips', model='M8000')
    t.poll(4, 4, PATIENT)
    t.result(4, 4, PATIENT, [[(5, attributes(a095d=text('Erika', 6), a095c=text('Muster', 8)))]])
    t.poll(5, 5, ALARMS)
    yellow, inop = alarm(0x4182, 0x0102, 0x0002, 0x0001), alarm(0x0102, 0x0014, 0x0100, 0x0001, u16(9, 0) + text('LEADS OFF', 10))
    t.result(5, 5, ALARMS, [[(6, attributes(a0902=listed([yellow]), a0904=listed([inop, inop]), a0916=u16(2, 3, 0, 0)))]], alarms=3)
    t.poll(6, 6, 41)
    t.result(6, 6, 41, [])

    asked = u16(0xf23a)
    t.say(False, operation(1, 7, 3, of_monitor(listed([asked]))), 'get', object='monitor', invoke_id=7,
          attribute='wave_priority_list')
    chosen = listed([u32(0x00020102), u32(0x00024bb4)])
    t.say(True, operation(2, 7, 3, of_monitor(attributes(af23a=chosen), False)), 'get_result', object='monitor', invoke_id=7,
          attribute='wave_priority_list')
    t.say(False, operation(1, 8, 5, of_monitor(listed([u16(0) + asked + sized(chosen)]))), 'set', object='monitor', invoke_id=8,
          attribute='wave_priority_list', control=True)
    t.say(True, operation(2, 8, 5, of_monitor(attributes(af23a=chosen), False)), 'set_result', object='monitor', invoke_id=8,
          attribute='wave_priority_list')

    t.poll(9, 1, WAVES, True, 80000)
    t.poll(10, 2, NUMERICS, True)
    spec = dict(a096d=u16(64) + bytes([16, 12]) + u16(0x3000), a0a16=listed([u16(1, 0x4000), u16(2, 0x2000)]),
                a096f=number(None) + number(None) + u16(0, 4095), a098d=u32(32),
                a0964=number(0) + number(1) + u16(2000, 2200, 200, 1))
    for n in range(2):
        ecg = wave(0x0102, range(64 * n, 64 * n + 64))
        three = listed([wave(code, range(21)) for code in (0x0101, 0x0102, 0x013d)])
        t.result(9, 1, WAVES, [[(7, attributes(**spec if not n else {}, a096e=ecg)), (8, attributes(a0967=three))],
                               [(7, attributes(a096e=wave(0x4bb4, [0x4000] * 32, 0x8000)))]], sequence=n, waves=5)
    for n, last in ((0, (1, 1)), (1, (3, 2)), (2, None)):
        t.result(10, 2, NUMERICS, [[(1, attributes(a0950=heart_rate(72 + n)))]], sequence=n // 2, link=last, numerics=1)
    t.say(True, operation(3, 11, 10, b''), 'error', invoke_id=11, error='processing_failure')
    t.say(True, operation(3, 12, 9, u16(POLL)), 'error', invoke_id=12, error='no_such_action')
    t.say(False, bytes.fromhex(RELEASE), 'release_request')
    t.say(True, bytes.fromhex(RELEASED), 'release_response')
    t.say(False, association(0x0d, ASKS, False), 'association_request')
    t.say(True, bytes.fromhex(REFUSE), 'association_refuse')
    t.say(True, bytes.fromhex(ABORT), 'abort')
    return t.said


def check(data):
    """RFC 1662 §C.2, bit by bit."""
    fcs = 0xffff
    for byte in data:
        for i in range(8):
            fcs = fcs >> 1 ^ (0x8408 if (fcs ^ byte >> i) & 1 else 0)
    return struct.pack('<H', fcs ^ 0xffff)


def framed(data):
    frame = b'\x11\x01' + sized(data)
    out = b''.join(bytes([0x7d, b ^ 0x20]) if b in (0xc0, 0xc1, 0x7d) else bytes([b]) for b in frame + check(frame))
    return b'\xc0' + out + b'\xc1'


def connect_indication():
    address = make.DEV + make.ip4(make.DEV_IP) + b'\xff\xff\0\0'
    body = of_monitor(u32(8000) + u16(0x0d17) + sized(attributes(a0986=u16(1, 0x114d), af100=address, af101=listed(
        [u16(1, 1, 24105, 0)]))), False)
    return u16(0, 0x0100) + u16(1) + sized(u16(0, 0) + sized(body))


def frames():
    """By UDP, and by a terminal server of its serial port."""
    out = [make.udp_frame(make.DEV, b'\xff' * 6, make.DEV_IP, '10.9.255.255', 24005, 24005, connect_indication())]
    for monitor, data, _ in conversation():
        (mac, ip, port), (mac2, ip2, port2) = (MONITOR, STATION) if monitor else (STATION, MONITOR)
        out.append(make.udp_frame(mac, mac2, ip, ip2, port, port2, data))
    ends = [(make.SRV, make.DEV, make.SRV_IP, make.DEV_IP, 40002, 4001), (make.DEV, make.SRV, make.DEV_IP, make.SRV_IP, 4001, 40002)]
    seq = [101, 501]
    out += [make.tcp_frame(*ends[0], 100, 0, 2), make.tcp_frame(*ends[1], 500, 101, 18), make.tcp_frame(*ends[0], 101, 501, 16)]
    for monitor, data, _ in conversation():
        for piece in (lambda f: (f[:7], f[7:]))(framed(data)):  # as a serial line does
            out.append(make.tcp_frame(*ends[monitor], seq[monitor], seq[not monitor], 24, piece))
            seq[monitor] += len(piece)
    return out


def meant():
    yield {'message': 'connect_indication', 'system_id': make.DEV.hex(':')}
    for framing in ({}, {'framing': 'mib'}):
        for _, _, event in conversation():
            yield {**event, **framing}


def compare(binary):
    out = subprocess.run([binary, 'inspect', '-r', 'intellivue/input.pcap'], capture_output=True, check=True).stdout
    told = [e for e in map(json.loads, out.splitlines()) if e['event_type'] == 'intellivue']
    wanted = list(meant())
    for e, want in zip(told, wanted):
        if e['intellivue'] != want or 'reason' in e:
            print('not ok - intellivue: meant %s, told %s %s' % (want, e['intellivue'], e.get('reason', '')))
            return 1
    failed = len(told) != len(wanted)
    print('%s - intellivue: %d messages as their simulator means them' % ('not ok' if failed else 'ok', len(told)))
    return failed


os.chdir(os.path.dirname(os.path.abspath(__file__)))
if sys.argv[1:] == ['make']:
    make.pcap('intellivue', frames(), step=10**8)
elif len(sys.argv) == 2:
    sys.exit(compare(os.path.realpath(os.path.join(os.environ.get('PWD', '.'), sys.argv[1]))))
else:
    sys.exit(__doc__)
