/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* several.c - the same done to all jobs that were selected */

#include "several.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crew.h"
#include "drain.h"
#include "move.h"
#include "output.h"
#include "proc.h"

enum { SLURM_MS = 60 * 1000 };

struct several {
	const struct cli *cli;
	int (*one)(const struct cli *cli, json_t **reply, struct cr_error *err);
	struct selection *selection;
	json_t *answers; /* in the order in which they came */
	json_t *bare;	 /* names of jobs without checkpoints */
	size_t done, failed;
};

/* ---- what is said of one ---- */

static bool has(const json_t *reply, const char *key)
{
	return json_is_true(json_object_get(reply, key));
}

static void print_done(const char *name, const json_t *reply)
{
	json_t *freeze = json_object_get(reply, "freeze_ms");
	const char *to = json_string_value(json_object_get(reply, "to"));

	printf("job %s: generation %lld committed", name,
	       (long long)json_integer_value(json_object_get(reply, "generation")));
	if (json_is_number(freeze))
		printf(", frozen %.0f ms", json_number_value(freeze));
	if (has(reply, "requeued"))
		printf(", requeued%s", has(reply, "again") ? " by another command" : "");
	if (has(reply, "held"))
		printf(", held");
	if (to)
		printf(", to start on %s", to);
	putchar('\n');
	(void)fflush(stdout);
}

static void complain(const char *text)
{
	fputs("scheckpoint: ", stderr);
	output_text_to(stderr, text);
	fputc('\n', stderr);
}

/* Text that is no JSON string as it is: a name of somebody's in another encoding. */
static json_t *text_json(const char *text)
{
	json_t *value = json_string(text);
	char plain[sizeof(((struct cr_error *)0)->text)];

	if (value)
		return value;
	snprintf(plain, sizeof(plain), "%s", text);
	for (char *p = plain; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(plain);
}

static json_t *failure_json(const struct target *target, const struct cr_error *why)
{
	return json_pack("{s:b, s:s, s:o, s:b}", "ok", 0, "name", target->name, "error", text_json(why->text),
			 "covered", why->errnum != ENOTSUP);
}

/* ---- each of them ---- */

static json_t *work(size_t i, void *arg)
{
	const struct several *all = arg;
	const struct selection_job *job = all->selection->jobs[i];
	struct cli cli = *all->cli;
	struct cr_error why = {0};
	json_t *reply = NULL;

	cli.target = job->target;
	cli.deadline = clock_ms() + (int64_t)cli.timeout * 1000;
	if (all->one(&cli, &reply, &why) == 0) {
		(void)json_object_set_new(reply, "name", json_string(job->target.name));
		return reply;
	}
	json_decref(reply);
	reply = failure_json(&job->target, &why);
	(void)json_object_set_new(reply, "job", json_integer(job->id));
	return reply;
}

/* A job that was named is to be done; of one that only met a condition it is said at the end that it was not. */
static bool is_bare(const struct selection_job *job, const json_t *answer)
{
	return !job->is_named && json_is_false(json_object_get(answer, "covered"));
}

static void told(size_t i, json_t *answer, void *arg)
{
	struct several *all = arg;
	const struct selection_job *job = all->selection->jobs[i];
	json_auto_t *lost = NULL;
	struct cr_error why;

	if (!answer) {
		cr_error_set(&why, EIO, "job %s: the process that dealt with it ended without a word",
			     job->target.name);
		answer = lost = failure_json(&job->target, &why);
	}
	if (is_bare(job, answer)) {
		(void)json_array_append_new(all->bare, json_string(job->target.name));
		return;
	}
	(void)json_object_del(answer, "covered");
	(void)json_array_append(all->answers, answer);
	if (!has(answer, "ok")) {
		all->failed++;
		complain(json_string_value(json_object_get(answer, "error")));
		return;
	}
	all->done++;
	if (!all->cli->json)
		print_done(job->target.name, answer);
}

static void tell_missing(struct several *all)
{
	for (size_t i = 0; i < all->selection->n_missing; i++) {
		const struct selection_missing *missing = &all->selection->missing[i];
		struct cr_error why;

		cr_error_set(&why, ENOENT, "job %s: %s", missing->target.name, missing->why);
		complain(why.text);
		(void)json_array_append_new(all->answers, failure_json(&missing->target, &why));
		all->failed++;
	}
}

/* ---- all of them ---- */

static void print_bare(const struct several *all)
{
	size_t n = json_array_size(all->bare);

	if (!n)
		return;
	printf("not covered (no --checkpoint, or only just started):");
	for (size_t i = 0; i < n; i++)
		printf(" %s", json_string_value(json_array_get(all->bare, i)));
	putchar('\n');
}

static void print_others(const struct selection *s)
{
	for (size_t i = 0; i < s->n_others; i++) {
		printf("%s%s (", i ? ", " : "not yours: ", s->others[i]->target.name);
		output_text(s->others[i]->user);
		putchar(')');
	}
	if (s->n_others)
		putchar('\n');
}

static json_t *others_json(const struct selection *s)
{
	json_t *others = json_array();

	for (size_t i = 0; i < s->n_others; i++)
		(void)json_array_append_new(others, json_pack("{s:s, s:s}", "name", s->others[i]->target.name,
							      "user", s->others[i]->user));
	return others;
}

static int print_all(const struct several *all, const char *done, struct cr_error *err)
{
	json_auto_t *sum = NULL;

	if (all->cli->json) {
		sum = json_pack("{s:O, s:I, s:I, s:O, s:o}", "jobs", all->answers, "done", (json_int_t)all->done,
				"failed", (json_int_t)all->failed, "not_covered", all->bare, "not_yours",
				others_json(all->selection));
		return sum ? output_json(sum, err) : cr_error_sys(err, ENOMEM, "answer");
	}
	print_bare(all);
	print_others(all->selection);
	printf("%zu %s", all->done, done);
	if (all->failed)
		printf(", %zu failed", all->failed);
	if (json_array_size(all->bare))
		printf(", %zu not covered", json_array_size(all->bare));
	if (all->selection->n_others)
		printf(", %zu not yours", all->selection->n_others);
	putchar('\n');
	return 0;
}

static int verdict(const struct several *all, const char *done, struct cr_error *err)
{
	size_t left = json_array_size(all->bare) + all->selection->n_others;

	if (all->failed)
		return cr_error_set(err, EIO, "not all jobs are %s", done);
	if (!left)
		return 0;
	cr_error_set(err, ENOTSUP, "%zu job%s left as %s", left, left == 1 ? " is" : "s are",
		     left == 1 ? "it was" : "they were");
	return all->done ? SEVERAL_PARTLY : -1;
}

static int run_all(struct several *all, const char *done, struct cr_error *err)
{
	const struct crew crew = {.work = work, .told = told, .arg = all};
	const struct selection *s = all->selection;

	if (!s->n && !s->n_missing && !s->n_others)
		return cr_error_set(err, ESRCH, "no job that runs is selected");
	all->answers = json_array();
	all->bare = json_array();
	if (!all->answers || !all->bare)
		return cr_error_sys(err, ENOMEM, "answers");
	tell_missing(all);
	/* those that it did not come to are not among the answers */
	if (crew_run(&crew, s->n, (size_t)all->cli->at_once, err) < 0) {
		all->failed += s->n - all->done - all->failed;
		complain(err->text);
	}
	if (print_all(all, done, err) < 0)
		return -1;
	return verdict(all, done, err);
}

static int run_one(const struct several *all, struct cr_error *err)
{
	const struct selection *s = all->selection;
	json_auto_t *reply = NULL;
	struct cli cli = *all->cli;

	if (s->n_missing)
		return cr_error_set(err, ENOENT, "job %s: %s", s->missing[0].target.name, s->missing[0].why);
	cli.target = s->jobs[0]->target;
	if (all->one(&cli, &reply, err) < 0)
		return -1;
	if (cli.json)
		return output_json(reply, err);
	print_done(cli.target.name, reply);
	return 0;
}

/* Nodes are drained for a selection that is one, and what has started there until then is one of the selected. */
static int select_jobs(const struct cli *cli, struct selection *selection, struct cr_error *err)
{
	if (selection_find(&cli->wish, clock_ms() + SLURM_MS, selection, err) < 0)
		return -1;
	if (!cli->drain)
		return 0;
	if (drain_nodes(cli->wish.nodes, cli->drain, clock_ms() + SLURM_MS, err) < 0)
		return -1;
	selection_clear(selection);
	return selection_find(&cli->wish, clock_ms() + SLURM_MS, selection, err);
}

int several_run(const struct cli *cli, int (*one)(const struct cli *cli, json_t **reply, struct cr_error *err),
		const char *done, struct cr_error *err)
{
	cleanup_selection struct selection selection = {0};
	struct several all = {.cli = cli, .one = one, .selection = &selection};
	int rc;

	if (cli->to && move_check_node(cli->to, clock_ms() + SLURM_MS, err) < 0)
		return -1;
	if (select_jobs(cli, &selection, err) < 0)
		return -1;
	rc = selection.is_one ? run_one(&all, err) : run_all(&all, done, err);
	json_decref(all.answers);
	json_decref(all.bare);
	return rc;
}
