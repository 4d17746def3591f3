# SPDX-License-Identifier: GPL-2.0-or-later
"""beat.py - the benchmark's end of the file in which a workload stamps its life (beat.h)"""

import mmap

from node import BEATS, now, wait_for

FILL, TOUCH, SPREAD = 1, 2, 3


class Beat:
    # indices of 64 bit words
    COUNT, REAL, N_GAPS, N_TRACE, READY, SEQ, COMMAND, ARG, DONE = 1, 2, 4, 5, 7, 8, 9, 10, 11
    GAPS, TRACES = 1024, 65536
    GAP_AT, TRACE_AT = 64, 64 + 3 * 1024
    SIZE = 8 * (64 + 3 * 1024 + 2 * 65536)

    def __init__(self, name):
        BEATS.mkdir(exist_ok=True)
        BEATS.chmod(0o1777)
        self.path = BEATS / name
        self.ready_path = BEATS / f"{name}.ready"  # made by workloads that do not know the file
        self.ready_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        with open(self.path, "w+b") as f:
            f.truncate(self.SIZE)
            self.map = mmap.mmap(f.fileno(), self.SIZE)
        self.path.chmod(0o666)
        self.word = memoryview(self.map).cast("Q")

    def ready(self):
        return self.word[self.READY] == 1 or self.ready_path.exists()

    def alive(self):
        return self.word[self.COUNT] > 0 and now() - self.word[self.REAL] < 100e6

    def command(self, command, arg, wait=True):
        self.word[self.COMMAND] = command
        self.word[self.ARG] = arg
        self.word[self.SEQ] += 1
        if wait:
            self.wait()

    def wait(self):
        wait_for("the workload's answer", lambda: self.word[self.DONE] == self.word[self.SEQ])

    def gaps(self):
        """last stamp before, first after, length by the monotonic clock"""
        n = self.word[self.N_GAPS]
        for i in range(max(0, n - self.GAPS), n):
            at = self.GAP_AT + 3 * (i % self.GAPS)
            yield self.word[at], self.word[at + 1], self.word[at + 2]

    def freeze(self, since, until):
        """the longest gap that began in that time"""
        # on a busy machine the thread may not have run yet
        wait_for("a stamp", lambda: self.word[self.REAL] > until)
        found = [gap for gap in self.gaps() if since <= gap[0] <= until]
        if not found:
            raise RuntimeError("the program saw no freeze")
        return max(found, key=lambda gap: gap[2])

    def first_after(self, moment):
        """the first stamp after a moment when there was none: after a restore"""
        return next((gap[1] for gap in self.gaps() if gap[1] > moment), None)

    def work_rate(self, since, until):
        """units of work a second in that time, by the stamps next to its ends; None: it is too short to tell"""
        n = self.word[self.N_TRACE]
        first = last = None
        for i in range(max(0, n - self.TRACES), n):
            at = self.TRACE_AT + 2 * (i % self.TRACES)
            if since <= self.word[at] <= until:
                last = (self.word[at], self.word[at + 1])
                first = first or last
        if not first or last[0] - first[0] < 20e6:
            return None
        return (last[1] - first[1]) * 1e9 / (last[0] - first[0])
