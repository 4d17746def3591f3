/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* record.c - the checkpoints of jobs as JSON objects */

#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "config.h"
#include "control.h"
#include "manifest.h"
#include "store.h"

/* A part while its records are made. */
struct part {
	uint32_t job;
	const char *name;
	struct cr_store store;
	json_t *events;	 /* its journal */
	json_t *records; /* where they go */
};

int record_directory(const struct cli *cli, char dir[PATH_MAX], struct cr_error *err)
{
	struct cr_config config;
	struct passwd *user;

	if (cli->dir) {
		if (realpath(cli->dir, dir))
			return 0;
		return cr_error_sys(err, errno, "%s", cli->dir);
	}
	if (cr_config_read(&config, cli->config, err) < 0)
		return cr_error_prefix(err, "cannot tell where the checkpoints are (--dir=DIR says it)");
	user = getpwuid(getuid());
	if (!user)
		return cr_error_set(err, ENOENT, "uid %u has no name", getuid());
	return cr_config_expand(config.dir, user->pw_uid, user->pw_name, dir, PATH_MAX, err);
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The id in a directory's name; 0 when it is something else. */
static uint32_t name_to_id(const char *name)
{
	struct target target;

	if (target_parse(name, &target, NULL) < 0 || target.is_task || target.generation ||
	    strcmp(name, target.name) != 0)
		return 0;
	return target.job;
}

int record_jobs(const char *dir, uint32_t **jobs, size_t *n, struct cr_error *err)
{
	cleanup_closedir DIR *stream = opendir(dir);
	struct dirent *entry;

	*jobs = NULL;
	*n = 0;
	if (!stream)
		return errno == ENOENT ? 0 : cr_error_sys(err, errno, "%s", dir);
	while ((errno = 0, entry = readdir(stream))) {
		uint32_t id = name_to_id(entry->d_name), *more;

		if (!id)
			continue;
		more = reallocarray(*jobs, *n + 1, sizeof(**jobs));
		if (!more)
			return cr_error_sys(err, ENOMEM, "%s", dir);
		*jobs = more;
		more[(*n)++] = id;
	}
	if (errno)
		return cr_error_sys(err, errno, "%s", dir);
	if (*n)
		qsort(*jobs, *n, sizeof(**jobs), compare_ids);
	return 0;
}

json_t *record_text(const char *text)
{
	cleanup_free char *copy = NULL;
	json_t *json;

	if (!text)
		return json_null();
	json = json_string(text);
	if (json)
		return json;
	/* not UTF-8, perhaps a file's name in a message */
	copy = strdup(text);
	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return copy ? json_string(copy) : NULL;
}

static int append(json_t *array, json_t *item, struct cr_error *err)
{
	return json_array_append_new(array, item) < 0 ? cr_error_sys(err, ENOMEM, "records") : 0;
}

/* ---- the journal ---- */

struct collector {
	json_t *events;
	struct cr_error *err;
};

static int keep_event(const struct cr_journal_event *event, void *arg)
{
	struct collector *to = arg;
	json_t *ms = event->ms < 0 ? json_null() : json_integer(event->ms);

	return append(to->events,
		      json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "event",
				record_text(event->event), "generation", (json_int_t)event->generation, "run",
				(json_int_t)event->run, "restart", (json_int_t)event->restart, "node",
				record_text(event->node), "time", record_text(event->time), "reason",
				record_text(event->reason), "text", record_text(event->text), "ms", ms),
		      to->err);
}

static int load_events(const struct cr_store *store, json_t **events, struct cr_error *err)
{
	struct collector to = {.events = json_array(), .err = err};

	*events = to.events;
	if (!*events)
		return cr_error_sys(err, ENOMEM, "journal");
	if (cr_journal_each(store, keep_event, &to, err) == 0)
		return 0;
	json_decref(*events);
	*events = NULL;
	return -1;
}

static bool is_event(const json_t *event, const char *name, uint32_t generation)
{
	const char *is = json_string_value(json_object_get(event, "event"));

	return is && !strcmp(is, name) && json_integer_value(json_object_get(event, "generation")) == generation;
}

static json_int_t count_events(const json_t *events, const char *name, uint32_t generation)
{
	json_int_t n = 0;
	json_t *event;
	size_t i;

	json_array_foreach (events, i, event)
		n += is_event(event, name, generation);
	return n;
}

/* ---- one record ---- */

/* What every record has; the rest is null until it is known. */
static json_t *new_record(const struct part *part, uint32_t generation, const char *state)
{
	cleanup_free char *step = strndup(part->name, strcspn(part->name, "."));

	if (!step)
		return NULL;
	return json_pack("{s:I, s:s, s:s, s:n, s:I, s:s, s:n, s:n, s:n, s:n, s:n, s:n, s:I, s:n, s:n}", "job",
			 (json_int_t)part->job, "step", step, "part", part->name, "node", "generation",
			 (json_int_t)generation, "state", state, "time", "reason", "freeze_ms", "drain_ms",
			 "image_bytes", "stored_bytes", "restores",
			 count_events(part->events, "restored", generation), "error", "path");
}

/* When path was last changed stands in for a time that nothing else tells. */
static json_t *time_of(const char *path)
{
	char text[32];
	struct stat st;

	if (stat(path, &st) < 0)
		return json_null();
	cr_time_format((int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec, text, sizeof(text));
	return json_string(text);
}

static int set_manifest(json_t *record, const struct cr_manifest *m)
{
	json_t *values = json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "node", record_text(m->node), "time",
				   record_text(m->time), "reason", record_text(m->reason), "freeze_ms",
				   (json_int_t)m->freeze_ms, "drain_ms", (json_int_t)m->drain_ms, "image_bytes",
				   (json_int_t)m->image_bytes, "stored_bytes", (json_int_t)m->stored_bytes);
	int rc = values ? json_object_update(record, values) : -1;

	json_decref(values);
	return rc;
}

static int check_place(const struct part *part, uint32_t generation, const struct cr_manifest *m,
		       struct cr_error *err)
{
	if (m->job == part->job && m->generation == generation && !strcmp(m->part, part->name))
		return 0;
	return cr_error_set(err, EBADMSG, "its manifest is that of job %u, part %s, generation %u", m->job,
			    m->part, m->generation);
}

/* A directory without a good manifest is listed too, as damaged. */
static int add_committed(struct part *part, uint32_t generation, struct cr_error *err)
{
	__attribute__((cleanup(cr_manifest_clear))) struct cr_manifest m = {0};
	char path[PATH_MAX];
	struct cr_error why;
	json_t *record;
	int rc;

	cr_store_path(&part->store, generation, path);
	if (cr_manifest_read(&m, path, &why) < 0 || check_place(part, generation, &m, &why) < 0) {
		/* pruned by the job between the listing and now */
		if (access(path, F_OK) < 0 && errno == ENOENT)
			return 0;
		record = new_record(part, generation, "damaged");
		rc = record ? json_object_set_new(record, "error", record_text(why.text)) |
				      json_object_set_new(record, "time", time_of(path))
			    : -1;
	} else {
		record = new_record(part, generation, "committed");
		rc = record ? set_manifest(record, &m) : -1;
	}
	if (rc == 0)
		rc = json_object_set_new(record, "path", record_text(path));
	if (rc == 0)
		return append(part->records, record, err);
	json_decref(record);
	return cr_error_sys(err, ENOMEM, "records");
}

static int add_failed(struct part *part, const json_t *event, struct cr_error *err)
{
	json_int_t generation = json_integer_value(json_object_get(event, "generation"));
	json_t *record = new_record(part, (uint32_t)generation, "failed");

	if (!record || json_object_set(record, "node", json_object_get(event, "node")) < 0 ||
	    json_object_set(record, "time", json_object_get(event, "time")) < 0 ||
	    json_object_set(record, "reason", json_object_get(event, "reason")) < 0 ||
	    json_object_set(record, "error", json_object_get(event, "text")) < 0) {
		json_decref(record);
		return cr_error_sys(err, ENOMEM, "records");
	}
	return append(part->records, record, err);
}

/* Being written, or left behind by a node that was lost. */
static int add_draining(struct part *part, uint32_t generation, struct cr_error *err)
{
	char path[PATH_MAX];
	json_t *record;

	if (count_events(part->events, "failed", generation))
		return 0;
	cr_store_tmp_path(&part->store, generation, path);
	record = new_record(part, generation, "draining");
	if (!record || json_object_set_new(record, "time", time_of(path)) < 0 ||
	    json_object_set_new(record, "path", record_text(path)) < 0) {
		json_decref(record);
		return cr_error_sys(err, ENOMEM, "records");
	}
	return append(part->records, record, err);
}

/* ---- a part, a job ---- */

/* ".000008.tmp" */
static uint32_t name_to_draining(const char *name)
{
	unsigned long generation;
	char *end;

	if (name[0] != '.' || strspn(name + 1, "0123456789") != strcspn(name + 1, "."))
		return 0;
	generation = strtoul(name + 1, &end, 10);
	return !strcmp(end, ".tmp") && generation <= UINT32_MAX ? (uint32_t)generation : 0;
}

static int add_all_draining(struct part *part, struct cr_error *err)
{
	cleanup_closedir DIR *stream = opendir(part->store.dir);
	struct dirent *entry;

	if (!stream)
		return cr_error_sys(err, errno, "%s", part->store.dir);
	while ((entry = readdir(stream))) {
		uint32_t generation = name_to_draining(entry->d_name);

		if (generation && add_draining(part, generation, err) < 0)
			return -1;
	}
	return 0;
}

static int add_all_failed(struct part *part, struct cr_error *err)
{
	json_t *event;
	size_t i;

	json_array_foreach (part->events, i, event) {
		const char *name = json_string_value(json_object_get(event, "event"));

		if (name && !strcmp(name, "failed") && add_failed(part, event, err) < 0)
			return -1;
	}
	return 0;
}

/* What is being written is looked at first: committed meanwhile, it is listed twice and not never. */
static int load_part(const char *dir, struct part *part, struct cr_error *err)
{
	cleanup_free uint32_t *generations = NULL;
	json_auto_t *events = NULL;
	size_t n;

	if (cr_store_open(&part->store, dir, part->job, part->name, getuid(), false, err) < 0 ||
	    load_events(&part->store, &events, err) < 0)
		return -1;
	part->events = events;
	if (add_all_draining(part, err) < 0 || cr_store_list(&part->store, &generations, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (add_committed(part, generations[i], err) < 0)
			return -1;
	return add_all_failed(part, err);
}

int record_place(const char *dir, uint32_t job, char place[PATH_MAX], struct cr_error *err)
{
	cleanup_free char *path = NULL;
	char id[16], *name;

	snprintf(id, sizeof(id), "%u", job);
	if (asprintf(&path, "%s/%s", dir, id) < 0) {
		path = NULL;
		return cr_error_sys(err, ENOMEM, "records");
	}
	if (!realpath(path, place))
		return errno == ENOENT ? cr_error_set(err, ENOENT, "job %s has no checkpoints below %s", id, dir)
				       : cr_error_sys(err, errno, "%s", path);
	name = strrchr(place, '/');
	if (strcmp(name + 1, id))
		return cr_error_set(err, EINVAL, "%s leads to %s, which is not a directory of job %s", path, place,
				    id);
	*name = '\0';
	return 0;
}

static int compare_records(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	const char *tx = json_string_value(json_object_get(x, "time"));
	const char *ty = json_string_value(json_object_get(y, "time"));
	json_int_t gx = json_integer_value(json_object_get(x, "generation"));
	json_int_t gy = json_integer_value(json_object_get(y, "generation"));

	/* RFC 3339 in UTC sorts as text; a failure without a generation has only its time */
	if (gx && gy && gx != gy)
		return (gx > gy) - (gx < gy);
	return strcmp(tx ? tx : "", ty ? ty : "");
}

static int move_sorted(json_t *from, json_t *to, struct cr_error *err)
{
	size_t n = json_array_size(from);
	cleanup_free json_t **sorted = reallocarray(NULL, n + 1, sizeof(*sorted));

	if (!sorted)
		return cr_error_sys(err, ENOMEM, "records");
	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(from, i);
	qsort(sorted, n, sizeof(*sorted), compare_records);
	for (size_t i = 0; i < n; i++)
		if (append(to, json_incref(sorted[i]), err) < 0)
			return -1;
	return 0;
}

static bool is_part(int parent, const char *name)
{
	struct stat st;

	return cr_manifest_part_ok(name) && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

int record_load(const char *dir, uint32_t job, json_t *records, struct cr_error *err)
{
	cleanup_closedir DIR *stream = NULL;
	json_auto_t *found = json_array();
	char real[PATH_MAX], path[PATH_MAX + 16];
	struct dirent *entry;

	if (!found)
		return cr_error_sys(err, ENOMEM, "records");
	if (record_place(dir, job, real, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/%u", real, job);
	stream = opendir(path);
	if (!stream)
		return cr_error_sys(err, errno, "%s", path);
	while ((entry = readdir(stream))) {
		struct part part = {.job = job, .name = entry->d_name, .records = found};

		if (is_part(dirfd(stream), part.name) && load_part(real, &part, err) < 0)
			return cr_error_prefix(err, "job %u", job);
	}
	return move_sorted(found, records, err);
}

/* ---- what show says beyond list ---- */

int record_events(const char *dir, const json_t *record, json_t **events, struct cr_error *err)
{
	uint32_t job = (uint32_t)json_integer_value(json_object_get(record, "job"));
	const char *part = json_string_value(json_object_get(record, "part"));
	char real[PATH_MAX];
	struct cr_store store;

	if (record_place(dir, job, real, err) < 0 ||
	    cr_store_open(&store, real, job, part, getuid(), false, err) < 0)
		return -1;
	return load_events(&store, events, err);
}

int record_detail(json_t *record, struct cr_error *err)
{
	__attribute__((cleanup(cr_manifest_clear))) struct cr_manifest m = {0};
	cleanup_free char *text = NULL;
	json_auto_t *all = NULL;

	if (cr_manifest_read(&m, json_string_value(json_object_get(record, "path")), err) < 0 ||
	    cr_manifest_encode(&m, &text, err) < 0)
		return -1;
	all = json_loads(text, 0, NULL);
	if (!all || json_object_update_missing(record, all) < 0)
		return cr_error_sys(err, ENOMEM, "manifest");
	return 0;
}
