#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
exec python3 -c '
import os, threading, time
tid = []
threading.Thread(target=lambda: (tid.append(threading.get_native_id()), time.sleep(1000)), daemon=True).start()
while not tid: time.sleep(0.01)
fd = os.open("/proc/self/task/%d/comm" % tid[0], os.O_RDONLY)
open("ready", "w").close()
while not os.path.exists("go"): time.sleep(0.1)
open("result", "w").write(str(os.read(fd, 100)))'
