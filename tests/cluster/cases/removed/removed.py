# SPDX-License-Identifier: GPL-2.0-or-later
# removed.py - what is mapped, executed and open is replaced or removed, in a directory without write permission

import ctypes
import mmap
import os
import signal
import subprocess
import time

library = ctypes.CDLL("store/libanswer.so")
child = subprocess.Popen(["store/pause", "1000"])

table = open("store/table", "r+b")
shared = mmap.mmap(table.fileno(), 0)
private = mmap.mmap(table.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
private[0:4] = b"mine"
source = open("store/input")
source.read(5)
# opened before its permissions went
narrow = open("store/narrow", "w+")
narrow.write("narrow")
narrow.flush()
os.chmod("store/narrow", 0o400)
memory = open("/dev/shm/memory", "w+b")
memory.truncate(8192)
view = mmap.mmap(memory.fileno(), 0)
# criu adds to these names, and no name has more than 255 bytes
long_file = open("f" * 255, "w+")
long_file.write("long")
long_file.flush()
os.mkdir("d" * 255)
long_directory = os.open("d" * 255, os.O_RDONLY)
os.mkdir("gone")
inner = open("gone/inner", "w+")
inner.write("inner")
inner.flush()

if os.fork() == 0:
    # sees what the other writes into the table and the memory
    while view[0] != 7:
        time.sleep(0.05)
    view[1] = shared[1]
    os._exit(0)

os.replace("new.so", "store/libanswer.so")
open("pause.new", "w").write("another program\n")
os.replace("pause.new", "store/pause")
for name in ("store/table", "store/narrow", "/dev/shm/memory", "gone/inner"):
    os.unlink(name)
os.rmdir("gone")
os.unlink("f" * 255)
os.rmdir("d" * 255)
open("input.new", "w").write("another input\n")
os.replace("input.new", "store/input")
os.chmod("store", 0o555)

open("ready", "w").close()
while not os.path.exists("go"):
    time.sleep(0.1)

shared[1] = ord("z")
view[0] = 7
os.wait()
inner.write(" more")
narrow.write(" more")
long_file.write(" more")
for f in (inner, narrow, long_file):
    f.seek(0)
maps = [line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "libanswer" in line]
os.chmod("store", 0o755)
with open("result", "w") as out:
    print("library", library.answer(), {path[path.rindex("/store"):] for path in maps}, file=out)
    print("program", child.poll(), os.readlink(f"/proc/{child.pid}/exe")[-22:], file=out)
    child.send_signal(signal.SIGTERM)
    print("ended by", child.wait(), file=out)
    print("table", table.read(3), shared[0:3], private[0:5], len(shared), chr(view[1]), file=out)
    print("input", source.read(), narrow.read(), inner.read(), long_file.read(), os.listdir(long_directory), file=out)
    print("store", [(n, open("store/" + n, "rb").read(7)) for n in ("input", "pause")], sorted(os.listdir("store")), file=out)
    print("left", sorted(n for d in ("/tmp", "/dev/shm", ".") for n in os.listdir(d) if "spank" in n or "ghost" in n), file=out)
