/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* main.c - scheckpoint: checkpoints of Slurm jobs, from the command line */

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "proc.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif
#ifndef CR_SETPRIV
#define CR_SETPRIV "/usr/bin/setpriv"
#endif

enum { EXIT_USAGE = 2, TIMEOUT_DEFAULT = 600, TIMEOUT_MAX = 86400 };

enum { OPT_CONFIG = 256, OPT_DIR, OPT_HELP, OPT_JSON, OPT_TIMEOUT, OPT_USER, OPT_VERSION };

enum { TAKES_STORE = 1, TAKES_TIMEOUT = 2, TAKES_GENERATION = 4 };

/* The last operand is the job; the agent's first is what to ask. */
static const struct verb {
	const char *name;
	int (*run)(const struct cli *cli, struct cr_error *err);
	int min, max; /* operands */
	int takes;
} verbs[] = {
	{"create", cli_create, 1, 1, TAKES_TIMEOUT}, {"vacate", cli_vacate, 1, 1, TAKES_TIMEOUT},
	{"list", cli_list, 0, 1, TAKES_STORE},	     {"show", cli_show, 1, 1, TAKES_STORE | TAKES_GENERATION},
	{"agent", cli_agent, 2, 2, TAKES_TIMEOUT},
};

static const struct option options[] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{"dir", required_argument, NULL, OPT_DIR},
	{"help", no_argument, NULL, OPT_HELP},
	{"json", no_argument, NULL, OPT_JSON},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"user", required_argument, NULL, OPT_USER},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static const char usage[] =
	"usage: scheckpoint create JOBID            take a checkpoint now; returns when it is committed\n"
	"       scheckpoint vacate JOBID            take a checkpoint, then requeue the job\n"
	"       scheckpoint list [JOBID]            the checkpoints of a job, or of all your jobs\n"
	"       scheckpoint show JOBID[.GENERATION] all that is known of one (the newest)\n"
	"options:\n"
	"  --json             print JSON\n"
	"  --timeout=SECONDS  create, vacate: give up after so long (default 600)\n"
	"  --dir=DIR          list, show: the job's --checkpoint-dir, instead of the site's\n"
	"  --config=FILE      list, show: the plugin's line, default " CR_PLUGSTACK_CONF "\n"
	"  --user=NAME        list, show: another user's checkpoints (root only)\n"
	"  --help, --version\n"
	"JOBID may be JOBID_TASK for a task of a job array.\n";

static int report(const struct cr_error *err, int status)
{
	fprintf(stderr, "scheckpoint: %s\n", err->text);
	if (status == EXIT_USAGE)
		fputs("Try 'scheckpoint --help'.\n", stderr);
	return status;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int parse_timeout(const char *text, int *seconds, struct cr_error *err)
{
	size_t length = strspn(text, "0123456789");

	*seconds = length && length < 7 && !text[length] ? atoi(text) : 0;
	if (*seconds < 1 || *seconds > TIMEOUT_MAX)
		return cr_error_set(err, EINVAL, "--timeout=%.20s: a number of seconds from 1 to %d", text,
				    TIMEOUT_MAX);
	return 0;
}

/* Note one option. */
static int parse_option(const struct verb *verb, int option, struct cli *cli, const char **user,
			struct cr_error *err)
{
	int needs = 0;

	if (option == OPT_TIMEOUT)
		needs = TAKES_TIMEOUT;
	else if (option == OPT_CONFIG || option == OPT_DIR || option == OPT_USER)
		needs = TAKES_STORE;
	if (needs & ~verb->takes)
		return cr_error_set(err, EINVAL, "%s has no such option", verb->name);
	switch (option) {
	case OPT_CONFIG:
		cli->config = optarg;
		return 0;
	case OPT_DIR:
		cli->dir = optarg;
		return 0;
	case OPT_JSON:
		cli->json = true;
		return 0;
	case OPT_TIMEOUT:
		return parse_timeout(optarg, &cli->timeout, err);
	case OPT_USER:
		*user = optarg;
		return 0;
	default:
		return cr_error_set(err, EINVAL, "%s: unknown option, or one without its value", verb->name);
	}
}

static int parse_operands(const struct verb *verb, int argc, char *argv[], struct cli *cli, struct cr_error *err)
{
	if (argc < verb->min)
		return cr_error_set(err, EINVAL, "%s: which job?", verb->name);
	if (argc > verb->max)
		return cr_error_set(err, EINVAL, "%s: one job at a time", verb->name);
	cli->ask = argc == 2 ? argv[0] : NULL;
	cli->has_target = argc > 0;
	if (!cli->has_target)
		return 0;
	if (target_parse(argv[argc - 1], &cli->target, err) < 0)
		return -1;
	if (cli->target.generation && !(verb->takes & TAKES_GENERATION))
		return cr_error_set(err, EINVAL, "%s takes a job, not one of its generations: write %s",
				    verb->name, cli->target.name);
	return 0;
}

/* Become the user in a new process image: a job's directory may be closed to root on network storage, and
 * nothing that a user could put into one should be read as root. Only returns when that cannot be done. */
static int run_as(const char *name, int argc, char *argv[], struct cr_error *err)
{
	const char *command[32] = {CR_SETPRIV,	     NULL,	    NULL, "--init-groups", "--inh-caps=-all",
				   "--no-new-privs", "--reset-env", "--"};
	struct passwd *user = getpwnam(name);
	char uid[32], gid[32], self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int n = 8;

	if (!user)
		return cr_error_set(err, ENOENT, "there is no user %.64s", name);
	if (length < 0 || argc > 20)
		return cr_error_set(err, EINVAL, "--user cannot be used here");
	self[length] = '\0';
	snprintf(uid, sizeof(uid), "--reuid=%u", user->pw_uid);
	snprintf(gid, sizeof(gid), "--regid=%u", user->pw_gid);
	command[1] = uid;
	command[2] = gid;
	command[n++] = self;
	/* --user stays among them and then names the caller */
	for (int i = 1; i < argc; i++)
		command[n++] = argv[i];
	execv(CR_SETPRIV, (char *const *)command);
	return cr_error_sys(err, errno, "cannot run " CR_SETPRIV);
}

static int check_user(const char *name, int argc, char *argv[], struct cr_error *err)
{
	struct passwd *user = getpwuid(getuid());

	if (!name || (user && !strcmp(user->pw_name, name)))
		return 0;
	if (getuid() != 0)
		return cr_error_set(err, EPERM, "--user=%.64s: only root may look at another user's checkpoints",
				    name);
	return run_as(name, argc, argv, err);
}

static int run_verb(const struct verb *verb, const struct cli *cli)
{
	struct cr_error err = {0};

	if (verb->run(cli, &err) < 0)
		return report(&err, EXIT_FAILURE);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		cr_error_sys(&err, errno, "cannot write the answer");
		return report(&err, EXIT_FAILURE);
	}
	return EXIT_SUCCESS;
}

static int parse_and_run(const struct verb *verb, int argc, char *argv[])
{
	struct cli cli = {.config = CR_PLUGSTACK_CONF, .timeout = TIMEOUT_DEFAULT};
	const char *user = NULL;
	struct cr_error err = {0};
	int option;

	/* argv[0] is the verb here; what getopt_long reorders is still the same command */
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == OPT_HELP) {
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		}
		if (parse_option(verb, option, &cli, &user, &err) < 0)
			return report(&err, EXIT_USAGE);
	}
	if (parse_operands(verb, argc - optind, argv + optind, &cli, &err) < 0)
		return report(&err, EXIT_USAGE);
	if (check_user(user, argc + 1, argv - 1, &err) < 0)
		return report(&err, EXIT_FAILURE);
	cli.deadline = clock_ms() + (int64_t)cli.timeout * 1000;
	return run_verb(verb, &cli);
}

int main(int argc, char *argv[])
{
	const struct verb *verb;
	struct cr_error err;

	signal(SIGPIPE, SIG_IGN);
	/* inherited as ignored, children could not be waited for */
	signal(SIGCHLD, SIG_DFL);
	if (argc < 2) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("scheckpoint (spank_cr) " PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	verb = find_verb(argv[1]);
	if (!verb) {
		cr_error_set(&err, EINVAL, "'%.20s' is not a verb: create, vacate, list or show", argv[1]);
		return report(&err, EXIT_USAGE);
	}
	return parse_and_run(verb, argc - 1, argv + 1);
}
