#!/usr/bin/python3
"""Peers of protocols for which Debian has no program: small encoders after the
standards, named at each. Values are made up.

usage: test/pcap/peer.py ROLE ADDRESS
ROLE: astm-host astm-analyzer poct1a-reviewer poct1a-device bacnet-device
      bacnet-client modbus-device sdc-provider sdc-consumer mqtt-websocket-pump
      mqtt-websocket-nurse websocket-fragments
"""
import http.server
import socket
import struct
import sys
import time
import urllib.request


def listen(address, port):
    s = socket.create_server((address, port))
    return s.accept()[0]


# ASTM E1381 / LIS1-A frames, E1394 / LIS2-A2 records, on port 5150

def frame(number, text, end=b'\3'):
    body = b'%d' % (number % 8) + text + end
    return b'\2' + body + b'%02X\r\n' % (sum(body) % 256)


RECORDS = [b'H|\\^&|||Gluco^1.0|||||LIS||P|LIS2-A2|20260401120000\r',
           b'P|1||4711||Doe^Jane||19700101|F\r',
           b'O|1|S-17||^^^GLU|R||20260401115500\r',
           b'R|1|^^^GLU|5.4|mmol/L||N||F\r',
           b'L|1|N\r']


def astm_analyzer(address):
    s = socket.create_connection((address, 5150))
    s.sendall(b'\5')
    s.recv(1)
    for n, record in enumerate(RECORDS, 1):
        s.sendall(frame(n, record))
        if s.recv(1) == b'\x15':
            s.sendall(frame(n, record))
            s.recv(1)
    s.sendall(b'\4')
    s.recv(1)  # the host asks for the line, with an order to come
    s.sendall(b'\6')
    while s.recv(1000) not in (b'\4', b''):
        s.sendall(b'\6')


def astm_host(address):
    s = listen(address, 5150)
    s.recv(1)
    s.sendall(b'\6')
    for n in range(len(RECORDS) + 1):
        s.recv(1000)
        s.sendall(b'\x15' if n == 2 else b'\6')  # one frame is asked for again
    s.recv(1)
    s.sendall(b'\5')
    s.recv(1)
    for n, record in enumerate([RECORDS[0], b'O|1|S-18||^^^HBA1C|R||||||N\r', b'L|1|N\r'], 1):
        s.sendall(frame(n, record))
        s.recv(1)
    s.sendall(b'\4')


# CLSI POCT1-A2, appendix B, on port 3001

def poct1a(kind, number, body=''):
    return ('<%s><HDR><HDR.message_type V="%s"/><HDR.control_id V="%d"/><HDR.version_id V="POCT1"/>'
            '<HDR.creation_dttm V="2026-04-01T12:00:00+02:00"/></HDR>%s</%s>\r\n'
            % (kind, kind, number, body, kind)).encode()


def acknowledge(number, of):
    return poct1a('ACK.R01', number,
                  '<ACK><ACK.type_cd V="AA"/><ACK.ack_control_id V="%d"/></ACK>' % of)


def poct1a_device(address):
    s = socket.create_connection((address, 3001))
    s.sendall(b'<?xml version="1.0" encoding="utf-8"?>\r\n' + poct1a('HEL.R01', 1, (
        '<DEV><DEV.device_id V="00-80-C2-00-00-01"/><DEV.vendor_id V="ACME"/>'
        '<DEV.model_id V="Gluco"/><DEV.serial_id V="SN-0001"/><DEV.sw_version V="2.1"/></DEV>')))
    s.recv(4000)
    s.sendall(poct1a('DST.R01', 2, '<DST><DST.new_observations_qty V="2"/></DST>'))
    s.recv(4000)
    s.recv(4000)  # what the reviewer wants
    s.sendall(acknowledge(3, 11))
    s.sendall(poct1a('OBS.R01', 4, (
        '<SVC><SVC.role_cd V="OBS"/><PT><PT.patient_id V="4711"/><PT.name V="Doe, Jane"/>'
        '<OBS><OBS.observation_id V="2339-0"/><OBS.value V="97 (mg/dL)"/></OBS>'
        '<OBS><OBS.observation_id V="2339-0"/><OBS.value V="99 (mg/dL)"/></OBS></PT></SVC>')))
    s.recv(4000)
    s.sendall(poct1a('EOT.R01', 5))
    s.recv(4000)  # a directive
    s.sendall(acknowledge(6, 13))
    s.recv(4000)


def poct1a_reviewer(address):
    s = listen(address, 3001)
    s.recv(4000)
    s.sendall(acknowledge(9, 1))
    s.recv(4000)
    s.sendall(acknowledge(10, 2))
    s.sendall(poct1a('REQ.R01', 11, '<REQ><REQ.request_cd V="ROBS"/></REQ>'))
    while b'OBS.R01' not in s.recv(4000):
        pass
    s.sendall(acknowledge(12, 4))
    s.recv(4000)
    s.sendall(poct1a('DTV.R01', 13, '<DTV><DTV.command_cd V="LOCK"/></DTV>'))
    s.recv(4000)
    s.sendall(poct1a('END.R01', 14, '<TRM><TRM.reason_cd V="NRM"/></TRM>'))


# BACnet/IP, ANSI/ASHRAE 135 §20 and Annex J, on port 47808

BACNET = 47808


def original(apdu, function=10, control=0):
    npdu = bytes([1, control]) + apdu
    return struct.pack('>BBH', 0x81, function, 4 + len(npdu)) + npdu


ROOM = struct.pack('>I', 1 << 22 | 3)  # analog-output 3
DEVICE = struct.pack('>I', 8 << 22 | 1234)


def bacnet_device(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, BACNET))
    while True:
        data, peer = s.recvfrom(1500)
        kind, service = data[6] >> 4, data[9] if data[6] >> 4 == 0 else data[7]
        if kind == 1 and service == 8:
            answer = b'\x10\0\xc4' + DEVICE + b'\x22\5\xc4\x91\3\x22\1\4'
        elif service == 12:
            answer = bytes([0x30, data[8], 12]) + data[10:17] + b'\x3e\x44\x41\xa8\0\0\x3f'
        elif service == 15:
            answer = bytes([0x20, data[8], 15])
        else:
            answer = bytes([0x50, data[8], service]) + b'\x91\4\x91\x1a'  # password-failure
        s.sendto(original(answer), peer)


def bacnet_client(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((address, BACNET))
    for apdu in (b'\x10\x08',
                 b'\0\5\1\x0c\x0c' + ROOM + b'\x19\x55',
                 b'\0\5\2\x0f\x0c' + ROOM + b'\x19\x55\x3e\x44\x41\xa8\0\0\x3f\x39\x08',
                 b'\0\5\3\x14\x09\0\x1d\x07\0secret',
                 b'\0\5\4\x11\x09\x0a\x19\1'):
        s.send(original(apdu, control=0 if apdu[0] else 4))
        s.recv(1500)


# Modbus/TCP by the library of python3-pymodbus

def modbus_device(address):
    from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
    from pymodbus.device import ModbusDeviceIdentification
    from pymodbus.server import StartTcpServer
    block = ModbusSequentialDataBlock(0, [17] * 100)
    who = ModbusDeviceIdentification()
    who.VendorName, who.ProductCode, who.MajorMinorRevision = 'ACME', 'HVAC', '1.0'
    StartTcpServer(context=ModbusServerContext(
        slaves=ModbusSlaveContext(di=block, co=block, hr=block, ir=block), single=True),
        identity=who, address=(address, 502))


def modbus_client(address):
    from pymodbus.client import ModbusTcpClient
    from pymodbus import diag_message, file_message, mei_message, other_message
    c = ModbusTcpClient(address)
    c.connect()
    c.read_coils(1, 10, slave=1)
    c.read_discrete_inputs(1, 10, slave=1)
    c.read_holding_registers(1, 10, slave=1)
    c.read_input_registers(1, 10, slave=1)
    c.read_input_registers(200, 10, slave=1)  # there are not so many
    c.write_coil(1, True, slave=1)
    c.write_register(1, 5, slave=1)
    c.write_coils(1, [True] * 10, slave=1)
    c.write_registers(1, [1, 2, 3], slave=1)
    c.mask_write_register(address=1, and_mask=0xf2, or_mask=0x25, slave=1)
    c.readwrite_registers(read_address=1, read_count=6, write_address=9, write_registers=[7], slave=1)
    for request in (other_message.ReadExceptionStatusRequest(),
                    other_message.ReportSlaveIdRequest(),
                    other_message.GetCommEventCounterRequest(),
                    diag_message.ReturnQueryDataRequest(0xa537),
                    diag_message.RestartCommunicationsOptionRequest(True),
                    mei_message.ReadDeviceInformationRequest(1, 0),
                    file_message.ReadFifoQueueRequest(1)):
        request.unit_id = 1
        c.execute(request)
    c.close()


# IEEE 11073-20701 over HTTP/1.1 without TLS, on port 6464: a provider and a consumer

SDC = 'http://standards.ieee.org/downloads/11073/11073-20701-2018/'


def soap(action, body):
    return ('<?xml version="1.0" encoding="UTF-8"?><s12:Envelope '
            'xmlns:s12="http://www.w3.org/2003/05/soap-envelope" '
            'xmlns:wsa="http://www.w3.org/2005/08/addressing" '
            'xmlns:msg="http://standards.ieee.org/downloads/11073/11073-10207-2017/message">'
            '<s12:Header><wsa:Action s12:mustUnderstand="true">%s%s</wsa:Action>'
            '<wsa:MessageID>urn:uuid:00000000-0000-0000-0000-000000000001</wsa:MessageID>'
            '</s12:Header><s12:Body>%s</s12:Body></s12:Envelope>' % (SDC, action, body)).encode()


class Provider(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        text = self.rfile.read(int(self.headers['Content-Length'])).decode()
        action = text.split(SDC)[1].split('<')[0]
        name = action.split('/')[1] + 'Response'
        answer = soap(action + 'Response', '<msg:%s SequenceId="urn:uuid:2"/>' % name)
        self.send_response(200)
        self.send_header('Content-Type', 'application/soap+xml; charset=utf-8')
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def sdc_provider(address):
    http.server.HTTPServer((address, 6464), Provider).serve_forever()


def sdc_consumer(address):
    for action, body in (('GetService/GetMdib', '<msg:GetMdib/>'),
                         ('SetService/SetValue', '<msg:SetValue><msg:OperationHandleRef>rate'
                          '</msg:OperationHandleRef></msg:SetValue>'),
                         ('SetService/Activate', '<msg:Activate/>'),
                         ('ContextService/SetContextState', '<msg:SetContextState/>')):
        urllib.request.urlopen(urllib.request.Request(
            'http://%s:6464/sdc' % address, soap(action, body),
            {'Content-Type': 'application/soap+xml; charset=utf-8'})).read()


# MQTT over WebSocket, on port 9001: paho's clients, and one that cuts frames as it likes

def paho(name, version):
    import paho.mqtt.client as mqtt
    return mqtt.Client(name, protocol=version, transport='websockets')


def mqtt_websocket_pump(address):
    c = paho('pump-3', 4)
    c.will_set('ward/pump-3', 'gone')
    c.connect(address, 9001, 60)
    c.loop_start()
    c.subscribe([('pump/3/+', 1), ('ward/#', 0)])
    c.publish('ward/curve', 'x' * 3000).wait_for_publish()
    time.sleep(3)
    c.disconnect()


def mqtt_websocket_nurse(address):
    c = paho('nurse', 5)
    c.connect(address, 9001, 60)
    c.loop_start()
    c.publish('pump/3/set', 'rate=5', qos=2).wait_for_publish()
    c.disconnect()


def masked(opcode, data, fin=True):
    key = b'\x5a\x00\xff\x21'
    return (bytes([opcode | 0x80 * fin, len(data) | 0x80]) + key +
            bytes(b ^ key[i % 4] for i, b in enumerate(data)))


def websocket_fragments(address):
    s = socket.create_connection((address, 9001))
    s.sendall(b'GET /mqtt HTTP/1.1\r\nHost: %s:9001\r\nUpgrade: websocket\r\n'
              b'Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
              b'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, mqtt\r\n\r\n'
              % address.encode())
    s.recv(1000)
    connect = b'\x10\x10\0\4MQTT\4\2\0\x3c\0\4frag'
    s.sendall(masked(2, connect[:3], False) + masked(9, b'still there?') +
              masked(0, connect[3:9], False) + masked(0, b'', False) + masked(0, connect[9:]))
    time.sleep(0.2)
    publish = b'\x30\x10\0\x0apump/3/cmdstop'
    s.sendall(masked(2, b'\xc0\0' + publish + b'\x30\x0a\0\6ward/a12'))
    time.sleep(0.2)
    s.sendall(masked(2, b'\xe0\0') + masked(8, b'\x03\xe8'))
    s.recv(1000)


if len(sys.argv) != 3 or sys.argv[1].replace('-', '_') not in globals():
    sys.exit(__doc__)
globals()[sys.argv[1].replace('-', '_')](sys.argv[2])
