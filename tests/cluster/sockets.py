# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the spank_cr authors
"""sockets.py - two processes that talk over every kind of connection loopback has, and count what arrives"""
import os
import select
import socket
import sys
import time

job = os.environ["SLURM_JOB_ID"]
localhost = "localhost"


def pair(family):
    """an established TCP connection and the socket that listens for more"""
    server = socket.create_server((localhost if family == socket.AF_INET else "::1", 0), family=family)
    client = socket.create_connection(server.getsockname()[:2])
    peer, _ = server.accept()
    return server, client, peer


def receive(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            sys.exit("closed after %d bytes" % len(data))
        data += more
    return data


server, client, peer = pair(socket.AF_INET)
server6, client6, peer6 = pair(socket.AF_INET6)
# both ends of these have data that nobody has read, and one direction is shut
halves = [pair(socket.AF_INET) for _ in range(2)]
for i, (_, left, right) in enumerate(halves):
    left.sendall(b"left")
    right.sendall(b"right")
    (left if i else right).shutdown(socket.SHUT_WR)
full_server, full, full_peer = pair(socket.AF_INET)
full.setblocking(False)
stuffed = 0
try:
    while True:
        stuffed += full.send(b"x" * 65536)
except BlockingIOError:
    pass
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((localhost, 0))
udp_peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp_peer.bind((localhost, 0))
udp_peer.connect(udp.getsockname())
udp.connect(udp_peer.getsockname())
epoll = select.epoll()
epoll.register(peer6, select.EPOLLIN)

if os.fork() == 0:
    # the echo
    while True:
        for sock in (peer, udp_peer):
            sock.sendall(sock.recv(8))
        if epoll.poll(60):
            peer6.sendall(peer6.recv(8))

print("ready", flush=True)
n = 0
while not os.path.exists("stop." + job):
    for sock in (client, udp, client6):
        sock.sendall(b"%08d" % n)
        if receive(sock, 8) != b"%08d" % n:
            sys.exit("%d came back as another" % n)
    if n % 10 == 0:
        print(n, flush=True)
    n += 1
    time.sleep(0.02)
for i, (_, left, right) in enumerate(halves):
    print("half", receive(left, 5), receive(right, 4), (right if i else left).recv(1))
    (right if i else left).sendall(b"more")
    print("half", receive(left if i else right, 4))
print("full", len(receive(full_peer, stuffed)) == stuffed)
for sock in (server, server6):
    more = socket.create_connection(sock.getsockname()[:2])
    sock.accept()[0].sendall(b"new")
    print(receive(more, 3))
print("end", flush=True)
