# SPDX-License-Identifier: GPL-2.0-or-later
"""peer.py - the same workload outside of Slurm, checkpointed by plain criu as root"""

import os
import shutil
import signal
import struct
import subprocess

from beat import Beat
from node import BEATS, ENV, HERE, LOCAL
from node import children, fsync, milliseconds, now, run, settle, wait_for

PID = 1000  # of the program, in its namespace
COPY = HERE / "peer"  # the images on the shared directory
CRIU = ("-W", BEATS, "--manage-cgroups=ignore")


class Peer:
    def __init__(self, argv):
        self.beat = Beat("peer")
        # env runs without the beat's thread, which is for the program alone
        program = f"env BENCH_BEAT={self.beat.path} LD_PRELOAD={HERE}/libbeat.so {' '.join(argv)}"
        first = f"echo {PID - 1} >/proc/sys/kernel/ns_last_pid; setsid {program} &"
        self.enter("sh", "-c", f"{first} exec tini -s -- sleep infinity")
        wait_for("the peer", self.beat.ready)

    def enter(self, *argv):
        """a command as the first process of a new pid and a new mount namespace"""
        self.outer = subprocess.Popen(
            # whatever ends us ends it
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--kill-child", "--pid", "--mount"]
            + ["--mount-proc", *map(str, argv)],
            **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL),
            env=ENV,
        )
        self.init = wait_for("the peer's namespace", lambda: next(iter(children(self.outer.pid)), None))

    def dump(self):
        """to the node's disk, copy to the shared directory, fsync"""
        images = LOCAL / "peer"
        shutil.rmtree(images, ignore_errors=True)
        shutil.rmtree(COPY, ignore_errors=True)
        images.mkdir(parents=True)
        settle()
        began = now()
        enter = ("nsenter", "-t", self.init, "-m", "-p")
        run(*enter, "criu", "dump", "-t", PID, "-D", images, *CRIU, "--leave-running")
        dumped = now()
        run("cp", "-r", images, COPY)
        for path in (*COPY.iterdir(), COPY, COPY.parent):
            fsync(path)
        ended = now()
        gap = self.beat.freeze(began, dumped)
        return {
            "freeze_ms": milliseconds(gap[2]),
            "criu_frozen_ms": frozen_ms(BEATS / "stats-dump"),
            "dump_ms": milliseconds(dumped - began),
            "request_ms": milliseconds(ended - began),
            "durable_ms": milliseconds(ended - gap[0]),
            "image_bytes": sum(path.stat().st_size for path in images.iterdir()),
        }

    def restore(self, cold):
        """from what dump copied to the shared directory, after cold(); the program must have ended"""
        images = LOCAL / "back"
        shutil.rmtree(images, ignore_errors=True)
        cold()
        # Slurm has run criu by the time that ours begins
        run("criu", "--version")
        began = now()
        run("cp", "-r", COPY, images)
        copied = now()
        self.enter("tini", "-s", "--", "criu", "restore", "-D", images, *CRIU)
        first = wait_for("the peer's restore", lambda: self.beat.first_after(began))
        return {"restore_ms": milliseconds(first - began), "copy_ms": milliseconds(copied - began)}

    def end(self):
        os.kill(self.init, signal.SIGKILL)
        self.outer.wait()
        wait_for("the peer's end", lambda: not self.beat.alive())


def frozen_ms(path):
    """of criu's statistics (its images/stats.proto: dump is field 1 of the entry, frozen_time field 2 of that)"""
    data = path.read_bytes()
    size = struct.unpack_from("<I", data, 8)[0]  # behind two magic words
    return message(message(data[12 : 12 + size])[1])[2] / 1000


def message(data):
    """a protobuf message of integers and messages, by field number"""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                return value

    while at < len(data):
        key = varint()
        number = varint()
        if key & 7 == 2:
            found[key >> 3] = data[at : at + number]
            at += number
        elif key & 7 == 0:
            found[key >> 3] = number
        else:
            raise ValueError(f"criu's statistics have a field of type {key & 7}")
    return found
