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
#include "crew.h"
#include "drain.h"
#include "move.h"
#include "output.h"
#include "proc.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif
#ifndef CR_SETPRIV
#define CR_SETPRIV "/usr/bin/setpriv"
#endif

enum {
	EXIT_USAGE = 2,
	EXIT_UNKNOWN = 3,
	TIMEOUT_DEFAULT = 600,
	TIMEOUT_MAX = 86400,
	AT_ONCE = 8,
	JOBS_MAX = 1000
};

enum {
	OPT_ALL = 256,
	OPT_AT_ONCE,
	OPT_CONFIG,
	OPT_DIR,
	OPT_DRAIN,
	OPT_DRY_RUN,
	OPT_HELP,
	OPT_JSON,
	OPT_NODE,
	OPT_PARTITION,
	OPT_TIMEOUT,
	OPT_TO,
	OPT_USER,
	OPT_VERSION
};

enum {
	TAKES_STORE = 1,
	TAKES_TIMEOUT = 2,
	TAKES_GENERATION = 4,
	TAKES_ALL = 8,
	TAKES_DRY_RUN = 16,
	TAKES_SELECTION = 32,
	TAKES_DRAIN = 64,
	TAKES_TO = 128
};

/* The last operand is the job; the agent's first is what to ask. With TAKES_SELECTION each operand is one. */
static const struct verb {
	const char *name;
	int (*run)(const struct cli *cli, struct cr_error *err);
	int min, max; /* operands */
	int takes;
	int failure; /* exit status */
} verbs[] = {
	{"able", cli_able, 1, 1, TAKES_TIMEOUT, EXIT_UNKNOWN},
	{"create", cli_create, 0, JOBS_MAX, TAKES_TIMEOUT | TAKES_SELECTION, EXIT_FAILURE},
	{"vacate", cli_vacate, 0, JOBS_MAX, TAKES_TIMEOUT | TAKES_SELECTION | TAKES_DRAIN | TAKES_TO,
	 EXIT_FAILURE},
	{"hold", cli_hold, 0, JOBS_MAX, TAKES_TIMEOUT | TAKES_SELECTION | TAKES_DRAIN, EXIT_FAILURE},
	{"list", cli_list, 0, 1, TAKES_STORE, EXIT_FAILURE},
	{"show", cli_show, 1, 1, TAKES_STORE | TAKES_GENERATION, EXIT_FAILURE},
	{"verify", cli_verify, 1, 1, TAKES_STORE | TAKES_GENERATION | TAKES_ALL, EXIT_FAILURE},
	{"gc", cli_gc, 0, 1, TAKES_STORE | TAKES_DRY_RUN, EXIT_FAILURE},
	{"agent", cli_agent, 2, 2, TAKES_TIMEOUT, EXIT_FAILURE},
};

static const struct option options[] = {
	{"all", no_argument, NULL, OPT_ALL},
	{"at-once", required_argument, NULL, OPT_AT_ONCE},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"dir", required_argument, NULL, OPT_DIR},
	{"drain", optional_argument, NULL, OPT_DRAIN},
	{"dry-run", no_argument, NULL, OPT_DRY_RUN},
	{"help", no_argument, NULL, OPT_HELP},
	{"json", no_argument, NULL, OPT_JSON},
	{"node", required_argument, NULL, OPT_NODE},
	{"partition", required_argument, NULL, OPT_PARTITION},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"to", required_argument, NULL, OPT_TO},
	{"user", required_argument, NULL, OPT_USER},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static const char usage[] =
	"usage: scheckpoint able JOBID              can the job be checkpointed, and if not, why\n"
	"       scheckpoint create JOBS             take a checkpoint now; returns when it is committed\n"
	"       scheckpoint vacate JOBS             take a checkpoint, then requeue the job\n"
	"       scheckpoint hold JOBS               take a checkpoint, then requeue the job and hold it\n"
	"       scheckpoint list [JOBID]            the checkpoints of a job, or of all your jobs\n"
	"       scheckpoint show JOBID[.GENERATION] all that is known of one (the newest)\n"
	"       scheckpoint verify JOBID[.GENERATION] read all of one (the newest) and say whether it is good\n"
	"       scheckpoint gc [JOBID]              remove what ended jobs, or all users' as root, have left\n"
	"options:\n"
	"  --json             print JSON\n"
	"  --timeout=SECONDS  able, create, vacate, hold: give up after so long (default 600), for each job\n"
	"  --at-once=N        create, vacate, hold: deal with N jobs at a time (default 8)\n"
	"  --to=NODE          vacate: the job is to go on there\n"
	"  --drain[=REASON]   vacate, hold: with --node, drain the nodes first, so that nothing starts there "
	"(admin)\n"
	"  --all              verify: every generation of the job\n"
	"  --dry-run          gc: only say what would be removed\n"
	"  --dir=DIR          list, show, verify, gc: the job's --checkpoint-dir, instead of the site's\n"
	"  --config=FILE      list, show, verify, gc: the plugin's line, default " CR_PLUGSTACK_CONF "\n"
	"  --user=NAME        list, show, verify, gc: another user's checkpoints (root only)\n"
	"  --help, --version\n"
	"JOBID may be JOBID_TASK for a task of a job array.\n"
	"JOBS are JOBIDs, where an array's stands for all its running tasks, or jobs that meet all of:\n"
	"  --node=NODES       they run on one of these nodes, such as n[1-4],n9\n"
	"  --user=NAMES       they belong to one of these users\n"
	"  --partition=NAMES  they run in one of these partitions\n"
	"Other users' jobs are taken when root asks, and left alone otherwise.\n";

static int report(const struct cr_error *err, int status)
{
	/* it may quote what another user's process has said */
	fputs("scheckpoint: ", stderr);
	output_text_to(stderr, err->text);
	fputc('\n', stderr);
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

static int parse_number(const char *option, const char *text, const char *what, int most, int *value,
			struct cr_error *err)
{
	size_t length = strspn(text, "0123456789");

	*value = length && length < 7 && !text[length] ? atoi(text) : 0;
	if (*value < 1 || *value > most)
		return cr_error_set(err, EINVAL, "%s=%.20s: a number%s from 1 to %d", option, text, what, most);
	return 0;
}

/* One of what selects jobs; it goes into a command line of Slurm's. */
static int parse_list(const char *option, const char **list, struct cr_error *err)
{
	*list = optarg;
	return selection_check_list(option, optarg, err);
}

/* What a verb must take for the option to be one of its. */
static int option_needs(int option)
{
	switch (option) {
	case OPT_TIMEOUT:
		return TAKES_TIMEOUT;
	case OPT_CONFIG:
	case OPT_DIR:
		return TAKES_STORE;
	case OPT_ALL:
		return TAKES_ALL;
	case OPT_DRY_RUN:
		return TAKES_DRY_RUN;
	case OPT_AT_ONCE:
	case OPT_NODE:
	case OPT_PARTITION:
		return TAKES_SELECTION;
	case OPT_DRAIN:
		return TAKES_DRAIN;
	case OPT_TO:
		return TAKES_TO;
	case OPT_USER:
		return TAKES_STORE | TAKES_SELECTION;
	default:
		return 0;
	}
}

/* Note one option that selects jobs or says what to do with them. */
static int parse_selecting(int option, struct cli *cli, struct cr_error *err)
{
	switch (option) {
	case OPT_AT_ONCE:
		return parse_number("--at-once", optarg, "", CREW_MOST, &cli->at_once, err);
	case OPT_NODE:
		return parse_list("--node", &cli->wish.nodes, err);
	case OPT_PARTITION:
		return parse_list("--partition", &cli->wish.partitions, err);
	case OPT_USER:
		return parse_list("--user", &cli->wish.users, err);
	case OPT_TO:
		cli->to = optarg;
		return move_check_name(optarg, err);
	default:
		cli->drain = optarg ? optarg : "scheckpoint";
		return drain_check_reason(cli->drain, err);
	}
}

/* Note one option. */
static int parse_option(const struct verb *verb, int option, struct cli *cli, const char **user,
			struct cr_error *err)
{
	int needs = option_needs(option);

	if (needs && !(needs & verb->takes))
		return cr_error_set(err, EINVAL, "%s has no such option", verb->name);
	if (needs & verb->takes & (TAKES_SELECTION | TAKES_DRAIN | TAKES_TO))
		return parse_selecting(option, cli, err);
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
		return parse_number("--timeout", optarg, " of seconds", TIMEOUT_MAX, &cli->timeout, err);
	case OPT_USER:
		*user = optarg;
		return 0;
	default:
		return cr_error_set(err, EINVAL, "%s: unknown option, or one without its value", verb->name);
	}
}

static int check_generation(const struct verb *verb, const struct target *target, struct cr_error *err)
{
	if (!target->generation || (verb->takes & TAKES_GENERATION))
		return 0;
	return cr_error_set(err, EINVAL, "%s takes a job, not one of its generations: write %s", verb->name,
			    target->name);
}

static int parse_jobs(const struct verb *verb, int argc, char *argv[], struct cli *cli, struct cr_error *err)
{
	if (!argc && !selection_is_conditional(&cli->wish))
		return cr_error_set(err, EINVAL,
				    "%s: which job? One or more JOBIDs, --node, --user or --partition",
				    verb->name);
	if (argc > verb->max)
		return cr_error_set(err, EINVAL, "%s: more than %d jobs", verb->name, verb->max);
	if (cli->drain && !cli->wish.nodes)
		return cr_error_set(err, EINVAL, "--drain: which nodes? It goes with --node");
	cli->wish.targets = calloc((size_t)argc + 1, sizeof(struct target));
	if (!cli->wish.targets)
		return cr_error_sys(err, ENOMEM, "command line");
	for (int i = 0; i < argc; i++) {
		struct target *target = &cli->wish.targets[cli->wish.n_targets++];

		if (target_parse(argv[i], target, err) < 0 || check_generation(verb, target, err) < 0)
			return -1;
	}
	return 0;
}

static int parse_operands(const struct verb *verb, int argc, char *argv[], struct cli *cli, struct cr_error *err)
{
	if (verb->takes & TAKES_SELECTION)
		return parse_jobs(verb, argc, argv, cli, err);
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
	return check_generation(verb, &cli->target, err);
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
	struct cli cli = {.config = CR_PLUGSTACK_CONF, .timeout = TIMEOUT_DEFAULT, .at_once = AT_ONCE};
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
		cr_error_set(&err, EINVAL,
			     "'%.20s' is not a verb: able, create, vacate, hold, list, show, verify or gc",
			     argv[1]);
		return report(&err, EXIT_USAGE);
	}
	return parse_and_run(verb, argc - 1, argv + 1);
}
