#!/usr/bin/env python3
"""onpty.py STDOUT STDERR ANSWER... -- COMMAND...: runs a command with a terminal of its own.

Whenever it prints something that ends in ": " on the terminal, the next answer is typed. Its standard
output and error go to the files; "-" for the error leaves it on the terminal. Prints what the terminal
showed and exits as the command does."""
import os, pty, select, sys

split = sys.argv.index("--")
out, err, *answers = sys.argv[1:split]
command = sys.argv[split + 1:]

pid, tty = pty.fork()
if pid == 0:
    # A terminal that nobody has open is gone for who reads it.
    os.dup2(0, 9)
    os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    if err != "-":
        os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
    if os.environ.get("STDIN"):
        os.dup2(os.open(os.environ["STDIN"], os.O_RDONLY), 0)
    os.execvp(command[0], command)

shown = seen = b""
while True:
    ready, _, _ = select.select([tty], [], [], 30)
    if not ready:
        sys.exit("onpty.py: nothing happens; shown: %r" % shown)
    try:
        data = os.read(tty, 4096)
    except OSError:
        break
    if not data:
        break
    shown += data
    seen += data
    if seen.endswith(b": ") and answers:
        os.write(tty, answers.pop(0).encode() + b"\n")
        seen = b""
sys.stdout.buffer.write(shown)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128)
