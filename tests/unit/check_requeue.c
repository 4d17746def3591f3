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
	ck_assert_str_eq(facts.wish.partitions, "main");
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

/* To be held it need not be able to go elsewhere. */
START_TEST(to_be_held)
{
	unit_assert_ok(requeue_may(LINE("JobId=3 JobName=x", "1", "RUNNING", "ReqNodeList=n2 ExcNodeList=(null)"),
				   3, &facts, &err),
		       &err);
	ck_assert_str_eq(facts.name, "3");
	ck_assert_uint_eq(facts.restarts, 1);
	ck_assert_str_eq(facts.comment, "");
	unit_assert_ok(requeue_may(LINE("JobId=3 JobName=x", "1", "RUNNING", NO_NODES " Comment=mine, all mine"),
				   3, &facts, &err),
		       &err);
	ck_assert_str_eq(facts.comment, "mine,");
	ck_assert_int_eq(requeue_may(LINE("JobId=3 JobName=x", "0", "RUNNING", NO_NODES), 3, &facts, &err), -1);
	unit_assert_error(&err, ENOTSUP, "--no-requeue");
	ck_assert_int_eq(requeue_may(LINE("JobId=3 JobName=x", "1", "COMPLETING", NO_NODES), 3, &facts, &err), -1);
	unit_assert_error(&err, ENOTSUP, "it is COMPLETING");
	ck_assert_int_eq(requeue_may("", 3, &facts, &err), -1);
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
		requeue_read(LINE("JobId=3 HetJobId=3 HetJobOffset=0 JobName=x", "1", "RUNNING", NO_NODES), 3,
			     &facts, &err),
		-1);
	unit_assert_error(&err, ENOTSUP, "heterogeneous");
	ck_assert_int_eq(requeue_read("", 3, &facts, &err), -1);
	ck_assert_int_eq(requeue_read("slurm_load_jobs error: Invalid job id specified\n", 3, &facts, &err), -1);
}
END_TEST

START_TEST(nodes_that_it_wants)
{
	struct moved moved = {0};

	unit_assert_ok(requeue_read(LINE("JobId=3 JobName=x", "1", "RUNNING", NO_NODES), 3, &facts, &err), &err);
	unit_assert_ok(requeue_wanted(&facts, &moved, &err), &err);
	unit_assert_ok(requeue_read(LINE("JobId=3 JobName=x", "1", "RUNNING", "ReqNodeList=n2 ExcNodeList=(null)"),
				    3, &facts, &err),
		       &err);
	ck_assert_int_eq(requeue_wanted(&facts, &moved, &err), -1);
	unit_assert_error(&err, ENOTSUP, "--nodelist=n2");
	/* it was sent there, and wants nothing itself */
	ck_assert_int_eq(moved_set(&moved, "n2", NULL), 0);
	unit_assert_ok(requeue_wanted(&facts, &moved, &err), &err);
	/* it was sent elsewhere, and has changed its mind since */
	ck_assert_int_eq(moved_set(&moved, "n3", NULL), 0);
	ck_assert_int_eq(requeue_wanted(&facts, &moved, &err), -1);
}
END_TEST

static bool elsewhere(const char *nodes, const char *gone)
{
	return elsewhere_is(&facts.wish, nodes, gone);
}

START_TEST(nodes_that_are_left)
{
	memset(&facts, 0, sizeof(facts));
	(void)strcpy(facts.wish.partitions, "main,long");
	ck_assert(elsewhere("main n1 idle (null) (null)\nmain n2 idle (null) (null)\n", "n2\n"));
	ck_assert(elsewhere("main n2 idle (null) (null)\nmain n1 allocated a,b gpu:1", "n2\n"));
	ck_assert(elsewhere("main n1 mixed- (null) (null)", "n10\nn2"));
	ck_assert(!elsewhere("main n1 idle (null) (null)\nmain n2 idle (null) (null)\n", "n2\nn1\n"));
	ck_assert(!elsewhere("main n2 idle (null) (null)\n", "n2"));
	ck_assert(elsewhere("long n1 idle (null) (null)\n", "n2"));
	ck_assert(!elsewhere("mai n1 idle (null) (null)\nother n1 idle (null) (null)\n", "n2"));
	ck_assert(!elsewhere("", "n2\n"));
	ck_assert(!elsewhere("\n\n", ""));
}
END_TEST

START_TEST(nodes_that_cannot_be_had)
{
	static const char *const states[] = {"down",	 "down*", "drained", "draining", "idle*",
					     "drained*", "fail",  "unknown", "future",	 "maint"};
	static const char *const good[] = {"idle",  "idle~",	  "allocated", "allocated+",
					   "mixed", "completing", "planned",   "reserved"};
	char nodes[128];

	memset(&facts, 0, sizeof(facts));
	(void)strcpy(facts.wish.partitions, "main,long");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		(void)snprintf(nodes, sizeof(nodes), "main n1 %s (null) (null)\nmain n2 idle (null) (null)\n",
			       states[i]);
		ck_assert_msg(!elsewhere(nodes, "n2\n"), "%s", states[i]);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(nodes, sizeof(nodes), "main n1 %s (null) (null)\n", good[i]);
		ck_assert_msg(elsewhere(nodes, "n2\n"), "%s", good[i]);
	}
}
END_TEST

/* The job's line with more in it. */
static int wish_read(const char *more)
{
	char line[2048];

	(void)snprintf(line, sizeof(line), "%.*s %s\n",
		       (int)strlen(LINE("JobId=3 JobName=x", "1", "RUNNING", NO_NODES)) - 1,
		       LINE("JobId=3 JobName=x", "1", "RUNNING", NO_NODES), more);
	return requeue_read(line, 3, &facts, &err);
}

START_TEST(what_the_job_asks_for)
{
	unit_assert_ok(wish_read("Features=(null) DelayBoot=00:00:00"), &err);
	ck_assert(elsewhere("main n1 idle (null) (null)", "n2"));
	unit_assert_ok(wish_read("Features=avx2&ib DelayBoot=00:00:00"), &err);
	ck_assert(elsewhere("main n1 idle ib,x,avx2 (null)", "n2"));
	ck_assert(!elsewhere("main n1 idle ib,avx (null)", "n2"));
	ck_assert(!elsewhere("main n1 idle (null) (null)", "n2"));
	unit_assert_ok(wish_read("Features=(null) TresPerTask=cpu=2 TresPerNode=gres/gpu:a100:2,gres/nvme:1"),
		       &err);
	ck_assert(elsewhere("main n1 idle (null) nvme:4,gpu:a100:4(S:0-1)", "n2"));
	ck_assert(!elsewhere("main n1 idle (null) gpu:a100:4(S:0-1)", "n2"));
	ck_assert(!elsewhere("main n1 idle (null) nvme:4,gpu:a1000:4", "n2"));
	unit_assert_ok(wish_read("TresPerNode=gres/gpu:2"), &err);
	ck_assert(elsewhere("main n1 idle (null) gpu:h100:8", "n2"));
	unit_assert_ok(wish_read("TresPerJob=gres:gpu"), &err);
	ck_assert(elsewhere("main n1 idle (null) gpu", "n2"));
	ck_assert(!elsewhere("main n1 idle (null) (null)", "n2"));
	/* what cannot be judged */
	ck_assert_int_eq(wish_read("Features=[a|b] DelayBoot=00:00:00"), -1);
	unit_assert_error(&err, ENOTSUP, "--constraint=[a|b] leaves it open");
	ck_assert_int_eq(wish_read("Reservation=maint_7"), -1);
	unit_assert_error(&err, ENOTSUP, "in a reservation");
}
END_TEST

START_TEST(silence_is_no_refusal)
{
	cr_error_set(&err, EIO, "slurm_load_jobs error: Unable to contact slurm controller (connect failure)");
	ck_assert(requeue_unanswered(&err));
	cr_error_set(&err, EIO, "slurm_load_jobs error: Socket timed out on send/recv operation");
	ck_assert(requeue_unanswered(&err));
	cr_error_set(&err, ETIMEDOUT, "/usr/bin/scontrol did not answer within 15000 ms");
	ck_assert(requeue_unanswered(&err));
	cr_error_set(&err, EIO, "Requested operation is presently disabled for job 3");
	ck_assert(!requeue_unanswered(&err));
	cr_error_set(&err, EIO, "slurm_load_jobs error: Invalid job id specified");
	ck_assert(!requeue_unanswered(&err));
}
END_TEST

/* ---- the journal ---- */

static struct job job;

static void event(const char *name, const char *node)
{
	const struct cr_journal_event e = {.event = name, .node = node, .time = "2026-11-25T00:00:00Z", .ms = -1};

	unit_assert_ok(cr_journal_append(&job.store, &e, &err), &err);
}

static void moved_event(const char *name, const char *to, const char *was)
{
	const struct cr_journal_event e = {
		.event = name, .node = "n1", .time = "2026-11-25T00:00:00Z", .text = to, .reason = was, .ms = -1};

	unit_assert_ok(cr_journal_append(&job.store, &e, &err), &err);
}

START_TEST(moved)
{
	static const char *const bad[] = {"", "-n2", "n2 n3", "n[1-2]", "n2;id", "n2\n", "n2,n3"};
	struct moved m;

	job.node = "n1";
	(void)snprintf(job.store.dir, sizeof(job.store.dir), "%s", unit_dir);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(moved_set(&m, bad[i], NULL) == -1 && !*m.to, "%s", bad[i]);
	ck_assert_int_eq(moved_set(&m, "n2", "n1 n3"), -1);
	ck_assert_int_eq(moved_set(&m, NULL, "n1"), -1);
	unit_assert_ok(moved_read(&job, &m, &err), &err);
	ck_assert_str_eq(m.to, "");
	moved_event("fresh", NULL, NULL);
	moved_event("moved", "n2", "n[1,4-6]");
	moved_event("restored", NULL, NULL);
	unit_assert_ok(moved_read(&job, &m, &err), &err);
	ck_assert_str_eq(m.to, "n2");
	ck_assert_str_eq(m.was, "n[1,4-6]");
	/* sent on before anything took that back: what it had asked for itself stays known */
	ck_assert_int_eq(moved_set(&job.moving, "n3", "n2"), 0);
	moved_note(&job, 1);
	unit_assert_ok(moved_read(&job, &m, &err), &err);
	ck_assert_str_eq(m.to, "n3");
	ck_assert_str_eq(m.was, "n[1,4-6]");
	moved_released(&job);
	unit_assert_ok(moved_read(&job, &m, &err), &err);
	ck_assert_str_eq(m.to, "");
	moved_note(&job, 2);
	unit_assert_ok(moved_read(&job, &m, &err), &err);
	ck_assert_str_eq(m.was, "n2");
	/* a line of the user's own */
	moved_event("moved", "n2 State=DOWN", NULL);
	unit_assert_ok(moved_read(&job, &m, &err), &err);
	ck_assert_str_eq(m.to, "");
}
END_TEST

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

UNIT_MAIN("requeue", {plain, false}, {arrays, false}, {not_to_be, false}, {to_be_held, false},
	  {nodes_that_are_left, false}, {nodes_that_cannot_be_had, false}, {what_the_job_asks_for, false},
	  {silence_is_no_refusal, false}, {past, true}, {moved, true}, {nodes_that_it_wants, false})
