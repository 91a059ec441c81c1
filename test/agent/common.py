"""What tests of agents share: certificates, the gateway's side (kit.c), patience."""
import json, subprocess, sys, time

sys.path.append(sys.path[0] + "/..")
import suite  # noqa: E402



def check(text, well, why=""):
    suite.ok(well, "agent: " + text, why)


def run(*a, **k):
    subprocess.run(a, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **k)


def authority(name):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".pem")


def certificate(name, ca="ca", usage="clientAuth,serverAuth"):
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
        "-keyout", name + ".key", "-out", name + ".csr")
    open("ext", "w").write("subjectAltName=DNS:%s\nextendedKeyUsage=%s\n" % (name, usage))
    run("openssl", "x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial",
        "-days", "2", "-out", name + ".pem", "-extfile", "ext")


class Kit:
    def __init__(self, path, port):
        self.p = subprocess.Popen([path, str(port), "gw.example.pem", "gw.example.key", "ca.pem", "rollouts", "targets"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, *words):
        self.p.stdin.write(" ".join(words) + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def show(self, id):
        return json.loads(self.say("show", id))

    def step(self, id, device):
        return next(d for d in self.show(id)["devices"] if d["name"] == device)

    def kill(self):
        self.p.kill()
        self.p.wait()


def until(fn, seconds=40):
    end = time.time() + seconds
    while time.time() < end:
        if fn():
            return True
        time.sleep(0.1)
    return False
