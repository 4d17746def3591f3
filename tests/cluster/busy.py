# SPDX-License-Identifier: GPL-2.0-or-later
# busy.py - N connections over loopback between two processes, messages of 1 to 300,000 bytes both ways, each byte
# checked; once a second busy.0 and busy.1 say how many messages each connection has had, and busy.silence gets a line with the
# longest time in milliseconds in which one of them had none. Until a file busy.stop is there.
import os
import random
import socket
import struct
import sys
import threading
import time

N = int(sys.argv[1])
SIZES = (1, 7, 100, 1500, 65536, 300000)
counts = [0] * N
silence = [0] * N


def take(s, n):
    data = bytearray()
    while len(data) < n:
        more = s.recv(min(n - len(data), 65536))
        if not more:
            raise SystemExit("the connection has ended")
        data += more
    return bytes(data)


def message(i, seq, n):
    return bytes([(seq * 31 + i) & 255]) * n


def talk(s, i):
    rnd = random.Random(i)
    last = time.monotonic()
    while True:
        n = rnd.choice(SIZES)
        s.sendall(struct.pack("!II", counts[i], n) + message(i, counts[i], n))
        seq, m = struct.unpack("!II", take(s, 8))
        if seq != counts[i] or take(s, m) != message(i, seq, m):
            open("busy.bad", "a").write(f"{i}: {counts[i]}, got {seq} of {m} bytes\n")
            os._exit(3)
        counts[i] += 1
        silence[i] = max(silence[i], time.monotonic() - last)
        last = time.monotonic()
        time.sleep(0.01)


listener = socket.create_server(("127.0.0.1", 0), backlog=N)
me = int(os.fork() == 0)
for k in range(N):
    if me:
        s, i = socket.create_connection(listener.getsockname()), k
        s.sendall(bytes([k]))
    else:
        s = listener.accept()[0]
        i = take(s, 1)[0]
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, i % 2)
    threading.Thread(target=talk, args=(s, i), daemon=True).start()
while not os.path.exists("busy.stop"):
    time.sleep(1)
    with open(f"busy.{me}.new", "w") as f:
        f.write(" ".join(map(str, counts)) + "\n")
    os.rename(f"busy.{me}.new", f"busy.{me}")
    with open("busy.silence", "a") as f:
        f.write("%d\n" % (max(silence) * 1000))
    silence[:] = [0] * N
