/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* verify.c - scheckpoint verify JOBID[.GEN]: read all of a checkpoint and say whether a restore could */

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "cli.h"
#include "control.h"
#include "fs.h"
#include "hash.h"
#include "image.h"
#include "job.h"
#include "manifest.h"
#include "output.h"
#include "proc.h"
#include "record.h"
#include "seal.h"
#include "store.h"

enum { SEAL_MAX = 4096, PROGRESS_MS = 100 };

/* One generation, and what was found out about it. */
struct check {
	uint32_t job, generation;
	const char *part;
	struct cr_store store;
	struct cr_manifest m;
	uint64_t bytes;	  /* of the streams, or of format 1's files */
	uint64_t streams; /* how many */
	const char *seal; /* good, bad, unchecked */
	char seal_error[sizeof(((struct cr_error *)0)->text)];
	int64_t shown; /* clock_ms() of the last progress */
};

/* ---- progress: for people who wait, not for files ---- */

static void progress(uint64_t done, uint64_t total, void *arg)
{
	static const char bar[] = "########################################";
	struct check *c = arg;
	int width = (int)sizeof(bar) - 1, filled = total ? (int)(done * (uint64_t)width / total) : width;

	if (!isatty(2) || (done < total && clock_ms() - c->shown < PROGRESS_MS))
		return;
	c->shown = clock_ms();
	fprintf(stderr, "\rgeneration %u [%.*s%*s] %3u%%", c->generation, filled, bar, width - filled, "",
		total ? (unsigned int)(done * 100 / total) : 100);
}

static void progress_end(const struct check *c)
{
	if (c->shown)
		fputs("\r\033[K", stderr);
}

/* ---- one generation ---- */

static int check_place(const struct check *c, struct cr_error *err)
{
	const struct cr_manifest *m = &c->m;

	if (m->job == c->job && m->generation == c->generation && !strcmp(m->part, c->part))
		return 0;
	return cr_error_set(err, EBADMSG, "its manifest is that of job %u, part %s, generation %u", m->job,
			    m->part, m->generation);
}

/* Whether crinit made it. Where munged does not run, as on some login nodes, nobody can tell. */
static int check_seal(struct check *c, const char *dir, struct cr_error *err)
{
	char path[PATH_MAX + 32], payload[CR_SEAL_PAYLOAD], hash[CR_HASH_HEX];
	cleanup_free char *seal = NULL;
	struct cr_error why;

	c->seal = "bad";
	snprintf(path, sizeof(path), "%s/manifest.json", dir);
	if (cr_hash_file(path, hash, NULL, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/manifest.seal", dir);
	if (cr_fs_read(path, SEAL_MAX, &seal, NULL, err) < 0 ||
	    cr_seal_payload(c->m.job, c->m.uid, c->m.part, c->m.generation, hash, payload, err) < 0)
		return -1;
	if (cr_seal_check(seal, payload, &why) == 0) {
		c->seal = "good";
		return 0;
	}
	if (why.errnum != ECONNREFUSED) {
		*err = why;
		return cr_error_prefix(err, "manifest.seal");
	}
	c->seal = "unchecked";
	snprintf(c->seal_error, sizeof(c->seal_error), "%s", why.text);
	return 0;
}

static void close_image(struct cr_image **image)
{
	if (*image)
		cr_image_close(*image);
}

static int check_image(struct check *c, struct cr_error *err)
{
	__attribute__((cleanup(close_image))) struct cr_image *image = NULL;
	int rc;

	if (cr_image_open(&image, &c->store, c->generation, err) < 0)
		return -1;
	c->streams = cr_image_streams(image);
	for (size_t i = 0; i < c->streams; i++)
		c->bytes += cr_image_stream_size(image, i);
	rc = cr_image_verify(image, progress, c, err);
	progress_end(c);
	return rc;
}

static int check_generation(struct check *c, struct cr_error *err)
{
	char dir[PATH_MAX];

	cr_store_path(&c->store, c->generation, dir);
	if (cr_manifest_read(&c->m, dir, err) < 0 || check_place(c, err) < 0 || check_seal(c, dir, err) < 0 ||
	    cr_manifest_verify(&c->m, dir, err) < 0)
		return -1;
	if (c->m.format > 1)
		return check_image(c, err);
	c->streams = c->m.n_files;
	for (size_t i = 0; i < c->m.n_files; i++)
		c->bytes += c->m.files[i].size;
	return 0;
}

static void print_check(const struct check *c, const struct cr_error *damage)
{
	printf("generation %u: ", c->generation);
	if (damage) {
		fputs("damaged: ", stdout);
		output_text(damage->text);
	} else {
		printf("good, %llu bytes in %llu %s", (unsigned long long)c->bytes, (unsigned long long)c->streams,
		       c->m.format > 1 ? "streams" : "files");
		if (c->seal_error[0]) {
			fputs("; its seal could not be checked: ", stdout);
			output_text(c->seal_error);
		}
	}
	putchar('\n');
}

static json_t *check_json(const struct check *c, const struct cr_error *damage)
{
	return json_pack("{s:I, s:s, s:I, s:s, s:I, s:I, s:s?, s:o}", "job", (json_int_t)c->job, "part", c->part,
			 "generation", (json_int_t)c->generation, "state", damage ? "damaged" : "good", "bytes",
			 (json_int_t)c->bytes, "streams", (json_int_t)c->streams, "seal", c->seal, "error",
			 record_text(damage ? damage->text : NULL));
}

/* ---- which ones ---- */

struct verify {
	const struct cli *cli;
	json_t *answer;
	unsigned int damaged;
};

static int verify_one(struct verify *v, const struct cr_store *store, const char *part, uint32_t job,
		      uint32_t generation, struct cr_error *err)
{
	struct check c = {.job = job, .generation = generation, .part = part, .store = *store};
	struct cr_error damage;
	int rc = check_generation(&c, &damage);

	if (rc < 0)
		v->damaged++;
	if (!v->cli->json)
		print_check(&c, rc < 0 ? &damage : NULL);
	rc = json_array_append_new(v->answer, check_json(&c, rc < 0 ? &damage : NULL));
	cr_manifest_clear(&c.m);
	return rc < 0 ? cr_error_sys(err, ENOMEM, "answer") : 0;
}

static int verify_part(struct verify *v, const char *place, uint32_t job, const char *part, struct cr_error *err)
{
	cleanup_free uint32_t *generations = NULL;
	uint32_t wanted = v->cli->target.generation;
	struct cr_store store;
	size_t n = 0;

	if (cr_store_open(&store, place, job, part, getuid(), false, err) < 0 ||
	    cr_store_list(&store, &generations, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (wanted && generations[i] != wanted)
			continue;
		if (verify_one(v, &store, part, job, generations[i], err) < 0)
			return -1;
		if (!v->cli->all)
			break;
	}
	return 0;
}

static int verify_job(struct verify *v, const char *place, uint32_t job, struct cr_error *err)
{
	cleanup_closedir DIR *stream = NULL;
	char path[PATH_MAX + 16];
	struct dirent *entry;

	snprintf(path, sizeof(path), "%s/%u", place, job);
	stream = opendir(path);
	if (!stream)
		return cr_error_sys(err, errno, "%s", path);
	while ((errno = 0, entry = readdir(stream))) {
		struct stat st;

		if (cr_manifest_part_ok(entry->d_name) &&
		    fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
		    verify_part(v, place, job, entry->d_name, err) < 0)
			return -1;
	}
	return errno ? cr_error_sys(err, errno, "%s", path) : 0;
}

/* The exit status is the answer: 0 only when there was something and all of it is good. */
static int verdict(const struct verify *v, struct cr_error *err)
{
	const struct target *target = &v->cli->target;
	size_t n = json_array_size(v->answer);

	if (n == 0 && target->generation)
		return cr_error_set(err, ENOENT, "job %s has no generation %u", target->name, target->generation);
	if (n == 0)
		return cr_error_set(err, ENOENT, "job %s has no checkpoint", target->name);
	if (v->damaged == 0)
		return 0;
	if (n == 1)
		return cr_error_set(err, EBADMSG, "job %s: the checkpoint is not good", target->name);
	return cr_error_set(err, EBADMSG, "job %s: %u of %zu checkpoints are not good", target->name, v->damaged,
			    n);
}

int cli_verify(const struct cli *cli, struct cr_error *err)
{
	json_auto_t *answer = json_array();
	struct verify v = {.cli = cli, .answer = answer};
	char dir[PATH_MAX], place[PATH_MAX];
	uint32_t job;

	if (!answer)
		return cr_error_sys(err, ENOMEM, "answer");
	if (cli->all && cli->target.generation)
		return cr_error_set(err, EINVAL, "verify: either --all or one generation");
	if (record_directory(cli, dir, err) < 0 || job_resolve(&cli->target, cli->deadline, &job, err) < 0 ||
	    record_place(dir, job, place, err) < 0 || verify_job(&v, place, job, err) < 0)
		return -1;
	if (cli->json && output_json(answer, err) < 0)
		return -1;
	return verdict(&v, err);
}
