/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "starts.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "config.h"
#include "output.h"
#include "record.h"
#include "restart.h"
#include "store.h"

/* ---- how they went ---- */

static const struct {
	const char *event, *how;
	bool runs; /* the job's processes run then */
} kinds[] = {
	{"fresh", "fresh", true},      {"restored", "restored", true}, {"requeue", "requeued", false},
	{"delayed", "delayed", false}, {"held", "held", false},	       {"gave-up", "failed", false},
};

static int start_add(json_t *starts, const json_t *event, size_t kind)
{
	return json_array_append_new(starts, json_pack("{s:O, s:O, s:O, s:s, s:O, s:O, s:n}", "restart",
						       json_object_get(event, "restart"), "node",
						       json_object_get(event, "node"), "time",
						       json_object_get(event, "time"), "how", kinds[kind].how,
						       "generation", json_object_get(event, "generation"), "why",
						       json_object_get(event, "text"), "end"));
}

/* The end of the newest start that came to run. */
static int end_set(json_t *starts, const char *name, const json_t *event)
{
	json_t *start = json_array_get(starts, json_array_size(starts) - 1);
	const char *text = json_string_value(json_object_get(event, "text"));
	const char *end = strcmp(name, "ended") == 0 ? text : name;

	/* of an older one, on a node that was cut off: it says nothing of this one */
	if (!start || !end ||
	    json_integer_value(json_object_get(event, "restart")) <
		    json_integer_value(json_object_get(start, "restart")))
		return 0;
	return json_object_set_new(start, "end", record_text(end));
}

json_t *starts_of(const json_t *events)
{
	json_t *starts = json_array();
	const json_t *event;
	size_t i;

	json_array_foreach (events, i, event) {
		const char *name = json_string_value(json_object_get(event, "event"));
		int rc = 0;

		if (!name || !starts)
			continue;
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			if (strcmp(name, kinds[k].event) == 0)
				rc |= start_add(starts, event, k);
		if (strcmp(name, "ended") == 0 || strcmp(name, "completed") == 0 || strcmp(name, "stopped") == 0)
			rc |= end_set(starts, name, event);
		if (rc != 0) {
			json_decref(starts);
			return NULL;
		}
	}
	return starts;
}

static const char *text_of(const json_t *start, const char *key)
{
	return json_string_value(json_object_get(start, key));
}

void starts_print(const json_t *starts)
{
	const json_t *start;
	size_t i;

	json_array_foreach (starts, i, start) {
		long long generation = (long long)json_integer_value(json_object_get(start, "generation"));
		const char *how = text_of(start, "how"), *why = text_of(start, "why"),
			   *end = text_of(start, "end");

		printf("%-11s %lld on ", "start",
		       (long long)json_integer_value(json_object_get(start, "restart")));
		output_text(text_of(start, "node"));
		if (strcmp(how, "restored") == 0)
			printf(": restored from generation %lld%s", generation, why ? " instead of " : "");
		else if (strcmp(how, "fresh") == 0)
			printf(": from the beginning%s", why ? " instead of " : "");
		else
			printf(": %s%s", how, why ? ", " : "");
		if (why)
			output_text(why);
		if (end) {
			fputs("; then ", stdout);
			output_text(end);
		}
		putchar('\n');
	}
}

/* ---- what comes ---- */

static int store_find(const char *dir, const json_t *record, struct cr_store *store, struct cr_error *err)
{
	uint32_t job = (uint32_t)json_integer_value(json_object_get(record, "job"));
	char real[PATH_MAX];

	if (record_place(dir, job, real, err) < 0)
		return -1;
	return cr_store_open(store, real, job, text_of(record, "part"), getuid(), false, err);
}

/* 1: the job's, and read; 0: of a run that was complete; -1: it cannot be read. */
static int generation_read(const struct cr_store *store, struct cr_restart *r, uint32_t generation)
{
	__attribute__((cleanup(cr_manifest_clear))) struct cr_manifest m = {0};
	char path[PATH_MAX];
	struct cr_error err;

	cr_store_path(store, generation, path);
	if (cr_manifest_read(&m, path, &err) < 0)
		return -1;
	/* only the first one counts */
	if (r->open)
		cr_restart_newest(r, &m);
	return m.run > r->completed;
}

static void next_say(const struct cr_restart *r, const struct cr_config *config, bool over, const char *why,
		     char *buf, size_t size)
{
	enum cr_fallback f = cr_restart_fallback(r, (enum cr_fallback)config->fallback, over);

	snprintf(buf, size, "%s, unless the job's --checkpoint-fallback says otherwise: %s",
		 f == CR_FALLBACK_FRESH	 ? "from the beginning"
		 : f == CR_FALLBACK_FAIL ? "fails"
					 : "is held",
		 why);
}

int starts_next(const struct cli *cli, const char *dir, const json_t *record, char *buf, size_t size,
		struct cr_error *err)
{
	cleanup_free uint32_t *generations = NULL;
	char why[256], passed[300] = "";
	struct cr_config config;
	struct cr_restart r;
	struct cr_store store;
	size_t n, had = 0;

	if (cr_config_read(&config, cli->config, NULL) < 0)
		cr_config_init(&config); /* with --dir, on a machine that has none */
	cr_restart_init(&r, &(struct cr_restart_limits){.soon = config.restart_soon,
							.tries = config.restart_tries,
							.cap = config.restart_cap,
							.delay = config.restart_delay});
	if (store_find(dir, record, &store, err) < 0 || cr_store_list(&store, &generations, &n, err) < 0 ||
	    cr_journal_each(&store, cr_restart_event, &r, err) < 0)
		return -1;
	for (size_t i = 0; i < n && r.open; i++)
		(void)generation_read(&store, &r, generations[i]);
	cr_restart_newest(&r, NULL);
	if (cr_restart_over(&r, why, sizeof(why))) {
		next_say(&r, &config, true, why, buf, size);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		int rc = generation_read(&store, &r, generations[i]);

		had += rc != 0;
		if (rc > 0 && !cr_restart_spent(&r, generations[i], why, sizeof(why))) {
			snprintf(buf, size, "generation %u%s%s", generations[i], *passed ? " instead of " : "",
				 passed);
			return 0;
		}
		if (rc != 0 && !*passed)
			snprintf(passed, sizeof(passed), "generation %u: %s", generations[i],
				 rc < 0 ? "its manifest cannot be read" : why);
	}
	if (had > 0)
		next_say(&r, &config, false, passed, buf, size);
	else
		snprintf(buf, size, "from the beginning");
	return 0;
}
