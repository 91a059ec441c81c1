# Run by handover.sh, in its network namespace and folder. Says ok or not ok, as the suites do.
import array, hashlib, os, resource, select, signal, socket, ssl, subprocess, sys, threading, time

bw, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
failed = False


def say(fine, text):
    global failed
    failed = failed or not fine
    print("%s - handover: %s" % ("ok" if fine else "not ok", text), flush=True)


def until(fn, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if fn():
            return True
        time.sleep(0.05)
    return False


# --- a service manager, as far as this needs one: it keeps descriptors ----------------
kept = {}
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(folder + "/notify")
ready = threading.Event()


def manage():
    while True:
        text, control, _, _ = manager.recvmsg(4096, socket.CMSG_SPACE(64))
        words = dict(x.split("=", 1) for x in text.decode().split("\n") if "=" in x)
        fds = array.array("i")
        for level, kind, data in control:
            if kind == socket.SCM_RIGHTS:
                fds.frombytes(data)
        if words.get("FDSTORE") == "1":
            kept[words["FDNAME"]] = fds[0]
        if words.get("READY") == "1":
            ready.set()


threading.Thread(target=manage, daemon=True).start()


def start():
    ready.clear()
    env = dict(os.environ, NOTIFY_SOCKET=folder + "/notify")
    names = list(kept)

    def lay():  # descriptors from 3 on, and whose they are
        high = [os.dup2(kept[n], 200 + i) for i, n in enumerate(names)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)

    if names:
        env.update(LISTEN_FDS=str(len(names)), LISTEN_FDNAMES=":".join(names))
        args = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]
    else:
        args = []
    p = subprocess.Popen(
        args + [bw, "supervise", "-c", "bw.yaml", "--updates", folder + "/updates"],
        env=env, preexec_fn=lay, pass_fds=range(3, 3 + len(names)) if names else (),
        stdout=open("log", "a"), stderr=subprocess.STDOUT)
    assert ready.wait(20), "the gateway does not start"
    return p


def pid_of(what):
    out = subprocess.run(["pgrep", "-f", what], capture_output=True, text=True).stdout.split()
    return int(out[0]) if out else 0


def pki(*args):
    return subprocess.run([bw, "pki", *args, "-c", "bw.yaml"], capture_output=True, text=True)


def memory(pid):
    return int(next(l for l in open("/proc/%d/status" % pid) if l.startswith("VmRSS")).split()[1])


# --- who serves: an echo in the clear, an echo by TLS ----------------------------------
def echo_clear():
    far = socket.create_server(("127.0.0.1", 6001), backlog=4096)
    if os.fork():
        far.close()
        return
    watch, peers = select.epoll(), {}
    watch.register(far, select.EPOLLIN)
    while True:
        for fd, _ in watch.poll():
            if fd == far.fileno():
                c = far.accept()[0]
                peers[c.fileno()] = c
                watch.register(c, select.EPOLLIN)
                continue
            try:
                d = peers[fd].recv(65536)
                peers[fd].sendall(d or b"bye")  # half-closed: it says its last, and goes
            except OSError:
                d = b""
            if not d:
                watch.unregister(fd)
                peers.pop(fd).close()


def serve_tls():
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain("lis.pem", "lis.key")
    ctx.load_verify_locations("ca.pem")
    ctx.verify_mode = ssl.CERT_REQUIRED
    far = socket.create_server(("127.0.0.1", 6003))

    def one(c):
        c = ctx.wrap_socket(c, server_side=True)
        while d := c.recv(65536):
            c.sendall(d)

    while True:
        threading.Thread(target=one, args=(far.accept()[0],), daemon=True).start()


def reach(port, version=None):
    ctx = ssl.create_default_context(cafile="ca.pem")
    if version:
        ctx.maximum_version = version
    s = socket.create_connection(("127.0.0.1", port), 30)
    return ctx.wrap_socket(s, server_hostname="gw.ward.example")


def speaks(c, text=b"x"):
    c.sendall(text)
    got = b""
    while len(got) < len(text):
        d = c.recv(65536)
        if not d:
            return False
        got += d
    return got == text


# --- bytes on their way both ways, until they are told to end -----------------------------
class Stream(threading.Thread):
    """An SSL object is one thread's."""

    def __init__(self, c):
        super().__init__(daemon=True)
        c.setblocking(False)
        self.c, self.end, self.error = c, False, None
        self.sent, self.got, self.n, self.m = hashlib.sha256(), hashlib.sha256(), 0, 0
        self.start()

    def send(self, d):
        try:
            k = self.c.send(d)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return d
        self.sent.update(d[:k])
        self.n += k
        return d[k:]

    def take(self):
        try:
            d = self.c.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        if not d:
            raise OSError("ended")
        self.got.update(d)
        self.m += len(d)

    def run(self):
        left = b""
        try:
            while not (self.end and not left and self.m == self.n):
                if not left and not self.end and self.n - self.m < 1 << 20:
                    left = os.urandom(30000)
                if left:
                    left = self.send(left)
                self.take()
                time.sleep(0.002)
        except OSError as e:
            self.error = e

    def whole(self):
        self.end = True
        self.join(20)
        return not self.error and self.n > 0 and self.got.digest() == self.sent.digest()


echo_clear()
supervisor = start()
until(lambda: pki("show").returncode == 0)
open("ca.pem", "w").write(pki("show").stdout)
subprocess.run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout lis.key -out lis.csr "
               "-subj /CN=lis.example", shell=True, stderr=subprocess.DEVNULL)
pki("issue", "lis.example", "--profile", "server", "--csr", "lis.csr", "-o", "lis.pem")
text = open("lis.pem").read()
open("lis.pem", "w").write(text[text.index("-----BEGIN"):])
threading.Thread(target=serve_tls, daemon=True).start()


def first():
    try:
        return speaks(reach(7001))
    except OSError:
        return False


until(first)
link = pid_of("_link")
before = memory(link)
idle = [reach(7001) for _ in range(count)]
each = (memory(link) - before) / count
tls12 = [reach(7002, ssl.TLSVersion.TLSv1_2) for _ in range(5)]
clear = [socket.create_connection(("127.0.0.1", 7003), 30) for _ in range(5)]
assert all(speaks(c) for c in tls12 + clear + idle[:20])
hl7 = reach(7004)
message = b"\x0bMSH|^~\\&|A|W|LIS|H|20260101||ORU^R01|c%d|P|2.5\rPID|1||X\rOBX|1|NM|1^HR||72\r\x1c\r"
hl7.sendall((message % 1)[:40])  # the rest comes by another process
streams = [Stream(reach(7001)), Stream(reach(7002, ssl.TLSVersion.TLSv1_2)),
           Stream(socket.create_connection(("127.0.0.1", 7003)))]


def all_stand(what):
    moved = [s.m for s in streams]
    until(lambda: all(s.m > m + 100000 or s.error for s, m in zip(streams, moved)))
    fine = [0, ""]
    for c in idle + tls12 + clear:
        try:
            if speaks(c, b"still there"):
                fine[0] += 1
        except OSError as e:
            fine[1] = str(e)
    errors = [str(s.error) for s in streams if s.error]
    n = len(idle) + len(tls12) + len(clear)
    say(fine[0] == n and not errors, "%s: %d of %d stand %s %s" % (what, fine[0], n, fine[1], errors or ""))


all_stand("at the beginning, %.1f KiB each" % each)
for turn in range(2):
    was = pid_of("_link")
    os.kill(was, signal.SIGTERM)
    until(lambda: pid_of("_link") not in (0, was))
    all_stand("another link's process, %d" % (turn + 1))
hl7.sendall((message % 1)[40:])
say(b"c1" in hl7.recv(4096), "a message that was cut in its middle is whole")
pki("renew")
time.sleep(0.5)
all_stand("a new certificate")
say(first(), "… and who comes is served by it")
text = open("bw.yaml").read()
open("bw.yaml", "w").write(text.replace("app: hl7,", "app: hl7, idle_s: 3000,"))
os.kill(supervisor.pid, signal.SIGHUP)
time.sleep(1)
all_stand("a new policy")
was = pid_of("bedwarden run")
ready.clear()
os.kill(was, signal.SIGTERM)
ready.wait(20)
until(first)
all_stand("another gateway's process")
supervisor.send_signal(signal.SIGTERM)
supervisor.wait()
say(pid_of("_link") == 0 and set(kept) == {"handover-0", "handover-1"}, "nothing of it runs; two sockets are kept")
supervisor = start()
until(first)
all_stand("another supervisor")
hl7 = reach(7004)
hl7.sendall((message % 2).replace(b"ORU^R01", b"ADT^A01")[:60])
was = pid_of("_link")
os.kill(was, signal.SIGTERM)
until(lambda: pid_of("_link") not in (0, was))
echoed, refused = b"", False
try:  # what it had of the message may have arrived; its end must not
    hl7.sendall((message % 2).replace(b"ORU^R01", b"ADT^A01")[60:])
    while not refused:
        part = hl7.recv(4096)
        echoed += part
        refused = part == b""
except TimeoutError:
    pass
except OSError:
    refused = True
refused = refused and len(echoed) <= 60
say(refused, "one that is not allowed is refused, though another process saw its beginning")
for s, name in zip(streams, ("TLS 1.3 in", "TLS 1.2 in", "TLS 1.3 out")):
    say(s.whole(), "%s: %d KiB came back as they were sent" % (name, s.m >> 10))
before = memory(pid_of("_link"))
print("# the link holds %d connections in %d KiB" % (len(idle), before))
supervisor.send_signal(signal.SIGTERM)
supervisor.wait()
if failed:
    print(subprocess.run(["tail", "-25", "log"], capture_output=True, text=True).stdout)
subprocess.run(["pkill", "-P", str(os.getpid())])
sys.exit(failed)
