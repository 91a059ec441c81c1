"""Chromium by its own protocol (CDP) over a pipe: as much as the page's tests need."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import threading
import queue
import time


class Browser:
    def __init__(self, program, spki, *more):
        self.profile = tempfile.mkdtemp(prefix="bedwarden-browser-")
        to_r, self.to = os.pipe()
        self.from_, from_w = os.pipe()

        def descriptors():  # Chromium reads 3 and writes 4
            a, b = os.dup(to_r), os.dup(from_w)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--remote-debugging-pipe", f"--user-data-dir={self.profile}", "--lang=en-GB",
             f"--ignore-certificate-errors-spki-list={spki}", *more, "about:blank"],
            preexec_fn=descriptors, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_r)
        os.close(from_w)
        self.number, self.answers, self.events = 0, {}, queue.Queue()
        self.arrived = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(domain + ".enable")

    def read(self):
        rest = b""
        while True:
            try:
                piece = os.read(self.from_, 65536)
            except OSError:
                return
            if not piece:
                return
            *whole, rest = (rest + piece).split(b"\0")
            for text in whole:
                m = json.loads(text)
                if "id" in m:
                    with self.arrived:
                        self.answers[m["id"]] = m
                        self.arrived.notify_all()
                else:
                    self.events.put(m)

    def call(self, method, params=None, session=None, seconds=60):
        self.number += 1
        number = self.number
        m = {"id": number, "method": method, "params": params or {}}
        if session:
            m["sessionId"] = session
        os.write(self.to, json.dumps(m).encode() + b"\0")
        with self.arrived:
            if not self.arrived.wait_for(lambda: number in self.answers, seconds):
                raise TimeoutError(method)
            answer = self.answers.pop(number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def send(self, method, **params):
        return self.call(method, params, self.session)

    def run(self, script):
        r = self.send("Runtime.evaluate", expression=f"(async () => {{ {script} }})()", awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in r:
            raise RuntimeError(r["exceptionDetails"].get("exception", {}).get("description", str(r["exceptionDetails"])))
        return r["result"].get("value")

    def open(self, url):
        self.send("Page.navigate", url=url)

    def wait(self, script, seconds=15):
        """Until the script gives something true, which it returns."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                value = self.run(script)
            except RuntimeError:
                value = None  # between two pages
            if value:
                return value
            time.sleep(0.1)
        return None

    def heading(self, text, seconds=15):
        return self.wait(f"return document.querySelector('h1')?.textContent.includes({json.dumps(text)})", seconds)

    def press(self, text, within="document", seconds=10):
        """Presses the button that says so, as a person would: it must be there and enabled."""
        return self.wait(f"""const b = [...{within}.querySelectorAll('button, a, summary')].find(
            (b) => b.textContent.trim() === {json.dumps(text)} && !b.disabled && b.offsetParent !== null);
            if (b) b.click(); return !!b""", seconds)

    def fill(self, within="main", **values):
        for name, value in values.items():
            self.run(f"""const f = [...document.querySelectorAll('{within} [name={name}]')].find((f) => f.offsetParent !== null);
                f.value = {json.dumps(value)}; f.dispatchEvent(new Event('input', {{bubbles: true}}))""")

    def text(self):
        return self.run("return document.body.innerText")

    def shot(self, path, width, height=900, dark=False):
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        data = self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))
        self.send("Emulation.clearDeviceMetricsOverride")

    def complaints(self):
        """What the console said: errors, and what CSP stopped."""
        said = []
        while not self.events.empty():
            m = self.events.get()
            if m["method"] == "Log.entryAdded" and m["params"]["entry"]["level"] == "error":
                said.append(m["params"]["entry"]["text"])
            elif m["method"] == "Runtime.exceptionThrown":
                said.append(str(m["params"]["exceptionDetails"].get("exception", {}).get("description")))
        return said

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)
