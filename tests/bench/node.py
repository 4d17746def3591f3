# SPDX-License-Identifier: GPL-2.0-or-later
"""node.py - the compute node that the benchmark runs on: paths, commands, processes, clocks and caches"""

import os
import pathlib
import re
import subprocess
import sys
import time
from datetime import datetime

HERE = pathlib.Path("/shared/bench")
LOCAL = pathlib.Path("/var/lib/bench")  # the node's own disk
BEATS = pathlib.Path("/run/bench")  # a tmpfs: no write-back and no journal stops who writes there
STORE = pathlib.Path("/shared/checkpoints/alice")
USER = "alice"
HOME = "/shared/home/alice"
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}
PATIENCE = 120


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def run(*argv, check=True, **more):
    """a command to its end; what it wrote to stdout"""
    argv = [str(a) for a in argv]
    done = subprocess.run(argv, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: status {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def as_user(*argv):
    return run("setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--", *argv, cwd=HOME)


def wait_for(what, condition, seconds=PATIENCE, step=0.02):
    """until the condition holds; its value"""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: nothing after {seconds} s")
        time.sleep(step)
    return value


def now():
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


def stamp(text):
    """a time of RFC 3339 in ns"""
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e6) * 1000


def milliseconds(ns):
    return round(ns / 1e6, 3)


others = []  # processors that others kept busy while we did nothing


def processors_idle():
    """processor time idle or waiting for storage since the machine's start, in s"""
    words = text_of("/proc/stat").split("\n", 1)[0].split()
    return (int(words[4]) + int(words[5])) / os.sysconf("SC_CLK_TCK")


def settle(computing=0):
    """no write-back of what was before in what comes next; computing: threads of our own that compute meanwhile"""
    os.sync()
    since, idle = time.monotonic(), processors_idle()
    time.sleep(0.3)
    others.append(os.cpu_count() - computing - (processors_idle() - idle) / (time.monotonic() - since))


def drop_caches():
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")


def fsync(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def text_of(path):
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


# ---- processes ----


def comm(pid):
    return text_of(f"/proc/{pid}/comm").strip()


def program(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""


def pid_inside(pid):
    """the pid that it has in its own namespace"""
    found = re.search(r"^NSpid:.*\s(\d+)$", text_of(f"/proc/{pid}/status"), re.M)
    return found and int(found.group(1))


def children(pid):
    found = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        found += [int(p) for p in text_of(f"/proc/{pid}/task/{thread}/children").split()]
    return found


def started(pid):
    """when a process was started, as now(); to 10 ms"""
    stat = text_of(f"/proc/{pid}/stat")
    ticks = int(stat[stat.rindex(")") + 2 :].split()[19])
    boot = now() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return boot + ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
