# SPDX-License-Identifier: GPL-2.0-or-later
"""store.py - what a checkpoint costs, against plain criu; runs as root on a compute node of the testbed

  store.py [--short] [--pairs N] [--mib N] [--small N] freeze|dump|restore|size|change|drain|memory

Prints JSON: rows for report.py, and all that was measured. What is measured, and between which moments:

The workloads (load.c, doubles.py, dictionary.py, Heap.java) carry a thread (beat.c) that stamps a file on a tmpfs
every half millisecond, from outside of all interpreters. A freeze is the longest time without a stamp between the
request and its end; its moments are of CLOCK_REALTIME, which no time namespace shifts, its length is of
CLOCK_MONOTONIC. Of a tree of processes the first one has that thread.

"Ours" is a batch job with --checkpoint, `scheckpoint create`, and `scontrol requeuehold` and `release` for a
restore. "The peer" is the same program started as root on the same node, in a pid and a mount namespace of its
own, outside of Slurm, with `criu dump --leave-running` to the node's own disk, `cp` to the shared directory and
fsync of each file there; `cp` back to the node's own disk and `criu restore`. It is the criu that ours runs, as
root, with its defaults.

freeze   of small jobs, and what it takes altogether
dump     both write all of the heap anew before each checkpoint: nothing of it is known from the one before
  R1     freeze / freeze
  R2     freeze / memcpy of as much memory, into memory that is there: the fastest of three, by a program of its
         own after each pair (copy.c)
  R6     ours: from the last stamp before the freeze to crinit's line that the generation is committed. The peer:
         from the last stamp before the freeze to the end of the last fsync of the copy on the shared directory
restore
  R5     ours: from the start of the restore in crinit (the journal's time less its ms) to the first stamp. The
         peer: from the start of cp to the first stamp. Before both: sync, and all caches of the machine dropped
size
  R3     what the store's directory grew by at a job's first checkpoint / oracle.c over plain criu images of the
         same processes made right after (job.py, plain), with a tar of the job's private directories
change
  R4     the same growth after a share of the heap was rewritten / `zstd -1` of plain images made right after
drain
  R7     work done by a program that computes in one thread, per time, from the first stamp after the freeze to the
         commit / the most that was done in the two seconds before any of the requests
memory   resident memory of each of our processes without its largest anonymous mapping, which is the staging pool:
         seen every 5 ms, and by the kernel's high-water mark; with a pool of 256 MiB, for images of several sizes

--short: one of everything, caches stay as they are and nothing warms up: it shows that there are figures.

In dump and restore one more pair comes first and is not counted: a virtual machine's memory is slow when it is
touched for the first time, whoever touches it.
"""

import argparse
import json
import sys
import time

from beat import FILL, SPREAD, TOUCH
from job import Job
from memory import Sampler
from node import HERE, LOCAL, drop_caches, milliseconds, now, others, run, say, settle
from peer import Peer

PARTS = ("freeze", "dump", "restore", "size", "change", "drain", "memory")
TREES = ("tree 1", "tree 32", "tree 128")
WORKLOADS = ("zero70", "random", "doubles", "stencil", *TREES, "files", "dictionary", "jvm")
CHANGES = (
    ("R4", TOUCH, 50, "5% changed"),
    ("", SPREAD, 50, "5% changed, by pages"),
    ("", TOUCH, 0, "nothing changed"),
    ("", TOUCH, 500, "50% changed"),
    ("", TOUCH, 1000, "all changed"),
)
POOL = 256  # MiB, where it is to be known
ROOM = 1024  # MiB of a job's limit beyond its heap and as much for a staging pool


def load(*argv):
    return [str(HERE / "load"), *map(str, argv)]


def workload(name, mib):
    kind, _, number = name.partition(" ")
    if kind in ("zero70", "random", "stencil"):
        return load(kind, mib)
    if kind == "tree":
        return load(kind, mib, number)
    return {
        "files": load("files", 64, 10000),
        "doubles": ["python3", str(HERE / "doubles.py"), "READY", str(mib)],
        "dictionary": ["python3", str(HERE / "dictionary.py"), "READY", str(2000 * mib)],
        "jvm": ["java", f"-Xmx{mib}m", "-cp", str(HERE), "Heap", "READY", str(2000 * mib)],
    }[kind]


def oracle():
    """bytes of the plain images: all, unique, the oracle's, by zstd -1"""
    names = ("plain_bytes", "unique_bytes", "oracle_bytes", "zstd1_bytes")
    return dict(zip(names, map(int, run(HERE / "oracle", LOCAL / "plain").split())))


class Bench:
    def __init__(self, options):
        self.pairs, self.mib, self.small = options.pairs, options.mib, options.small
        self.short = options.short
        self.rows, self.data = [], {}

    def row(self, name, what, values, reach=None, more_is_better=False):
        values = [round(value, 4) for value in values]
        self.rows.append(
            {"name": name, "what": what, "reach": reach, "more_is_better": more_is_better, "values": values}
        )

    def in_turn(self, ours, peer):
        """pairs of both, the first of a pair taking turns; the first pair warms up"""
        for i in range(1 if self.short else 0, self.pairs + 1):
            if i % 2:
                found = {"peer": peer()}
                found["ours"] = ours()
            else:
                found = {"ours": ours()}
                found["peer"] = peer()
            if i > 0:
                yield found

    def cold(self):
        if not self.short:
            drop_caches()

    def ratio(self, name, what, data, key, reach):
        self.row(name, what, [d["ours"][key] / d["peer"][key] for d in data], reach)

    def freeze(self):
        data = self.data["freeze"] = {}
        for mib in (16, 256):
            data[mib] = []
            job = Job(load("random", mib), 2 * mib + ROOM)
            for i in range(self.pairs):
                job.beat.command(FILL, i + 1)
                settle()
                data[mib].append(job.create())
                say(f"freeze: {mib} MiB: {json.dumps(data[mib][-1])}")
            job.end()
            self.row("", f"freeze, random, {mib} MiB, ms", [d["freeze_ms"] for d in data[mib]])
            self.row("", "  from the command to durable, ms", [d["request_ms"] for d in data[mib]])

    def dump(self):
        job = Job(load("random", self.mib), 2 * self.mib + ROOM)
        peer = Peer(load("random", self.mib))
        data = self.data["dump"] = []
        seeds = iter(range(1, 1 << 20))

        def ours():
            job.beat.command(FILL, next(seeds))
            settle()
            return job.create()

        def theirs():
            peer.beat.command(FILL, next(seeds))
            return peer.dump()

        for pair in self.in_turn(ours, theirs):
            settle()
            data.append(dict(pair, memcpy_ms=float(run(HERE / "copy", self.mib))))
            say(f"dump: {json.dumps(data[-1])}")
        peer.end()
        job.end()
        self.dump_rows(data)

    def dump_rows(self, data):
        self.ratio("R1", f"freeze / plain criu's, random, {self.mib} MiB", data, "freeze_ms", 0.35)
        ratios = [d["ours"]["freeze_ms"] / d["memcpy_ms"] for d in data]
        self.row("R2", f"freeze / memcpy of {self.mib} MiB", ratios, 3)
        self.ratio("R6", "time to durable / criu dump, cp, fsync", data, "durable_ms", 0.7)
        self.ratio("", "  the same, from the start of the command", data, "request_ms", None)
        for key, what in (("freeze", "freeze"), ("durable", "time to durable"), ("request", "command to durable")):
            for who in ("ours", "peer"):
                self.row("", f"  {what}, ms: {who}", [d[who][f"{key}_ms"] for d in data])
        self.row("", "  memcpy, ms", [d["memcpy_ms"] for d in data])
        differences = [d["ours"]["manifest_freeze_ms"] - d["ours"]["freeze_ms"] for d in data]
        self.row("", "  manifest's freeze_ms - the program's, ms", differences)
        differences = [d["peer"]["criu_frozen_ms"] - d["peer"]["freeze_ms"] for d in data]
        self.row("", "  peer: criu's frozen_time - the program's, ms", differences)

    def restore(self):
        peer = Peer(load("random", self.mib))
        peer.dump()
        peer.end()
        job = Job(load("random", self.mib), 2 * self.mib + ROOM)
        data = self.data["restore"] = []

        def ours():
            job.requeue_hold()
            settle()
            self.cold()
            return job.release()

        def theirs():
            found = peer.restore(self.cold)
            peer.end()
            return found

        for pair in self.in_turn(ours, theirs):
            data.append(pair)
            say(f"restore: {json.dumps(pair)}")
        job.end()
        self.ratio("R5", "restore / cp back and criu restore, cold", data, "restore_ms", 0.6)
        for who in ("ours", "peer"):
            self.row("", f"  restore to the first stamp, ms: {who}", [d[who]["restore_ms"] for d in data])
        self.row("", "  the same of ours, from the start of pid 1", [d["ours"]["from_crinit_ms"] for d in data])

    def size(self):
        data = self.data["size"] = {name: [] for name in WORKLOADS}
        for _ in range(self.pairs):
            for name in WORKLOADS:
                job = Job(workload(name, self.small), 2 * self.small + 2 * ROOM)
                settle()
                found = job.create()
                found |= job.plain() | oracle()
                job.end()
                data[name].append(found)
                say(f"size: {name}: {json.dumps(found)}")
        for name in WORKLOADS:
            ratios = [d["stored_bytes"] / d["oracle_bytes"] for d in data[name]]
            self.row("R3", f"bytes stored / oracle, {name}", ratios, 1.15)
        for name in WORKLOADS:
            ratios = [d["freeze_ms"] / d["plain_freeze_ms"] for d in data[name]]
            self.row("", f"  freeze / plain criu's, {name}", ratios)
        everything = [d for name in WORKLOADS for d in data[name]]
        ratios = [d["manifest_stored_bytes"] / d["stored_bytes"] for d in everything]
        self.row("", "  manifest's stored_bytes / what the directory grew by", ratios)

    def change(self):
        data = self.data["change"] = {}
        job = Job(load("stencil", self.small), 2 * self.small + ROOM)
        job.create()
        for name, command, thousandths, what in CHANGES:
            data[what] = []
            for _ in range(self.pairs if name or self.short else 2):
                job.beat.command(command, thousandths)
                settle()
                found = job.create()
                found |= job.plain() | oracle()
                data[what].append(found)
                say(f"change: {what}: {json.dumps(found)}")
            ratios = [d["stored_bytes"] / d["zstd1_bytes"] for d in data[what]]
            self.row(name, f"bytes stored / zstd -1 of all, {what}", ratios, 0.10 if name else None)
            self.row("", "  freeze / plain criu's", [d["freeze_ms"] / d["plain_freeze_ms"] for d in data[what]])
        job.end()

    def drain(self):
        job = Job(load("busy", self.mib), 2 * self.mib + ROOM)
        data = self.data["drain"] = []
        for i in range(self.pairs):
            job.beat.command(FILL, i + 1)
            settle(computing=1)
            since = now()
            time.sleep(2)
            idle = job.beat.work_rate(since, now())
            found = job.create()
            found |= {"idle": idle, "draining": job.beat.work_rate(found["thaw"], found["committed"])}
            data.append(found)
            say(f"drain: {json.dumps(found)}")
        job.end()
        if all(d["draining"] for d in data):
            fastest = max(d["idle"] for d in data)
            ratios = [d["draining"] / fastest for d in data]
            self.row("R7", "throughput while it drains / before", ratios, 0.9, more_is_better=True)
        else:
            say("drain: it is over before it can be seen: R7 is not measured")
        self.row("", "  from the thaw to the commit, ms", [milliseconds(d["committed"] - d["thaw"]) for d in data])
        self.row("", "  before, units a second", [d["idle"] for d in data])

    def memory(self):
        self.data["memory"] = {}
        for mib in (self.mib,) if self.short else (256, self.mib, 2 * self.mib):
            job = Job(load("random", mib), mib + POOL + ROOM, (f"--checkpoint-pool={POOL}M",))
            settle()
            self.memory_row(f"dump, {mib} MiB", job, job.create)
            job.requeue_hold()
            self.memory_row(f"restore, {mib} MiB", job, job.release)
            job.end()

    def memory_row(self, what, job, act):
        sampler = Sampler(job)
        sampler.start()
        act()
        found = self.data["memory"][what] = sampler.result()
        say(f"memory: {what}: {json.dumps(found)}")
        ours = {name: values for name, values in found.items() if name != "criu"}
        if len(ours) < 2:
            raise RuntimeError(f"{what}: nothing but {list(ours)} was seen")
        name = max(ours, key=lambda n: ours[n]["beyond"])
        self.row("mem", f"MiB beyond the pool, {what}: {name}", [ours[name]["beyond"]], 64)
        values = ours[name]
        self.row("", f"  pool {values['pool']}, RssFile {values['RssFile']}; RssAnon", [values["RssAnon"]])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--small", type=int, default=512)
    parser.add_argument("part", choices=PARTS)
    options = parser.parse_args()
    bench = Bench(options)
    LOCAL.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    getattr(bench, options.part)()
    sizes = {"pairs": options.pairs, "large_mib": options.mib, "small_mib": options.small}
    sizes["others"] = [round(busy, 2) for busy in others]
    sizes["seconds"] = round(time.monotonic() - began, 1)
    json.dump({**sizes, "rows": bench.rows, "data": bench.data[options.part]}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
