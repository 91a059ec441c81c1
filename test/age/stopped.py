#!/usr/bin/env python3
"""stopped.py ANSWER... -- COMMAND...: runs a command at a terminal, as a shell with job control does, and stops it by
Ctrl-Z at its first prompt. The terminal has to show what is typed while it is stopped, and not behind `fg`; then the
answers are typed, one a prompt. Exits as the command does; 99, with a word, where the terminal was wrong."""
import os, pty, select, signal, sys, termios

split = sys.argv.index("--")
answers, command = sys.argv[1:split], sys.argv[split + 1:]
echoes = lambda fd: bool(termios.tcgetattr(fd)[3] & termios.ECHO)


def shell():
    """The terminal's session leader: its child is a job in the foreground."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(command[0], command)
    _, status = os.waitpid(job, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        sys.exit("stopped.py: it was not stopped: %d" % status)
    if not echoes(0):
        os.write(2, b"stopped.py: while it is stopped nothing typed is shown\n")
        os.kill(job, signal.SIGKILL)
        os._exit(99)
    os.tcsetpgrp(0, job)
    os.kill(-job, signal.SIGCONT)
    _, status = os.waitpid(job, 0)
    os._exit(99 if not echoes(0) else os.waitstatus_to_exitcode(status) & 255)


pid, tty = pty.fork()
if pid == 0:
    shell()
seen, prompts = b"", 0
while select.select([tty], [], [], 20)[0]:
    try:
        data = os.read(tty, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    if not seen.endswith(b": "):
        continue
    prompts, seen = prompts + 1, b""
    if prompts > 1 and echoes(tty):
        print("stopped.py: behind fg what is typed is shown")
        os.kill(pid, signal.SIGKILL)
        sys.exit(99)
    if prompts == 1:
        os.write(tty, b"half a wo\x1a")
    elif answers:
        os.write(tty, answers.pop(0).encode() + b"\n")
sys.stdout.write(seen.decode(errors="replace"))
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
