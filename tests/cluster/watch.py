# SPDX-License-Identifier: GPL-2.0-or-later
# watch.py JOB STOP - as root on the job's node, until the file STOP is there: what the processes that checkpoint or
# restore the job take. One JSON object: for each name the most resident memory of one process (rss), of one mapping of it
# (biggest), the memory cgroup, the nice values of its threads; and for all of them together at one moment (sum).
import json, os, re, sys, time

OURS = {"crworker", "crwriter", "crreader", "criu", "crhook", "tar"}


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except (OSError, UnicodeDecodeError):
        return ""


def number(text, key):
    found = re.search(rf"^{key}:\s+(\d+) kB", text, re.M)
    return int(found[1]) * 1024 if found else 0


def workers(job):
    """pid: name of crinit's worker and its children; not what criu restores"""
    parents, names = {}, {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        stat = read(f"/proc/{pid}/stat")
        if stat:
            names[pid] = stat[stat.index("(") + 1:stat.rindex(")")]
            parents[pid] = stat[stat.rindex(")") + 2:].split()[1]
    found = {}
    for pid, name in names.items():
        if name == "crworker" and f"--job={job}\0" in read(f"/proc/{pid}/cmdline"):
            found[pid] = name
            found.update({p: names[p] for p in names if parents[p] == pid and names[p] in OURS})
    return found


def threads_nice(pid):
    try:
        return {int(read(f"/proc/{pid}/task/{t}/stat").rsplit(")", 1)[1].split()[16]) for t in os.listdir(f"/proc/{pid}/task")}
    except (OSError, IndexError):
        return set()


def watch(job, stop):
    seen, most = {}, 0
    while not os.path.exists(stop):
        total = 0
        for pid, name in workers(job).items():
            rss = number(read(f"/proc/{pid}/status"), "VmRSS")
            if not rss:
                continue  # a zombie, which has no cgroup either
            total += rss
            s = seen.setdefault(name, {"rss": 0, "biggest": 0, "cgroup": "", "nice": []})
            s["rss"] = max(s["rss"], rss)
            s["nice"] = sorted(set(s["nice"]) | threads_nice(pid))
            if name in ("crwriter", "crreader"):
                sizes = [int(n) * 1024 for n in re.findall(r"^Rss:\s+(\d+) kB", read(f"/proc/{pid}/smaps"), re.M)]
                s["biggest"] = max([s["biggest"], *sizes])
                groups = re.search(r"^\d+:(?:[^:\n]*\bmemory\b[^:\n]*|):(.*)$", read(f"/proc/{pid}/cgroup"), re.M)
                # one that ends is taken out of its cgroup first
                if groups and (groups[1] != "/" or not s["cgroup"]):
                    s["cgroup"] = groups[1]
        most = max(most, total)
        time.sleep(0.01)
    seen["sum"] = most
    print(json.dumps(seen))


watch(*sys.argv[1:])
