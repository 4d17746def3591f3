/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* show.c - scheckpoint show JOBID[.GEN]: all that is known of one checkpoint */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "cli.h"
#include "control.h"
#include "job.h"
#include "output.h"
#include "record.h"
#include "starts.h"

static bool has_state(const json_t *record, const char *state)
{
	return !strcmp(json_string_value(json_object_get(record, "state")), state);
}

/* The named generation, or the newest that is a checkpoint. */
static json_t *pick(const json_t *records, uint32_t generation)
{
	json_t *record, *found = NULL;
	size_t i;

	json_array_foreach (records, i, record) {
		bool is_it = generation ? json_integer_value(json_object_get(record, "generation")) == generation
					: has_state(record, "committed") || has_state(record, "damaged");

		if (is_it)
			found = record;
	}
	return found;
}

/* What the job's own look at itself has found, so long as nothing came of it. NULL: nothing. The caller frees. */
static char *found_unable(const char *dir, uint32_t job)
{
	json_auto_t *record = json_pack("{s:I, s:s}", "job", (json_int_t)job, "part", CONTROL_PART);
	json_auto_t *events = NULL;
	const char *text = NULL;
	json_t *event;
	size_t i;

	if (!record || record_events(dir, record, &events, NULL) < 0)
		return NULL;
	json_array_foreach (events, i, event) {
		const char *name = json_string_value(json_object_get(event, "event"));

		if (name && !strcmp(name, "unable"))
			text = json_string_value(json_object_get(event, "text"));
	}
	return text ? strdup(text) : NULL;
}

/* Say why there is nothing to show, with the newest attempt's error when there was one. */
static int nothing_to_show(const struct cli *cli, const char *dir, uint32_t id, const json_t *records,
			   struct cr_error *err)
{
	cleanup_free char *unable = found_unable(dir, id);
	const char *why = NULL;
	json_t *record;
	size_t i;

	if (cli->target.generation)
		return cr_error_set(err, ENOENT, "job %s has no generation %u: see scheckpoint list %s",
				    cli->target.name, cli->target.generation, cli->target.name);
	json_array_foreach (records, i, record)
		if (has_state(record, "failed"))
			why = json_string_value(json_object_get(record, "error"));
	if (why)
		return cr_error_set(err, ENOENT, "job %s has no checkpoint; the last attempt failed: %s",
				    cli->target.name, why);
	if (unable)
		return cr_error_set(err, ENOENT, "job %s has no checkpoint, and cannot be checkpointed: %s",
				    cli->target.name, unable);
	return cr_error_set(err, ENOENT, "job %s has no checkpoint", cli->target.name);
}

/* ---- for people ---- */

static void print_label(const char *label)
{
	printf("%-11s ", label);
}

static void print_string(const char *label, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text || !*text)
		return;
	print_label(label);
	output_text(text);
	putchar('\n');
}

static void print_head(const json_t *record)
{
	const char *user = json_string_value(json_object_get(record, "user"));

	print_label("job");
	printf("%lld", (long long)json_integer_value(json_object_get(record, "job")));
	if (user) {
		fputs(" of ", stdout);
		output_text(user);
	}
	putchar('\n');
	print_string("part", record, "part");
	print_label("generation");
	printf("%lld, ", (long long)json_integer_value(json_object_get(record, "generation")));
	output_text(json_string_value(json_object_get(record, "state")));
	putchar('\n');
	print_string("error", record, "error");
	print_string("time", record, "time");
	print_string("reason", record, "reason");
	print_string("node", record, "node");
	print_string("command", record, "command");
	print_string("path", record, "path");
}

static void print_cost(const json_t *record)
{
	char buf[OUTPUT_CELL];

	if (!json_is_number(json_object_get(record, "freeze_ms")))
		return;
	print_label("frozen");
	puts(output_ms(json_object_get(record, "freeze_ms"), buf));
	print_label("drained");
	puts(output_ms(json_object_get(record, "drain_ms"), buf));
	print_label("image");
	puts(output_bytes(json_object_get(record, "image_bytes"), buf));
	print_label("stored");
	puts(output_bytes(json_object_get(record, "stored_bytes"), buf));
}

static void print_need(const json_t *record)
{
	const json_t *tasks = json_object_get(record, "tasks");

	if (!tasks)
		return;
	print_label("processes");
	printf("%lld\n", (long long)json_integer_value(tasks));
	print_label("run");
	printf("%lld, restart %lld of the job\n", (long long)json_integer_value(json_object_get(record, "run")),
	       (long long)json_integer_value(json_object_get(record, "restart")));
	print_string("kernel", record, "kernel");
	print_string("criu", record, "criu");
	print_string("glibc", record, "glibc");
	print_string("cpu", record, "cpu_model");
	print_string("cpu flags", record, "cpu_flags");
	print_string("script", record, "script");
}

static void print_word(const json_t *event, const char *before, const char *key)
{
	const char *text = json_string_value(json_object_get(event, key));

	if (!text || !*text)
		return;
	fputs(before, stdout);
	output_text(text);
}

/* Is it a further name of a file that comes before? Its content is with the first one. */
static bool output_again(const json_t *outputs, size_t number)
{
	const json_t *output = json_array_get(outputs, number), *ino = json_object_get(output, "ino");

	for (size_t i = 0; i < number && json_integer_value(json_object_get(output, "links")) > 1; i++) {
		const json_t *other = json_array_get(outputs, i);

		if (json_equal(json_object_get(other, "ino"), ino) &&
		    json_equal(json_object_get(other, "dev"), json_object_get(output, "dev")))
			return true;
	}
	return false;
}

static void print_files(const json_t *record)
{
	const json_t *outputs = json_object_get(record, "outputs"), *output;
	char buf[OUTPUT_CELL];
	size_t i;

	if (!outputs)
		return;
	print_label("files");
	printf("%zu in the checkpoint\n", json_array_size(json_object_get(record, "files")));
	json_array_foreach (outputs, i, output) {
		print_label("output");
		print_word(output, "", "path");
		/* a name that is not UTF-8 */
		print_word(output, "hex ", "path_hex");
		printf(" at %s%s\n", output_bytes(json_object_get(output, "size"), buf),
		       json_is_string(json_object_get(output, "saved")) ? ", copied"
		       : output_again(outputs, i)			? ", another name"
									: ", not copied");
	}
}

static bool is_interval(const json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "event"));

	return name && !strcmp(name, "interval");
}

static void print_event(const json_t *event)
{
	json_int_t generation = json_integer_value(json_object_get(event, "generation"));
	char buf[OUTPUT_CELL];

	print_label("event");
	print_word(event, "", "time");
	print_word(event, " ", "event");
	if (generation)
		printf(" generation %lld", (long long)generation);
	print_word(event, " on ", "node");
	if (json_is_number(json_object_get(event, "ms")) && !is_interval(event))
		printf(" in %s", output_ms(json_object_get(event, "ms"), buf));
	print_word(event, ", reason ", "reason");
	print_word(event, ": ", "text");
	putchar('\n');
}

static int print_record(const json_t *record)
{
	const json_t *events = json_object_get(record, "events"), *event;
	size_t i;

	print_head(record);
	print_cost(record);
	print_string("interval", record, "interval");
	print_need(record);
	print_files(record);
	print_label("restores");
	printf("%lld\n", (long long)json_integer_value(json_object_get(record, "restores")));
	starts_print(json_object_get(record, "starts"));
	print_string("next", record, "next");
	json_array_foreach (events, i, event) {
		print_event(event);
	}
	return 0;
}

/* ---- the verb ---- */

/* The interval that is in use, and what it comes from. */
static int interval_set(json_t *record, const json_t *events)
{
	const json_t *event, *newest = NULL;
	size_t i;

	json_array_foreach (events, i, event) {
		if (is_interval(event))
			newest = event;
	}
	return json_object_set(record, "interval_ms", newest ? json_object_get(newest, "ms") : json_null()) |
	       json_object_set(record, "interval", newest ? json_object_get(newest, "text") : json_null());
}

static int complete(const struct cli *cli, const char *dir, json_t *record, struct cr_error *err)
{
	char next[1024];
	json_t *events;

	if (has_state(record, "committed") && record_detail(record, err) < 0)
		return -1;
	if (record_events(dir, record, &events, err) < 0)
		return -1;
	if (starts_next(cli, dir, record, next, sizeof(next), err) < 0) {
		json_decref(events);
		return -1;
	}
	if (interval_set(record, events) < 0 || json_object_set_new(record, "events", events) < 0 ||
	    json_object_set_new(record, "starts", starts_of(events)) < 0 ||
	    json_object_set_new(record, "next", record_text(next)) < 0)
		return cr_error_sys(err, ENOMEM, "record");
	return 0;
}

int cli_show(const struct cli *cli, struct cr_error *err)
{
	json_auto_t *records = json_array();
	char dir[PATH_MAX];
	json_t *record;
	uint32_t job;

	if (!records)
		return cr_error_sys(err, ENOMEM, "records");
	if (record_directory(cli, dir, err) < 0 || job_resolve(&cli->target, cli->deadline, &job, err) < 0 ||
	    record_load(dir, job, records, err) < 0)
		return -1;
	record = pick(records, cli->target.generation);
	if (!record)
		return nothing_to_show(cli, dir, job, records, err);
	if (complete(cli, dir, record, err) < 0)
		return -1;
	return cli->json ? output_json(record, err) : print_record(record);
}
