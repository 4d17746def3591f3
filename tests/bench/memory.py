# SPDX-License-Identifier: GPL-2.0-or-later
"""memory.py - how much memory crinit and what it starts take, but for the job itself: sampled while they live"""

import re
import threading
import time

from job import OURS, crinit_pid
from node import children, comm, program, text_of

PERIOD = 0.005
KEYS = ("VmHWM", "RssAnon", "RssFile", "RssShmem")


def mapping_kib(pid):
    """resident part of the largest anonymous mapping: the staging pool, in a process that has one"""
    largest = 0
    for text in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text_of(f"/proc/{pid}/smaps"), flags=re.M):
        head = text.split("\n", 1)[0].split()
        rss = re.search(r"^Rss:\s+(\d+)", text, re.M)
        if rss and len(head) == 5:
            largest = max(largest, int(rss.group(1)))
    return largest


class Sampler(threading.Thread):
    def __init__(self, job):
        super().__init__(daemon=True)
        self.job, self.over, self.seen = job, False, {}
        self.crinit = job.crinit

    def run(self):
        while not self.over:
            if not comm(self.crinit):
                self.crinit = crinit_pid() or self.crinit
            self.sample(self.crinit)
            time.sleep(PERIOD)

    def sample(self, crinit):
        queue = [crinit]
        while queue:
            pid = queue.pop()
            name = program(pid)
            if name in OURS:
                queue += children(pid)
                self.note(comm(pid), pid)  # crinit's workers give themselves names
            elif name == "criu":
                self.note(name, pid)

    def note(self, name, pid):
        found = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text_of(f"/proc/{pid}/status"), re.M))
        if "VmHWM" not in found:
            return
        values = {key: int(found[key]) for key in KEYS}
        values["pool"] = mapping_kib(pid) if values["RssAnon"] > 8192 and name != "criu" else 0
        values["beyond"] = values["RssAnon"] + values["RssFile"] + values["RssShmem"] - values["pool"]
        best = self.seen.setdefault((name, pid), {})
        for key, value in values.items():
            best[key] = max(best.get(key, 0), value)

    def result(self):
        """by kind of process, the largest of each in MiB; beyond: all that was resident but the largest mapping,
        and no less than the kernel's own high-water mark says"""
        self.over = True
        self.join()
        found = {}
        for (name, _), values in self.seen.items():
            values["beyond"] = max(values["beyond"], values["VmHWM"] - values["pool"])
            into = found.setdefault(name, {"processes": 0})
            into["processes"] += 1
            for key, kib in values.items():
                into[key] = max(into.get(key, 0), round(kib / 1024, 1))
        return found
