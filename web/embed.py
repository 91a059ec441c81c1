#!/usr/bin/env python3
"""embed.py OUT FILE...: the page's files as one C table (people/console/asset.h)."""
import hashlib
import os
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def main(out, files):
    rows = []
    with open(out, "w", encoding="ascii") as c:
        c.write('#include "people/console/asset.h"\n\n')
        for number, path in enumerate(files):
            with open(path, "rb") as f:
                data = f.read()
            name = os.path.basename(path)
            c.write(f"static const uint8_t file_{number}[] = {{")
            c.write(",".join(str(b) for b in data))
            c.write("};\n")
            at = "/" if name == "index.html" else "/" + name
            tag = hashlib.sha256(data).hexdigest()[:16]
            kind = TYPES[os.path.splitext(name)[1]]
            rows.append(f'\t{{"{at}", "{kind}", file_{number}, {len(data)}, "\\"{tag}\\""}},\n')
        c.write("\nconst struct asset assets[] = {\n" + "".join(rows) + "\t{0},\n};\n")


main(sys.argv[1], sys.argv[2:])
