#!/usr/bin/env python3
"""kill.py BEDWARDEN [KILLS]: seals and opens a tree in place, is killed at a random moment, and looks.

After every kill each file must be there, plain or sealed, whole; what was told done must be gone in
its old form; no name may stand for half a file. Then the next run must bring it to its end."""
import filecmp, os, random, shutil, signal, subprocess, sys, tempfile, time

bedwarden = os.path.realpath(sys.argv[1])
kills = int(sys.argv[2]) if len(sys.argv) > 2 else 100
seed = random.randrange(1 << 32)
random.seed(seed)
tmp = tempfile.mkdtemp()
os.chdir(tmp)
problems = []


def run(*args, **kw):
    return subprocess.run([bedwarden, *args], capture_output=True, **kw)


def files(root):
    return sorted(os.path.relpath(os.path.join(d, f), root) for d, _, names in os.walk(root) for f in names)


def killed(args, most):
    """Runs it, kills it after a random part of the time it takes, and gives what it told."""
    with open("told", "wb") as out:
        p = subprocess.Popen([bedwarden, *args], stdout=out, stderr=subprocess.DEVNULL)
        time.sleep(random.random() * most)
        p.send_signal(random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT]))
        p.wait()
    told = open("told", "rb").read()
    # A last line without its end was not told.
    return [os.path.relpath(os.fsdecode(line), "work") for line in told.split(b"\n")[:-1]], p.returncode


def look(told, opening, what):
    before = len(problems)
    shutil.rmtree("back", ignore_errors=True)
    r = run("open", "-i", "key", "-o", "back", "work")
    if r.returncode:
        problems.append(f"{what}: not every sealed file is whole: {r.stderr.decode()}")
    have = set(files("work"))
    for f in pristine:
        plain = f in have and filecmp.cmp(f"work/{f}", f"pristine/{f}", shallow=False)
        sealed = f + ".age" in have and filecmp.cmp(f"back/{f}", f"pristine/{f}", shallow=False)
        if f in have and not plain:
            problems.append(f"{what}: {f} is not whole")
        if not plain and not sealed:
            problems.append(f"{what}: {f} is lost")
    for f in told:
        if f in have:
            problems.append(f"{what}: {f} was told done and is there")
    for f in have - set(pristine) - {f + ".age" for f in pristine}:
        problems.append(f"{what}: {f} was left behind")
    return len(problems) == before


run("keygen", "-o", "key")
recipient = run("keygen", "-y", "key").stdout.decode().strip()
for i in range(24):
    path = f"pristine/{i % 3}/{i}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(os.urandom(random.choice([0, 10, 5000, 70000, 300000])))
pristine = files("pristine")
seal = ["seal", "-r", recipient, "--in-place", "-v", "work"]
unseal = ["open", "-i", "key", "--in-place", "-v", "work"]

shutil.copytree("pristine", "work")
began = time.monotonic()
assert run(*seal).returncode == 0
takes = time.monotonic() - began
interrupted = runs = 0
while interrupted < kills and runs < 6 * kills and not problems:
    opening = runs % 2 == 0
    args = unseal if opening else seal
    told, code = killed(args, takes)
    # How long a run takes changes with what else the machine does.
    takes *= 1.1 if code < 0 else 0.9
    interrupted += code < 0
    runs += 1
    look(told, opening, f"run {runs}, {'open' if opening else 'seal'}, {len(told)} told")
    r = run(*args)
    wrong = [f for f in files("work") if f.endswith(".age") == opening]
    if r.returncode or wrong:
        problems.append(f"run {runs}: the next one: {r.returncode} {r.stderr.decode()} {wrong}")
shutil.rmtree(tmp)
for p in problems:
    print(p)
if interrupted < kills:
    print(f"only {interrupted} of {runs} runs were killed in their midst")
ok = not problems and interrupted >= kills
print(f"{'ok' if ok else 'not ok'} - {interrupted} runs in place killed in their midst: nothing lost, "
      f"nothing stayed that was told gone{'' if ok else f' (seed {seed})'}")
sys.exit(not ok)
