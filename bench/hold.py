#!/usr/bin/env python3
"""hold.py: holds all memory that is free, and lets go of it as somebody else needs it, until it is ended.

A virtual machine's host gives memory when it is first touched, slowly, and may take back what is free: whoever fills many
gigabytes is then measured at the host's pace. While this runs, memory that is needed is memory that is there, as on a machine
of its own, whoever needs it. When all of it is held there are less than HIGH KiB free."""
import mmap
import os
import sys
import time

LOW, HIGH = 384 << 10, 640 << 10  # KiB; what is free the host may take back
STEP = 32 << 20
MADV_POPULATE_WRITE = 23  # Linux 5.14
MAP_NORESERVE = 0x4000


def meminfo(what):
    with open("/proc/meminfo", "rb", buffering=0) as f:
        return int(f.read(4096).split(what)[1].split()[0])


def touch(memory, at):
    try:
        memory.madvise(MADV_POPULATE_WRITE, at, STEP)
    except OSError:
        for page in range(at, at + STEP, mmap.PAGESIZE):
            memory[page] = 1


def main():
    try:  # where memory runs out none but this one goes
        with open("/proc/self/oom_score_adj", "w") as f:
            f.write("1000")
        os.nice(-15)  # who is measured takes all processors
    except OSError:
        pass
    size = (meminfo(b"MemTotal:") << 10) // STEP * STEP
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
    memory.madvise(mmap.MADV_HUGEPAGE)
    held = 0
    while True:
        free = meminfo(b"MemFree:")
        if free < LOW and held:
            held -= STEP
            memory.madvise(mmap.MADV_DONTNEED, held, STEP)
        elif free >= HIGH and held < size:
            touch(memory, held)
            held += STEP
        else:
            time.sleep(0.002)


if len(sys.argv) > 1:
    sys.exit("usage: hold.py")
main()
