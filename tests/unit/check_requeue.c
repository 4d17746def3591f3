/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/init/requeue.h"

/* "scontrol --oneliner show job" of Slurm 24.11.5, as the testbed prints it */
#define LINE(head, requeue, state, nodes)                                                                         \
	head " UserId=alice(1001) GroupId=alice(1001) MCS_label=N/A Priority=1 Nice=0 Account=(null) QOS=(null) " \
	     "JobState=" state " Reason=None Dependency=(null) Requeue=" requeue " Restarts=1 BatchFlag=1 "       \
	     "Reboot=0 ExitCode=0:0 Partition=main AllocNode:Sid=n0:0 " nodes " NodeList=n2 BatchHost=n2\n"
#define NO_NODES "ReqNodeList=(null) ExcNodeList=(null)"

static struct requeue_facts facts;
static struct cr_error err;

START_TEST(plain)
{
	unit_assert_ok(requeue_read(LINE("JobId=3 JobName=x", "1", "RUNNING", NO_NODES), 3, &facts, &err), &err);
	ck_assert_str_eq(facts.name, "3");
	ck_assert_str_eq(facts.excluded, "");
	ck_assert_str_eq(facts.partition, "main");
	ck_assert_uint_eq(facts.restarts, 1);
	unit_assert_ok(
		requeue_read(LINE("JobId=3 JobName=x", "1", "RUNNING", "ReqNodeList=(null) ExcNodeList=n[4-6],n9"),
			     3, &facts, &err),
		&err);
	ck_assert_str_eq(facts.excluded, "n[4-6],n9");
}
END_TEST

START_TEST(arrays)
{
	/* the element that bears the array's number, and one that does not; what is pending shows as a range */
	static const char text[] = LINE("JobId=12 ArrayJobId=12 ArrayTaskId=7 JobName=x", "1", "RUNNING", NO_NODES)
		LINE("JobId=13 ArrayJobId=12 ArrayTaskId=3 JobName=x", "1", "RUNNING",
		     "ReqNodeList=(null) ExcNodeList=n1");

	unit_assert_ok(requeue_read(text, 12, &facts, &err), &err);
	ck_assert_str_eq(facts.name, "12_7");
	ck_assert_str_eq(facts.excluded, "");
	unit_assert_ok(requeue_read(text, 13, &facts, &err), &err);
	ck_assert_str_eq(facts.name, "12_3");
	ck_assert_str_eq(facts.excluded, "n1");
	ck_assert_int_eq(requeue_read(text, 1, &facts, &err), -1);
	unit_assert_error(&err, EPROTO, "scontrol shows no job 1");
}
END_TEST

START_TEST(not_to_be)
{
	ck_assert_int_eq(requeue_read(LINE("JobId=3 JobName=x", "0", "RUNNING", NO_NODES), 3, &facts, &err), -1);
	unit_assert_error(&err, ENOTSUP, "--no-requeue");
	ck_assert_int_eq(requeue_read(LINE("JobId=3 JobName=x", "1", "COMPLETING", NO_NODES), 3, &facts, &err),
			 -1);
	unit_assert_error(&err, ENOTSUP, "it is COMPLETING");
	ck_assert_int_eq(
		requeue_read(LINE("JobId=3 JobName=x", "1", "RUNNING", "ReqNodeList=n2 ExcNodeList=(null)"), 3,
			     &facts, &err),
		-1);
	unit_assert_error(&err, ENOTSUP, "--nodelist=n2");
	ck_assert_int_eq(
		requeue_read(LINE("JobId=3 HetJobId=3 HetJobOffset=0 JobName=x", "1", "RUNNING", NO_NODES), 3,
			     &facts, &err),
		-1);
	unit_assert_error(&err, ENOTSUP, "heterogeneous");
	ck_assert_int_eq(requeue_read("", 3, &facts, &err), -1);
	ck_assert_int_eq(requeue_read("slurm_load_jobs error: Invalid job id specified\n", 3, &facts, &err), -1);
}
END_TEST

START_TEST(elsewhere)
{
	ck_assert(requeue_elsewhere("n1\nn2\n", "n2\n"));
	ck_assert(requeue_elsewhere("n2 \nn1 \n", "n2\n"));
	ck_assert(requeue_elsewhere("n1", "n10\nn2"));
	ck_assert(!requeue_elsewhere("n1\nn2\n", "n2\nn1\n"));
	ck_assert(!requeue_elsewhere("n2\n", "n2"));
	ck_assert(!requeue_elsewhere("", "n2\n"));
	ck_assert(!requeue_elsewhere("\n\n", ""));
}
END_TEST

/* ---- the journal ---- */

static struct job job;

static void event(const char *name, const char *node)
{
	const struct cr_journal_event e = {.event = name, .node = node, .time = "2026-11-25T00:00:00Z", .ms = -1};

	unit_assert_ok(cr_journal_append(&job.store, &e, &err), &err);
}

START_TEST(past)
{
	(void)snprintf(job.store.dir, sizeof(job.store.dir), "%s", unit_dir);
	job.node = "n2";
	unit_assert_ok(requeue_past(&job, &err), &err);
	event("fresh", "n1");
	event("unfit", "n2"); /* what was found is not yet what was done */
	event("requeue", "n3");
	event("requeue", "n4");
	unit_assert_ok(requeue_past(&job, &err), &err);
	event("requeue", "n5");
	ck_assert_int_eq(requeue_past(&job, &err), -1);
	unit_assert_error(&err, ENOTSUP, "3 times in a row");
	/* it has run since */
	event("restored", "n1");
	unit_assert_ok(requeue_past(&job, &err), &err);
	event("requeue", "n2");
	event("requeue-failed", "n2");
	ck_assert_int_eq(requeue_past(&job, &err), -1);
	unit_assert_error(&err, ENOTSUP, "came back");
	/* here never again, however long ago it was */
	event("restored", "n1");
	ck_assert_int_eq(requeue_past(&job, &err), -1);
	job.node = "n6";
	unit_assert_ok(requeue_past(&job, &err), &err);
}
END_TEST

UNIT_MAIN("requeue", {plain, false}, {arrays, false}, {not_to_be, false}, {elsewhere, false}, {past, true})
