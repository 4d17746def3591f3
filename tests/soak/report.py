# SPDX-License-Identifier: GPL-2.0-or-later
# report.py - what became of the jobs of a soak: compares each result, counts, and says so a line each, as
# tests/testbed check does
# usage: report.py DIR STORES. In DIR: jobs (NAME ID HOW STATE), events (TIME KIND WHAT...), left, run/NAME,
# run/NAME.alone; in STORES, ID/batch.0 is the job's store.
import datetime
import json
import os
import re
import sqlite3
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import series  # noqa: E402


class Wrong(Exception):
    pass


def text(*path):
    with open(os.path.join(*path), errors="replace") as f:
        return f.read()


def lines(*path):
    """Without what Slurm says when it ends a job."""
    return [line for line in text(*path).splitlines() if not line.startswith("slurmstepd-")]


def numbers(is_, function, what):
    for n, line in enumerate(is_):
        if line != str(function(n)):
            raise Wrong("%s: line %d is %.60r, not %d" % (what, n + 1, line, function(n)))


def count(run):
    out = lines(run, "out")
    if not out or out[-1] != "end":
        raise Wrong("out: no end, but %.60r after %d lines" % (out[-1:], len(out)))
    numbers(out[:-1], lambda n: n, "out")


def pipe(run):
    if lines(run, "out") != ["end"]:
        raise Wrong("out is %.60r" % lines(run, "out"))
    doubled, cubed = lines(run, "doubled"), lines(run, "cubed")
    numbers(doubled, lambda n: 2 * n, "doubled")
    numbers(cubed, lambda n: n ** 3, "cubed")
    if len(doubled) != len(cubed):
        raise Wrong("%d lines are doubled, %d cubed" % (len(doubled), len(cubed)))


def ledger(run):
    out = lines(run, "out")
    if not out or out[-1] != "end":
        raise Wrong("out: no end, but %.60r" % out[-1:])
    numbers(out[:-1], lambda n: n + 1, "out")
    db = sqlite3.connect(os.path.join(run, "books", "ledger.db"))
    state = db.execute("pragma integrity_check").fetchone()[0]
    if state != "ok":
        raise Wrong("the database: %s" % state)
    rows = db.execute("select n, text from rows order by n").fetchall()
    if rows != [(n, "%d " % n * 20) for n in range(len(out) - 1)]:
        raise Wrong("the database has other rows than the %d of out" % (len(out) - 1))


def series_(run):
    out = lines(run, "out")
    m = re.fullmatch(r"end (\d+)", out[0]) if len(out) == 1 else None
    if not m:
        raise Wrong("out is %.60r" % out)
    x, want = 1, [struct.pack("<QQ", int(m.group(1)), 0)]
    for n in range(1, int(m.group(1)) + 1):
        for _ in range(100):
            x = (x * series.A + series.C) % series.M
        want.append(struct.pack("<QQ", n, x))
    with open(os.path.join(run, "result"), "rb") as f:
        result = f.read()
    if result != b"".join(want):
        raise Wrong("result has %d bytes that are not the series up to %s" % (len(result), m.group(1)))


def hold(run):
    out = lines(run, "out")
    if len(out) != 2 or out[0] != "holding" or not out[1].startswith("intact, "):
        raise Wrong("out is %.200r" % out)


def alone(run):
    is_, want = lines(run, "out"), lines(run + ".alone", "out")
    if "end" not in want[-2:]:
        raise Wrong("the undisturbed run has no end: %.200r" % want[-2:])
    if is_ != want:
        at = next((n for n, (a, b) in enumerate(zip(is_, want)) if a != b), min(len(is_), len(want)))
        raise Wrong("out: line %d is %.80r, not %.80r" % (at + 1, is_[at:at + 1], want[at:at + 1]))


CHECKS = {"count": count, "pipe": pipe, "ledger": ledger, "series": series_, "hold": hold, "alone": alone}


# of a line in crinit.log; what was written when there was no room may be before it
STAMP = r"(\d{4}-\d\d-\d\dT[\d:.]+Z)"


def seconds(stamp):
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def written(*path):
    """The lines of a file that is perhaps not there: a job that never ran has none."""
    try:
        return text(*path).splitlines()
    except FileNotFoundError:
        return []


def restored(store):
    """(generation, when) of each restore that the journal tells."""
    for line in written(store, "journal.jsonl"):
        try:
            event = json.loads(line)
            if event["event"] == "restored":
                yield event["generation"], seconds(event["time"])
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # torn by a kill


# what an interruption is told with, after the moment and its kind (soak_event in testbed.d/soak.sh)
EVENTS = {
    "node": ("node",),
    "crinit": ("node", "job"),
    "worker": ("node", "job"),
    "writer": ("node", "job"),
    "reader": ("node", "job"),
    "criu": ("node", "job"),
    "requeue": ("job",),
    "vacate": ("job",),
    "preempt": ("nodes",),
    "full": ("seconds",),
}


class Event:
    """A line of events; Wrong when it does not tell all of it."""

    def __init__(self, line):
        at, kind, *what = line.split() + [""] * max(0, 2 - len(line.split()))
        if kind not in EVENTS or len(what) != len(EVENTS[kind]):
            raise Wrong("%.80r" % line)
        try:
            self.at = float(at)
        except ValueError:
            raise Wrong("%.80r" % line) from None
        self.kind, self.node, self.job = kind, None, None
        self.__dict__.update(zip(EVENTS[kind], what))


def read_events(is_):
    """The events, and the lines that are none."""
    events, bad = [], []
    for line in is_:
        try:
            events.append(Event(line))
        except Wrong as e:
            bad.append(str(e))
    return events, bad


def commits(store):
    """When each generation was committed, and on which node."""
    is_ = {}
    for line in written(store, "crinit.log"):
        m = re.search(STAMP + r" (\S+) info: generation (\d+) committed", line)
        if m:
            is_[int(m.group(3))] = (seconds(m.group(1)), m.group(2))
    return is_


def ends(store):
    """When crinit said that the job has ended on a node."""
    said = "\n".join(written(store, "crinit.log"))
    return [seconds(m.group(1)) for m in re.finditer(STAMP + r" \S+ info: the job ended", said)]


def lost(store, id_, events):
    """Seconds of work that each restore has lost: from the checkpoint to the interruption."""
    made, over = commits(store), ends(store)
    # crinit does not say it when it is killed
    kills = [(e.at, e.node) for e in events if e.kind == "node" or (e.kind == "crinit" and e.job == id_)]
    for generation, now in restored(store):
        if generation not in made:
            continue
        at, node = made[generation]
        stops = [t for t in over if at <= t < now] + [t for t, what in kills if at < t < now and what == node]
        yield max(0, min(stops) - at) if stops else 0


def verdict(good, what, why):
    print("ok    soak: " + what if good else "FAIL  soak: %s: %s" % (what, why))
    return good


def main(dir_, stores):
    # the state of a job that Slurm has forgotten is empty
    jobs = [(line.split() + ["unknown"])[:4] for line in text(dir_, "jobs").splitlines()]
    events, bad = read_events(text(dir_, "events").splitlines())
    all_restores, all_lost, generations, wrong, unended, anew, good = 0, [], 0, [], [], [], True
    for name, id_, how, state in jobs:
        store, run = os.path.join(stores, id_, "batch.0"), os.path.join(dir_, "run", name)
        restores = sum(1 for _ in restored(store))
        work = list(lost(store, id_, events))
        count_ = len(commits(store))
        why = "the same"
        if state != "COMPLETED":
            unended.append("%s (job %s) is %s" % (name, id_, state))
            why = "not compared"
        else:
            try:
                CHECKS[how](run)
            except (Wrong, OSError, sqlite3.Error) as e:
                why = str(e)
                wrong.append("%s (job %s): %s" % (name, id_, e))
        starts = len(written(run, "starts"))
        if starts != 1:
            anew.append("%s (job %s) %d times" % (name, id_, starts))
        print("      %-9s job %-3s %-10s generations %3d, restores %2d, work lost %5.1f s; result: %s" %
              (name, id_, state, count_, restores, sum(work), why))
        all_restores += restores
        all_lost += work
        generations += count_
    kinds = {}
    for event in events:
        kinds[event.kind] = kinds.get(event.kind, 0) + 1
    left = text(dir_, "left").splitlines()
    print("      interruptions: " + ", ".join("%s %d" % item for item in sorted(kinds.items())))
    print("      work lost: %.1f s in %d restores, at the most %.1f s" % (sum(all_lost), all_restores, max(all_lost, default=0)))
    good &= verdict(not bad, "each interruption is told whole", ", ".join(bad))
    good &= verdict(all_restores > 0, "%d interruptions, %d generations committed, %d restores" %
                    (sum(kinds.values()), generations, all_restores), "nothing was tried")
    good &= verdict(not unended, "%d jobs have ended" % len(jobs), "; ".join(unended))
    good &= verdict(not wrong, "wrong results: %d" % len(wrong), "; ".join(wrong))
    good &= verdict(not anew, "no job began anew", "; ".join(anew))
    good &= verdict(not left, "nothing is left on the nodes", "; ".join(left))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
