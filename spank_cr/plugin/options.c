/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <slurm/slurm_errno.h>

#include "cleanup.h"
#include "duration.h"
#include "fs.h"
#include "interval.h"
#include "launch_origin.h"
#include "ns.h"

enum {
	OPTION_TIME = 1,
	OPTION_DIR,
	OPTION_KEEP,
	OPTION_COMPRESS,
	OPTION_POOL,
	OPTION_NET,
	OPTION_FILES,
	OPTION_SIGNAL,
	OPTION_ROLLBACK,
	OPTION_FALLBACK,
	OPTION_RESTARTS,
	OPTION_RESTART_FROM,
	OPTION_ON_COMPLETE,
	OPTION_TIMELIMIT,
	OPTION_TOTAL_TIME,
	OPTION_ON_CANCEL,
};

struct options options;
static char site_mistake[sizeof(((struct cr_error *)0)->text) + 32];

static int option_set(int val, const char *optarg, int remote);

static struct spank_option option_table[] = {
	{"checkpoint", "TIME|auto",
	 "checkpoint the job every TIME (minutes, [days-]hours:minutes:seconds, or a number with s, m, h or d) "
	 "and restore it when Slurm starts it again; auto: as often as costs it least; without TIME as the site "
	 "has "
	 "set",
	 2, OPTION_TIME, option_set},
	{"checkpoint-dir", "DIR", "keep the checkpoints in DIR (must exist and be yours; implies --checkpoint)", 1,
	 OPTION_DIR, option_set},
	{"checkpoint-keep", "N", "keep the newest N checkpoints of the job (implies --checkpoint)", 1, OPTION_KEEP,
	 option_set},
	{"checkpoint-compress", "fast|none|LEVEL",
	 "compress checkpoints quickly, not at all, or with zstd's level 1 to 19 (implies --checkpoint)", 1,
	 OPTION_COMPRESS, option_set},
	{"checkpoint-pool", "auto|SIZE",
	 "hold up to SIZE bytes (K, M, G) of a checkpoint in the job's memory until they are written (implies "
	 "--checkpoint)",
	 1, OPTION_POOL, option_set},
	{"checkpoint-net", "host|private",
	 "private: a network of the job's own, with loopback alone, where connections go into the checkpoint "
	 "(implies --checkpoint)",
	 1, OPTION_NET, option_set},
	{"checkpoint-files", "copy|truncate|keep",
	 "when the job is restored, put files that it has open back to their content, or to their size alone, or "
	 "leave them as they are (implies --checkpoint)",
	 1, OPTION_FILES, option_set},
	{"checkpoint-signal", "SIG[,SIG][@SECONDS]",
	 "send the first signal to the job's programs that catch it, SECONDS (1) before each checkpoint, and the "
	 "second "
	 "(the same) after each restore (implies --checkpoint)",
	 1, OPTION_SIGNAL, option_set},
	{"checkpoint-rollback", "DIR",
	 "put all files below DIR back at a restore; may be given several times (implies --checkpoint)", 1,
	 OPTION_ROLLBACK, option_set},
	{"checkpoint-fallback", "hold|fail|fresh",
	 "when no checkpoint of the job can be used: hold it, have it fail, or start it from its beginning "
	 "(implies --checkpoint)",
	 1, OPTION_FALLBACK, option_set},
	{"checkpoint-restarts", "N",
	 "hold the job, or have it fail, after N restarts in a row in which it got no further (implies "
	 "--checkpoint)",
	 1, OPTION_RESTARTS, option_set},
	{"restart-from", "JOBID[.GENERATION]",
	 "begin from a checkpoint of that job, the newest or the one named, instead of from the script's first "
	 "line "
	 "(implies --checkpoint)",
	 1, OPTION_RESTART_FROM, option_set},
	{"checkpoint-on-complete", "keep|remove",
	 "keep the checkpoints when the job has completed, for --restart-from, or remove them (implies "
	 "--checkpoint)",
	 1, OPTION_ON_COMPLETE, option_set},
	{"checkpoint-timelimit", "requeue|end",
	 "at its time limit the job, after a last checkpoint, is requeued to go on from there, or ends (implies "
	 "--checkpoint)",
	 1, OPTION_TIMELIMIT, option_set},
	{"checkpoint-total-time", "TIME",
	 "end the job when it has run for TIME over all of its starts (implies --checkpoint)", 1,
	 OPTION_TOTAL_TIME, option_set},
	{"checkpoint-on-cancel", NULL,
	 "take a last checkpoint when the job is cancelled, for --restart-from (implies --checkpoint)", 0,
	 OPTION_ON_CANCEL, option_set},
};

#define N_OPTIONS (sizeof(option_table) / sizeof(option_table[0]))

/* Slurm hands an absent value on as NULL, "" or "(null)", depending on the way it took */
static bool value_absent(const char *value)
{
	return !value || !*value || strcmp(value, "(null)") == 0;
}

/* Options are for batch jobs. An srun inside of one inherits them through its environment: not a mistake. */
static int program_check(void)
{
	if (spank_context() == S_CTX_LOCAL && !getenv("SLURM_JOB_ID")) {
		slurm_error(LOG "--checkpoint works with batch jobs only so far: use sbatch instead of srun");
		return -1;
	}
	if (spank_context() == S_CTX_ALLOCATOR && strcmp(program_invocation_short_name, "salloc") == 0) {
		slurm_error(LOG "--checkpoint works with batch jobs only so far: use sbatch instead of salloc");
		return -1;
	}
	if (!options.configured) {
		slurm_error(LOG "--checkpoint is not usable here, tell your admin: %s", site_mistake);
		return -1;
	}
	return 0;
}

static int time_set(const char *value, bool submit)
{
	struct cr_error err;
	int64_t seconds;

	/* the site's */
	if (value_absent(value))
		return 0;
	if (cr_config_interval(value, &seconds, &err) < 0) {
		slurm_error(LOG "--checkpoint=%s: %s", value, err.text);
		return -1;
	}
	if (submit && seconds != CR_INTERVAL_AUTO && seconds < options.config.min_interval) {
		slurm_error(LOG "--checkpoint=%s: shorter than the %lld seconds this site allows", value,
			    (long long)options.config.min_interval);
		return -1;
	}
	options.config.interval = seconds;
	return 0;
}

static int dir_set(const char *value, bool submit)
{
	struct cr_error err;
	struct stat st;

	if (value_absent(value)) {
		slurm_error(LOG "--checkpoint-dir needs a directory");
		return -1;
	}
	if (*value != '/' || strlen(value) > PATH_MAX - 256) {
		slurm_error(LOG "--checkpoint-dir=%s: must be an absolute path", value);
		return -1;
	}
	for (const char *c = value; *c; c++) {
		if (!iscntrl((unsigned char)*c))
			continue;
		slurm_error(LOG "--checkpoint-dir: a control character in the directory's name");
		return -1;
	}
	if (submit && lstat(value, &st) < 0) {
		int errnum = errno;

		slurm_error(LOG "--checkpoint-dir=%s: %s%s%s", value, strerror(errnum),
			    errnum == ENOENT ? "; make it first: mkdir -m 700 " : "",
			    errnum == ENOENT ? value : "");
		return -1;
	}
	if (submit && cr_fs_check_owned(value, getuid(), &err) < 0) {
		slurm_error(LOG "--checkpoint-dir: %s", err.text);
		return -1;
	}
	if (submit && access(value, W_OK | X_OK) < 0) {
		slurm_error(LOG "--checkpoint-dir=%s: cannot be written: %s", value, strerror(errno));
		return -1;
	}
	snprintf(options.dir, sizeof(options.dir), "%s", value);
	return 0;
}

/* The options that stand for an argument of the site's. */
static int config_set(int val, const char *value)
{
	struct cr_config *config = &options.config;
	struct cr_error err;
	int rc = -1;

	if (value_absent(value))
		value = "";
	if (val == OPTION_KEEP)
		rc = cr_config_keep(value, &config->keep, &err);
	else if (val == OPTION_COMPRESS)
		rc = cr_config_compress(value, &config->compress, &err);
	else if (val == OPTION_NET)
		rc = cr_config_net(value, &config->private_net, &err);
	else if (val == OPTION_TIMELIMIT)
		rc = cr_config_timelimit(value, &config->timelimit, &err);
	else if (val == OPTION_FILES)
		rc = cr_config_files(value, &config->files, &err);
	else if (val == OPTION_FALLBACK)
		rc = cr_config_fallback(value, &config->fallback, &err);
	else if (val == OPTION_RESTARTS)
		rc = cr_config_restarts(value, &config->restart_cap, &err);
	else
		rc = cr_config_pool(value, &config->pool, &err);
	options.files_given = options.files_given || val == OPTION_FILES;
	for (size_t i = 0; rc < 0 && i < N_OPTIONS; i++)
		if (option_table[i].val == val)
			slurm_error(LOG "--%s=%s: %s", option_table[i].name, value, err.text);
	return rc;
}

static int signal_set(const char *value)
{
	struct cr_error err;

	if (value_absent(value))
		value = "";
	if (cr_signal_parse(&options.signal, value, &err) == 0)
		return 0;
	slurm_error(LOG "--checkpoint-signal=%s: %s", value, err.text);
	return -1;
}

static int on_complete_set(const char *value)
{
	options.keep_completed = strcmp(value, "keep") == 0;
	if (!options.keep_completed && strcmp(value, "remove") != 0) {
		slurm_error(LOG "--checkpoint-on-complete=%s: not one of keep, remove", value);
		return -1;
	}
	options.config.on_complete = !options.keep_completed;
	return 0;
}

/* sbatch's own option; what slurm.conf and the script say comes to light when the job runs */
static bool requeue_refused(void)
{
	cleanup_free char *line = NULL;
	cleanup_close int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	struct cr_error err;

	if (getenv("SBATCH_NO_REQUEUE"))
		return true;
	if (fd < 0 || cr_fs_read_fd(fd, "the command line", 1 << 21, &line, &size, &err) < 0)
		return false;
	for (size_t i = 0; i < size; i += strlen(line + i) + 1)
		if (strcmp(line + i, "--no-requeue") == 0)
			return true;
	return false;
}

static void timelimit_warn(void)
{
	if (options.config.timelimit && requeue_refused())
		slurm_error(LOG "--checkpoint-timelimit=requeue: with --no-requeue the job will end at its time "
				"limit, after a last checkpoint");
}

static int total_time_set(const char *value)
{
	struct cr_error err;
	int64_t seconds;

	if (cr_duration_parse(value_absent(value) ? "" : value, &seconds, &err) < 0) {
		slurm_error(LOG "--checkpoint-total-time=%s: %s", value_absent(value) ? "" : value, err.text);
		return -1;
	}
	/* it is Slurm that ends the job, by minutes */
	if (seconds < 60) {
		slurm_error(LOG "--checkpoint-total-time=%s: shorter than a minute", value);
		return -1;
	}
	options.total_time = seconds;
	return 0;
}

static int value_set(int val, const char *value, bool submit)
{
	switch (val) {
	case OPTION_TIME:
		return time_set(value, submit);
	case OPTION_DIR:
		return dir_set(value, submit);
	case OPTION_SIGNAL:
		return signal_set(value);
	case OPTION_TOTAL_TIME:
		return total_time_set(value);
	case OPTION_ROLLBACK:
		return rollback_set(value, submit);
	case OPTION_RESTART_FROM:
		return origin_set(value_absent(value) ? NULL : value);
	case OPTION_ON_COMPLETE:
		return on_complete_set(value_absent(value) ? "" : value);
	case OPTION_ON_CANCEL:
		options.on_cancel = true;
		return 0;
	default:
		return config_set(val, value);
	}
}

static int option_set(int val, const char *value, int remote)
{
	bool submit = !remote && spank_context() == S_CTX_ALLOCATOR;

	if (!remote && program_check() < 0)
		return -1;
	if (value_set(val, value, submit) < 0)
		return -1;
	if (submit && val == OPTION_TIMELIMIT)
		timelimit_warn();
	options.wanted = true;
	/* a job submitted from inside of a restarted one must not inherit its count */
	if (submit)
		unsetenv("SLURM_RESTART_COUNT");
	return 0;
}

static void site_configure(int argc, char **argv)
{
	struct cr_error err;

	cr_config_init(&options.config);
	if (cr_config_parse(&options.config, argc, argv, &err) == 0) {
		options.configured = true;
	} else {
		snprintf(site_mistake, sizeof(site_mistake), "plugstack.conf: %s", err.text);
		slurm_error(LOG "%s", site_mistake);
	}
}

int options_register(spank_t sp, int argc, char **argv)
{
	int rc = 0;

	site_configure(argc, argv);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (spank_option_register(sp, &option_table[i]) != ESPANK_SUCCESS) {
			slurm_error(LOG "cannot register --%s", option_table[i].name);
			rc = -1;
		}
	}
	return rc;
}

void options_warn(void)
{
	/* it will try for a quarter of a minute, whatever is returned here, and then blame slurmctld */
	if (!options.wanted || spank_context() != S_CTX_LOCAL || !cr_ns_net_alone())
		return;
	slurm_error(LOG "this job has a network of its own (--checkpoint-net=private): srun cannot reach Slurm "
			"from here; start the program without it");
}

void options_recall(spank_t sp, int argc, char **argv)
{
	site_configure(argc, argv);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		char *value = NULL;

		if (spank_option_getopt(sp, &option_table[i], &value) == ESPANK_SUCCESS)
			option_set(option_table[i].val, value, 1);
	}
}
