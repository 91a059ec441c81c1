#!/usr/bin/python3
"""HL7 over HTTP: acknowledges what is posted (python3-hl7); and what a server of FHIR says to GET and POST.

usage: hl7_http_server.py ADDRESS PORT
"""
import http.server
import sys

import hl7


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer('application/fhir+json', b'{"resourceType":"Bundle","type":"searchset","total":0}')

    def body(self):
        if self.headers['Content-Length']:
            return self.rfile.read(int(self.headers['Content-Length']))
        body = b''
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def do_POST(self):
        body = self.body()
        if 'hl7' not in self.headers['Content-Type']:
            return self.answer('application/fhir+json', body)
        ack = hl7.parse(body.decode()).create_ack()
        return self.answer('application/hl7-v2; charset=UTF-8', str(ack).encode())

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Server).serve_forever()
