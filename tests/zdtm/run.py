# SPDX-License-Identifier: GPL-2.0-or-later
# run.py - CRIU's own tests as jobs: started, vacated to the other node, told to end there, and asked for the result
# usage: run.py EXPECTED RESULTS [TEST...], on the login node, as a user; tests.sh is beside it. Exit status: 0 when all is
# as EXPECTED says.
#
# Which tests: those of test/zdtm/static that run on the host as it is (flavour h) and without root (no suid flag). First
# each is run undisturbed, in a job without checkpoints: those that start there are what is counted. Several of them make
# a job, and when not all goes well each is one.
import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import time

TESTS = "/usr/src/criu/test/zdtm/static"
WORK = os.path.expanduser("~/zdtm")
HERE = os.path.dirname(os.path.abspath(__file__))
NODES = ("n1", "n2")
AT_ONCE = int(os.environ.get("ZDTM_AT_ONCE", "6"))
TOGETHER = 8  # tests in a job
PATIENCE = 240  # seconds for each step
# these talk over the network, for which a user asks; and these hear what others say
NETWORK = re.compile(r"socket|sock_|sk-|packet|unbound")
ALONE = re.compile(r"packet|raw|icmp|broadcast|netlink")


# ---- what there is ----

Test = collections.namedtuple("Test", "name arguments")


def description(name):
    """The test's .desc: zdtm.py evaluates it, so that it is Python."""
    try:
        with open(os.path.join(TESTS, name + ".desc")) as f:
            return eval(f.read(), {"os": os}) or {}
    except (FileNotFoundError, SyntaxError):
        return {}


def rules():
    """The arguments of each test, from the rule that starts it in the tests' own Makefile."""
    database = subprocess.run(["make", "-pnr", "-C", TESTS, "start"], capture_output=True, text=True).stdout
    found, target = {}, None
    for line in database.splitlines():
        m = re.match(r"(\S+)\.pid:", line)
        if m:
            target = m.group(1)
        elif line.startswith("\t$(<D)/$(<F) --pidfile=") and target:
            words = line.replace("$(<D)/", "").replace("$@", target + ".pid").replace("$<", target).split()
            found[target] = words[3:]  # after the program, its pidfile and its outfile
        elif not line.startswith("#"):
            target = None
    return found


def selection(names):
    for name, arguments in sorted(rules().items()):
        desc = description(name)
        if "suid" in desc.get("flags", "").split() or "h" not in desc.get("flavor", "h ns uns").split():
            continue
        if (not names or name in names) and os.access(os.path.join(TESTS, name), os.X_OK):
            yield Test(name, arguments)


# ---- Slurm ----

def command(*words, **options):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
                          **options)


def submit(directory, script, *options):
    path = os.path.join(directory, "job.sh")
    with open(path, "w") as f:
        f.write("#!/bin/bash\n" + script)
    done = command("sbatch", "--parsable", "--oversubscribe", "--output=out", "--chdir=" + directory, *options, path)
    if done.returncode:
        raise RuntimeError("sbatch: " + done.stdout)
    return done.stdout.strip()


def job_state(job):
    words = command("squeue", "-h", "-t", "all", "-j", job, "-o", "%T %N").stdout.split()
    return words[0] if words else "gone", words[1] if len(words) > 1 else ""


def until(condition, patience=PATIENCE, pause=0.5):
    """What condition returns as soon as that is something, or None."""
    end = time.monotonic() + patience
    while True:
        found = condition()
        if found or time.monotonic() > end:
            return found or None
        time.sleep(pause)


def read(*path):
    try:
        with open(os.path.join(*path), errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def touch(*path):
    with open(os.path.join(*path), "w"):
        pass


def directory(kind, name):
    """A new one."""
    path = os.path.join(WORK, kind, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def prepare(kind, test):
    path = directory(kind, test.name)
    shutil.copy(os.path.join(TESTS, test.name), path)
    with open(os.path.join(path, "arguments"), "w") as f:
        print(*test.arguments, file=f)


def state(kind, test):
    return read(WORK, kind, test.name, "state").strip()


# ---- undisturbed ----

def plain(tests):
    """Each test's state after an undisturbed run, of which there is one as long as the cluster stands: nothing of ours is
    in it. On each node a job runs those that use the network, one after the other, since their ports are the same, and
    a second one the others."""
    jobs, shares = [], {}
    for i, test in enumerate(test for test in tests if state("plain", test) not in ("pass", "fail", "none")):
        prepare("plain", test)
        shares.setdefault((NODES[i % 2], bool(NETWORK.match(test.name))), []).append(test)
    for (node, _), share in shares.items():
        own = directory("plain", "job%d" % len(jobs))
        touch(own, "go")
        script = "".join("%s/tests.sh %s\n" % (HERE, test.name) for test in share)
        jobs.append(submit(own, script, "--nodelist=" + node, "--mem=500", "--job-name=zdtm-plain"))
    until(lambda: all(job_state(job)[0] not in ("PENDING", "RUNNING") for job in jobs), 1200, 2)
    if jobs:
        command("scancel", *jobs)
    return {test.name: state("plain", test) or "none" for test in tests}


# ---- in jobs that are vacated ----

class Failure(Exception):
    """Not so far: where it stopped, and why."""

    def __init__(self, verdict, why=""):
        super().__init__(verdict, why)
        self.verdict, self.why = verdict, why


class Job:
    """Some tests in a job that is vacated once."""

    def __init__(self, tests):
        self.tests, self.able = tests, ""
        for test in tests:
            prepare("job", test)
        own = directory("job", "job-" + tests[0].name)
        options = ["--checkpoint-net=private"] if any(NETWORK.match(test.name) for test in tests) else []
        self.directory = own
        self.id = submit(own, "exec %s/tests.sh %s\n" % (HERE, " ".join(test.name for test in tests)),
                         "--checkpoint=1h", "--mem=400", "--job-name=" + tests[0].name, *options)
        self.store = "/shared/checkpoints/%s/%s/batch.0" % (os.environ["USER"], self.id)

    def event(self, *names):
        """The last of these events in the journal."""
        found = None
        for line in read(self.store, "journal.jsonl").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event["event"] in names:
                found = event
        return found

    def run(self):
        if not until(lambda: all(state("job", test) for test in self.tests)):
            raise Failure("start")
        self.ask()
        done = command("scheckpoint", "vacate", "--to", self.other(), self.id, timeout=2 * PATIENCE)
        if done.returncode:
            raise Failure("dump" if self.end() else "dump, and it did not go on as it was",
                          line_of(done.stdout) + self.criu("dump"))
        event = until(lambda: self.event("restored", "restore-failed", "held", "gave-up"))
        if not event or event["event"] != "restored":
            raise Failure("restore", ((event or {}).get("text") or "not within %d s" % PATIENCE) + self.criu("restore"))
        self.end()

    def ask(self):
        try:
            answer = subprocess.run(["scheckpoint", "able", "--json", self.id], capture_output=True, timeout=PATIENCE)
            findings = json.loads(answer.stdout)["findings"]
            self.able = "; ".join(f.get("kind", "") + ": " + f["text"] for f in findings)
        except (ValueError, KeyError):
            self.able = "?"

    def other(self):
        return NODES[1 - NODES.index(job_state(self.id)[1])]

    def end(self):
        """Do all of them end well?"""
        touch(self.directory, "go")
        until(lambda: all(state("job", test) in ("pass", "fail") for test in self.tests), 60 + 30 * len(self.tests))
        if read(self.directory, "starts").count("\n") > 1:
            raise Failure("restore", "it began anew")
        return all(state("job", test) == "pass" for test in self.tests)

    def cancel(self):
        """It is over: nothing of it writes in the tests' directories any more."""
        command("scancel", self.id)
        until(lambda: job_state(self.id)[0] not in ("PENDING", "RUNNING", "COMPLETING"), pause=1)

    def criu(self, kind):
        errors = [line for line in read(self.store, "failed", kind + ".log").splitlines() if "Error" in line]
        return " | " + errors[0] if errors else ""


def line_of(text):
    """The last line that says something is wrong, or else the last."""
    lines = text.strip().splitlines()
    return ([line for line in lines if "FAIL" in line or "ERR" in line] or lines or [""])[-1]


class Result:
    def __init__(self, test, verdict, why, able):
        self.name, self.verdict, self.why, self.able = test.name, verdict, why, able


def output(kind, test):
    return line_of(read(WORK, kind, test.name, test.name + ".out") or
                   read(WORK, kind, test.name, test.name + ".out.inprogress"))


def vacated(tests):
    """The results of some tests, each of which was alone in a job unless all went well."""
    job = Job(tests)
    try:
        job.run()
        results = [verdict(test, job) for test in tests]
    except (Failure, ValueError, subprocess.TimeoutExpired) as error:
        results = [Result(test, getattr(error, "verdict", "runner"), getattr(error, "why", str(error)), job.able)
                   for test in tests]
    job.cancel()
    good = [result for result in results if not result.verdict]
    if len(tests) == 1:
        tell(results[0])
        return results
    print("ok   " + " ".join(result.name for result in good), flush=True)
    left = [test for test, result in zip(tests, results) if result.verdict]
    again = [[test] for test in left] if good else parts(left, results[0].why + job.able)
    return good + [result for part in again if part for result in vacated(part)]


def verdict(test, job):
    good = state("job", test) == "pass"
    return Result(test, None if good else "result", "" if good else output("job", test), job.able)


def parts(tests, why):
    """Those whose programs are named, alone, and the others; or else halves."""
    named = [test for test in tests if re.search(r"\b%s\b" % re.escape(test.name[:15]), why)]
    others = [test for test in tests if test not in named]
    if not named:
        half = len(tests) // 2
        return [tests[:half], tests[half:]]
    return [[test] for test in named] + ([others] if others else [])


def tell(result):
    print("ok   %s" % result.name if not result.verdict else
          "FAIL %s: %s: %s [%s]" % (result.name, result.verdict, result.why, result.able or "able"), flush=True)


def groups(tests, alone):
    """What a job each is made of. Tests that lie side by side are of one kind, and better apart."""
    kinds = {}
    for test in tests:
        kind = test.name if test.name in alone or ALONE.search(test.name) else bool(NETWORK.match(test.name))
        kinds.setdefault(kind, []).append(test)
    for share in kinds.values():
        jobs = -(-len(share) // TOGETHER)
        yield from (share[i::jobs] for i in range(jobs))


# ---- the results ----

def plainly(text):
    """Without what is another one each time: times, pids, numbers of jobs, descriptors and inodes."""
    text = re.sub(r"^\(\d+\.\d+\) +|\d\d:\d\d:\d\d\.\d+: *\d+: ", "", text.replace("\t", " "))
    text = re.sub(r"\(\d+\.\d+\) +(\d+: )?", "", text)
    return re.sub(r"\b(0x[0-9a-f]+|\d+)\b", "N", text)


def table(path):
    """NAME -> the verdict in a table of results."""
    rows = (line.split("\t") for line in read(path).splitlines() if line and not line.startswith("#"))
    return {row[0]: row[1] for row in rows if len(row) > 1}


def meant(result):
    """Is it refused, and is that what its authors expect?"""
    return result.verdict == "dump" and "crfail" in description(result.name).get("flags", "").split()


def write(path, states, failures, summary):
    with open(path, "w") as f:
        f.write("# CRIU's tests that do not pass as jobs that are vacated once: the test; how far it came; what able says;\n"
                "# why. (N: a number.) Made by tests/testbed zdtm, which compares the first two.\n# %s\n" % summary)
        for name in sorted(states):
            if states[name] == "none":
                f.write("%s\tnot started\n" % name)
        for is_ in sorted(failures, key=lambda is_: is_.name):
            f.write("\t".join([is_.name, is_.verdict, plainly(is_.able) or "-", plainly(is_.why) or "-"]) + "\n")


def compare(expected, found, names):
    """Prints what differs; true when nothing does."""
    same = True
    for name in sorted(set(expected) | set(found)):
        if name in names and expected.get(name) != found.get(name):
            same = False
            print("%s: %s, and not %s as expected" % (name, found.get(name, "passes"), expected.get(name, "pass")))
    return same


def undisturbed(tests):
    states = plain(tests)
    print("undisturbed: %d pass, %d start and do not pass, %d do not start" % tuple(
        sum(is_ == kind for is_ in states.values()) for kind in ("pass", "fail", "none")), flush=True)
    for test in tests:
        if states[test.name] != "pass":
            print("undisturbed: %s %s: %s" % (states[test.name], test.name, output("plain", test)))
    return states


def main(expected, results, *names):
    known = table(expected)
    tests = list(selection(names))
    unknown = set(names) - {test.name for test in tests}
    if unknown:
        sys.exit("no such test: " + " ".join(sorted(unknown)))
    began = time.monotonic()
    states = undisturbed(tests)
    started = [test for test in tests if states[test.name] != "none"]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        found = [result for part in pool.map(vacated, groups(started, known)) for result in part]
    failures = [result for result in found if result.verdict]
    summary = "%d of %d that start pass (%.1f %%); of the others %d do not pass undisturbed either, and %d are refused " \
        "as they are to be (crfail)" % (
            len(found) - len(failures), len(found), 100.0 * (len(found) - len(failures)) / max(len(found), 1),
            sum(states[is_.name] == "fail" for is_ in failures), sum(meant(is_) for is_ in failures))
    write(results, states, failures, summary)
    same = compare(known, table(results), {test.name for test in tests})
    print("%s; %d s" % (summary, time.monotonic() - began))
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
