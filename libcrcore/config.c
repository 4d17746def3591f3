/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "duration.h"
#include "interval.h"
#include "restart.h"

#define KEEP_MAX     1000
#define LEVEL_MAX    19 /* zstd has more, which need much memory to read */
#define POOL_MIN     (UINT64_C(1) << 20)
#define JOBS_MAX     100000
#define RESTARTS_MAX 1000000
#define ARGS_MAX     64
#define SHARE_MAX    50
#define NAME_LONGEST 255 /* stands for the longest user name when a template is tried */

void cr_config_init(struct cr_config *config)
{
	*config = (struct cr_config){
		.scratch = "/var/spool/spank_cr",
		.criu = "/usr/sbin/criu",
		.interval = 3600,
		.min_interval = 1,
		.max_interval = 6 * 3600,
		.mtbf = 30 * 86400,
		.max_share = 5,
		.preflight = 5,
		.fence = 10,
		.ghost_limit = 1u << 30,
		.files = CR_FILES_COPY,
		.file_limit = 64u << 20,
		.rollback_limit = UINT64_C(4) << 30,
		.keep = 2,
		.compress = 1,
		.drain_share = 75,
		.on_complete = 1,
		.max_age = 30 * 86400,
		.log_level = 1,
		.fallback = CR_FALLBACK_HOLD,
		.restart_soon = 300,
		.restart_tries = 2,
		.restart_cap = 10,
		.restart_delay = 30,
		.store_wait = 120,
	};
}

/* Digits only: strtoull would let blanks and signs through. */
static int config_number(const char **p, uint64_t *number)
{
	const char *start = *p;
	uint64_t v = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++) {
		uint64_t digit = (uint64_t)(**p - '0');

		if (v > (UINT64_MAX - digit) / 10)
			return -1;
		v = v * 10 + digit;
	}
	*number = v;
	return *p == start ? -1 : 0;
}

static int config_path(char *to, const char *value, struct cr_error *err)
{
	size_t length = strlen(value);

	if (value[0] != '/')
		return cr_error_set(err, EINVAL, "not an absolute path");
	if (length >= PATH_MAX)
		return cr_error_set(err, ENAMETOOLONG, "the path is too long");
	memcpy(to, value, length + 1);
	return 0;
}

static int set_dir(struct cr_config *config, const char *value, struct cr_error *err)
{
	char user[NAME_LONGEST + 1], path[PATH_MAX];

	memset(user, 'u', NAME_LONGEST);
	user[NAME_LONGEST] = '\0';
	if (cr_config_expand(value, UINT32_MAX, user, path, sizeof(path), err) < 0)
		return -1;
	return config_path(config->dir, value, err);
}

static int set_scratch(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_path(config->scratch, value, err);
}

static int set_criu(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_path(config->criu, value, err);
}

int cr_config_interval(const char *text, int64_t *seconds, struct cr_error *err)
{
	if (strcmp(text, "auto") != 0)
		return cr_duration_parse(text, seconds, err);
	*seconds = CR_INTERVAL_AUTO;
	return 0;
}

static int set_interval(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_config_interval(value, &config->interval, err);
}

static int set_max_interval(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_duration_parse(value, &config->max_interval, err);
}

static int set_mtbf(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_duration_parse(value, &config->mtbf, err);
}

static int set_min_interval(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_duration_parse(value, &config->min_interval, err);
}

static int set_preflight(struct cr_config *config, const char *value, struct cr_error *err)
{
	if (strcmp(value, "0") == 0) {
		config->preflight = 0;
		return 0;
	}
	return cr_duration_parse(value, &config->preflight, err);
}

static int set_fence(struct cr_config *config, const char *value, struct cr_error *err)
{
	if (strcmp(value, "0") == 0) {
		config->fence = 0;
		return 0;
	}
	return cr_duration_parse(value, &config->fence, err);
}

static int config_size(const char *value, uint64_t *size, struct cr_error *err)
{
	static const char suffixes[] = "KMG";
	const char *p = value, *suffix;
	unsigned int shift = 0;
	uint64_t bytes;

	if (config_number(&p, &bytes) < 0)
		return cr_error_set(err, EINVAL, "not a number of bytes (suffix K, M or G)");
	if (*p) {
		suffix = strchr(suffixes, *p);
		if (!suffix || p[1])
			return cr_error_set(err, EINVAL, "not a number of bytes (suffix K, M or G)");
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
	}
	if (bytes > (uint64_t)INT64_MAX >> shift)
		return cr_error_set(err, ERANGE, "too many bytes");
	*size = bytes << shift;
	return 0;
}

static int config_range(const char *value, int min, int max, int *number, struct cr_error *err)
{
	const char *p = value;
	uint64_t v;

	if (config_number(&p, &v) < 0 || *p || v < (uint64_t)min || v > (uint64_t)max)
		return cr_error_set(err, ERANGE, "not a number from %d to %d", min, max);
	*number = (int)v;
	return 0;
}

int cr_config_compress(const char *text, int *level, struct cr_error *err)
{
	if (strcmp(text, "fast") == 0)
		*level = 1;
	else if (strcmp(text, "none") == 0)
		*level = 0;
	else if (config_range(text, 1, LEVEL_MAX, level, err) < 0)
		return cr_error_set(err, EINVAL, "not fast, none or a level from 1 to %d", LEVEL_MAX);
	return 0;
}

int cr_config_pool(const char *text, uint64_t *bytes, struct cr_error *err)
{
	uint64_t size = 0;

	if (strcmp(text, "auto") != 0) {
		if (config_size(text, &size, err) < 0)
			return cr_error_set(err, EINVAL, "not auto and not a number of bytes (suffix K, M or G)");
		if (size < POOL_MIN)
			return cr_error_set(err, ERANGE, "less than 1M");
	}
	*bytes = size;
	return 0;
}

int cr_config_keep(const char *text, int *keep, struct cr_error *err)
{
	return config_range(text, 1, KEEP_MAX, keep, err);
}

int cr_config_net(const char *text, int *private_net, struct cr_error *err)
{
	if (strcmp(text, "host") != 0 && strcmp(text, "private") != 0)
		return cr_error_set(err, EINVAL, "not one of host, private");
	*private_net = text[0] == 'p';
	return 0;
}

int cr_config_timelimit(const char *text, int *requeue, struct cr_error *err)
{
	if (strcmp(text, "end") != 0 && strcmp(text, "requeue") != 0)
		return cr_error_set(err, EINVAL, "not one of end, requeue");
	*requeue = text[0] == 'r';
	return 0;
}

static int set_timelimit(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_config_timelimit(value, &config->timelimit, err);
}

static int set_ghost_limit(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_size(value, &config->ghost_limit, err);
}

int cr_config_files(const char *text, int *files, struct cr_error *err)
{
	static const char *const words[] = {"copy", "truncate", "keep"};

	for (int i = 0; i < 3; i++) {
		if (strcmp(words[i], text) == 0) {
			*files = i;
			return 0;
		}
	}
	return cr_error_set(err, EINVAL, "not one of copy, truncate, keep");
}

static int set_files(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_config_files(value, &config->files, err);
}

static int set_file_limit(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_size(value, &config->file_limit, err);
}

static int set_rollback_limit(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_size(value, &config->rollback_limit, err);
}

static int set_keep(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_config_keep(value, &config->keep, err);
}

static int set_compress(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_config_compress(value, &config->compress, err);
}

static int set_pool(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_config_pool(value, &config->pool, err);
}

static int set_drain_share(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_range(value, 1, 100, &config->drain_share, err);
}

static int set_max_share(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_range(value, 1, SHARE_MAX, &config->max_share, err);
}

static int set_bandwidth(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_size(value, &config->bandwidth, err);
}

static int set_drain_jobs(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_range(value, 0, JOBS_MAX, &config->drain_jobs, err);
}

static int config_fate(const char *value, int *removed, struct cr_error *err)
{
	if (strcmp(value, "keep") != 0 && strcmp(value, "remove") != 0)
		return cr_error_set(err, EINVAL, "not one of keep, remove");
	*removed = value[0] == 'r';
	return 0;
}

static int set_on_complete(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_fate(value, &config->on_complete, err);
}

static int set_on_failure(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_fate(value, &config->on_failure, err);
}

static int set_max_age(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_duration_parse(value, &config->max_age, err);
}

static int set_net(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_config_net(value, &config->private_net, err);
}

int cr_config_fallback(const char *text, int *fallback, struct cr_error *err)
{
	for (int i = CR_FALLBACK_HOLD; i <= CR_FALLBACK_FRESH; i++) {
		if (strcmp(text, cr_fallback_word((enum cr_fallback)i)) == 0) {
			*fallback = i;
			return 0;
		}
	}
	return cr_error_set(err, EINVAL, "not one of fresh, fail, hold");
}

int cr_config_restarts(const char *text, int *cap, struct cr_error *err)
{
	return config_range(text, 0, RESTARTS_MAX, cap, err);
}

static int set_fallback(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_config_fallback(value, &config->fallback, err);
}

static int set_restart_soon(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_duration_parse(value, &config->restart_soon, err);
}

static int set_restart_tries(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_range(value, 1, KEEP_MAX, &config->restart_tries, err);
}

static int set_restart_cap(struct cr_config *config, const char *value, struct cr_error *err)
{
	return cr_config_restarts(value, &config->restart_cap, err);
}

/* A time that may be none. */
static int config_time(const char *value, int64_t *seconds, struct cr_error *err)
{
	if (strcmp(value, "0") != 0)
		return cr_duration_parse(value, seconds, err);
	*seconds = 0;
	return 0;
}

static int set_restart_delay(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_time(value, &config->restart_delay, err);
}

static int set_store_wait(struct cr_config *config, const char *value, struct cr_error *err)
{
	return config_time(value, &config->store_wait, err);
}

static int set_log(struct cr_config *config, const char *value, struct cr_error *err)
{
	static const char *const levels[] = {"error", "info", "debug"};

	for (int i = 0; i < 3; i++) {
		if (strcmp(value, levels[i]) == 0) {
			config->log_level = i;
			return 0;
		}
	}
	return cr_error_set(err, EINVAL, "not one of error, info, debug");
}

static const struct {
	const char *key;
	int (*set)(struct cr_config *config, const char *value, struct cr_error *err);
} keys[] = {
	{"dir", set_dir},
	{"scratch", set_scratch},
	{"criu", set_criu},
	{"interval", set_interval},
	{"min_interval", set_min_interval},
	{"max_interval", set_max_interval},
	{"mtbf", set_mtbf},
	{"max_share", set_max_share},
	{"preflight", set_preflight},
	{"fence", set_fence},
	{"ghost_limit", set_ghost_limit},
	{"files", set_files},
	{"file_limit", set_file_limit},
	{"rollback_limit", set_rollback_limit},
	{"keep", set_keep},
	{"compress", set_compress},
	{"pool", set_pool},
	{"drain_share", set_drain_share},
	{"bandwidth", set_bandwidth},
	{"drain_jobs", set_drain_jobs},
	{"on_complete", set_on_complete},
	{"on_failure", set_on_failure},
	{"max_age", set_max_age},
	{"net", set_net},
	{"timelimit", set_timelimit},
	{"log", set_log},
	{"fallback", set_fallback},
	{"restart_soon", set_restart_soon},
	{"restart_tries", set_restart_tries},
	{"restart_cap", set_restart_cap},
	{"restart_delay", set_restart_delay},
	{"store_wait", set_store_wait},
};

/* "dir=, scratch= and log=" */
static const char *keys_list(char *buf, size_t size)
{
	const size_t n = sizeof(keys) / sizeof(keys[0]);
	size_t used = 0;

	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s=",
					 i == 0	      ? ""
					 : i == n - 1 ? " and "
						      : ", ",
					 keys[i].key);
	return buf;
}

static int config_apply(struct cr_config *config, const char *arg, struct cr_error *err)
{
	size_t length = strcspn(arg, "=");
	char known[512];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strlen(keys[i].key) != length || strncmp(keys[i].key, arg, length) != 0)
			continue;
		if (arg[length] != '=' || !arg[length + 1])
			return cr_error_set(err, EINVAL, "argument \"%s\": write %s=VALUE", arg, keys[i].key);
		if (keys[i].set(config, arg + length + 1, err) < 0)
			return cr_error_prefix(err, "argument \"%s\"", arg);
		return 0;
	}
	return cr_error_set(err, EINVAL, "argument \"%s\" is unknown: known are %s", arg,
			    keys_list(known, sizeof(known)));
}

int cr_config_parse(struct cr_config *config, int argc, char *const argv[], struct cr_error *err)
{
	char interval[64], least[64];

	for (int i = 0; i < argc; i++)
		if (config_apply(config, argv[i], err) < 0)
			return -1;
	/* either may come first, so the two are compared at the end */
	if (config->interval != CR_INTERVAL_AUTO && config->interval < config->min_interval)
		return cr_error_set(err, ERANGE, "argument interval= (%s) is less than min_interval= (%s)",
				    cr_duration_format(config->interval, interval, sizeof(interval)),
				    cr_duration_format(config->min_interval, least, sizeof(least)));
	return 0;
}

/* As Slurm reads a line: a # anywhere begins a comment, blanks and tabs separate, nothing is quoted.
 * Returns 1 when the line loads spank_cr.so (argv then points into line), 0 when not, -1 when it has more
 * arguments than there can be. */
static int config_split(char *line, char *argv[ARGS_MAX], int *argc)
{
	static const char blanks[] = " \t\n";
	char *word, *name, *next = NULL;

	line[strcspn(line, "#")] = '\0';
	word = strtok_r(line, blanks, &next);
	if (!word || (strcmp(word, "required") != 0 && strcmp(word, "optional") != 0))
		return 0;
	word = strtok_r(NULL, blanks, &next);
	if (!word)
		return 0;
	name = strrchr(word, '/');
	if (strcmp(name ? name + 1 : word, "spank_cr.so") != 0)
		return 0;
	for (*argc = 0; (word = strtok_r(NULL, blanks, &next)); argv[(*argc)++] = word)
		if (*argc == ARGS_MAX)
			return -1;
	return 1;
}

int cr_config_read(struct cr_config *config, const char *path, struct cr_error *err)
{
	cleanup_fclose FILE *file = NULL;
	cleanup_free char *line = NULL;
	char *argv[ARGS_MAX];
	size_t size = 0;
	int argc = 0, found = 0;

	cr_config_init(config);
	file = fopen(path, "re");
	if (!file)
		return cr_error_sys(err, errno, "%s", path);
	while (!found && (errno = 0, getline(&line, &size, file)) >= 0)
		found = config_split(line, argv, &argc);
	if (found < 0)
		return cr_error_set(err, E2BIG, "%s: more than %d arguments for spank_cr.so", path, ARGS_MAX);
	if (!found && !feof(file))
		return cr_error_sys(err, errno, "%s", path);
	if (!found)
		return cr_error_set(err, ENOENT,
				    "%s: no line \"required spank_cr.so ...\" or \"optional spank_cr.so ...\"",
				    path);
	if (cr_config_parse(config, argc, argv, err) < 0)
		return cr_error_prefix(err, "%s", path);
	return 0;
}

/* A user name becomes part of a path: it must be exactly one component. */
static int config_user_ok(const char *user)
{
	return user && user[0] && !strchr(user, '/') && strcmp(user, ".") != 0 && strcmp(user, "..") != 0;
}

int cr_config_expand(const char *template, uid_t uid, const char *user, char *buf, size_t size,
		     struct cr_error *err)
{
	char number[16];
	size_t used = 0, length;

	(void)snprintf(number, sizeof(number), "%" PRIu32, (uint32_t)uid);
	for (const char *p = template; *p; p++) {
		const char *piece = p;

		length = 1;
		if (*p == '%') {
			p++;
			if (*p == 'u' && !config_user_ok(user))
				return cr_error_set(err, EINVAL,
						    "%s: the user name \"%s\" cannot be part of a path", template,
						    user ? user : "");
			if (*p != 'u' && *p != 'U' && *p != '%')
				return cr_error_set(err, EINVAL, "%s: after %% only u, U or %% may stand",
						    template);
			piece = *p == 'u' ? user : *p == 'U' ? number : "%";
			length = strlen(piece);
		}
		if (length >= size - used || used >= size)
			return cr_error_set(err, ENAMETOOLONG, "%s: the path is too long", template);
		memcpy(buf + used, piece, length);
		used += length;
	}
	if (used >= size)
		return cr_error_set(err, ENAMETOOLONG, "%s: the path is too long", template);
	buf[used] = '\0';
	return 0;
}

int cr_config_common(const char *template, char *buf, size_t size, struct cr_error *err)
{
	size_t length = strcspn(template, "%");

	if (template[length]) {
		while (length > 0 && template[length - 1] != '/')
			length--;
		if (length > 1)
			length--;
	}
	if (length >= size)
		return cr_error_set(err, ENAMETOOLONG, "%s: the path is too long", template);
	memcpy(buf, template, length);
	buf[length] = '\0';
	return 0;
}
