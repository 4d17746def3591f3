# SPDX-License-Identifier: GPL-2.0-or-later
# cwd.py - processes in working directories that are not there any more

import os
import shutil
import time

top = os.getcwd()


def told(lines):
    try:
        lines.append("cwd " + os.getcwd())
    except OSError as e:
        lines.append("cwd " + e.strerror)
    lines.append("link " + "/".join(os.readlink("/proc/self/cwd").split("/")[-2:]))
    try:
        open("new", "w")
        lines.append("new")
    except OSError as e:
        lines.append("new " + e.strerror)


def above(lines):
    os.chdir("..")
    lines.append("above " + os.path.basename(os.getcwd()) + " " + " ".join(sorted(os.listdir("."))))


def worker(number, path, more=None):
    os.makedirs(path, exist_ok=True)
    if os.fork():
        return
    os.chdir(path)
    kept = os.open(".", os.O_RDONLY) if number == 1 else None
    open(f"{top}/at-{number}", "w").close()
    while not os.path.exists(f"{top}/go"):
        time.sleep(0.1)
    lines = []
    told(lines)
    if kept is not None:
        lines.append("kept " + str(os.listdir(kept)) + " " + str(os.fstat(kept).st_nlink))
    if more:
        more(lines)
    open(f"{top}/said-{number}", "w").write("\n".join(lines) + "\n")
    os._exit(0)


worker(1, "scratch/run")  # made again
worker(2, "scratch/alone", above)
worker(3, "deep/one/two")  # and its parents with it
worker(4, "deep/one")
worker(5, "narrow/run")
while not all(os.path.exists(f"at-{n}") for n in range(1, 6)):
    time.sleep(0.1)
shutil.rmtree("scratch/run")
os.mkdir("scratch/run")
open("scratch/run/mine", "w").close()
os.rmdir("scratch/alone")
shutil.rmtree("deep")
os.rmdir("narrow/run")
os.chmod("narrow", 0o555)
open("ready", "w").close()
for _ in range(5):
    os.wait()
os.chmod("narrow", 0o755)
with open("result", "w") as out:
    for n in range(1, 6):
        out.write(f"{n}\n" + open(f"said-{n}").read())
    print(sorted(os.listdir("scratch")), sorted(os.listdir("scratch/run")), os.listdir("narrow"), file=out)
    print([n for n in os.listdir(".") if "spank" in n or "ghost" in n], file=out)
