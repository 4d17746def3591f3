# SPDX-License-Identifier: GPL-2.0-or-later
# test_report.py - report.py's own tests: what a soak leaves behind when it was interrupted at a bad moment
import contextlib
import io
import json
import os
import tempfile
import unittest

import report

STAMP = "2026-11-30T20:00:%02d.000Z"


class Soak:
    """The directories that report.py reads, with one job that is restored once."""

    def __init__(self, root):
        self.dir, self.stores = os.path.join(root, "soak"), os.path.join(root, "stores")
        self.write("jobs", "count 12 count COMPLETED\n")
        self.write("events", "")
        self.write("left", "")
        self.write("run/count/out", "0\n1\nend\n")
        self.write("run/count/starts", "started\n")
        store = os.path.join(self.stores, "12", "batch.0")
        self.write(store + "/crinit.log", STAMP % 10 + " n1 info: generation 2 committed\n")
        event = {"event": "restored", "generation": 2, "time": STAMP % 40, "restart": 1}
        self.write(store + "/journal.jsonl", json.dumps(event) + "\n")

    def write(self, path, text):
        path = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)

    def report(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            rc = report.main(self.dir, self.stores)
        return rc, out.getvalue()


class Report(unittest.TestCase):
    def setUp(self):
        root = tempfile.TemporaryDirectory()
        self.addCleanup(root.cleanup)
        self.soak = Soak(root.name)

    def killed(self, text):
        """events with a crinit that was killed on n1 at the 30th second, and TEXT"""
        at = report.seconds(STAMP % 30)
        self.soak.write("events", "%f crinit n1 12\n%s" % (at, text))

    def test_all_is_well(self):
        self.killed("1.5 node n2\n2.5 preempt nodelist=n1\n3 full 7\n4 requeue 12\n")
        rc, out = self.soak.report()
        self.assertEqual(rc, 0, out)
        self.assertIn("work lost: 20.0 s in 1 restores", out)
        self.assertIn("crinit 1, full 1, node 1, preempt 1, requeue 1", out)

    def test_event_without_a_node(self):
        self.killed("1.5 crinit 12\n")
        rc, out = self.soak.report()
        self.assertEqual(rc, 1)
        self.assertIn("FAIL  soak: each interruption is told whole: '1.5 crinit 12'", out)
        # the rest is judged all the same
        self.assertIn("ok    soak: wrong results: 0", out)
        self.assertIn("work lost: 20.0 s", out)

    def test_events_of_other_forms(self):
        for line in "", "1.5", "crinit", "1.5 earthquake n1", "x node n1", "1 node", "1 node n1 12", "1 full":
            self.assertEqual(len(report.read_events([line])[1]), 1, line)

    def test_every_kind(self):
        for kind, what in report.EVENTS.items():
            line = " ".join(["1.5", kind, *what])
            events, bad = report.read_events([line])
            self.assertEqual((len(events), bad), (1, []))

    def test_torn_journal(self):
        store = os.path.join(self.soak.stores, "12", "batch.0")
        for torn in '{"event": "restored"', "12", "null", '{"event": "restored"}', '{"event": "restored", "generation": 2}', "[1]":
            self.soak.write(store + "/journal.jsonl", torn + "\n")
            self.assertEqual(list(report.restored(store)), [], torn)

    def test_job_that_never_ran(self):
        self.soak.write("jobs", "count 12 count COMPLETED\ncount2 13 count\n")
        rc, out = self.soak.report()
        self.assertEqual(rc, 1)
        self.assertIn("count2 (job 13) is unknown", out)
        self.assertIn("count2 (job 13) 0 times", out)

    def test_wrong_result(self):
        self.soak.write("run/count/out", "0\n2\nend\n")
        self.assertIn("FAIL  soak: wrong results: 1", self.soak.report()[1])

    def test_left(self):
        self.soak.write("left", "n1, job 12: crinit\n")
        self.assertIn("FAIL  soak: nothing is left on the nodes: n1, job 12: crinit", self.soak.report()[1])


if __name__ == "__main__":
    unittest.main()
