/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* journal.c - the part's journal.jsonl: one JSON object a line, appended and synced; see store.h */

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fs.h"
#include "jsontext.h"
#include "store.h"

static int journal_path(const struct cr_store *s, char *buf, struct cr_error *err)
{
	int length = snprintf(buf, PATH_MAX, "%s/journal.jsonl", s->dir);

	if (length < 0 || length >= PATH_MAX)
		return cr_error_sys(err, ENAMETOOLONG, "%.64s...", s->dir);
	return 0;
}

/* A member of an event that may be missing. */
static json_t *journal_text(const char *text)
{
	return text ? cr_json_text(text) : json_null();
}

/* One line without its newline, malloc'ed. */
static char *journal_encode(const struct cr_journal_event *event)
{
	json_auto_t *line = json_object();

	if (json_object_set_new(line, "time", journal_text(event->time)) < 0 ||
	    json_object_set_new(line, "event", journal_text(event->event)) < 0 ||
	    json_object_set_new(line, "generation", json_integer(event->generation)) < 0 ||
	    json_object_set_new(line, "run", json_integer(event->run)) < 0 ||
	    json_object_set_new(line, "restart", json_integer(event->restart)) < 0 ||
	    json_object_set_new(line, "node", journal_text(event->node)) < 0 ||
	    json_object_set_new(line, "reason", journal_text(event->reason)) < 0 ||
	    json_object_set_new(line, "text", journal_text(event->text)) < 0 ||
	    json_object_set_new(line, "ms", json_integer(event->ms)) < 0 ||
	    json_object_set_new(line, "clock_ms", json_integer(event->clock_ms)) < 0)
		return NULL;
	return json_dumps(line, JSON_COMPACT);
}

/* Did a crash tear the last line? Then ours must not continue it. */
static int journal_torn(int fd, const char *path, bool *torn, struct cr_error *err)
{
	struct stat st;
	char last;

	*torn = false;
	if (fstat(fd, &st) < 0)
		return cr_error_sys(err, errno, "cannot stat %s", path);
	if (!S_ISREG(st.st_mode))
		return cr_error_set(err, EINVAL, "%s is not a regular file", path);
	if (st.st_size == 0)
		return 0;
	if (pread(fd, &last, 1, st.st_size - 1) != 1)
		return cr_error_sys(err, errno, "cannot read %s", path);
	*torn = last != '\n';
	return 0;
}

/* The line in one write, so that two writers do not mix theirs. */
static int journal_write(int fd, const char *path, const char *line, struct cr_error *err)
{
	cleanup_free char *text = NULL;
	bool torn;
	int length;

	if (journal_torn(fd, path, &torn, err) < 0)
		return -1;
	length = asprintf(&text, "%s%s\n", torn ? "\n" : "", line);
	if (length < 0) {
		text = NULL;
		return cr_error_sys(err, ENOMEM, "journal");
	}
	if (cr_fs_write_all(fd, text, (size_t)length, err) < 0)
		return cr_error_prefix(err, "%s", path);
	return cr_fs_sync(fd, path, err);
}

int cr_journal_append(const struct cr_store *s, const struct cr_journal_event *event, struct cr_error *err)
{
	cleanup_free char *line = NULL;
	char path[PATH_MAX];
	int fd, rc;

	if (!event->event || !event->node || !event->time)
		return cr_error_set(err, EINVAL, "a journal event needs a name, a node and a time");
	if (journal_path(s, path, err) < 0)
		return -1;
	line = journal_encode(event);
	if (!line)
		return cr_error_sys(err, ENOMEM, "journal");
	fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return cr_error_sys(err, errno, "cannot open %s", path);
	rc = journal_write(fd, path, line, err);
	if (close(fd) < 0 && rc == 0)
		rc = cr_error_sys(err, errno, "cannot close %s", path);
	/* always: who created it may not have come so far */
	return rc < 0 ? -1 : cr_fs_sync_dir(s->dir, err);
}

static bool get_u32(const json_t *line, const char *key, uint32_t *number)
{
	const json_t *value = json_object_get(line, key);
	json_int_t v = json_integer_value(value);

	if (!json_is_integer(value) || v < 0 || v > UINT32_MAX)
		return false;
	*number = (uint32_t)v;
	return true;
}

/* A text, or null or no key at all where null_ok. */
static bool get_text(const json_t *line, const char *key, bool null_ok, const char **text)
{
	const json_t *value = json_object_get(line, key);

	*text = json_string_value(value);
	return *text || (null_ok && (!value || json_is_null(value)));
}

/* False for a line that is torn or not ours. The event's texts belong to line. Keys that a later version
 * adds are passed over. */
static bool journal_decode(const json_t *line, struct cr_journal_event *event)
{
	const json_t *ms = json_object_get(line, "ms");

	*event = (struct cr_journal_event){.ms = json_is_integer(ms) ? json_integer_value(ms) : -1,
					   .clock_ms = json_integer_value(json_object_get(line, "clock_ms"))};
	return get_text(line, "time", false, &event->time) && get_text(line, "event", false, &event->event) &&
	       get_text(line, "node", false, &event->node) && get_text(line, "reason", true, &event->reason) &&
	       get_text(line, "text", true, &event->text) && get_u32(line, "generation", &event->generation) &&
	       get_u32(line, "run", &event->run) && get_u32(line, "restart", &event->restart);
}

int cr_journal_each(const struct cr_store *s, int (*each)(const struct cr_journal_event *event, void *arg),
		    void *arg, struct cr_error *err)
{
	cleanup_close int fd = -1;
	cleanup_fclose FILE *file = NULL;
	cleanup_free char *text = NULL;
	char path[PATH_MAX];
	size_t room = 0;
	ssize_t length;
	int rc;

	if (journal_path(s, path, err) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : cr_error_sys(err, errno, "cannot open %s", path);
	file = fdopen(fd, "r");
	if (!file)
		return cr_error_sys(err, errno, "cannot read %s", path);
	fd = -1; /* the stream's now */
	while ((errno = 0, length = getline(&text, &room, file)) >= 0) {
		json_auto_t *line = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, NULL);
		struct cr_journal_event event;

		if (!line || !journal_decode(line, &event))
			continue;
		rc = each(&event, arg);
		if (rc)
			return rc;
	}
	return feof(file) ? 0 : cr_error_sys(err, errno, "cannot read %s", path);
}
