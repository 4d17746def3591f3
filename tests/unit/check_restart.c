/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/restart.h"
#include "../../libcrcore/timefmt.h"

static const struct cr_restart_limits limits = {.soon = 300, .tries = 2, .cap = 10, .delay = 30};
static struct cr_restart r;
static char why[256];
static int64_t now; /* of the nodes' clock, s */
static int64_t job; /* of the job's own, s */
static uint32_t run;
static uint32_t restart;

static void begin(void)
{
	cr_restart_init(&r, &limits);
	now = 1800000000;
	job = 5000; /* what a node's uptime happened to be */
	run = 1;
	restart = 0;
}

static void event_on(const char *node, const char *name, uint32_t generation)
{
	char when[64];
	const struct cr_journal_event e = {
		.event = name,
		.generation = generation,
		.run = run,
		.restart = restart,
		.node = node,
		.time = cr_time_format(now * 1000000000, when, sizeof(when)),
		.clock_ms = job * 1000,
	};

	ck_assert_int_eq(cr_restart_event(&e, &r), 0);
}

static void event(const char *name, uint32_t generation)
{
	event_on("n1", name, generation);
}

static void pass(int64_t seconds)
{
	now += seconds;
	job += seconds;
}

/* The job starts from generation, whose clock says at. */
static void restore_on(const char *node, uint32_t generation, int64_t at)
{
	now += 60;
	job = at;
	event_on(node, "restoring", generation);
	now += 3;
	event_on(node, "restored", generation);
}

static void restore(uint32_t generation, int64_t at)
{
	restore_on("n1", generation, at);
}

static bool spent(uint32_t generation)
{
	return cr_restart_spent(&r, generation, why, sizeof(why));
}

static bool over(void)
{
	return cr_restart_over(&r, why, sizeof(why));
}

/* The newest generation, of this run. */
static void newest(uint32_t generation, int64_t clock_ms)
{
	const struct cr_manifest m = {
		.generation = generation, .run = run, .restart = restart, .monotonic_ns = clock_ms * 1000000};

	cr_restart_newest(&r, generation ? &m : NULL);
}

/* So far; the events go on afterwards. */
static struct cr_restart ask(uint32_t generation, int64_t at)
{
	struct cr_restart saved = r;

	newest(generation, at * 1000);
	return saved;
}

START_TEST(nothing_has_happened)
{
	begin();
	newest(0, 0);
	ck_assert(!spent(1));
	ck_assert(!over());
	ck_assert_int_eq(cr_restart_wait(&r, now * 1000), 0);
}
END_TEST

START_TEST(a_first_death_is_no_reason_and_a_second_one_is)
{
	struct cr_restart saved;

	begin();
	event("fresh", 0);
	pass(4000);
	event("ended", 7);
	restore(7, 9000);
	pass(2);
	event("ended", 7);
	saved = ask(7, 9000);
	ck_assert(!spent(7));
	r = saved;
	restore(7, 9000);
	pass(299);
	event("ended", 7);
	newest(7, 9000000);
	ck_assert(spent(7));
	ck_assert_str_eq(why, "the job was over within 5m of each of 2 restores from it");
	ck_assert(!spent(6));
	ck_assert(!over());
}
END_TEST

START_TEST(a_late_death_is_none_of_the_generation)
{
	begin();
	event("fresh", 0);
	for (int i = 0; i < 5; i++) {
		restore(7, 9000);
		pass(300);
		event("ended", 7);
	}
	newest(7, 9000000);
	ck_assert(!spent(7));
	ck_assert_int_eq(r.row, 0);
	ck_assert_int_eq(cr_restart_wait(&r, now * 1000), 0);
	ck_assert_int_eq(r.starts, 5); /* the first one has made 7 */
}
END_TEST

START_TEST(the_jobs_clock_counts_not_the_nodes)
{
	begin();
	event("fresh", 0);
	for (int i = 0; i < 2; i++) {
		restore(7, 9000);
		job += 10;
		now -= 100000; /* somebody sets the clock */
		event("ended", 7);
	}
	newest(7, 9000000);
	ck_assert(spent(7));
	/* and a wait is never longer than it may be */
	ck_assert_int_eq(cr_restart_wait(&r, 0), 60);
}
END_TEST

START_TEST(a_newer_checkpoint_forgives)
{
	begin();
	event("fresh", 0);
	for (int i = 0; i < 3; i++) {
		restore(7, 9000);
		pass(2);
		event("ended", 7);
	}
	restore(6, 8000);
	pass(5000); /* beyond where it died */
	event("ended", 9);
	newest(9, 12000000);
	ck_assert(!spent(7));
	ck_assert(!over());
	ck_assert_int_eq(r.starts, 0);
}
END_TEST

/* It dies at the same place each time, and makes a checkpoint on the way there each time. */
START_TEST(a_checkpoint_on_the_way_to_the_same_end_is_no_progress)
{
	uint32_t generation = 7;
	int starts = 0;

	begin();
	event("fresh", 0);
	pass(5000);
	event("ended", generation);
	while (!over() && starts < 1000) {
		struct cr_restart saved;

		for (int i = 0; i < 2; i++, starts++) {
			restore(generation, 9990);
			pass(10);
			event("ended", generation);
		}
		saved = ask(generation, 9990);
		ck_assert(spent(generation));
		r = saved;
		/* the one before it, from which it makes another */
		restore(6, 8000);
		pass(2000 + starts % 7);
		event("ended", ++generation);
		starts++;
		saved = ask(generation, 9990);
		ck_assert(!spent(generation));
		if (!over())
			r = saved;
	}
	ck_assert_int_eq(starts, 12);
	ck_assert_str_eq(why, "it was started 12 times in a row and has not got any further");
}
END_TEST

START_TEST(from_the_beginning_again_and_again)
{
	begin();
	for (int i = 0; i < 10; i++) {
		job = 5000 + 777 * i; /* each node's own uptime */
		event("fresh", 0);
		pass(1);
		event("ended", 0);
	}
	ck_assert(!over());
	event("fresh", 0);
	pass(1);
	event("ended", 0);
	newest(0, 0);
	ck_assert(over());
}
END_TEST

START_TEST(a_cap_of_none)
{
	const struct cr_restart_limits none = {.soon = 300, .tries = 1, .cap = 0};

	begin();
	cr_restart_init(&r, &none);
	event("fresh", 0);
	pass(4000);
	event("ended", 3); /* but with checkpoints: that was progress */
	ck_assert(ask(3, 8000).open);
	ck_assert(!over());
	restore(3, 8000);
	pass(1);
	event("ended", 3);
	newest(3, 8000000);
	ck_assert(over());
	ck_assert(spent(3));
	ck_assert_int_eq(cr_restart_wait(&r, now * 1000), 0);
}
END_TEST

START_TEST(what_slurm_or_a_user_wanted_is_nobodys_fault)
{
	begin();
	event("fresh", 0);
	for (int i = 0; i < 100; i++) {
		restore(7, 9000);
		pass(1);
		event("stopped", 7);
	}
	newest(7, 9000000);
	ck_assert(!spent(7));
	ck_assert(!over());
	ck_assert_int_eq(r.row, 0);
}
END_TEST

/* No grace: killed in the middle of the last checkpoint, time after time. */
START_TEST(killed_before_it_could_say_so)
{
	begin();
	event("fresh", 0);
	pass(1000);
	for (int i = 0; i < 100; i++) {
		event("stopping", 0);
		restore_on(i % 2 ? "n1" : "n2", 7, 9000);
		pass(20);
	}
	event("stopping", 0);
	newest(7, 9000000);
	ck_assert(!spent(7));
	ck_assert(!over());
	/* nobody ended it after all, and it ends by itself */
	begin();
	event("fresh", 0);
	event("stopping", 0);
	pass(5);
	event("ended", 0);
	newest(0, 0);
	ck_assert_int_eq(r.starts, 1);
	ck_assert_int_eq(r.row, 1);
}
END_TEST

START_TEST(lost_nodes)
{
	struct cr_restart saved;

	begin();
	event("fresh", 0);
	pass(3600);
	/* one and the same, over and over: the node's fault, but not for ever */
	for (int i = 0; i < 11; i++)
		restore_on("n1", 7, 9000);
	saved = ask(7, 9000);
	ck_assert(!spent(7));
	ck_assert(over());
	r = saved;
	begin();
	event("fresh", 0);
	restore_on("n1", 7, 9000);
	restore_on("n2", 7, 9000);
	saved = ask(7, 9000);
	ck_assert(!spent(7));
	r = saved;
	restore_on("n3", 7, 9000);
	saved = ask(7, 9000);
	ck_assert(spent(7));
	r = saved;
	/* not when it had gone on in between */
	newest(8, 9500000);
	ck_assert(!spent(7));
	ck_assert_int_eq(r.starts, 0);
}
END_TEST

START_TEST(lost_in_the_middle_of_a_restore)
{
	begin();
	event("fresh", 0);
	pass(100);
	event("restoring", 7);
	event("restoring", 7);
	newest(7, 9000000);
	ck_assert(spent(7));
	ck_assert(cr_restart_wait(&r, now * 1000) > 0);
}
END_TEST

START_TEST(a_restore_that_failed_was_no_start)
{
	begin();
	event("fresh", 0);
	pass(4000);
	event("stopped", 7);
	for (int i = 0; i < 50; i++) {
		event("restoring", 7);
		event("restore-failed", 7);
		event("restoring", 6);
		event("restored", 6);
		event("stopped", 6);
	}
	newest(6, 8000000);
	ck_assert(!spent(7));
	ck_assert(!over());
}
END_TEST

START_TEST(the_wait_grows_and_is_bounded)
{
	static const int64_t wants[] = {30, 60, 120, 240, 480, 960, 1920, 3600, 3600};

	begin();
	event("fresh", 0);
	pass(4000);
	event("stopped", 7);
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		struct cr_restart saved;

		restore(7, 9000);
		pass(1);
		event("ended", 7);
		saved = ask(7, 9000);
		ck_assert_int_eq(cr_restart_wait(&r, now * 1000), wants[i]);
		ck_assert_int_eq(cr_restart_wait(&r, (now + 10) * 1000), wants[i] - 10);
		ck_assert_int_eq(cr_restart_wait(&r, (now + 10000) * 1000), 0);
		r = saved;
		/* asked for once and not again, whatever Slurm makes of it */
		event("delayed", 7);
		saved = ask(7, 9000);
		ck_assert_int_eq(cr_restart_wait(&r, now * 1000), 0);
		r = saved;
	}
}
END_TEST

START_TEST(who_was_held_begins_anew)
{
	begin();
	event("fresh", 0);
	for (int i = 0; i < 20; i++) {
		restore(7, 9000);
		pass(1);
		event("ended", 7);
	}
	event("held", 7);
	newest(7, 9000000);
	ck_assert(!spent(7));
	ck_assert(!over());
	ck_assert_int_eq(cr_restart_wait(&r, now * 1000), 0);
}
END_TEST

START_TEST(what_completed_is_over)
{
	begin();
	event("fresh", 0);
	for (int i = 0; i < 20; i++) {
		restore(7, 9000);
		pass(1);
		event("ended", 7);
	}
	restore(7, 9000);
	event("completed", 7);
	newest(0, 0);
	ck_assert(!spent(7));
	ck_assert(!over());
}
END_TEST

START_TEST(ways_out)
{
	begin();
	ck_assert_int_eq(cr_restart_fallback(&r, CR_FALLBACK_HOLD, false), CR_FALLBACK_HOLD);
	ck_assert_int_eq(cr_restart_fallback(&r, CR_FALLBACK_FRESH, false), CR_FALLBACK_FRESH);
	ck_assert_int_eq(cr_restart_fallback(&r, CR_FALLBACK_FAIL, false), CR_FALLBACK_FAIL);
	/* a start from the beginning would not end what goes on for ever */
	ck_assert_int_eq(cr_restart_fallback(&r, CR_FALLBACK_FRESH, true), CR_FALLBACK_HOLD);
	ck_assert_int_eq(cr_restart_fallback(&r, CR_FALLBACK_FAIL, true), CR_FALLBACK_FAIL);
	/* nor an end that Slurm answers with another start */
	event("fresh", 0);
	event("gave-up", 0);
	newest(7, 9000000);
	ck_assert_int_eq(cr_restart_fallback(&r, CR_FALLBACK_FAIL, true), CR_FALLBACK_HOLD);
	restore(7, 9000);
	pass(5000);
	event("stopped", 8);
	newest(8, 14000000);
	ck_assert_int_eq(cr_restart_fallback(&r, CR_FALLBACK_FAIL, true), CR_FALLBACK_FAIL);
}
END_TEST

/* The generations of the run before are there yet, cannot be used, and have higher numbers and other clocks. */
START_TEST(an_earlier_runs_checkpoints_are_no_progress)
{
	struct cr_restart saved;

	begin();
	event("fresh", 0);
	pass(900000);
	event("ended", 7);
	for (int i = 0; i < 11; i++) {
		run = 2;
		job = 5000;
		event("fresh", 0);
		pass(1);
		event("ended", 0);
		saved = r;
		run = 1;
		newest(7, 999999000);
		ck_assert_int_eq(r.starts, i + 1);
		ck_assert_int_eq(r.far_ms, 900000000);
		if (i < 10) {
			ck_assert(!over());
			r = saved;
		}
	}
	ck_assert(over());
	/* nor is a restore of one, which can be read again */
	begin();
	run = 2;
	event("fresh", 0);
	pass(1);
	event("ended", 0);
	run = 1;
	restore(7, 905000);
	ck_assert_int_eq(r.starts, 1);
	/* what is made from there on is */
	saved = ask(8, 906000);
	ck_assert_int_eq(r.starts, 0);
	r = saved;
	newest(7, 905000000);
	ck_assert_int_eq(r.starts, 2);
}
END_TEST

/* It was cut off, and went on, while the job was started elsewhere. */
START_TEST(what_an_older_start_says_counts_nowhere)
{
	begin();
	event_on("n1", "fresh", 0);
	pass(4000);
	restart = 1;
	event_on("n2", "start", 3);
	restart = 0;
	event_on("n1", "completed", 4);
	ck_assert_uint_eq(r.completed, 0);
	restart = 1;
	for (int i = 0; i < 11; i++) {
		restore_on("n2", 3, 9000);
		pass(1);
		event_on("n2", "ended", 3);
		restart = 0;
		event_on("n1", "completed", 4);
		event_on("n1", "stopped", 4);
		restart = 1;
	}
	ck_assert_uint_eq(r.completed, 0);
	newest(3, 9000000);
	ck_assert(over());
	event_on("n2", "completed", 3);
	ck_assert_uint_eq(r.completed, 1);
	/* which is remembered, also when the job is requeued and held after it */
	event_on("n2", "held", 3);
	ck_assert_uint_eq(r.completed, 1);
	newest(3, 9000000);
	ck_assert_int_eq(r.starts, 0);
}
END_TEST

/* A store that is full, or that may only be read. */
START_TEST(starts_that_leave_nothing)
{
	begin();
	ck_assert(!cr_restart_silent(&r, 10, why, sizeof(why)));
	ck_assert(cr_restart_silent(&r, 11, why, sizeof(why)));
	ck_assert_str_eq(why, "it was started 11 times and left neither a checkpoint nor a line in its journal");
	event("fresh", 0);
	restart = 3;
	event("start", 7);
	restore(7, 9000);
	event("held", 7);
	newest(7, 9000000);
	ck_assert(!cr_restart_silent(&r, 13, why, sizeof(why)));
	ck_assert(cr_restart_silent(&r, 14, why, sizeof(why)));
	/* only the journal cannot be written */
	restart = 9;
	newest(8, 10000000);
	ck_assert(!cr_restart_silent(&r, 19, why, sizeof(why)));
	ck_assert(cr_restart_silent(&r, 20, why, sizeof(why)));
	/* slurmctld has lost count */
	ck_assert(!cr_restart_silent(&r, 0, why, sizeof(why)));
}
END_TEST

/* Journals of before know no clock of the job's, and no attempt. */
START_TEST(old_journals)
{
	begin();
	job = 0;
	event("fresh", 0);
	for (int i = 0; i < 2; i++) {
		now += 100;
		event("restored", 7);
		now += 5;
		event("ended", 7);
	}
	newest(7, 0);
	ck_assert(spent(7));
	begin();
	job = 0;
	event("fresh", 0);
	now += 5;
	event("ended", 0);
	now += 100;
	event("restored", 7);
	now += 10000;
	event("ended", 9);
	newest(9, 0);
	ck_assert_int_eq(r.starts, 0);
}
END_TEST

START_TEST(more_generations_than_are_remembered)
{
	begin();
	event("fresh", 0);
	for (uint32_t g = 1; g <= 2 * CR_RESTART_KNOWN; g++) {
		for (int i = 0; i < 2; i++) {
			restore(g, 9000);
			pass(1);
			event("ended", g);
		}
		if (g % 2)
			event("nonsense", g);
	}
	newest(2 * CR_RESTART_KNOWN, 9000000);
	ck_assert(r.n <= CR_RESTART_KNOWN);
	ck_assert(spent(2 * CR_RESTART_KNOWN));
}
END_TEST

START_TEST(what_is_no_event_of_a_start)
{
	static const char *const names[] = {"failed",	      "unable", "unfit", "requeue",
					    "requeue-failed", "passed", ""};

	begin();
	event("ended", 7);
	event("stopped", 7);
	event("restore-failed", 7);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		event(names[i], 7);
	newest(7, 1);
	ck_assert_int_eq(r.starts, 0);
	ck_assert_int_eq(r.row, 0);
}
END_TEST

START_TEST(blame)
{
	ck_assert_int_eq(cr_restart_blame(EBADMSG, "packs/000002.pack: the block at offset 64 is damaged"),
			 CR_BLAME_GENERATION);
	ck_assert_int_eq(cr_restart_blame(ENOMEM, "the image process was killed"), CR_BLAME_NODE);
	ck_assert_int_eq(cr_restart_blame(ENOSPC, "/tmp"), CR_BLAME_NODE);
	ck_assert_int_eq(cr_restart_blame(EIO, "criu restore was killed by signal 9: no error in its log"),
			 CR_BLAME_NODE);
	ck_assert_int_eq(cr_restart_blame(EIO,
					  "criu restore ended with 1: Error (criu/sk-inet.c:1044): inet: Can't "
					  "bind inet socket (id 28): Address already in use"),
			 CR_BLAME_NODE);
	ck_assert_int_eq(cr_restart_blame(EIO, "criu restore ended with 1: Error (criu/files-reg.c:1831): File "
					       "data has bad size 7 (expect 6)"),
			 CR_BLAME_NOBODY);
	ck_assert_int_eq(cr_restart_blame(EPERM, ""), CR_BLAME_NOBODY);
	ck_assert_int_eq(cr_restart_blame(0, ""), CR_BLAME_NOBODY);
}
END_TEST

START_TEST(times)
{
	char text[64];

	ck_assert_int_eq(cr_time_parse("2026-11-25T22:40:03.250Z"), INT64_C(1795646403250000000));
	ck_assert_int_eq(cr_time_parse("1970-01-01T00:00:01Z"), 1000000000);
	ck_assert_str_eq(cr_time_format(cr_time_parse("2026-11-25T22:40:03.250Z"), text, sizeof(text)),
			 "2026-11-25T22:40:03.250Z");
	ck_assert_int_eq(cr_time_parse(""), 0);
	ck_assert_int_eq(cr_time_parse("yesterday"), 0);
	ck_assert_int_eq(cr_time_parse("2026-11-25T22:40:03.250"), 0);
	ck_assert_int_eq(cr_time_parse("2026-11-25T22:40:03.99999999999999999999Z"), INT64_C(1795646403999999999));
}
END_TEST

UNIT_MAIN("restart", {nothing_has_happened, false}, {a_first_death_is_no_reason_and_a_second_one_is, false},
	  {a_late_death_is_none_of_the_generation, false}, {the_jobs_clock_counts_not_the_nodes, false},
	  {a_newer_checkpoint_forgives, false}, {a_checkpoint_on_the_way_to_the_same_end_is_no_progress, false},
	  {from_the_beginning_again_and_again, false}, {a_cap_of_none, false},
	  {what_slurm_or_a_user_wanted_is_nobodys_fault, false}, {killed_before_it_could_say_so, false},
	  {lost_nodes, false}, {lost_in_the_middle_of_a_restore, false},
	  {a_restore_that_failed_was_no_start, false}, {the_wait_grows_and_is_bounded, false},
	  {who_was_held_begins_anew, false}, {what_completed_is_over, false}, {ways_out, false},
	  {an_earlier_runs_checkpoints_are_no_progress, false}, {what_an_older_start_says_counts_nowhere, false},
	  {starts_that_leave_nothing, false}, {old_journals, false}, {more_generations_than_are_remembered, false},
	  {what_is_no_event_of_a_start, false}, {blame, false}, {times, false})
