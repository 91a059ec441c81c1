#!/usr/bin/env python3
"""Is any of these words readable in these files? In any case, as UTF-8, UTF-16, base64, hex or
percent-encoded, and inside what zstd or gzip compressed.
usage: readable.py WORDS PATH...    WORDS: a file, a word a line, 6 letters at least
       readable.py --test           whether it finds each of them
Prints what is readable and where; exits 1 if anything is."""
import base64, os, re, subprocess, sys, tempfile, urllib.parse, zlib


def forms(word):
    """Every byte string that stands for the word, lower case where letters have one."""
    for variant in {word, word.lower(), word.upper(), word.title()}:
        raw = variant.encode()
        for data in (raw, variant.encode("utf-16-le"), variant.encode("utf-16-be")):
            yield "plain", data
            yield "hex", data.hex().encode()
            for shift in range(3):
                text = base64.b64encode(b"\0" * shift + data)
                # Only what no neighbour has a part in.
                yield "base64", text[(0, 2, 3)[shift]:(shift + len(data)) * 8 // 6]
        yield "percent", urllib.parse.quote(variant, safe="").encode()
        yield "percent", b"".join(b"%%%02x" % c for c in raw)


def unpacked(data):
    """What zstd and gzip frames hold, wherever they begin."""
    for at in (m.start() for m in re.finditer(rb"\x28\xb5\x2f\xfd", data)):
        done = subprocess.run(["zstd", "-dcq"], input=data[at:at + (4 << 20)],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        yield "zstd", done.stdout
    for at in (m.start() for m in re.finditer(rb"\x1f\x8b\x08", data)):
        try:
            yield "gzip", zlib.decompressobj(31).decompress(data[at:])
        except zlib.error:
            pass


class Search:
    def __init__(self, words):
        self.of = {}
        for word in words:
            for form, data in forms(word):
                if len(data) >= 6:  # fewer are met by chance in what is sealed
                    self.of.setdefault(data.lower() if form != "base64" else data, (form, word))
        exact = [re.escape(d) for d, (f, _) in self.of.items() if f == "base64"]
        loose = [re.escape(d) for d, (f, _) in self.of.items() if f != "base64"]
        self.patterns = [(re.compile(b"|".join(sorted(p, key=len, reverse=True)), flags), lower)
                         for p, flags, lower in ((exact, 0, False), (loose, re.I, True)) if p]

    def look(self, data, depth=0):
        for pattern, lower in self.patterns:
            for m in pattern.finditer(data):
                yield self.of[m.group().lower() if lower else m.group()]
        if depth < 2:
            for what, inner in unpacked(data):
                for form, word in self.look(inner, depth + 1):
                    yield what + ", " + form, word

    def files(self, paths):
        for path in paths:
            for folder, _, names in os.walk(path):
                for name in names:
                    yield os.path.join(folder, name)
            if os.path.isfile(path):
                yield path

    def run(self, paths):
        count, found = 0, set()
        for path in self.files(paths):
            if not os.path.isfile(path):
                continue
            count += 1
            found |= {(path, form, word) for form, word in self.look(open(path, "rb").read())}
            found |= {(path, "name", word) for form, word in self.look(path.encode())}
        return count, sorted(found)


def test():
    word = "Musterfrau"
    search, failed = Search([word]), 0
    plain = b"before " + word.encode() + b" after"
    cases = {
        "plain": plain, "capitals": plain.upper(),
        "UTF-16LE": plain.decode().encode("utf-16-le"), "UTF-16BE": plain.decode().encode("utf-16-be"),
        "base64": base64.b64encode(plain), "base64 1": base64.b64encode(b"x" + plain),
        "base64 2": base64.b64encode(b"xy" + plain), "hex": plain.hex().encode(),
        "percent": b"".join(b"%%%02X" % c for c in plain),
        "gzip": b"head" + zlib.compressobj(9, zlib.DEFLATED, 31).compress(b"") +
                (lambda c: c.compress(plain * 9) + c.flush())(zlib.compressobj(9, zlib.DEFLATED, 31)),
        "zstd": b"head" + subprocess.run(["zstd", "-cq"], input=plain * 9, stdout=subprocess.PIPE).stdout,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, data in cases.items():
            path = os.path.join(folder, "f")
            open(path, "wb").write(data)
            failed += not search.run([path])[1]
            print("ok - finds it:" if search.run([path])[1] else "not ok - finds it:", name)
        open(path, "wb").write(os.urandom(100000))
        failed += bool(search.run([path])[1])
    return failed != 0


if __name__ == "__main__":
    if sys.argv[1] == "--test":
        sys.exit(test())
    words = [w for w in open(sys.argv[1]).read().split("\n") if len(w) >= 6]
    count, found = Search(words).run(sys.argv[2:])
    for path, form, word in found:
        print(f"{path}: {word} ({form})")
    print(f"{count} files, {len(words)} words, {len(found)} found")
    sys.exit(1 if found or not count or not words else 0)
