#!/usr/bin/python3
"""hl7_files.py BEDWARDEN: every HL7 v2 message in the folder of others' files, where it is
there, sent in a frame of its own file's: type, number and version, application and
facility are those that a few lines of Python find in MSH, and no message is missed. The
same in UTF-16 and UTF-32, which say what UTF-8 says."""
import json
import os
import subprocess
import sys
import tempfile

import make

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get('BEDWARDEN_DATA', HERE + '/../../../shared/data') + '/hl7'
NAMES = ['sending_application', 'sending_facility', 'receiving_application', 'receiving_facility']
KEPT = 47  # bytes of a name that an event shows


def field(fields, n):
    return fields[n] if len(fields) > n else ''


def kept(name, encoding):
    return name.encode(encoding)[:KEPT].decode(encoding, 'ignore')


def headers(text, encoding='latin1'):
    """Of each MSH what we say of it; in ISO 8859-1 every byte is a character."""
    for segment in text.split('\r'):
        if not segment.startswith('MSH'):
            continue
        fields = segment.split(segment[3])
        component = fields[1][0]
        kind = field(fields, 8).split(component)[:2]
        yield {'message_type': '^'.join(k for k in kind if k), 'control_id': field(fields, 9),
               'version': field(fields, 11).split(component)[0],
               **{name: kept(field(fields, 2 + i).split(component)[0], encoding) for i, name in enumerate(NAMES)}}


def conversation(port, data):
    there = (make.DEV, make.SRV, make.DEV_IP, make.SRV_IP, port, 2575)
    back = (make.SRV, make.DEV, make.SRV_IP, make.DEV_IP, 2575, port)
    yield make.tcp_frame(*there, 100, 0, 2)
    yield make.tcp_frame(*back, 500, 101, 18)
    at = 101
    for i in range(0, len(data), 1400):
        part = data[i:i + 1400]
        yield make.tcp_frame(*there, at, 501, 24, part)
        at += len(part)
        yield make.tcp_frame(*back, 501, at, 16)
    yield make.tcp_frame(*there, at, 501, 17)
    yield make.tcp_frame(*back, 501, at + 1, 17)
    yield make.tcp_frame(*there, at + 1, 502, 16)


def wide(data, encoding):
    """What it says in UTF-8, else ISO 8859-1, and that in the other encoding."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode('latin1')
    return list(headers(text, 'utf-8')), text.encode(encoding)


def judge(encoding=None):
    want, frames, names = {}, [], {}
    for folder, _, files in sorted(os.walk(DATA)):
        for name in sorted(files):
            with open(os.path.join(folder, name), 'rb') as f:
                data = f.read().replace(b'\r\n', b'\r').replace(b'\n', b'\r').rstrip(b'\r')
            if data[:3] not in (b'MSH', b'FHS', b'BHS'):
                continue
            port = 10000 + len(want)
            names[port] = os.path.relpath(os.path.join(folder, name), DATA)
            if encoding:
                want[port], data = wide(data + b'\r', encoding)
            else:
                want[port], data = list(headers(data.decode('latin1'))), data + b'\r'
            frames += conversation(port, b'\x0b' + data + b'\x1c\r')
    with tempfile.TemporaryDirectory() as tmp:
        make.pcap(tmp, frames)
        out = subprocess.run([sys.argv[1], 'inspect', '-r', tmp + '/input.pcap'], check=True, capture_output=True)
    got = {port: [] for port in want}
    for event in map(json.loads, out.stdout.splitlines()):
        if event['event_type'] == 'hl7':
            if bool(encoding) != ('encoding' in event['hl7']) or event.get('reason') == 'hl7.encoding':
                print('#', names[event['src_port']], event['hl7'], event.get('reason'))
            if 'type_by_structure' in event['hl7']:
                print(f"not ok - {names[event['src_port']]}: a structure of another type, {event['hl7']}")
            got[event['src_port']].append({k: event['hl7'].get(k, '') for k in ['message_type', 'control_id', 'version'] + NAMES})
    wrong = [port for port in want if want[port] != got[port]]
    for port in wrong[:5]:
        print(f'not ok - {names[port]}: {len(want[port])} messages, we told {len(got[port])}')
        print(*[pair for pair in zip(want[port], got[port]) if pair[0] != pair[1]][:1])
    if not wrong:
        print(f'ok - {sum(map(len, want.values()))} HL7 messages out of {len(want)} files of others '
              f'are told as they are{" in " + encoding if encoding else ""}')
    return len(wrong)


def main():
    if not os.path.isdir(DATA):
        print(f'skip - HL7 files of others: no folder {DATA}')
        return 0
    return 1 if sum(judge(e) for e in (None, 'utf-16', 'utf-16-le', 'utf-16-be', 'utf-32', 'utf-32-be')) else 0


if __name__ == '__main__':
    sys.exit(main())
