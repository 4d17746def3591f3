# SPDX-License-Identifier: GPL-2.0-or-later
# names.py - connections to UNIX sockets whose names are gone, or another's, go on, and the others' files stay

import os
import socket
import time

HERE = os.getcwd() + "/"


def stream(name):
    server = socket.socket(socket.AF_UNIX)
    server.bind(HERE + name)
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect(HERE + name)
    return server, client, server.accept()[0]


def datagram(name):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(HERE + name)
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.connect(HERE + name)
    return client, server


removed = stream("removed")
replaced = stream("replaced")
datagrams = datagram("letters")
os.unlink("removed")
os.unlink("replaced")
os.unlink("letters")
open("replaced", "w").write("another's")
# by its relative name, which leads there
relative = socket.socket(socket.AF_UNIX)
relative.bind("relative")
relative.listen()

open("ready", "w").close()
while not os.path.exists("go"):
    time.sleep(0.1)

with open("result", "w") as result:
    for server, client, end in (removed, replaced):
        client.sendall(b"to")
        end.sendall(b"fro")
        print(end.recv(10), client.recv(10), os.path.basename(server.getsockname()), file=result)
    datagrams[0].send(b"letter")
    print(datagrams[1].recv(10), file=result)
    client = socket.socket(socket.AF_UNIX)
    client.connect("relative")
    relative.accept()[0].sendall(b"relative")
    print(client.recv(10), file=result)
    print(open("replaced").read(), sorted(n for n in os.listdir(".") if "removed" in n or "letters" in n), file=result)
