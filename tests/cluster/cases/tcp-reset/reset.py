# SPDX-License-Identifier: GPL-2.0-or-later
# reset.py - a connection that the other end has reset: that it is over is known afterwards, the error may not be

import os
import socket
import struct
import time

server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
end, _ = server.accept()
end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
end.close()

open("ready", "w").close()
while not os.path.exists("go"):
    time.sleep(0.1)

try:
    data = client.recv(10)
except ConnectionResetError:
    data = b""
with open("result", "w") as result:
    print(data, file=result)
    try:
        client.send(b"x")
    except OSError:
        print("no more can be sent", file=result)
    # the server goes on
    other = socket.create_connection(server.getsockname())
    server.accept()[0].sendall(b"hello")
    print(other.recv(10), file=result)
