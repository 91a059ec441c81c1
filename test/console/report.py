#!/usr/bin/env python3
"""The report as one page, in Chromium: valid, quiet, without anything fetched, at home on a screen, a phone, in the
dark and with a screen reader. usage: report.py BEDWARDEN [FOLDER]      FOLDER keeps pictures"""
import html.parser
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.append(sys.path[0] + "/..")
from browser import Browser  # noqa
from suite import finish, ok  # noqa: E402

program = os.path.abspath(sys.argv[1])
keep = sys.argv[2] if len(sys.argv) > 2 else None

POLICY = """segments:
  - {name: icu, ward: eth1, hospital: eth0, isolated: yes}
devices:
  - {name: "pump <1>", segment: icu, mac: "02:00:00:00:00:01", ip: [10.0.1.1], vendor: Acme, model: InfuMax, version: "1.4"}
"""


class Page(html.parser.HTMLParser):
    """Every element closed in order, every id once, no attribute that fetches or runs."""
    VOID = {"meta", "br", "link", "img", "input"}

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.wrong, self.targets = [], set(), [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.wrong += ["id twice: " + value] if value in self.ids else []
                self.ids.add(value)
            if name in ("src", "srcset", "action", "data") or name.startswith("on") or tag in ("script", "link", "iframe", "object"):
                self.wrong.append("%s %s" % (tag, name))
            if name in ("href", "aria-labelledby"):
                self.targets.append(value.lstrip("#"))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append("</%s>" % tag)


# 45 CFR Part 164 Subpart C with its Appendix A: what is required, what is addressable. A standard without
# specifications is required. Written from the regulation, not from the program.
HIPAA = """
164.308(a)(1)(ii)(A)R 164.308(a)(1)(ii)(B)R 164.308(a)(1)(ii)(C)R 164.308(a)(1)(ii)(D)R 164.308(a)(2)R
164.308(a)(3)(ii)(A)A 164.308(a)(3)(ii)(B)A 164.308(a)(3)(ii)(C)A
164.308(a)(4)(ii)(A)R 164.308(a)(4)(ii)(B)A 164.308(a)(4)(ii)(C)A
164.308(a)(5)(ii)(A)A 164.308(a)(5)(ii)(B)A 164.308(a)(5)(ii)(C)A 164.308(a)(5)(ii)(D)A 164.308(a)(6)(ii)R
164.308(a)(7)(ii)(A)R 164.308(a)(7)(ii)(B)R 164.308(a)(7)(ii)(C)R 164.308(a)(7)(ii)(D)A 164.308(a)(7)(ii)(E)A
164.308(a)(8)R 164.308(b)(3)R
164.310(a)(2)(i)A 164.310(a)(2)(ii)A 164.310(a)(2)(iii)A 164.310(a)(2)(iv)A 164.310(b)R 164.310(c)R
164.310(d)(2)(i)R 164.310(d)(2)(ii)R 164.310(d)(2)(iii)A 164.310(d)(2)(iv)A
164.312(a)(1)R 164.312(a)(2)(i)R 164.312(a)(2)(ii)R 164.312(a)(2)(iii)A 164.312(a)(2)(iv)A 164.312(b)R
164.312(c)(1)R 164.312(c)(2)A 164.312(d)R 164.312(e)(1)R 164.312(e)(2)(i)A 164.312(e)(2)(ii)A
164.314(a)(1)R 164.314(b)(1)R 164.316(a)R 164.316(b)(1)R 164.316(b)(2)(i)R 164.316(b)(2)(ii)R 164.316(b)(2)(iii)R"""
# NIST CSWP 29, Appendix A: 22 categories.
CSF = """GV.OC GV.RM GV.RR GV.PO GV.OV GV.SC ID.AM ID.RA ID.IM PR.AA PR.AT PR.DS PR.PS PR.IR DE.CM DE.AE
RS.MA RS.AN RS.CO RS.MI RC.RP RC.CO"""


def cite(report, name):
    rows = [r for p in report["parts"] for r in p["requirements"]]
    law = [r["section"] + r["level"][:1].upper() for r in rows if not r["proposed"]]
    ok(law == (HIPAA if name == "hipaa" else CSF).split(), name + ": every section is there, in its order, required or addressable",
       set(law) ^ set((HIPAA if name == "hipaa" else CSF).split()))
    parts = [p for p in report["parts"] if any(r["proposed"] for r in p["requirements"])]
    ok(all(all(r["proposed"] for r in p["requirements"]) and p["title"].startswith("Proposed") for p in parts) and
       len(parts) == (name == "hipaa"), name + ": what is proposed stands apart and says so", [p["title"] for p in parts])
    figures = [e for r in rows for e in r["evidence"] + r["missing"] if any(c.isdigit() for c in e["text"])]
    wrong = [e for e in figures if not e.get("trace", "").startswith("bedwarden ")]
    ok(figures and not wrong, name + ": beside each of %d figures stands a command that shows it" % len(figures), wrong)


def look(b, path, name):
    p = Page()
    with open(path, encoding="utf-8") as f:
        text = f.read()
    p.feed(text)
    ok(not p.wrong and not p.open, name + ": every element is closed, and nothing fetches or runs", p.wrong + p.open)
    ok(all(t in p.ids for t in p.targets), name + ": what is pointed at is there", set(p.targets) - p.ids)
    ok("url(" not in text and "@import" not in text, name + ": its style fetches nothing")
    b.open("file://" + path)
    ok(b.wait("return document.readyState === 'complete' && document.querySelectorAll('article').length > 15"), name + ": opens")
    loaded = b.run("return performance.getEntriesByType('resource').length")
    ok(loaded == 0, name + ": nothing else is loaded", loaded)
    shape = b.run("""const h = [...document.querySelectorAll('h1,h2,h3,h4')].map((e) => +e.tagName[1]);
        return {one: h.filter((n) => n === 1).length, jumps: h.filter((n, i) => i && n > h[i - 1] + 1).length,
            lang: document.documentElement.lang, title: document.title.length, main: document.querySelectorAll('main').length,
            named: [...document.querySelectorAll('article,section')].every((e) => document.getElementById(e.getAttribute('aria-labelledby'))),
            skip: document.querySelector('a.skip').getAttribute('href')}""")
    ok(shape["one"] == 1 and shape["jumps"] == 0 and shape["lang"] == "en" and shape["title"] > 10 and shape["main"] == 1 and
       shape["named"] and shape["skip"] == "#main", name + ": a screen reader finds its way", shape)
    blocked = b.run("""try { const i = new Image(); i.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='; await i.decode(); return false }
        catch (e) { return true }""")
    ok(blocked, name + ": its own policy forbids what was not there when it was made")
    for dark in (False, True):
        for width in (1280, 390):
            b.shot(os.path.join(keep or os.path.dirname(path), "%s-%d-%s.png" % (name, width, "dark" if dark else "light")), width, dark=dark)
            b.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
            wide = b.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            ok(wide <= 0, "%s: fits %d columns%s" % (name, width, " in the dark" if dark else ""), wide)
        least = b.run("""const lum = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                return .2126 * r + .7152 * g + .0722 * b };
            const back = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!c.endsWith(', 0)')) return c } return 'rgb(255,255,255)' };
            return Math.min(...[...document.querySelectorAll('p,li,h1,h2,h3,h4,code,.state,.tag,.no,a:not(.skip)')].map((e) => {
                const [x, y] = [lum(getComputedStyle(e).color), lum(back(e))].sort((a, b) => b - a); return (x + .05) / (y + .05) }))""")
        ok(least >= 4.5, "%s: its words can be read%s (WCAG 2.2, 1.4.3)" % (name, " in the dark" if dark else ""), least)


chromium = shutil.which("chromium")
if not chromium:
    print("skip - the report in Chromium: there is no chromium")
    sys.exit(0)
folder = tempfile.mkdtemp(prefix="bedwarden-report-")
try:
    if keep:
        os.makedirs(keep, exist_ok=True)
    with open(folder + "/p.yaml", "w") as f:
        f.write("gateway: {name: \"<i>ward</i> & co\", state_dir: %s/state, run_dir: %s/run}\n%s" % (folder, folder, POLICY))
    b = Browser(chromium, "none")
    for name in ("hipaa", "csf"):
        done = subprocess.run([program, "report", name, "-c", folder + "/p.yaml", "-o", folder + "/" + name + ".html"], capture_output=True, text=True)
        ok(done.returncode == 0, name + ": is made", done.stderr)
        same = subprocess.run([program, "report", name, "-c", folder + "/p.yaml", "--json"], capture_output=True, text=True)
        report = json.loads(same.stdout)
        ok(report["summary"]["not_measured"] > 3 and "does not run" in report["about"]["notes"][0], name + ": says what was not measured")
        cite(report, name)
        look(b, folder + "/" + name + ".html", name)
    wrong = subprocess.run([program, "report", "pci"], capture_output=True, text=True)
    ok(wrong.returncode == 2, "another framework is wrong usage", wrong)
    nowhere = subprocess.run([program, "report", "csf", "-c", folder + "/p.yaml", "-o", folder + "/none/x.html"], capture_output=True, text=True)
    ok(nowhere.returncode == 1 and "none/x.html" in nowhere.stderr, "a place that is none is named", nowhere)
    b.process.kill()
    b.process.wait()
finally:
    shutil.rmtree(folder, ignore_errors=True)
finish()
