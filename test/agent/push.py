#!/usr/bin/env python3
"""Firmware is pushed to servers that others wrote: SFTP (OpenSSH's server behind Dropbear, as devices have it, and
behind sshd where there is one), TFTP (atftpd) and HTTPS. usage: push.py KIT"""
import base64, hashlib, http.server, os, re, shutil, socket, ssl, subprocess, sys, tempfile, threading, time

sys.path.append(sys.path[0] + "/..")
import suite  # noqa: E402

kit = os.path.abspath(sys.argv[1])
work = tempfile.mkdtemp(prefix="bw-push.")
os.chdir(work)
os.chmod(work, 0o755)
started = []


def check(text, well, why=""):
    suite.ok(well, "push: " + text, why)


def push(url, file="fw", limit=60, **settings):
    p = subprocess.run([kit, file, url] + ["%s=%s" % s for s in settings.items()], capture_output=True, text=True, timeout=limit)
    return p.returncode, p.stderr.strip()


def start(*command, **more):
    p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=open("server.log", "ab"), **more)
    started.append(p)
    return p


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def same(path, file="fw"):
    try:
        with open(path, "rb") as a, open(file, "rb") as b:
            return a.read() == b.read()
    except OSError:
        return False


for name, size in ("fw", 3000000), ("small", 100), ("empty", 0), ("large", 40 << 20):
    with open(name, "wb") as f:
        f.write(os.urandom(size))


# --- SFTP ---------------------------------------------------------------------------------------------------
def fingerprint(public):
    return base64.b64encode(hashlib.sha256(base64.b64decode(public.split()[1])).digest()).decode().rstrip("=")


def sftp(name, port, key, user, password):
    """What holds of any server."""
    os.makedirs("up", exist_ok=True)
    os.chmod("up", 0o777)
    url, who = "sftp://127.0.0.1:%d%s/up/fw.bin" % (port, work), {"user": user, "password": password}
    code, said = push(url, host_key=key, **who)
    check(name + ": takes the file", code == 0 and same("up/fw.bin"), said)
    check(name + ": and nothing else is left there", os.listdir("up") == ["fw.bin"], os.listdir("up"))
    code, said = push("sftp://127.0.0.1:%d/~/up/at%%22home.bin" % port, file="small", host_key=key, **who)
    check(name + ": a path from the user's folder, a quote in the name", code == 0 and same('up/at"home.bin', "small"), said)
    os.unlink('up/at"home.bin')
    code, said = push(url, file="small", host_key="SHA256:" + key, **who)
    check(name + ": replaces an older one; the key may be written as ssh-keygen does", code == 0 and same("up/fw.bin", "small"), said)
    code, said = push("sftp://127.0.0.1:%d%s/up/fw%%20v2.bin" % (port, work), host_key=key, **who)
    check(name + ": a name with a blank", code == 0 and same("up/fw v2.bin"), said)
    os.unlink("up/fw v2.bin")
    code, said = push(url, host_key=base64.b64encode(bytes(32)).decode().rstrip("="), **who)
    check(name + ": a host with another key gets nothing, not even the password", code == 1 and same("up/fw.bin", "small") and "fingerprint" in said, said)
    code, said = push(url, user=user, password=password)
    check(name + ": without a host key nothing is sent", code == 1 and "host's key" in said and same("up/fw.bin", "small"), said)
    code, said = push(url, host_key=key, user=user, password="wrong")
    check(name + ": a wrong password is said", code == 1 and password not in said and re.search("[Aa]uth|denied", said), said)
    code, said = push("sftp://127.0.0.1:%d%s/nowhere/fw.bin" % (port, work), host_key=key, **who)
    check(name + ": a folder that is none is said", code == 1 and said, said)
    begin = time.time()
    code, said = push(url, file="large", host_key=key, stop=30, **who)
    check(name + ": stopped in the middle, the file of before is whole", code == 1 and time.time() - begin < 8 and same("up/fw.bin", "small"), said)
    code, said = push(url, host_key=key, **who)
    check(name + ": and the next try is well", code == 0 and same("up/fw.bin") and os.listdir("up") == ["fw.bin"], (said, os.listdir("up")))
    shutil.rmtree("up")


def person():
    """Somebody who may sign in by a password, in a view of the machine's users that nobody else has."""
    hashed = subprocess.run(["openssl", "passwd", "-6", "pass word"], capture_output=True, text=True, check=True).stdout.strip()
    for name, line in ("passwd", "device:x:1999:65534::%s:/bin/sh\n" % work), ("shadow", "device:%s:19000:0:99999:7:::\n" % hashed):
        with open("/etc/" + name) as old, open(name, "w") as new:
            new.write(old.read() + line)
        os.chmod(name, 0o644)


def alone(command):
    return ["unshare", "-m", "sh", "-c", "mount --bind %s/passwd /etc/passwd && mount --bind %s/shadow /etc/shadow && exec \"$@\"" % (work, work),
            "sh"] + command


def may_unshare():
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode == 0


dropbear = shutil.which("dropbear", path="/usr/sbin:/usr/bin")
sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
if not may_unshare():
    print("skip - push: SFTP: needs root and a mount namespace")
else:
    person()
    if not dropbear or not os.path.exists("/usr/lib/openssh/sftp-server"):
        print("skip - push: SFTP to Dropbear: dropbear-bin or openssh-sftp-server is not there")
    else:
        subprocess.run(["dropbearkey", "-t", "ed25519", "-f", "dropbear.key"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        public = subprocess.run(["dropbearkey", "-y", "-f", "dropbear.key"], capture_output=True, text=True, check=True).stdout
        port = free_port()
        p = start(*alone([dropbear, "-F", "-E", "-m", "-p", "127.0.0.1:%d" % port, "-r", "dropbear.key", "-P", work + "/pid"]))
        check("dropbear is there", wait_for(port), open("server.log").read())
        sftp("dropbear", port, fingerprint(re.search("^ssh-.*", public, re.M).group()), "device", "pass word")
        p.kill()
    if not sshd:
        print("skip - push: SFTP to sshd: openssh-server is not there")
    else:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "sshd.key"], check=True)
        os.makedirs("/run/sshd", exist_ok=True)
        with open("sshd.conf", "w") as f:
            f.write("ListenAddress 127.0.0.1\nHostKey %s/sshd.key\nPidFile none\nUsePAM no\nPasswordAuthentication yes\n"
                    "Subsystem sftp internal-sftp\nStrictModes no\n" % work)
        port = free_port()
        p = start(*alone([sshd, "-D", "-e", "-f", work + "/sshd.conf", "-p", str(port)]))
        check("sshd is there", wait_for(port), open("server.log").read())
        sftp("sshd", port, fingerprint(open("sshd.key.pub").read()), "device", "pass word")
        p.kill()

# --- TFTP ---------------------------------------------------------------------------------------------------
def tftp(name, command):
    os.makedirs("tftp", exist_ok=True)
    os.chmod("tftp", 0o777)
    port = free_port(socket.SOCK_DGRAM)
    p = start(*[w.replace("PORT", str(port)) for w in command])
    url = "tftp://127.0.0.1:%d/fw.bin" % port
    for _ in range(20):
        code, said = push(url)
        if code == 0:
            break
        time.sleep(0.2)
    check(name + ": takes the file", code == 0 and same("tftp/fw.bin"), said)
    code, said = push(url, file="small")
    check(name + ": and a small one in its place", code == 0 and same("tftp/fw.bin", "small"), said)
    code, said = push("tftp://127.0.0.1:%d/large.bin" % port, file="large", limit=120, seconds=100)
    check(name + ": 40 MiB, more blocks than 16 bits count", code == 0 and same("tftp/large.bin", "large"), said)
    code, said = push("tftp://127.0.0.1:%d/nowhere/fw.bin" % port)
    check(name + ": what the server refuses is said", code == 1 and said, said)
    begin = time.time()
    code, said = push(url, file="large", stop=100)
    check(name + ": stopped in the middle", code == 1 and "cancel" in said.lower() and time.time() - begin < 10, said)
    p.kill()
    shutil.rmtree("tftp")


nobody = free_port(socket.SOCK_DGRAM)
begin = time.time()
code, said = push("tftp://127.0.0.1:%d/fw.bin" % nobody, seconds=4)
check("tftp: nobody is there: said in the time that was given", code == 1 and said and time.time() - begin < 8, said)
atftpd = shutil.which("atftpd", path="/usr/sbin:/usr/bin")
if not atftpd or os.geteuid():
    print("skip - push: TFTP to atftpd: it is not there, or this is not root")
else:
    tftp("atftpd", [atftpd, "--daemon", "--no-fork", "--user", "root.root", "--port", "PORT", "--bind-address", "127.0.0.1", work + "/tftp"])

# --- HTTPS ---------------------------------------------------------------------------------------------------
class Taker(http.server.BaseHTTPRequestHandler):
    got, asked = {}, []
    protocol_version = "HTTP/1.1"

    def take(self):
        Taker.asked.append((self.command, self.path, self.headers.get("Authorization")))
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/elsewhere":
            self.send_response(307)
            self.send_header("Location", "/taken")
        elif self.path == "/full":
            self.send_response(507)
        elif self.path.startswith("/secret") and self.headers.get("Authorization") != "Basic " + base64.b64encode(b"u:p").decode():
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=x")
        else:
            Taker.got[self.path] = data
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_POST = do_GET = take

    def log_message(self, *a):
        pass


for name in "good", "bad":
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", name + ".key", "-out", name + ".pem"], check=True, stderr=subprocess.DEVNULL)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("good.pem", "good.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.handle_error = lambda *a: None
threading.Thread(target=server.serve_forever, daemon=True).start()
base = "https://127.0.0.1:%d" % server.server_port
fw = open("fw", "rb").read()
code, said = push(base + "/put", ca="good.pem", then=base + "/restart")
check("https: PUT, and what is asked for afterwards", code == 0 and Taker.got.get("/put") == fw and Taker.asked[-1][:2] == ("GET", "/restart"), said)
code, said = push(base + "/post", ca="good.pem", post=1, then=base + "/go")
check("https: POST, of both", code == 0 and Taker.got.get("/post") == fw and Taker.asked[-1][:2] == ("POST", "/go"), said)
before = len(Taker.asked)
code, said = push(base + "/put", ca="bad.pem")
check("https: a stranger's certificate gets nothing", code == 1 and len(Taker.asked) == before and "certificate" in said, said)
code, said = push(base + "/elsewhere", ca="good.pem")
check("https: a redirect is not followed and no success", code == 1 and "/taken" not in Taker.got, said)
code, said = push(base + "/secret", ca="good.pem", user="u", password="p")
check("https: with a name and a password", code == 0 and Taker.got.get("/secret") == fw, said)
code, said = push(base + "/secret2", ca="good.pem", user="u", password="hush")
check("https: a wrong password is an error that does not tell it", code == 1 and "401" in said and "hush" not in said, said)
code, said = push(base + "/full", ca="good.pem", then=base + "/never")
check("https: a refusal is said, and nothing is restarted", code == 1 and "507" in said and Taker.asked[-1][1] == "/full", said)
code, said = push(base + "/empty", file="empty", ca="good.pem")
check("https: an empty file", code == 0 and Taker.got.get("/empty") == b"", said)
for url, why in ("ftp://x/y", "must begin with"), ("file:///etc/passwd", "must begin with"), ("scp://h/x", "must begin with"):
    code, said = push(url)
    check("%s is refused" % url.split(":")[0], code == 1 and why in said, said)
code, said = push(base + "/put", ca="good.pem", then="file:///etc/passwd")
check("and so is another way for what is asked afterwards", code == 1 and "must begin" in said, said)

for p in started:
    p.kill()
if suite.failed:
    print(open("server.log").read()[-2000:] if os.path.exists("server.log") else "")
shutil.rmtree(work)
suite.finish()
