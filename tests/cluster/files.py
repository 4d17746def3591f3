# SPDX-License-Identifier: GPL-2.0-or-later
# files.py - a job that has a file open in every way there is. With go.JOBID it changes them all; with check.JOBID it says
# of each whether it is as it was before, and still the one that is open.
#   files.py                the cases below, all in one process, and one more process
#   files.py one SIZE       one file of SIZE bytes; says what has become of it

import mmap
import os
import sys
import time
import traceback

JOB = os.environ["SLURM_JOB_ID"]
TOP = os.path.abspath("files." + JOB)


def path(name):
    return os.path.join(TOP, name)


def made(name, data, flags=os.O_RDWR, mode=0o640):
    with open(path(name), "wb") as f:
        f.write(data)
    os.chmod(path(name), mode)
    return os.open(path(name), flags)


def content(name):
    with open(path(name), "rb") as f:
        return f.read()


def expect(what, is_, want):
    if is_ != want:
        raise AssertionError("%s is %.60r, not %.60r" % (what, is_, want))


class Case:
    """One file, open for reading and writing."""

    name = None
    data = bytes(range(256)) * 1200
    flags = os.O_RDWR
    mode = 0o640

    def __init__(self):
        self.name = type(self).__name__.lower()
        self.make()

    def make(self):
        self.fd = made(self.name, self.data, self.flags, self.mode)

    def settle(self):
        """Nothing changes from here to the checkpoint."""
        self.stat = os.fstat(self.fd)
        self.at = os.lseek(self.fd, 0, os.SEEK_CUR)

    def change(self):
        os.pwrite(self.fd, b"changed", 1000)
        os.pwrite(self.fd, b"changed", 200000)
        os.pwrite(self.fd, b"longer", len(self.data))

    def check(self):
        now = os.stat(path(self.name))
        expect("content", content(self.name), self.data)
        expect("mode", now.st_mode, self.stat.st_mode)
        expect("time", now.st_mtime_ns, self.stat.st_mtime_ns)
        expect("file", os.fstat(self.fd).st_ino, now.st_ino)
        expect("name", os.readlink("/proc/self/fd/%d" % self.fd), path(self.name))
        expect("offset", os.lseek(self.fd, 0, os.SEEK_CUR), self.at)
        os.write(self.fd, b"on")
        at = len(self.data) if self.flags & os.O_APPEND else self.at
        expect("what is written now", content(self.name)[at:at + 2], b"on")


class InPlace(Case):
    pass


class AppendMode(Case):
    flags = os.O_WRONLY | os.O_APPEND

    def change(self):
        os.write(self.fd, b"longer")


class Appended(Case):
    flags = os.O_WRONLY

    def settle(self):
        os.lseek(self.fd, 0, os.SEEK_END)
        super().settle()

    def change(self):
        os.write(self.fd, b"longer")


class Seeks(Case):
    def settle(self):
        os.lseek(self.fd, 4711, os.SEEK_SET)
        super().settle()

    def change(self):
        super().change()
        os.lseek(self.fd, 3, os.SEEK_SET)
        os.write(self.fd, b"there")


class Shortened(Case):
    def change(self):
        os.ftruncate(self.fd, 17)


class Empty(Case):
    data = b""


class Mode(Case):
    def change(self):
        super().change()
        os.fchmod(self.fd, 0o600)


class Mapped(Case):
    def make(self):
        fd = made(self.name, self.data)
        self.map = mmap.mmap(fd, len(self.data))
        os.close(fd)

    def settle(self):
        self.map[0:4] = b"dirt"
        self.data = b"dirt" + self.data[4:]

    def change(self):
        self.map[5000:5007] = b"changed"

    def check(self):
        expect("content", content(self.name), self.data)
        expect("the mapping", self.map[:], self.data)
        self.map[9:11] = b"on"
        expect("what is written now", content(self.name)[9:11], b"on")


class Deleted(Case):
    def make(self):
        super().make()
        os.unlink(path(self.name))

    def check(self):
        expect("content", os.pread(self.fd, 1 << 20, 0), self.data)
        expect("names", os.fstat(self.fd).st_nlink, 0)


class RenamedBefore(Case):
    def make(self):
        self.fd = made("old", self.data)
        os.rename(path("old"), path(self.name))


class RenamedAfter(Case):
    def change(self):
        os.rename(path(self.name), path("elsewhere"))
        super().change()


class Rotated(Case):
    def change(self):
        super().change()
        os.rename(path(self.name), path("rotated.1"))
        os.close(made(self.name, b"a new one"))

    def check(self):
        super().check()
        expect("the rotated one", content("rotated.1")[-6:], b"longer")


class Replaced(Case):
    def change(self):
        os.close(made("temporary", b"a new one"))
        os.rename(path("temporary"), path(self.name))


class ReplacedBefore(Case):
    """What is open has no name any more; another file has that."""

    def make(self):
        super().make()
        os.close(made("temporary", b"the newer one"))
        os.rename(path("temporary"), path(self.name))

    def check(self):
        expect("content", os.pread(self.fd, 1 << 20, 0), self.data)
        expect("the newer one", content(self.name), b"the newer one")


class Links(Case):
    def make(self):
        super().make()
        os.link(path(self.name), path("second"))
        self.second = os.open(path("second"), os.O_RDWR)

    def change(self):
        super().change()
        os.unlink(path("second"))

    def check(self):
        super().check()
        expect("the second name", os.stat(path("second")).st_ino, os.stat(path(self.name)).st_ino)
        expect("the second descriptor", os.fstat(self.second).st_ino, os.fstat(self.fd).st_ino)


class Foreign(Case):
    """Somebody keeps what was written later under another name."""

    def change(self):
        super().change()
        os.link(path(self.name), path("kept"))

    def check(self):
        super().check()
        expect("what was kept", content("kept")[-6:], b"longer")


class Sparse(Case):
    def make(self):
        self.fd = made(self.name, b"begin")
        os.pwrite(self.fd, b"middle", 100 << 20)
        os.ftruncate(self.fd, 1 << 30)

    def change(self):
        os.pwrite(self.fd, b"changed" * 10000, 10 << 20)
        os.pwrite(self.fd, b"longer", 1 << 30)

    def check(self):
        now = os.stat(path(self.name))
        expect("size", now.st_size, 1 << 30)
        expect("begin", os.pread(self.fd, 6, 0), b"begin\0")
        expect("middle", os.pread(self.fd, 8, (100 << 20) - 1), b"\0middle\0")
        expect("the hole", os.pread(self.fd, 100000, 10 << 20), bytes(100000))
        expect("few blocks", now.st_blocks < 2048, True)


class Removed(Case):
    mode = 0o751

    def change(self):
        os.unlink(path(self.name))


class Directory(Case):
    def make(self):
        os.makedirs(path("d/e"))
        os.chmod(path("d/e"), 0o711)
        self.name = "d/e/f"
        super().make()

    def change(self):
        os.unlink(path(self.name))
        os.rmdir(path("d/e"))
        os.rmdir(path("d"))

    def check(self):
        super().check()
        expect("mode of the directory", os.stat(path("d/e")).st_mode & 0o7777, 0o711)


class Several(Case):
    """Open in another process, too, by itself; that one works in a directory that is removed."""

    def settle(self):
        super().settle()
        os.mkdir(path("cwd"), 0o701)
        os.chmod(path("cwd"), 0o701)
        if os.fork() == 0:
            self.child()

    def child(self):
        fd = os.open(path(self.name), os.O_RDWR)
        home = os.getcwd()
        os.chdir(path("cwd"))
        open(path("child.ready"), "w").close()
        wait(home, "go", "check")
        if os.path.exists(os.path.join(home, "check." + JOB)):
            try:
                expect("content", os.pread(fd, 1 << 20, 0)[10:], self.data[10:])
                expect("the working directory", os.getcwd(), path("cwd"))
                expect("its mode", os.stat(".").st_mode & 0o7777, 0o701)
                print("child ok", flush=True)
            except Exception as e:
                print("child wrong:", e, flush=True)
            os._exit(0)
        os.pwrite(fd, b"by the child", 3000)
        os.chdir("/")
        os.rmdir(path("cwd"))
        open(path("child.changed"), "w").close()
        time.sleep(1000)

    def change(self):
        super().change()
        while not os.path.exists(path("child.changed")):
            time.sleep(0.05)


def wait(home, *words):
    while not any(os.path.exists(os.path.join(home, "%s.%s" % (word, JOB))) for word in words):
        time.sleep(0.05)


def all_cases():
    cases = [c() for c in Case.__subclasses__()]
    for c in cases:
        c.settle()
    while not os.path.exists(path("child.ready")):
        time.sleep(0.05)
    print("ready", flush=True)
    wait(".", "go", "check")
    if not os.path.exists("check." + JOB):
        for c in cases:
            c.change()
        print("changed", flush=True)
        time.sleep(1000)
    for c in cases:
        try:
            c.check()
            print(type(c).__name__, "ok", flush=True)
        except Exception as e:
            print(type(c).__name__, "wrong:", e, traceback.format_exc().splitlines()[-3].strip(), flush=True)
    os.wait()
    print("end", flush=True)


def one(size):
    # a start from the beginning takes another file
    name = path("one" + os.environ.get("SLURM_RESTART_COUNT", "0"))
    fd = os.open(name, os.O_RDWR | os.O_CREAT, 0o640)
    for _ in range(size >> 20):
        os.write(fd, b"a" * (1 << 20))
    os.write(fd, b"a" * (size & (1 << 20) - 1))
    print("ready", flush=True)
    wait(".", "go", "check")
    if not os.path.exists("check." + JOB):
        os.pwrite(fd, b"B", 0)
        os.pwrite(fd, b"longer", size)
        os.fchmod(fd, 0o600)
        print("changed", flush=True)
        time.sleep(1000)
    now = os.fstat(fd)
    print("size %d, mode %o, first %s, offset %d" % (now.st_size - size, now.st_mode & 0o777,
          os.pread(fd, 1, 0).decode(), os.lseek(fd, 0, os.SEEK_CUR) - size), flush=True)
    print("end", flush=True)


os.umask(0o022)
os.makedirs(TOP, exist_ok=True)
if len(sys.argv) == 3:
    one(int(sys.argv[2]))
else:
    all_cases()
