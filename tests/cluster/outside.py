# SPDX-License-Identifier: GPL-2.0-or-later
# outside.py SOCKET - stands outside of jobs; whoever connects to SOCKET gets a descriptor: of a new terminal's slave
# when SOCKET ends in "pty", none when it ends in "quiet", otherwise of the file SOCKET.file. Ends when somebody removes
# SOCKET.

import os
import pty
import socket
import sys

path = sys.argv[1]
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
server.settimeout(0.5)
kept = []
while os.path.exists(path):
    try:
        client, _ = server.accept()
    except TimeoutError:
        continue
    kept.append(client)
    if path.endswith("quiet"):
        continue
    fd = pty.openpty()[1] if path.endswith("pty") else os.open(path + ".file", os.O_RDWR | os.O_CREAT, 0o600)
    socket.send_fds(client, [b"x"], [fd])
