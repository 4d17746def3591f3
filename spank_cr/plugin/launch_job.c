/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "launch_job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch_env.h"
#include "launch_origin.h"
#include "options.h"

int launch_job_read(spank_t sp, struct launch_job *job, struct cr_error *err)
{
	int argc = 0;
	char **argv = NULL, count[16];

	memset(job, 0, sizeof(*job));
	job->cgroup = job->notary = -1;
	if (spank_get_item(sp, S_JOB_ID, &job->id) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_UID, &job->uid) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_GID, &job->gid) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_ARGV, &argc, &argv) != ESPANK_SUCCESS || argc < 1)
		return cr_error_set(err, EINVAL, "Slurm does not say which job this is");
	if (job->uid == 0)
		return cr_error_set(err, EPERM, "root's jobs are not checkpointed");
	/* the environment first: for a batch step, 24.11 leaves the item at 0 */
	if (spank_getenv(sp, "SLURM_RESTART_COUNT", count, sizeof(count)) == ESPANK_SUCCESS)
		job->restart = (uint32_t)strtoul(count, NULL, 10);
	else if (spank_get_item(sp, S_SLURM_RESTART_COUNT, &job->restart) != ESPANK_SUCCESS)
		job->restart = 0;
	if (spank_getenv(sp, "SLURM_JOB_USER", job->user, sizeof(job->user)) != ESPANK_SUCCESS)
		snprintf(job->user, sizeof(job->user), "%u", (unsigned)job->uid);
	if (spank_getenv(sp, "SLURMD_NODENAME", job->node, sizeof(job->node)) != ESPANK_SUCCESS &&
	    gethostname(job->node, sizeof(job->node)) < 0)
		return cr_error_sys(err, errno, "gethostname");
	if (spank_get_item(sp, S_JOB_NNODES, &job->nodes) != ESPANK_SUCCESS || job->nodes < 1)
		job->nodes = 1;
	snprintf(job->script, sizeof(job->script), "%s", argv[0]);
	if (cr_config_expand(options.config.dir, job->uid, job->user, job->site_dir, sizeof(job->site_dir), err) <
	    0)
		return -1;
	if (cr_config_common(options.config.dir, job->token_dir, sizeof(job->token_dir), err) < 0)
		return -1;
	snprintf(job->dir, sizeof(job->dir), "%s", options.dir[0] ? options.dir : job->site_dir);
	if (!job->dir[0])
		return cr_error_set(err, EINVAL,
				    "no checkpoint directory: the site sets no dir=, use --checkpoint-dir=DIR");
	job->private_net = options.config.private_net;
	cr_runtime_paths(&job->runtime, options.config.scratch, job->id);
	launch_env_read(sp, job->slurm_env, sizeof(job->slurm_env));
	return 0;
}

void launch_args_add(struct launch_args *args, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (args->argc < LAUNCH_ARGS && text)
		args->argv[args->argc++] = text; /* lives until the exec */
	else {
		free(text);
		args->argc = LAUNCH_ARGS + 1;
	}
}

int launch_args_check(const struct launch_args *args, struct cr_error *err)
{
	if (args->argc > LAUNCH_ARGS)
		return cr_error_set(err, ENOMEM, "no room for crinit's arguments");
	return 0;
}

void launch_args_common(struct launch_args *args, const char *verb, const struct launch_job *job)
{
	const struct cr_config *config = &options.config;

	memset(args, 0, sizeof(*args));
	args->slurm_env = job->slurm_env;
	launch_args_add(args, "crinit");
	launch_args_add(args, "%s", verb);
	launch_args_add(args, "--job=%" PRIu32, job->id);
	launch_args_add(args, "--part=%s", LAUNCH_PART);
	launch_args_add(args, "--node=%s", job->node);
	launch_args_add(args, "--user=%s", job->user);
	launch_args_add(args, "--restart=%" PRIu32, job->restart);
	launch_args_add(args, "--interval=%" PRId64, config->interval);
	launch_args_add(args, "--min-interval=%" PRId64, config->min_interval);
	launch_args_add(args, "--max-interval=%" PRId64, config->max_interval);
	launch_args_add(args, "--mtbf=%" PRId64, config->mtbf);
	launch_args_add(args, "--max-share=%d", config->max_share);
	launch_args_add(args, "--nodes=%" PRIu32, job->nodes);
	launch_args_add(args, "--preflight=%" PRId64, config->preflight);
	launch_args_add(args, "--fence=%" PRId64, config->fence);
	launch_args_add(args, "--keep=%d", config->keep);
	launch_args_add(args, "--compress=%d", config->compress);
	launch_args_add(args, "--pool=%" PRIu64, config->pool);
	launch_args_add(args, "--drain-share=%d", config->drain_share);
	launch_args_add(args, "--bandwidth=%" PRIu64, config->bandwidth);
	launch_args_add(args, "--drain-jobs=%d", config->drain_jobs);
	launch_args_add(args, "--on-complete=%d", config->on_complete);
	launch_args_add(args, "--on-failure=%d", config->on_failure);
	launch_args_add(args, "--on-cancel=%d", options.on_cancel);
	launch_args_add(args, "--dir=%s", job->dir);
	launch_args_add(args, "--site-dir=%s", job->site_dir);
	launch_args_add(args, "--token-dir=%s", job->token_dir);
	launch_args_add(args, "--run-dir=%s", job->runtime.dir);
	launch_args_add(args, "--criu=%s", config->criu);
	launch_args_add(args, "--ghost-limit=%" PRIu64, config->ghost_limit);
	launch_args_add(args, "--files=%d", config->files);
	launch_args_add(args, "--file-limit=%" PRIu64, config->file_limit);
	launch_args_add(args, "--rollback=%s", options.rollback);
	launch_args_add(args, "--rollback-limit=%" PRIu64, config->rollback_limit);
	launch_args_add(args, "--script=%s", job->script);
	launch_args_add(args, "--private-net=%d", job->private_net);
	launch_args_add(args, "--signal-before=%d", options.signal.before);
	launch_args_add(args, "--signal-after=%d", options.signal.after);
	launch_args_add(args, "--signal-lead=%d", options.signal.lead);
	launch_args_add(args, "--timelimit=%d", config->timelimit);
	launch_args_add(args, "--total-time=%" PRId64, options.total_time);
	launch_args_add(args, "--log-level=%d", config->log_level);
	launch_args_add(args, "--restart-soon=%" PRId64, config->restart_soon);
	launch_args_add(args, "--restart-delay=%" PRId64, config->restart_delay);
	launch_args_add(args, "--restart-tries=%d", config->restart_tries);
	launch_args_add(args, "--restart-cap=%d", config->restart_cap);
	launch_args_add(args, "--fallback=%d", config->fallback);
	launch_args_add(args, "--store-wait=%" PRId64, config->store_wait);
	origin_args(args, job);
}

int launch_exec(const char *program, struct launch_args *args, struct cr_error *err)
{
	char conf[PATH_MAX + 16] = "", path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LC_ALL=C.UTF-8";
	/* slurmstepd's own, root's word, not the job's: where Slurm's commands find their configuration */
	const char *slurm_conf = getenv("SLURM_CONF");
	char *envp[] = {path, lang, NULL, NULL, NULL}, *slurm_env = NULL;
	int n = 2;

	if (launch_args_check(args, err) < 0)
		return -1;
	if (slurm_conf && *slurm_conf == '/') {
		snprintf(conf, sizeof(conf), "SLURM_CONF=%s", slurm_conf);
		envp[n++] = conf;
	}
	/* not an argument, which everybody on the node can read */
	if (asprintf(&slurm_env, CR_SLURM_ENV "=%s", args->slurm_env) < 0)
		return cr_error_sys(err, ENOMEM, "crinit's environment");
	envp[n] = slurm_env;
	execve(program, args->argv, envp);
	free(slurm_env);
	return cr_error_sys(err, errno, "%s", program);
}
