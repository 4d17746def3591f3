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

#include "cleanup.h"
#include "cli.h"
#include "proc.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif
#ifndef CR_SETPRIV
#define CR_SETPRIV "/usr/bin/setpriv"
#endif

enum { EXIT_USAGE = 2, EXIT_UNKNOWN = 3, TIMEOUT_DEFAULT = 600, TIMEOUT_MAX = 86400 };

enum { OPT_ALL = 256, OPT_CONFIG, OPT_DIR, OPT_DRY_RUN, OPT_HELP, OPT_JSON, OPT_TIMEOUT, OPT_USER, OPT_VERSION };

enum { TAKES_STORE = 1, TAKES_TIMEOUT = 2, TAKES_GENERATION = 4, TAKES_ALL = 8, TAKES_DRY_RUN = 16 };

/* The last operand is the job; the agent's first is what to ask. */
static const struct verb {
	const char *name;
	int (*run)(const struct cli *cli, struct cr_error *err);
	int min, max; /* operands */
	int takes;
	int failure; /* exit status */
} verbs[] = {
	{"able", cli_able, 1, 1, TAKES_TIMEOUT, EXIT_UNKNOWN},
	{"create", cli_create, 1, 1, TAKES_TIMEOUT, EXIT_FAILURE},
	{"vacate", cli_vacate, 1, 1, TAKES_TIMEOUT, EXIT_FAILURE},
	{"list", cli_list, 0, 1, TAKES_STORE, EXIT_FAILURE},
	{"show", cli_show, 1, 1, TAKES_STORE | TAKES_GENERATION, EXIT_FAILURE},
	{"verify", cli_verify, 1, 1, TAKES_STORE | TAKES_GENERATION | TAKES_ALL, EXIT_FAILURE},
	{"gc", cli_gc, 0, 1, TAKES_STORE | TAKES_DRY_RUN, EXIT_FAILURE},
	{"agent", cli_agent, 2, 2, TAKES_TIMEOUT, EXIT_FAILURE},
};

static const struct option options[] = {
	{"all", no_argument, NULL, OPT_ALL},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"dir", required_argument, NULL, OPT_DIR},
	{"dry-run", no_argument, NULL, OPT_DRY_RUN},
	{"help", no_argument, NULL, OPT_HELP},
	{"json", no_argument, NULL, OPT_JSON},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"user", required_argument, NULL, OPT_USER},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static const char usage[] =
	"usage: scheckpoint able JOBID              can the job be checkpointed, and if not, why\n"
	"       scheckpoint create JOBID            take a checkpoint now; returns when it is committed\n"
	"       scheckpoint vacate JOBID            take a checkpoint, then requeue the job\n"
	"       scheckpoint list [JOBID]            the checkpoints of a job, or of all your jobs\n"
	"       scheckpoint show JOBID[.GENERATION] all that is known of one (the newest)\n"
	"       scheckpoint verify JOBID[.GENERATION] read all of one (the newest) and say whether it is good\n"
	"       scheckpoint gc [JOBID]              remove what ended jobs, or all users' as root, have left\n"
	"options:\n"
	"  --json             print JSON\n"
	"  --timeout=SECONDS  able, create, vacate: give up after so long (default 600)\n"
	"  --all              verify: every generation of the job\n"
	"  --dry-run          gc: only say what would be removed\n"
	"  --dir=DIR          list, show, verify, gc: the job's --checkpoint-dir, instead of the site's\n"
	"  --config=FILE      list, show, verify, gc: the plugin's line, default " CR_PLUGSTACK_CONF "\n"
	"  --user=NAME        list, show, verify, gc: another user's checkpoints (root only)\n"
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
	else if (option == OPT_ALL)
		needs = TAKES_ALL;
	else if (option == OPT_DRY_RUN)
		needs = TAKES_DRY_RUN;
	if (needs & ~verb->takes)
		return cr_error_set(err, EINVAL, "%s has no such option", verb->name);
	switch (option) {
	case OPT_ALL:
		cli->all = true;
		return 0;
	case OPT_DRY_RUN:
		cli->dry_run = true;
		return 0;
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

int cli_as_user(uid_t uid, gid_t gid, struct cli_as *buf, const char *argv[CLI_AS_ARGS], struct cr_error *err)
{
	ssize_t length = readlink("/proc/self/exe", buf->self, sizeof(buf->self) - 1);

	if (length < 0)
		return cr_error_sys(err, errno, "/proc/self/exe");
	buf->self[length] = '\0';
	snprintf(buf->uid, sizeof(buf->uid), "--reuid=%u", (unsigned int)uid);
	snprintf(buf->gid, sizeof(buf->gid), "--regid=%u", (unsigned int)gid);
	argv[0] = CR_SETPRIV;
	argv[1] = buf->uid;
	argv[2] = buf->gid;
	argv[3] = "--init-groups";
	argv[4] = "--inh-caps=-all";
	argv[5] = "--no-new-privs";
	argv[6] = "--";
	argv[7] = buf->self;
	return 0;
}

/* Become the user in a new process image: a job's directory may be closed to root on network storage, and
 * nothing that a user could put into one should be read as root. Only returns when that cannot be done. */
static int run_as(const char *name, int argc, char *argv[], struct cr_error *err)
{
	const char *command[32] = {NULL};
	struct passwd *user = getpwnam(name);
	const char *conf = getenv("SLURM_CONF");
	cleanup_free char *conf_word = NULL;
	char *env[] = {(char *)(uintptr_t)"PATH=/usr/local/bin:/usr/bin:/bin", NULL, NULL};
	struct cli_as as;
	int n = CLI_AS_ARGS;

	if (!user)
		return cr_error_set(err, ENOENT, "there is no user %.64s", name);
	if (argc > 20)
		return cr_error_set(err, EINVAL, "--user cannot be used here");
	if (cli_as_user(user->pw_uid, user->pw_gid, &as, command, err) < 0)
		return -1;
	/* --user stays among them and then names the caller */
	for (int i = 1; i < argc; i++)
		command[n++] = argv[i];
	if (conf && asprintf(&conf_word, "SLURM_CONF=%s", conf) < 0) {
		conf_word = NULL;
		return cr_error_sys(err, ENOMEM, "environment");
	}
	env[1] = conf_word;
	execve(CR_SETPRIV, (char *const *)command, env);
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

	int rc = verb->run(cli, &err);

	if (rc) {
		(void)fflush(stdout); /* what was found out comes before what is wrong with it */
		return report(&err, rc < 0 ? verb->failure : rc);
	}
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
		cr_error_set(&err, EINVAL, "'%.20s' is not a verb: able, create, vacate, list, show, verify or gc",
			     argv[1]);
		return report(&err, EXIT_USAGE);
	}
	return parse_and_run(verb, argc - 1, argv + 1);
}
