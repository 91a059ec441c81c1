#!/usr/bin/env python3
"""Compares what `inspect` says of the protocols of devices with what others say
of the same captures, member by member: tshark where it knows the protocol, an
XML reader of its own for POCT1-A and SOAP. Of the captures of others, those
that a folder beside the project holds are compared too.

usage: device_peers.py BINARY
"""
import glob
import itertools
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get('BEDWARDEN_DATA', HERE + '/../../../shared/data') + '/pcap/'
MQTT = ['connect', 'connack', 'publish', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'subscribe', 'suback',
        'unsubscribe', 'unsuback', 'pingreq', 'pingresp', 'disconnect', 'auth']
SNMP = ['get_request', 'get_next_request', 'response', 'set_request', 'trap_v1', 'get_bulk_request',
        'inform_request', 'trap_v2', 'report']
COAP = ['confirmable', 'non_confirmable', 'acknowledgement', 'reset']
BVLC = ['BVLC-Result', 'Write-Broadcast-Distribution-Table', 'Read-Broadcast-Distribution-Table',
        'Read-Broadcast-Distribution-Table-Ack', 'Forwarded-NPDU', 'Register-Foreign-Device',
        'Read-Foreign-Device-Table', 'Read-Foreign-Device-Table-Ack', 'Delete-Foreign-Device-Table-Entry',
        'Distribute-Broadcast-To-Network', 'Original-Unicast-NPDU', 'Original-Broadcast-NPDU', 'Secure-BVLL']
BACNET = ['confirmed_request', 'unconfirmed_request', 'simple_ack', 'complex_ack', 'segment_ack', 'error', 'reject',
          'abort']
CONFIRMED = {16: 'writePropertyMultiple', 12: 'readProperty', 14: 'readPropertyMultiple', 15: 'writeProperty', 17: 'deviceCommunicationControl',
             20: 'reinitializeDevice', 26: 'readRange'}
UNCONFIRMED = ['i-Am', 'i-Have', 'unconfirmedCOVNotification', 'unconfirmedEventNotification',
               'unconfirmedPrivateTransfer', 'unconfirmedTextMessage', 'timeSynchronization', 'who-Has', 'who-Is']
OBJECTS = {0: 'analog-input', 1: 'analog-output', 2: 'analog-value', 4: 'binary-output', 8: 'device'}
PROPERTIES = {75: 'object-identifier', 76: 'object-list', 77: 'object-name', 85: 'present-value'}


def packet(m):
    """The one MQTT packet of an event: its name and its members."""
    return next((k, v) for k, v in m.items() if isinstance(v, dict))


def of_packet(member, kinds=None):
    def values(m):
        name, body = packet(m)
        return [body[member]] if member in body and (not kinds or name in kinds) else []
    return values


def pdu(m):
    return m.get('request') or m.get('response')


def of_modbus(*path):
    def values(m):
        at = pdu(m)
        for key in path:
            at = at.get(key) if isinstance(at, dict) else None
        return [] if at is None else [at]
    return values


def of(member):
    return lambda m: [m[member]] if member in m else []


def flag(text):
    return text in ('1', 'True')


def mqtt_topics(m):
    name, body = packet(m)
    if 'topics' in body:
        return [t['topic'] if isinstance(t, dict) else t for t in body['topics']]
    return [body['topic']] if name == 'publish' else []


# tshark's field: how its value reads, and the values of an event.
FIELDS = {
    'mqtt': ('mqtt', {
        'mqtt.msgtype': (lambda v: MQTT[int(v) - 1], lambda m: [packet(m)[0]]),
        'mqtt.msgid': (int, of_packet('message_id')),
        'mqtt.clientid': (str, of_packet('client_id')),
        'mqtt.ver': (int, of_packet('protocol_version')),
        'mqtt.kalive': (int, of_packet('keep_alive')),
        'mqtt.conflag.passwd': (flag, lambda m: of_packet('flags')(m) and [packet(m)[1]['flags']['password']]),
        'mqtt.conflag.willflag': (flag, lambda m: of_packet('flags')(m) and [packet(m)[1]['flags']['will']]),
        'mqtt.conflag.cleansess': (flag, lambda m: of_packet('flags')(m) and [packet(m)[1]['flags']['clean_session']]),
        'mqtt.retain': (flag, of_packet('retain', ['publish'])),
        'mqtt.username': (str, of_packet('username')),
        'mqtt.topic': (str, mqtt_topics),
    }),
    'modbus': ('modbus', {
        'mbtcp.trans_id': (int, of_modbus('transaction_id')),
        'mbtcp.unit_id': (int, of_modbus('unit_id')),
        'modbus.func_code': (int, lambda m: [pdu(m)['function_raw'] & 127]),
        'modbus.exception_code': (int, of_modbus('exception', 'raw')),
        'modbus.diagnostic_code': (int, of_modbus('diagnostic', 'raw')),
        'modbus.mei': (int, of_modbus('mei', 'raw')),
    }),
    'snmp': ('snmp', {
        'snmp.version': (lambda v: int(v) + 1, lambda m: [m['version']] if m['version'] < 3 else []),
        'snmp.msgVersion': (int, lambda m: [3] if m['version'] == 3 else []),
        'snmp.data': (lambda v: SNMP[int(v)], lambda m: [m['pdu_type']] if m['pdu_type'] != 'encrypted' else []),
        'snmp.request_id': (int, lambda m: [m['request_id']] if m['pdu_type'] not in ('encrypted', 'trap_v1') else []),
        'snmp.name': (str, lambda m: m.get('vars', [])),
        'snmp.msgUserName': (str, of('usm')),
    }),
    'coap': ('coap', {
        'coap.type': (lambda v: COAP[int(v)], of('type')),
        'coap.code': (lambda v: '%d.%02d' % (int(v) >> 5, int(v) & 31), of('code')),
        'coap.mid': (int, of('message_id')),
        'coap.token': (lambda v: v.replace(':', ''), of('token')),
        'coap.opt.block_number': (int, lambda m: [m[b]['number'] for b in ('block2', 'block1') if b in m]),
        'coap.opt.block_mflag': (flag, lambda m: [m[b]['more'] for b in ('block2', 'block1') if b in m]),
    }),
    'bacnet': ('bvlc', {
        'bvlc.function': (lambda v: BVLC[int(v, 0)], of('bvlc')),
        'bacapp.type': (lambda v: BACNET[int(v)], of('pdu_type')),
        'bacapp.invoke_id': (int, of('invoke_id')),
        'bacapp.confirmed_service': (lambda v: CONFIRMED[int(v)], lambda m: of('service')(m) if m.get(
            'pdu_type') != 'unconfirmed_request' else []),
        'bacapp.unconfirmed_service': (lambda v: UNCONFIRMED[int(v)], lambda m: of('service')(m) if m.get(
            'pdu_type') == 'unconfirmed_request' else []),
        'bacapp.objectType': (lambda v: OBJECTS[int(v)], of('object_type')),
        'bacapp.instance_number': (int, of('instance')),
        'bacapp.property_identifier': (lambda v: PROPERTIES[int(v)], of('property')),
    }),
}


def inspect(binary, path, kind):
    """What each end of each conversation said, in its order."""
    out = subprocess.run([binary, 'inspect', '-r', path], capture_output=True, check=True).stdout
    said = {}
    for line in out.splitlines():
        e = json.loads(line)
        if e['event_type'] == kind:
            key = (e['src_ip'], e['src_port'], e['dest_ip'], e['dest_port'])
            said.setdefault(key, []).append(e[kind])
    return said


def tshark(path, kind):
    shown, fields = FIELDS[kind]
    ends = ['ip.src', 'ipv6.src', 'tcp.srcport', 'udp.srcport', 'ip.dst', 'ipv6.dst', 'tcp.dstport', 'udp.dstport']
    args = ['tshark', '-r', path, '-2', '-n', '-Y', shown + ' && !icmp', '-T', 'fields', '-E',
            'separator=/t', '-E', 'aggregator=\x01']
    for f in ends + list(fields):
        args += ['-e', f]
    out = subprocess.run(args, capture_output=True, check=True, text=True).stdout
    said = {}
    for line in out.split('\n'):
        row = line.split('\t')
        if len(row) < len(ends) + len(fields):
            continue
        key = (row[0] or row[1], int(row[2] or row[3]), row[4] or row[5], int(row[6] or row[7]))
        lists = said.setdefault(key, {f: [] for f in fields})
        for f, text in zip(fields, row[len(ends):]):
            lists[f] += [fields[f][0](v) for v in text.split('\x01') if v]
    return said


def runs(values):
    return [v for v, _ in itertools.groupby(values)]


def compare(binary, path, kind):
    """How many values agree."""
    ours, theirs, count = inspect(binary, path, kind), tshark(path, kind), 0
    for key in set(ours) | set(theirs):
        for f, (_, values) in FIELDS[kind][1].items():
            a = [v for m in ours.get(key, []) for v in values(m) if v != '']
            if kind == 'bacnet':  # several of a segment
                a = [v for w in a for v in (w if isinstance(w, list) else [w])]
            b = theirs.get(key, {}).get(f, [])
            if f == 'mqtt.topic':  # tshark says one twice where it is given an alias
                a, b = runs(a), runs(b)
            assert a == b, '%s of %s\n  here   %s\n  tshark %s' % (f, key, a, b)
            count += len(a)
    return count


# XML: what came in one direction, put together by tshark, read by expat

def payloads(path, shown, field):
    args = ['tshark', '-r', path, '-2', '-n', '-Y', shown, '-T', 'fields', '-e', 'ip.src', '-e', field]
    out = subprocess.run(args, capture_output=True, check=True, text=True).stdout
    said = {}
    for line in out.splitlines():
        source, _, data = line.partition('\t')
        said.setdefault(source, []).append(bytes.fromhex(data.replace(':', '')))
    return said


def local(tag):
    return tag.rpartition('}')[2]


def compare_poct1a(binary, path):
    count = 0
    theirs = payloads(path, 'tcp.len > 0', 'tcp.payload')
    for key, ours in inspect(binary, path, 'poct1a').items():
        text = re.sub(rb'<\?.*?\?>', b'', b''.join(theirs.pop(key[0])))
        roots = list(xml.etree.ElementTree.fromstring(b'<all>' + text + b'</all>'))
        assert [m['message_type'] for m in ours] == [r.tag for r in roots], key
        for m, root in zip(ours, roots):
            for member, tag in (('control_id', 'HDR.control_id'), ('device_id', 'DEV.device_id'),
                                ('ack_control_id', 'ACK.ack_control_id'), ('command', 'DTV.command_cd')):
                found = root.find('.//' + tag)
                assert m.get(member) == (found.get('V') if found is not None else None), (key, m)
                count += 1
            assert m.get('observations', 0) == len(root.findall('.//OBS')), m
    assert not theirs, theirs.keys()
    return count


def compare_discovery(binary, path):
    """SOAP over UDP: action, message, and what it is about."""
    count = 0
    theirs = payloads(path, 'udp.port == 3702', 'udp.payload')
    ours = {}
    for key, said in inspect(binary, path, 'sdc').items():
        if 3702 in (key[1], key[3]):
            ours.setdefault(key[0], []).extend(said)
    assert set(ours) == set(theirs), (ours.keys(), theirs.keys())
    for source, datagrams in theirs.items():
        found = []
        for d in datagrams:
            root = xml.etree.ElementTree.fromstring(d)
            texts = {local(e.tag): (e.text or '').strip() for e in root.iter()}
            body = next(e for e in root if local(e.tag) == 'Body')
            found.append((texts['Action'], texts['MessageID'], local(body[0].tag)))
        said = [(m['action_uri'], m['message_id'], m['body']) for m in ours[source]]
        assert sorted(said) == sorted(found), source
        count += 3 * len(said)
    return count


def cases():
    for kind, names in (('mqtt', 'mqtt mqtt5'), ('modbus', 'modbus'), ('snmp', 'snmp'), ('coap', 'coap'),
                        ('bacnet', 'bacnet bacnet-segments')):
        for name in names.split():
            yield name, lambda b, kind=kind, name=name: compare(b, HERE + '/%s/input.pcap' % name, kind)
    yield 'poct1a', lambda b: compare_poct1a(b, HERE + '/poct1a/input.pcap')
    yield 'sdc', lambda b: compare_discovery(b, HERE + '/sdc/input.pcap')
    for kind, names in (('mqtt', 'iot/zeek_mqtt iot/malcolm_MQTT iot/sv_mqtt-ping iot/sv_mqtt31-pub-userpass '
                         'iot/sv_mqtt5-pub-userpass iot/sv_mqtt5-unsub-qos2 iot/arkime_mqtt_big'),
                        ('modbus', 'iot/iti_modbus_test iot/ndpi_modbus iot/zeek_modbus_modbus-and-non-modbus-p502'),
                        ('snmp', 'net/ndpi_snmp'), ('bacnet', 'iot/ndpi_bacnet')):
        for name in names.split():
            yield name, lambda b, kind=kind, name=name: compare(b, DATA + name + '.pcap', kind)


def main():
    binary, failed = sys.argv[1], False
    if not glob.glob(DATA):
        print('skip - captures of others: no folder ' + DATA)
    for name, judge in cases():
        if '/' in name and not glob.glob(DATA + name + '.pcap'):
            continue
        try:
            count = judge(binary)
            assert count > 1, 'too few values'
            print('ok - %s: %d values as others read them' % (name, count))
        except AssertionError as e:
            print('not ok - %s: %s' % (name, e))
            failed = True
    sys.exit(failed)


main()
