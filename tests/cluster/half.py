# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the spank_cr authors
"""half.py - a connection that one end has closed for writing, between two processes of which one has a lot of files
open: whoever restores them makes the two ends of the connection at very different times"""
import os
import resource
import socket
import sys
import time

job = os.environ["SLURM_JOB_ID"]


def wait():
    while not os.path.exists("stop." + job):
        time.sleep(0.1)


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
server = socket.create_server(("localhost", 0))
if os.fork() == 0:
    client = socket.create_connection(server.getsockname())
    server.close()
    wait()
    if client.recv(1) != b"":
        sys.exit("no end of what was sent")
    client.sendall(b"more")
    sys.exit()
files = [os.open("/etc/hosts", os.O_RDONLY) for _ in range(5000)]
peer, _ = server.accept()
peer.shutdown(socket.SHUT_WR)
print("ready", flush=True)
wait()
print(peer.recv(4), flush=True)
print("end", flush=True)
