#!/usr/bin/env python3
"""page.py KIT: the page in Chromium with a virtual authenticator, over a real keeper and console.

First start, enrolment, sign-in without a name, a fresh factor for a change of
policy, a lost passkey and a printed code, sessions; and that the page is fit for a
screen reader, a keyboard, a telephone and the dark.
"""
import base64
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time

sys.path.append(sys.path[0] + "/..")
from browser import Browser  # noqa: E402
from person import totp  # noqa: E402
from suite import finish, ok  # noqa: E402

shots = os.environ.get("SHOTS")


def control(folder, call, args):
    """A call by the operator, on the box's own socket."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(folder + "/control")
        s.sendall(json.dumps({"call": call, "args": args}).encode() + b"\n")
        text = b""
        while b"\n" not in text:
            piece = s.recv(65536)
            if not piece:
                break
            text += piece
    return json.loads(text.split(b"\n")[0])


def spki(port):
    pem = ssl.get_server_certificate(("127.0.0.1", port))
    run = lambda *a, **k: subprocess.run(["openssl", *a], capture_output=True, check=True, **k).stdout
    public = run("x509", "-pubkey", "-noout", input=pem.encode())
    return base64.b64encode(hashlib.sha256(run("pkey", "-pubin", "-outform", "DER", input=public)).digest()).decode()


def look_at(b, name):
    if shots:
        for width in (1280, 390):
            for dark in (False, True):
                b.shot(f"{shots}/{name}-{width}{'-dark' if dark else ''}.png", width, dark=dark)


def check_page(b, name):
    """What a screen reader, a keyboard and a telephone need of whatever is shown."""
    wrong = b.run("""const bad = [];
        for (const f of document.querySelectorAll('main input, main select, main textarea'))
            if (!f.hidden && f.offsetParent && !(f.labels && f.labels.length)) bad.push('no label: ' + f.name);
        for (const f of document.querySelectorAll('button')) if (f.offsetParent && !f.textContent.trim()) bad.push('no name: button');
        for (const i of document.querySelectorAll('img')) if (!i.hasAttribute('alt')) bad.push('no alt');
        if (document.querySelectorAll('h1').length !== 1) bad.push('headings');
        if (!document.documentElement.lang) bad.push('lang');
        return bad""")
    b.send("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
    wide = b.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    small = b.run("""return [...document.querySelectorAll('button, main input:not([type=checkbox])')].filter((e) => e.offsetParent
        && e.getBoundingClientRect().height < 40).map((e) => e.textContent || e.name)""")
    b.send("Emulation.clearDeviceMetricsOverride")
    ok(not wrong and wide <= 0 and not small, f"{name}: labels, names, and fit for a telephone", (wrong, wide, small))
    look_at(b, name.replace(" ", "-"))


def authenticator(b):
    b.send("WebAuthn.enable")
    return b.send("WebAuthn.addVirtualAuthenticator", options={
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True})["authenticatorId"]


def walk(b, kit):
    url = f"https://localhost:{kit.port}/"
    b.open(url)
    ok(b.heading("First start"), "a gateway without people says how the first one comes to be", b.text()[:300])
    check_page(b, "first start")
    said = control(kit.folder, "user.add", {"user": "anna", "role": "administrator", "display": "Anna A."})
    code = said.get("code")
    ok(code, "the box gives a one-time code", said)
    b.fill(code="0000-0000-0000")
    b.press("Continue")
    ok(b.wait("return [...document.querySelectorAll('.wrong')].some((w) => w.textContent)"), "a wrong code is refused, with a reason")
    b.fill(code=code)
    b.press("Continue")
    ok(b.heading("Add a second factor"), "with it, factors may be enrolled and nothing else", b.text()[:300])
    r = b.run("return (await fetch('/api/status')).status + ' ' + (await fetch('/api/user/list')).status")
    ok(r == "403 403", "nothing else works before there is a second factor", r)
    check_page(b, "enrolment")
    b.fill(label="blue key")
    b.press("Add a passkey")
    ok(b.wait("return document.querySelector('table')?.textContent.includes('blue key')"), "a passkey is enrolled", b.text()[:600])
    ok(len(b.send("WebAuthn.getCredentials", authenticatorId=b.key)["credentials"]) == 1, "and lives in the authenticator")
    b.press("Add an app")
    secret = b.wait("return document.querySelector('img.qr')?.naturalWidth > 0 && document.querySelector('main code')?.textContent")
    ok(secret, "an app's secret is shown as QR code and to type", b.text()[:500])
    b.fill(code=totp(secret))
    b.press("Add the app")
    ok(b.wait("return document.querySelector('table')?.textContent.includes('totp')"), "an app is enrolled", b.text()[:500])
    b.press("Make new codes")
    codes = b.wait("return [...document.querySelectorAll('ol.codes li')].map((l) => l.textContent)")
    ok(codes and len(codes) >= 8, "recovery codes are printed", codes)
    cookies = b.send("Network.getCookies", urls=[url])["cookies"]
    c = cookies[0] if cookies else {}
    ok(len(cookies) == 1 and c["name"] == "__Host-bedwarden" and c["httpOnly"] and c["secure"] and c["sameSite"] == "Strict",
       "the session is a __Host- cookie that no script reads", cookies)
    enrolled = c.get("value")
    b.press("Done: sign in with it")
    ok(b.heading("Sign in"), "signed out", b.text()[:300])
    check_page(b, "sign in")

    b.press("Sign in with a passkey")
    ok(b.heading("Good to see you, Anna A."), "signed in without a name, by the passkey alone", b.text()[:400])
    check_page(b, "home")
    c = b.send("Network.getCookies", urls=[url])["cookies"][0]
    ok(c["value"] != enrolled, "a new session has a new token")
    seen = b.run("return document.cookie + JSON.stringify(await (await fetch('/api/session/me')).json())")
    ok(c["value"] not in seen, "which no script sees")

    out = []
    for page, title in (("#devices", "Devices"), ("#events", "Events"), ("#users", "Users"), ("#sessions", "My sessions"), ("#factors", "My factors")):
        b.run(f"location.hash = '{page}'")
        ok(b.heading(title), f"the page {title}", b.text()[:300])
        check_page(b, title)
        out.append(b.run("const o = document.querySelector('#out'); return !o.hidden && o.offsetParent !== null && o.innerText === 'Sign out'"))
    ok(all(out) and len(out) == 5, "signing out is on every page", out)
    p = b.run("""location.hash = '#factors'; await new Promise((r) => setTimeout(r, 300));
        const i = document.querySelector('input[name=password], #password');
        const paste = new ClipboardEvent('paste', {cancelable: true, bubbles: true, clipboardData: new DataTransfer()});
        return [i.type, i.autocomplete, i.maxLength, i.dispatchEvent(paste)]""")
    ok(p[0] == "password" and p[1] == "new-password" and (p[2] == -1 or p[2] >= 64) and p[3] is True,
       "a password is hidden as it is typed, may be pasted, and is a manager's to fill in", p)
    b.run("location.hash = '#events'")
    b.heading("Events")
    b.wait("return document.body.innerText.includes('appear by themselves')")
    kit.event(7)
    ok(b.wait("return [...document.querySelectorAll('tbody tr')].some((r) => r.textContent.includes('pump-7'))"), "a new event appears by itself")

    b.run("location.hash = '#policy'")
    b.heading("Policy")
    check_page(b, "policy")
    b.run("document.querySelector('#policy-text').value += '# by Anna\\n'")
    stale = kit.folder + "/state/stale"  # as if the sign-in had been a while ago
    open(stale, "w", encoding="ascii").close()
    b.press("Put into force")
    ok(b.wait("return document.querySelector('dialog').open"), "a change of policy needs a fresh factor", b.text()[:500])
    look_at(b, "fresh")
    os.unlink(stale)
    b.press("Use a passkey", "document.querySelector('dialog')")
    ok(b.wait("return document.querySelector('main').innerText.includes('is in force')"), "and with it comes into force", b.text()[:500])
    with open(kit.folder + "/policy.yaml", encoding="utf-8") as f:
        ok("# by Anna" in f.read(), "in the file")
    b.run("document.querySelector('#policy-text').value += '# again\\n'")
    with open(kit.folder + "/policy.yaml", "a", encoding="utf-8") as f:
        f.write("# by somebody else\n")
    b.press("Put into force")
    ok(b.wait("return document.querySelector('pre .minus')?.textContent.includes('somebody else')"), "the second of two is shown the difference", b.text()[-500:])

    # Lost: no passkey any more, then by password and code, by printed code.
    b.run("location.hash = '#factors'")
    b.heading("My factors")
    b.fill(password="correct horse battery ward")
    b.press("Set the password")
    b.wait("return document.querySelector('table')?.textContent.includes('password')")
    b.press("Sign out")
    b.heading("Sign in")
    b.send("WebAuthn.clearCredentials", authenticatorId=b.key)
    b.send("WebAuthn.setUserVerified", authenticatorId=b.key, isUserVerified=False)
    b.press("Sign in with a passkey")
    ok(b.wait("return [...document.querySelectorAll('.wrong')].some((w) => w.textContent)", 70), "no passkey: said, not hung", b.text()[:300])
    b.press("With a password or a code")
    time.sleep(31 - time.time() % 30)  # each code works once
    b.fill("details[open]", user="anna", password="correct horse battery ward")
    b.press("Sign in", "document.querySelector('details[open]')")
    ok(b.heading("One more factor"), "a password alone is not enough", b.text()[:300])
    check_page(b, "second factor")
    b.fill(totp="000000")
    b.press("Continue")
    ok(b.wait("return [...document.querySelectorAll('.wrong')].some((w) => w.textContent)"), "a wrong code is refused")
    b.fill(totp=totp(secret))
    b.press("Continue")
    ok(b.heading("Good to see you"), "password and app's code: signed in", b.text()[:300])
    b.press("Sign out")
    b.heading("Sign in")
    b.press("I lost my device")
    b.fill("details[open]", user="anna", recovery=codes[0])
    b.press("Sign in", "document.querySelector('details[open]')")
    more = b.heading("One more factor", 5)
    if more:
        b.fill(password="correct horse battery ward")
        b.press("Continue")
    ok(b.heading("Good to see you"), "a printed code stands in for the lost passkey", b.text()[-600:])


def main():
    program = sys.argv[1]
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if os.geteuid() != 0:
        print("skip - the page: keeper and console give up rights that only root has")
        return
    if not chromium:
        print("skip - the page: no Chromium is installed")
        return
    import tempfile
    folder = tempfile.mkdtemp(prefix="bedwarden-page-")
    with open(folder + "/policy.yaml", "w", encoding="ascii") as f:
        f.write("segments:\n  - {name: icu, ward: w0, hospital: h0}\ndevices:\n"
                "  - {name: pump-7, segment: icu, mac: \"02:00:00:00:00:07\"}\n")
    log = open(folder + "/log", "w+b")
    kit = subprocess.Popen([program, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                           env=dict(os.environ, KIT_REAL="1"))
    kit.folder = folder
    kit.port = int(kit.stdout.readline() or 0)

    def event(n):
        t = time.strftime("%Y-%m-%dT%H:%M:%S.000000+0000", time.gmtime())
        kit.stdin.write(json.dumps({"timestamp": t, "event_type": "policy", "device": f"pump-{n}", "reason": "policy.not_allowed",
                                    "verdict": {"action": "drop"}, "src_ip": "10.0.0.9"}).encode() + b"\n")
        kit.stdin.flush()
    kit.event = event
    for _ in range(100):
        if b"certificate SHA-256" in open(folder + "/log", "rb").read():
            break
        time.sleep(0.1)
    b = Browser(chromium, spki(kit.port))
    try:
        b.key = authenticator(b)
        walk(b, kit)
        said = [c for c in b.complaints() if not re.search(r"status of (4\d\d|503)", c)]
        ok(not said, "the browser complains of nothing", said[:5])
    finally:
        b.stop()
        kit.stdin.close()
        code = kit.wait(20)
        text = open(folder + "/log", encoding="utf-8", errors="replace").read()
        ok(code == 0 and "ERROR" not in text and "runtime error" not in text, "keeper and console end in order", text[-2000:])
        shutil.rmtree(folder)


main()
finish()
