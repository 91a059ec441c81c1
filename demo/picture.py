#!/usr/bin/env python3
"""Draws doc/demo.svg from what `bedwarden demo --headless` prints.
usage: build/bedwarden demo --headless | demo/picture.py >doc/demo.svg"""
import re
import sys
from html import escape

COLOURS = {"intact": "#79c0ff", "got through": "#ff7b72", "blocked": "#56d364", "detected": "#56d364",
           "HL7, DICOM, ECG, MQTT, names": "#ff7b72", "DTLS and TLS only": "#56d364"}
LINE, LEFT, TOP, WIDTH = 18, 16, 26, 966


def coloured(line):
    return re.sub("|".join(map(re.escape, COLOURS)), lambda m: '<tspan fill="%s">%s</tspan>' % (COLOURS[m[0]], m[0]),
                  escape(line, quote=False))


lines = [l.rstrip() for l in sys.stdin if not l.startswith("The gateway's back end")]
lines = [l for l in lines if l]
last = lines.pop()
middle = last.rfind(" ", 0, 128)
lines += ["", last[:middle], last[middle + 1:]]
print('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" role="img" aria-label="The demonstration: '
      'every attack succeeds on the open network and is blocked or detected by Bedwarden">' % (WIDTH, TOP + LINE * len(lines), WIDTH))
print('<rect width="100%" height="100%" rx="8" fill="#10151c"/>')
print('<g font-family="ui-monospace,Menlo,Consolas,monospace" font-size="12" fill="#d5dbe3" xml:space="preserve">')
for n, line in enumerate(lines):
    print('<text x="%d" y="%d">%s</text>' % (LEFT, TOP + LINE * n, coloured(line)))
print("</g></svg>")
