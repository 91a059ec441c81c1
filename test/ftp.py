"""A client of FTP that says what it is told to, and hears the answer."""
import socket


class Ftp:
    def __init__(self, ip):
        self.s = socket.create_connection((ip, 21), 5)
        self.f = self.s.makefile("rb")
        self.reply()
        self.ask("USER anonymous")
        self.ask("PASS x@example.org")
        self.ask("TYPE I")

    def reply(self):
        while True:
            line = self.f.readline().decode()
            if not line or line[3:4] == " ":
                return line.strip()

    def ask(self, line):
        self.s.sendall(line.encode() + b"\r\n")
        return self.reply()
