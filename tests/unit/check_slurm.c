/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/init/slurm.h"

#define NEWS_PREEMPT                                                                                              \
	"slurmstepd-n1: error: *** JOB 3 ON n1 CANCELLED AT 2026-11-23T20:58:49 "                                 \
	"DUE TO PREEMPTION ***\n"
#define NEWS_REQUEUE                                                                                              \
	"slurmstepd-n1: error: *** JOB 3 ON n1 CANCELLED AT 2026-11-23T20:58:49 "                                 \
	"DUE TO JOB REQUEUE ***\n"
#define NEWS_TIMELIMIT                                                                                            \
	"slurmstepd-n1: error: *** JOB 3 ON n1 CANCELLED AT 2026-11-23T20:58:49 "                                 \
	"DUE TO TIME LIMIT ***\n"
#define NEWS_CANCEL                                                                                               \
	"slurmstepd-n1: error: *** JOB 3 ON n1 CANCELLED AT 2026-11-23T20:58:49 "                                 \
	"***\n"

/* "scontrol show job" of Slurm 24.11.5, as the testbed prints it */
static const char *job_text(const char *name, const char *state, unsigned restarts, const char *preempt)
{
	static char text[8192];

	(void)snprintf(text, sizeof(text),
		       "JobId=3 JobName=%s\n"
		       "   UserId=alice(1001) GroupId=alice(1001) MCS_label=N/A\n"
		       "   Priority=1 Nice=0 Account=(null) QOS=(null)\n"
		       "   JobState=%s Reason=None Dependency=(null)\n"
		       "   Requeue=1 Restarts=%u BatchFlag=1 Reboot=0 ExitCode=0:0\n"
		       "   RunTime=00:00:03 TimeLimit=UNLIMITED TimeMin=N/A\n"
		       "   SubmitTime=2026-11-23T20:58:45 EligibleTime=2026-11-23T20:58:45\n"
		       "   AccrueTime=2026-11-23T20:58:45\n"
		       "   StartTime=2026-11-23T20:58:46 EndTime=Unknown Deadline=N/A\n"
		       "   PreemptEligibleTime=2026-11-23T20:58:46 PreemptTime=%s\n"
		       "   SuspendTime=None SecsPreSuspend=0 LastSchedEval=2026-11-23T20:58:46 "
		       "Scheduler=Main\n"
		       "   Partition=main AllocNode:Sid=n0:0\n"
		       "   ReqNodeList=(null) ExcNodeList=(null)\n"
		       "   NodeList=n1\n"
		       "   BatchHost=n1\n"
		       "   NumNodes=1 NumCPUs=1 NumTasks=1 CPUs/Task=1 ReqB:S:C:T=0:0:*:*\n"
		       "   ReqTRES=cpu=1,mem=500M,node=1,billing=1\n"
		       "   AllocTRES=cpu=1,mem=500M,node=1,billing=1\n"
		       "   Socks/Node=* NtasksPerN:B:S:C=0:0:*:* CoreSpec=*\n"
		       "   MinCPUsNode=1 MinMemoryCPU=500M MinTmpDiskNode=0\n"
		       "   Features=(null) DelayBoot=00:00:00\n"
		       "   OverSubscribe=OK Contiguous=0 Licenses=(null) Network=(null)\n"
		       "   Command=(null)\n"
		       "   WorkDir=/shared/home/alice\n"
		       "   StdErr=/shared/home/alice/slurm-3.out\n"
		       "   StdIn=/dev/null\n"
		       "   StdOut=/shared/home/alice/slurm-3.out\n"
		       "   \n\n",
		       name, state, restarts, preempt);
	return text;
}

static void assert_means(const char *text, uint32_t restart, const char *notice, enum slurm_fate fate,
			 const char *reason)
{
	struct slurm_state s = slurm_interpret(text, restart, notice);

	ck_assert_msg(s.fate == fate, "fate %d instead of %d, notice \"%s\", text: %s", s.fate, fate, notice,
		      text);
	ck_assert_str_eq(s.reason, reason);
}

START_TEST(running)
{
	assert_means(job_text("wrap", "RUNNING", 0, "None"), 0, "", SLURM_RUNNING, "term");
	assert_means(job_text("wrap", "RUNNING", 3, "None"), 3, "", SLURM_RUNNING, "term");
	/* what the program itself wrote last is nothing to go by */
	assert_means(job_text("wrap", "RUNNING", 0, "None"), 0, "step 100 done\nerror: none\n", SLURM_RUNNING,
		     "term");
	/* an older count than ours: the job's record was read before it was brought
	 * up to date */
	assert_means(job_text("wrap", "RUNNING", 2, "None"), 3, "", SLURM_RUNNING, "term");
}
END_TEST

START_TEST(grace)
{
	assert_means(job_text("wrap", "RUNNING", 0, "2026-11-23T20:58:49"), 0, "", SLURM_GRACE, "preempt");
	assert_means(job_text("wrap", "RUNNING", 5, "2026-11-23T20:58:49"), 5, "", SLURM_GRACE, "preempt");
}
END_TEST

START_TEST(requeued)
{
	assert_means(job_text("wrap", "COMPLETING", 1, "None"), 0, NEWS_REQUEUE, SLURM_ENDING, "requeue");
	/* stderr elsewhere, or not written yet */
	assert_means(job_text("wrap", "COMPLETING", 1, "None"), 0, "", SLURM_ENDING, "requeue");
	assert_means(job_text("wrap", "COMPLETING", 8, "None"), 7, "", SLURM_ENDING, "requeue");
	assert_means(job_text("wrap", "PENDING", 1, "None"), 0, "", SLURM_ENDING, "requeue");
	assert_means(job_text("wrap", "REQUEUED", 0, "None"), 0, "", SLURM_ENDING, "requeue");
	assert_means(job_text("wrap", "REQUEUE_HOLD", 0, "None"), 0, "", SLURM_ENDING, "requeue");
}
END_TEST

START_TEST(preempted)
{
	assert_means(job_text("wrap", "COMPLETING", 1, "2026-11-23T20:58:49"), 0, NEWS_PREEMPT, SLURM_ENDING,
		     "preempt");
	assert_means(job_text("wrap", "COMPLETING", 1, "None"), 0, "step 7\n" NEWS_PREEMPT, SLURM_ENDING,
		     "preempt");
	assert_means(job_text("wrap", "PREEMPTED", 0, "None"), 0, NEWS_PREEMPT, SLURM_ENDING, "preempt");
}
END_TEST

START_TEST(time_limit)
{
	assert_means(job_text("wrap", "TIMEOUT", 0, "None"), 0, "", SLURM_ENDING, "timelimit");
	assert_means(job_text("wrap", "COMPLETING", 0, "None"), 0, NEWS_TIMELIMIT, SLURM_ENDING, "timelimit");
	assert_means(job_text("wrap", "TIMEOUT", 4, "None"), 4, NEWS_TIMELIMIT, SLURM_ENDING, "timelimit");
}
END_TEST

START_TEST(cancelled)
{
	assert_means(job_text("wrap", "COMPLETING", 0, "None"), 0, NEWS_CANCEL, SLURM_CANCELLED, "term");
	assert_means(job_text("wrap", "COMPLETING", 2, "None"), 2, "", SLURM_CANCELLED, "term");
	assert_means(job_text("wrap", "CANCELLED", 2, "None"), 2, NEWS_CANCEL, SLURM_CANCELLED, "term");
}
END_TEST

START_TEST(no_answer)
{
	static const char *const cases[] = {
		"",
		"\n",
		"slurm_load_jobs error: Invalid job id specified\n",
		"slurm_load_jobs error: Unable to contact slurm controller (connect "
		"failure)\n",
		"JobState",
		"JobState=",
		"JobState=\n",
		"NotJobState=RUNNING\n",
		"XJobState=RUNNING Restarts=9",
		"Restarts=9\n",
		"\xff\xfe\x01",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_means(cases[i], 0, "", SLURM_UNKNOWN, "term");
	/* a state nobody has heard of */
	assert_means(job_text("wrap", "HIBERNATING", 0, "None"), 0, "", SLURM_UNKNOWN, "term");
	assert_means(job_text("wrap", "SUSPENDED", 0, "None"), 0, "", SLURM_UNKNOWN, "term");
}
END_TEST

START_TEST(long_and_cut_texts)
{
	char text[4096];

	/* values longer than there is room for */
	memset(text, 'R', sizeof(text));
	memcpy(text, "JobState=", 9);
	text[sizeof(text) - 1] = '\0';
	assert_means(text, 0, "", SLURM_UNKNOWN, "term");
	assert_means("JobState=RUNNING Restarts=99999999999999999999999999999999", 0, "", SLURM_ENDING, "requeue");
	assert_means("JobState=RUNNING Restarts=x", 0, "", SLURM_RUNNING, "term");
	/* cut anywhere: a fate, never a crash */
	for (size_t n = 0; n < 1000; n++) {
		memcpy(text, job_text("wrap", "COMPLETING", 1, "None"), n);
		text[n] = '\0';
		ck_assert_ptr_nonnull(slurm_interpret(text, 0, "").reason);
	}
}
END_TEST

START_TEST(not_another_keys_value)
{
	/* PreemptEligibleTime is always set; keys that end alike are others */
	assert_means("JobState=RUNNING Restarts=0\n   "
		     "PreemptEligibleTime=2026-11-23T20:58:46 PreemptTime=None",
		     0, "", SLURM_RUNNING, "term");
	assert_means("JobState=RUNNING MaxRestarts=9 Restarts=0", 0, "", SLURM_RUNNING, "term");
	assert_means("JobState=RUNNING RestartsX=9 Restarts=0", 0, "", SLURM_RUNNING, "term");
}
END_TEST

UNIT_MAIN("slurm", {running, false}, {grace, false}, {requeued, false}, {preempted, false}, {time_limit, false},
	  {cancelled, false}, {no_answer, false}, {long_and_cut_texts, false}, {not_another_keys_value, false})
