# SPDX-License-Identifier: GPL-2.0-or-later
# upgraded.py - a library, a program, a mapped table and an open file of root's stay those that the job has begun with

import ctypes
import mmap
import os
import subprocess
import time

WHERE = "/usr/local/share/upgraded/"

library = ctypes.CDLL(WHERE + "libanswer.so")
worker = subprocess.Popen([WHERE + "pause", "1000"])
with open(WHERE + "table", "rb") as table:
    shared = mmap.mmap(table.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
    private = mmap.mmap(table.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ)
source = open(WHERE + "input")
source.read(4)

open("ready", "w").close()
while not os.path.exists("go"):
    time.sleep(0.1)

with open("result", "w") as result:
    print(library.answer(), shared[:8], private[-8:], source.read(), file=result)
    print("the worker runs:", worker.poll() is None, file=result)
worker.kill()
