# SPDX-License-Identifier: GPL-2.0-or-later
# addresses.py - sockets with an address of the node are there for whoever asks at the node's present address

import os
import socket
import time


def own():
    return socket.gethostbyname(socket.gethostname())


# none that the system gives to others
port = 20000 + os.getpid() % 10000
tcp = socket.create_server((own(), port))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((own(), port))
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
six.bind(("::ffff:" + own(), port + 1))
# gets the address that leads there; nobody listens, which only a second send would hear of
away = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
away.connect(("n0", 9))
# what a link has takes an interface with it: a group, the address, and an interface alone
index = socket.if_nametoindex("eth0")
with open("/proc/net/if_inet6") as table:
    link = [line.split()[0] for line in table if line.startswith("fe80") and line.endswith(" eth0\n")][0]
group = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
group.bind(("ff02::4711", port + 2, 0, index))
near = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
link_name = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(link))
near.bind((link_name, port + 3, 0, index))
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wire.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
wire.bind(("", port + 4))

open("ready", "w").close()
while not os.path.exists("go"):
    time.sleep(0.1)

with open("result", "w") as result:
    client = socket.create_connection((own(), tcp.getsockname()[1]), 5)
    server, _ = tcp.accept()
    server.sendall(b"tcp")
    print(client.recv(10), file=result)
    for server in (udp, six):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.sendto(b"udp", (own(), server.getsockname()[1]))
        server.settimeout(5)
        print(server.recv(10), file=result)
    for server in (group, near, wire):
        device = server.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0")
        print(server.getsockname()[1] - port, device, file=result)
    print(group.getsockname()[0], near.getsockname()[0] in ("::", link_name), file=result)
    print(away.send(b"x"), away.getpeername()[1], file=result)
    # on a node that has the address of its source
    source = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    source.bind((away.getsockname()[0], 0))
    print("end", file=result)
