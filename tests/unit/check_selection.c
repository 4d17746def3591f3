/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <signal.h>

#include "../../spank_cr/cli/crew.h"
#include "../../spank_cr/cli/drain.h"
#include "../../spank_cr/cli/job.h"
#include "../../spank_cr/cli/move.h"
#include "../../spank_cr/cli/selection.h"

#define ALICE 1001
#define BOB   1002

/* an array of which the last task bears the array's number and one waits, and others' jobs */
#define QUEUE                                                                                                     \
	"4|4|N/A|1001|alice|RUNNING\n"                                                                            \
	"7|6|1|1001|alice|RUNNING\n"                                                                              \
	"8|6|2|1001|alice|PENDING\n"                                                                              \
	"6|6|3|1001|alice|SUSPENDED\n"                                                                            \
	"9|9|N/A|1002|bob|RUNNING\n"                                                                              \
	"10|10|N/A|1001|alice|COMPLETED\n"                                                                        \
	"11|11|4-9%2|1002|bob|PENDING\n"

static struct selection s;
static struct selection_wish wish;
static struct target targets[8];
static struct cr_error err;

/* The caller with uid names these jobs, up to the first NULL. */
static void choose(uid_t uid, const char *const *names)
{
	char text[] = QUEUE;

	selection_clear(&s);
	wish.targets = targets;
	wish.n_targets = 0;
	for (; *names; names++)
		unit_assert_ok(target_parse(*names, &targets[wish.n_targets++], &err), &err);
	unit_assert_ok(selection_parse(text, &s, &err), &err);
	unit_assert_ok(selection_choose(&wish, uid, &s, &err), &err);
}

#define CHOOSE(uid, ...) choose(uid, (const char *const[]){__VA_ARGS__, NULL})

/* The names of those that are chosen, with a '!' behind those that were named one by one. */
static const char *chosen(void)
{
	static char text[256];

	text[0] = '\0';
	for (size_t i = 0; i < s.n; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s%s", i ? " " : "",
			       s.jobs[i]->target.name, s.jobs[i]->is_named ? "!" : "");
	return text;
}

START_TEST(named)
{
	memset(&wish, 0, sizeof(wish));
	CHOOSE(ALICE, "4");
	ck_assert_str_eq(chosen(), "4!");
	ck_assert(s.is_one);
	/* what has ended or waits is chosen as well: what is wrong with it is told by name */
	CHOOSE(ALICE, "10");
	ck_assert_str_eq(chosen(), "10!");
	CHOOSE(ALICE, "6_2");
	ck_assert_str_eq(chosen(), "6_2!");
	ck_assert(s.is_one);
	/* another's: refused by name, too */
	CHOOSE(ALICE, "9");
	ck_assert_str_eq(chosen(), "9!");
	ck_assert_uint_eq(s.n_others, 0);
	CHOOSE(ALICE, "4", "7", "4", "6_1");
	ck_assert_str_eq(chosen(), "4! 6_1!");
	ck_assert(!s.is_one);
	CHOOSE(ALICE, "5");
	ck_assert_uint_eq(s.n, 0);
	ck_assert_uint_eq(s.n_missing, 1);
	ck_assert_str_eq(s.missing[0].why, "Slurm knows no such job");
	CHOOSE(ALICE, "6_7", "4");
	ck_assert_str_eq(chosen(), "4!");
	ck_assert_str_eq(s.missing[0].target.name, "6_7");
}
END_TEST

START_TEST(arrays)
{
	memset(&wish, 0, sizeof(wish));
	/* its number is one task's, too, and means all that run */
	CHOOSE(ALICE, "6");
	ck_assert_str_eq(chosen(), "6_1 6_3");
	ck_assert(!s.is_one);
	CHOOSE(ALICE, "7");
	ck_assert_str_eq(chosen(), "6_1!");
	CHOOSE(ALICE, "6", "6_1");
	ck_assert_str_eq(chosen(), "6_1! 6_3");
	CHOOSE(BOB, "11");
	ck_assert_uint_eq(s.n, 1);
}
END_TEST

START_TEST(conditions)
{
	static const char *const none[] = {NULL};

	memset(&wish, 0, sizeof(wish));
	ck_assert(!selection_is_conditional(&wish));
	wish.nodes = "n1";
	ck_assert(selection_is_conditional(&wish));
	/* what squeue has left is what meets them; what does not run is none of it */
	choose(0, none);
	ck_assert_str_eq(chosen(), "4 6_1 6_3 9");
	ck_assert_uint_eq(s.n_others, 0);
	choose(ALICE, none);
	ck_assert_str_eq(chosen(), "4 6_1 6_3");
	ck_assert_uint_eq(s.n_others, 1);
	ck_assert_str_eq(s.others[0]->user, "bob");
	choose(BOB, none);
	ck_assert_str_eq(chosen(), "9");
	ck_assert_uint_eq(s.n_others, 3);
	CHOOSE(ALICE, "4", "5");
	ck_assert_str_eq(chosen(), "4!");
	ck_assert_str_eq(s.missing[0].why, "it is not among those selected");
	ck_assert(!s.is_one);
}
END_TEST

START_TEST(answers_that_are_none)
{
	static const char *const bad[] = {"4|4|N/A|1001|alice\n",	   "4|4|N/A|1001|alice|RUNNING|x\n",
					  "x|4|N/A|1001|alice|RUNNING\n",  "0|4|N/A|1001|alice|RUNNING\n",
					  "4|4|N/A|alice|alice|RUNNING\n", "4|4|N/A|1001|alice|\n",
					  "slurm_load_jobs error\n"};
	char text[200];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s", bad[i]);
		ck_assert_msg(selection_parse(text, &s, &err) == -1, "%s", bad[i]);
		unit_assert_error(&err, EPROTO, "not understood");
		selection_clear(&s);
	}
	text[0] = '\0';
	unit_assert_ok(selection_parse(text, &s, &err), &err);
	ck_assert_uint_eq(s.n_all, 0);
	selection_clear(&s);
}
END_TEST

START_TEST(lists)
{
	static const char *const good[] = {"n1", "n[1-4,7],m9", "alice,bob", "a.b-c_d", "1001", "ALL"};
	static const char *const bad[] = {"", "-n", "--all", "n1 n2", "n1;id", "n1\n", "$(id)", "a=b", "n*"};
	char text[5000];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(selection_check_list("--node", good[i], &err) == 0, "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(selection_check_list("--node", bad[i], &err) == -1, "%s", bad[i]);
		ck_assert_ptr_nonnull(strstr(err.text, "--node="));
	}
	memset(text, 'n', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(selection_check_list("--node", text, &err), -1);
	ck_assert_uint_lt(strlen(err.text), 200);
	ck_assert_int_eq(drain_check_reason("new memory, rack 4", &err), 0);
	ck_assert_int_eq(drain_check_reason("", &err), -1);
	ck_assert_int_eq(drain_check_reason("two\nlines", &err), -1);
	ck_assert_int_eq(drain_check_reason("x\" State=IDLE", &err), -1);
}
END_TEST

/* ---- what root believes of a job ---- */

#define SHOWN(name, after)                                                                                        \
	"JobId=7 ArrayJobId=6 ArrayTaskId=1 JobName=" name "\n   UserId=alice(1001) GroupId=alice(1001)\n"        \
	"   JobState=RUNNING Reason=None Dependency=(null)\n"                                                     \
	"   Requeue=1 Restarts=2 BatchFlag=1 Reboot=0 ExitCode=0:0\n"                                             \
	"   Partition=main,long AllocNode:Sid=n0:0\n   ReqNodeList=(null) ExcNodeList=n[4-5]\n"                   \
	"   NodeList=n1\n   BatchHost=n1\n   NumNodes=1 NumCPUs=4 NumTasks=1 CPUs/Task=1\n"                       \
	"   Features=avx2 DelayBoot=00:00:00\n" after "\n"

START_TEST(shown)
{
	static const char *const forged[] = {
		SHOWN("x\n   UserId=root(0) GroupId=root(0)", ""),
		SHOWN("x\n   BatchHost=n7", ""),
		SHOWN("x\n   JobState=COMPLETED Reason=None", ""),
		SHOWN("x", "   Comment=\n   UserId=root(0) GroupId=root(0)"),
		SHOWN("x\n   Requeue=1 Restarts=9 BatchFlag=1", ""),
	};
	struct job job;

	unit_assert_ok(job_read(SHOWN("x UserId=root(0)", ""), &job, &err), &err);
	ck_assert_uint_eq(job.id, 7);
	ck_assert_str_eq(job.name, "6_1");
	ck_assert_uint_eq(job.uid, 1001);
	ck_assert_uint_eq(job.restarts, 2);
	ck_assert_uint_eq(job.cpus, 4);
	ck_assert_str_eq(job.nodes, "");
	ck_assert_str_eq(job.excluded, "n[4-5]");
	ck_assert_str_eq(job.partitions, "main,long");
	ck_assert_str_eq(job.features, "avx2");
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		int rc = job_read(forged[i], &job, &err);

		/* a host that is not told twice is none, and such a job is refused */
		ck_assert_msg(rc == -1 || !*job.batch_host, "%zu", i);
	}
}
END_TEST

/* ---- a node to go to ---- */

static int judge(const char *lines, const struct job *job)
{
	char text[400];

	(void)snprintf(text, sizeof(text), "%s", lines);
	return move_judge(text, "n2", job, &err);
}

START_TEST(nodes_to_go_to)
{
	struct job job = {.cpus = 4, .partitions = "main,long", .features = "avx2&ib"};

	unit_assert_ok(judge("main|idle|4|ib,avx2\n", &job), &err);
	unit_assert_ok(judge("other|idle|4|(null)\nlong|mixed-|8|avx2,x,ib\n", &job), &err);
	unit_assert_ok(judge("main|idle~|4|ib,avx2\n", &job), &err);
	unit_assert_ok(judge("other|allocated+|1|(null)\n", NULL), &err);
	ck_assert_int_eq(judge("", &job), -1);
	unit_assert_error(&err, ENOENT, "no node n2");
	ck_assert_int_eq(judge("other|idle|4|ib,avx2\n", &job), -1);
	unit_assert_error(&err, ENOTSUP, "not in partition main,long");
	ck_assert_int_eq(judge("main|down*|4|ib,avx2\n", &job), -1);
	unit_assert_error(&err, EHOSTDOWN, "it is down*");
	ck_assert_int_eq(judge("main|idle*|4|ib,avx2\n", &job), -1);
	ck_assert_int_eq(judge("main|drained|4|ib,avx2\n", NULL), -1);
	unit_assert_error(&err, EHOSTDOWN, "it is drained");
	ck_assert_int_eq(judge("main|idle|2|ib,avx2\n", &job), -1);
	unit_assert_error(&err, ENOTSUP, "2 processors, and the job needs 4");
	ck_assert_int_eq(judge("main|idle|4|ib,avx\n", &job), -1);
	unit_assert_error(&err, ENOTSUP, "no feature avx2");
	(void)strcpy(job.features, "[a|b]");
	unit_assert_ok(judge("main|idle|4|(null)\n", &job), &err);
	ck_assert_int_eq(judge("main\n", &job), -1);
	unit_assert_error(&err, EPROTO, "not understood");
	ck_assert_int_eq(move_check_name("n2.site-a_1", &err), 0);
	ck_assert_int_eq(move_check_name("n[1-2]", &err), -1);
	ck_assert_int_eq(move_check_name("-n2", &err), -1);
	ck_assert_int_eq(move_check_name("n1,n2", &err), -1);
}
END_TEST

/* ---- many at a time ---- */

enum { MANY = 40 };
static int seen[MANY], lost;

static json_t *crew_work(size_t i, void *arg)
{
	(void)arg;
	if (i == 7)
		raise(SIGKILL);
	return json_pack("{s:I, s:I}", "i", (json_int_t)i, "pid", (json_int_t)getpid());
}

static void crew_told(size_t i, json_t *answer, void *arg)
{
	(void)arg;
	seen[i]++;
	if (!answer) {
		lost++;
		return;
	}
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "i")), (json_int_t)i);
	ck_assert_int_ne(json_integer_value(json_object_get(answer, "pid")), getpid());
}

START_TEST(crew)
{
	const struct crew all = {.work = crew_work, .told = crew_told};

	for (size_t at_once = 0; at_once < 2 * CREW_MOST; at_once = at_once * 3 + 1) {
		memset(seen, 0, sizeof(seen));
		lost = 0;
		unit_assert_ok(crew_run(&all, MANY, at_once, &err), &err);
		for (size_t i = 0; i < MANY; i++)
			ck_assert_int_eq(seen[i], 1);
		ck_assert_int_eq(lost, 1);
	}
	unit_assert_ok(crew_run(&all, 0, 8, &err), &err);
}
END_TEST

UNIT_MAIN("selection", {named, false}, {arrays, false}, {conditions, false}, {answers_that_are_none, false},
	  {lists, false}, {shown, false}, {nodes_to_go_to, false}, {crew, false})
