# SPDX-License-Identifier: GPL-2.0-or-later
"""job.py - a batch job with --checkpoint that runs a workload; there is one at a time"""

import json
import os
import re
import shutil

from beat import Beat
from node import BEATS, HERE, HOME, LOCAL, STORE, USER
from node import as_user, children, comm, milliseconds, now, pid_inside, program, run, stamp, started, text_of
from node import wait_for

OURS = ("crinit", "crhook", "crnotary")
LOGS = ("journal.jsonl", "crinit.log")
GIVEN_UP = ("restore-failed", "fresh", "unfit", "requeue", "held")
ENDED = ("FAILED", "COMPLETED", "CANCELLED", "OUT_OF_MEMORY", "NODE_FAIL", "TIMEOUT")


def crinit_pid():
    """pid 1 of the job's namespace"""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and comm(entry) == "crinit" and pid_inside(entry) == 1:
            return int(entry)
    return None


def files_below(path):
    """inode and size of what lies in the store, but the logs"""
    found = {}
    for directory, _, names in os.walk(path):
        for name in names:
            try:
                st = os.lstat(os.path.join(directory, name))
            except FileNotFoundError:
                continue
            if name not in LOGS:
                found[st.st_ino] = st.st_size
    return found


def grown(before, after):
    return sum(max(0, size - before.get(inode, 0)) for inode, size in after.items())


class Job:
    def __init__(self, argv, memory, options=()):
        """READY in argv is the file that the workload makes when it is ready; memory in MiB"""
        self.beat = Beat("job")
        argv = [a.replace("READY", str(self.beat.ready_path)) for a in argv]
        script = HERE / "job.sh"
        script.write_text(
            f"#!/bin/bash\nexport BENCH_BEAT={self.beat.path} LD_PRELOAD={HERE}/libbeat.so PYTHONHASHSEED=0\n"
            f"exec {' '.join(argv)}\n"
        )
        self.id = as_user(
            *("sbatch", "--parsable", "--checkpoint=1h", f"--mem={memory}", "--cpus-per-task=2", *options),
            *("-w", os.uname().nodename, "-o", "bench-%j.out", script),
        ).strip()
        wait_for(f"job {self.id}", lambda: self.check() or self.beat.ready())
        self.dir = STORE / self.id / "batch.0"
        self.generation = 0
        self.crinit = wait_for("crinit", crinit_pid)

    def check(self):
        state = self.state()
        if state in ENDED:
            raise RuntimeError(f"job {self.id} is {state}: {text_of(f'{HOME}/bench-{self.id}.out')[-2000:]}")

    def state(self):
        return re.search(r"JobState=(\S+)", run("scontrol", "--oneliner", "show", "job", self.id)).group(1)

    def create(self):
        """one checkpoint; what is known of it"""
        before = files_below(self.dir)
        began = now()
        as_user("scheckpoint", "create", self.id)
        ended = now()
        last = max(json.loads(as_user("scheckpoint", "list", self.id, "--json")), key=lambda g: g["generation"])
        if last["state"] != "committed" or last["generation"] <= self.generation:
            raise RuntimeError(f"job {self.id} has no new generation: {last}")
        self.generation = last["generation"]
        gap = self.beat.freeze(began, ended)
        committed = self.committed()
        return {
            "freeze_ms": milliseconds(gap[2]),
            "thaw": gap[1],
            "committed": committed,
            "manifest_freeze_ms": last["freeze_ms"],
            "manifest_drain_ms": last["drain_ms"],
            "image_bytes": last["image_bytes"],
            "manifest_stored_bytes": last["stored_bytes"],
            "stored_bytes": grown(before, files_below(self.dir)),
            "durable_ms": milliseconds(committed - gap[0]),
            "request_ms": milliseconds(committed - began),
        }

    def committed(self):
        """when crinit had the newest generation's commit behind it"""
        pattern = rf"^(\S+) .*generation {self.generation} committed"
        lines = re.findall(pattern, text_of(self.dir / "crinit.log"), re.M)
        if not lines:
            raise RuntimeError(f"crinit.log does not say when generation {self.generation} was committed")
        return stamp(lines[-1])

    def requeue_hold(self):
        """the last checkpoint, and the job is held"""
        run("scontrol", "requeuehold", self.id)
        wait_for("the last checkpoint", lambda: not self.beat.alive())
        wait_for("the job's end", lambda: self.state() not in ("RUNNING", "COMPLETING") and crinit_pid() is None)

    def release(self):
        """start the job again; its restore"""
        lines = len(self.journal())
        asked = now()
        run("scontrol", "release", self.id)
        event = wait_for("a restore", lambda: self.restored(lines))
        self.generation = event["generation"]
        self.crinit = wait_for("crinit", crinit_pid)
        first = wait_for("the first stamp", lambda: self.beat.first_after(asked))
        return {
            "restore_ms": milliseconds(first - (stamp(event["time"]) - event["ms"] * 1_000_000)),
            "journal_ms": event["ms"],
            "from_crinit_ms": milliseconds(first - started(self.crinit)),
        }

    def restored(self, lines):
        """the journal's event of a restore, after so many lines; None as long as it may still come"""
        for event in self.journal()[lines:]:
            if event["event"] == "restored":
                return event
            if event["event"] in GIVEN_UP:
                raise RuntimeError(f"job {self.id} was not restored: {event}")
        return None

    def journal(self):
        return [json.loads(line) for line in text_of(self.dir / "journal.jsonl").splitlines()]

    def plain(self):
        """plain criu images of the job's processes as they are now, and its private directories, in LOCAL/plain

        As the user, with the capabilities that crinit has: root may lack CAP_SYS_RESOURCE, without which criu
        cannot read the limits of another user's process.
        """
        images, work = LOCAL / "plain", BEATS / "plain"
        for path in (images, work):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
            shutil.chown(path, USER, USER)
        caps = "-all,+checkpoint_restore,+setpcap,+sys_ptrace"
        enter = ("nsenter", "-t", self.crinit, "-m", "-p", "-T")
        user = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
        root = next(pid for pid in children(self.crinit) if program(pid) not in ("", *OURS, "criu"))
        began = now()
        run(
            *(*enter, *user, f"--inh-caps={caps}", f"--ambient-caps={caps}"),
            *("criu", "dump", "-t", pid_inside(root), "-D", images, "-W", work, "--leave-running"),
            *("--unprivileged", "--manage-cgroups=ignore", "--network-lock", "skip", "--file-locks"),
            *("--ghost-limit", 64 << 20),
        )
        gap = self.beat.freeze(began, now())
        run(*enter, "tar", "-C", "/", "-cf", images / "private.tar", "tmp", "var/tmp", "dev/shm")
        return {"plain_freeze_ms": milliseconds(gap[2])}

    def end(self):
        run("scancel", self.id)
        wait_for("the job's end", lambda: self.state() in ENDED and crinit_pid() is None)
        shutil.rmtree(STORE / self.id, ignore_errors=True)
