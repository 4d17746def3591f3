# an epoll set from before a fork: the parent has closed what only its child watches by it
import os
import select
import socket
import time

watch = select.epoll()
ours, theirs = socket.socketpair()
watch.register(theirs.fileno(), select.EPOLLIN)
number = theirs.fileno()
child = os.fork()
if child == 0:
    got = 0
    while True:
        for _ in watch.poll(1):
            message = os.read(number, 10)
            if message == b"quit":
                os._exit(got)
            got += 1
theirs.close()
open("ready", "w").close()
while not os.path.exists("go"):
    time.sleep(0.1)
for _ in range(7):
    ours.send(b"x" * 10)
    time.sleep(0.02)
ours.send(b"quit")
_, status = os.waitpid(child, 0)
open("result", "w").write(f"child got {os.waitstatus_to_exitcode(status)}\n")
