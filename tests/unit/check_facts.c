/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/init/facts.h"

/* Slurm 24.11.5 with SLURM_TIME_FORMAT=%s, as the testbed prints it */
#define JOB(id, array, state, requeue, limit, start, end)                                                         \
	"JobId=" id " " array "JobName=wrap UserId=alice(1001) GroupId=alice(1001) MCS_label=N/A Priority=1 "     \
	"Nice=0 Account=(null) QOS=(null) JobState=" state " Reason=None Dependency=(null) Requeue=" requeue      \
	" Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0 RunTime=00:00:03 TimeLimit=" limit                         \
	" TimeMin=N/A SubmitTime=1795646809 EligibleTime=1795646809 AccrueTime=1795646809 StartTime=" start       \
	" EndTime=" end " Deadline=N/A PreemptEligibleTime=1795646809 PreemptTime=None SuspendTime=None "         \
	"SecsPreSuspend=0 LastSchedEval=1795646809 Scheduler=Backfill Partition=main AllocNode:Sid=n0:0 "         \
	"ReqNodeList=(null) ExcNodeList=(null) NodeList=n1 BatchHost=n1 NumNodes=1 NumCPUs=1\n"

#define PARTITION(grace, over, mode)                                                                              \
	"PartitionName=main AllowGroups=ALL AllowQos=ALL Default=YES QoS=N/A DefaultTime=NONE "                   \
	"ExclusiveUser=NO ExclusiveTopo=NO GraceTime=" grace                                                      \
	" Hidden=NO MaxTime=UNLIMITED OverSubscribe=YES:8 OverTimeLimit=" over " PreemptMode=" mode               \
	" State=UP TotalCPUs=8\n"

#define CONFIG(kill, over)                                                                                        \
	"Configuration data as of 1795646809\n"                                                                   \
	"AccountingStorageBackupHost = (null)\n"                                                                  \
	"KillOnBadExit           = 0\n"                                                                           \
	"KillWait                = " kill "\n"                                                                    \
	"OverTimeLimit           = " over "\n"                                                                    \
	"PreemptMode             = GANG,SUSPEND\n"                                                                \
	"PreemptParameters       = (null)\n"                                                                      \
	"PreemptType             = preempt/partition_prio\n"

static struct facts fresh(void)
{
	struct facts f;

	facts_init(&f);
	return f;
}

START_TEST(running)
{
	struct facts f = fresh();
	struct cr_error err;

	ck_assert_int_eq(
		facts_read_job(&f, JOB("7", "", "RUNNING", "1", "00:05:00", "1795646809", "1795647109"), 7, &err),
		0);
	ck_assert_int_eq(f.start, 1795646809);
	ck_assert_int_eq(f.end, 1795647109);
	ck_assert_int_eq(f.limit_s, 300);
	ck_assert_int_eq(f.left_s, 297);
	ck_assert(f.requeue);
	ck_assert(!f.suspended);
	ck_assert_str_eq(f.name, "7");
	ck_assert_str_eq(f.partition, "main");
	ck_assert_str_eq(f.qos, "");
	ck_assert_str_eq(f.reservation, "");
	/* that is not in there */
	ck_assert_int_eq(f.grace_s, -1);
	ck_assert_int_eq(f.kill_wait_s, -1);
	ck_assert_int_eq(f.over_s, -1);
	ck_assert_int_eq(f.asked, 0);
}
END_TEST

START_TEST(limits)
{
	static const struct {
		const char *text;
		int64_t limit, end;
		bool requeue, suspended;
	} cases[] = {
		{JOB("7", "", "RUNNING", "0", "1-02:03:04", "1795646809", "1795740593"), 93784, 1795740593, false,
		 false},
		{JOB("7", "", "RUNNING", "1", "UNLIMITED", "1795646809", "Unknown"), FACTS_UNLIMITED, 0, true,
		 false},
		/* a limit that is taken away while the job runs leaves its moment behind */
		{JOB("7", "", "RUNNING", "1", "UNLIMITED", "1795646809", "1827182809"), FACTS_UNLIMITED, 0, true,
		 false},
		{JOB("7", "", "SUSPENDED", "1", "00:01:00", "1795646809", "1795646869"), 60, 1795646869, true,
		 true},
		{JOB("7", "", "PENDING", "1", "Partition_Limit", "Unknown", "Unknown"), -1, 0, true, false},
		{JOB("7", "", "PENDING", "1", "x", "N/A", "2026-11-25T22:44:28"), -1, 0, true, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct facts f = fresh();
		struct cr_error err;

		ck_assert_int_eq(facts_read_job(&f, cases[i].text, 7, &err), 0);
		ck_assert_int_eq(f.limit_s, cases[i].limit);
		ck_assert_int_eq(f.end, cases[i].end);
		ck_assert(f.requeue == cases[i].requeue);
		ck_assert(f.suspended == cases[i].suspended);
	}
}
END_TEST

static struct facts settled(const char *text, int64_t now_s)
{
	struct facts f = fresh();
	struct cr_error err;

	ck_assert_int_eq(facts_read_job(&f, text, 7, &err), 0);
	facts_settle(&f, now_s);
	return f;
}

START_TEST(clocks_that_differ)
{
	static const char usual[] = JOB("7", "", "RUNNING", "1", "00:05:00", "1795646809", "1795647109");
	/* it was suspended for 100 s */
	static const char later[] = JOB("7", "", "RUNNING", "1", "00:05:00", "1795646809", "1795647209");

	ck_assert_int_eq(settled(usual, 1795646812).end, 1795647109);
	ck_assert_int_eq(settled(usual, 1795646815).end, 1795647109);
	/* this node is an hour ahead, a minute behind */
	ck_assert_int_eq(settled(usual, 1795650412).end, 1795650709);
	ck_assert_int_eq(settled(usual, 1795650412).start, 1795650409);
	ck_assert_int_eq(settled(usual, 1795646752).end, 1795647049);
	ck_assert_int_eq(settled(later, 1795646912).end, 1795647209);
	/* nothing follows from these */
	ck_assert_int_eq(settled(JOB("7", "", "SUSPENDED", "1", "00:05:00", "1795646809", "1795647109"), 5).end,
			 1795647109);
	ck_assert_int_eq(settled(JOB("7", "", "RUNNING", "1", "UNLIMITED", "1795646809", "Unknown"), 5).end, 0);
	/* no limit, started by slurmctld's backfill */
	ck_assert_int_eq(settled(JOB("7", "", "RUNNING", "1", "365-00:00:00", "1795646809", "1827182809"), 5).end,
			 0);
	ck_assert_int_eq(settled(JOB("7", "", "RUNNING", "1", "00:05:00", "1795646809", "1795646899"), 5).end,
			 1795646899);
}
END_TEST

START_TEST(preempted)
{
	static const char until[] =
		"JobId=7 JobName=x JobState=RUNNING TimeLimit=UNLIMITED StartTime=100 EndTime=1795646850 "
		"PreemptEligibleTime=100 PreemptTime=1795646820 Partition=main\n";
	struct facts f = fresh();
	struct cr_error err;

	ck_assert_int_eq(facts_read_job(&f, JOB("7", "", "RUNNING", "1", "UNLIMITED", "100", "Unknown"), 7, &err),
			 0);
	ck_assert_int_eq(f.preempted, 0);
	/* its grace time ends, whether it has a time limit or not */
	ck_assert_int_eq(facts_read_job(&f, until, 7, &err), 0);
	ck_assert_int_eq(f.preempted, 1795646820);
	ck_assert_int_eq(f.end, 1795646850);
	ck_assert_int_eq(facts_read_job(&f, JOB("7", "", "RUNNING", "1", "UNLIMITED", "100", "Unknown"), 7, &err),
			 0);
	ck_assert_int_eq(f.preempted, 0);
}
END_TEST

START_TEST(arrays)
{
	static const char text[] =
		JOB("9", "ArrayJobId=9 ArrayTaskId=3-5 ", "PENDING", "1", "00:09:00", "Unknown", "Unknown")
			JOB("11", "ArrayJobId=9 ArrayTaskId=2 ", "RUNNING", "0", "00:02:00", "200", "320")
				JOB("10", "ArrayJobId=9 ArrayTaskId=1 ", "RUNNING", "1", "00:01:00", "100", "160");
	struct facts f = fresh();
	struct cr_error err;

	ck_assert_int_eq(facts_read_job(&f, text, 10, &err), 0);
	ck_assert_int_eq(f.end, 160);
	ck_assert(f.requeue);
	ck_assert_str_eq(f.name, "9_1");
	ck_assert_int_eq(facts_read_job(&f, text, 11, &err), 0);
	ck_assert_int_eq(f.end, 320);
	ck_assert(!f.requeue);
	ck_assert_str_eq(f.name, "9_2");
	/* 1 is the beginning of each, and no job */
	ck_assert_int_eq(facts_read_job(&f, text, 1, &err), -1);
	ck_assert_int_eq(f.end, 320);
}
END_TEST

START_TEST(no_job)
{
	static const char *const texts[] = {"",
					    "\n",
					    "slurm_load_jobs error: Invalid job id specified\n",
					    "JobId=7",
					    "XJobId=7 EndTime=5\n",
					    "\xff\xfe"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct facts f = fresh();
		struct cr_error err;

		f.end = 99;
		ck_assert_int_eq(facts_read_job(&f, texts[i], 7, &err), -1);
		ck_assert_int_eq(f.end, 99);
	}
}
END_TEST

START_TEST(terms)
{
	struct facts f = fresh();
	struct cr_error err;

	(void)snprintf(f.partition, sizeof(f.partition), "main");
	ck_assert_int_eq(facts_read_config(&f, CONFIG("30 sec", "2 min"), &err), 0);
	ck_assert_int_eq(f.kill_wait_s, 30);
	ck_assert_int_eq(f.over_s, 120);
	ck_assert_str_eq(f.preempt_type, "preempt/partition_prio");
	ck_assert_str_eq(f.preempt_mode, "GANG,SUSPEND");
	ck_assert_int_eq(facts_read_partition(&f, PARTITION("600", "NONE", "REQUEUE"), &err), 0);
	ck_assert_int_eq(f.grace_s, 600);
	ck_assert_int_eq(f.over_s, 120);
	ck_assert_str_eq(f.preempt_mode, "REQUEUE");
	ck_assert_int_eq(facts_read_partition(&f, PARTITION("0", "5", "OFF"), &err), 0);
	ck_assert_int_eq(f.grace_s, 0);
	ck_assert_int_eq(f.over_s, 300);
	ck_assert_int_eq(facts_read_partition(&f, PARTITION("0", "UNLIMITED", "OFF"), &err), 0);
	ck_assert_int_eq(f.over_s, FACTS_UNLIMITED);
	ck_assert_int_eq(facts_read_config(&f, CONFIG("0 sec", "UNLIMITED"), &err), 0);
	ck_assert_int_eq(f.kill_wait_s, 0);
	ck_assert_int_eq(f.over_s, FACTS_UNLIMITED);
}
END_TEST

START_TEST(other_terms)
{
	struct facts f = fresh();
	struct cr_error err;

	ck_assert_int_eq(facts_read_config(&f, "", &err), -1);
	ck_assert_int_eq(facts_read_config(&f, "XKillWait = 3 sec\nKillWaits = 4 sec\nKillWait\n", &err), -1);
	ck_assert_int_eq(f.kill_wait_s, -1);
	ck_assert_int_eq(facts_read_config(&f, "KillWait=7 sec", &err), -1);
	(void)snprintf(f.partition, sizeof(f.partition), "other");
	ck_assert_int_eq(facts_read_partition(&f, PARTITION("600", "5", "OFF"), &err), -1);
	ck_assert_int_eq(facts_read_partition(&f, "", &err), -1);
	ck_assert_int_eq(f.grace_s, -1);
}
END_TEST

START_TEST(environment)
{
	struct facts f = fresh();

	facts_read_environment(&f, "SLURM_JOB_NODELIST=n1\nSLURM_JOB_PARTITION=main\n"
				   "SLURM_JOB_START_TIME=1795646809\nSLURM_JOB_END_TIME=1795647109\n");
	ck_assert_int_eq(f.start, 1795646809);
	ck_assert_int_eq(f.end, 1795647109);
	ck_assert_str_eq(f.partition, "main");
	ck_assert_int_eq(f.asked, 0);
	f = fresh();
	facts_read_environment(&f, "SLURM_JOB_START_TIME=5\nSLURM_JOB_END_TIME=x\n");
	ck_assert_int_eq(f.end, 0);
	facts_read_environment(&f, "");
	ck_assert_int_eq(f.start, 5);
	facts_read_environment(&f, "SLURM_JOB_END_TIME=4\n");
	ck_assert_int_eq(f.end, 0);
	facts_read_environment(&f, "SLURM_JOB_START_TIME=1795646809\nSLURM_JOB_END_TIME=1827182809\n");
	ck_assert_int_eq(f.end, 0);
}
END_TEST

START_TEST(cut_texts)
{
	static const char job[] = JOB("7", "", "RUNNING", "1", "00:05:00", "1795646809", "1795647109");
	static const char config[] = CONFIG("30 sec", "2 min");
	char text[2048];

	for (size_t n = 0; n < sizeof(job) && n < sizeof(text); n++) {
		struct facts f = fresh();

		memcpy(text, job, n);
		text[n] = '\0';
		(void)facts_read_job(&f, text, 7, NULL);
		ck_assert_int_ge(f.end, 0);
	}
	for (size_t n = 0; n < sizeof(config); n++) {
		struct facts f = fresh();

		memcpy(text, config, n);
		text[n] = '\0';
		(void)facts_read_config(&f, text, NULL);
		ck_assert_int_ge(f.kill_wait_s, -1);
	}
}
END_TEST

UNIT_MAIN("facts", {running, false}, {limits, false}, {clocks_that_differ, false}, {preempted, false},
	  {arrays, false}, {no_job, false}, {terms, false}, {other_terms, false}, {environment, false},
	  {cut_texts, false})
