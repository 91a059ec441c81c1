#!/usr/bin/env python3
"""Compares what `inspect` says of recorded DICOM with what others say of it,
member by member: tshark of the same capture, and DCMTK's own debug logs of the
programs that were recorded (CASE/*.log).

usage: dicom_peers.py BINARY [CASE...]      every recorded one
"""
import glob
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

PDUS = ['A-ASSOCIATE-RQ', 'A-ASSOCIATE-AC', 'A-ASSOCIATE-RJ', 'P-DATA-TF', 'A-RELEASE-RQ', 'A-RELEASE-RP',
        'A-ABORT']
RESULTS = ['acceptance', 'user-rejection', 'no-reason', 'abstract-syntax-not-supported',
           'transfer-syntaxes-not-supported']
IDENTITIES = [None, 'username', 'username-and-passcode', 'kerberos', 'saml', 'jwt']
REJECTED = [None, 'rejected-permanent', 'rejected-transient']
REJECTORS = [None, 'service-user', 'service-provider-acse', 'service-provider-presentation']
ABORTERS = ['service-user', None, 'service-provider']
NUMBERS = {'0110': 'message_id', '0120': 'message_id_responded_to', '1002': 'event_type_id', '1008': 'action_type_id'}
COUNTS = {'1020': 'remaining', '1021': 'completed', '1022': 'failed', '1023': 'warning'}
# How DCMTK spells what the standard calls otherwise.
SYNTAXES = {'LittleEndianImplicit': 'Implicit VR Little Endian', 'LittleEndianExplicit': 'Explicit VR Little Endian',
            'BigEndianExplicit': 'Explicit VR Big Endian (Retired)',
            'DeflatedLittleEndianExplicit': 'Deflated Explicit VR Little Endian',
            'JPEGBaseline': 'JPEG Baseline (Process 1)', 'JPEGExtended:Process2+4': 'JPEG Extended (Process 2 & 4)',
            'JPEGLossless:Non-hierarchical:Process14': 'JPEG Lossless, Non-Hierarchical (Process 14)',
            'JPEGLossless:Non-hierarchical-1stOrderPrediction': 'JPEG Lossless, Non-Hierarchical, First-Order '
            'Prediction (Process 14 [Selection Value 1])',
            'JPEGLSLossless': 'JPEG-LS Lossless Image Compression',
            'JPEGLSLossy': 'JPEG-LS Lossy (Near-Lossless) Image Compression',
            'JPEG2000LosslessOnly': 'JPEG 2000 Image Compression (Lossless Only)',
            'JPEG2000': 'JPEG 2000 Image Compression', 'RLELossless': 'RLE Lossless',
            'MPEG2MainProfile@MainLevel': 'MPEG2 Main Profile / Main Level',
            'HEVCMainProfile/Level5.1': 'HEVC/H.265 Main Profile / Level 5.1'}

WELL_BEHAVED = ['store', 'query', 'worklist', 'print', 'orthanc', 'services', 'toolkits', 'odd']


def events(binary, case):
    """The events of each conversation, in their order."""
    out = subprocess.run([binary, 'inspect', '-r', case + '/input.pcap'], capture_output=True, check=True).stdout
    talks = {}
    for line in out.splitlines():
        e = json.loads(line)
        if e['event_type'] == 'dicom':
            ends = frozenset(((e['src_ip'], e['src_port']), (e['dest_ip'], e['dest_port'])))
            talks.setdefault(ends, []).append(dict(e['dicom'], by=e['src_port'], reason=e.get('reason')))
    return talks


# tshark

def named(text):
    """'CT Image Storage (1.2.3)' or '1.2.3 (CT Image Storage)': the registered name, and the UID."""
    found = re.fullmatch(r'(?:(?P<name>.*) \()?(?P<uid>[\d.]+)\)?', text) or \
        re.fullmatch(r'(?P<uid>[\d.]+) \((?P<name>.*)\)', text)
    assert found, text
    return (found.group('name') or found.group('uid')).split(': Default')[0], found.group('uid')


def read_context(fields):
    context = {'id': int(fields[0].get('show'), 0)}
    for f in fields[1:]:
        name, show = f.get('name'), f.get('show')
        if name == 'dicom.pctx.result':
            context['result'] = RESULTS[int(show, 0)]
        elif name == 'dicom.pctx.abss.syntax':
            context['abstract_syntax'] = named(show)[0]
        elif name == 'dicom.pctx.xfer.syntax':
            context.setdefault('transfer_syntaxes', []).append(named(show)[0])
    return context


def read_association(fields):
    r, contexts, roles = {}, [], {}
    members = {'dicom.assoc.ae.calling': 'calling_ae', 'dicom.assoc.ae.called': 'called_ae',
               'dicom.userinfo.uid': 'implementation_class_uid', 'dicom.userinfo.version': 'implementation_version'}
    for i, f in enumerate(fields):
        name, show = f.get('name'), f.get('show')
        if name in members:
            r[members[name]] = show.strip()
        elif name == 'dicom.max_pdu_len':
            r['max_pdu_length'] = int(show)
        elif name == 'dicom.userinfo.user_identify.type':
            r['user_identity'] = IDENTITIES[int(show)]
        elif name == 'dicom.userinfo.rolesel.sopclassuid':
            scu, scp = [int(g.get('show'), 0) for g in fields[i + 1:i + 3]]
            roles[named(show)[0]] = {'scu': bool(scu), 'scp': bool(scp)}
        elif name == 'dicom.pctx.id':
            end = next((j for j in range(i + 1, len(fields)) if fields[j].get('name') in
                        ('dicom.pctx.id', 'dicom.userinfo')), len(fields))
            contexts.append(read_context(fields[i:end]))
    r['contexts'], r['roles'] = contexts, roles
    return r


def read_command(field, r):
    found = re.fullmatch(r'\(0000,(\w{4})\)\s+\d+ (.+?)\s{2,}(.*)', field.get('show'))
    if not found:
        return
    tag, value = found.group(1), found.group(3).strip()
    if tag in ('0002', '0003'):
        r['sop_class'], r['sop_class_uid'] = named(value)
    elif tag == '0100':
        r['command'] = value
    elif tag == '0600':
        r['move_destination'] = value
    elif tag == '0800':
        r['data_set'] = value.split()[0] != '257'
    elif tag == '0900':
        r['status'] = '0x%04x' % int.from_bytes(bytes.fromhex(field.get('value'))[8:10], 'little')
    elif tag in NUMBERS:
        r[NUMBERS[tag]] = int(value)
    elif tag in COUNTS:
        r.setdefault('suboperations', {})[COUNTS[tag]] = int(value)


def read_data(fields):
    """Of a PDU whose PDVs end command sets: what each says."""
    messages, r = [], {}
    for f in fields:
        name = f.get('name')
        if name == 'dicom.pdv.ctx':
            r = {'presentation_context': int(f.get('show'))}
            syntax = re.search(r'\((.*?), [^,]*\)$', f.get('showname'))
            r['syntax'] = syntax.group(1) if syntax else None
        elif name == 'dicom.pdv.flags' and int(f.get('show'), 0) & 3 == 3:
            messages.append(r)
        elif not name:
            read_command(f, r)
    return messages


def read_pdu(proto):
    fields = list(proto.iter('field'))
    shows = {f.get('name'): f.get('show') for f in fields}
    kind = int(shows['dicom.pdu.type'], 0)
    r = {'pdu': PDUS[kind - 1]}
    if kind <= 2:
        r.update(read_association(fields))
    elif kind == 3:
        r['result'] = REJECTED[int(shows['dicom.assoc.reject.result'])]
        r['source'] = REJECTORS[int(shows['dicom.assoc.reject.source'])]
    elif kind == 4:
        return [dict(r, **m) for m in read_data(fields)]
    elif kind == 7:
        r['source'] = ABORTERS[int(shows['dicom.assoc.abort.source'])]
    return [r]


def tshark(case):
    out = subprocess.run(['tshark', '-r', case + '/input.pcap', '-2', '-n', '-d', 'tcp.port==104,dicom', '-d',
                          'tcp.port==11112,dicom', '-Y', 'dicom', '-T', 'pdml'], capture_output=True, check=True)
    talks = {}
    for packet in xml.etree.ElementTree.fromstring(out.stdout).iter('packet'):
        shows = {f.get('name'): f.get('show') for p in packet.iter('proto') if p.get('name') in ('ip', 'tcp')
                 for f in p.iter('field')}
        ends = frozenset(((shows['ip.src'], int(shows['tcp.srcport'])), (shows['ip.dst'], int(shows['tcp.dstport']))))
        for proto in packet.iter('proto'):
            if proto.get('name') == 'dicom':
                for r in read_pdu(proto):
                    talks.setdefault(ends, []).append(dict(r, by=int(shows['tcp.srcport'])))
    return talks


def compare_contexts(mine, theirs):
    told = {c['id']: c for c in mine.get('presentation_contexts', [])}
    assert len(told) + mine.get('presentation_contexts_omitted', 0) == len(theirs['contexts'])
    assert told
    for c in theirs['contexts']:
        m = told.get(c['id'])
        if not m:
            continue
        if 'result' in c:
            assert m['result'] == c['result'], (m, c)
            syntax = c['transfer_syntaxes'][0] if c['result'] == 'acceptance' else None
            assert m.get('transfer_syntax') == syntax, (m, c)
        else:
            assert m['abstract_syntax'] == c['abstract_syntax'], (m, c)
            assert sorted(m['transfer_syntaxes']) == sorted(c['transfer_syntaxes']), (m, c)
        role = theirs['roles'].get(m['abstract_syntax'])
        assert {k: m[k] for k in ('scu', 'scp') if k in m} == (role or {}), (m, role)


def compare_with_tshark(talks, case):
    """How many messages agree."""
    count, theirs = 0, tshark(case)
    assert set(talks) == set(theirs), 'conversations'
    for ends, records in theirs.items():
        mine = talks[ends]
        said = [m['pdu'] for m in mine], [r['pdu'] for r in records]
        assert said[0] == said[1], said
        for m, r in zip(mine, records):
            assert not m['reason'], m
            if 'contexts' in r:
                compare_contexts(m, r)
            for key, value in r.items():
                if key == 'syntax':
                    assert m['transfer_syntax'] == value.split(': Default')[0] or 'Lossless' in value, (m, r)
                elif key not in ('contexts', 'roles'):
                    assert m.get(key) == value, (key, m, r)
            count += 1
    return count


# DCMTK's logs

def plain(name):
    """'FINDStudyRoot...' and 'Study Root ... - FIND' alike, and names that the standard changed later."""
    name = re.sub('[^a-z0-9]', '', name.lower()).replace('srdocument', 'sr').replace('twelve', '12')
    name = re.sub('^retired|(sopclass)?(trial)?(retired)?$', '', name)
    return re.sub('^(find|move|get)(.*)', r'\2\1', name)


def read_log(path):
    """Its blocks: what kind, and the lines as (name, value)."""
    block, kind = None, None
    with open(path) as f:
        for line in f:
            line = line.rstrip('\n')[3:]
            if re.match('=+ (BEGIN|OUTGOING|INCOMING) ', line):
                kind, block = re.search('=+ (.*?) =+', line).group(1), []
            elif re.match('=+ END ', line):
                yield kind, block
                block = None
            elif block is not None:
                name, _, value = line.partition(':')
                block.append((name.strip(), value.strip(), line))


def log_message(block):
    values = {n: v for n, v, _ in block}
    name, _, suffix = values['Message Type'].rpartition(' ')
    r = {'command': name + '-' + suffix, 'data_set': values['Data Set'] == 'present'}
    for key, member in (('Message ID', 'message_id'), ('Message ID Being Responded To', 'message_id_responded_to'),
                        ('Presentation Context ID', 'presentation_context'), ('Action Type ID', 'action_type_id')):
        if values.get(key, 'none').isdigit():
            r[member] = int(values[key])
    for key in ('Affected SOP Class UID', 'Requested SOP Class UID'):
        if values.get(key, 'none') != 'none':
            r['sop_class'] = plain(values[key])
    if 'DIMSE Status' in values:
        r['status'] = values['DIMSE Status'].split(':')[0]
    if 'Priority' in values:
        r['priority'] = values['Priority'].upper()
    if 'Move Destination' in values:
        r['move_destination'] = values['Move Destination']
    counts = {m: int(values[k + ' Suboperations']) for k, m in
              (('Remaining', 'remaining'), ('Completed', 'completed'), ('Failed', 'failed'), ('Warning', 'warning'))
              if values.get(k + ' Suboperations', 'none').isdigit()}
    if counts:
        r['suboperations'] = counts
    return r


def log_association(kind, block):
    contexts = []
    for name, value, line in block:
        syntax = re.match(r'\s+=(\S+)$', line) or re.match(r'\s+Accepted Transfer Syntax: =(\S+)', line)
        if name == 'Context ID':
            contexts.append({'id': int(value.split()[0]), 'accepted': 'Accepted' in value, 'syntaxes': []})
        elif name == 'Abstract Syntax':
            contexts[-1]['abstract_syntax'] = plain(value.lstrip('='))
        elif syntax and contexts:
            contexts[-1]['syntaxes'].append(syntax.group(1))
    values = {n: v for n, v, _ in block}
    return {'pdu': kind, 'calling_ae': values['Calling Application Name'],
            'called_ae': values['Called Application Name'], 'contexts': contexts}


def is_same_message(m, r):
    for key, value in r.items():
        mine = plain(m['sop_class']) if key == 'sop_class' else m.get(key)
        if mine != value:
            return False
    return True


def is_same_association(m, r):
    if any(m.get(k) != r[k] for k in ('pdu', 'calling_ae', 'called_ae')):
        return False
    told = {c['id']: c for c in m['presentation_contexts']}
    if len(told) + m.get('presentation_contexts_omitted', 0) != len(r['contexts']):
        return False
    for c in r['contexts']:
        mine = told.get(c['id'])
        if not mine:
            continue
        syntaxes = mine['transfer_syntaxes'] if 'transfer_syntaxes' in mine else [mine.get('transfer_syntax')]
        if plain(mine['abstract_syntax']) != c['abstract_syntax']:
            return False
        if r['pdu'].endswith('AC') and c['accepted'] != (mine['result'] == 'acceptance'):
            return False
        if (r['pdu'].endswith('RQ') or c['accepted']) and \
           sorted(syntaxes) != sorted(SYNTAXES[s] for s in c['syntaxes']):
            return False
    return True


def compare_with_logs(talks, case):
    """How many messages agree: each of a log's is one of ours, and none of ours is left."""
    mine = [m for talk in talks.values() for m in talk]
    count = 0
    for path in sorted(glob.glob(case + '/*.log')):
        for kind, block in read_log(path):
            if 'DIMSE' in kind:
                r, same = log_message(block), is_same_message
            else:
                r, same = log_association(kind.split()[1], block), is_same_association
            found = next((m for m in mine if same(m, r)), None)
            if not found and r.get('pdu') == 'A-ASSOCIATE-RQ':
                continue  # what was asked stands in a log before and after the answer
            assert found, (path, r)
            mine.remove(found)
            count += 1
    # storescp logs what comes in, echoscu no messages, movescu not what it answers when images come.
    left = [m for m in mine if m['pdu'] == 'P-DATA-TF' and 'ECHO' not in m['command'] and m['by'] != 11112 and
            not (m['by'] == 104 and os.path.exists(case + '/storescp.log'))]
    assert not left, left
    return count


def main():
    binary, failed = sys.argv[1], False
    here = os.path.dirname(os.path.abspath(__file__))
    for case in sys.argv[2:] or [here + '/dicom-' + c for c in WELL_BEHAVED]:
        talks = events(binary, case)
        for what, compare in (('tshark says', compare_with_tshark), ("DCMTK's logs say", compare_with_logs)):
            if compare is compare_with_tshark and case.endswith('odd'):
                continue  # it leaves out a command of many pieces in one PDU, and one that ends by an empty piece
            if compare is compare_with_logs and not glob.glob(case + '/*.log'):
                continue
            try:
                count = compare(talks, case)
                assert count > 4, 'too few messages'
                print('ok - %s: %d messages as %s' % (os.path.basename(case), count, what))
            except AssertionError as e:
                print('not ok - %s: not as %s\n%.2000s' % (os.path.basename(case), what, e))
                failed = True
    sys.exit(failed)


main()
