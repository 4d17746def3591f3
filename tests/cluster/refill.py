# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the spank_cr authors
"""refill.py ROUNDS - connections over loopback that are full in both directions, round after round.

Two processes fill six connections from both ends until nothing goes in any more, say so (the file full.ROUND), wait for the
file go.ROUND, and take all of it. A line "ROUND whole" for each round, or what is missing.
"""

import json
import os
import socket
import sys
import time

CONNECTIONS = 6
PATTERN = bytes((at * 7 + at // 251) & 255 for at in range(1 << 16))
SECONDS = 60  # for what is lost and sent again


def listeners():
    """one for each connection; every third has small buffers, and every third large ones"""
    for i in range(CONNECTIONS):
        family, host = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))[i % 2]
        sock = socket.socket(family)
        if i % 3:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, (0, 16384, 200000)[i % 3])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, (0, 16384, 200000)[i % 3])
        sock.bind((host, 0))
        sock.listen(1)
        yield sock


class Side:
    """one of the two processes, with its ends of the connections and a pipe each way to the other"""

    def __init__(self, socks, pipe_in, pipe_out):
        self.socks, self.pipe_in, self.pipe_out = socks, pipe_in, pipe_out
        self.sent, self.got = [0] * len(socks), [0] * len(socks)
        for sock in socks:
            sock.setblocking(False)

    def other(self, mine):
        """what the other one says, when it has come as far"""
        print(json.dumps(mine), file=self.pipe_out, flush=True)
        return json.loads(self.pipe_in.readline())

    def fill(self):
        quiet = 0
        while quiet < 4:
            quiet += 1
            for i, sock in enumerate(self.socks):
                try:
                    while True:
                        at = self.sent[i] % len(PATTERN)
                        self.sent[i] += sock.send(PATTERN[at:at + 17 + 900 * i])
                        quiet = 0
                except BlockingIOError:
                    pass
            time.sleep(0.05)

    def take(self, wanted):
        """until all of it is here; what is wrong with it"""
        until = time.monotonic() + SECONDS
        while self.got != wanted:
            for i, sock in enumerate(self.socks):
                try:
                    data = sock.recv(65536)
                except BlockingIOError:
                    continue
                at = self.got[i] % len(PATTERN)
                if not data or data != (PATTERN[at:] + PATTERN)[:len(data)]:
                    return "connection %d: other bytes after %d" % (i, self.got[i])
                self.got[i] += len(data)
            if time.monotonic() > until:
                return "got %s of %s" % (self.got, wanted)
            time.sleep(0.01)
        return "whole"


def main():
    rounds = int(sys.argv[1])
    ears = list(listeners())
    (in0, out1), (in1, out0) = os.pipe(), os.pipe()
    child = os.fork() == 0
    if child:
        socks = [socket.socket(ear.family) for ear in ears]
        for sock, ear in zip(socks, ears):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ear.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2)
            sock.connect(ear.getsockname()[:2])
    else:
        socks = [ear.accept()[0] for ear in ears]
    side = Side(socks, os.fdopen(in1 if child else in0), os.fdopen(out1 if child else out0, "w"))
    for number in range(1, rounds + 1):
        side.fill()
        wanted = side.other(side.sent)
        if not child:
            open("full.%d" % number, "w").close()
        while not os.path.exists("go.%d" % number):
            time.sleep(0.1)
        word = side.take(wanted)
        said = side.other(word)
        if not child:
            print(number, word if word == said else word + "; " + said, flush=True)
    if not child:
        os.wait()


main()
