/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/init/fence.h"

static struct job job;
static struct cr_error err;
static bool over;

/* this start is restart 1, on n1 */
static void setup(void)
{
	memset(&job, 0, sizeof(job));
	job.id = 7;
	job.restart = 1;
	job.node = "n1";
	job.part = "batch.0";
	job.slurm_env = "";
	job.wire = job.log = job.cgroup = job.ask = -1;
	unit_assert_ok(cr_store_open(&job.store, unit_dir, 7, "batch.0", geteuid(), true, &err), &err);
}

static void line(const char *event, uint32_t restart, const char *node, uint32_t generation, const char *reason)
{
	struct job other = job;

	other.restart = restart;
	other.node = node;
	unit_assert_ok(job_journal_append(&other, event, generation, reason, NULL, -1, &err), &err);
}

static void generation_make(uint32_t generation)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "7/batch.0/%06u", generation);
	ck_assert_int_eq(mkdir(unit_path(name), 0700), 0);
}

static bool late(uint32_t generation, uint32_t restart)
{
	struct cr_manifest m = {.generation = generation, .restart = restart};

	return fence_late(&job, &m);
}

START_TEST(alone)
{
	setup();
	unit_assert_ok(fence_check(&job, &err), &err);
	line("fresh", 0, "n2", 0, NULL);
	unit_assert_ok(fence_check(&job, &err), &err);
	line("start", 1, "n1", 3, NULL);
	line("restored", 1, "n1", 3, NULL);
	/* what the older one says afterwards changes nothing */
	line("failed", 0, "n2", 4, NULL);
	unit_assert_ok(fence_check(&job, &err), &err);
}
END_TEST

START_TEST(started_elsewhere)
{
	static const char *const events[] = {"start", "fresh", "restored"};

	setup();
	for (uint32_t i = 0; i < 3; i++) {
		job.restart = 2 * i;
		line("restored", 2 * i, "n1", 3, NULL);
		unit_assert_ok(fence_check(&job, &err), &err);
		line(events[i], 2 * i + 1, "n2", 3, NULL);
		ck_assert_int_eq(fence_check(&job, &err), -1);
		unit_assert_error(&err, FENCE_LOST, "Slurm has started this job again on n2 (restart ");
		/* whoever writes last, and whatever the clocks are */
		line("restored", 2 * i, "n1", 3, NULL);
		ck_assert_int_eq(fence_check(&job, &err), -1);
	}
}
END_TEST

/* slurmctld was killed before it had written down that it had started the job once more */
START_TEST(same_count)
{
	setup();
	line("start", 1, "n1", 0, NULL);
	line("restored", 1, "n1", 3, NULL);
	line("start", 1, "n2", 3, NULL);
	ck_assert_int_eq(fence_check(&job, &err), -1);
	unit_assert_error(&err, FENCE_LOST, "n2");
	job.node = "n2";
	unit_assert_ok(fence_check(&job, &err), &err);
}
END_TEST

START_TEST(confirmed)
{
	setup();
	line("restored", 4, "n2", 3, NULL);
	ck_assert_int_eq(fence_check(&job, &err), -1);
	line("start", 1, "n1", 3, "confirmed");
	unit_assert_ok(fence_check(&job, &err), &err);
	job.restart = 4;
	job.node = "n2";
	ck_assert_int_eq(fence_check(&job, &err), 0);
	job.restart = 1;
	job.node = "n1";
	line("start", 2, "n2", 3, NULL);
	ck_assert_int_eq(fence_check(&job, &err), -1);
}
END_TEST

START_TEST(claims)
{
	struct job older;
	uint32_t next = 0;

	setup();
	older = job;
	older.restart = 0;
	older.node = "n2";
	/* the first start has nobody to tell */
	unit_assert_ok(fence_claim(&older, &over, &err), &err);
	ck_assert(!unit_exists("7/batch.0/journal.jsonl"));
	generation_make(3);
	ck_assert_int_eq(mkdir(unit_path("7/batch.0/.000005.tmp"), 0700), 0);
	unit_assert_ok(fence_claim(&job, &over, &err), &err);
	ck_assert_int_eq(fence_check(&older, &err), -1);
	unit_assert_ok(fence_check(&job, &err), &err);
	/* and so no number of the older one's is used again */
	ck_assert_int_eq(rmdir(unit_path("7/batch.0/.000005.tmp")), 0);
	unit_assert_ok(cr_store_next(&job.store, &next, &err), &err);
	ck_assert_uint_eq(next, 6);
}
END_TEST

/* A mark that is too low would make everything late that the starts before made. */
START_TEST(claim_unread)
{
	setup();
	generation_make(3);
	/* fails with another error than that there is none */
	ck_assert_int_eq(symlink("packs", unit_path("7/batch.0/packs")), 0);
	ck_assert_int_eq(fence_claim(&job, &over, &err), -1);
	unit_assert_error(&err, ENOTDIR, "packs");
	ck_assert(!unit_exists("7/batch.0/journal.jsonl"));
	ck_assert_int_eq(unlink(unit_path("7/batch.0/packs")), 0);
	/* nor is a journal that cannot be read an empty one */
	ck_assert_int_eq(symlink("journal.jsonl", unit_path("7/batch.0/journal.jsonl")), 0);
	ck_assert_int_eq(fence_claim(&job, &over, &err), -1);
	unit_assert_error(&err, ELOOP, "journal.jsonl");
	ck_assert_int_eq(unlink(unit_path("7/batch.0/journal.jsonl")), 0);
	unit_assert_ok(fence_claim(&job, &over, &err), &err);
	ck_assert(!late(3, 0));
	ck_assert(late(4, 0));
}
END_TEST

/* slurmctld does not know of this job, or there is none here: what the journal says counts */
START_TEST(claim_refused)
{
	setup();
	line("start", 2, "n2", 3, NULL);
	ck_assert_int_eq(fence_claim(&job, &over, &err), -1);
	unit_assert_error(&err, FENCE_LOST, "n2");
	ck_assert_int_eq(fence_check(&job, &err), -1);
}
END_TEST

START_TEST(settles)
{
	setup();
	generation_make(4);
	unit_assert_ok(fence_settle(&job, 4, &err), &err);
	/* the newer one finds it: it has not chosen yet */
	line("start", 2, "n2", 3, NULL);
	unit_assert_ok(fence_settle(&job, 4, &err), &err);
	ck_assert(unit_exists("7/batch.0/000004"));
	line("restored", 2, "n2", 3, NULL);
	ck_assert_int_eq(fence_settle(&job, 4, &err), -1);
	unit_assert_error(&err, FENCE_LOST, "n2");
	ck_assert(!unit_exists("7/batch.0/000004"));
	ck_assert(unit_exists("7/batch.0/000004.bad"));
}
END_TEST

START_TEST(published_late)
{
	setup();
	ck_assert(!late(4, 0));
	line("fresh", 0, "n1", 0, NULL);
	ck_assert(!late(4, 0));
	line("start", 1, "n2", 4, NULL);
	ck_assert(!late(4, 0)); /* it was there */
	ck_assert(late(5, 0));
	ck_assert(!late(5, 1));
	line("restored", 1, "n2", 3, NULL);
	ck_assert(!late(3, 0));
	ck_assert(late(4, 0));
	ck_assert(!late(4, 1));
	line("start", 2, "n1", 6, NULL);
	ck_assert(!late(6, 1));
	ck_assert(late(7, 1));
	/* slurmctld has lost count */
	line("start", 1, "n1", 9, "confirmed");
	ck_assert(!late(10, 1));
	ck_assert(late(10, 0));
}
END_TEST

/* Has the start before this one ended? */
static bool was_over(void)
{
	unit_assert_ok(fence_claim(&job, &over, &err), &err);
	job.restart++;
	return over;
}

START_TEST(ended)
{
	static const char *const nothing_ran[] = {"held", "delayed", "gave-up"};

	setup();
	line("fresh", 0, "n2", 0, NULL);
	ck_assert(!was_over());
	line("restored", 1, "n1", 3, NULL);
	line("over", 1, "n1", 3, NULL);
	ck_assert(was_over());
	/* one that was only sent elsewhere never ran */
	line("requeue", 2, "n1", 3, NULL);
	ck_assert(was_over());
	line("over", 2, "n1", 3, NULL);
	ck_assert(!was_over());
	/* nor did one that was held, put off or given up */
	for (size_t i = 0; i < 3; i++) {
		line(nothing_ran[i], job.restart - 1, "n1", 3, NULL);
		ck_assert(was_over());
		ck_assert(!was_over());
	}
	/* but one that was to be put off and was not may be in the middle of a restore */
	line("delayed", job.restart - 1, "n1", 3, NULL);
	line("restoring", job.restart - 1, "n1", 3, NULL);
	ck_assert(!was_over());
	ck_assert_int_eq(fence_patience(&job), 0);
	job.fence = 10;
	ck_assert_int_gt(fence_patience(&job), 10);
}
END_TEST

UNIT_MAIN("fence", {ended, true}, {alone, true}, {started_elsewhere, true}, {same_count, true}, {confirmed, true},
	  {claims, true}, {claim_unread, true}, {claim_refused, true}, {settles, true}, {published_late, true})
