#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# to pack /tmp is to open what is in it, which would break the lease
exec python3 -c '
import fcntl, os, time
fd = os.open("/tmp/leased", os.O_RDWR | os.O_CREAT)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
open("ready", "w").close()
while not os.path.exists("go"): time.sleep(0.1)
print("lease", fcntl.fcntl(fd, fcntl.F_GETLEASE), file=open("result", "w"))'
