# SPDX-License-Identifier: GPL-2.0-or-later
"""hang.py - a file system with one file, data, that stops answering reads: hang.py MOUNTPOINT UID FLAG

It speaks the kernel's FUSE protocol itself. While FLAG exists it takes requests to read, makes FLAG.held, and does not answer
them: no signal ends who reads, as with a server that is gone, not even SIGKILL. Once FLAG is gone it answers those, too.
"""

import ctypes
import errno
import os
import select
import stat
import struct
import sys

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, FLUSH, INIT = \
    1, 2, 3, 4, 14, 15, 16, 17, 18, 20, 25, 26
OPENDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 27, 29, 36, 42
DIRECT_IO = 1
ROOT, DATA = 1, 2


class Server:
    def __init__(self, uid, flag, dev):
        self.uid, self.flag, self.dev = uid, flag, dev
        self.data = bytearray(b"x" * 4096)
        self.held = []

    def attr(self, node):
        mode = stat.S_IFDIR | 0o755 if node == ROOT else stat.S_IFREG | 0o644
        size = 0 if node == ROOT else len(self.data)
        return struct.pack("<QQQQQQIIIIIIIIII", node, size, (size + 511) // 512, 1, 1, 1, 0, 0, 0, mode, 1,
                           self.uid, self.uid, 0, 4096, 0)

    def reply(self, unique, body=b"", error=0):
        os.write(self.dev, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)

    def read(self, unique, body):
        offset, size = struct.unpack_from("<QI", body, 8)
        self.reply(unique, bytes(self.data[offset:offset + size]))

    def request(self, op, unique, node, body):
        if op == INIT:
            self.reply(unique, struct.pack("<IIIIHHIIHHI28x", 7, 31, 65536, 0, 16, 12, 65536, 1, 16, 0, 0))
        elif op == LOOKUP and node == ROOT and body.rstrip(b"\0") == b"data":
            self.reply(unique, struct.pack("<QQQQII", DATA, 0, 0, 0, 0, 0) + self.attr(DATA))
        elif op in (GETATTR, SETATTR):
            self.reply(unique, struct.pack("<QII", 0, 0, 0) + self.attr(node))
        elif op in (OPEN, OPENDIR):
            self.reply(unique, struct.pack("<QII", 0, DIRECT_IO, 0))
        elif op == READ and os.path.exists(self.flag):
            self.held.append((unique, body))
            open(self.flag + ".held", "w").close()
        elif op == READ:
            self.read(unique, body)
        elif op == WRITE:
            offset, size = struct.unpack_from("<QI", body, 8)
            self.data[offset:offset + size] = body[40:40 + size]
            self.reply(unique, struct.pack("<II", size, 0))
        elif op in (RELEASE, RELEASEDIR, FLUSH, FSYNC):
            self.reply(unique)
        elif op == STATFS:
            self.reply(unique, struct.pack("<QQQQQIIII24x", 1000, 1000, 1000, 10, 10, 4096, 255, 4096, 0))
        elif op not in (FORGET, BATCH_FORGET, INTERRUPT):
            self.reply(unique, error=errno.ENOENT if op == LOOKUP else errno.ENOSYS)

    def serve(self):
        while True:
            ready, _, _ = select.select([self.dev], [], [], 0.2)
            if self.held and not os.path.exists(self.flag):
                for unique, body in self.held:
                    self.read(unique, body)
                self.held = []
            if not ready:
                continue
            try:
                message = os.read(self.dev, 1 << 18)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                if error.errno not in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                    raise
                continue
            _, op, unique, node = struct.unpack_from("<IIQQ", message)
            self.request(op, unique, node, message[40:])


def main(where, uid, flag):
    dev = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={dev},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
    if libc.mount(b"hang", where.encode(), b"fuse", 0, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), "mount")
    Server(int(uid), flag, dev).serve()


main(*sys.argv[1:])
