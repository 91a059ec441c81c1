#!/usr/bin/env python3
"""`bedwarden user` against a real keeper, over its control socket. usage: people.py BEDWARDEN"""
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.append(sys.path[0] + "/console")
from person import totp  # noqa: E402
from suite import finish, ok  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1])


class Keeper:
    """The process `bedwarden run` would start, sandbox and all; we are its parent."""

    def __init__(self, folder, *extra):
        self.folder, self.socket, self.extra = folder, folder + "/control", extra
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listening.bind(self.socket)
        self.listening.listen(16)
        self.listening.setblocking(False)
        self.start()

    def start(self):
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        a, b = its.fileno(), self.listening.fileno()

        def place():
            x, y = os.dup(a), os.dup(b)
            x, y = (os.dup2(x, 100), os.dup2(y, 101))
            os.dup2(x, 3)
            os.dup2(y, 4)

        self.process = subprocess.Popen(
            [PROGRAM, "_keeper", "-d", self.folder + "/state", "-u", "bedwarden", "-H", "file",
             "-s", "Ward 3", *self.extra],
            preexec_fn=place, close_fds=False, stderr=subprocess.PIPE)
        its.close()
        self.parent = ours
        ours.settimeout(20)
        ours.recv(65552)  # it is at work

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stderr.close()
        self.parent.close()


def user(keeper, *args, text=None):
    p = subprocess.run([PROGRAM, "user", *args, "--socket", keeper.socket], input=text,
                       capture_output=True, text=True, timeout=60)
    return p.returncode, p.stdout, p.stderr


def listed(keeper):
    return {u["user"]: u for u in json.loads(user(keeper, "ls", "--json")[1])}


def enrol_app(keeper, name):
    p = subprocess.Popen([PROGRAM, "user", "enrol", name, "--totp", "--socket", keeper.socket],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
    shown = ""
    while "type its secret in" not in shown:
        line = p.stdout.readline()
        if not line:
            break
        shown += line
    secret = re.search(r"secret in: ([A-Z2-7]{32})", shown)
    out, err = p.communicate((totp(secret.group(1)) if secret else "x") + "\n", timeout=60)
    return p.returncode, shown + out, err


def type_password(keeper, name, password):
    """On a terminal, where passwords are typed unseen."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(PROGRAM, [PROGRAM, "user", "enrol", name, "--password", "--socket", keeper.socket])
    shown, typed = b"", 0
    while True:
        if not select.select([fd], [], [], 30)[0]:
            break
        try:
            piece = os.read(fd, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if typed < shown.count(b": "):
            typed += 1
            os.write(fd, password.encode() + b"\n")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode(errors="replace")


def main():
    if os.geteuid() != 0:
        print("skip - bedwarden user: needs root, as whom a keeper is started")
        return
    folder = tempfile.mkdtemp(prefix="bedwarden-people-")
    os.chmod(folder, 0o755)
    keeper = Keeper(folder)
    try:
        code, out, err = user(keeper, "ls")
        ok(code == 0 and "--first" in out, "an empty list says how the first one comes in", out + err)
        code, out, err = user(keeper, "add", "anna", "--first", "--display", "Anna Moser")
        found = re.search(r"\n    ([0-9A-Z]{4}(-[0-9A-Z]{4}){3})\n", out)
        ok(code == 0 and found, "the first administrator gets a one-time code", out + err)
        code, out, err = user(keeper, "add", "anna")
        ok(code == 1 and "auth.exists" in err, "no name twice", out + err)
        code, out, err = user(keeper, "add", "Robert'); DROP TABLE user;--")
        ok(code == 1 and "call.arguments" in err, "a name that is none is refused", out + err)
        code, out, err = user(keeper, "add", "bert", "--role", "emperor")
        ok(code == 1 and "no such role" in err, "a role that is none is refused", out + err)
        code, out, err = user(keeper, "add", "vera", "--role", "vendor", "--device", "pump-1",
                              "--device", "pump-2")
        ok(code == 0 and listed(keeper)["vera"]["devices"] == ["pump-1", "pump-2"],
           "a vendor has its devices", out + err)

        code, out, err = enrol_app(keeper, "anna")
        ok(code == 0 and "\u2588" in out and "has an authenticator app" in out,
           "an app is enrolled by the terminal's QR code and its first digits", out + err)
        code, out, err = user(keeper, "enrol", "vera", "--totp", text="000000\n")
        ok(code == 1 and "not the code" in err, "not by other digits", out + err)
        code, out = type_password(keeper, "anna", "tuvulepi")
        ok(code == 0 and "tuvulepi" not in out, "a password is typed unseen", out)
        code, out = type_password(keeper, "vera", "tuvulepi")
        ok(code == 1 and "15 characters" in out, "alone it must be longer", out)
        code, out, err = user(keeper, "enrol", "anna", "--recovery")
        codes = re.findall(r"    ([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})\n", out)
        ok(code == 0 and len(set(codes)) == 10, "ten recovery codes are printed", out + err)

        u = listed(keeper)
        ok(u["anna"]["ready"] and not u["vera"]["ready"] and
           sorted(u["anna"]["factors"]) == ["password", "recovery", "totp"],
               "the list says who can sign in, and by what", u)
        code, out, err = user(keeper, "add", "eva", "--first")
        ok(code == 1 and "administrators already" in err, "there is one first only", out + err)
        code, out, err = user(keeper, "change", "anna", "--role", "viewer")
        ok(code == 1 and "last administrator" in err, "the last administrator stays one",
           out + err)
        code, out, err = user(keeper, "enrol", "anna")
        ok(code == 1 and "auth.has_factors" in err, "no code for who has factors", out + err)

        code, out, err = user(keeper, "reset", "vera")
        ok(code == 0 and "must agree" in out, "a reset takes a second person", out + err)
        code, out, err = user(keeper, "reset", "vera", "--approve")
        ok(code == 1 and "auth.two_persons" in err, "who is not the first", out + err)
        code, out, err = user(keeper, "reset", "anna")
        ok(code == 0 and "One-time code" in out and listed(keeper)["anna"]["factors"] == [],
           "the last administrator's is the box's alone to do", out + err)

        keeper.kill()
        keeper.start()
        ok(sorted(listed(keeper)) == ["anna", "vera"], "a killed keeper has forgotten nobody")
        code, out, err = user(keeper, "remove", "vera")
        ok(code == 0 and sorted(listed(keeper)) == ["anna"], "a user is removed", out + err)
        for wrong in (["add"], ["add", "a", "b"], ["ls", "x"], ["enrol", "a", "--totp", "--password"],
                      ["reset", "a", "--role", "viewer"], ["fire", "a"], []):
            code, out, err = user(keeper, *wrong)
            ok(code == 2 and "usage:" in err, "usage: user " + " ".join(wrong), out + err)
        for name in ("people.db", "people.db-wal"):
            if os.path.exists(folder + "/state/" + name):
                mode = os.stat(folder + "/state/" + name).st_mode & 0o777
                ok(mode & 0o007 == 0, name + " is nobody else's to read", oct(mode))
    finally:
        keeper.kill()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
    finish()
